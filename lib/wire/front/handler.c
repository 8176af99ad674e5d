/* SPDX-License-Identifier: MIT */
/* Weir inside libh2o: from an h2o request to an exchange, and the gate for handlers that want a body whole. */
#include "lib/wire/front/handler.h"

#include <stdlib.h>

#include "lib/base/counted.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/host.h"
#include "lib/http/trusted_way.h"
#include "lib/walk/at_work.h"
#include "lib/wire/front/front_foreign.h"
#include "lib/wire/front/front_http1.h"
#include "lib/wire/front/front_http2.h"
#include "lib/wire/relay/held_body.h"

/* The front a libh2o connection belongs to. */
static const weir_front_ops_t *ops_of(const h2o_conn_t *conn)
{
    if (conn->callbacks == &front_http2_callbacks.super)
        return &front_http2_ops;
    return conn->callbacks == &front_http1_callbacks.super ? &front_http1_ops : &front_foreign_ops;
}

static weir_span_t span_of(h2o_iovec_t bytes)
{
    return (weir_span_t){bytes.base, bytes.len};
}

static weir_span_t lower_copy(weir_arena_t *arena, weir_span_t text)
{
    char *copy = weir_arena_alloc(arena, text.len + 1);

    weir_lower_bytes(copy, text.base, text.len);
    copy[text.len] = '\0';
    return (weir_span_t){copy, text.len};
}

/* Where the bytes as sent go on behind the path that libh2o has found in their normal form. */
static size_t below_at(const h2o_req_t *req)
{
    size_t at = req->pathconf->path.len;

    if (req->norm_indexes != NULL && at > 1)
        at = req->norm_indexes[at - 1];
    if (req->path.base[0] != '/' && at == 1)
        at = 0;
    return at < req->path.len ? at : req->path.len;
}

/* Bytes that stay as long as the exchange, which may outlive the h2o request. */
static weir_span_t keep(weir_exchange_t *x, weir_span_t bytes)
{
    return weir_counted_has(x->memory, bytes.base) ? bytes : weir_arena_copy(&x->arena, bytes);
}

static void keep_headers(weir_exchange_t *x, const weir_headers_t *from)
{
    weir_headers_t *to = &x->request.headers;

    to->count = to->capacity = from->count;
    to->at = weir_arena_alloc(&x->arena, to->capacity * sizeof(weir_header_t));
    for (size_t i = 0; i < from->count; i++) {
        const weir_header_t *field = &from->at[i];
        to->at[i] = (weir_header_t){keep(x, field->name), keep(x, field->value), field->id};
    }
}

/* What an internal redirect has changed. */
static void fill_asked(weir_exchange_t *x, h2o_req_t *req, bool names_host)
{
    weir_request_t *request = &x->request;
    weir_span_t host = {0};
    int32_t port;

    request->asked.target = request->target;
    request->asked.authority = request->authority;
    request->asked.host = request->host;
    if (req->input.path.base != req->path.base)
        request->asked.target = keep(x, span_of(req->input.path));
    if (req->input.authority.base == req->authority.base || (!names_host && req->input.authority.len == 0))
        return;
    request->asked.authority = keep(x, span_of(req->input.authority));
    if (weir_host_split(request->asked.authority, &host, &port))
        request->asked.host = lower_copy(&x->arena, host);
}

/* A trusted proxy's word for who the client is takes the place of what the connection says. */
static void believe_proxies(weir_exchange_t *x)
{
    const weir_plan_t *plan = x->plan;
    weir_request_t *request = &x->request;
    weir_trusted_way_t way;

    if (plan->trusted_proxy_count == 0)
        return;
    way = weir_trusted_way(&request->headers, &x->arena, request->peer_ip, plan->trusted_proxies, plan->trusted_proxy_count);
    if (way.scheme.base != NULL)
        request->scheme = way.scheme;
    if (way.client_ip.base == NULL)
        return;
    request->proxy_ip = request->peer_ip;
    request->peer_ip = way.client_ip;
    request->peer_port = way.client_port;
}

