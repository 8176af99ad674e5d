/* SPDX-License-Identifier: MIT */
/*
 * The loop's timers, on a real loop. Nothing here says when one runs, but what has run and what has not: after each turn, all
 * that were due at its instant, and no other.
 */
#include "wire_loop.h"

enum { ALARMS = 100 };

/* A timer that writes its name into the diary. */
typedef struct alarm {
    weir_timer_t timer;
    char name[2];
    unsigned runs;
    uint64_t ran_at_us, ran_in_turn;
    void (*then)(struct alarm *alarm);
    struct alarm *other; /* whom `then` is about */
    uint32_t again_ms;
} alarm_t;

static alarm_t alarms[ALARMS];

static uint64_t now_ms(void)
{
    return weir_loop_now_us(loop) / 1000;
}

static void on_due(weir_timer_t *timer)
{
    alarm_t *alarm = WEIR_AROUND(timer, alarm_t, timer);

    assert_false(weir_timer_is_set(timer));
    assert_true(timer->due_at_ms <= now_ms());
    alarm->runs++;
    alarm->ran_at_us = weir_loop_now_us(loop);
    alarm->ran_in_turn = loop->turns;
    write_diary(alarm->name);
    if (alarm->then != NULL)
        alarm->then(alarm);
}

static void set(alarm_t *alarm, uint32_t delay_ms)
{
    weir_timer_set(loop, &alarm->timer, delay_ms, on_due);
    assert_true(weir_timer_is_set(&alarm->timer));
    assert_int_equal(alarm->timer.due_at_ms, now_ms() + delay_ms);
}

/* Of all that are set none is due. */
static void turn(int32_t most_ms)
{
    weir_loop_turn(loop, most_ms);
    for (size_t i = 0; i < ALARMS; i++)
        assert_true(!weir_timer_is_set(&alarms[i].timer) || alarms[i].timer.due_at_ms > now_ms());
}

/* Turns until this many have run, all of them together. */
static void turn_until(unsigned runs)
{
    unsigned seen = 0;

    for (int i = 0; i < PATIENCE_TURNS && seen < runs; i++) {
        turn(1000);
        seen = 0;
        for (size_t k = 0; k < ALARMS; k++)
            seen += alarms[k].runs;
    }
    assert_int_equal(seen, runs);
}

static bool is_before(const alarm_t *first, const alarm_t *second)
{
    const char *one = strstr(diary, first->name), *two = strstr(diary, second->name);

    return one != NULL && two != NULL && one < two;
}

static void equal_delays_run_in_order(void **state)
{
    for (size_t i = 0; i < 20; i += 2) {
        set(&alarms[i], 20);
        set(&alarms[i + 1], 5);
        if (i == 10)
            turn(0); /* the rest is set later */
    }
    turn_until(20);
    for (size_t i = 0; i + 2 < 20; i++)
        assert_true(is_before(&alarms[i], &alarms[i + 2]));
}

static void different_delays_run_when_they_are_due(void **state)
{
    static const uint32_t delays_ms[] = {40, 5, 25, 0, 15, 60, 10, 5, 1, 60};
    size_t count = sizeof(delays_ms) / sizeof(delays_ms[0]);

    for (size_t i = 0; i < count; i++)
        set(&alarms[i], delays_ms[i]);
    turn_until((unsigned)count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(alarms[i].runs, 1);
        for (size_t k = 0; k < count; k++) {
            if (alarms[i].ran_in_turn == alarms[k].ran_in_turn)
                assert_int_equal(alarms[i].ran_at_us, alarms[k].ran_at_us); /* one event, one instant */
            else if (alarms[i].ran_in_turn < alarms[k].ran_in_turn)
                assert_true(alarms[i].timer.due_at_ms < alarms[k].timer.due_at_ms);
        }
    }
}

static void the_loop_sleeps_until_one_is_due(void **state)
{
    uint64_t turns = loop->turns;

    set(&alarms[0], 50);
    set(&alarms[1], 20);
    turn_until(2);
    assert_true(loop->turns - turns < 20);
}

