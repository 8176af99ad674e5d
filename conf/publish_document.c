/* SPDX-License-Identifier: MIT */
#include "conf/publish_document.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/yaml.h"
#include "conf/yaml_json.h"
#include "lib/base/log.h"
#include "lib/base/must.h"

enum { BYTES_MOST = 1 << 30, PIECE_BYTES = 65536, PROBLEM_BYTES = 512, DIGITS_MOST = 18 };

#define SECTIONS "apps, backends, domains, config, certs and meta"

/* ---- a file ---- */

static char *read_all(FILE *from, size_t *out_size)
{
    size_t room = PIECE_BYTES, used = 0, count;
    char *bytes = malloc(room + 1);

    WEIR_MUST(bytes != NULL);
    while (used <= BYTES_MOST && (count = fread(bytes + used, 1, room - used, from)) > 0) {
        used += count;
        if (used < room)
            continue;
        room *= 2;
        char *larger = realloc(bytes, room + 1);
        WEIR_MUST(larger != NULL);
        bytes = larger;
    }
    bytes[used] = '\0';
    *out_size = used;
    return bytes;
}

char *conf_publish_load(const char *file, size_t *out_size)
{
    const bool is_standard = strcmp(file, "-") == 0;
    FILE *from = is_standard ? stdin : fopen(file, "re");

    if (from == NULL) {
        weir_log("%s: %s", file, strerror(errno));
        return NULL;
    }
    errno = 0;
    char *bytes = read_all(from, out_size);
    const bool is_fine = ferror(from) == 0 && *out_size <= BYTES_MOST;
    if (!is_fine)
        weir_log("%s: %s", file, *out_size > BYTES_MOST ? "it is too long" : strerror(errno));
    if (!is_standard)
        (void)fclose(from);
    if (is_fine)
        return bytes;
    free(bytes);
    return NULL;
}

/* NULL after a complaint. What begins as JSON does and is none may be YAML yet. */
static json_t *parse(const char *file, weir_span_t text)
{
    char problem[PROBLEM_BYTES] = "";
    json_t *json =
        text.base[strspn(text.base, " \t\r\n")] != '{' ? NULL : json_loadb(text.base, text.len, JSON_REJECT_DUPLICATES, NULL);

    if (json != NULL)
        return json;
    conf_complain_into(problem, sizeof(problem));
    yoml_t *node = conf_yaml_parse(text, file);
    if (node != NULL && node->type != YOML_TYPE_MAPPING)
        (void)conf_complain(node, "the document is a mapping: " SECTIONS);
    else if (node != NULL)
        json = conf_yaml_json(node);
    conf_yaml_release(&node);
    conf_complain_into(NULL, 0);
    if (problem[0] == '\0' && json != NULL)
        return json;
    weir_log("%s", problem[0] == '\0' ? file : problem);
    json_decref(json);
    return NULL;
}

/* ---- a document's keys ---- */

typedef struct reading {
    const char *file;
    conf_publish_keys_t *keys;
} reading_t;

static bool complain(const reading_t *it, const char *what, const char *about)
{
    weir_log("%s: `%s` %s", it->file, about, what);
    return false;
}

static void add(const reading_t *it, const char *section, const char *name, const char *more, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    const size_t room = strlen(section) + strlen(name) + strlen(more) + 3;
    char *key = malloc(room);

    WEIR_MUST(text != NULL && key != NULL);
    const int length =
        snprintf(key, room, "%s%s%s%s%s", section, *name == '\0' ? "" : "/", name, *more == '\0' ? "" : "/", more);
    conf_publish_keys_add(it->keys, (weir_span_t){key, (size_t)length}, (weir_span_t){text, strlen(text)}, false);
    free(text);
    free(key);
}

static bool add_backends(const reading_t *it, const char *app, json_t *backends)
{
    const char *id;
    json_t *value;

    if (!json_is_object(backends))
        return complain(it, "of `backends` is a mapping of its backends by their names", app);
    if (strchr(app, '/') != NULL)
        return complain(it, "is no name of an app", app);
    json_object_foreach(backends, id, value)
    {
        if (*id == '\0' || strchr(id, '/') != NULL)
            return complain(it, "has a backend without a name, or with a / in it", app);
        add(it, "backends", app, id, value);
    }
    return true;
}

/* Numbers of YAML are words, and of these one is looked at as a number. */
static void number_meta(json_t *meta)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(meta, next, key, value)
    {
        const char *text = json_string_value(value);
        if (text != NULL && *text != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= DIGITS_MOST)
            json_object_set_new(meta, key, json_integer(strtoll(text, NULL, 10)));
    }
}

