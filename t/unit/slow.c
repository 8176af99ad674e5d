/* SPDX-License-Identifier: MIT */
/* What was slow is kept and counted, and loops are shown to others. */
#include "lib/walk/slow.h"

#include <stdio.h>

#include "lib/base/metrics.h"
#include "lib/walk/watch.h"
#include "unit.h"

static void note(const char *callback, const char *id, uint64_t us)
{
    const weir_at_work_t work = {.kind = "router", .name = "shop", .callback = callback};

    weir_slow_note(&work, 3, (weir_span_t){id, id == NULL ? 0 : strlen(id)}, us);
}

static void the_newest_hundred_are_kept(void **state)
{
    static weir_slow_t list[WEIR_SLOWS];

    assert_int_equal(weir_slow_list(list), 0);
    for (uint64_t i = 1; i <= WEIR_SLOWS + 20; i++)
        note("checkout_service", "an-id", i);
    assert_int_equal(weir_slow_list(list), WEIR_SLOWS);
    assert_int_equal(list[0].us, WEIR_SLOWS + 20);
    assert_int_equal(list[WEIR_SLOWS - 1].us, 21);
    assert_string_equal(list[0].name, "shop");
    assert_string_equal(list[0].id, "an-id");
    assert_int_equal(list[0].loop, 3);
    assert_true(list[0].wall_us > 0);
}

static void a_long_id_is_cut_and_none_is_empty(void **state)
{
    char id[3 * WEIR_DESK_ID_BYTES];
    static weir_slow_t list[WEIR_SLOWS];

    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    note("log", id, 1);
    note("log", NULL, 2);
    (void)weir_slow_list(list);
    assert_string_equal(list[0].id, "");
    assert_int_equal(strlen(list[1].id), WEIR_DESK_ID_BYTES - 1);
}

static uint64_t counted(const char *callback)
{
    weir_slow_count_t counts[WEIR_SLOW_CALLBACKS];
    const size_t count = weir_slow_counts(counts);

    for (size_t i = 0; i < count; i++)
        if (strcmp(counts[i].callback, callback) == 0)
            return counts[i].count;
    return 0;
}

static void they_are_counted_by_name(void **state)
{
    static char names[2 * WEIR_SLOW_CALLBACKS][16];
    const uint64_t before = counted("terminate");

    note("terminate", NULL, 1);
    note("terminate", NULL, 1);
    assert_int_equal(counted("terminate"), before + 2);
    assert_int_equal(counted("other"), 0);
    for (size_t i = 0; i < 2 * WEIR_SLOW_CALLBACKS; i++) {
        snprintf(names[i], sizeof(names[i]), "name %zu", i);
        note(names[i], NULL, 1);
    }
    assert_int_equal(counted("name 0"), 1);
    assert_int_equal(counted(names[2 * WEIR_SLOW_CALLBACKS - 1]), 0);
    assert_true(counted("other") > WEIR_SLOW_CALLBACKS);
}

/* ---- loops ---- */

typedef struct shown {
    unsigned count;
    weir_watch_loop_t last;
} shown_t;

static void show(const weir_watch_loop_t *loop, void *context)
{
    shown_t *shown = context;

    shown->count++;
    shown->last = *loop;
}

static shown_t look(void)
{
    shown_t shown = {.count = 0};

    weir_watch_each(show, &shown);
    return shown;
}

static void a_loop_shows_its_connections_and_its_time(void **state)
{
    volatile uint64_t sum = 0;

    assert_int_equal(look().count, 0);
    weir_watch_join(7, true);
    weir_metrics_add(WEIR_CELL_client_opened, 3);
    weir_metrics_add(WEIR_CELL_client_closed, 1);
    const shown_t before = look();
    assert_int_equal(before.count, 1);
    assert_int_equal(before.last.number, 7);
    assert_int_equal(before.last.connections, 2);
    assert_int_equal(before.last.in_flight, 0);
    while (look().last.cpu_us < before.last.cpu_us + 20000)
        sum++;
    const shown_t behind = look();
    assert_true(behind.last.busy > 0 && behind.last.busy <= 1);
    weir_watch_part();
    assert_int_equal(look().count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_hundred_are_kept),
        cmocka_unit_test(a_long_id_is_cut_and_none_is_empty),
        cmocka_unit_test(they_are_counted_by_name),
        cmocka_unit_test(a_loop_shows_its_connections_and_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
