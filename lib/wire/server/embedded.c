/* SPDX-License-Identifier: MIT */
/*
 * An application turns the loop; what we need of it is asked for:
 *
 *   a letter or a timer ─► on_wish ─► libh2o's zero timeout ─► weir_loop_attend() ─► a timer of the kernel's until the next
 */
#include "lib/wire/server/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>

#include "lib/base/must.h"
#include "lib/walk/exchange.h"
#include "lib/walk/watch.h"
#include "lib/wire/client/client.h"
#include "lib/wire/door/start.h"
#include "lib/wire/front/handler.h"
#include "lib/wire/server/parts.h"
#include "lib/wire/tls/tls.h"

/* One context of an application's. */
typedef struct embedded {
    weir_list_t link; /* in `all`, of this thread */
    weir_context_t context;
    weir_server_settings_t settings; /* of the context */
    weir_server_t server;
    unsigned handlers; /* that the context has met */
    h2o_timeout_entry_t turn;
    h2o_socket_t *timer;
    int timer_fd;
    weir_list_t doors; /* of door_t's listeners */
} embedded_t;

/* A way in: what our fronts know of a listener of the application's. */
typedef struct door {
    weir_listener_t listener; /* first: it frees itself */
    weir_listen_t listen;
    const SSL_CTX *ssl_ctx; /* of the application's; held by listen.tls */
} door_t;

static __thread weir_list_t all;

static embedded_t *find(h2o_context_t *h2o)
{
    if (all.next == NULL)
        weir_list_init(&all);
    for (weir_list_t *node = all.next; node != &all; node = node->next)
        if (WEIR_AROUND(node, embedded_t, link)->context.h2o == h2o)
            return WEIR_AROUND(node, embedded_t, link);
    return NULL;
}

/* ---- turns ---- */

static embedded_t *embedded_of(weir_loop_t *loop)
{
    return WEIR_AROUND(loop->context, embedded_t, context);
}

static void on_wish(weir_loop_t *loop)
{
    if (loop->context == NULL) /* still being made */
        return;
    embedded_t *embedded = embedded_of(loop);
    if (!h2o_timeout_is_linked(&embedded->turn))
        h2o_timeout_link(embedded->context.h2o->loop, &embedded->context.h2o->zero_timeout, &embedded->turn);
}

static void turn(embedded_t *embedded)
{
    int32_t rest_ms = weir_loop_attend(embedded->context.loop);

    if (rest_ms == 0) {
        on_wish(embedded->context.loop);
        return;
    }
    struct itimerspec until = {.it_value = {.tv_sec = rest_ms / 1000, .tv_nsec = rest_ms % 1000 * 1000000L}};
    WEIR_MUST(timerfd_settime(embedded->timer_fd, 0, &until, NULL) == 0);
}

static void on_turn(h2o_timeout_entry_t *entry)
{
    turn(WEIR_AROUND(entry, embedded_t, turn));
}

static void on_timer(h2o_socket_t *sock, const char *err)
{
    h2o_buffer_consume(&sock->input, sock->input->size); /* how often it was due */
    turn(sock->data);
}

static void open_timer(embedded_t *embedded)
{
    embedded->turn.cb = on_turn;
    embedded->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    WEIR_MUST(embedded->timer_fd != -1);
    embedded->timer = h2o_evloop_socket_create(embedded->context.h2o->loop, embedded->timer_fd, 0);
    embedded->timer->data = embedded;
    h2o_socket_read_start(embedded->timer, on_timer);
}

/* ---- life ---- */

/* Once no connection holds it any more. */
static void free_door(door_t *door)
{
    WEIR_MUST(door->listener.holders == 1);
    weir_list_remove(&door->listener.link);
    weir_tls_release(&door->listen.tls);
    weir_listener_release(&door->listener);
}

