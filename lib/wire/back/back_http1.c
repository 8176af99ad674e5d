/* SPDX-License-Identifier: MIT */
/* Backend connections: from the pool, or dialled (the picture is in back_http1.h). */
#include "lib/wire/back/back_http1.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/http/status.h"
#include "lib/wire/back/back_counts.h"
#include "lib/wire/back/back_downs.h"
#include "lib/wire/back/back_fastcgi.h"
#include "lib/wire/back/back_fault.h"
#include "lib/wire/back/back_http2.h"
#include "lib/wire/back/back_worker_http1.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/relay/relay.h"
#include "lib/wire/back/resolver.h"

enum {
    LOOK_MS = 1,   /* how often it is looked whether a worker's connection is free                            */
    SLOW_MS = 500, /* how often it is looked whether a silent address of a name is worth the waiting */
};

/* A connect under way; in the exchange's arena. */
struct weir_dial {
    weir_exchange_t *x;
    void (*then)(weir_exchange_t *x, const weir_fault_t *fault);
    weir_timer_t deadline;
    weir_timer_t slow;
    uint64_t until_us;       /* when the deadline is due               */
    uint64_t share_until_us; /* when the next of a name's addresses is */
    weir_resolver_wait_t wait;
    weir_target_t target;      /* x->target with a name resolved */
    weir_name_way_t way;       /* through the name's addresses   */
    bool is_seeking;           /* all of them have failed, and the name is asked for again */
    const weir_fault_t *fault; /* why the last one has failed    */
    bool is_our_fault;         /* which says nothing about the backend */
    back_http1_t *attempt;     /* a connection that is being made, or NULL */
    back_http2_wait_t stream;  /* HTTP/2: waits for one, or opens a connection for it */
};

typedef struct weir_dial weir_dial_t;

/* ---- the pool ---- */

/*
 * An idle connection to `target`, if this exchange may have one. What it has said unasked, or its end, has been heard by now as
 * far as the kernel told of it in this turn: libh2o runs connections that were dialled before those that were accepted.
 */
static back_http1_t *take_idle(weir_exchange_t *x, const weir_target_t *target)
{
    if (x->target.keepalive != WEIR_REUSE || (x->wants_fresh && target->kind != WEIR_TARGET_WORKER))
        return NULL;
    back_http1_t *back = weir_back_pool_take(x->loop->pool, target);
    /* What must not be sent twice is not sent into one that may have ended a moment ago; nor what cannot be dialled anew */
    while (back != NULL && (!weir_method_is_idempotent(x->request.method) || target->kind == WEIR_TARGET_WORKER)) {
        char probe;
        if (weir_sock_peek(&back->sock, &probe, 1) == WEIR_SOCK_BLOCKED)
            break;
        back_http1_destroy(&back);
        back = weir_back_pool_take(x->loop->pool, target);
    }
    return back;
}

static void use_idle(weir_exchange_t *x, weir_back_t *idle)
{
    x->back = idle;
    idle->x = x;
    idle->is_reused = true;
    x->journal.connected_at_us = x->journal.connect_start_at_us;
}

/* ---- dialling ---- */

/* Waits for nothing any more. */
static void put_down(weir_dial_t *dial)
{
    weir_timer_cancel(&dial->deadline);
    weir_timer_cancel(&dial->slow);
    weir_resolver_cancel(&dial->wait);
    weir_resolver_end(&dial->way);
    back_http2_cancel(&dial->stream);
    dial->x->dial = NULL;
}

/* `back` NULL: for this reason. */
static void end_dial(weir_dial_t *dial, weir_back_t *back, const weir_fault_t *fault)
{
    weir_exchange_t *x = dial->x;

    put_down(dial);
    if (x->target.kind != WEIR_TARGET_WORKER && (back != NULL || !dial->is_our_fault))
        weir_back_note_dial(&x->target, fault, weir_loop_now_us(x->loop));
    if (back == NULL) {
        weir_back_count_failure(fault);
        back_http1_destroy(&dial->attempt);
        dial->then(x, fault);
        return;
    }
    x->back = back;
    x->back->x = x;
    x->journal.connected_at_us = weir_loop_now_us(x->loop);
    dial->then(x, NULL);
}

static void reach(weir_dial_t *dial);
static void await_worker(weir_dial_t *dial);

/* The next address of a name, or the end. */
static void try_next(weir_dial_t *dial, bool may_have_moved)
{
    dial->target = dial->x->target;
    dial->is_seeking = false;
    if (dial->target.kind != WEIR_TARGET_NAME) {
        end_dial(dial, NULL, dial->fault);
        return;
    }
    switch (weir_resolver_next(dial->x->loop->resolver, &dial->target, &dial->way, &dial->wait, may_have_moved)) {
    case WEIR_RESOLVED:
        reach(dial);
        return;
    case WEIR_RESOLVING:
        dial->is_seeking = true;
        return;
    case WEIR_UNRESOLVED:
        end_dial(dial, NULL, dial->fault);
        return;
    }
}

