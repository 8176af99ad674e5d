/* SPDX-License-Identifier: MIT */
/* Instances of routers and their tickers, by a clock that moves when told: when a run comes, and that none comes too much. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hear.h"
#include "router/instance.h"
#include "unit.h"

enum { DAY_MS = 86400000, MANY = 500 };

static weir_loop_t loop;
static weir_instance_t instance;

/* A ticker, and what it does in its runs beside counting them. */
typedef struct beat {
    weir_ticker_t *ticker;
    unsigned runs;
    void (*then)(struct beat *beat);
    struct beat *other;
} beat_t;

static beat_t beats[MANY];

static void run(void *argument)
{
    beat_t *beat = argument;

    beat->runs++;
    if (beat->then != NULL)
        beat->then(beat);
}

static void begin(beat_t *beat, uint32_t ms)
{
    beat->ticker = weir_every(&instance, ms, run, beat);
    assert_non_null(beat->ticker);
}

static int open_instance(void **state)
{
    memset(beats, 0, sizeof(beats));
    memset(&instance, 0, sizeof(instance));
    fake_loop_init(&loop);
    fake_steward = &loop;
    weir_instance_begin(&instance, "shop", "default /", "weir.yaml:7", 3);
    return 0;
}

/* Nothing of them may be left: no timer, no letter. */
static int close_instance(void **state)
{
    weir_instance_still(&instance);
    fake_run(&loop);
    weir_instance_end(&instance);
    fake_loop_finish(&loop);
    fake_steward = NULL;
    return 0;
}

/* ---- when ---- */

static void the_first_run_comes_after_the_time(void **state)
{
    begin(&beats[0], 10);
    fake_advance(&loop, 9);
    assert_int_equal(beats[0].runs, 0);
    fake_advance(&loop, 1);
    assert_int_equal(beats[0].runs, 1);
}

static void and_then_one_each_time(void **state)
{
    begin(&beats[0], 10);
    for (unsigned i = 1; i < 100; i++) {
        fake_advance(&loop, 9);
        assert_int_equal(beats[0].runs, i - 1);
        fake_advance(&loop, 1);
        assert_int_equal(beats[0].runs, i);
    }
}

static void nothing_runs_in_the_call(void **state)
{
    begin(&beats[0], 1);
    assert_int_equal(beats[0].runs, 0);
    fake_run(&loop);
    assert_int_equal(beats[0].runs, 0);
}

static void it_is_at_least_a_millisecond(void **state)
{
    begin(&beats[0], 0);
    begin(&beats[1], 1);
    fake_advance(&loop, 0);
    assert_int_equal(beats[0].runs, 0);
    fake_advance(&loop, 5);
    assert_int_equal(beats[0].runs, 5);
    assert_int_equal(beats[1].runs, 5);
}

static void and_at_most_a_day(void **state)
{
    begin(&beats[0], DAY_MS);
    begin(&beats[1], DAY_MS + 1);
    begin(&beats[2], UINT32_MAX);
    begin(&beats[3], DAY_MS - 1);
    fake_advance(&loop, DAY_MS - 2);
    assert_int_equal(beats[3].runs, 0);
    fake_advance(&loop, 1);
    assert_int_equal(beats[3].runs, 1);
    assert_int_equal(beats[0].runs + beats[1].runs + beats[2].runs, 0);
    fake_advance(&loop, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(beats[i].runs, 1);
}

static void many_keep_their_own_time(void **state)
{
    for (size_t i = 0; i < MANY; i++)
        begin(&beats[i], (uint32_t)(i + 1));
    fake_advance(&loop, 1000);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(beats[i].runs, 1000 / (i + 1));
}

/* ---- the end ---- */

static void one_that_is_stopped_does_not_run(void **state)
{
    begin(&beats[0], 10);
    begin(&beats[1], 10);
    fake_advance(&loop, 15);
    weir_ticker_stop(&beats[0].ticker);
    assert_null(beats[0].ticker);
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 1);
    assert_int_equal(beats[1].runs, 11);
}

