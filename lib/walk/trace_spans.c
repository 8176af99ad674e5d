/* SPDX-License-Identifier: MIT */
/*
 * What is told of a request that is recorded, by OpenTelemetry's words for HTTP where there are some:
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/span.h"
#include "lib/base/trace_queue.h"
#include "lib/http/otlp.h"
#include "lib/walk/trace.h"

/* Most bytes of what others choose: together within what WEIR_OTLP_SPAN_BYTES has room for. */
enum {
    PATH_MOST = 2048,
    HOST_MOST = 512,
    ID_MOST = 512,
    APP_MOST = 256,
    WORD_MOST = 64,
    STATUS_FAILED = 500,
    STATUS_BAD = 400
};

static uint64_t wall_us(const weir_exchange_t *x, uint64_t at_us)
{
    return x->journal.wall_start_us + (at_us - x->journal.start_at_us);
}

static weir_span_t text_of(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

/* ---- of both kinds ---- */

/* Names are few, whatever clients invent: what is not known becomes one word. */
static weir_span_t known_method(weir_span_t method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (weir_span_equal(method, text_of(known[i])))
            return method;
    return WEIR_SPAN("_OTHER");
}

static weir_span_t name_of(weir_span_t method)
{
    const weir_span_t known = known_method(method);

    return known.base == method.base ? known : WEIR_SPAN("HTTP");
}

static void put_method(weir_otlp_t *text, weir_span_t method)
{
    const weir_span_t known = known_method(method);

    weir_otlp_text(text, "http.request.method", known, WORD_MOST);
    if (known.base != method.base)
        weir_otlp_text(text, "http.request.method_original", method, WORD_MOST);
}

static void put_status(weir_otlp_t *text, uint16_t status)
{
    if (status != 0)
        weir_otlp_number(text, "http.response.status_code", status);
}

/* Our word for the reason; without one, the status itself if it tells of an error. */
static void put_error(weir_otlp_t *text, const weir_fault_t *fault, uint16_t status, uint16_t error_from)
{
    char digits[20];

    if (fault != NULL)
        weir_otlp_text(text, "error.type", text_of(fault->name), WORD_MOST);
    else if (status >= error_from)
        weir_otlp_text(text, "error.type", weir_span_of_u64(status, digits), WORD_MOST);
}

/* What the client did is nobody's failure. */
static void put_end(weir_otlp_t *text, const weir_fault_t *fault, uint16_t status, uint16_t error_from)
{
    const bool is_clients = fault != NULL && fault->blame == WEIR_BLAME_CLIENT;

    if (status >= error_from || (fault != NULL && !is_clients))
        weir_otlp_fail(text, fault != NULL ? fault->sentence : NULL);
}

static void put_span(weir_otlp_t *text)
{
    const weir_span_t all = weir_otlp_end(text);

    if (all.base != NULL)
        (void)weir_trace_queue_put(all);
}

/* The client's: several lines are one list (RFC 9110 §5.3). It is left out where it is too long, as a whole. */
static weir_span_t state_of(const weir_exchange_t *x, char buffer[static WEIR_OTLP_STATE_BYTES])
{
    const weir_headers_t *headers = &x->request.headers;
    size_t len = 0;

    for (size_t i = 0; x->trace->is_continued && i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];
        if (!weir_header_is(field, WEIR_HEADER_OTHER, WEIR_SPAN("tracestate")))
            continue;
        if (field->value.len + (len > 0) > WEIR_OTLP_STATE_BYTES - len)
            return (weir_span_t){NULL, 0};
        if (len > 0)
            buffer[len++] = ',';
        memcpy(buffer + len, field->value.base, field->value.len);
        len += field->value.len;
    }
    return (weir_span_t){buffer, len};
}

static void begin(weir_otlp_t *text, char buffer[static WEIR_OTLP_SPAN_BYTES], weir_exchange_t *x, weir_otlp_head_t head)
{
    char state[WEIR_OTLP_STATE_BYTES];

    head.trace_id = x->trace->context.trace_id;
    head.trace_state = state_of(x, state);
    head.name = name_of(x->request.method);
    weir_otlp_begin(text, buffer, WEIR_OTLP_SPAN_BYTES, &head);
    put_method(text, x->request.method);
}

/* ---- an attempt ---- */

