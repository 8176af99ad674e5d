/* SPDX-License-Identifier: MIT */
/*
 * A probe's connection and its time.
 *
 *   letter ─► name ─► address ─► connected ─► (TLS) ─► asked ─► answered ─► on_result
 *               └──── failed: the name's next address ────┘       any of them ─ deadline ─► on_result
 */
#include "lib/wire/back/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fault.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/walk/steward.h"
#include "lib/wire/back/back_fault.h"
#include "lib/wire/back/name_table.h"

const weir_response_limits_t probe_limits = {.status_line_bytes = 8192,
                                             .header_bytes = 8192,
                                             .cookie_bytes = 8192,
                                             .count = WEIR_PROBE_FIELDS,
                                             .total_bytes = WEIR_PROBE_HEAD_BYTES};

static unsigned under_way; /* the steward's thread's own */

/* ---- its end ---- */

static void put_down(weir_probing_t *probing)
{
    weir_timer_cancel(&probing->deadline);
    weir_loop_take_back(probing->loop, &probing->start);
    weir_resolver_cancel(&probing->wait);
    weir_resolver_end(&probing->way);
    weir_sock_close(&probing->sock);
    if (probing->ops != NULL && probing->talk != NULL)
        probing->ops->end(probing);
    probing->talk = NULL;
    probe_worker_end(probing);
    weir_bytes_free(&probing->out);
}

static void destroy(weir_probing_t *probing)
{
    put_down(probing);
    weir_bytes_free(&probing->in);
    weir_arena_finish(&probing->arena);
    under_way--;
    free(probing);
}

void probe_finish(weir_probing_t *probing, const weir_fault_t *fault)
{
    probing->result.fault = fault;
    probing->result.duration_us = weir_loop_now_us(probing->loop) - probing->begun_at_us;
    weir_metrics_add(fault == NULL ? WEIR_CELL_probes_ok : WEIR_CELL_probes_failed, 1);
    weir_histogram_add(&weir_metrics_page()->times[WEIR_TIMES_probe], &weir_bounds_stages, probing->result.duration_us);
    put_down(probing);
    probing->on_result(probing->context, &probing->result);
    destroy(probing);
}

void probe_believe(weir_probing_t *probing)
{
    probing->result.is_believed = true;
    probe_finish(probing, NULL);
}

void weir_probing_cancel(weir_probing_t **probing)
{
    weir_probing_t *gone = *probing;

    *probing = NULL;
    if (gone != NULL)
        destroy(gone);
}

/* ---- what is said ---- */

void probe_answer(weir_probing_t *probing, const weir_response_head_t *head)
{
    probing->result.status = head->status;
    for (size_t i = 0; i < head->headers.count; i++)
        weir_headers_add(&probing->headers, &probing->arena, weir_arena_copy(&probing->arena, head->headers.at[i].name),
                         weir_arena_copy(&probing->arena, head->headers.at[i].value));
}

probe_progress_t probe_fail(weir_probing_t *probing, const weir_fault_t *fault)
{
    probing->result.fault = fault;
    return PROBE_DONE;
}

weir_span_t weir_probing_header(const weir_probing_t *probing, weir_span_t name)
{
    const weir_header_t *field = weir_headers_find_name(&probing->headers, name);

    return field != NULL ? field->value : (weir_span_t){NULL, 0};
}

static void write_out(weir_probing_t *probing)
{
    if (weir_bytes_count(&probing->out) > 0 && weir_sock_write_queue(&probing->sock, &probing->out, NULL) == WEIR_SOCK_BLOCKED)
        weir_sock_await_writable(&probing->sock); /* broken: what it has said before is read first */
}

static void on_writable(weir_sock_t *sock)
{
    write_out(WEIR_AROUND(sock, weir_probing_t, sock));
}

static void on_readable(weir_sock_t *sock)
{
    weir_probing_t *probing = WEIR_AROUND(sock, weir_probing_t, sock);
    const ssize_t count = weir_sock_read(sock, probing->loop->scratch, WEIR_READ_BYTES);

    if (count == WEIR_SOCK_BLOCKED)
        return;
    if (count <= 0) {
        probe_finish(probing, count == WEIR_SOCK_END ? &weir_fault_backend_closed : &weir_fault_backend_reset);
        return;
    }
    if (probing->ops->take(probing, (weir_span_t){probing->loop->scratch, (size_t)count}) == PROBE_DONE)
        probe_finish(probing, probing->result.fault);
    else
        write_out(probing);
}

static void talk(weir_probing_t *probing)
{
    if (probing->ops == NULL) {
        probe_finish(probing, NULL);
        return;
    }
    probing->sock.on_readable = on_readable;
    probing->sock.on_writable = on_writable;
    weir_sock_watch(&probing->sock, true);
    probing->ops->begin(probing);
    write_out(probing);
}

/* ---- connecting ---- */

static void dial(weir_probing_t *probing);

