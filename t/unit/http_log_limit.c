/* SPDX-License-Identifier: MIT */
/* Lines that somebody can provoke: ten of a kind in a second, and the rest are counted. The clock is this program's own. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

#include "hear.h"
#include "lib/base/log.h"

enum { THREADS = 4, LINE_MOST = 4095 };

/* ---- the clock ---- */

static _Atomic time_t second;

/* In place of libc's: this second and no other, until we say so. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){.tv_sec = atomic_load(&second), .tv_nsec = 999999999};
    return 0;
}

/* ---- lines ---- */

static void say_lines(weir_log_limit_t *limit, const char *name, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        weir_log_limited(limit, "%s %u", name, i);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

#define TEN_LINES                                                                                                              \
    "weir: a 1\nweir: a 2\nweir: a 3\nweir: a 4\nweir: a 5\nweir: a 6\nweir: a 7\nweir: a 8\nweir: a 9\nweir: a 10\n"

/* ---- one thread ---- */

static void ten_lines_are_said_and_no_more(void **state)
{
    static weir_log_limit_t limit;

    second = 100;
    begin_hearing();
    say_lines(&limit, "a", 1, 10);
    assert_string_equal(end_hearing(), TEN_LINES);
    begin_hearing();
    say_lines(&limit, "a", 11, 50);
    assert_string_equal(end_hearing(), "");
}

/* A limit that is zeroed has seen no second yet, and not that one either. */
static void also_in_the_first_second_of_a_clock(void **state)
{
    static weir_log_limit_t limit;

    second = 0;
    begin_hearing();
    say_lines(&limit, "a", 1, 12);
    second = 1;
    say_lines(&limit, "a", 13, 13);
    assert_string_equal(end_hearing(), TEN_LINES "weir: a 13 (2 more)\n");
}

static void the_next_line_tells_how_many_were_held_back(void **state)
{
    static weir_log_limit_t limit;

    second = 100;
    begin_hearing();
    say_lines(&limit, "a", 1, 27);
    second = 101;
    say_lines(&limit, "a", 28, 30);
    assert_string_equal(end_hearing(), TEN_LINES "weir: a 28 (17 more)\nweir: a 29\nweir: a 30\n");
}

static void that_line_is_one_of_the_ten(void **state)
{
    static weir_log_limit_t limit;

    second = 100;
    begin_hearing();
    say_lines(&limit, "b", 1, 11);
    second = 101;
    (void)end_hearing();
    begin_hearing();
    say_lines(&limit, "a", 1, 15);
    second = 102;
    say_lines(&limit, "a", 16, 16);
    assert_string_equal(end_hearing(),
                        "weir: a 1 (1 more)\nweir: a 2\nweir: a 3\nweir: a 4\nweir: a 5\nweir: a 6\nweir: a 7\nweir: a 8\n"
                        "weir: a 9\nweir: a 10\nweir: a 16 (5 more)\n");
}

static void it_may_be_long_until_the_next_line(void **state)
{
    static weir_log_limit_t limit;

    second = 100;
    begin_hearing();
    say_lines(&limit, "a", 1, 11);
    second = 5000;
    say_lines(&limit, "a", 12, 13);
    assert_string_equal(end_hearing(), TEN_LINES "weir: a 12 (1 more)\nweir: a 13\n");
}

static void where_nothing_is_held_back_nothing_is_told(void **state)
{
    static weir_log_limit_t limit;

    second = 100;
    begin_hearing();
    say_lines(&limit, "a", 1, 10);
    second = 101;
    say_lines(&limit, "b", 1, 1);
    second = 102;
    say_lines(&limit, "b", 2, 2);
    assert_string_equal(end_hearing(), TEN_LINES "weir: b 1\nweir: b 2\n");
}

static void each_kind_has_its_own_ten(void **state)
{
    static weir_log_limit_t limits[2];

    second = 100;
    begin_hearing();
    say_lines(&limits[0], "a", 1, 12);
    say_lines(&limits[1], "a", 1, 11);
    second = 101;
    say_lines(&limits[0], "b", 1, 1);
    say_lines(&limits[1], "c", 1, 1);
    assert_string_equal(end_hearing(), TEN_LINES TEN_LINES "weir: b 1 (2 more)\nweir: c 1 (1 more)\n");
}

static void without_a_limit_all_are_said(void **state)
{
    second = 100;
    begin_hearing();
    for (int i = 0; i < 30; i++)
        weir_log("line %d", i);
    assert_int_equal(count_lines(end_hearing()), 30);
    assert_non_null(strstr(heard, "weir: line 29\n"));
}

static void a_line_is_cut_where_it_is_too_long(void **state)
{
    static char text[LINE_MOST + 10];

    memset(text, 'x', sizeof(text) - 1);
    for (size_t more = 0; more < 3; more++) {
        text[LINE_MOST - 8 + more] = '\0';
        begin_hearing();
        weir_log("%s", text);
        (void)end_hearing();
        assert_int_equal(strlen(heard), more == 0 ? LINE_MOST - 1 : LINE_MOST);
        assert_int_equal(strspn(heard + 6, "x"), strlen(heard) - 7);
        assert_int_equal(heard[strlen(heard) - 1], '\n');
        text[LINE_MOST - 8 + more] = 'x';
    }
}

static void the_count_fits_behind_a_long_line(void **state)
{
    static weir_log_limit_t limit;
    static char text[LINE_MOST];
    const size_t length = LINE_MOST - strlen("weir: ") - strlen(" (1 more)\n");

    second = 100;
    memset(text, 'x', length);
    begin_hearing();
    say_lines(&limit, "a", 1, 11);
    (void)end_hearing();
    second = 101;
    begin_hearing();
    weir_log_limited(&limit, "%s", text);
    (void)end_hearing();
    assert_int_equal(strlen(heard), LINE_MOST);
    assert_string_equal(heard + LINE_MOST - 10, " (1 more)\n");
}

static void also_behind_one_that_is_too_long(void **state)
{
    static weir_log_limit_t limit;
    static char text[LINE_MOST + 10];

    memset(text, 'x', sizeof(text) - 1);
    for (size_t length = LINE_MOST - 30; length < sizeof(text); length++) {
        second = 200 + 10 * (time_t)length;
        begin_hearing();
        say_lines(&limit, "a", 1, 13);
        (void)end_hearing();
        second++;
        text[length] = '\0';
        begin_hearing();
        weir_log_limited(&limit, "%s", text);
        (void)end_hearing();
        assert_true(strlen(heard) <= LINE_MOST);
        assert_string_equal(heard + strlen(heard) - 10, " (3 more)\n");
        text[length] = 'x';
        second++;
        begin_hearing();
        say_lines(&limit, "b", 1, 1);
        (void)end_hearing();
        assert_null(strstr(heard, "more"));
    }
}

/* ---- many threads ---- */

static weir_log_limit_t shared;
static pthread_barrier_t barrier;
static unsigned rounds, lines; /* of each thread, and in each round */

static void *say_many(void *unused)
{
    for (unsigned round = 0; round < rounds; round++) {
        pthread_barrier_wait(&barrier);
        say_lines(&shared, "thread", 1, lines);
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

static void start(pthread_t threads[static THREADS], unsigned some_rounds, unsigned some_lines)
{
    rounds = some_rounds;
    lines = some_lines;
    memset(&shared, 0, sizeof(shared));
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, say_many, NULL), 0);
}

static void join(const pthread_t threads[static THREADS])
{
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

/* Nothing but the last line of all, and what it tells. */
static void assert_last(unsigned held_back)
{
    char last[64];

    second++;
    begin_hearing();
    say_lines(&shared, "last", 1, 1);
    snprintf(last, sizeof(last), "weir: last 1 (%u more)\n", held_back);
    assert_string_equal(end_hearing(), last);
}

static unsigned count_held_back(void)
{
    unsigned long held_back = 0;

    for (const char *at = heard; (at = strstr(at, " (")) != NULL; at += 2)
        held_back += strtoul(at + 2, NULL, 10);
    return (unsigned)held_back;
}

static void all_threads_have_ten_together(void **state)
{
    const unsigned held_back = 1 + THREADS * 200 - 10;
    pthread_t threads[THREADS];

    second = 100;
    start(threads, 1500, 200);
    begin_hearing();
    for (unsigned round = 0; round < rounds; round++) {
        second++;
        say_lines(&shared, "first", 1, 1); /* the second has begun */
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
    }
    join(threads);
    assert_int_equal(count_lines(end_hearing()), 10 * rounds);
    assert_int_equal(count_held_back(), held_back * (rounds - 1));
    assert_last(held_back); /* of the last second alone */
}

/* Whatever happens at the turn of a second: each line is either said or counted, once. */
static void no_line_is_lost_at_the_turn_of_a_second(void **state)
{
    pthread_t threads[THREADS];
    size_t seen;

    second = 100;
    start(threads, 1, 2000);
    begin_hearing();
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 200; i++) {
        second++;
        sched_yield();
    }
    pthread_barrier_wait(&barrier);
    join(threads);
    second++;
    say_lines(&shared, "last", 1, 1);
    seen = count_lines(end_hearing());
    assert_int_equal(seen + count_held_back(), THREADS * lines + 1);
}

static void controls_are_shown(void **state)
{
    begin_hearing();
    weir_log("a\x1b[31m\nb \xc2\x9b"
             "c \xc3\xa4");
    assert_string_equal(end_hearing(), "weir: a\\x1b[31m\\x0ab \\xc2\\x9bc \xc3\xa4\n");
}

/* ---- nobody reads ---- */

static void lines_that_have_no_room_are_counted(void **state)
{
    char got[200] = "", filler[4096] = "";
    const int before = dup(STDERR_FILENO);
    int ends[2];

    assert_int_equal(pipe(ends), 0); /* and blocking */
    dup2(ends[1], STDERR_FILENO);
    weir_log_never_wait(true);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof(filler)) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    weir_log("one");
    weir_log("two");
    while (read(ends[0], filler, sizeof(filler)) == sizeof(filler) && poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 0) == 1)
        ;
    weir_log("three");
    assert_true(read(ends[0], got, sizeof(got) - 1) > 0);
    dup2(before, STDERR_FILENO);
    weir_log_never_wait(false);
    assert_string_equal(got, "weir: 2 lines were lost here, as nobody read them\nweir: three\n");
    close(before);
    close(ends[0]);
    close(ends[1]);
}