static uint32_t first_ms, second_ms;

static void sleep_until_one_is_due(void)
{
    alarms[0].runs = alarms[1].runs = 0;
    set(&alarms[0], first_ms);
    set(&alarms[1], second_ms);
    while (alarms[0].runs + alarms[1].runs == 0)
        turn(2000);
}

/* In whatever order their lists were made. */
static void the_loop_sleeps_no_longer_than_the_first_of_them(void **state)
{
    first_ms = 1;
    second_ms = 100000;
    assert_is_prompt(sleep_until_one_is_due);
    first_ms = 200000;
    second_ms = 2;
    assert_is_prompt(sleep_until_one_is_due);
}

static void a_cancelled_timer_does_not_run(void **state)
{
    weir_timer_cancel(&alarms[0].timer); /* never set */
    for (size_t i = 0; i < 5; i++)
        set(&alarms[i], 2);
    weir_timer_cancel(&alarms[0].timer);
    weir_timer_cancel(&alarms[2].timer);
    weir_timer_cancel(&alarms[2].timer); /* twice */
    weir_timer_cancel(&alarms[4].timer);
    assert_false(weir_timer_is_set(&alarms[2].timer));
    oversleep(2);
    turn(0);
    assert_diary("bd");
    weir_timer_cancel(&alarms[1].timer); /* has run */
    set(&alarms[2], 0);
    turn(0);
    assert_diary("c");
}

static void a_timer_that_is_set_again_runs_once_and_later(void **state)
{
    set(&alarms[0], 2);
    set(&alarms[1], 2);
    set(&alarms[0], 2); /* behind the other */
    set(&alarms[2], 2);
    set(&alarms[2], 100000); /* much later */
    set(&alarms[3], 100000);
    set(&alarms[3], 2); /* much sooner */
    oversleep(2);
    turn(0);
    assert_diary("bad");
    assert_true(weir_timer_is_set(&alarms[2].timer));
    assert_false(weir_timer_is_set(&alarms[3].timer));
}

static void a_timer_that_is_set_again_and_again_does_not_run(void **state)
{
    uint64_t due_at_ms = 0;

    for (int i = 0; i < 20; i++) {
        set(&alarms[0], 50000);
        assert_true(alarms[0].timer.due_at_ms >= due_at_ms);
        due_at_ms = alarms[0].timer.due_at_ms;
        turn(1);
    }
    assert_int_equal(alarms[0].runs, 0);
}

static void cancel_other(alarm_t *alarm)
{
    weir_timer_cancel(&alarm->other->timer);
}

static void one_cancels_another_that_is_due(void **state)
{
    alarms[0].then = alarms[3].then = alarms[4].then = cancel_other;
    alarms[0].other = &alarms[1]; /* the next of its list    */
    alarms[3].other = &alarms[2]; /* has run                 */
    alarms[4].other = &alarms[6]; /* of another list         */
    for (size_t i = 0; i < 6; i++)
        set(&alarms[i], 3);
    set(&alarms[6], 4);
    set(&alarms[7], 4);
    oversleep(4);
    turn(0);
    assert_diary("acdefh");
}

static void cancel_all(alarm_t *alarm)
{
    for (size_t i = 0; i < ALARMS; i++)
        weir_timer_cancel(&alarms[i].timer);
}

static void one_cancels_all_the_others(void **state)
{
    alarms[1].then = cancel_all;
    for (size_t i = 0; i < ALARMS; i++)
        set(&alarms[i], i < 50 ? 2 : 3);
    oversleep(3);
    turn(0);
    assert_diary("ab");
    turn(5);
    assert_diary("");
}

static void set_other(alarm_t *alarm)
{
    set(alarm->other, alarm->again_ms);
}

