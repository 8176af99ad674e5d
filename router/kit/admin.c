/* SPDX-License-Identifier: MIT */
/* What operators ask of the apps of a kit, and have it do: /v1/routers/NAME/apps…; admin_more.c has the rest. */
#include <stdio.h>

#include "alloc.h"
#include "asleep.h"
#include "asked.h"
#include "document.h"
#include "later.h"
#include "top.h"
#include "wall.h"
#include "weir_kit.h"
#include "weir_span.h"

enum {
    CONFLICT = 409,
    BUSY = 503,
    LISTED = 100,
    LISTED_MOST = 10000,
    PAUSE_MOST_MS = 86400000,
    PAUSE_MS = 30000,
    QUARANTINE_MS = 60000,
};

/* ---- backends ---- */

static json_t *member_of(const kit_asked_t *asked)
{
    const kit_app_t *app = kit_app_awake(asked->kit, (weir_span_t){asked->app, strlen(asked->app)});

    return kit_overlay_member(app, kit_overlay_find(asked->kit->instance, asked->app), asked->id);
}

static bool has_member(const kit_asked_t *asked)
{
    json_t *document = member_of(asked);

    json_decref(document);
    return document != NULL;
}

/* One step of one backend, and what it is then. */
static bool change_member(kit_asked_t *asked, const json_t *document, bool is_whole)
{
    const bool was_there = has_member(asked);
    kit_change_t *change = kit_asked_begin(asked);
    const bool is_fine =
        kit_asked_may(asked, was_there) && kit_change_member(change, asked->app, asked->id, document, is_whole);

    return !kit_asked_end(asked, is_fine) || kit_asked_answer_member(asked, was_there ? KIT_OK : KIT_CREATED);
}

/* The id is the address if none is given. */
static bool add_member(kit_asked_t *asked)
{
    const char *id, *at;

    if (!kit_asked_has_object(asked))
        return true;
    id = json_string_value(json_object_get(asked->body, "id"));
    at = json_string_value(json_object_get(asked->body, "at"));
    asked->id = id != NULL ? id : at;
    if (asked->id == NULL) {
        weir_admin_problem(asked->call, KIT_INVALID, "invalid-value", "/at", "a backend needs `at`, its address");
        return true;
    }
    if (!has_member(asked))
        return change_member(asked, asked->body, true);
    weir_admin_problem(asked->call, CONFLICT, "backend-exists", "/id", "the app %s has a backend %s", asked->app, asked->id);
    return true;
}

/* What is done with a backend: a state, and, if that is to end, another one then. */
typedef struct verb_of {
    const char *verb, *state, *then;
    uint32_t usual_ms; /* 0: it does not end */
} verb_of_t;

static uint32_t milliseconds_of(const kit_asked_t *asked, const char *key, uint32_t otherwise)
{
    const json_t *value = json_object_get(asked->body, key);
    const json_int_t ms = json_is_integer(value) ? json_integer_value(value) : (json_int_t)otherwise;

    return ms < 0 ? 0 : ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : (uint32_t)ms;
}

static bool set_state(kit_asked_t *asked, json_t *document)
{
    const bool has_answered =
        has_member(asked) ? change_member(asked, document, false) : kit_asked_answer_member(asked, KIT_OK);

    json_decref(document);
    return has_answered;
}

/* `max_ms` of the body: for so long. `ramp_ms` of a drain: who is pinned leaves by and by. */
static json_t *state_of(const kit_asked_t *asked, const verb_of_t *verb)
{
    const uint32_t ramp_ms = strcmp(verb->verb, "drain") == 0 ? milliseconds_of(asked, "ramp_ms", 0) : 0;
    const uint32_t max_ms = milliseconds_of(asked, "max_ms", ramp_ms != 0 ? ramp_ms : verb->usual_ms);

    return max_ms == 0 || verb->then == NULL ? json_pack("{s:s}", "state", verb->state)
                                             : kit_later_ramped(verb->state, max_ms, ramp_ms, verb->then);
}