static void put_address(weir_otlp_t *text, const weir_target_t *target)
{
    const weir_address_t *address = &target->address;
    char host[INET6_ADDRSTRLEN] = "";

    if (target->kind == WEIR_TARGET_NAME) {
        weir_otlp_text(text, "server.address", target->name, HOST_MOST);
        weir_otlp_number(text, "server.port", target->port);
        return;
    }
    if (target->kind != WEIR_TARGET_ADDRESS)
        return;
    if (address->any.sa_family == AF_UNIX) {
        weir_otlp_text(text, "server.address",
                       (weir_span_t){address->path.sun_path, strnlen(address->path.sun_path, sizeof(address->path.sun_path))},
                       HOST_MOST);
        return;
    }
    if (address->any.sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
    else
        (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
    weir_otlp_text(text, "server.address", text_of(host), HOST_MOST);
    weir_otlp_number(text, "server.port", weir_address_port(&address->any));
}

static void put_protocol(weir_otlp_t *text, weir_protocol_t protocol)
{
    switch (protocol) {
    case WEIR_HTTP1:
        weir_otlp_text(text, "network.protocol.version", WEIR_SPAN("1.1"), WORD_MOST);
        return;
    case WEIR_HTTP2:
        weir_otlp_text(text, "network.protocol.version", WEIR_SPAN("2"), WORD_MOST);
        return;
    case WEIR_FASTCGI:
        weir_otlp_text(text, "network.protocol.name", WEIR_SPAN("fastcgi"), WORD_MOST);
        return;
    }
}

static void put_backend(weir_otlp_t *text, const weir_exchange_t *x)
{
    put_address(text, &x->target);
    if (x->target.kind != WEIR_TARGET_NONE)
        put_protocol(text, x->target.protocol);
    if (x->target.label.len > 0)
        weir_otlp_text(text, "weir.backend", x->target.label, HOST_MOST);
    if (x->app.len > 0)
        weir_otlp_text(text, "weir.app", x->app, APP_MOST);
    if (x->journal.picks > 1)
        weir_otlp_number(text, "http.request.resend_count", x->journal.picks - 1);
    if (x->attempt.was_reused)
        weir_otlp_yes(text, "weir.reused");
}

/* Instants of the journal are of this attempt if it has come so far. */
static void put_events(weir_otlp_t *text, const weir_exchange_t *x)
{
    const weir_journal_t *journal = &x->journal;
    const bool is_relayed = x->was_connected && journal->relay_at_us >= journal->connected_at_us;

    if (x->was_connected && !x->attempt.was_reused)
        weir_otlp_event(text, "weir.connected", wall_us(x, journal->connected_at_us));
    if (is_relayed && journal->request_sent_at_us != 0)
        weir_otlp_event(text, "weir.request_sent", wall_us(x, journal->request_sent_at_us));
    if (x->attempt.head_at_us != 0)
        weir_otlp_event(text, "weir.first_byte", wall_us(x, x->attempt.head_at_us));
}

void weir_trace_end_attempt(weir_exchange_t *x, const weir_fault_t *fault)
{
    struct trace *trace = weir_trace_of(x);
    const uint64_t end_at_us = x->journal.end_at_us != 0 ? x->journal.end_at_us : weir_loop_now_us(x->loop);
    char buffer[WEIR_OTLP_SPAN_BYTES];
    weir_otlp_head_t head;
    weir_otlp_t text;

    if (!trace->is_recorded || x->attempt.picked_at_us == 0 || x->attempt.is_told)
        return;
    x->attempt.is_told = true;
    head = (weir_otlp_head_t){
        .span_id = weir_trace_attempt_id(x),
        .parent_id = trace->span_id,
        .kind = WEIR_OTLP_CLIENT,
        .start_wall_us = wall_us(x, x->attempt.picked_at_us),
        .end_wall_us = wall_us(x, end_at_us),
    };
    trace->has_attempt_id = false;
    begin(&text, buffer, x, head);
    put_status(&text, x->attempt.status);
    put_error(&text, fault, x->attempt.status, STATUS_BAD);
    put_backend(&text, x);
    put_events(&text, x);
    put_end(&text, fault, x->attempt.status, STATUS_BAD);
    put_span(&text);
}

/* ---- a request ---- */

static weir_span_t version_of(const weir_request_t *request)
{
    if (request->version == 20)
        return WEIR_SPAN("2");
    return request->version == 10 ? WEIR_SPAN("1.0") : WEIR_SPAN("1.1");
}

static void put_request(weir_otlp_t *text, const weir_request_t *request)
{
    weir_otlp_text(text, "url.path", weir_request_path(request), PATH_MOST);
    weir_otlp_text(text, "url.scheme", request->scheme, WORD_MOST);
    if (request->host.len > 0)
        weir_otlp_text(text, "server.address", request->host, HOST_MOST);
    if (request->host_port > 0)
        weir_otlp_number(text, "server.port", (uint64_t)request->host_port);
    weir_otlp_text(text, "client.address", request->peer_ip, WORD_MOST);
    if (request->peer_port != 0)
        weir_otlp_number(text, "client.port", request->peer_port);
    weir_otlp_text(text, "network.protocol.version", version_of(request), WORD_MOST);
    weir_otlp_text(text, "weir.request_id", request->id, ID_MOST);
}

void weir_trace_end_request(weir_exchange_t *x)
{
    const struct trace *trace = weir_trace_of(x);
    const uint16_t status = x->journal.status;
    char buffer[WEIR_OTLP_SPAN_BYTES];
    weir_otlp_head_t head;
    weir_otlp_t text;

    if (!trace->is_recorded)
        return;
    head = (weir_otlp_head_t){
        .span_id = trace->span_id,
        .parent_id = trace->is_continued ? trace->context.parent_id : NULL,
        .has_remote_parent = trace->is_continued,
        .kind = WEIR_OTLP_SERVER,
        .start_wall_us = x->journal.wall_start_us,
        .end_wall_us = wall_us(x, x->journal.end_at_us),
    };
    begin(&text, buffer, x, head);
    put_request(&text, &x->request);
    put_status(&text, status);
    put_error(&text, x->fault, status, STATUS_FAILED);
    if (x->app.len > 0)
        weir_otlp_text(&text, "weir.app", x->app, APP_MOST);
    put_end(&text, x->fault, status, STATUS_FAILED);
    put_span(&text);
}
