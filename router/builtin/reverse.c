/* SPDX-License-Identifier: MIT */
/*
 * The router behind h2o's proxy.reverse.url: everything below its path goes to one URL, the rest of the path behind the URL's
 * own.
 *
 *   /api:  { weir.router: { module: reverse, url: "http://127.0.0.1:8081/v1/" } }        /api/a?b is asked for as /v1/a?b
 */
#include "reverse.h"

#include <stdlib.h>
#include <string.h>

#include "weir_request.h"

enum { SCRATCH_BYTES = 1024, BEYOND_SCHEME = sizeof("://") - 1, STATUS_BAD_GATEWAY = 502, STATUS_UNAVAILABLE = 503 };

struct weir_state {
    weir_shared_t *shared;
    bool is_tried;
    const weir_fault_t *last; /* why it could not be connected to */
};

static const weir_fault_t no_backend = {"no_backend", 503, WEIR_BLAME_ROUTER, "No backend is left to try."};

/* Memory for a moment: the stack's, or of the heap for what is longer. */
typedef struct scratch {
    char *at;
    char bytes[SCRATCH_BYTES];
} scratch_t;

static char *scratch_take(scratch_t *scratch, size_t size)
{
    scratch->at = size <= sizeof(scratch->bytes) ? scratch->bytes : kit_alloc(size, 1);
    return scratch->at;
}

static void scratch_drop(scratch_t *scratch)
{
    if (scratch->at != scratch->bytes)
        free(scratch->at);
}

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    state->shared = shared;
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    if (state->is_tried)
        return weir_checkout_refuse(q, state->last != NULL ? state->last : &no_backend);
    state->is_tried = true;
    return weir_checkout_pick(q, &state->shared->service);
}

static void set_target(const weir_shared_t *shared, const weir_request_t *request, weir_q_backend_t *q)
{
    weir_span_t mount = weir_request_mount(request), below = weir_request_below(request), path = shared->url.path;
    scratch_t scratch;
    char *target;

    if (weir_request_target(request).base[0] != '/')
        return; /* OPTIONS * */
    target = scratch_take(&scratch, path.len + 1 + below.len);
    weir_backend_target(q, (weir_span_t){target, url_join(mount, path, below, target)});
    scratch_drop(&scratch);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    weir_backend_keepalive(q, state->shared->keepalive);
    if (state->shared->is_fastcgi)
        weir_backend_use_fastcgi(q, &state->shared->fastcgi);
    else
        set_target(state->shared, request, q);
    return place_answer(&service->place, q);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    if (weir_checkin_phase(q) == WEIR_CONNECTING)
        state->last = weir_checkin_fault(q);
    return weir_checkin_done(q);
}

/* ---- headers to the backend ---- */

