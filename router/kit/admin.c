/* SPDX-License-Identifier: MIT */
/* What operators ask of the apps of a kit, and have it do: /v1/routers/NAME/apps… and …/domains. */
#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "document.h"
#include "names.h"
#include "weir_kit.h"
#include "weir_span.h"

enum {
    OK = 200,
    CREATED = 201,
    NO_CONTENT = 204,
    MALFORMED = 400,
    NOT_FOUND = 404,
    CONFLICT = 409,
    PRECONDITION_FAILED = 412,
    INVALID = 422,
    BUSY = 503,
    PROBLEM_BYTES = 512,
    WEIGHT = 100, /* where nothing is said */
    LISTED = 100,
    LISTED_MOST = 10000,
    PAUSE_MOST_MS = 86400000,
    PAUSE_MS = 30000,
};

/* One call, under the instance's lock. */
typedef struct asked {
    weir_admin_call_t *call;
    weir_kit_t *kit;
    kit_app_t *app; /* NULL: none is named */
    const char *id; /* of a backend; NULL: none is named */
    json_t *body;   /* an object; NULL: there is none */
} asked_t;

/* ---- answers ---- */

static bool answer_with(const asked_t *asked, uint16_t status, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);
    char seq[32];

    snprintf(seq, sizeof(seq), "%llu", (unsigned long long)asked->kit->instance->seq);
    weir_admin_add(asked->call, "Weir-Seq", seq);
    weir_admin_answer(asked->call, status, text, text == NULL ? 0 : strlen(text));
    free(text);
    json_decref(document);
    return true;
}

static bool has_method(const asked_t *asked, const char *method)
{
    const weir_span_t present = weir_admin_method(asked->call);

    return present.len == strlen(method) && memcmp(present.base, method, present.len) == 0;
}

static bool refuse_method(const asked_t *asked, const char *allowed)
{
    weir_admin_add(asked->call, "Allow", allowed);
    weir_admin_problem(asked->call, 405, "method-not-allowed", NULL, "this path takes %s", allowed);
    return true;
}

static void write_tag(const asked_t *asked, char tag[32])
{
    const struct kit_overlay *overlay = kit_overlay_find(asked->kit->instance, asked->app->name);

    snprintf(tag, 32, "\"%llu\"", (unsigned long long)(overlay == NULL ? 0 : overlay->seq));
}

static bool answer_app(const asked_t *asked, uint16_t status)
{
    const bool is_effective = weir_span_is(weir_admin_parameter(asked->call, "effective"), "1");
    char tag[32];

    write_tag(asked, tag);
    weir_admin_add(asked->call, "ETag", tag);
    return answer_with(asked, status, kit_document_of_app(asked->kit, asked->app, is_effective));
}

static bool answer_member(const asked_t *asked, uint16_t status)
{
    json_t *document = kit_document_of_member(asked->kit, asked->app, asked->id);
    char tag[32];

    if (document == NULL) {
        weir_admin_problem(asked->call, NOT_FOUND, "unknown-backend", NULL, "the app %s has no backend %s", asked->app->name,
                           asked->id);
        return true;
    }
    write_tag(asked, tag);
    weir_admin_add(asked->call, "ETag", tag);
    return answer_with(asked, status, document);
}

/* ---- changes ---- */

/* If-Match, RFC 9110 §13.1.1. False: it was answered. */
static bool may_change(const asked_t *asked)
{
    const weir_span_t wanted = weir_admin_field(asked->call, "if-match");
    char tag[32];

    write_tag(asked, tag);
    if (wanted.base == NULL || weir_span_is(wanted, "*") ||
        (wanted.len == strlen(tag) && memcmp(wanted.base, tag, wanted.len) == 0))
        return true;
    weir_admin_add(asked->call, "ETag", tag);
    weir_admin_problem(asked->call, PRECONDITION_FAILED, "precondition-failed", NULL, "the app %s has changed: it is %s now",
                       asked->app->name, tag);
    return false;
}

/* One line on standard error, so that nobody has to guess afterwards who it was. */
static void note_change(const asked_t *asked, const char *what)
{
    const weir_admin_caller_t *who = weir_admin_caller(asked->call);
    struct kit_overlay *overlay = kit_overlay_of(asked->kit->instance, asked->app->name);

    overlay->seq = ++asked->kit->instance->seq;
    weir_instance_log(asked->kit->host, "change %llu by uid %lld (pid %lld): app %s%s%s: %s", (unsigned long long)overlay->seq,
                      (long long)who->uid, (long long)who->pid, asked->app->name, asked->id == NULL ? "" : ", backend ",
                      asked->id == NULL ? "" : asked->id, what);
}