static void fill_request(weir_exchange_t *x, h2o_req_t *req, const weir_front_ops_t *ops)
{
    weir_request_t *request = &x->request;
    weir_span_t host = {0};

    request->method = keep(x, span_of(req->method));
    request->target = keep(x, span_of(req->path));
    size_t below = below_at(req);
    request->below = (weir_span_t){request->target.base + below, request->target.len - below};
    /* libh2o puts the name of the default host where HTTP/1.0 names none */
    bool names_host = req->authority.base != req->hostconf->authority.hostport.base;
    if (names_host)
        request->authority = keep(x, span_of(req->authority));
    request->host_port = -1;
    /* An embedding front may hand over what ours refuses: 10 refuses whom this leaves without a host */
    if (weir_host_split(request->authority, &host, &request->host_port))
        request->host = lower_copy(&x->arena, host);
    fill_asked(x, req, names_host);
    request->scheme = req->scheme == &H2O_URL_SCHEME_HTTPS ? WEIR_SPAN("https") : WEIR_SPAN("http");
    request->version = req->version >= 0x200 ? 20 : req->version >= 0x101 ? 11 : 10;
    request->is_head = weir_span_equal(request->method, WEIR_SPAN("HEAD"));
    request->framing = ops->framing(req);
    ops->peer(req, request, &x->arena);
    keep_headers(x, ops->headers(req));
    believe_proxies(x);
}

static weir_exchange_t *create(const weir_plan_t *plan, h2o_req_t *req, weir_context_t *context)
{
    const weir_front_ops_t *ops = ops_of(req->conn);
    weir_loop_t *loop = context->loop;

    if (ops == &front_foreign_ops)
        front_foreign_begin(req);
    weir_exchange_t *x = weir_exchange_create(plan, loop);
    loop->exchanges_begun++;
    x->context = weir_context_hold(context);
    x->memory = weir_counted_hold(ops->memory(req));
    fill_request(x, req, ops);
    x->journal.start_at_us = weir_loop_now_us(loop);
    x->journal.wall_start_us = weir_loop_wall_us(loop);
    weir_front_attach(x, req, ops);
    if (ops != &front_foreign_ops && req->entity.base != NULL) /* a gate has it: an internal redirect has led here */
        x->held_body = held_body_of(x, span_of(req->entity));
    return x;
}

/* libh2o's own read no clock behind them; where an exchange was begun it was read when that was due. */
static void keep_time(weir_loop_t *loop)
{
    const uint64_t since_us = weir_loop_now_us(loop), warn_us = loop->settings->callback_warn_ms * UINT64_C(1000);

    weir_loop_tick(loop);
    if (warn_us != 0 && weir_loop_now_us(loop) - since_us >= warn_us)
        weir_at_work_slow(NULL, weir_loop_now_us(loop) - since_us);
}

void weir_handler_process(weir_loop_t *loop, h2o_req_t *req)
{
    const weir_before_t before = weir_at_work_on(NULL, "handler", "libh2o", "on_req");
    const uint64_t begun = loop->exchanges_begun;

    h2o_process_request(req);
    if (loop->exchanges_begun == begun)
        keep_time(loop);
    weir_at_work_back(before);
}

int weir_handler_begin(const weir_handler_t *self, h2o_req_t *req, weir_context_t *context)
{
    weir_exchange_start(create(self->plan, req, context));
    return 0;
}

int weir_handler_run_script(const void *plan, h2o_req_t *req, weir_span_t file, weir_span_t name, weir_span_t path_info)
{
    weir_exchange_t *x = create(plan, req, weir_context_of(req->conn->ctx));
    weir_cgi_script_t *script = &x->request.script;

    script->name = weir_arena_copy(&x->arena, name);
    script->path_info = weir_arena_copy(&x->arena, path_info);
    if (req->query_at != SIZE_MAX)
        script->query =
            weir_arena_copy(&x->arena, (weir_span_t){req->path.base + req->query_at + 1, req->path.len - req->query_at - 1});
    x->request.script_file = weir_arena_copy(&x->arena, file);
    weir_exchange_start(x);
    return 0;
}

static int on_req(h2o_handler_t *super, h2o_req_t *req)
{
    return weir_handler_begin((const weir_handler_t *)(const void *)super, req, weir_context_of(req->conn->ctx));
}

void weir_handler_register(h2o_pathconf_t *path, const weir_plan_t *plan)
{
    weir_handler_t *self = (weir_handler_t *)(void *)h2o_create_handler(path, sizeof(*self));

    self->super.on_req = on_req;
    self->plan = plan;
}

/* ---- the gate ---- */

typedef struct weir_gate {
    h2o_handler_t super;
    size_t limit_bytes;
} weir_gate_t;