static void one_sets_another_that_is_due(void **state)
{
    alarms[0].then = set_other;
    alarms[0].other = &alarms[1];
    alarms[0].again_ms = 100000;
    for (size_t i = 0; i < 3; i++)
        set(&alarms[i], 2);
    oversleep(2);
    turn(0);
    assert_diary("ac");
    assert_true(weir_timer_is_set(&alarms[1].timer));
}

static void set_again(alarm_t *alarm)
{
    if (alarm->runs < 5)
        set(alarm, alarm->again_ms);
}

static void a_timer_sets_itself_again(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        alarms[i].then = set_again;
        alarms[i].again_ms = 2;
        set(&alarms[i], 2);
    }
    alarms[2].then = set_again; /* with a delay of its own */
    alarms[2].again_ms = 3;
    set(&alarms[2], 2);
    for (unsigned runs = 0; runs < 15;) {
        unsigned before[3] = {alarms[0].runs, alarms[1].runs, alarms[2].runs};
        oversleep(10);
        turn(0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(alarms[i].runs, before[i] + 1); /* once a turn, however late it is */
        runs = alarms[0].runs + alarms[1].runs + alarms[2].runs;
    }
    turn(5);
    assert_int_equal(strlen(diary), 15);
}

static void a_timer_goes_from_delay_to_delay(void **state)
{
    alarms[0].then = set_again;
    for (alarms[0].again_ms = 1; alarms[0].again_ms <= 40; alarms[0].again_ms++) {
        alarms[0].runs = 0;
        set(&alarms[0], 0);
        turn(0);
        assert_int_equal(alarms[0].runs, 1);
        assert_int_equal(alarms[0].timer.due_at_ms, now_ms() + alarms[0].again_ms);
    }
}

static void more_than_64_delays(void **state)
{
    for (size_t i = 0; i < ALARMS; i++)
        set(&alarms[i], (uint32_t)(i * 37 % ALARMS + 1));
    for (size_t i = 0; i < ALARMS; i++)
        set(&alarms[i], (uint32_t)(i * 73 % ALARMS + 1)); /* all of them again */
    turn_until(ALARMS);
    for (size_t i = 0; i < ALARMS; i++)
        assert_int_equal(alarms[i].runs, 1);
}

/* Each reload may bring new delays: their lists must not become more and more. */
static void lists_of_delays_that_are_not_used_are_used_again(void **state)
{
    for (uint32_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < 20; i++)
            set(&alarms[i], 1000 * (round + 1) + (uint32_t)i);
        assert_true(loop->timer_list_count <= 20);
        for (size_t i = 0; i < 20; i++)
            weir_timer_cancel(&alarms[i].timer);
    }
    set(&alarms[0], 1);
    set(&alarms[1], 100000);
    turn_until(1);
    assert_diary("a");
}

/* ---- a world ---- */

static int open_alarms(void **state)
{
    memset(alarms, 0, sizeof(alarms));
    for (size_t i = 0; i < ALARMS; i++)
        alarms[i].name[0] = (char)(i < 26 ? 'a' + (int)i : '.');
    return open_loop(state);
}

static int close_alarms(void **state)
{
    for (size_t i = 0; i < ALARMS; i++)
        weir_timer_cancel(&alarms[i].timer);
    return close_loop(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_alarms, close_alarms)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_delays_run_in_order),
        TEST(different_delays_run_when_they_are_due),
        TEST(the_loop_sleeps_until_one_is_due),
        TEST(the_loop_sleeps_no_longer_than_the_first_of_them),
        TEST(a_cancelled_timer_does_not_run),
        TEST(a_timer_that_is_set_again_runs_once_and_later),
        TEST(a_timer_that_is_set_again_and_again_does_not_run),
        TEST(one_cancels_another_that_is_due),
        TEST(one_cancels_all_the_others),
        TEST(one_sets_another_that_is_due),
        TEST(a_timer_sets_itself_again),
        TEST(a_timer_goes_from_delay_to_delay),
        TEST(more_than_64_delays),
        TEST(lists_of_delays_that_are_not_used_are_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, forget_thread);
}
