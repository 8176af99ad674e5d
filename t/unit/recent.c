/* SPDX-License-Identifier: MIT */
/* What is remembered of requests that are over: which, how much, and while it is written. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/walk/recent.h"
#include "unit.h"

enum { CELLS = 64, WRITTEN = 200000, ID_BYTES = 24 };

static weir_exchange_t x; /* big, hence not on the stack */
static size_t found_count, found_cells;
static weir_recent_t found[1 + WEIR_RECENT_MORE];

static void keep(void *context, const weir_recent_t *cells, size_t count)
{
    (void)context;
    found_count++;
    found_cells = count;
    memcpy(found, cells, count * sizeof(cells[0]));
}

static size_t find(const char *id)
{
    found_count = found_cells = 0;
    return weir_recent_find((weir_span_t){id, strlen(id)}, 16, keep, NULL);
}

/* One of a loop that has ended at `end_us`. */
static void begin(const char *id, uint64_t end_us, uint16_t status)
{
    memset(&x, 0, sizeof(x));
    weir_arena_init(&x.arena);
    x.request.id = (weir_span_t){id, strlen(id)};
    x.journal.start_at_us = end_us - 900;
    x.journal.end_at_us = end_us;
    x.journal.status = status;
    x.journal.picks = 1;
    x.app = WEIR_SPAN("shop");
    x.target.label = WEIR_SPAN("web-1");
}

static void end(const char *fields)
{
    weir_recent_note(&x, (weir_span_t){fields, strlen(fields)});
    weir_arena_finish(&x.arena);
}

static void note(const char *id, uint64_t end_us, uint16_t status)
{
    begin(id, end_us, status);
    end("");
}

static void nothing_is_remembered_of_old(void **state)
{
    char id[ID_BYTES];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "failed-%u", i);
        note(id, 1000000 + i, 503);
    }
    assert_int_equal(find("failed-999"), 1);
    assert_int_equal(found[0].status, 503);
    assert_memory_equal(found[0].app, "shop", found[0].app_bytes);
    assert_memory_equal(found[0].backend, "web-1", found[0].backend_bytes);
    assert_int_equal(found[0].total_us, 900);
    assert_int_equal(find("failed-0"), 0);
    assert_int_equal(find("failed-99"), 0);
}

static void what_went_well_is_noted_now_and_then(void **state)
{
    (void)state;
    note("well-1", 5000000, 200);
    note("well-2", 5009999, 200);
    note("failed-again", 5009999, 500);
    note("well-3", 5010000, 200);
    assert_int_equal(find("well-1") + find("well-3") + find("failed-again"), 3);
    assert_int_equal(find("well-2"), 0);
}

static void what_waited_or_was_tried_again_is_always_noted(void **state)
{
    (void)state;
    note("first", 6000000, 200);
    begin("waited", 6000001, 200);
    x.journal.queue_us = 1000;
    end("");
    begin("again", 6000002, 200);
    x.journal.picks = 2;
    x.cause = &weir_fault_backend_refused;
    weir_recent_note_try(&x);
    end(" app=shop pick=best");
    assert_int_equal(find("waited"), 1);
    assert_int_equal(found[0].queue_us, 1000);
    assert_int_equal(find("again"), 1);
    assert_int_equal(found_cells, 3); /* and no fault: it was mended */
    assert_int_equal(found[1].kind, WEIR_RECENT_TRY);
    assert_int_equal(found[2].kind, WEIR_RECENT_FIELDS);
    assert_memory_equal(found[2].text, "app=shop pick=best", found[2].length);
    begin("failed", 6000003, 503);
    x.cause = &weir_fault_backend_refused;
    end("");
    assert_int_equal(find("failed"), 1);
    assert_int_equal(found[1].kind, WEIR_RECENT_FAULT);
    assert_memory_equal(found[1].text, "backend_refused", found[1].length);
}

static void a_request_is_noted_once(void **state)
{
    (void)state;
    begin("once", 7000000, 500);
    weir_recent_note(&x, WEIR_SPAN(" a=b"));
    end("");
    assert_int_equal(find("once"), 1);
    assert_int_equal(found_cells, 2);
}

static void long_ids_are_told_apart(void **state)
{
    char one[301], other[301];

    (void)state;
    memset(one, 'i', 300);
    one[300] = '\0';
    memcpy(other, one, sizeof(one));
    other[299] = 'j';
    note(one, 8000000, 500);
    assert_int_equal(find(one), 1);
    assert_int_equal(find(other), 0);
}

/* ---- one writes, another one looks ---- */

static _Atomic bool is_over;

/* Each says the same three times: a cell that is torn does not. */
static void *write_many(void *context)
{
    static weir_exchange_t own;

    (void)context;
    for (uint64_t i = 1; i <= WRITTEN; i++) {
        memset(&own, 0, sizeof(own));
        own.request.id = WEIR_SPAN("busy");
        own.journal.status = 500;
        own.journal.backend_status = (uint16_t)(i % 60000);
        own.journal.wall_start_us = i % 60000;
        own.journal.queue_us = i % 60000;
        weir_recent_note(&own, (weir_span_t){NULL, 0});
    }
    atomic_store(&is_over, true);
    return NULL;
}

static _Atomic size_t seen, torn;

static void look_at_it(void *context, const weir_recent_t *cells, size_t count)
{
    (void)context, (void)count;
    atomic_fetch_add(&seen, 1);
    if (cells[0].wall_us != cells[0].queue_us || cells[0].wall_us != cells[0].backend_status)
        atomic_fetch_add(&torn, 1);
}

static void what_is_written_meanwhile_is_whole_or_passed_over(void **state)
{
    pthread_t writer;

    (void)state;
    assert_int_equal(pthread_create(&writer, NULL, write_many, NULL), 0);
    while (!atomic_load(&is_over))
        (void)weir_recent_find(WEIR_SPAN("busy"), CELLS, look_at_it, NULL);
    pthread_join(writer, NULL);
    (void)weir_recent_find(WEIR_SPAN("busy"), CELLS, look_at_it, NULL);
    assert_true(atomic_load(&seen) > 0);
    assert_int_equal(atomic_load(&torn), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_remembered_of_old),
        cmocka_unit_test(what_went_well_is_noted_now_and_then),
        cmocka_unit_test(what_waited_or_was_tried_again_is_always_noted),
        cmocka_unit_test(a_request_is_noted_once),
        cmocka_unit_test(long_ids_are_told_apart),
        cmocka_unit_test(what_is_written_meanwhile_is_whole_or_passed_over),
    };

    weir_recent_begin(CELLS, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