/* A body on its way to being whole; lives in the request's pool. */
typedef struct gate_wait {
    weir_body_sink_t sink;
    weir_gate_t *gate;
    h2o_req_t *req;
    h2o_buffer_t *body;
    const weir_fault_t *fault;
    h2o_timeout_entry_t end; /* handlers must not run on the front's stack */
} gate_wait_t;

static void on_gate_end(h2o_timeout_entry_t *entry)
{
    gate_wait_t *wait = WEIR_AROUND(entry, gate_wait_t, end);

    if (wait->fault == &weir_fault_body_too_large)
        h2o_send_error_generic(wait->req, 413, "Request Entity Too Large", "request entity is too large",
                               H2O_SEND_ERROR_HTTP1_CLOSE_CONNECTION);
    else if (wait->fault != NULL)
        h2o_send_error_400(wait->req, "Bad Request", "request body is broken", H2O_SEND_ERROR_HTTP1_CLOSE_CONNECTION);
    else
        h2o_delegate_request(wait->req, &wait->gate->super);
}

static void end_gate(gate_wait_t *wait, const weir_fault_t *fault)
{
    wait->fault = fault;
    wait->req->entity = h2o_iovec_init(wait->body->bytes, wait->body->size);
    wait->end.cb = on_gate_end;
    h2o_timeout_link(wait->req->conn->ctx->loop, &wait->req->conn->ctx->zero_timeout, &wait->end);
}

static void on_gate_data(weir_body_sink_t *sink, const weir_span_t *pieces, size_t count, bool is_last)
{
    gate_wait_t *wait = WEIR_AROUND(sink, gate_wait_t, sink);

    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len > wait->gate->limit_bytes - wait->body->size) {
            ops_of(wait->req->conn)->body_close(wait->req);
            end_gate(wait, &weir_fault_body_too_large);
            return;
        }
        h2o_iovec_t room = h2o_buffer_reserve(&wait->body, pieces[i].len);
        WEIR_MUST(room.base != NULL);
        memcpy(room.base, pieces[i].base, pieces[i].len);
        wait->body->size += pieces[i].len;
    }
    if (is_last)
        end_gate(wait, NULL);
}

static void on_gate_fault(weir_body_sink_t *sink, const weir_fault_t *fault)
{
    end_gate(WEIR_AROUND(sink, gate_wait_t, sink), fault);
}

static void dispose_wait(void *memory)
{
    gate_wait_t *wait = memory;

    h2o_timeout_unlink(&wait->end);
    h2o_buffer_dispose(&wait->body);
}

static int on_gate(h2o_handler_t *super, h2o_req_t *req)
{
    weir_gate_t *gate = (weir_gate_t *)(void *)super;
    const weir_front_ops_t *ops = ops_of(req->conn);

    if (ops == &front_foreign_ops)
        return -1; /* libh2o's own fronts have it whole */
    weir_framing_t framing = ops->framing(req);
    if (framing.kind == WEIR_FRAMING_NONE || req->entity.base != NULL || ops->is_body_touched(req))
        return -1; /* nothing to wait for: the next handler's */
    if (framing.kind == WEIR_FRAMING_LENGTH && framing.length_bytes > gate->limit_bytes) {
        h2o_send_error_generic(req, 413, "Request Entity Too Large", "request entity is too large",
                               H2O_SEND_ERROR_HTTP1_CLOSE_CONNECTION);
        return 0;
    }
    gate_wait_t *wait = h2o_mem_alloc_shared(&req->pool, sizeof(*wait), dispose_wait);
    memset(wait, 0, sizeof(*wait));
    wait->sink = (weir_body_sink_t){.on_data = on_gate_data, .on_fault = on_gate_fault};
    wait->gate = gate;
    wait->req = req;
    h2o_buffer_init(&wait->body, &h2o_socket_buffer_prototype);
    if (req->version >= 0x101 && weir_headers_find(ops->headers(req), WEIR_HEADER_EXPECT) != NULL && !ops->has_body_bytes(req))
        ops->interim(req, 100, NULL);
    ops->body_open(req, &wait->sink);
    return 0;
}

void weir_gate_put_first(h2o_pathconf_t *path, size_t limit_bytes)
{
    weir_gate_t *gate = (weir_gate_t *)(void *)h2o_create_handler(path, sizeof(*gate));
    h2o_handler_t **first = path->handlers.entries; /* libh2o has appended it */

    gate->super.on_req = on_gate;
    gate->limit_bytes = limit_bytes;
    memmove(first + 1, first, (path->handlers.size - 1) * sizeof(first[0]));
    first[0] = &gate->super;
}
