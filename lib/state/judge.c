/* SPDX-License-Identifier: MIT */
#include "lib/state/judge.h"

#include <limits.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { TARGET_MOST = 240, LEAPS_MOST = 8, DOMAINS_LOOKED_AT = 1000 };

#define REDIRECT "redirect-to:"

const char *const state_bad_words[STATE_BADS] = {"name", "length", "json", "type", "reserved", "loop", "refused"};

typedef struct judging {
    const state_table_t *table;
    weir_span_t rest; /* of the key */
    json_t *json;
    state_judged_t *out;
} judging_t;

static state_verdict_t refuse(judging_t *it, state_bad_t bad, const char *format, ...) __attribute__((format(printf, 3, 4)));

static state_verdict_t refuse(judging_t *it, state_bad_t bad, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(it->out->problem, sizeof(it->out->problem), format, list);
    va_end(list);
    it->out->bad = bad;
    return STATE_REFUSED;
}

/* ---- names ---- */

static bool is_text(weir_span_t text)
{
    json_t *json = json_stringn(text.base, text.len);
    const bool is = json != NULL;

    json_decref(json);
    return is;
}

static bool has_controls(weir_span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.base[i] < ' ' || text.base[i] == 127)
            return true;
    return false;
}

static const char *problem_of_app(weir_span_t name)
{
    if (name.len == 0 || name.len > STATE_NAME_MOST || memchr(name.base, '/', name.len) != NULL || has_controls(name) ||
        !is_text(name))
        return "the name of an app is a word of 1 to 255 characters, without /";
    return NULL;
}

static bool is_reserved(weir_span_t name)
{
    return name.len >= sizeof(REDIRECT) - 1 && memcmp(name.base, REDIRECT, sizeof(REDIRECT) - 1) == 0;
}

static bool is_of_domain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '*';
}

static bool is_of_path(weir_span_t path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.base[i] <= ' ' || path.base[i] >= 127 || path.base[i] == '"' || path.base[i] == '\\')
            return false;
    return true;
}

/* So that no two keys are one domain. What is left is the router's to judge. */
static const char *problem_of_domain(weir_span_t rest)
{
    const char *slash = memchr(rest.base, '/', rest.len);
    const size_t length = slash == NULL ? rest.len : (size_t)(slash - rest.base);

    for (size_t i = 0; i < length; i++)
        if (!is_of_domain(rest.base[i]))
            return "a domain is in lower case, and as DNS spells it";
    if (length == 0 || rest.base[length - 1] == '.')
        return "a domain has no dot behind it";
    return is_of_path((weir_span_t){rest.base + length, rest.len - length}) ? NULL : "that is no path";
}

/* ---- redirects ---- */

/* Without a port; in lower case. */
static weir_span_t host_of(const char *target, char room[STATE_KEY_BYTES])
{
    const int length = snprintf(room, STATE_KEY_BYTES, "domains/%.*s", (int)strcspn(target, ":"), target);

    for (char *at = room; *at != '\0'; at++)
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
    return (weir_span_t){room, (size_t)length};
}

/* Where an app redirects to, if it does. */
static bool target_of_app(weir_span_t value, char target[TARGET_MOST + 1])
{
    if (memmem(value.base, value.len, "\"redirect-to\"", 13) == NULL)
        return false;
    json_t *json = json_loadb(value.base, value.len, 0, NULL);
    const char *text = json_string_value(json_object_get(json, "redirect-to"));
    const bool has = text != NULL && strlen(text) <= TARGET_MOST;
    if (has)
        memcpy(target, text, strlen(text) + 1);
    json_decref(json);
    return has;
}

static bool target_of(const state_slot_t *slot, char target[TARGET_MOST + 1])
{
    if (slot->is_redirect) {
        snprintf(target, TARGET_MOST + 1, "%s", slot->name + sizeof(REDIRECT) - 1);
        return true;
    }
    return slot->app != NULL && target_of_app(state_object_value(slot->app), target);
}

/* Whether who is sent from `domain` to `target` comes by it again. */
static bool is_loop(const state_table_t *table, weir_span_t domain, const char *target)
{
    char room[STATE_KEY_BYTES], next[TARGET_MOST + 1];

    snprintf(next, sizeof(next), "%s", target);
    for (int i = 0; i < LEAPS_MOST; i++) {
        const weir_span_t key = host_of(next, room), host = {key.base + 8, key.len - 8};
        if (host.len == domain.len && memcmp(host.base, domain.base, host.len) == 0)
            return true;
        const state_object_t *object = state_table_find(table, key);
        if (object == NULL || object->slot == NULL || !target_of(object->slot, next))
            return false;
    }
    return true;
}

/* ---- kinds ---- */

/* Of a domain that is an app's: whether that app sends it where it comes by here again. */
static state_verdict_t judge_way(judging_t *it)
{
    char target[TARGET_MOST + 1];
    const state_said_t *said = &it->out->said;
    const state_slot_t *slot = it->table == NULL || said->is_redirect ? NULL : state_table_slot(it->table, said->slot);

    if (slot == NULL || !target_of(slot, target) || !is_loop(it->table, it->rest, target))
        return STATE_TAKEN;
    return refuse(it, STATE_BAD_LOOP, "its app redirects to %s, which leads back here", target);
}