static void put_in_force(const asked_t *asked)
{
    kit_app_put_in_force(asked->kit, asked->app, weir_instance_now_us(asked->kit->host));
}

static kit_wanted_t *configured(const asked_t *asked, kit_wanted_t **out_all, size_t *out_count)
{
    bool is_waiting;
    kit_wanted_t *all = *out_all = kit_names_expand(asked->app, out_count, &is_waiting);

    for (size_t i = 0; i < *out_count; i++)
        if (strcmp(all[i].id, asked->id) == 0)
            return &all[i];
    return NULL;
}

/* What the configuration says of the backend; NULL: nothing. */
static json_t *base_of(const asked_t *asked)
{
    kit_wanted_t *all;
    size_t count;
    const kit_wanted_t *wanted = configured(asked, &all, &count);
    json_t *base = wanted == NULL ? NULL : kit_wanted_json(wanted);

    kit_names_free(all, count);
    return base;
}

/* Documents say max_requests, configurations max-requests. */
static json_t *respelled(const json_t *change)
{
    json_t *document = json_deep_copy(change), *value = json_object_get(document, "max_requests");

    if (value == NULL)
        return document;
    json_object_set(document, "max-requests", value);
    json_object_del(document, "max_requests");
    return document;
}

/* A null takes back what was changed of it: the configuration's word holds, or the default. */
static void merge(json_t *patch, const json_t *more)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)more, key, value)
    {
        if (json_is_null(value))
            json_object_del(patch, key);
        else
            json_object_set(patch, key, value);
    }
}

/* Whether a backend of these words can be: else it was answered. */
static bool is_possible(const asked_t *asked, const json_t *base, const json_t *patch)
{
    json_t *document = kit_edit_document(base, patch);
    char problem[PROBLEM_BYTES];
    kit_wanted_t wanted;
    bool is_fine = kit_wanted_of_json(document, &wanted, problem, sizeof(problem));

    if (is_fine && wanted.place.is_https && asked->app->manner->tls == NULL) {
        snprintf(problem, sizeof(problem), "the app speaks no TLS with its backends, so none can be added that needs it");
        is_fine = false;
    }
    if (is_fine && wanted.is_name) {
        snprintf(problem, sizeof(problem), "`dns:` stands in configurations only");
        is_fine = false;
    }
    kit_wanted_free(&wanted);
    json_decref(document);
    if (!is_fine)
        weir_admin_problem(asked->call, INVALID, "invalid-value", NULL, "%s", problem);
    return is_fine;
}

static bool has_member(const asked_t *asked)
{
    json_t *document = kit_document_of_member(asked->kit, asked->app, asked->id);

    json_decref(document);
    return document != NULL;
}

/* What it says itself, and of all else what holds where nothing is said: also where the configuration says something. */
static json_t *whole(void)
{
    return json_pack("{s:i, s:i, s:i, s:s, s:{}, s:n}", "weight", WEIGHT, "tier", 0, "max-requests", 0, "state", "up", "labels",
                     "zone");
}

static bool change_member(const asked_t *asked, const json_t *change, bool is_whole, const char *what)
{
    struct kit_overlay *overlay = kit_overlay_of(asked->kit->instance, asked->app->name);
    const kit_edit_t *edit = kit_overlay_edit(overlay, asked->id);
    const bool was_there = has_member(asked);
    const bool begins_anew = edit == NULL || edit->patch == NULL;
    json_t *base = base_of(asked), *spelled = respelled(change);
    json_t *patch = is_whole ? whole() : begins_anew ? json_object() : json_deep_copy(edit->patch);

    merge(patch, spelled);
    json_decref(spelled);
    json_object_set_new(patch, "id", json_string(asked->id));
    if (!is_possible(asked, base, patch)) {
        json_decref(base);
        json_decref(patch);
        return true;
    }
    kit_overlay_put(overlay, asked->id, base, patch);
    note_change(asked, what);
    put_in_force(asked);
    return answer_member(asked, was_there ? OK : CREATED);
}

static bool remove_member(const asked_t *asked)
{
    struct kit_overlay *overlay = kit_overlay_of(asked->kit->instance, asked->app->name);
    json_t *base = base_of(asked);

    if (!has_member(asked)) {
        json_decref(base);
        return answer_member(asked, OK); /* which says that there is none */
    }
    if (base == NULL)
        kit_overlay_drop(overlay, asked->id);
    else
        kit_overlay_put(overlay, asked->id, base, NULL);
    note_change(asked, "removed");
    put_in_force(asked);
    return answer_with(asked, NO_CONTENT, NULL);
}