static void give_up_address(weir_dial_t *dial, const weir_fault_t *fault, bool may_have_moved)
{
    weir_timer_cancel(&dial->slow);
    back_http1_destroy(&dial->attempt);
    back_http2_fail(&dial->stream, fault);
    dial->fault = fault;
    dial->is_our_fault = !may_have_moved;
    try_next(dial, may_have_moved);
}

static void fail_address(weir_dial_t *dial, const weir_fault_t *fault)
{
    give_up_address(dial, fault, true);
}

/* What our own side has no way to says nothing about who is there: of IPv6 where there is none, of too many open files. */
static void fail_to_dial(weir_dial_t *dial, int error)
{
    bool is_ours =
        error == ENETUNREACH || error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE;

    give_up_address(dial, weir_back_fault_of(error), !is_ours);
}

/* The name has other addresses now, and not this one any more. */
static bool has_moved(const weir_dial_t *dial)
{
    return !weir_resolver_is_current(dial->x->loop->resolver, dial->x->target.name, &dial->way);
}

static void on_slow(weir_timer_t *timer)
{
    weir_dial_t *dial = WEIR_AROUND(timer, weir_dial_t, slow);
    weir_exchange_t *x = dial->x;
    bool has_had_its_share = dial->way.left > 0 && weir_loop_now_us(x->loop) >= dial->share_until_us;

    if (has_had_its_share || has_moved(dial)) {
        fail_address(dial, &weir_fault_backend_connect_timeout);
        return;
    }
    weir_resolver_doubt(x->loop->resolver, x->target.name, &dial->way, &dial->wait);
    weir_timer_set(x->loop, &dial->slow, SLOW_MS, on_slow);
}

/* What is left of the time is shared with the other addresses: one that is silent does not take them all along. */
static void watch_address(weir_dial_t *dial)
{
    weir_loop_t *loop = dial->x->loop;
    uint64_t now_us = weir_loop_now_us(loop), left_us = dial->until_us > now_us ? dial->until_us - now_us : 0;

    dial->share_until_us = now_us + left_us / (dial->way.left + 1);
    weir_timer_set(loop, &dial->slow, SLOW_MS, on_slow);
}

static const char *alpn_of(const weir_dial_t *dial)
{
    return dial->target.protocol == WEIR_HTTP2 ? "h2" : "http/1.1";
}

/* The connection is there: it is what was wanted, or HTTP/2 begins on it. */
static void use_connection(weir_dial_t *dial)
{
    weir_metrics_add(WEIR_CELL_connects_ok, 1);
    if (dial->target.protocol != WEIR_HTTP2) {
        end_dial(dial, &dial->attempt->back, NULL);
        return;
    }
    weir_timer_cancel(&dial->slow);
    back_http2_open(&dial->stream, &dial->attempt->sock, dial->x->plan);
    back_http1_destroy(&dial->attempt);
}

static void on_unexpected(weir_sock_t *sock)
{
    /* while dialling nobody reads; the socket is not watched */
}

static void on_secured(weir_dial_t *dial)
{
    weir_sock_t *sock = &dial->attempt->sock;

    weir_timer_cancel(&dial->attempt->unheard_timer); /* who shakes hands has accepted */
    weir_sock_watch(sock, false);
    sock->on_readable = sock->on_writable = on_unexpected;
    if (dial->target.protocol == WEIR_HTTP2 && !weir_back_tls_speaks(sock, alpn_of(dial)))
        fail_address(dial, &weir_fault_backend_not_http2);
    else
        use_connection(dial);
}

/* Under the dial's deadline, as all the rest. */
static void shake_hands(weir_sock_t *sock)
{
    weir_dial_t *dial = WEIR_AROUND(sock, back_http1_t, sock)->back.x->dial;

    switch (weir_sock_tls_handshake(sock)) {
    case WEIR_HANDSHAKE_DONE:
        on_secured(dial);
        return;
    case WEIR_HANDSHAKE_BLOCKED:
        weir_sock_watch(sock, true);
        return;
    case WEIR_HANDSHAKE_FAILED:
        fail_address(dial, weir_back_tls_fault(sock));
        return;
    }
}

