/* SPDX-License-Identifier: MIT */
/*
 * The router of everyday use: a table of apps, each with its domains and backends. Picks at random; after a failed
 * connect the next one, each at most once per request.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "weir_request.h"

struct weir_state {
    const weir_shared_t *shared;
    const weir_group_t *app;
    size_t first; /* where in the ring of backends this request began */
    size_t tried;
    const weir_fault_t *last; /* why the last one could not be connected to */
};

static const weir_fault_t not_found = {"not_found", 404, WEIR_BLAME_CLIENT, "No app has this domain."};
static const weir_fault_t empty_host = {"empty_host", 400, WEIR_BLAME_CLIENT, "The request names no host."};
static const weir_fault_t no_backend = {"no_backend", 503, WEIR_BLAME_ROUTER, "No backend is left to try."};

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    state->shared = shared;
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    weir_group_t *app = domains_find(&state->shared->domains, domain);

    if (app == NULL)
        return weir_lookup_refuse(q, domain.len == 0 ? &empty_host : &not_found);
    if (app->redirect_to != NULL)
        return weir_lookup_redirect(q, (weir_span_t){app->redirect_to, strlen(app->redirect_to)});
    state->app = app;
    return weir_lookup_found(q, app);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *app, weir_q_checkout_t *q)
{
    if (state->tried == app->service_count)
        return weir_checkout_refuse(q, state->last != NULL ? state->last : &no_backend);
    if (state->tried == 0 && app->service_count > 1)
        state->first = (size_t)(weir_random(request) % app->service_count);
    return weir_checkout_pick(q, &app->services[(state->first + state->tried++) % app->service_count]);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    weir_backend_keepalive(q, service->app->keepalive);
    if (service->app->protocol == WEIR_FASTCGI)
        weir_backend_use_fastcgi(q, &service->app->fastcgi);
    else
        weir_backend_protocol(q, service->app->protocol);
    return place_answer(service->place, q);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    if (weir_checkin_phase(q) == WEIR_CONNECTING)
        state->last = weir_checkin_fault(q);
    return weir_checkin_done(q);
}

static weir_answer_t error_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    const table_page_t *page = state->app == NULL ? NULL : state->app->pages;

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
    const table_header_t *header = state->app == NULL ? NULL : state->app->headers[way];

    for (; header != NULL; header = header->next)
        weir_header_put(sink, (weir_span_t){header->name, strlen(header->name)},
                        (weir_span_t){header->value, strlen(header->value)});
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

void table_release(weir_shared_t *shared)
{
    weir_group_t *app = shared == NULL ? NULL : shared->apps;

    while (app != NULL) {
        weir_group_t *next = app->next;
        places_free(app->places, app->service_count);
        weir_backend_tls_release(app->tls);
        scripts_finish(&app->fastcgi);
        free_headers(app->headers[WEIR_TO_BACKEND]);
        free_headers(app->headers[WEIR_TO_CLIENT]);
        free_pages(app->pages);
        free(app->services);
        free(app->redirect_to);
        free(app->name);
        free(app);
        app = next;
    }
    if (shared != NULL)
        domains_finish(&shared->domains);
    free(shared);
}

extern const weir_router_t weir_builtin_table;
extern weir_router_configure_t *const weir_builtin_table_configure;
extern weir_router_release_t *const weir_builtin_table_release;

const weir_router_t weir_builtin_table = {
    WEIR_ROUTER("table"),
    .state_size = sizeof(weir_state_t),
    .init = init,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .checkin_service = checkin,
    .error_page = error_page,
    .feature = feature,
    .additional_headers = additional_headers,
    .describe_group = describe_app,
};
weir_router_configure_t *const weir_builtin_table_configure = table_configure;
weir_router_release_t *const weir_builtin_table_release = table_release;