/* ---- backends ---- */

static bool needs_body(const asked_t *asked)
{
    if (asked->body == NULL)
        weir_admin_problem(asked->call, MALFORMED, "malformed", NULL, "the body must be a JSON object");
    return asked->body == NULL;
}

/* The id is the address if none is given. */
static bool add_member(asked_t *asked)
{
    const char *id, *at;

    if (needs_body(asked) || !may_change(asked))
        return true;
    id = json_string_value(json_object_get(asked->body, "id"));
    at = json_string_value(json_object_get(asked->body, "at"));
    asked->id = id != NULL ? id : at;
    if (asked->id == NULL) {
        weir_admin_problem(asked->call, INVALID, "invalid-value", "/at", "a backend needs `at`, its address");
        return true;
    }
    if (has_member(asked)) {
        weir_admin_problem(asked->call, CONFLICT, "backend-exists", "/id", "the app %s has a backend %s", asked->app->name,
                           asked->id);
        return true;
    }
    return change_member(asked, asked->body, true, "added");
}

static bool set_state(const asked_t *asked, const char *state)
{
    json_t *change = json_pack("{s:s}", "state", state);
    const bool is_known = has_member(asked);
    const bool has_answered = is_known && may_change(asked) ? change_member(asked, change, false, state) : true;

    json_decref(change);
    return is_known ? has_answered : answer_member(asked, OK);
}

