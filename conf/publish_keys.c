/* SPDX-License-Identifier: MIT */
#include "conf/publish_keys.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { ROOM_LEAST = 64, RANKS_OF_PUTS = 5 };

/* ---- keys ---- */

static char *copy_of(weir_span_t text)
{
    char *copy = malloc(text.len + 1);

    WEIR_MUST(copy != NULL);
    if (text.len > 0)
        memcpy(copy, text.base, text.len);
    copy[text.len] = '\0';
    return copy;
}

static void *with_room(void *at, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return at;
    *room = *room == 0 ? ROOM_LEAST : 2 * *room;
    at = realloc(at, *room * size);
    WEIR_MUST(at != NULL);
    return at;
}

void conf_publish_keys_add(conf_publish_keys_t *keys, weir_span_t key, weir_span_t value, bool has_lease)
{
    keys->at = with_room(keys->at, keys->count, &keys->room, sizeof(keys->at[0]));
    keys->at[keys->count++] = (conf_publish_key_t){copy_of(key), copy_of(value), key.len, value.len, has_lease};
}

static int compare_keys(const conf_publish_key_t *a, const conf_publish_key_t *b)
{
    const size_t length = a->key_length < b->key_length ? a->key_length : b->key_length;
    const int order = memcmp(a->key, b->key, length);

    return order != 0 ? order : (a->key_length > b->key_length) - (a->key_length < b->key_length);
}

static int compare_items(const void *a, const void *b)
{
    return compare_keys(a, b);
}

void conf_publish_keys_sort(conf_publish_keys_t *keys)
{
    if (keys->count > 0)
        qsort(keys->at, keys->count, sizeof(keys->at[0]), compare_items);
}

void conf_publish_keys_free(conf_publish_keys_t *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->at[i].key);
        free(keys->at[i].value);
    }
    free(keys->at);
    *keys = (conf_publish_keys_t){0};
}

state_kind_t conf_publish_kind(const char *key)
{
    for (int i = 0; i < STATE_KINDS; i++) {
        const size_t length = strlen(state_kind_words[i]);
        if (strncmp(key, state_kind_words[i], length) == 0 && key[length] == (i == STATE_META ? '\0' : '/'))
            return (state_kind_t)i;
    }
    return STATE_KINDS;
}

/* ---- what differs ---- */

void conf_publish_changes_add(conf_publish_changes_t *changes, const conf_publish_key_t *before,
                              const conf_publish_key_t *after)
{
    changes->at = with_room(changes->at, changes->count, &changes->room, sizeof(changes->at[0]));
    changes->at[changes->count] = (conf_publish_change_t){before, after, changes->count};
    changes->count++;
}

static bool is_alike(const json_t *a, const json_t *b);

static bool is_list_alike(const json_t *a, const json_t *b)
{
    const json_t *item;
    size_t i;

    if (json_array_size(a) != json_array_size(b))
        return false;
    json_array_foreach(a, i, item) if (!is_alike(item, json_array_get(b, i))) return false;
    return true;
}

static bool is_object_alike(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach((json_t *)(uintptr_t)a, key, value) if (!is_alike(value, json_object_get(b, key))) return false;
    return true;
}

static char *word_of(const json_t *value)
{
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);

    WEIR_MUST(text != NULL);
    return text;
}

/* Routers see words, whether these stand in quotes or not: conf/text.c. */
static bool is_alike(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL)
        return false;
    if (json_is_object(a) || json_is_object(b))
        return json_is_object(a) && json_is_object(b) && is_object_alike(a, b);
    if (json_is_array(a) || json_is_array(b))
        return json_is_array(a) && json_is_array(b) && is_list_alike(a, b);
    char *left = word_of(a), *right = word_of(b);
    const bool is = strcmp(left, right) == 0;
    free(left);
    free(right);
    return is;
}

/* What no router reads, but the judge of keys, has texts and numbers. */
static bool is_for_routers(const char *key)
{
    const state_kind_t kind = conf_publish_kind(key);

    return kind == STATE_APP || kind == STATE_BACKEND || kind == STATE_CONFIG;
}