static void fail_address(weir_probing_t *probing, const weir_fault_t *fault)
{
    weir_sock_close(&probing->sock);
    probing->result.fault = fault;
    probing->target = probing->wanted;
    probing->is_seeking = false;
    if (probing->wanted.kind != WEIR_TARGET_NAME) {
        probe_finish(probing, fault);
        return;
    }
    switch (weir_resolver_next(probing->loop->resolver, &probing->target, &probing->way, &probing->wait, true)) {
    case WEIR_RESOLVED:
        dial(probing);
        return;
    case WEIR_RESOLVING:
        probing->is_seeking = true;
        return;
    case WEIR_UNRESOLVED:
        probe_finish(probing, fault);
        return;
    }
}

static bool is_http2(const weir_probing_t *probing)
{
    return probing->target.protocol == WEIR_HTTP2 || probing->kind == WEIR_PROBE_GRPC;
}

static void on_unexpected(weir_sock_t *sock)
{
    /* while it connects nobody reads; the socket is not watched */
}

static void on_secured(weir_probing_t *probing)
{
    weir_sock_watch(&probing->sock, false);
    probing->sock.on_readable = probing->sock.on_writable = on_unexpected;
    if (is_http2(probing) && !weir_back_tls_speaks(&probing->sock, "h2"))
        fail_address(probing, &weir_fault_backend_not_http2);
    else
        talk(probing);
}

static void shake_hands(weir_sock_t *sock)
{
    weir_probing_t *probing = WEIR_AROUND(sock, weir_probing_t, sock);

    switch (weir_sock_tls_handshake(sock)) {
    case WEIR_HANDSHAKE_DONE:
        on_secured(probing);
        return;
    case WEIR_HANDSHAKE_BLOCKED:
        weir_sock_watch(sock, true);
        return;
    case WEIR_HANDSHAKE_FAILED:
        fail_address(probing, weir_back_tls_fault(sock));
        return;
    }
}

static void on_connection(weir_probing_t *probing)
{
    weir_sock_t *sock = &probing->sock;

    if (probing->target.tls == NULL) {
        talk(probing);
        return;
    }
    const weir_fault_t *fault = weir_back_tls_begin(sock, &probing->target, is_http2(probing) ? "h2" : "http/1.1");
    if (fault != NULL) {
        fail_address(probing, fault);
        return;
    }
    sock->on_readable = sock->on_writable = shake_hands;
    shake_hands(sock);
}

static void on_connected(weir_sock_t *sock)
{
    weir_probing_t *probing = WEIR_AROUND(sock, weir_probing_t, sock);
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        fail_address(probing, weir_back_fault_of(error));
    else
        on_connection(probing);
}

