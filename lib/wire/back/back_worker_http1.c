/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_worker_http1.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/metrics.h"
#include "lib/base/must.h"

enum { KEEPALIVE_S = 15, KEEPALIVE_TRIES = 3 };

/* ---- its beginning and end ---- */

/* Whoever reads or writes finds its end. */
static void on_drain_timeout(weir_timer_t *timer)
{
    (void)shutdown(WEIR_AROUND(timer, back_worker_http1_t, drain)->back->sock.fd, SHUT_RDWR);
}

/* Idle, it ends at once; else behind its request, or when that takes too long. */
static void on_dismiss(weir_link_t *link, const char *why)
{
    back_worker_http1_t *worker = WEIR_AROUND(link, back_worker_http1_t, link);
    back_http1_t *back = worker->back;

    worker->must_end = true;
    weir_link_can(link, 0);
    if (worker->is_in_use)
        weir_timer_set(link->loop, &worker->drain, worker->drain_timeout_ms, on_drain_timeout);
    if (worker->is_in_use || back->place == NULL)
        return;
    weir_back_pool_remove(back);
    back_http1_destroy(&back);
}

/* A host that is gone says nothing, and there are no PINGs. */
static void watch_host(int fd)
{
    static const struct {
        int level, option, value;
    } wanted[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                  {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
                  {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S / KEEPALIVE_TRIES},
                  {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES}};

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        (void)setsockopt(fd, wanted[i].level, wanted[i].option, &wanted[i].value, sizeof(wanted[i].value));
}

void back_worker_http1_open(weir_loop_t *loop, weir_sock_t *sock, weir_worker_words_t *words, weir_bytes_t *head,
                            const back_worker_settings_t *settings)
{
    back_worker_http1_t *worker = calloc(1, sizeof(*worker));
    weir_target_t target = {.kind = WEIR_TARGET_WORKER, .protocol = WEIR_HTTP1};

    WEIR_MUST(worker != NULL);
    worker->link.loop = loop;
    worker->link.words = *words;
    worker->drain_timeout_ms = settings->drain_timeout_ms;
    worker->link.dismiss = on_dismiss;
    *words = (weir_worker_words_t){.app = ""};
    weir_workers_enter(&worker->link);
    back_worker_end_head(head, &worker->link);
    target.address_len = weir_worker_address(worker->link.worker->number, &target.address);
    worker->back = back_http1_adopt(loop, &target, sock);
    worker->back->worker = worker;
    weir_metrics_add(WEIR_CELL_workers_begun, 1);
    watch_host(worker->back->sock.fd);
    const bool is_said = weir_sock_write_queue(&worker->back->sock, head, NULL) == 0; /* a new socket has room */
    weir_bytes_free(head);
    back_http1_t *back = worker->back;
    if (!is_said) {
        back_http1_destroy(&back);
        return;
    }
    weir_link_can(&worker->link, 1);
    weir_back_pool_give(loop->pool, &back, 0);
}

void back_worker_http1_end(back_http1_t *back)
{
    back_worker_http1_t *worker = back->worker;

    back->worker = NULL;
    weir_timer_cancel(&worker->drain);
    weir_link_leave(&worker->link);
    if (worker->link.loop != NULL)
        weir_loop_take_back(worker->link.loop, &worker->link.letter);
    weir_metrics_add(WEIR_CELL_workers_ended, 1);
    weir_worker_words_finish(&worker->link.words);
    free(worker);
}

bool back_worker_http1_use(back_http1_t *back, bool is_in_use)
{
    back_worker_http1_t *worker = back->worker;

    worker->is_in_use = is_in_use;
    atomic_store_explicit(&worker->link.in_use, is_in_use ? 1 : 0, memory_order_relaxed);
    return is_in_use || !worker->must_end;
}

/* ---- from loop to loop ---- */

/* One letter there and, with a connection or not, back. */
typedef struct fetching {
    weir_letter_t letter;
    weir_loop_t *from, *to;
    weir_target_t target;
    back_http1_t *back;
} fetching_t;

static void on_arrived(weir_letter_t *letter)
{
    fetching_t *fetching = WEIR_AROUND(letter, fetching_t, letter);
    back_http1_t *back = fetching->back;

    weir_sock_arrive(&back->sock, fetching->to);
    back->back.loop = fetching->to;
    if (back->worker->must_end || fetching->to->is_draining)
        back_http1_destroy(&back);
    else
        weir_back_pool_give(fetching->to->pool, &back, 0);
    free(fetching);
}

/* From the moment when its link is said to be there, nobody here looks at it. */
static bool give_away(fetching_t *fetching, back_http1_t *back)
{
    back_worker_http1_t *worker = back->worker;

    (void)back_worker_http1_use(back, false);
    fetching->back = back;
    fetching->letter.open = on_arrived;
    if (worker->must_end || !weir_sock_part(&back->sock)) {
        back_http1_destroy(&back);
        return false;
    }
    if (!weir_link_move(&worker->link, fetching->to)) { /* it was sent away at this moment */
        weir_sock_arrive(&back->sock, fetching->from);
        back_http1_destroy(&back);
        return false;
    }
    weir_loop_post(fetching->to, &fetching->letter);
    return true;
}

static void on_asked(weir_letter_t *letter)
{
    fetching_t *fetching = WEIR_AROUND(letter, fetching_t, letter);
    back_http1_t *back = weir_back_pool_take(fetching->from->pool, &fetching->target);

    if (back == NULL || !give_away(fetching, back))
        free(fetching);
}

bool back_worker_http1_fetch(weir_loop_t *loop, const weir_target_t *target)
{
    weir_worker_t *worker = weir_worker_hold(weir_worker_number(&target->address.any, target->address_len));
    bool has_any = false;
    weir_loop_t *from = worker == NULL ? NULL : weir_worker_loop(worker, loop, &has_any);
    fetching_t *fetching;

    weir_worker_release(worker);
    if (from == NULL || from == loop)
        return has_any;
    fetching = calloc(1, sizeof(*fetching));
    WEIR_MUST(fetching != NULL);
    *fetching = (fetching_t){.from = from, .to = loop, .target = {.kind = WEIR_TARGET_WORKER, .protocol = WEIR_HTTP1}};
    fetching->target.address_len = target->address_len;
    memcpy(&fetching->target.address, &target->address, target->address_len);
    fetching->letter.open = on_asked;
    weir_list_init(&fetching->letter.link);
    weir_loop_post(from, &fetching->letter);
    return true;
}