/* The connection is there, in plain. */
static void on_connection(weir_dial_t *dial)
{
    if (dial->target.tls == NULL) {
        use_connection(dial);
        return;
    }
    weir_sock_t *sock = &dial->attempt->sock;
    const weir_fault_t *fault = weir_back_tls_begin(sock, &dial->target, alpn_of(dial));
    if (fault != NULL) {
        fail_address(dial, fault);
        return;
    }
    sock->on_readable = sock->on_writable = shake_hands;
    shake_hands(sock);
}

static void on_connected(weir_sock_t *sock)
{
    weir_dial_t *dial = WEIR_AROUND(sock, back_http1_t, sock)->back.x->dial;
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        fail_address(dial, weir_back_fault_of(error));
        return;
    }
    on_connection(dial);
}

/* Where there are no descriptors left, connections that are idle give up theirs. -1: none has. */
static int open_socket(weir_loop_t *loop, int family)
{
    int fd;

    do
        fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    while (fd == -1 && errno == EMFILE && weir_back_pool_close_oldest(loop->pool));
    return fd;
}

static void dial_address(weir_dial_t *dial)
{
    const weir_target_t *target = &dial->target;
    int fd = open_socket(dial->x->loop, target->address.any.sa_family), on = 1;

    if (fd == -1) {
        fail_to_dial(dial, errno);
        return;
    }
    if (target->address.any.sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int result = connect(fd, &target->address.any, target->address_len);
    if (result != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        fail_to_dial(dial, error);
        return;
    }
    dial->attempt = back_http1_create(dial->x->loop, target, fd);
    dial->attempt->back.x = dial->x;
    back_http1_want_word(dial->attempt, dial->x->plan->backend_yield_after_ms);
    dial->attempt->sock.on_readable = on_unexpected;
    dial->attempt->sock.on_writable = on_connected;
    if (result == 0) {
        on_connection(dial);
        return;
    }
    if (dial->x->target.kind == WEIR_TARGET_NAME)
        watch_address(dial);
    weir_sock_await_writable(&dial->attempt->sock);
}

/* ---- HTTP/2: a stream of a connection that others may use, too ---- */

static weir_dial_t *dial_of(back_http2_wait_t *wait)
{
    return WEIR_AROUND(wait, weir_dial_t, stream);
}

static void on_stream(back_http2_wait_t *wait, weir_back_t *back)
{
    end_dial(dial_of(wait), back, NULL);
}

static void on_turn(back_http2_wait_t *wait)
{
    dial_address(dial_of(wait));
}

static void on_stream_fault(back_http2_wait_t *wait, const weir_fault_t *fault)
{
    fail_address(dial_of(wait), fault);
}

/* ---- a worker's connection of HTTP/1: what others have, or is on its way, cannot be dialled ---- */

static void on_look(weir_timer_t *timer)
{
    await_worker(WEIR_AROUND(timer, weir_dial_t, slow));
}

/* Another loop gives one that is idle there; one whose request has just ended is idle in a moment. */
static void await_worker(weir_dial_t *dial)
{
    weir_exchange_t *x = dial->x;
    back_http1_t *idle = take_idle(x, &dial->target);

    if (idle != NULL) {
        idle->back.is_reused = true;
        end_dial(dial, &idle->back, NULL);
    } else if (back_worker_http1_fetch(x->loop, &dial->target)) {
        weir_timer_set(x->loop, &dial->slow, LOOK_MS, on_look);
    } else {
        end_dial(dial, NULL, &weir_fault_worker_gone);
    }
}

/* The address is known. */
static void reach(weir_dial_t *dial)
{
    weir_exchange_t *x = dial->x;

    if (dial->target.protocol != WEIR_HTTP2) {
        if (dial->target.kind == WEIR_TARGET_WORKER)
            await_worker(dial);
        else
            dial_address(dial);
        return;
    }
    back_http2_use_t use = x->target.keepalive == WEIR_CLOSE                     ? BACK_HTTP2_ALONE
                           : x->target.keepalive == WEIR_FRESH || x->wants_fresh ? BACK_HTTP2_NEW
                                                                                 : BACK_HTTP2_SHARED;
    dial->stream.on_stream = on_stream;
    dial->stream.on_turn = on_turn;
    dial->stream.on_fault = on_stream_fault;
    back_http2_ask(x->loop, &dial->target, use, &dial->stream);
}

static void resolve(weir_dial_t *dial)
{
    back_http1_t *idle;

    dial->target = dial->x->target;
    switch (weir_resolver_begin(dial->x->loop->resolver, &dial->target, &dial->way, &dial->wait)) {
    case WEIR_RESOLVED:
        idle = dial->target.protocol != WEIR_HTTP2 ? take_idle(dial->x, &dial->target) : NULL;
        if (idle == NULL) {
            reach(dial);
            return;
        }
        idle->back.is_reused = true;
        end_dial(dial, &idle->back, NULL);
        return;
    case WEIR_RESOLVING:
        return;
    case WEIR_UNRESOLVED:
        end_dial(dial, NULL, &weir_fault_backend_unresolved);
        return;
    }
}

static void on_known(weir_resolver_wait_t *wait)
{
    weir_dial_t *dial = WEIR_AROUND(wait, weir_dial_t, wait);

    if (dial->is_seeking)
        try_next(dial, false);
    else if (dial->way.of == NULL)
        resolve(dial);
    else if (dial->attempt != NULL && has_moved(dial))
        fail_address(dial, &weir_fault_backend_connect_timeout);
}

static void on_deadline(weir_timer_t *timer)
{
    weir_dial_t *dial = WEIR_AROUND(timer, weir_dial_t, deadline);
    weir_exchange_t *x = dial->x;

    weir_resolver_doubt(x->loop->resolver, x->target.name, &dial->way, NULL);
    if (dial->is_seeking)
        end_dial(dial, NULL, dial->fault);
    else if (dial->target.kind == WEIR_TARGET_NAME)
        end_dial(dial, NULL, &weir_fault_backend_unresolved);
    else
        end_dial(dial, NULL,
                 back_http2_is_queued(&dial->stream) ? &weir_fault_backend_busy : &weir_fault_backend_connect_timeout);
}

/* An attempt that has a time of its own spends it on connecting, too. */
static uint32_t connect_timeout_ms(const weir_exchange_t *x)
{
    const uint32_t limit_ms = x->plan->connect_timeout_ms, try_ms = x->target.try_timeout_ms;
    const uint64_t spent_ms = (weir_loop_now_us(x->loop) - x->attempt.picked_at_us) / 1000;

    if (try_ms == 0 || (spent_ms < try_ms && try_ms - spent_ms >= limit_ms))
        return limit_ms;
    return spent_ms < try_ms ? (uint32_t)(try_ms - spent_ms) : 1;
}

static bool is_spoken(const weir_target_t *target)
{
    return target->protocol == WEIR_HTTP1 || target->protocol == WEIR_HTTP2 ||
           (target->protocol == WEIR_FASTCGI && target->tls == NULL);
}

void weir_back_connect(weir_exchange_t *x, void (*then)(weir_exchange_t *x, const weir_fault_t *fault))
{
    WEIR_MUST(x->back == NULL && x->dial == NULL);
    x->journal.connect_start_at_us = weir_loop_now_us(x->loop);
    x->journal.connects++;
    if (x->target.kind == WEIR_TARGET_BROKEN || x->target.kind == WEIR_TARGET_NONE || !is_spoken(&x->target)) {
        then(x, &weir_fault_backend_bad_address);
        return;
    }
    bool may_be_idle =
        (x->target.kind == WEIR_TARGET_ADDRESS || x->target.kind == WEIR_TARGET_WORKER) && x->target.protocol != WEIR_HTTP2;
    back_http1_t *idle = may_be_idle ? take_idle(x, &x->target) : NULL;
    if (idle != NULL) {
        use_idle(x, &idle->back);
        then(x, NULL);
        return;
    }
    weir_dial_t *dial = x->dial = weir_arena_zalloc(&x->arena, sizeof(*dial));
    dial->x = x;
    dial->then = then;
    dial->wait.on_known = on_known;
    dial->target = x->target;
    const uint32_t limit_ms = connect_timeout_ms(x);
    dial->until_us = weir_loop_now_us(x->loop) + (uint64_t)limit_ms * 1000;
    weir_timer_set(x->loop, &dial->deadline, limit_ms, on_deadline);
    if (x->target.kind == WEIR_TARGET_NAME)
        resolve(dial);
    else
        reach(dial);
}

void weir_back_cancel(weir_exchange_t *x)
{
    weir_dial_t *dial = x->dial;

    if (dial == NULL)
        return;
    back_http1_destroy(&dial->attempt);
    put_down(dial);
}

void weir_back_release(weir_exchange_t *x)
{
    weir_back_t *back = x->back;

    if (back == NULL)
        return;
    weir_relay_stop(x);
    x->back = NULL;
    back->x = NULL;
    weir_timer_cancel(&back->timer);
    back->ops->release(back, x);
}

bool weir_back_opens_websockets(const weir_exchange_t *x)
{
    return x->back->ops->opens_websockets != NULL && x->back->ops->opens_websockets(x->back);
}

bool weir_back_is_untouched(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->is_untouched;
}

bool weir_back_is_reused(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->is_reused;
}

bool weir_back_is_stale(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->is_reused && !x->back->has_answered;
}