static void dial(weir_probing_t *probing)
{
    const weir_target_t *target = &probing->target;
    const int fd = socket(target->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (fd == -1) {
        fail_address(probing, weir_back_fault_of(errno));
        return;
    }
    if (target->address.any.sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int result = connect(fd, &target->address.any, target->address_len);
    if (result != 0 && errno != EINPROGRESS) {
        const int error = errno;
        close(fd);
        fail_address(probing, weir_back_fault_of(error));
        return;
    }
    weir_sock_open(&probing->sock, probing->loop, fd, false);
    probing->sock.on_readable = on_unexpected;
    probing->sock.on_writable = on_connected;
    if (result == 0)
        on_connection(probing);
    else
        weir_sock_await_writable(&probing->sock);
}

/* ---- its beginning ---- */

static weir_span_t text_of(weir_probing_t *probing, const weir_name_address_t *address)
{
    char text[INET6_ADDRSTRLEN];
    const bool is_v6 = address->any.sa_family == AF_INET6;

    if (inet_ntop(address->any.sa_family, is_v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr, text,
                  sizeof(text)) == NULL)
        return (weir_span_t){NULL, 0};
    return weir_arena_format(&probing->arena, is_v6 ? "[%s]" : "%s", text);
}

static void tell_addresses(weir_probing_t *probing)
{
    const weir_addresses_t *known = probing->way.of;
    const uint64_t now_us = weir_loop_now_us(probing->loop);
    const uint64_t fresh_us = known->fresh_until_us > now_us ? known->fresh_until_us - now_us : 0;

    probing->addresses = weir_arena_alloc(&probing->arena, known->count * sizeof(probing->addresses[0]));
    for (size_t i = 0; i < known->count; i++)
        probing->addresses[probing->address_count++] = text_of(probing, &known->at[i]);
    probing->result.fresh_ms = fresh_us < 1000 ? 1 : (uint32_t)(fresh_us / 1000);
    probe_finish(probing, NULL);
}

weir_span_t weir_probing_address(const weir_probing_t *probing, size_t index)
{
    return index < probing->address_count ? probing->addresses[index] : (weir_span_t){NULL, 0};
}

static void resolve(weir_probing_t *probing)
{
    probing->target = probing->wanted;
    switch (weir_resolver_begin(probing->loop->resolver, &probing->target, &probing->way, &probing->wait)) {
    case WEIR_RESOLVED:
        (probing->kind == WEIR_PROBE_NAME ? tell_addresses : dial)(probing);
        return;
    case WEIR_RESOLVING:
        return;
    case WEIR_UNRESOLVED:
        probe_finish(probing, &weir_fault_backend_unresolved);
        return;
    }
}

static void on_known(weir_resolver_wait_t *wait)
{
    weir_probing_t *probing = WEIR_AROUND(wait, weir_probing_t, wait);

    if (probing->is_seeking)
        fail_address(probing, probing->result.fault);
    else
        resolve(probing);
}

static void on_start(weir_letter_t *letter)
{
    weir_probing_t *probing = WEIR_AROUND(letter, weir_probing_t, start);

    if (probing->wanted.kind == WEIR_TARGET_WORKER)
        probe_worker_begin(probing);
    else if (probing->wanted.kind == WEIR_TARGET_ADDRESS && probing->kind != WEIR_PROBE_NAME)
        dial(probing);
    else if (probing->wanted.kind == WEIR_TARGET_NAME)
        resolve(probing);
    else
        probe_finish(probing, &weir_fault_backend_bad_address);
}

/* What was still waited for. */
static void on_deadline(weir_timer_t *timer)
{
    weir_probing_t *probing = WEIR_AROUND(timer, weir_probing_t, deadline);

    if (probing->handed != NULL)
        probe_worker_expire(probing);
    else if (probing->talk != NULL)
        probe_finish(probing, &weir_fault_backend_timeout);
    else if (!weir_sock_is_open(&probing->sock) && probing->result.fault == NULL)
        probe_finish(probing, &weir_fault_backend_unresolved);
    else
        probe_finish(probing, &weir_fault_backend_connect_timeout);
}

static const probe_ops_t *ops_of(const weir_probing_t *probing)
{
    if (probing->kind == WEIR_PROBE_CONNECT || probing->kind == WEIR_PROBE_NAME || probing->target.kind == WEIR_TARGET_WORKER)
        return NULL;
    if (is_http2(probing))
        return &probe_http2_ops;
    return probing->target.protocol == WEIR_FASTCGI ? &probe_fastcgi_ops : &probe_http1_ops;
}

static weir_span_t copy(weir_probing_t *probing, const char *text)
{
    return text == NULL ? (weir_span_t){NULL, 0} : weir_arena_copy(&probing->arena, (weir_span_t){text, strlen(text)});
}

/* As a client would write it that goes there by itself; what logs call the place is nothing to the backend. */
static weir_span_t host_of(weir_probing_t *probing)
{
    const weir_target_t *target = &probing->wanted;
    char text[INET6_ADDRSTRLEN];

    if (target->tls_name.len > 0)
        return target->tls_name;
    if (target->kind == WEIR_TARGET_NAME)
        return weir_arena_format(&probing->arena, "%.*s:%u", (int)target->name.len, target->name.base, target->port);
    if (target->kind != WEIR_TARGET_ADDRESS || target->address.any.sa_family == AF_UNIX)
        return WEIR_SPAN("localhost");
    const bool is_v6 = target->address.any.sa_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&target->address.v6.sin6_addr : &target->address.v4.sin_addr;
    if (inet_ntop(target->address.any.sa_family, bytes, text, sizeof(text)) == NULL)
        return WEIR_SPAN("localhost");
    return weir_arena_format(&probing->arena, is_v6 ? "[%s]:%u" : "%s:%u", text, weir_address_port(&target->address.any));
}

static void set_port(weir_target_t *target, uint16_t port)
{
    if (target->kind == WEIR_TARGET_NAME)
        target->port = port;
    else if (target->kind == WEIR_TARGET_ADDRESS && target->address.any.sa_family == AF_INET)
        target->address.v4.sin_port = htons(port);
    else if (target->kind == WEIR_TARGET_ADDRESS && target->address.any.sa_family == AF_INET6)
        target->address.v6.sin6_port = htons(port);
}

weir_probing_t *weir_probing_begin(const weir_probe_settings_t *settings, const weir_target_t *target,
                                   void (*on_result)(void *context, const weir_probe_result_t *result), void *context)
{
    weir_probing_t *probing;

    if (under_way >= WEIR_PROBES_MOST)
        return NULL;
    under_way++;
    probing = calloc(1, sizeof(*probing));
    WEIR_MUST(probing != NULL);
    weir_arena_init(&probing->arena);
    probing->loop = weir_steward();
    probing->kind = settings->kind;
    probing->wanted = *target;
    if (settings->port != 0)
        set_port(&probing->wanted, settings->port);
    probing->target = probing->wanted;
    probing->path = copy(probing, settings->path);
    probing->host = settings->host != NULL ? copy(probing, settings->host) : host_of(probing);
    probing->service = copy(probing, settings->service);
    probing->ops = ops_of(probing);
    probing->result = (weir_probe_result_t){.size = sizeof(probing->result), .grpc_status = -1};
    probing->on_result = on_result;
    probing->context = context;
    probing->begun_at_us = weir_loop_now_us(probing->loop);
    probing->wait.on_known = on_known;
    probing->start.open = on_start;
    weir_list_init(&probing->start.link);
    weir_timer_set(probing->loop, &probing->deadline, settings->timeout_ms, on_deadline);
    weir_loop_post(probing->loop, &probing->start);
    return probing;
}