static weir_span_t trim(weir_span_t text)
{
    while (text.len > 0 && (text.base[0] == ' ' || text.base[0] == '\t'))
        text = (weir_span_t){text.base + 1, text.len - 1};
    while (text.len > 0 && (text.base[text.len - 1] == ' ' || text.base[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool has_token(weir_span_t list, weir_span_t token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.base, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.base) : list.len;
        weir_span_t entry = trim((weir_span_t){list.base, len});

        if (entry.len == token.len && memcmp(entry.base, token.base, token.len) == 0)
            return true;
        len += comma != NULL;
        list = (weir_span_t){list.base + len, list.len - len};
    }
    return false;
}

static void append(const reverse_change_t *change, weir_span_t before, weir_header_sink_t *sink)
{
    scratch_t scratch;
    char *text = scratch_take(&scratch, before.len + 2 + change->value.len), *end;

    memcpy(text, before.base, before.len);
    end = text + before.len;
    if (before.len > 0) {
        *end++ = ',';
        *end++ = ' ';
    }
    memcpy(end, change->value.base, change->value.len);
    weir_header_put(sink, change->name, (weir_span_t){text, (size_t)(end - text) + change->value.len});
    scratch_drop(&scratch);
}

static void apply(const reverse_change_t *change, weir_header_sink_t *sink)
{
    weir_span_t before = weir_header_get(sink, change->name);

    switch (change->verb) {
    case REVERSE_MERGE:
        if (before.base != NULL && has_token(before, change->value))
            return;
        __attribute__((fallthrough));
    case REVERSE_APPEND:
        if (before.base != NULL) {
            append(change, before, sink);
            return;
        }
        __attribute__((fallthrough));
    case REVERSE_ADD:
        weir_header_add(sink, change->name, change->value);
        return;
    case REVERSE_SETIFEMPTY:
        if (before.base != NULL)
            return;
        __attribute__((fallthrough));
    case REVERSE_SET:
        weir_header_put(sink, change->name, change->value);
        return;
    case REVERSE_UNSET:
        weir_header_unset(sink, change->name);
        return;
    }
}

static void set_request_headers(const weir_shared_t *shared, const weir_request_t *request, weir_header_sink_t *sink)
{
    weir_header_put(sink, WEIR_SPAN("Host"), shared->preserves_host ? weir_request_authority(request) : shared->host);
    for (const reverse_change_t *change = shared->changes; change != NULL; change = change->next)
        apply(change, sink);
}

/* ---- Location to the client ---- */

static char *copy(char *at, weir_span_t text)
{
    return (char *)memcpy(at, text.base, text.len) + text.len;
}

/* Where the backend sends somebody to itself, the client is sent to us. */
static void rewrite_location(const weir_shared_t *shared, const weir_request_t *request, weir_header_sink_t *sink)
{
    weir_span_t location = weir_header_get(sink, WEIR_SPAN("Location")), prefix = shared->url.path, rest;
    weir_span_t scheme = weir_request_scheme(request), authority = weir_request_authority(request);
    weir_span_t mount = weir_request_mount(request);
    scratch_t scratch;
    url_t url;
    char *text, *end;

    if (location.base == NULL || !url_read(location, &url) || !url_is_same_place(&url, &shared->url) ||
        !url_is_below(url.path, prefix))
        return;
    rest = (weir_span_t){url.path.base + prefix.len, url.path.len - prefix.len};
    text = scratch_take(&scratch, scheme.len + BEYOND_SCHEME + authority.len + mount.len + 1 + rest.len);
    end = text;
    if (authority.len > 0) /* else the client has named nobody to be sent to: the path alone will do */
        end = copy(copy(copy(text, scheme), WEIR_SPAN("://")), authority);
    end += url_join(prefix, mount, rest, end);
    weir_header_put(sink, WEIR_SPAN("Location"), (weir_span_t){text, (size_t)(end - text)});
    scratch_drop(&scratch);
}

static void additional_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    if (state->shared->is_fastcgi)
        return; /* an application is told Host and path as they came, and means what it says */
    if (way == WEIR_TO_BACKEND)
        set_request_headers(state->shared, request, sink);
    else
        rewrite_location(state->shared, request, sink);
}

/* As h2o has it, so that an error-doc for 502, or for 503 with FastCGI, goes on meaning what it did. */
static weir_answer_t error_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    if (fault->blame == WEIR_BLAME_BACKEND)
        weir_page_status(q, state->shared->is_fastcgi ? STATUS_UNAVAILABLE : STATUS_BAD_GATEWAY);
    return weir_page_send(q);
}

void reverse_release(weir_shared_t *shared)
{
    reverse_change_t *change = shared != NULL ? shared->changes : NULL;

    while (change != NULL) {
        reverse_change_t *next = change->next;
        free((char *)change->name.base);
        free(change);
        change = next;
    }
    if (shared != NULL) {
        free(shared->service.place.host);
        weir_backend_tls_release(shared->tls);
        scripts_finish(&shared->fastcgi);
        free(shared->text);
    }
    free(shared);
}

extern const weir_router_t weir_builtin_reverse;
extern weir_router_configure_t *const weir_builtin_reverse_configure;
extern weir_router_release_t *const weir_builtin_reverse_release;

const weir_router_t weir_builtin_reverse = {
    WEIR_ROUTER("reverse"),       .state_size = sizeof(weir_state_t), .init = init,
    .lookup_domain_name = lookup, .checkout_service = checkout,       .service_backend = backend,
    .checkin_service = checkin,   .error_page = error_page,           .additional_headers = additional_headers,
};
weir_router_configure_t *const weir_builtin_reverse_configure = reverse_configure;
weir_router_release_t *const weir_builtin_reverse_release = reverse_release;
