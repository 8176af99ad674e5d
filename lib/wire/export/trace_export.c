/* SPDX-License-Identifier: MIT */
#include "lib/wire/export/trace_export.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/scrape.h"
#include "lib/base/trace_queue.h"
#include "lib/http/otlp.h"
#include "lib/wire/export/trace_post.h"

enum { BATCH_MS = 1000, AGAIN_MS = 1000, AGAIN_MS_MOST = 30000, TELL_MS = 10000, NEVER_MS = 3600000 };

/* What was lost and not yet told. */
typedef struct losses {
    uint64_t refused, unreachable;
    uint64_t full_before; /* of the counter of those that found no room: what was told of it */
    uint64_t next_tell_ms;
    char problem[WEIR_POST_PROBLEM_BYTES]; /* the latest */
} losses_t;

/* The thread's own. */
typedef struct sender {
    weir_trace_item_t *first, **end; /* taken from the queue, in order */
    size_t count;
    uint64_t due_ms; /* when they are sent, however few they are */
    losses_t losses;
} sender_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_trace_receiver_t *present; /* under the lock; held */
static pthread_t thread;
static bool is_running;
static int wake_fd = -1;
static weir_post_stop_t stop = {.fd = -1};

static bool is_stopping(void)
{
    return atomic_load(&stop.until_ms) != 0;
}

static weir_trace_receiver_t *hold_present(void)
{
    weir_trace_receiver_t *receiver;

    pthread_mutex_lock(&lock);
    receiver = weir_trace_receiver_hold(present);
    pthread_mutex_unlock(&lock);
    return receiver;
}

/* Until the deadline, or `fd` has something to read, or the process ends. */
static void rest(int fd, uint64_t deadline_ms)
{
    struct pollfd either[] = {{.fd = fd, .events = POLLIN}, {.fd = stop.fd, .events = POLLIN}};
    const uint64_t now_ms = weir_post_now_ms();

    if (now_ms < deadline_ms)
        (void)poll(either, 2, (int)(deadline_ms - now_ms)); /* whoever is interrupted looks again */
}

/* ---- what is lost ---- */

static uint64_t untold_full(const losses_t *losses)
{
    return weir_scrape_cell(WEIR_CELL_spans_full) - losses->full_before;
}

static bool has_untold(const losses_t *losses)
{
    return losses->refused + losses->unreachable + untold_full(losses) > 0;
}

static void tell(losses_t *losses)
{
    const uint64_t full = untold_full(losses), now_ms = weir_post_now_ms();
    weir_trace_receiver_t *receiver = hold_present();

    weir_log("weir.trace: %s: spans are lost: refused %" PRIu64 ", unreachable %" PRIu64 ", no room to wait %" PRIu64 "%s%s",
             receiver->url, losses->refused, losses->unreachable, full, losses->problem[0] != '\0' ? ": " : "",
             losses->problem);
    weir_trace_receiver_release(&receiver);
    losses->full_before += full;
    losses->refused = losses->unreachable = 0;
    losses->problem[0] = '\0';
    losses->next_tell_ms = now_ms + TELL_MS;
}

static void lose(losses_t *losses, weir_cell_t cell, uint64_t *sum, uint64_t count, const char *problem)
{
    if (count == 0)
        return;
    weir_metrics_add(cell, count);
    *sum += count;
    (void)snprintf(losses->problem, sizeof(losses->problem), "%s", problem);
}

/* ---- a message ---- */

static void collect(sender_t *sender)
{
    *sender->end = weir_trace_queue_take();
    if (sender->first != NULL && sender->count == 0)
        sender->due_ms = weir_post_now_ms() + BATCH_MS;
    for (; *sender->end != NULL; sender->end = &(*sender->end)->next)
        sender->count++;
}

/* Returns how many spans are in it. */
static size_t write_batch(const sender_t *sender, const char *service, FILE *out)
{
    size_t count = 0;

    weir_otlp_write_front(out, service, WEIR_VERSION);
    for (const weir_trace_item_t *item = sender->first; item != NULL && count < WEIR_TRACE_BATCH; item = item->next) {
        if (count++ > 0)
            fputc(',', out);
        fwrite(item->text, 1, item->len, out);
    }
    weir_otlp_write_rest(out);
    return count;
}

static void drop(sender_t *sender, size_t count)
{
    for (; count > 0; count--) {
        weir_trace_item_t *item = sender->first;
        sender->first = item->next;
        sender->count--;
        weir_trace_queue_free(item);
    }
    if (sender->first == NULL)
        sender->end = &sender->first;
}

static void account(losses_t *losses, const weir_post_result_t *result, size_t count)
{
    const uint64_t rejected = result->rejected < count ? result->rejected : count;

    switch (result->end) {
    case WEIR_POST_TAKEN:
        weir_metrics_add(WEIR_CELL_spans_exported, count - rejected);
        lose(losses, WEIR_CELL_spans_refused, &losses->refused, rejected, "it takes only some of a message");
        return;
    case WEIR_POST_REFUSED:
        lose(losses, WEIR_CELL_spans_refused, &losses->refused, count, result->problem);
        return;
    case WEIR_POST_UNREACHABLE:
    case WEIR_POST_AGAIN:
        lose(losses, WEIR_CELL_spans_unreachable, &losses->unreachable, count, result->problem);
        return;
    }
}

