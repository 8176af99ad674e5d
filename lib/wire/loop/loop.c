/* SPDX-License-Identifier: MIT */
#include "lib/wire/loop/loop.h"

#include <stdlib.h>
#include <sys/random.h>

#include <h2o/hostinfo.h>
#include <h2o/http1.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/walk/desk.h"
#include "lib/wire/loop/bytes.h"
#include "lib/wire/loop/generation.h"

enum {
    LETTER_ROUNDS = 8,
    LATE_US = 1000000,        /* a thread that slept may be given the CPU so late, and nobody wonders */
    KEPT_LISTS = 16,          /* of timers, empty ones included, before those are used again */
    WALL_OFFSET_US = 1000000, /* how old the offset to the wall clock may be */
    H2O_POOL_CHUNKS = 16,     /* that libh2o's pools keep per thread */
    H2O_POOL_CHUNK_BYTES = 4096,
};

static __thread weir_loop_t *current; /* the loop that runs on this thread */

/* ---- time ---- */

void weir_loop_tick(weir_loop_t *loop)
{
    loop->now_us = weir_clock_monotonic_us();
    weir_desk_beat(loop->now_us);
    if (loop->now_us - loop->offset_at_us < WALL_OFFSET_US)
        return;
    loop->offset_at_us = loop->now_us;
    loop->wall_offset_us = weir_clock_wall_us() - loop->now_us;
}

uint64_t weir_loop_now_us(const weir_loop_t *loop)
{
    return loop->now_us;
}

uint64_t weir_loop_wall_us(const weir_loop_t *loop)
{
    return loop->now_us + loop->wall_offset_us;
}

static uint64_t now_ms(const weir_loop_t *loop)
{
    return loop->now_us / 1000;
}

/* ---- timers ---- */

static weir_timer_list_t *add_list(weir_loop_t *loop)
{
    size_t count = loop->timer_list_count + 1;

    loop->timer_lists = realloc(loop->timer_lists, count * sizeof(loop->timer_lists[0]));
    weir_timer_list_t *list = malloc(sizeof(*list));
    WEIR_MUST(loop->timer_lists != NULL && list != NULL);
    weir_list_init(&list->timers);
    loop->timer_lists[loop->timer_list_count++] = list;
    return list;
}

/* Delays come from the configuration, so that lists are few. Those that a reload has emptied are used again. */
static weir_timer_list_t *list_for(weir_loop_t *loop, uint32_t delay_ms)
{
    weir_timer_list_t *empty = NULL;

    for (size_t i = 0; i < loop->timer_list_count; i++) {
        weir_timer_list_t *list = loop->timer_lists[i];
        if (list->delay_ms == delay_ms)
            return list;
        if (weir_list_is_empty(&list->timers))
            empty = list;
    }
    weir_timer_list_t *list = empty != NULL && loop->timer_list_count >= KEPT_LISTS ? empty : add_list(loop);
    list->delay_ms = delay_ms;
    return list;
}

void weir_timer_set(weir_loop_t *loop, weir_timer_t *timer, uint32_t delay_ms, void (*on_due)(weir_timer_t *timer))
{
    weir_timer_cancel(timer);
    weir_timer_list_t *list = list_for(loop, delay_ms);
    timer->due_at_ms = now_ms(loop) + list->delay_ms;
    timer->on_due = on_due;
    weir_list_append(&list->timers, &timer->link);
    if (loop->on_wish != NULL)
        loop->on_wish(loop);
}

void weir_timer_cancel(weir_timer_t *timer)
{
    if (weir_timer_is_set(timer))
        weir_list_remove(&timer->link);
}

bool weir_timer_is_set(const weir_timer_t *timer)
{
    return timer->link.next != NULL && timer->link.next != &timer->link;
}

static bool look_at_list(weir_list_t *timers, size_t most, bool (*look)(weir_timer_t *timer))
{
    weir_list_t *node = timers->next;

    for (size_t i = 0; i < most && node != timers; i++) {
        weir_list_t *next = node->next;
        if (look(WEIR_AROUND(node, weir_timer_t, link)))
            return true;
        node = next;
    }
    return false;
}