static bool add_section(const reading_t *it, state_kind_t kind, json_t *section)
{
    const char *name;
    json_t *value;

    if (!json_is_object(section))
        return complain(it, "must be a mapping", state_kind_words[kind]);
    if (kind == STATE_META) {
        number_meta(section);
        add(it, "meta", "", "", section);
        return true;
    }
    json_object_foreach(section, name, value)
    {
        if (*name == '\0')
            return complain(it, "has something without a name", state_kind_words[kind]);
        if (kind != STATE_BACKEND)
            add(it, state_kind_words[kind], name, "", value);
        else if (!add_backends(it, name, value))
            return false;
    }
    return true;
}

static bool add_all(const reading_t *it, json_t *document, unsigned *out_kinds)
{
    const char *name;
    json_t *section;

    *out_kinds = 0;
    json_object_foreach(document, name, section)
    {
        int kind = 0;
        while (kind < STATE_KINDS && strcmp(state_kind_words[kind], name) != 0)
            kind++;
        if (kind == STATE_KINDS)
            return complain(it, "is no section: there are " SECTIONS, name);
        if (!add_section(it, (state_kind_t)kind, section))
            return false;
        *out_kinds |= 1U << kind;
    }
    return true;
}

bool conf_publish_document_read(const char *file, conf_publish_keys_t *out, unsigned *out_kinds)
{
    const reading_t it = {strcmp(file, "-") == 0 ? "standard input" : file, out};
    size_t size;
    char *bytes = conf_publish_load(file, &size);
    json_t *document = bytes == NULL ? NULL : parse(it.file, (weir_span_t){bytes, size});

    free(bytes);
    if (document == NULL)
        return false;
    const bool is_fine = add_all(&it, document, out_kinds);
    json_decref(document);
    conf_publish_keys_sort(out);
    return is_fine;
}

/* ---- keys as a document ---- */

/* The object by this name, made if need be. NULL: it is no text. */
static json_t *within(json_t *object, const char *name)
{
    json_t *inner = json_object_get(object, name);

    if (inner != NULL)
        return inner;
    return json_object_set_new(object, name, json_object()) == 0 ? json_object_get(object, name) : NULL;
}

/* Takes `value` over. False: there is no place for it. */
static bool place(json_t *document, const conf_publish_key_t *key, json_t *value)
{
    const state_kind_t kind = conf_publish_kind(key->key);
    const char *rest = kind == STATE_META ? "" : key->key + strlen(state_kind_words[kind]) + 1;
    const char *slash = kind == STATE_BACKEND ? strchr(rest, '/') : NULL;
    json_t *in = kind == STATE_META ? document : within(document, state_kind_words[kind]);

    if (kind != STATE_META && (*rest == '\0' || (kind == STATE_BACKEND && (slash == NULL || slash[1] == '\0')))) {
        json_decref(value);
        return false;
    }
    if (slash != NULL) {
        char *app = strndup(rest, (size_t)(slash - rest));
        WEIR_MUST(app != NULL);
        in = within(in, app);
        free(app);
    }
    return json_object_set_new(in, slash != NULL ? slash + 1 : kind == STATE_META ? "meta" : rest, value) == 0;
}

static const char *add_key(json_t *document, const conf_publish_key_t *key)
{
    json_t *value = json_loadb(key->value, key->value_length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    if (value == NULL)
        return "the value is no JSON";
    if (strlen(key->key) != key->key_length || conf_publish_kind(key->key) == STATE_KINDS) {
        json_decref(value);
        return "it is of no kind that is known";
    }
    return place(document, key, value) ? NULL : "it names nothing";
}

/* A section that is empty says that there are none; meta is one key, which is there or is not. */
static json_t *document_of(const conf_publish_keys_t *keys, bool *out_is_whole)
{
    json_t *document = json_object();

    for (int i = 0; i < STATE_KINDS; i++)
        if (i != STATE_META)
            (void)within(document, state_kind_words[i]);
    *out_is_whole = true;
    for (size_t i = 0; i < keys->count; i++) {
        const char *problem = add_key(document, &keys->at[i]);
        if (problem == NULL)
            continue;
        weir_log("%s is left out: %s", keys->at[i].key, problem);
        *out_is_whole = false;
    }
    return document;
}

bool conf_publish_document_write(const conf_publish_keys_t *keys, const char *file)
{
    bool is_whole;
    json_t *document = document_of(keys, &is_whole);
    char *text = json_dumps(document, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    FILE *to = file == NULL ? stdout : fopen(file, "we");

    WEIR_MUST(text != NULL);
    json_decref(document);
    bool is_written = to != NULL && fputs(text, to) >= 0 && fputc('\n', to) != EOF && fflush(to) == 0;
    if (to != NULL && to != stdout)
        is_written = fclose(to) == 0 && is_written;
    if (!is_written)
        weir_log("%s: %s", file == NULL ? "standard output" : file, strerror(errno));
    free(text);
    return is_whole && is_written;
}