static void nothing_is_stopped_harmlessly(void **state)
{
    weir_ticker_stop(&beats[0].ticker);
    assert_null(beats[0].ticker);
}

static void it_may_be_stopped_before_its_first_run(void **state)
{
    begin(&beats[0], 10);
    fake_run(&loop);
    weir_ticker_stop(&beats[0].ticker);
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 0);
}

static void and_before_it_has_begun(void **state)
{
    begin(&beats[0], 10);
    weir_ticker_stop(&beats[0].ticker); /* its letter is under way */
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 0);
}

static void stop_itself(beat_t *beat)
{
    if (beat->runs == 3)
        weir_ticker_stop(&beat->ticker);
}

static void it_may_be_stopped_in_its_own_run(void **state)
{
    beats[0].then = stop_itself;
    begin(&beats[0], 10);
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 3);
    assert_null(beats[0].ticker);
}

static void stop_other(beat_t *beat)
{
    weir_ticker_stop(&beat->other->ticker);
}

/* Also one that is due in the same moment. */
static void it_may_be_stopped_in_anothers_run(void **state)
{
    beats[0].then = stop_other;
    beats[0].other = &beats[1];
    begin(&beats[0], 10);
    begin(&beats[1], 10);
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 10);
    assert_int_equal(beats[1].runs, 0);
    assert_null(beats[1].ticker);
}

static void begin_other(beat_t *beat)
{
    if (beat->other->ticker == NULL)
        begin(beat->other, 10);
}

static void a_run_may_begin_another(void **state)
{
    beats[0].then = begin_other;
    beats[0].other = &beats[1];
    begin(&beats[0], 10);
    fake_advance(&loop, 19);
    assert_int_equal(beats[1].runs, 0);
    fake_advance(&loop, 1);
    assert_int_equal(beats[1].runs, 1);
}

static void begin_and_stop_other(beat_t *beat)
{
    begin(beat->other, 10);
    weir_ticker_stop(&beat->other->ticker);
}

static void a_run_may_begin_and_stop_another(void **state)
{
    beats[0].then = begin_and_stop_other;
    beats[0].other = &beats[1];
    begin(&beats[0], 10);
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 10);
    assert_int_equal(beats[1].runs, 0);
}

static void begin_itself_anew(beat_t *beat)
{
    weir_ticker_stop(&beat->ticker);
    begin(beat, 20);
}

static void a_run_may_change_its_own_time(void **state)
{
    beats[0].then = begin_itself_anew;
    begin(&beats[0], 10);
    fake_advance(&loop, 29);
    assert_int_equal(beats[0].runs, 1);
    fake_advance(&loop, 1);
    assert_int_equal(beats[0].runs, 2);
}

static void those_that_are_left_are_stilled(void **state)
{
    for (size_t i = 0; i < 10; i++)
        begin(&beats[i], 10);
    fake_advance(&loop, 10);
    begin(&beats[10], 10); /* has not begun */
    weir_ticker_stop(&beats[4].ticker);
    weir_instance_still(&instance);
    fake_advance(&loop, 100);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(beats[i].runs, 1);
    assert_int_equal(beats[10].runs, 0);
    weir_instance_still(&instance); /* harmless */
}

static void another_instance_goes_on(void **state)
{
    weir_instance_t other = {0};
    weir_ticker_t *ticker;

    weir_instance_begin(&other, "shop", "default /b", "weir.yaml:9", 3);
    ticker = weir_every(&other, 10, run, &beats[1]);
    begin(&beats[0], 10);
    weir_instance_still(&instance);
    fake_advance(&loop, 100);
    assert_int_equal(beats[0].runs, 0);
    assert_int_equal(beats[1].runs, 10);
    weir_ticker_stop(&ticker);
    weir_instance_end(&other);
}

/* ---- what it is told of its place ---- */