/* `cut`: what its requests have as their service, from which it is taken away then; NULL: nothing. */
static bool end_member(kit_asked_t *asked, bool (*step)(kit_change_t *change, const char *app, const char *id),
                       const weir_service_t *cut)
{
    kit_change_t *change = kit_asked_begin(asked);
    const bool is_fine = kit_asked_may(asked, has_member(asked)) && step(change, asked->app, asked->id);

    if (!kit_asked_end(asked, is_fine))
        return true;
    if (cut != NULL)
        weir_service_cut(cut);
    return kit_asked_answer_change(asked, KIT_NO_CONTENT, NULL);
}

static bool call_of_verb(kit_asked_t *asked, weir_span_t verb)
{
    static const verb_of_t verbs[] = {{"drain", "draining", "off", 0},
                                      {"off", "off", "up", 0},
                                      {"quarantine", "off", "up", QUARANTINE_MS},
                                      {"up", "up", NULL, 0}};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!weir_span_is(verb, verbs[i].verb))
            continue;
        if (kit_asked_has_method(asked, "DELETE") && weir_span_is(verb, "quarantine"))
            return set_state(asked, json_pack("{s:s}", "state", "up"));
        return kit_asked_has_method(asked, "POST") ? set_state(asked, state_of(asked, &verbs[i]))
                                                   : kit_asked_refuse_method(asked, "POST");
    }
    if (!weir_span_is(verb, "revert"))
        return false;
    return kit_asked_has_method(asked, "POST") ? end_member(asked, kit_change_member_revert, NULL)
                                               : kit_asked_refuse_method(asked, "POST");
}

/* With `drain_ms`: takes nobody new from now on, and is removed then. `cut`: with the requests that it has then. */
static bool remove_member(kit_asked_t *asked)
{
    const weir_span_t said = weir_admin_parameter(asked->call, "drain_ms");
    const weir_span_t cut = weir_admin_parameter(asked->call, "cut");
    const bool cuts = weir_span_is(cut, "true");
    uint64_t drain_ms = 0;

    if (cut.base != NULL && !cuts && !weir_span_is(cut, "false")) {
        weir_admin_problem(asked->call, KIT_INVALID, "invalid-value", NULL, "cut is true or false");
        return true;
    }
    if (said.base != NULL && (!weir_span_to_number(said, &drain_ms) || drain_ms > PAUSE_MOST_MS)) {
        weir_admin_problem(asked->call, KIT_INVALID, "invalid-value", NULL, "drain_ms is at most %d", PAUSE_MOST_MS);
        return true;
    }
    if (drain_ms > 0)
        return set_state(asked, kit_later_patch("draining", (uint32_t)drain_ms, cuts ? "cut" : "remove"));
    return end_member(asked, kit_change_member_remove, cuts ? kit_service_of(asked->kit, asked->app, asked->id) : NULL);
}

static bool call_of_member(kit_asked_t *asked)
{
    const weir_span_t verb = weir_admin_segment(asked->call, 4);
    const bool is_put = kit_asked_has_method(asked, "PUT");

    if (verb.base != NULL)
        return call_of_verb(asked, verb);
    if (kit_asked_has_method(asked, "GET"))
        return kit_asked_answer_member(asked, KIT_OK);
    if (kit_asked_has_method(asked, "DELETE"))
        return remove_member(asked);
    if (!is_put && !kit_asked_has_method(asked, "PATCH"))
        return kit_asked_refuse_method(asked, "GET, PUT, PATCH, DELETE");
    if (!is_put && !has_member(asked))
        return kit_asked_answer_member(asked, KIT_OK); /* which says that there is none */
    return !kit_asked_has_object(asked) || change_member(asked, asked->body, is_put);
}

static bool call_of_members(kit_asked_t *asked)
{
    const kit_app_t *app = kit_app_awake(asked->kit, (weir_span_t){asked->app, strlen(asked->app)});

    asked->id = weir_admin_segment(asked->call, 3).base;
    if (asked->id != NULL)
        return call_of_member(asked);
    if (kit_asked_has_method(asked, "GET"))
        return kit_asked_answer(asked, KIT_OK, json_pack("{s:o}", "backends", kit_document_of_members(asked->kit, app)));
    return kit_asked_has_method(asked, "POST") ? add_member(asked) : kit_asked_refuse_method(asked, "GET, POST");
}