static void a_pipe_is_made_non_blocking_for_us_alone(void **state)
{
    int ends[2], ours;

    assert_int_equal(pipe(ends), 0);
    ours = weir_log_descriptor(ends[1]);
    assert_true(ours > STDERR_FILENO);
    assert_true((fcntl(ours, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    close(ours);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_are_shown),
        cmocka_unit_test(lines_that_have_no_room_are_counted),
        cmocka_unit_test(a_pipe_is_made_non_blocking_for_us_alone),
        cmocka_unit_test(ten_lines_are_said_and_no_more),
        cmocka_unit_test(also_in_the_first_second_of_a_clock),
        cmocka_unit_test(the_next_line_tells_how_many_were_held_back),
        cmocka_unit_test(that_line_is_one_of_the_ten),
        cmocka_unit_test(it_may_be_long_until_the_next_line),
        cmocka_unit_test(where_nothing_is_held_back_nothing_is_told),
        cmocka_unit_test(each_kind_has_its_own_ten),
        cmocka_unit_test(without_a_limit_all_are_said),
        cmocka_unit_test(a_line_is_cut_where_it_is_too_long),
        cmocka_unit_test(the_count_fits_behind_a_long_line),
        cmocka_unit_test(also_behind_one_that_is_too_long),
        cmocka_unit_test(all_threads_have_ten_together),
        cmocka_unit_test(no_line_is_lost_at_the_turn_of_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
