/* SPDX-License-Identifier: MIT */
/* The router of everyday use: a table of apps, each with its domains and backends. What is chosen, and how, is the kit's. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weir_state {
    const weir_group_t *app;
    weir_set_t *set;
    weir_lease_t lease;
};

static const weir_fault_t not_found = {"not_found", 404, WEIR_BLAME_CLIENT, "No app has this domain."};
static const weir_fault_t empty_host = {"empty_host", 400, WEIR_BLAME_CLIENT, "The request names no host."};

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    const weir_kit_t *kit = weir_request_shared(request)->kit;
    void *extra;
    weir_set_t *set = weir_kit_find(kit, domain, weir_request_path(request), &extra);
    weir_group_t *app = extra;

    if (set == NULL)
        return weir_lookup_refuse(q, domain.len == 0 ? &empty_host : &not_found);
    const char *target = table_more(app)->redirect_to;
    if (target != NULL)
        return weir_lookup_redirect(q, (weir_span_t){target, strlen(target)});
    state->app = app;
    state->set = set;
    weir_lease_found(&state->lease, kit, request);
    return weir_lookup_found(q, app);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *app, weir_q_checkout_t *q)
{
    return weir_lease_checkout(&state->lease, state->set, request, q);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_lease_backend(&state->lease, request, q);
}

static void answered(weir_state_t *state, const weir_request_t *request, weir_service_t *service, const weir_attempt_t *attempt)
{
    weir_lease_answered(&state->lease, request, attempt);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    return weir_lease_checkin(&state->lease, request, q);
}

static bool retry(weir_state_t *state, const weir_request_t *request, weir_service_t *service, const weir_fault_t *fault,
                  const weir_attempt_t *attempt)
{
    return weir_lease_retry(&state->lease, request, fault, attempt);
}

static void abandoned(weir_state_t *state, const weir_request_t *request, weir_gone_t why)
{
    weir_lease_abandoned(&state->lease, request);
}

static void log_fields(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    if (state->app != NULL)
        weir_log_field(sink, WEIR_SPAN("app"), (weir_span_t){state->app->name, strlen(state->app->name)});
    weir_lease_log(&state->lease, sink);
}

static void terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    weir_lease_end(&state->lease);
}

static weir_answer_t error_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    const table_page_t *page = state->app == NULL ? NULL : table_more(state->app)->pages;

    weir_lease_page(&state->lease, request, fault, q);
    while (page != NULL && strcmp(page->reason, fault->name) != 0)
        page = page->next;
    if (page == NULL)
        return weir_page_send(q);
    weir_page_status(q, page->status);
    if (page->body != NULL) {
        weir_page_header(q, WEIR_SPAN("Content-Type"), (weir_span_t){page->type, strlen(page->type)});
        weir_page_body(q, (weir_span_t){page->body, page->body_bytes});
    }
    return weir_page_send(q);
}

static bool feature(weir_state_t *state, const weir_request_t *request, weir_feature_t which)
{
    if (state->app == NULL)
        return false;
    return (which == WEIR_DEEP_CONTINUE && state->app->has_deep_continue) ||
           (which == WEIR_PEER_PORT && state->app->has_peer_port);
}

static void additional_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    const table_header_t *header = state->app == NULL ? NULL : table_more(state->app)->headers[way];

    for (; header != NULL; header = header->next)
        weir_header_put(sink, (weir_span_t){header->name, strlen(header->name)},
                        (weir_span_t){header->value, strlen(header->value)});
    weir_lease_headers(&state->lease, request, way, sink);
}

static void describe_app(weir_shared_t *shared, const weir_group_t *app, weir_description_t *description)
{
    weir_describe(description, WEIR_SPAN("name"), (weir_span_t){app->name, strlen(app->name)});
}

static void free_headers(table_header_t *header)
{
    while (header != NULL) {
        table_header_t *next = header->next;
        free(header->name);
        free(header->value);
        free(header);
        header = next;
    }
}

static void free_pages(table_page_t *page)
{
    while (page != NULL) {
        table_page_t *next = page->next;
        free(page->reason);
        free(page->body);
        free(page);
        page = next;
    }
}

const table_more_t *table_more(const weir_group_t *app)
{
    static const table_more_t nothing = {0};

    return app->more == NULL ? &nothing : app->more;
}

void table_free_app(void *of)
{
    weir_group_t *app = of;

    if (app->more != NULL) {
        free_headers(app->more->headers[WEIR_TO_BACKEND]);
        free_headers(app->more->headers[WEIR_TO_CLIENT]);
        free_pages(app->more->pages);
        free(app->more->redirect_to);
    }
    free(app->more);
    free(app);
}

static bool start(weir_shared_t *shared, weir_instance_t *instance)
{
    weir_kit_start(shared->kit, instance);
    return true;
}

static void stop(weir_shared_t *shared)
{
    weir_kit_stop(shared->kit);
}

void table_release(weir_shared_t *shared)
{
    if (shared == NULL)
        return;
    weir_kit_close(&shared->kit);
    free(shared);
}

static void show(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *sink)
{
    weir_kit_show(shared->kit, config, sink);
}

static bool admin(weir_shared_t *shared, weir_admin_call_t *call)
{
    return weir_kit_admin(shared->kit, call);
}

static void metrics(const weir_shared_t *shared, weir_metric_sink_t *sink)
{
    weir_kit_metrics(shared->kit, sink);
}

/* Whoever configures names the target of a redirect: what JSON does not take as it is becomes an escape. */
static void explain_redirect(const weir_group_t *app, weir_explain_t *explain)
{
    const char *target = table_more(app)->redirect_to;
    const size_t bytes = 6 * (strlen(target) + strlen(app->name)) + 128;
    char *json = malloc(bytes), *at = json;
    const char *const pieces[] = {"{\"lookup\":{\"app\":\"", app->name, "\"},\"outcome\":{\"what\":\"redirect\",\"to\":\"",
                                  target, "\"}}"};

    if (json == NULL)
        abort();
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        for (const char *c = pieces[i]; *c != '\0'; c++) {
            const bool is_plain = i % 2 == 0 || ((unsigned char)*c >= ' ' && *c != '"' && *c != '\\');
            at += is_plain ? (*at = *c, 1) : snprintf(at, 7, "\\u%04x", (unsigned char)*c);
        }
    }
    weir_explain_answer(explain, json, (size_t)(at - json));
    free(json);
}