static state_verdict_t judge_domain(judging_t *it)
{
    state_said_t *said = &it->out->said;
    const json_t *redirect = json_object_get(it->json, "redirect"), *path = json_object_get(it->json, "path");
    const char *app = json_string_value(json_object_get(it->json, "app")), *problem = problem_of_domain(it->rest);
    const char *target = json_string_value(redirect != NULL ? redirect : json_object_get(it->json, "redirect-to"));
    char *room = it->out->room;

    if (problem != NULL)
        return refuse(it, STATE_BAD_NAME, "%s", problem);
    if ((app == NULL) == (target == NULL))
        return refuse(it, STATE_BAD_TYPE, "a domain has an `app`, or a `redirect`: a text");
    if (app != NULL && (problem = problem_of_app((weir_span_t){app, strlen(app)})) != NULL)
        return refuse(it, STATE_BAD_NAME, "%s", problem);
    if (app != NULL && is_reserved((weir_span_t){app, strlen(app)}))
        return refuse(it, STATE_BAD_RESERVED, "names of apps do not begin with " REDIRECT);
    if (target != NULL && (*target == '\0' || strlen(target) > TARGET_MOST || strchr(target, '/') != NULL ||
                           !is_of_path((weir_span_t){target, strlen(target)})))
        return refuse(it, STATE_BAD_TYPE, "a redirect leads to a domain, with or without a port");
    if (target != NULL && it->table != NULL && is_loop(it->table, it->rest, target))
        return refuse(it, STATE_BAD_LOOP, "the redirect to %s leads back here", target);
    if (path != NULL &&
        (!json_is_string(path) || json_string_value(path)[0] != '/' || json_string_length(path) > STATE_KEY_BYTES ||
         !is_of_path((weir_span_t){json_string_value(path), json_string_length(path)})))
        return refuse(it, STATE_BAD_TYPE, "a `path` is a text, and begins with /");
    if (path != NULL && memchr(it->rest.base, '/', it->rest.len) != NULL)
        return refuse(it, STATE_BAD_TYPE, "the key has a path already");
    const int slot_length =
        snprintf(room, STATE_KEY_BYTES, "%s%s", target != NULL ? REDIRECT : "", target != NULL ? target : app);
    said->slot = (weir_span_t){room, (size_t)slot_length};
    said->is_redirect = target != NULL;
    room += STATE_KEY_BYTES;
    snprintf(room, STATE_KEY_BYTES + 1, "%s", path == NULL ? "" : json_string_value(path));
    said->value = (weir_span_t){room, strlen(room)};
    return judge_way(it);
}

/* Takes `json` over. */
static state_verdict_t keep(judging_t *it, json_t *json)
{
    char *room = it->out->room;
    const size_t length = json_dumpb(json, room, STATE_VALUE_MOST, JSON_COMPACT);

    json_decref(json);
    if (length > STATE_VALUE_MOST)
        return refuse(it, STATE_BAD_LENGTH, "a value has %d bytes at most", STATE_VALUE_MOST);
    it->out->said.value = (weir_span_t){room, length};
    return STATE_TAKEN;
}

static state_verdict_t judge_settings(judging_t *it)
{
    static const char *const others[] = {"domains", "backends"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (json_object_get(it->json, others[i]) != NULL)
            return refuse(it, STATE_BAD_RESERVED, "`%s` of an app are keys of their own", others[i]);
    return keep(it, json_incref(it->json));
}

static state_verdict_t judge_app(judging_t *it)
{
    const char *problem = problem_of_app(it->rest);
    const state_slot_t *slot = it->table == NULL || problem != NULL ? NULL : state_table_slot(it->table, it->rest);
    char target[TARGET_MOST + 1];
    int looked_at = 0;

    if (problem != NULL)
        return refuse(it, STATE_BAD_NAME, "%s", problem);
    if (is_reserved(it->rest))
        return refuse(it, STATE_BAD_RESERVED, "names of apps do not begin with " REDIRECT);
    it->out->said.slot = it->rest;
    const state_verdict_t verdict = judge_settings(it);
    if (verdict != STATE_TAKEN || slot == NULL || !target_of_app(it->out->said.value, target))
        return verdict;
    for (const weir_list_t *node = slot->domains.next; node != &slot->domains && looked_at < DOMAINS_LOOKED_AT;
         node = node->next) {
        const weir_span_t domain = state_object_rest(WEIR_AROUND(node, state_object_t, sibling));
        looked_at++;
        if (is_loop(it->table, domain, target))
            return refuse(it, STATE_BAD_LOOP, "the redirect from %.*s to %s leads back there", (int)domain.len, domain.base,
                          target);
    }
    return STATE_TAKEN;
}

/* As `backends` of an app has them; its other members are of those who are newer than we are. */
static state_verdict_t judge_backend(judging_t *it)
{
    static const char *const known[][2] = {{"weight", "weight"},
                                           {"tier", "tier"},
                                           {"zone", "zone"},
                                           {"max-requests", "max-requests"},
                                           {"max_inflight", "max-requests"},
                                           {"labels", "labels"},
                                           {"state", "state"}};
    const char *slash = memchr(it->rest.base, '/', it->rest.len);
    const weir_span_t app = {it->rest.base, slash == NULL ? 0 : (size_t)(slash - it->rest.base)};
    const weir_span_t id = {slash == NULL ? NULL : slash + 1, slash == NULL ? 0 : it->rest.len - app.len - 1};
    const json_t *addr = json_object_get(it->json, "addr"), *at = addr != NULL ? addr : json_object_get(it->json, "at");

    if (slash == NULL || problem_of_app(app) != NULL || id.len == 0 || id.len > STATE_NAME_MOST ||
        memchr(id.base, '/', id.len) != NULL || has_controls(id) || !is_text(id))
        return refuse(it, STATE_BAD_NAME, "the key of a backend is backends/APP/ID");
    if (is_reserved(app))
        return refuse(it, STATE_BAD_RESERVED, "names of apps do not begin with " REDIRECT);
    if (!json_is_string(at))
        return refuse(it, STATE_BAD_TYPE, "a backend has an `addr`: a text");
    json_t *kept = json_pack("{s:o, s:s}", "id", json_stringn(id.base, id.len), "at", json_string_value(at));
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        json_t *value = json_object_get(it->json, known[i][0]);
        if (value != NULL)
            json_object_set(kept, known[i][1], value);
    }
    it->out->said.slot = app;
    return keep(it, kept);
}