/* As long as the receiver wants, within reason; not all proxies at once. */
static uint64_t again_at_ms(const weir_post_result_t *result)
{
    const uint64_t now_ms = weir_post_now_ms();
    const uint32_t said_ms = result->retry_after_ms < AGAIN_MS_MOST ? result->retry_after_ms : AGAIN_MS_MOST;

    return now_ms + (said_ms != 0 ? said_ms : AGAIN_MS) + now_ms % (AGAIN_MS / 4);
}

/* Where the process ends meanwhile, the second time comes at once. */
static weir_post_result_t post_twice(const weir_trace_receiver_t *receiver, weir_span_t body)
{
    weir_post_result_t result = weir_trace_post(receiver, body, &stop);

    if (result.end != WEIR_POST_AGAIN)
        return result;
    rest(-1, again_at_ms(&result));
    return weir_trace_post(receiver, body, &stop);
}

static void send_batch(sender_t *sender)
{
    weir_trace_receiver_t *receiver = hold_present();
    weir_post_result_t result;
    char *text = NULL;
    size_t bytes, count;
    FILE *out = open_memstream(&text, &bytes);

    WEIR_MUST(out != NULL);
    count = write_batch(sender, receiver->service, out);
    WEIR_MUST(fclose(out) == 0);
    result = post_twice(receiver, (weir_span_t){text, bytes});
    account(&sender->losses, &result, count);
    drop(sender, count);
    sender->due_ms = weir_post_now_ms() + BATCH_MS;
    free(text);
    weir_trace_receiver_release(&receiver);
}

/* ---- the thread ---- */

static uint64_t next_look_ms(const sender_t *sender)
{
    const uint64_t now_ms = weir_post_now_ms();

    if (sender->count > 0)
        return sender->due_ms;
    if (weir_trace_queue_waiting() > 0)
        return now_ms + BATCH_MS;
    return has_untold(&sender->losses) ? sender->losses.next_tell_ms : now_ms + NEVER_MS;
}

static void wait_for_spans(const sender_t *sender)
{
    eventfd_t count;

    rest(wake_fd, next_look_ms(sender));
    (void)eventfd_read(wake_fd, &count);
}

static bool is_due(const sender_t *sender)
{
    return sender->count >= WEIR_TRACE_BATCH || (sender->count > 0 && (is_stopping() || weir_post_now_ms() >= sender->due_ms));
}

static void give_up_rest(sender_t *sender)
{
    const size_t count = sender->count;

    lose(&sender->losses, WEIR_CELL_spans_unreachable, &sender->losses.unreachable, count, "the process ends");
    drop(sender, count);
    if (has_untold(&sender->losses))
        tell(&sender->losses);
}

static void *run(void *arg)
{
    sender_t sender = {.first = NULL};

    sender.end = &sender.first;
    for (;;) {
        const bool was_stopping = is_stopping();
        collect(&sender);
        if (!was_stopping && has_untold(&sender.losses) && weir_post_now_ms() >= sender.losses.next_tell_ms)
            tell(&sender.losses);
        if (was_stopping && (sender.count == 0 || weir_post_now_ms() >= atomic_load(&stop.until_ms)))
            break;
        if (is_due(&sender))
            send_batch(&sender);
        else
            wait_for_spans(&sender);
    }
    give_up_rest(&sender);
    return NULL;
}

static void start(void)
{
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stop.fd = eventfd(0, EFD_CLOEXEC);
    WEIR_MUST(wake_fd != -1 && stop.fd != -1);
    atomic_store(&stop.until_ms, 0);
    is_running = pthread_create(&thread, NULL, run, NULL) == 0;
    WEIR_MUST(is_running);
    weir_trace_queue_wake(wake_fd);
    (void)eventfd_write(wake_fd, 1); /* something may have come before */
}

void weir_trace_export_begin(weir_trace_receiver_t *receiver)
{
    weir_trace_receiver_t *before;

    if (receiver == NULL)
        return;
    pthread_mutex_lock(&lock);
    before = present;
    present = weir_trace_receiver_hold(receiver);
    pthread_mutex_unlock(&lock);
    weir_trace_receiver_release(&before);
    weir_trace_queue_limit(receiver->queue_most);
    if (!is_running)
        start();
}

void weir_trace_export_stop(uint32_t deadline_ms)
{
    if (!is_running)
        return;
    atomic_store(&stop.until_ms, weir_post_now_ms() + deadline_ms);
    (void)eventfd_write(stop.fd, 1);
    pthread_join(thread, NULL);
    is_running = false;
    weir_trace_queue_wake(-1);
    close(wake_fd);
    close(stop.fd);
    weir_trace_receiver_release(&present);
}