/* ---- apps ---- */

/* On the wall's clock, for it holds over a restart. */
static json_t *course_of(weir_span_t verb, uint32_t max_ms)
{
    const uint64_t until_ms = kit_wall_ms() + max_ms;

    if (weir_span_is(verb, "stop"))
        return json_string("stopped");
    if (weir_span_is(verb, "resume"))
        return NULL;
    return json_pack("{s:I}", "paused_until_ms", (json_int_t)until_ms);
}

/* What is said of a set takes the lock itself. */
static void steer(const kit_asked_t *asked, weir_span_t verb, uint32_t max_ms)
{
    kit_instance_t *instance = asked->kit->instance;
    weir_set_t *set = kit_app_awake(asked->kit, (weir_span_t){asked->app, strlen(asked->app)})->set;
    const uint32_t spread_ms = milliseconds_of(asked, "spread_ms", 0);

    pthread_mutex_unlock(&instance->lock);
    if (weir_span_is(verb, "pause"))
        weir_set_pause(set, max_ms);
    else if (weir_span_is(verb, "stop"))
        weir_set_stop(set);
    else
        weir_set_resume(set, spread_ms);
    pthread_mutex_lock(&instance->lock);
}

static bool call_of_course(kit_asked_t *asked, weir_span_t verb)
{
    const uint32_t asked_ms = milliseconds_of(asked, "max_ms", PAUSE_MS), max_ms = asked_ms == 0 ? 1 : asked_ms;
    kit_change_t *change;

    if (!kit_asked_has_method(asked, "POST"))
        return kit_asked_refuse_method(asked, "POST");
    change = kit_asked_begin(asked);
    const bool is_fine =
        kit_asked_may(asked, true) && kit_change_course(change, asked->app, verb.base, course_of(verb, max_ms));
    if (!kit_asked_end(asked, is_fine))
        return true;
    steer(asked, verb, max_ms);
    return kit_asked_answer_app(asked, KIT_OK);
}

static bool change_app(kit_asked_t *asked, bool was_there, bool (*step)(kit_change_t *, const char *, const json_t *))
{
    kit_change_t *change;

    if (!kit_asked_has_object(asked))
        return true;
    change = kit_asked_begin(asked);
    const bool is_fine = kit_asked_may(asked, was_there) && step(change, asked->app, asked->body);
    return !kit_asked_end(asked, is_fine) || kit_asked_answer_app(asked, was_there ? KIT_OK : KIT_CREATED);
}

static bool end_app(kit_asked_t *asked, bool (*step)(kit_change_t *change, const char *app))
{
    kit_change_t *change = kit_asked_begin(asked);
    const bool is_fine = kit_asked_may(asked, true) && step(change, asked->app);

    return !kit_asked_end(asked, is_fine) || kit_asked_answer_change(asked, KIT_NO_CONTENT, NULL);
}

static bool call_of_app(kit_asked_t *asked)
{
    const weir_span_t verb = weir_admin_segment(asked->call, 2);

    if (weir_span_is(verb, "backends"))
        return call_of_members(asked);
    if (weir_span_is(verb, "pause") || weir_span_is(verb, "resume") || weir_span_is(verb, "stop"))
        return call_of_course(asked, verb);
    if (weir_span_is(verb, "revert"))
        return kit_asked_has_method(asked, "POST") ? end_app(asked, kit_change_app_revert)
                                                   : kit_asked_refuse_method(asked, "POST");
    if (verb.base != NULL)
        return false;
    if (kit_asked_has_method(asked, "GET"))
        return kit_asked_answer_app(asked, KIT_OK);
    if (kit_asked_has_method(asked, "PATCH"))
        return change_app(asked, true, kit_change_settings);
    if (kit_asked_has_method(asked, "PUT"))
        return change_app(asked, true, kit_change_app_put);
    return kit_asked_has_method(asked, "DELETE") ? end_app(asked, kit_change_app_remove)
                                                 : kit_asked_refuse_method(asked, "GET, PUT, PATCH, DELETE");
}

