/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/scrape.h"
#include "lib/base/trace_queue.h"

enum { THREADS = 4, EACH = 5000 };

static bool put(const char *text)
{
    return weir_trace_queue_put((weir_span_t){text, strlen(text)});
}

static void free_all(weir_trace_item_t *items)
{
    while (items != NULL) {
        weir_trace_item_t *next = items->next;
        weir_trace_queue_free(items);
        items = next;
    }
}

static void comes_in_order(void **state)
{
    weir_trace_item_t *items, *more;

    assert_null(weir_trace_queue_take());
    assert_true(put("one") && put("two"));
    items = weir_trace_queue_take();
    assert_true(put("three"));
    assert_memory_equal(items->text, "one", items->len);
    assert_memory_equal(items->next->text, "two", items->next->len);
    assert_null(items->next->next);
    assert_int_equal(weir_trace_queue_waiting(), 3);
    more = weir_trace_queue_take();
    assert_memory_equal(more->text, "three", more->len);
    free_all(items);
    assert_int_equal(weir_trace_queue_waiting(), 1);
    free_all(more);
    assert_int_equal(weir_trace_queue_waiting(), 0);
}

/* What was taken waits until it is freed. */
static void has_a_limit(void **state)
{
    const uint64_t before = weir_scrape_cell(WEIR_CELL_spans_full);
    weir_trace_item_t *items;

    weir_trace_queue_limit(2);
    assert_true(put("a") && put("b"));
    assert_false(put("c"));
    items = weir_trace_queue_take();
    assert_false(put("d"));
    assert_int_equal(weir_scrape_cell(WEIR_CELL_spans_full) - before, 2);
    free_all(items);
    assert_true(put("e"));
    free_all(weir_trace_queue_take());
    weir_trace_queue_limit(10000);
}

static void has_a_limit_of_bytes(void **state)
{
    const size_t bytes = WEIR_TRACE_QUEUE_BYTES_MOST / 4;
    char *text = calloc(1, bytes);

    assert_non_null(text);
    for (int i = 0; i < 3; i++)
        assert_true(weir_trace_queue_put((weir_span_t){text, bytes}));
    assert_false(weir_trace_queue_put((weir_span_t){text, bytes}));
    assert_true(put("a small one has room"));
    free_all(weir_trace_queue_take());
    assert_int_equal(weir_trace_queue_waiting(), 0);
    free(text);
}

static bool was_woken(int fd)
{
    eventfd_t count;

    return eventfd_read(fd, &count) == 0;
}

static void wakes_for_the_first_and_for_a_batch(void **state)
{
    const int fd = eventfd(0, EFD_NONBLOCK);

    assert_int_not_equal(fd, -1);
    weir_trace_queue_wake(fd);
    for (int i = 1; i <= 2 * WEIR_TRACE_BATCH; i++) {
        assert_true(put("x"));
        assert_int_equal(was_woken(fd), i == 1 || i == WEIR_TRACE_BATCH);
    }
    free_all(weir_trace_queue_take());
    assert_true(put("x"));
    assert_true(was_woken(fd));
    free_all(weir_trace_queue_take());
    weir_trace_queue_wake(-1);
    close(fd);
}

static _Atomic int running;

static void *put_many(void *arg)
{
    const char name = *(const char *)arg;
    char text[16];

    for (int i = 0; i < EACH; i++) {
        const int length = snprintf(text, sizeof(text), "%c%d", name, i);
        while (!weir_trace_queue_put((weir_span_t){text, (size_t)length}))
            sched_yield();
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* Each thread's come once, and in its order. */
static void take_checked(int next[static THREADS])
{
    weir_trace_item_t *items = weir_trace_queue_take();

    for (const weir_trace_item_t *item = items; item != NULL; item = item->next) {
        char wanted[16];
        const int who = item->text[0] - 'a';
        assert_in_range(who, 0, THREADS - 1);
        const int length = snprintf(wanted, sizeof(wanted), "%c%d", item->text[0], next[who]++);
        assert_int_equal(item->len, length);
        assert_memory_equal(item->text, wanted, item->len);
    }
    free_all(items);
}

static void many_threads_lose_nothing(void **state)
{
    static const char names[THREADS] = "abcd";
    pthread_t threads[THREADS];
    int next[THREADS] = {0};

    weir_trace_queue_limit(100);
    atomic_store(&running, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, (void *)(uintptr_t)&names[i]), 0);
    while (atomic_load(&running) > 0)
        take_checked(next);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    take_checked(next);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], EACH);
    assert_int_equal(weir_trace_queue_waiting(), 0);
    weir_trace_queue_limit(10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_in_order),
        cmocka_unit_test(has_a_limit),
        cmocka_unit_test(has_a_limit_of_bytes),
        cmocka_unit_test(wakes_for_the_first_and_for_a_batch),
        cmocka_unit_test(many_threads_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
