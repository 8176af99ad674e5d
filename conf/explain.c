/* SPDX-License-Identifier: MIT */
#include "conf/explain.h"

#include <pthread.h>
#include <string.h>

#include "handlers/backend_head.h"
#include "lib/base/span.h"
#include "lib/walk/steward.h"
#include "router/explain.h"

enum { OK = 200, MALFORMED = 400, INVALID = 422, BUSY = 503 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const conf_t *in_use;

void conf_explain_use(const conf_t *conf)
{
    pthread_mutex_lock(&lock);
    in_use = conf;
    pthread_mutex_unlock(&lock);
}

void conf_explain_give_up(const conf_t *conf)
{
    pthread_mutex_lock(&lock);
    if (in_use == conf)
        in_use = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- what each part says ---- */

static json_t *place_of(const conf_path_t *path, const char *host)
{
    static const conf_directive_t who[] = {CONF_router, CONF_proxy_reverse_url, CONF_fastcgi_connect};
    const char *at = NULL;

    for (size_t i = 0; path != NULL && at == NULL && i < sizeof(who) / sizeof(who[0]); i++)
        at = path->level->values[who[i]].where;
    const size_t before = path == NULL                                  ? 0
                          : path->plan != NULL && path->reverse != NULL ? path->level->router_at
                                                                        : path->handlers;
    return json_pack("{s:s?, s:s?, s:s?, s:I, s:I}", "host", host, "path", path == NULL ? NULL : path->path, "at", at,
                     "handlers_before", (json_int_t)before, "stages", (json_int_t)(path == NULL ? 0 : path->extra_stages));
}

static json_t *router_of(const conf_path_t *path)
{
    const weir_instance_t *instance = weir_module_instance(path->module);

    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", weir_module_name(path->module), "router",
                     weir_module_router(path->module)->name, "module", weir_module_origin(path->module), "at",
                     weir_instance_where(instance), "generation", (json_int_t)weir_instance_generation(instance));
}

static bool is_field(weir_span_t line, weir_span_t name)
{
    return name.len > 0 && line.len > name.len && line.base[name.len] == ':' &&
           weir_equal_nocase((weir_span_t){line.base, name.len}, name);
}

/* Nobody knows before a backend is connected to. */
static bool is_of_the_moment(const weir_exchange_t *x, weir_span_t line)
{
    const weir_plan_t *plan = x->plan;

    return is_field(line, plan->connect_time_header) || is_field(line, plan->route_time_header) ||
           is_field(line, plan->start_time_header) || (!x->is_upgrading && is_field(line, WEIR_SPAN("connection")));
}

/* The head as stage 70 makes it, without what the router adds: that is asked when there is a backend. */
static json_t *head_of(weir_exchange_t *x)
{
    static const weir_router_t nobody = {.size = sizeof(nobody), .name = "nobody"};
    static const weir_binding_t binding = {.router = &nobody, .is_built_in = true};
    const weir_binding_t *own = x->binding;
    weir_backend_head_t head;
    json_t *list = json_array();

    x->binding = &binding;
    x->is_upgrading = x->wants_upgrade;
    const bool is_made = x->target.protocol == WEIR_HTTP1 && weir_backend_head(x, &x->arena, &head) == NULL;
    x->binding = own;
    for (size_t i = 0; is_made && i < head.text.len;) {
        const char *start = head.text.base + i, *end = memchr(start, '\r', head.text.len - i);
        const weir_span_t line = {start, end == NULL ? head.text.len - i : (size_t)(end - start)};
        if (line.len > 0 && !is_of_the_moment(x, line))
            json_array_append_new(list, json_stringn(line.base, line.len));
        i += line.len + 2;
    }
    return list;
}

static json_t *headers_of(weir_exchange_t *x, const json_t *affinity)
{
    const json_t *cookie = json_object_get(affinity, "set_cookie");
    json_t *to_client = json_array();

    if (json_is_string(cookie))
        json_array_append_new(to_client, json_sprintf("Set-Cookie: %s", json_string_value(cookie)));
    return json_pack("{s:o, s:o}", "to_client", to_client, "to_backend", head_of(x));
}

static void say_unknown(json_t *document, const char *reason)
{
    json_object_set_new(document, "unknown", json_string(reason));
}

/* What the router says stands beside what we do, which it cannot change. */
static void ask_router(json_t *document, const conf_path_t *path, const weir_exchange_t *x)
{
    weir_explain_t explain = {0};
    const bool has_answered = weir_module_explain(path->module, &x->request, &explain);
    json_t *answer = explain.json == NULL ? NULL : json_loadb(explain.json, explain.bytes, 0, NULL);

    if (!has_answered)
        say_unknown(document, "the router has no weir_router_explain(): what it answers is known when it is asked");
    else if (explain.unknown[0] != '\0')
        say_unknown(document, explain.unknown);
    else if (!json_is_object(answer))
        say_unknown(document, "the router's explanation is no JSON object");
    else
        json_object_update_missing(document, answer);
    json_decref(answer);
    weir_explain_end(&explain);
}

static bool may_reach_backend(const json_t *document)
{
    const char *what = json_string_value(json_object_get(json_object_get(document, "outcome"), "what"));

    return what == NULL || (strcmp(what, "refuse") != 0 && strcmp(what, "redirect") != 0);
}

static json_t *explain(const conf_explain_question_t *question)
{
    const weir_explained_t *request = &question->request;
    const char *host;
    const conf_path_t *path = conf_explain_place(in_use, request, &host);
    json_t *document = json_pack("{s:{s:s%, s:s, s:s%, s:I}, s:o}", "request", "method", request->method.base,
                                 request->method.len, "url", question->url, "from", request->peer_ip.base, request->peer_ip.len,
                                 "seed", (json_int_t)request->seed, "path", place_of(path, host));

    if (path == NULL || path->plan == NULL) {
        json_object_set_new(document, "router", json_null());
        say_unknown(document, path == NULL ? "no path of the configuration is for this URL: 404"
                                           : "no router stands at this path: libh2o's handlers answer");
        return document;
    }
    json_object_set_new(document, "router", router_of(path));
    weir_exchange_t *x = weir_explained_create(path->plan, weir_steward(), request);
    ask_router(document, path, x);
    if (may_reach_backend(document))
        json_object_set_new(document, "headers", headers_of(x, json_object_get(document, "affinity")));
    weir_explained_free(x);
    return document;
}

/* ---- the call ---- */

static bool wants_text(const weir_admin_call_t *call)
{
    const weir_span_t accept = weir_admin_field(call, "accept");

    return weir_span_is(weir_admin_parameter(call, "text"), "1") || weir_span_starts_with(accept, WEIR_SPAN("text/plain"));
}

void conf_explain_send(weir_admin_call_t *call, json_t *document, char *(*text_of)(const json_t *))
{
    char *text = wants_text(call) ? text_of(document) : json_dumps(document, JSON_COMPACT);

    weir_admin_answer_as(call, OK, wants_text(call) ? "text/plain; charset=utf-8" : "application/json", text,
                         text == NULL ? 0 : strlen(text));
    free(text);
    json_decref(document);
}

static void answer_question(weir_admin_call_t *call, const conf_explain_question_t *question)
{
    json_t *document = NULL;

    pthread_mutex_lock(&lock);
    if (in_use != NULL)
        document = explain(question);
    pthread_mutex_unlock(&lock);
    if (document == NULL)
        weir_admin_problem(call, BUSY, "busy", NULL, "no configuration is in use");
    else
        conf_explain_send(call, document, conf_explain_text);
}

void conf_explain_answer(weir_admin_call_t *call)
{
    const weir_span_t bytes = weir_admin_body(call);
    conf_explain_question_t question = {0};
    const char *pointer, *problem;
    json_error_t error;
    weir_arena_t arena;
    json_t *body = json_loadb(bytes.base, bytes.len, JSON_REJECT_DUPLICATES, &error);

    weir_arena_init(&arena);
    if (body == NULL)
        weir_admin_problem(call, MALFORMED, "malformed", NULL, "line %d, column %d: %s", error.line, error.column, error.text);
    else if (!conf_explain_read(body, &arena, &question, &pointer, &problem))
        weir_admin_problem(call, INVALID, "invalid-value", pointer, "%s", problem);
    else
        answer_question(call, &question);
    json_decref(body);
    weir_arena_finish(&arena);
}