static bool call_of_member(asked_t *asked)
{
    static const struct {
        const char *verb, *state;
    } verbs[] = {{"drain", "draining"}, {"off", "off"}, {"up", "up"}};
    const weir_span_t verb = weir_admin_segment(asked->call, 4);

    for (size_t i = 0; verb.base != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (weir_span_is(verb, verbs[i].verb))
            return has_method(asked, "POST") ? set_state(asked, verbs[i].state) : refuse_method(asked, "POST");
    if (verb.base != NULL)
        return false;
    if (has_method(asked, "GET"))
        return answer_member(asked, OK);
    if (has_method(asked, "DELETE"))
        return !may_change(asked) || remove_member(asked);
    if (!has_method(asked, "PUT") && !has_method(asked, "PATCH"))
        return refuse_method(asked, "GET, PUT, PATCH, DELETE");
    if (has_method(asked, "PATCH") && !has_member(asked))
        return answer_member(asked, OK);
    return needs_body(asked) || !may_change(asked) ||
           change_member(asked, asked->body, has_method(asked, "PUT"), has_method(asked, "PUT") ? "replaced" : "changed");
}

static bool call_of_members(asked_t *asked)
{
    asked->id = weir_admin_segment(asked->call, 3).base;
    if (asked->id != NULL)
        return call_of_member(asked);
    if (has_method(asked, "GET"))
        return answer_with(asked, OK, json_pack("{s:o}", "backends", kit_document_of_members(asked->kit, asked->app)));
    return has_method(asked, "POST") ? add_member(asked) : refuse_method(asked, "GET, POST");
}

/* ---- apps ---- */

static uint32_t milliseconds_of(const asked_t *asked, const char *key, uint32_t otherwise)
{
    const json_t *value = asked->body == NULL ? NULL : json_object_get(asked->body, key);
    const json_int_t ms = json_is_integer(value) ? json_integer_value(value) : (json_int_t)otherwise;

    return ms < 0 ? 0 : ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : (uint32_t)ms;
}

/* These take the lock themselves. */
static bool steer(const asked_t *asked, weir_span_t verb)
{
    kit_instance_t *instance = asked->kit->instance;
    const uint32_t max_ms = milliseconds_of(asked, "max_ms", PAUSE_MS), spread_ms = milliseconds_of(asked, "spread_ms", 0);

    pthread_mutex_unlock(&instance->lock);
    if (weir_span_is(verb, "pause"))
        weir_set_pause(asked->app->set, max_ms == 0 ? 1 : max_ms);
    else if (weir_span_is(verb, "stop"))
        weir_set_stop(asked->app->set);
    else
        weir_set_resume(asked->app->set, spread_ms);
    pthread_mutex_lock(&instance->lock);
    note_change(asked, verb.base);
    return answer_app(asked, OK);
}

static bool patch_app(const asked_t *asked)
{
    struct kit_overlay *overlay = kit_overlay_of(asked->kit->instance, asked->app->name);
    const json_t *change = asked->body == NULL ? NULL : json_object_get(asked->body, "settings");
    char problem[PROBLEM_BYTES];

    if (!json_is_object(change)) {
        weir_admin_problem(asked->call, INVALID, "invalid-value", "/settings", "of an app `settings` can be changed");
        return true;
    }
    json_t *patch = overlay->settings == NULL ? json_object() : json_deep_copy(overlay->settings);
    merge(patch, change);
    kit_settings_t *settings = kit_settings_patched(asked->app->settings, patch, problem, sizeof(problem));
    if (settings == NULL) {
        json_decref(patch);
        weir_admin_problem(asked->call, INVALID, "invalid-value", "/settings", "%s", problem);
        return true;
    }
    kit_settings_release(settings);
    json_decref(overlay->settings);
    overlay->settings = patch;
    note_change(asked, "settings");
    put_in_force(asked);
    return answer_app(asked, OK);
}

static bool call_of_app(asked_t *asked)
{
    const weir_span_t verb = weir_admin_segment(asked->call, 2);

    if (weir_span_is(verb, "backends"))
        return call_of_members(asked);
    if (weir_span_is(verb, "pause") || weir_span_is(verb, "resume") || weir_span_is(verb, "stop"))
        return has_method(asked, "POST") ? !may_change(asked) || steer(asked, verb) : refuse_method(asked, "POST");
    if (verb.base != NULL)
        return false;
    if (has_method(asked, "GET"))
        return answer_app(asked, OK);
    if (has_method(asked, "PATCH"))
        return !may_change(asked) || patch_app(asked);
    return refuse_method(asked, "GET, PATCH");
}

static bool begins_with(const char *name, weir_span_t prefix)
{
    return prefix.base == NULL || strncmp(name, prefix.base, prefix.len) == 0;
}

/* In order of their names. */
static bool answer_apps(const asked_t *asked)
{
    const weir_span_t prefix = weir_admin_parameter(asked->call, "prefix"), after = weir_admin_parameter(asked->call, "after");
    uint64_t limit = LISTED;
    json_t *list = json_array(), *next = json_null();

    (void)weir_span_to_number(weir_admin_parameter(asked->call, "limit"), &limit);
    limit = limit == 0 ? 1 : limit > LISTED_MOST ? LISTED_MOST : limit;
    for (size_t i = 0; i < asked->kit->app_count; i++) {
        const kit_app_t *app = asked->kit->by_name[i];
        if (!begins_with(app->name, prefix) || (after.base != NULL && strcmp(app->name, after.base) <= 0))
            continue;
        if (json_array_size(list) == limit) {
            next = json_object_get(json_array_get(list, limit - 1), "app");
            json_incref(next);
            break;
        }
        json_array_append_new(list, kit_document_of_app(asked->kit, app, false));
    }
    return answer_with(asked, OK,
                       json_pack("{s:I, s:o, s:o}", "seq", (json_int_t)asked->kit->instance->seq, "apps", list, "after", next));
}

static bool call_of_apps(asked_t *asked)
{
    const weir_span_t name = weir_admin_segment(asked->call, 1);

    if (name.base == NULL)
        return has_method(asked, "GET") ? answer_apps(asked) : refuse_method(asked, "GET");
    asked->app = kit_app_find(asked->kit, name);
    if (asked->app != NULL)
        return call_of_app(asked);
    weir_admin_problem(asked->call, NOT_FOUND, "unknown-app", NULL, "there is no app %s", name.base);
    return true;
}

/* ---- the call ---- */

/* False: it was answered. */
static bool read_body(asked_t *asked)
{
    const weir_span_t body = weir_admin_body(asked->call);
    json_error_t error;

    if (body.len == 0)
        return true;
    asked->body = json_loadb(body.base, body.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(asked->body))
        return true;
    if (asked->body == NULL)
        weir_admin_problem(asked->call, MALFORMED, "malformed", NULL, "line %d, column %d: %s", error.line, error.column,
                           error.text);
    else
        weir_admin_problem(asked->call, MALFORMED, "malformed", NULL, "the body must be a JSON object");
    json_decref(asked->body);
    return false;
}

static bool answer(asked_t *asked)
{
    if (asked->kit->instance->started != asked->kit) {
        weir_admin_problem(asked->call, BUSY, "busy", NULL, "another configuration is about to be in force: ask again");
        return true;
    }
    return call_of_apps(asked);
}

bool weir_kit_admin(weir_kit_t *kit, weir_admin_call_t *call)
{
    asked_t asked = {.call = call, .kit = kit};

    if (!weir_span_is(weir_admin_segment(call, 0), "apps"))
        return false;
    if (!read_body(&asked))
        return true;
    pthread_mutex_lock(&kit->instance->lock);
    const bool has_answered = answer(&asked);
    pthread_mutex_unlock(&kit->instance->lock);
    json_decref(asked.body);
    return has_answered;
}
