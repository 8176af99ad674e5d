/* SPDX-License-Identifier: MIT */
/*
 * What a backend says in HTTP/2. The first bytes choose how many requests there are, which have bodies, whether they are
 * WebSockets, whether the backend greets well and how its bytes are split; the rest is what it sends. Whatever it is, every
 * request comes to its end once, and nothing of the connection outlives the backend's.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/wire/server/parts.h"
#include "lib/wire/back/back_http2_private.h"
#include "lib/wire/loop/generation.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { CALLS = 4, PIECE_BYTES = 40000 };

/* One request: an exchange without a walk, and a client's side that is always full. */
typedef struct call {
    weir_exchange_t x;
    weir_front_t front;
    h2o_req_t req;
    back_http2_wait_t wait;
    weir_body_sink_t *sink;
    unsigned responses, ends, paused;
    bool has_body, is_connect;
} call_t;

static weir_loop_t *loop;
static weir_server_settings_t settings;
static weir_plan_t plan;
static call_t *calls[CALLS];
static int peer;

/* ---- the client's side ---- */

static call_t *call_of(h2o_req_t *req)
{
    return WEIR_AROUND(req, call_t, req);
}

static void body_open(h2o_req_t *req, weir_body_sink_t *sink)
{
    call_of(req)->sink = sink;
}

static void body_close(h2o_req_t *req)
{
    call_of(req)->sink = NULL;
}

static void body_pause(h2o_req_t *req)
{
    call_of(req)->paused++;
}

static void body_resume(h2o_req_t *req)
{
}

static void trailers(h2o_req_t *req, weir_arena_t *arena, weir_headers_t *out)
{
    weir_headers_add(out, arena, WEIR_SPAN("X-Sum"), WEIR_SPAN("1"));
}

static const weir_fault_t *start_tunnel(h2o_req_t *req, const weir_headers_t *answer)
{
    return NULL;
}

static void half_close(h2o_req_t *req)
{
}

static const weir_front_ops_t front_ops = {
    .start_tunnel = start_tunnel,
    .half_close = half_close,
    .body_open = body_open,
    .body_close = body_close,
    .body_pause = body_pause,
    .body_resume = body_resume,
    .trailers = trailers,
};

static void send_body(call_t *call, bool is_last)
{
    static char bytes[PIECE_BYTES];
    const weir_span_t piece = {bytes, sizeof(bytes)};
    weir_body_sink_t *sink = call->sink;

    if (sink == NULL)
        return;
    if (is_last)
        call->sink = NULL;
    sink->on_data(sink, &piece, 1, is_last);
}

/* ---- what stage 70 does ---- */

static void on_response(weir_exchange_t *x, const weir_response_head_t *head)
{
    call_t *call = WEIR_AROUND(x, call_t, x);
    weir_reply_head_t reply = {.status = head->status, .reason = head->reason, .headers = &head->headers};

    WEIR_MUST(head->status >= 100 && head->status <= 999 && call->ends == 0);
    WEIR_MUST(head->status != 101 || call->is_connect);
    for (size_t i = 0; i < head->headers.count; i++)
        WEIR_MUST(head->headers.at[i].name.len > 0 && head->headers.at[i].name.base[0] != ':');
    if (head->status < 200 && head->status != 101)
        return;
    WEIR_MUST(++call->responses == 1);
    if (head->status == 101) {
        weir_relay_tunnel(x, &reply);
        return;
    }
    if (weir_framing_of_response(&head->headers, head->status, x->request.is_head, &reply.framing, &reply.content_length) !=
        NULL) {
        weir_relay_stop(x);
        call->ends++;
        return;
    }
    weir_relay_respond(x, &reply);
}

static void on_end(weir_exchange_t *x, const weir_fault_t *fault)
{
    call_t *call = WEIR_AROUND(x, call_t, x);

    WEIR_MUST(fault != NULL && ++call->ends == 1);
}

static void on_stream(back_http2_wait_t *wait, weir_back_t *back)
{
    static const weir_relay_events_t events = {on_response, on_end};
    call_t *call = WEIR_AROUND(wait, call_t, wait);
    weir_backend_head_t head = {.is_connect = call->is_connect};
    weir_framing_t body = {call->has_body ? WEIR_FRAMING_CHUNKED : WEIR_FRAMING_NONE, 0};

    call->x.back = back;
    back->x = &call->x;
    weir_headers_add(&head.fields, &call->x.arena, WEIR_SPAN(":method"), WEIR_SPAN("POST"));
    weir_headers_add(&head.fields, &call->x.arena, WEIR_SPAN(":scheme"), WEIR_SPAN("http"));
    weir_headers_add(&head.fields, &call->x.arena, WEIR_SPAN(":authority"), WEIR_SPAN("a"));
    weir_headers_add(&head.fields, &call->x.arena, WEIR_SPAN(":path"), WEIR_SPAN("/"));
    weir_relay_start(&call->x, &head, body, &events);
}

static void on_fault(back_http2_wait_t *wait, const weir_fault_t *fault)
{
    WEIR_MUST(fault != NULL && ++WEIR_AROUND(wait, call_t, wait)->ends == 1);
}