static bool answer_apps(const kit_asked_t *asked)
{
    uint64_t limit = LISTED;
    json_t *next, *list;

    (void)weir_span_to_number(weir_admin_parameter(asked->call, "limit"), &limit);
    limit = limit == 0 ? 1 : limit > LISTED_MOST ? LISTED_MOST : limit;
    const kit_page_t page = {weir_admin_parameter(asked->call, "prefix"), weir_admin_parameter(asked->call, "after"), limit};
    list = kit_document_of_apps(asked->kit, &page, &next);
    return kit_asked_answer(
        asked, KIT_OK, json_pack("{s:I, s:o, s:o}", "seq", (json_int_t)asked->kit->instance->seq, "apps", list, "after", next));
}

static bool has_app(const kit_asked_t *asked)
{
    const kit_app_t *app = kit_app_awake(asked->kit, (weir_span_t){asked->app, strlen(asked->app)});

    return app != NULL && !atomic_load(&app->is_gone);
}

static bool call_of_apps(kit_asked_t *asked)
{
    const weir_span_t verb = weir_admin_segment(asked->call, 2);

    asked->app = weir_admin_segment(asked->call, 1).base;
    if (asked->app == NULL)
        return kit_asked_has_method(asked, "GET") ? answer_apps(asked) : kit_asked_refuse_method(asked, "GET");
    if (has_app(asked))
        return call_of_app(asked);
    if (verb.base == NULL && kit_asked_has_method(asked, "PUT"))
        return change_app(asked, false, kit_change_app_put);
    if (weir_span_is(verb, "revert") && kit_asked_has_method(asked, "POST"))
        return call_of_app(asked);
    weir_admin_problem(asked->call, KIT_NOT_FOUND, "unknown-app", NULL, "there is no app %s", asked->app);
    return true;
}

/* ---- the call ---- */

/* False: it was answered. */
static bool read_body(kit_asked_t *asked)
{
    const weir_span_t body = weir_admin_body(asked->call);
    json_error_t error;

    if (body.len == 0)
        return true;
    asked->body = json_loadb(body.base, body.len, JSON_REJECT_DUPLICATES, &error);
    if (asked->body == NULL)
        weir_admin_problem(asked->call, KIT_MALFORMED, "malformed", NULL, "line %d, column %d: %s", error.line, error.column,
                           error.text);
    return asked->body != NULL;
}

static bool answer_top(kit_asked_t *asked)
{
    kit_top_order_t order;
    uint64_t limit = LISTED;

    (void)weir_span_to_number(weir_admin_parameter(asked->call, "limit"), &limit);
    if (!kit_top_order_read(weir_admin_parameter(asked->call, "sort"), &order)) {
        weir_admin_problem(asked->call, KIT_MALFORMED, "invalid-value", NULL,
                           "sort: must be requests, errors, queue, or latency");
        return true;
    }
    if (!kit_asked_has_method(asked, "GET"))
        return kit_asked_refuse_method(asked, "GET");
    return kit_asked_answer(asked, KIT_OK,
                            kit_top_document(asked->kit, order, limit < LISTED_MOST ? (size_t)limit : LISTED_MOST));
}

static bool answer(kit_asked_t *asked)
{
    static const struct {
        const char *name;
        bool (*answer)(kit_asked_t *asked);
    } parts[] = {{"apps", call_of_apps},     {"domains", kit_asked_domains}, {"changes", kit_asked_changes},
                 {"watch", kit_asked_watch}, {"state", kit_asked_state},     {"top", answer_top}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!weir_span_is(weir_admin_segment(asked->call, 0), parts[i].name))
            continue;
        if (asked->kit->instance->started == asked->kit)
            return parts[i].answer(asked);
        weir_admin_problem(asked->call, BUSY, "busy", NULL, "another configuration is about to be in force: ask again");
        return true;
    }
    return false;
}

bool weir_kit_admin(weir_kit_t *kit, weir_admin_call_t *call)
{
    kit_asked_t asked = {.call = call, .kit = kit};

    if (!read_body(&asked))
        return true;
    pthread_mutex_lock(&kit->instance->lock);
    const bool has_answered = answer(&asked);
    pthread_mutex_unlock(&kit->instance->lock);
    json_decref(asked.body);
    return has_answered;
}