static state_verdict_t judge_of_kind(judging_t *it)
{
    switch (it->out->said.kind) {
    case STATE_APP:
        return judge_app(it);
    case STATE_BACKEND:
        return judge_backend(it);
    case STATE_DOMAIN:
        return judge_domain(it);
    case STATE_CONFIG:
        return judge_settings(it);
    case STATE_CERT:
    case STATE_META:
    case STATE_KINDS:
    default:
        return keep(it, json_incref(it->json));
    }
}

/* ---- a key ---- */

static bool read_kind(weir_span_t key, state_kind_t *out_kind, weir_span_t *out_rest)
{
    for (int i = 0; i < STATE_KINDS; i++) {
        const char *word = state_kind_words[i];
        const size_t length = strlen(word);
        if (key.len < length || memcmp(key.base, word, length) != 0)
            continue;
        if (i == STATE_META ? key.len != length : key.len == length || key.base[length] != '/')
            continue;
        *out_kind = (state_kind_t)i;
        *out_rest = i == STATE_META ? (weir_span_t){"", 0} : (weir_span_t){key.base + length + 1, key.len - length - 1};
        return true;
    }
    return false;
}

/* What a million domains say, without a reader of JSON. False: that has to look. */
static bool is_plain_domain(judging_t *it, weir_span_t value)
{
    state_said_t *said = &it->out->said;

    if (said->kind != STATE_DOMAIN || value.len < 10 || memcmp(value.base, "{\"app\":\"", 8) != 0 ||
        memcmp(value.base + value.len - 2, "\"}", 2) != 0)
        return false;
    const weir_span_t app = {value.base + 8, value.len - 10};
    for (size_t i = 0; i < app.len; i++)
        if (!is_of_domain(app.base[i]))
            return false;
    if (app.len == 0 || app.len > STATE_NAME_MOST || problem_of_domain(it->rest) != NULL)
        return false;
    said->slot = app;
    said->value = (weir_span_t){"", 0};
    return true;
}

state_verdict_t state_judge(const state_table_t *table, weir_span_t key, weir_span_t value, state_judged_t *out)
{
    judging_t it = {.table = table, .out = out};
    json_error_t error;

    out->said = (state_said_t){.key = key};
    out->problem[0] = '\0';
    if (!read_kind(key, &out->said.kind, &it.rest))
        return STATE_IGNORED;
    if (key.len > STATE_KEY_BYTES - 64)
        return refuse(&it, STATE_BAD_NAME, "a key has %d bytes at most", STATE_KEY_BYTES - 64);
    if (value.len > STATE_VALUE_MOST)
        return refuse(&it, STATE_BAD_LENGTH, "a value has %d bytes at most", STATE_VALUE_MOST);
    if (is_plain_domain(&it, value))
        return judge_way(&it);
    it.json = json_loadb(value.len == 0 ? "" : value.base, value.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (it.json == NULL)
        return refuse(&it, STATE_BAD_JSON, "%s", error.text);
    const state_verdict_t verdict =
        json_is_object(it.json) ? judge_of_kind(&it) : refuse(&it, STATE_BAD_TYPE, "the value is no object");
    json_decref(it.json);
    return verdict;
}

int state_judge_least_reader(weir_span_t value)
{
    json_t *json = json_loadb(value.len == 0 ? "" : value.base, value.len, 0, NULL);
    const json_int_t least = json_integer_value(json_object_get(json, "min_reader"));

    json_decref(json);
    return least > INT_MAX ? INT_MAX : least < 0 ? 0 : (int)least;
}