static uint32_t at_most_u32(uint64_t ms)
{
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void watch(const weir_server_settings_t *settings)
{
    static _Atomic unsigned loops;

    weir_watch_join(atomic_fetch_add(&loops, 1) + 1, false);
    weir_watch_begin(&(weir_watch_limits_t){settings->watchdog_ms, settings->watchdog_kill_ms, 0}, NULL);
}

/* The limits and timers of an application's connections are its globalconf's, where that has a word for them. */
static embedded_t *create(h2o_context_t *h2o, const weir_server_settings_t *settings)
{
    embedded_t *embedded = calloc(1, sizeof(*embedded));

    WEIR_MUST(embedded != NULL);
    embedded->context.h2o = h2o;
    embedded->settings = *settings;
    embedded->settings.globalconf = h2o->globalconf;
    if (settings->header_timeout_ms == 0)
        embedded->settings.header_timeout_ms = at_most_u32(h2o->globalconf->http1.req_timeout);
    embedded->context.settings = &embedded->settings;
    embedded->context.holders = 1;
    weir_list_init(&embedded->doors);
    embedded->context.loop = weir_loop_create_in(h2o, &embedded->server, &weir_loop_parts, on_wish);
    weir_list_append(&embedded->context.loop->contexts, &embedded->context.link);
    weir_loop_use(embedded->context.loop, &embedded->context);
    open_timer(embedded);
    watch(settings);
    weir_list_append(&all, &embedded->link);
    return embedded;
}

static void destroy(embedded_t *embedded)
{
    weir_loop_t *loop = embedded->context.loop;

    WEIR_MUST(loop->connection_count == 0); /* weir_drain() says so */
    weir_list_remove(&embedded->link);
    weir_watch_part();
    weir_loop_settle(loop);
    h2o_timeout_unlink(&embedded->turn);
    h2o_socket_close(embedded->timer);
    while (!weir_list_is_empty(&embedded->doors))
        free_door(WEIR_AROUND(embedded->doors.next, door_t, listener.link));
    weir_list_remove(&embedded->context.link);
    weir_loop_destroy(&loop);
    weir_loop_forget_thread();
    free(embedded);
}

weir_context_t *weir_embedded_enter(h2o_context_t *h2o, const weir_server_settings_t *settings)
{
    embedded_t *embedded = find(h2o);

    if (embedded == NULL)
        embedded = create(h2o, settings);
    embedded->handlers++;
    return &embedded->context;
}

void weir_embedded_leave(h2o_context_t *h2o)
{
    embedded_t *embedded = find(h2o);

    WEIR_MUST(embedded != NULL); /* it is on the thread that has made it */
    if (--embedded->handlers == 0)
        destroy(embedded);
}

/* ---- connections ---- */

/* An application may make a context of TLS for each renewal of its certificates: doors to those before are not kept. */
static void free_unused_doors(embedded_t *embedded)
{
    weir_list_t *node = embedded->doors.next;

    while (node != &embedded->doors) {
        door_t *door = WEIR_AROUND(node, door_t, listener.link);
        node = node->next;
        if (door->listener.holders == 1)
            free_door(door);
    }
}

static door_t *open_door(embedded_t *embedded, const h2o_accept_ctx_t *how, uint16_t port)
{
    free_unused_doors(embedded);
    door_t *door = calloc(1, sizeof(*door));
    WEIR_MUST(door != NULL);
    snprintf(door->listen.name, sizeof(door->listen.name), "weir_accept: port %u", port);
    door->listen.hosts = how->hosts;
    door->listen.has_proxy_protocol = how->expect_proxy_line != 0;
    door->listen.tls = how->ssl_ctx != NULL ? weir_tls_of_application(how->ssl_ctx) : NULL;
    door->ssl_ctx = how->ssl_ctx;
    door->listener.loop = embedded->context.loop;
    door->listener.holders = 1;
    door->listener.listen = &door->listen;
    door->listener.port = port;
    weir_list_init(&door->listener.link);
    weir_list_append(&embedded->doors, &door->listener.link);
    return door;
}

/* Stands for that of the application's listeners which accepts on `port` as `how` says. */
static weir_listener_t *door_for(embedded_t *embedded, const h2o_accept_ctx_t *how, uint16_t port)
{
    for (weir_list_t *node = embedded->doors.next; node != &embedded->doors; node = node->next) {
        door_t *door = WEIR_AROUND(node, door_t, listener.link);
        if (door->listen.hosts == how->hosts && door->ssl_ctx == how->ssl_ctx && door->listener.port == port &&
            door->listen.has_proxy_protocol == (how->expect_proxy_line != 0))
            return &door->listener;
    }
    return &open_door(embedded, how, port)->listener;
}

/* Our descriptor out of libh2o's socket, or -1: what libh2o has read, or TLS of its own, would stay behind. */
static int take_descriptor(h2o_socket_t *sock)
{
    h2o_socket_export_t out;

    if (sock->ssl != NULL || sock->input->size > 0 || h2o_socket_export(sock, &out) != 0)
        return -1;
    h2o_buffer_dispose(&out.input);
    return out.fd;
}

bool weir_embedded_accept(h2o_accept_ctx_t *how, h2o_socket_t *from)
{
    embedded_t *embedded = find(how->ctx);
    /* Sessions that libh2o asks memcached for: its callbacks look for a socket of libh2o's inside the SSL */
    bool is_possible = embedded != NULL && how->libmemcached_receiver == NULL;
    int fd = is_possible ? take_descriptor(from) : -1;

    if (fd == -1)
        return false;
    weir_address_t here = {.any.sa_family = AF_UNIX}, there = {.any.sa_family = AF_UNIX};
    socklen_t here_len = sizeof(here), there_len = sizeof(there);
    (void)getsockname(fd, &here.any, &here_len);
    (void)getpeername(fd, &there.any, &there_len);
    weir_loop_tick(embedded->context.loop);
    weir_loop_connection_opened(embedded->context.loop);
    weir_start_accept(door_for(embedded, how, weir_address_port(&here.any)), fd, &there.any);
    return true;
}

size_t weir_embedded_drain(h2o_context_t *h2o)
{
    embedded_t *embedded = find(h2o);

    if (embedded == NULL)
        return 0;
    weir_loop_t *loop = embedded->context.loop;
    if (!loop->is_draining) /* it is asked again and again */
        weir_start_drain_all(loop);
    loop->is_draining = true;
    weir_client_drain_all(loop, NULL);
    return loop->connection_count + weir_exchange_count();
}

/* ---- the handler of a path ---- */

typedef struct embedded_handler {
    weir_handler_t handler; /* first */
    const weir_server_settings_t *settings;
    void (*on_dispose)(const weir_server_settings_t *settings);
} embedded_handler_t;
static void on_context_init(h2o_handler_t *super, h2o_context_t *h2o)
{
    const embedded_handler_t *self = (const embedded_handler_t *)(const void *)super;

    h2o_context_set_handler_context(h2o, super, weir_embedded_enter(h2o, self->settings));
}

static void on_context_dispose(h2o_handler_t *super, h2o_context_t *h2o)
{
    weir_embedded_leave(h2o);
}

static void on_dispose(h2o_handler_t *super)
{
    const embedded_handler_t *self = (const embedded_handler_t *)(const void *)super;

    self->on_dispose(self->settings);
}

static int on_embedded_req(h2o_handler_t *super, h2o_req_t *req)
{
    weir_context_t *context = h2o_context_get_handler_context(req->conn->ctx, super);

    weir_loop_tick(context->loop); /* whatever brought it here, it was no event of ours */
    return weir_handler_begin((const weir_handler_t *)(const void *)super, req, context);
}

void weir_embedded_register(h2o_pathconf_t *path, const weir_plan_t *plan, const weir_server_settings_t *settings,
                            void (*when_disposed)(const weir_server_settings_t *settings))
{
    embedded_handler_t *self = (embedded_handler_t *)(void *)h2o_create_handler(path, sizeof(*self));

    self->handler.super.on_req = on_embedded_req;
    self->handler.super.on_context_init = on_context_init;
    self->handler.super.on_context_dispose = on_context_dispose;
    self->handler.super.dispose = on_dispose;
    self->handler.plan = plan;
    self->settings = settings;
    self->on_dispose = when_disposed;
}
