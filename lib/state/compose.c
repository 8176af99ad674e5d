/* SPDX-License-Identifier: MIT */
/* What is said of an app by many keys, as one document. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/state/table.h"

typedef struct text {
    char *bytes;
    size_t used, room;
} text_t;

static void add(text_t *text, weir_span_t more)
{
    if (text->bytes == NULL || text->used + more.len + 1 > text->room) {
        text->room = 2 * text->room + more.len + 256;
        text->bytes = realloc(text->bytes, text->room);
        WEIR_MUST(text->bytes != NULL);
    }
    if (more.len > 0)
        memcpy(text->bytes + text->used, more.base, more.len);
    text->used += more.len;
    text->bytes[text->used] = '\0';
}

static void add_word(text_t *text, const char *word)
{
    add(text, (weir_span_t){word, strlen(word)});
}

/* Names and paths of domains are of characters that JSON takes as they are: judge.c. */
static void add_domains(text_t *text, const state_slot_t *slot)
{
    const char *before = "[\"";

    for (const weir_list_t *node = slot->domains.next; node != &slot->domains; node = node->next) {
        const state_object_t *object = WEIR_AROUND(node, state_object_t, sibling);
        add_word(text, before);
        add(text, state_object_rest(object));
        add(text, state_object_value(object));
        add_word(text, "\"");
        before = ",\"";
    }
    add_word(text, "]");
}

static void add_backends(text_t *text, const state_slot_t *slot)
{
    const char *before = "[";

    for (const weir_list_t *node = slot->backends.next; node != &slot->backends; node = node->next) {
        add_word(text, before);
        add(text, state_object_value(WEIR_AROUND(node, state_object_t, sibling)));
        before = ",";
    }
    add_word(text, slot->backend_count == 0 ? "[]" : "]");
}

/* What the app does not say itself, the defaults of the store do. */
static char *with_defaults(const state_object_t *defaults, weir_span_t value)
{
    const weir_span_t text = state_object_value(defaults);
    json_t *whole = json_loadb(text.base, text.len, 0, NULL), *own = json_loadb(value.base, value.len, 0, NULL);

    WEIR_MUST(whole != NULL && own != NULL && json_object_update(whole, own) == 0);
    char *both = json_dumps(whole, JSON_COMPACT);
    WEIR_MUST(both != NULL);
    json_decref(own);
    json_decref(whole);
    return both;
}

/* The members of an object, without its end; a comma behind them. */
static void add_members(text_t *text, weir_span_t object)
{
    add(text, (weir_span_t){object.base, object.len - 1});
    if (object.len > 2)
        add_word(text, ",");
}

static void add_app(text_t *text, const state_table_t *table, const state_slot_t *slot)
{
    const weir_span_t value = state_object_value(slot->app);
    char *both = table->defaults == NULL ? NULL : with_defaults(table->defaults, value);

    add_members(text, both == NULL ? value : (weir_span_t){both, strlen(both)});
    free(both);
}

char *state_compose(const state_table_t *table, const state_slot_t *slot)
{
    text_t text = {NULL, 0, 0};

    if (slot->is_redirect) {
        add_word(&text, "{\"redirect-to\":\"");
        add_word(&text, strchr(slot->name, ':') + 1);
        add_word(&text, "\",");
    } else
        add_app(&text, table, slot);
    if (slot->domain_count > 0) {
        add_word(&text, "\"domains\":");
        add_domains(&text, slot);
        add_word(&text, ",");
    }
    add_word(&text, "\"backends\":");
    add_backends(&text, slot);
    add_word(&text, "}");
    return text.bytes;
}

char *state_object_text(const state_object_t *object)
{
    const weir_span_t value = state_object_value(object);
    text_t text = {NULL, 0, 0};
    json_t *name;

    if (object->kind != STATE_DOMAIN) {
        add(&text, value);
        return text.bytes;
    }
    const char *of = object->slot->is_redirect ? strchr(object->slot->name, ':') + 1 : object->slot->name;
    name = json_pack("{s:s}", object->slot->is_redirect ? "redirect" : "app", of);
    WEIR_MUST(name != NULL);
    if (value.len > 0)
        json_object_set_new(name, "path", json_stringn(value.base, value.len));
    char *made = json_dumps(name, JSON_COMPACT);
    json_decref(name);
    WEIR_MUST(made != NULL);
    return made;
}