static void an_instance_knows_its_place(void **state)
{
    char name[] = "shop.example /api", where[] = "/etc/weir.yaml:12";
    weir_instance_t other = {0};

    weir_instance_begin(&other, "shop", name, where, UINT64_MAX);
    memset(name, 'x', sizeof(name));
    memset(where, 'x', sizeof(where));
    assert_string_equal(weir_instance_name(&other), "shop.example /api");
    assert_string_equal(weir_instance_where(&other), "/etc/weir.yaml:12");
    assert_true(weir_instance_generation(&other) == UINT64_MAX);
    assert_int_equal(weir_instance_generation(&instance), 3);
    weir_instance_end(&other);
}

static void one_that_never_began_ends_harmlessly(void **state)
{
    weir_instance_t never = {0};

    weir_instance_end(&never);
}

/* ---- what it says ---- */

static time_t second = 100;

/* In place of libc's, so that a second is as long as we say. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){.tv_sec = second};
    return 0;
}

static void what_it_says_names_router_and_place(void **state)
{
    begin_hearing();
    weir_instance_log(&instance, "%d of %s", 3, "them");
    assert_string_equal(end_hearing(), "weir: router shop (default /): 3 of them\n");
}

static void it_says_ten_lines_a_second(void **state)
{
    weir_instance_t other = {0};

    second++;
    begin_hearing();
    weir_instance_begin(&other, "toy", "default /b", "weir.yaml:9", 3);
    for (int i = 1; i <= 14; i++)
        weir_instance_log(&instance, "%d", i);
    weir_instance_log(&other, "mine"); /* its own ten */
    second++;
    weir_instance_log(&instance, "%d", 15);
    weir_instance_end(&other);
    assert_string_equal(end_hearing(), "weir: router shop (default /): 1\n"
                                       "weir: router shop (default /): 2\n"
                                       "weir: router shop (default /): 3\n"
                                       "weir: router shop (default /): 4\n"
                                       "weir: router shop (default /): 5\n"
                                       "weir: router shop (default /): 6\n"
                                       "weir: router shop (default /): 7\n"
                                       "weir: router shop (default /): 8\n"
                                       "weir: router shop (default /): 9\n"
                                       "weir: router shop (default /): 10\n"
                                       "weir: router toy (default /b): mine\n"
                                       "weir: router shop (default /): 15 (4 more)\n");
}

static void a_long_line_is_cut(void **state)
{
    static const char front[] = "weir: router shop (default /): t";
    static char text[3000];

    memset(text, 't', sizeof(text) - 1);
    begin_hearing();
    weir_instance_log(&instance, "%s", text);
    (void)end_hearing();
    assert_memory_equal(heard, front, strlen(front));
    assert_int_equal(strlen(heard), strlen(front) - 1 + 1023 + 1);
    assert_int_equal(heard[strlen(heard) - 1], '\n');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_instance, close_instance)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_run_comes_after_the_time),
        TEST(and_then_one_each_time),
        TEST(nothing_runs_in_the_call),
        TEST(it_is_at_least_a_millisecond),
        TEST(and_at_most_a_day),
        TEST(many_keep_their_own_time),
        TEST(one_that_is_stopped_does_not_run),
        TEST(nothing_is_stopped_harmlessly),
        TEST(it_may_be_stopped_before_its_first_run),
        TEST(and_before_it_has_begun),
        TEST(it_may_be_stopped_in_its_own_run),
        TEST(it_may_be_stopped_in_anothers_run),
        TEST(a_run_may_begin_another),
        TEST(a_run_may_begin_and_stop_another),
        TEST(a_run_may_change_its_own_time),
        TEST(those_that_are_left_are_stilled),
        TEST(another_instance_goes_on),
        TEST(an_instance_knows_its_place),
        TEST(one_that_never_began_ends_harmlessly),
        TEST(what_it_says_names_router_and_place),
        TEST(it_says_ten_lines_a_second),
        TEST(a_long_line_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