/* The first who asks connects; a second connection is refused. */
static void on_turn(back_http2_wait_t *wait)
{
    weir_sock_t sock = {0};
    int fds[2];

    if (peer != -1) {
        back_http2_fail(wait, &weir_fault_backend_refused);
        on_fault(wait, &weir_fault_backend_refused);
        return;
    }
    WEIR_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    peer = fds[1];
    weir_sock_open(&sock, loop, fds[0], false);
    back_http2_open(wait, &sock, &plan);
}

/* ---- a world ---- */

static void open_world(void)
{
    static h2o_globalconf_t globalconf;
    static weir_generation_t generation;

    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&globalconf);
    h2o_config_register_host(&globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    settings.globalconf = &globalconf;
    settings.head_limits.count = 10;
    settings.max_trailer_bytes = 4096;
    loop = weir_loop_create(NULL, &weir_loop_parts);
    weir_generation_init(&generation, &settings, 1);
    weir_context_create(&generation, loop, 0);
    weir_loop_use(loop, generation.contexts[0]);
    plan.backend_ping_ms = plan.idle_timeout_ms = plan.first_byte_timeout_ms = 60000;
    plan.max_body_bytes = UINT64_MAX;
    plan.response_limits = (weir_response_limits_t){8192, 4096, 512, 20, 16384};
}

static call_t *start_call(bool has_body, bool is_head, bool is_connect)
{
    call_t *call = calloc(1, sizeof(*call));
    weir_target_t target = {.kind = WEIR_TARGET_ADDRESS, .protocol = WEIR_HTTP2, .address_len = sizeof(struct sockaddr_in)};

    WEIR_MUST(call != NULL);
    weir_arena_init(&call->x.arena);
    h2o_mem_init_pool(&call->req.pool);
    call->x.loop = loop;
    call->x.context = loop->context;
    call->x.plan = &plan;
    call->x.request.is_head = is_head;
    call->x.front = &call->front;
    call->front = (weir_front_t){.req = &call->req, .ops = &front_ops, .x = &call->x, .loop = loop};
    call->front.is_started = call->front.is_stopped = true; /* nothing gets as far as libh2o */
    call->has_body = has_body && !is_connect;
    call->is_connect = is_connect;
    call->wait.on_stream = on_stream;
    call->wait.on_turn = on_turn;
    call->wait.on_fault = on_fault;
    target.address.v4.sin_family = AF_INET;
    back_http2_ask(loop, &target, BACK_HTTP2_SHARED, &call->wait);
    return call;
}

static void end_call(call_t *call)
{
    back_http2_cancel(&call->wait);
    weir_back_release(&call->x);
    weir_arena_finish(&call->x.arena);
    h2o_mem_clear_pool(&call->req.pool);
    free(call);
}

/* What we have said is read away; the clients take what there is. */
static void turn(bool is_writable)
{
    static char sink[65536];

    for (int i = 0; i < 3; i++) {
        weir_loop_turn(loop, 0);
        while (peer != -1 && read(peer, sink, sizeof(sink)) > 0)
            ;
    }
    for (size_t i = 0; is_writable && i < CALLS; i++) {
        if (calls[i] != NULL && calls[i]->x.back != NULL && calls[i]->x.back->relay != NULL)
            relay_on_client_writable(calls[i]->x.back->relay);
    }
}

static void send_pieces(const uint8_t *bytes, size_t length, size_t step)
{
    for (size_t at = 0; at < length;) {
        size_t piece = length - at < step ? length - at : step;
        ssize_t sent = write(peer, bytes + at, piece);
        if (sent <= 0)
            return; /* the connection has been ended */
        at += (size_t)sent;
        turn(at % 2 == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static const uint8_t greeting[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    size_t count;

    if (length < 2)
        return 0;
    if (loop == NULL)
        open_world();
    peer = -1;
    count = 1 + input[0] % CALLS;
    for (size_t i = 0; i < count; i++)
        calls[i] = start_call((input[0] >> i & 4) != 0, (input[1] & 1) != 0, (input[0] & 64) != 0);
    if ((input[0] & 128) == 0)
        send_pieces(greeting, sizeof(greeting), sizeof(greeting));
    for (size_t i = 0; i < count; i++)
        send_body(calls[i], (input[1] & 2) != 0);
    send_pieces(input + 2, length - 2, 1 + (size_t)(input[1] >> 2) * 97);
    for (size_t i = 0; i < count; i++)
        send_body(calls[i], true);
    if ((input[1] & 1) != 0 && calls[0] != NULL) { /* this client leaves first */
        end_call(calls[0]);
        calls[0] = NULL;
    }
    turn(true);
    close(peer);
    peer = -2;
    for (int i = 0; i < 4; i++)
        turn(true);
    for (size_t i = 0; i < count; i++) {
        if (calls[i] == NULL)
            continue;
        bool is_whole =
            calls[i]->x.back != NULL && calls[i]->x.back->relay != NULL && calls[i]->x.back->relay->down.state == RELAY_DONE;
        WEIR_MUST(calls[i]->ends == 1 || is_whole); /* nobody waits for a backend that is gone */
        end_call(calls[i]);
        calls[i] = NULL;
    }
    turn(false);
    back_http2_pool_destroy(&loop->back_http2);
    loop->back_http2 = back_http2_pool_create(loop);
    return 0;
}