bool weir_loop_look_at_timers(weir_loop_t *loop, size_t most, bool (*look)(weir_timer_t *timer))
{
    for (size_t i = 0; i < loop->timer_list_count; i++)
        if (look_at_list(&loop->timer_lists[i]->timers, most, look))
            return true;
    return false;
}

static void run_timers(weir_loop_t *loop)
{
    weir_loop_tick(loop);
    uint64_t present_ms = now_ms(loop);
    for (size_t i = 0; i < loop->timer_list_count; i++) {
        weir_list_t *timers = &loop->timer_lists[i]->timers;
        while (!weir_list_is_empty(timers)) {
            weir_timer_t *timer = WEIR_AROUND(timers->next, weir_timer_t, link);
            if (timer->due_at_ms > present_ms)
                break;
            weir_list_remove(&timer->link);
            timer->on_due(timer);
        }
    }
}

/* How long the loop may sleep; at most a second, so that no wake-up can be missed for long. */
static int32_t sleep_ms(const weir_loop_t *loop)
{
    if (!weir_list_is_empty(&loop->letters))
        return 0;
    uint64_t present_ms = now_ms(loop), soonest_ms = present_ms + 1000;
    for (size_t i = 0; i < loop->timer_list_count; i++) {
        const weir_list_t *timers = &loop->timer_lists[i]->timers;
        if (weir_list_is_empty(timers))
            continue;
        uint64_t due_at_ms = WEIR_AROUND(timers->next, weir_timer_t, link)->due_at_ms;
        if (due_at_ms < soonest_ms)
            soonest_ms = due_at_ms;
    }
    return soonest_ms <= present_ms ? 0 : (int32_t)(soonest_ms - present_ms);
}

/* ---- letters ---- */

static void ring(void *owner)
{
    weir_loop_t *loop = owner;

    h2o_multithread_send_message(&loop->waker, loop->on_wish != NULL ? &loop->wake : NULL);
}

void weir_loop_post(weir_loop_t *loop, weir_letter_t *letter)
{
    if (loop != current) {
        weir_mailbox_put(loop->mailbox, &letter->link, current != NULL ? &current->bells : NULL);
        return;
    }
    weir_mailbox_collect(loop->mailbox, &loop->letters); /* which was posted before; and a turn is on its way */
    weir_list_append(&loop->letters, &letter->link);
    if (loop->on_wish != NULL)
        loop->on_wish(loop);
}

void weir_loop_take_back(weir_loop_t *loop, weir_letter_t *letter)
{
    weir_mailbox_take_back(loop->mailbox, &letter->link);
}

/* Called only if an application turns the loop. Ours takes the mailbox in each turn, and a wake-up carries no message. */
static void on_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    weir_loop_t *loop = WEIR_AROUND(receiver, weir_loop_t, waker);

    h2o_linklist_unlink(&loop->wake.link);
    weir_mailbox_empty(loop->mailbox, &loop->letters);
    loop->on_wish(loop);
}

/* Letters post letters: a few rounds save a turn of the loop for each, but sockets must not starve. */
static void open_letters(weir_loop_t *loop)
{
    for (int round = 0; round < LETTER_ROUNDS && !weir_list_is_empty(&loop->letters); round++) {
        weir_list_t present;
        weir_list_init(&present);
        weir_list_move_all(&present, &loop->letters);
        while (!weir_list_is_empty(&present)) {
            weir_letter_t *letter = WEIR_AROUND(present.next, weir_letter_t, link);
            weir_list_remove(&letter->link);
            letter->open(letter);
        }
    }
}

/* ---- dice ---- */

