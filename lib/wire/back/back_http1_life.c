/* SPDX-License-Identifier: MIT */
/* A connection of HTTP/1 or FastCGI: made, let go of, freed (the picture is in back_http1.h). */
#include "lib/wire/back/back_http1.h"

#include <stdlib.h>

#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/wire/back/back_fastcgi.h"
#include "lib/wire/back/back_worker_http1.h"

enum { UNHEARD_MOST_MS = 3200 }; /* between two questions for a connection that others keep idle */

static void release(weir_back_t *back, weir_exchange_t *x);

static const weir_back_ops_t http1_ops = {
    .start = back_http1_start,
    .rest = back_http1_rest,
    .on_client_writable = back_http1_on_client_writable,
    .release = release,
};

static const weir_back_ops_t fastcgi_ops = {
    .start = back_fastcgi_start,
    .rest = back_fastcgi_rest,
    .on_client_writable = back_fastcgi_on_client_writable,
    .release = release,
};

/*
 * The kernel takes a connection, and a request, before the backend does; one that is silent may wait for a process that is held
 * by another connection.
 */
static void on_unheard(weir_timer_t *timer)
{
    back_http1_t *back = WEIR_AROUND(timer, back_http1_t, unheard_timer);
    weir_loop_t *loop = back->back.loop;

    if (back->back.is_reused || back->back.has_answered)
        return;
    weir_back_pool_want(loop->pool, &back->address.any, back->address_len);
    back->is_wanting = true;
    if (back->unheard_ms < UNHEARD_MOST_MS)
        back->unheard_ms *= 2;
    weir_timer_set(loop, timer, back->unheard_ms, on_unheard);
}

void back_http1_want_word(back_http1_t *back, uint32_t within_ms)
{
    back->unheard_ms = within_ms;
    if (within_ms > 0)
        weir_timer_set(back->back.loop, &back->unheard_timer, within_ms, on_unheard);
}

static back_http1_t *make(weir_loop_t *loop, const weir_target_t *target)
{
    back_http1_t *back = calloc(1, sizeof(*back));

    WEIR_MUST(back != NULL);
    back->protocol = target->protocol;
    back->back.ops = target->protocol == WEIR_FASTCGI ? &fastcgi_ops : &http1_ops;
    back->back.loop = loop;
    weir_list_init(&back->in_place);
    weir_list_init(&back->in_age);
    back->address_len = target->address_len;
    memcpy(&back->address, &target->address, target->address_len);
    weir_back_tls_init(&back->tls, target);
    weir_metrics_add(WEIR_CELL_backend_opened, 1);
    return back;
}

back_http1_t *back_http1_create(weir_loop_t *loop, const weir_target_t *target, int fd)
{
    back_http1_t *back = make(loop, target);

    weir_sock_open(&back->sock, loop, fd, false);
    return back;
}

back_http1_t *back_http1_adopt(weir_loop_t *loop, const weir_target_t *target, weir_sock_t *sock)
{
    back_http1_t *back = make(loop, target);

    weir_sock_move(&back->sock, sock);
    return back;
}

void back_http1_destroy(back_http1_t **back)
{
    back_http1_t *gone = *back;

    if (gone == NULL)
        return;
    *back = NULL;
    if (gone->worker != NULL)
        back_worker_http1_end(gone);
    weir_timer_cancel(&gone->back.timer);
    weir_timer_cancel(&gone->unheard_timer);
    weir_sock_close(&gone->sock);
    weir_metrics_add(WEIR_CELL_backend_closed, 1);
    weir_back_tls_finish(&gone->tls);
    weir_bytes_free(&gone->back.in);
    weir_bytes_free(&gone->back.out);
    free(gone);
}

static void release(weir_back_t *back, weir_exchange_t *x)
{
    back_http1_t *connection = back_http1_of(back);

    if (!back->is_clean || x->target.keepalive == WEIR_CLOSE || x->loop->is_draining) {
        back_http1_destroy(&connection);
        return;
    }
    back->is_clean = back->has_answered = back->is_reused = false;
    connection->fastcgi = NULL;
    weir_back_pool_give(x->loop->pool, &connection, x->plan->backend_idle_timeout_ms);
}