static bool is_same_value(const conf_publish_key_t *a, const conf_publish_key_t *b)
{
    if (a->value_length == b->value_length && memcmp(a->value, b->value, a->value_length) == 0)
        return true;
    json_t *left = json_loadb(a->value, a->value_length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    json_t *right = json_loadb(b->value, b->value_length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    const bool is = is_for_routers(a->key) ? is_alike(left, right) : json_equal(left, right) != 0;
    json_decref(left);
    json_decref(right);
    return is;
}

static bool may_go(const conf_publish_key_t *key, unsigned removed)
{
    const state_kind_t kind = conf_publish_kind(key->key);

    return kind != STATE_KINDS && (removed & 1U << kind) != 0 && !key->has_lease;
}

void conf_publish_compare(const conf_publish_keys_t *before, const conf_publish_keys_t *after, unsigned removed,
                          conf_publish_changes_t *out)
{
    size_t a = 0, b = 0;

    while (a < before->count || b < after->count) {
        const conf_publish_key_t *old = a < before->count ? &before->at[a] : NULL;
        const conf_publish_key_t *new = b < after->count ? &after->at[b] : NULL;
        const int order = old == NULL ? 1 : new == NULL ? -1 : compare_keys(old, new);
        a += order <= 0;
        b += order >= 0;
        if (order > 0)
            conf_publish_changes_add(out, NULL, new);
        else if (order < 0 && may_go(old, removed))
            conf_publish_changes_add(out, old, NULL);
        else if (order == 0 && !is_same_value(old, new))
            conf_publish_changes_add(out, old, new);
    }
}

/* ---- their order ---- */

static bool is_redirect(const conf_publish_key_t *key)
{
    return memmem(key->value, key->value_length, "\"redirect", 9) != NULL;
}

/*
 * Domains that go, before those that redirect: who was redirected to another one must not be one whose redirect is still
 * there. The rest goes when nothing leads to it any more.
 */
static int rank_of(const conf_publish_change_t *change)
{
    static const int puts[STATE_KINDS] = {
        [STATE_META] = 0, [STATE_CONFIG] = 1, [STATE_CERT] = 2, [STATE_APP] = 3, [STATE_BACKEND] = 4};
    const state_kind_t kind = conf_publish_kind(change->after != NULL ? change->after->key : change->before->key);
    const bool is_put = change->after != NULL;

    if (kind == STATE_KINDS)
        return 0;
    if (kind == STATE_DOMAIN)
        return is_put && !is_redirect(change->after) ? RANKS_OF_PUTS : is_put ? RANKS_OF_PUTS + 2 : RANKS_OF_PUTS + 1;
    return is_put ? puts[kind] : 3 * RANKS_OF_PUTS - puts[kind];
}

static int compare_changes(const void *a, const void *b)
{
    const conf_publish_change_t *one = a, *other = b;
    const int rank = rank_of(one) - rank_of(other);

    return rank != 0 ? rank : (one->place > other->place) - (one->place < other->place);
}

void conf_publish_changes_sort(conf_publish_changes_t *changes)
{
    if (changes->count > 0)
        qsort(changes->at, changes->count, sizeof(changes->at[0]), compare_changes);
}

void conf_publish_changes_free(conf_publish_changes_t *changes)
{
    free(changes->at);
    *changes = (conf_publish_changes_t){0};
}

/* ---- told ---- */

/* What stands in a store may be anybody's: a terminal is given no orders. */
static void print_text(const char *text, size_t length, FILE *to)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool is_control = c < ' ' || c == 127 || (c == 0xC2 && i + 1 < length && (unsigned char)text[i + 1] < 0xA0);
        fputc(is_control ? '?' : c, to);
    }
}

static void print_value(const conf_publish_key_t *key, FILE *to)
{
    json_t *json = json_loadb(key->value, key->value_length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    if (text == NULL)
        print_text(key->value, key->value_length, to);
    else
        print_text(text, strlen(text), to);
    json_decref(json);
    free(text);
}

static void print_one(const conf_publish_change_t *change, FILE *to)
{
    const conf_publish_key_t *key = change->after != NULL ? change->after : change->before;

    WEIR_MUST(key != NULL); /* one of the two is there */
    fputs(change->before == NULL ? "+ " : change->after == NULL ? "- " : "~ ", to);
    print_text(key->key, key->key_length, to);
    fputs(change->before == NULL ? " " : change->after == NULL ? "" : ": ", to);
    if (change->before != NULL && change->after != NULL) {
        print_value(change->before, to);
        fputs(" -> ", to);
    }
    if (change->after != NULL)
        print_value(change->after, to);
    fputc('\n', to);
}

void conf_publish_changes_print(const conf_publish_changes_t *changes, FILE *to)
{
    for (size_t i = 0; i < changes->count; i++)
        print_one(&changes->at[i], to);
}