void weir_loop_random(weir_loop_t *loop, uint8_t *bytes, size_t count)
{
    WEIR_MUST(count <= WEIR_RANDOM_BYTES);
    if (loop->random_left < count) {
        WEIR_MUST(getrandom(loop->random, WEIR_RANDOM_BYTES, 0) == WEIR_RANDOM_BYTES);
        loop->random_left = WEIR_RANDOM_BYTES;
    }
    loop->random_left -= count;
    memcpy(bytes, loop->random + loop->random_left, count);
    memset(loop->random + loop->random_left, 0, count);
}

/* ---- life ---- */

/* libh2o keeps memory for reuse per thread, and forgets it when the thread ends. */
static void forget_h2o_memory(void)
{
    struct chunk {
        struct chunk *next;
    };
    struct chunk *chunk = (struct chunk *)(void *)h2o_socket_buffer_prototype.allocator._link;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    h2o_socket_buffer_prototype.allocator._link = NULL;
    h2o_socket_buffer_prototype.allocator.cnt = 0;
    h2o_mem_pool_t pool;
    h2o_mem_init_pool(&pool);
    for (int i = 0; i < 4 * H2O_POOL_CHUNKS; i++) /* takes the kept chunks, and fresh ones when there are none left */
        (void)h2o_mem_alloc_pool(&pool, H2O_POOL_CHUNK_BYTES / 4 - 64);
    for (chunk = (struct chunk *)(void *)pool.chunks; chunk != NULL;) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

static weir_loop_t *create_on(h2o_evloop_t *evloop, h2o_multithread_queue_t *queue, struct weir_server *server,
                              const weir_loop_parts_t *parts)
{
    weir_loop_t *loop = calloc(1, sizeof(*loop));

    WEIR_MUST(loop != NULL);
    loop->thread = pthread_self();
    loop->server = server;
    weir_loop_tick(loop);
    weir_grace_join(&loop->grace);
    weir_list_init(&loop->letters);
    weir_list_init(&loop->connections);
    weir_list_init(&loop->starts);
    weir_list_init(&loop->handshakes.waiting);
    weir_list_init(&loop->handshakes.letter.link);
    weir_list_init(&loop->contexts);
    loop->mailbox = weir_mailbox_create(ring, loop);
    loop->h2o.loop = evloop;
    loop->h2o.queue = queue;
    h2o_multithread_register_receiver(loop->h2o.queue, &loop->waker, on_wake);
    h2o_multithread_register_receiver(loop->h2o.queue, &loop->h2o.names, h2o_hostinfo_getaddr_receiver);
    loop->parts = parts;
    parts->open(loop);
    loop->scratch = weir_block_take();
    loop->head_capacity = 8192;
    loop->head = malloc(loop->head_capacity);
    loop->response_headers = malloc(WEIR_RESPONSE_HEADERS * sizeof(weir_header_t));
    WEIR_MUST(loop->head != NULL && loop->response_headers != NULL);
    return loop;
}

weir_loop_t *weir_loop_create(struct weir_server *server, const weir_loop_parts_t *parts)
{
    h2o_evloop_t *evloop = h2o_evloop_create();

    return create_on(evloop, h2o_multithread_create_queue(evloop), server, parts);
}

weir_loop_t *weir_loop_create_in(h2o_context_t *h2o, struct weir_server *server, const weir_loop_parts_t *parts,
                                 void (*on_wish)(weir_loop_t *loop))
{
    weir_loop_t *loop = create_on(h2o->loop, h2o->queue, server, parts);

    loop->on_wish = on_wish;
    current = loop;
    return loop;
}

int32_t weir_loop_attend(weir_loop_t *loop)
{
    weir_loop_tick(loop);
    loop->turns++;
    open_letters(loop);
    run_timers(loop);
    weir_grace_quiet(&loop->grace);
    return sleep_ms(loop);
}

void weir_loop_use(weir_loop_t *loop, struct weir_context *context)
{
    struct weir_context *before = loop->context;
    size_t count = context->settings->head_limits.count + 1;

    loop->context = context;
    loop->settings = context->settings;
    if (count > loop->request_header_capacity) {
        loop->request_headers = realloc(loop->request_headers, count * sizeof(weir_header_t));
        WEIR_MUST(loop->request_headers != NULL);
        loop->request_header_capacity = count;
    }
    loop->parts->use(loop);
    weir_context_release(before);
}

/* Else libh2o serves stale files: clearing its cache of open files is left to the program around it. */
static void clear_file_caches(weir_loop_t *loop)
{
    for (weir_list_t *node = loop->contexts.next; node != &loop->contexts; node = node->next)
        h2o_filecache_clear(WEIR_AROUND(node, weir_context_t, link)->h2o->filecache);
}

void weir_loop_turn(weir_loop_t *loop, int32_t most_ms)
{
    int32_t wait_ms = sleep_ms(loop);

    current = loop;
    loop->turns++;
    weir_bells_open(&loop->bells);
    weir_desk_note("a turn");
    weir_desk_beat(loop->now_us + (uint64_t)wait_ms * 1000 + LATE_US);
    /* -1 is EINTR (or a descriptor that vanished): the next turn sees what is left */
    (void)h2o_evloop_run(loop->h2o.loop, wait_ms < most_ms ? wait_ms : most_ms);
    clear_file_caches(loop);
    weir_loop_tick(loop);
    weir_mailbox_empty(loop->mailbox, &loop->letters);
    open_letters(loop);
    run_timers(loop);
    weir_bells_ring(&loop->bells);
    weir_grace_quiet(&loop->grace);
}

void weir_loop_run(weir_loop_t *loop)
{
    while (!loop->is_stopped)
        weir_loop_turn(loop, INT32_MAX);
}

void weir_loop_stop(weir_loop_t *loop)
{
    loop->is_stopped = true;
}

static _Atomic(weir_loop_t *) left_behind; /* so that they are not lost, only kept */

void weir_loop_leave(weir_loop_t **loop)
{
    weir_loop_t *left = *loop;

    *loop = NULL;
    left->next_left = atomic_load(&left_behind);
    while (!atomic_compare_exchange_weak(&left_behind, &left->next_left, left))
        continue;
}

static void destroy_h2o(weir_loop_t *loop)
{
    h2o_multithread_destroy_queue(loop->h2o.queue);
    free(loop->h2o.queue); /* 2.2.5 forgets to */
    (void)h2o_evloop_run(loop->h2o.loop, 0);
    h2o_evloop_destroy(loop->h2o.loop);
}

void weir_loop_settle(weir_loop_t *loop)
{
    current = loop;
    loop->parts->settle(loop);
    /* One more turn lets libh2o free the sockets that were closed in the last one. */
    if (loop->on_wish == NULL)
        (void)h2o_evloop_run(loop->h2o.loop, 0);
    weir_mailbox_empty(loop->mailbox, &loop->letters);
    open_letters(loop);
    current = NULL;
}

void weir_loop_destroy(weir_loop_t **loop)
{
    weir_loop_t *gone = *loop;

    if (gone == NULL)
        return;
    *loop = NULL;
    WEIR_MUST(weir_list_is_empty(&gone->contexts));
    weir_grace_part(&gone->grace);
    weir_mailbox_close(&gone->mailbox);
    if (h2o_linklist_is_linked(&gone->wake.link)) /* and the application has had no turn since */
        h2o_linklist_unlink(&gone->wake.link);
    h2o_multithread_unregister_receiver(gone->h2o.queue, &gone->waker);
    h2o_multithread_unregister_receiver(gone->h2o.queue, &gone->h2o.names);
    if (gone->on_wish == NULL)
        destroy_h2o(gone);
    weir_spare_empty(&gone->front_http1_streams);
    gone->parts->close(gone);
    weir_block_give(gone->scratch);
    for (size_t i = 0; i < gone->timer_list_count; i++)
        free(gone->timer_lists[i]);
    free(gone->timer_lists);
    free(gone->head);
    free(gone->request_headers);
    free(gone->response_headers);
    free(gone);
}

void weir_loop_forget_thread(void)
{
    weir_block_forget();
    weir_arena_forget_blocks();
    forget_h2o_memory();
}