static uint16_t worker(weir_shared_t *shared, const weir_worker_claim_t *claim, char *why, size_t why_bytes)
{
    return weir_kit_worker(shared->kit, claim, why, why_bytes);
}

static void workers(weir_shared_t *shared, weir_span_t app)
{
    weir_kit_workers(shared->kit, app);
}

static bool state(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t why_bytes)
{
    return weir_kit_state(shared->kit, app, why, why_bytes);
}

static void explain(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *sink)
{
    void *extra = NULL;

    (void)weir_kit_find(shared->kit, weir_request_host(request), weir_request_path(request), &extra);
    if (extra != NULL && table_more(extra)->redirect_to != NULL)
        explain_redirect(extra, sink);
    else
        weir_kit_explain(shared->kit, request, sink);
}

extern const weir_router_t weir_builtin_table;
extern weir_router_configure_t *const weir_builtin_table_configure;
extern weir_router_show_t *const weir_builtin_table_show;
extern weir_router_admin_t *const weir_builtin_table_admin;
extern weir_router_metrics_t *const weir_builtin_table_metrics;
extern weir_router_explain_t *const weir_builtin_table_explain;
extern weir_router_worker_t *const weir_builtin_table_worker;
extern weir_router_workers_t *const weir_builtin_table_workers;
extern weir_router_state_t *const weir_builtin_table_state;
extern weir_router_start_t *const weir_builtin_table_start;
extern weir_router_stop_t *const weir_builtin_table_stop;
extern weir_router_release_t *const weir_builtin_table_release;

const weir_router_t weir_builtin_table = {
    WEIR_ROUTER("table"),
    .state_size = sizeof(weir_state_t),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .answered = answered,
    .checkin_service = checkin,
    .abandoned = abandoned,
    .retry_request = retry,
    .error_page = error_page,
    .feature = feature,
    .additional_headers = additional_headers,
    .log = log_fields,
    .terminate = terminate,
    .describe_group = describe_app,
    .needs_no_response = true,
};
weir_router_configure_t *const weir_builtin_table_configure = table_configure;
weir_router_show_t *const weir_builtin_table_show = show;
weir_router_admin_t *const weir_builtin_table_admin = admin;
weir_router_metrics_t *const weir_builtin_table_metrics = metrics;
weir_router_explain_t *const weir_builtin_table_explain = explain;
weir_router_worker_t *const weir_builtin_table_worker = worker;
weir_router_workers_t *const weir_builtin_table_workers = workers;
weir_router_state_t *const weir_builtin_table_state = state;
weir_router_start_t *const weir_builtin_table_start = start;
weir_router_stop_t *const weir_builtin_table_stop = stop;
weir_router_release_t *const weir_builtin_table_release = table_release;
