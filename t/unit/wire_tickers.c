/* SPDX-License-Identifier: MIT */
/* Tickers on the steward's thread, begun and stopped on others. Nobody looks at a clock: what is awaited is told. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/walk/steward.h"
#include "router/instance.h"

enum { DAY_MS = 86400000, MANY = 200, THREADS = 4, ROUNDS = 200, YIELDS = 1000 };

/* A ticker and what has become of it. `lock` is for all that is awaited. */
typedef struct beat {
    weir_ticker_t *ticker;
    unsigned runs;
    pthread_t thread; /* of the latest run   */
    bool is_here;     /* weir_steward_is_here() in it */
    void (*then)(struct beat *beat);
    struct beat *other;
} beat_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static weir_instance_t instance;
static beat_t beats[MANY], probe;

static void run(void *argument)
{
    beat_t *beat = argument;

    if (beat->then != NULL)
        beat->then(beat);
    pthread_mutex_lock(&lock);
    beat->thread = pthread_self();
    beat->is_here = weir_steward_is_here();
    beat->runs++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static unsigned runs_of(const beat_t *beat)
{
    unsigned runs;

    pthread_mutex_lock(&lock);
    runs = beat->runs;
    pthread_mutex_unlock(&lock);
    return runs;
}

static void await_runs(const beat_t *beat, unsigned least)
{
    pthread_mutex_lock(&lock);
    while (beat->runs < least)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Under the lock, so that a run that takes it finds the slot filled. */
static void begin(beat_t *beat, uint32_t ms)
{
    pthread_mutex_lock(&lock);
    beat->ticker = weir_every(&instance, ms, run, beat);
    bool has_begun = beat->ticker != NULL; /* a run may stop it from here on */
    pthread_mutex_unlock(&lock);
    assert_true(has_begun);
}

/* The steward has turned several times: whatever was going on before is over, and what was due has run. */
static void turn_by(weir_instance_t *clock)
{
    weir_ticker_t *ticker;

    probe = (beat_t){.runs = 0};
    ticker = weir_every(clock, 1, run, &probe);
    await_runs(&probe, 5);
    weir_ticker_stop(&ticker);
}

static void let_time_pass(void)
{
    turn_by(&instance);
}

/* The same where this instance has no clock any more. */
static void let_others_pass(void)
{
    weir_instance_t other = {0};

    weir_instance_begin(&other, "clock", "default /clock", "weir.yaml:8", 1);
    turn_by(&other);
    weir_instance_still(&other);
    weir_instance_end(&other);
}

/* ---- a flag that one waits for and another raises ---- */

typedef struct flag {
    bool is_up;
} flag_t;

static void raise_flag(flag_t *flag)
{
    pthread_mutex_lock(&lock);
    flag->is_up = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void await_flag(const flag_t *flag)
{
    pthread_mutex_lock(&lock);
    while (!flag->is_up)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int open_instance(void **state)
{
    memset(beats, 0, sizeof(beats));
    memset(&instance, 0, sizeof(instance));
    weir_instance_begin(&instance, "shop", "default /", "weir.yaml:7", 1);
    return 0;
}

static int close_instance(void **state)
{
    weir_instance_still(&instance);
    weir_instance_end(&instance);
    return 0;
}

static int stop_steward(void **state)
{
    weir_steward_stop();
    return 0;
}

/* ---- runs ---- */

static void it_runs_again_and_again(void **state)
{
    begin(&beats[0], 1);
    await_runs(&beats[0], 10);
    weir_ticker_stop(&beats[0].ticker);
    assert_null(beats[0].ticker);
}

static void on_a_thread_that_is_nobody_elses(void **state)
{
    begin(&beats[0], 1);
    begin(&beats[1], 2);
    await_runs(&beats[0], 1);
    await_runs(&beats[1], 1);
    weir_ticker_stop(&beats[0].ticker);
    weir_ticker_stop(&beats[1].ticker);
    assert_false(weir_steward_is_here());
    assert_true(beats[0].is_here && beats[1].is_here);
    assert_false(pthread_equal(beats[0].thread, pthread_self()));
    assert_true(pthread_equal(beats[0].thread, beats[1].thread)); /* shared by all */
}

static void many_run_at_once(void **state)
{
    for (uint32_t i = 0; i < MANY; i++)
        begin(&beats[i], 1 + i % 5);
    for (size_t i = 0; i < MANY; i++)
        await_runs(&beats[i], 3);
    for (size_t i = 0; i < MANY; i++)
        weir_ticker_stop(&beats[i].ticker);
}

/* ---- stopped from elsewhere ---- */

static void none_comes_behind_the_stop(void **state)
{
    unsigned runs;

    begin(&beats[0], 1);
    await_runs(&beats[0], 1);
    weir_ticker_stop(&beats[0].ticker);
    runs = runs_of(&beats[0]);
    let_time_pass();
    assert_int_equal(runs_of(&beats[0]), runs);
}

static flag_t in_run, is_stopping;
static _Atomic bool is_over;

/* Goes on for a while when somebody is about to stop it. */
static void run_for_long(beat_t *beat)
{
    raise_flag(&in_run);
    await_flag(&is_stopping);
    for (int i = 0; i < YIELDS; i++)
        sched_yield();
    atomic_store(&is_over, true);
}

static void begin_long(void)
{
    in_run = is_stopping = (flag_t){false};
    atomic_store(&is_over, false);
    beats[0].then = run_for_long;
    begin(&beats[0], 1);
    await_flag(&in_run);
    raise_flag(&is_stopping);
}

static void a_run_that_is_going_on_is_awaited(void **state)
{
    for (int i = 0; i < 20; i++) {
        begin_long();
        weir_ticker_stop(&beats[0].ticker);
        assert_true(atomic_load(&is_over));
    }
}

static void also_by_who_stills_an_instance(void **state)
{
    for (int i = 0; i < 20; i++) {
        begin_long();
        weir_instance_still(&instance);
        assert_true(atomic_load(&is_over));
        close_instance(state);
        open_instance(state);
    }
}

static void it_may_be_stopped_before_its_first_run(void **state)
{
    begin(&beats[0], DAY_MS);
    let_time_pass();
    weir_ticker_stop(&beats[0].ticker);
    assert_int_equal(runs_of(&beats[0]), 0);
}

static void and_before_it_has_begun(void **state)
{
    for (size_t i = 0; i < MANY; i++) {
        begin(&beats[i], DAY_MS);
        weir_ticker_stop(&beats[i].ticker);
    }
    let_time_pass();
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(runs_of(&beats[i]), 0);
}

/* ---- stopped where it runs ---- */

static void stop_itself(beat_t *beat)
{
    pthread_mutex_lock(&lock);
    if (beat->runs == 2)
        weir_ticker_stop(&beat->ticker);
    pthread_mutex_unlock(&lock);
}

static void it_may_be_stopped_in_its_own_run(void **state)
{
    beats[0].then = stop_itself;
    begin(&beats[0], 1);
    await_runs(&beats[0], 3);
    let_time_pass();
    assert_int_equal(runs_of(&beats[0]), 3);
    assert_null(beats[0].ticker);
}

static void stop_other(beat_t *beat)
{
    pthread_mutex_lock(&lock);
    weir_ticker_stop(&beat->other->ticker);
    pthread_mutex_unlock(&lock);
}

static void it_may_be_stopped_in_anothers_run(void **state)
{
    unsigned runs;

    beats[0].then = stop_other;
    beats[0].other = &beats[1];
    begin(&beats[1], 1);
    await_runs(&beats[1], 1);
    begin(&beats[0], 1);
    await_runs(&beats[0], 1);
    runs = runs_of(&beats[1]);
    let_time_pass();
    assert_int_equal(runs_of(&beats[1]), runs);
    weir_ticker_stop(&beats[0].ticker);
}

/* The other is stopped before its letter could be opened: we are in its way. */
static void begin_and_stop_other(beat_t *beat)
{
    beat->other->ticker = weir_every(&instance, 1, run, beat->other);
    weir_ticker_stop(&beat->other->ticker);
}

static void a_run_may_begin_and_stop_another(void **state)
{
    beats[0].then = begin_and_stop_other;
    beats[0].other = &beats[1];
    begin(&beats[0], 1);
    await_runs(&beats[0], 10);
    weir_ticker_stop(&beats[0].ticker);
    let_time_pass();
    assert_int_equal(runs_of(&beats[1]), 0);
}

static void begin_other(beat_t *beat)
{
    if (beat->other->ticker == NULL)
        beat->other->ticker = weir_every(&instance, 1, run, beat->other);
}

static void a_run_may_begin_another(void **state)
{
    beats[0].then = begin_other;
    beats[0].other = &beats[1];
    begin(&beats[0], 1);
    await_runs(&beats[1], 3);
    weir_ticker_stop(&beats[0].ticker);
    weir_ticker_stop(&beats[1].ticker);
}

/* ---- instances ---- */

static void those_that_are_left_are_stilled(void **state)
{
    static unsigned runs[MANY];

    for (uint32_t i = 0; i < MANY; i++)
        begin(&beats[i], i % 3 == 0 ? DAY_MS : 1);
    await_runs(&beats[1], 2);
    for (size_t i = 0; i < MANY; i += 7)
        weir_ticker_stop(&beats[i].ticker);
    weir_instance_still(&instance);
    for (size_t i = 0; i < MANY; i++)
        runs[i] = runs_of(&beats[i]);
    let_others_pass();
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(runs_of(&beats[i]), runs[i]);
}

/* As a router does that ends by itself what it has begun. */
static void those_that_were_stilled_may_be_stopped(void **state)
{
    for (uint32_t i = 0; i < MANY; i++)
        begin(&beats[i], 1);
    weir_instance_still(&instance);
    for (size_t i = 0; i < MANY; i++)
        weir_ticker_stop(&beats[i].ticker);
    assert_true(weir_list_is_empty(&instance.tickers));
}

static void what_begins_behind_the_end_never_runs(void **state)
{
    weir_instance_still(&instance);
    begin(&beats[0], 1);
    begin(&beats[1], 1);
    let_others_pass();
    assert_int_equal(runs_of(&beats[0]), 0);
    weir_ticker_stop(&beats[0].ticker);
}

static bool is_still(void)
{
    bool is_still;

    pthread_mutex_lock(&instance.lock);
    is_still = instance.is_still;
    pthread_mutex_unlock(&instance.lock);
    return is_still;
}

static void await_the_end(void)
{
    while (!is_still())
        sched_yield();
}

static void stop_itself_at_the_end(beat_t *beat)
{
    raise_flag(&in_run);
    await_the_end();
    weir_ticker_stop(&beat->ticker);
}

static void a_run_may_stop_itself_while_the_instance_ends(void **state)
{
    for (int i = 0; i < 20; i++) {
        in_run = (flag_t){false};
        beats[0].then = stop_itself_at_the_end;
        begin(&beats[0], 1);
        await_flag(&in_run);
        weir_instance_still(&instance);
        assert_null(beats[0].ticker);
        assert_true(weir_list_is_empty(&instance.tickers));
        close_instance(state);
        open_instance(state);
    }
}

/* Has stopped itself, and goes on all the same. */
static void stop_itself_and_run_for_long(beat_t *beat)
{
    pthread_mutex_lock(&lock);
    weir_ticker_stop(&beat->ticker);
    pthread_mutex_unlock(&lock);
    raise_flag(&in_run);
    await_the_end();
    for (int i = 0; i < YIELDS; i++)
        sched_yield();
    atomic_store(&is_over, true);
}

static void a_run_that_has_stopped_itself_is_awaited(void **state)
{
    for (int i = 0; i < 20; i++) {
        in_run = (flag_t){false};
        atomic_store(&is_over, false);
        beats[0].then = stop_itself_and_run_for_long;
        begin(&beats[0], 1);
        await_flag(&in_run);
        weir_instance_still(&instance);
        assert_true(atomic_load(&is_over));
        close_instance(state);
        open_instance(state);
    }
}

static void *stop_at_the_end(void *beat)
{
    await_the_end();
    weir_ticker_stop(&((beat_t *)beat)->ticker);
    return NULL;
}

static void a_thread_may_stop_it_while_the_instance_ends(void **state)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;

        begin_long();
        assert_int_equal(pthread_create(&thread, NULL, stop_at_the_end, &beats[0]), 0);
        weir_instance_still(&instance);
        pthread_join(thread, NULL);
        assert_null(beats[0].ticker);
        close_instance(state);
        open_instance(state);
    }
}

static void nothing_is_stilled_harmlessly(void **state)
{
    weir_instance_still(&instance);
    weir_instance_still(&instance);
}

static void another_instance_goes_on(void **state)
{
    weir_instance_t other = {0};
    unsigned runs;

    weir_instance_begin(&other, "shop", "default /b", "weir.yaml:9", 1);
    beats[1].ticker = weir_every(&other, 1, run, &beats[1]);
    begin(&beats[0], 1);
    await_runs(&beats[0], 1);
    weir_instance_still(&instance);
    runs = runs_of(&beats[1]);
    await_runs(&beats[1], runs + 3);
    weir_instance_still(&other);
    weir_instance_end(&other);
}

/* ---- all at once ---- */

static void *begin_and_stop(void *argument)
{
    beat_t *beat = argument;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned runs = runs_of(beat);

        beat->ticker = weir_every(&instance, 1, run, beat);
        if (i % 8 == 0)
            await_runs(beat, runs + 1);
        weir_ticker_stop(&beat->ticker);
        runs = runs_of(beat);
        sched_yield();
        if (runs_of(beat) != runs)
            return beat;
    }
    return NULL;
}

static void threads_begin_and_stop_as_they_like(void **state)
{
    pthread_t threads[THREADS];
    void *wrong;

    begin(&beats[THREADS], 1);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, begin_and_stop, &beats[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    weir_ticker_stop(&beats[THREADS].ticker);
    assert_true(weir_list_is_empty(&instance.tickers));
}

static void *still(void *argument)
{
    weir_instance_still(argument);
    return NULL;
}

/* Each ticker is ended by one of them, and none twice. */
static void threads_may_still_the_same_instance(void **state)
{
    for (int round = 0; round < 10; round++) {
        pthread_t threads[THREADS];

        for (size_t i = 0; i < MANY; i++)
            begin(&beats[i], 1);
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, still, &instance), 0);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        close_instance(state);
        open_instance(state);
    }
}

/* ---- the steward ---- */

static void a_steward_may_be_followed_by_another(void **state)
{
    for (int i = 0; i < 5; i++) {
        unsigned runs = runs_of(&beats[0]);

        begin(&beats[0], 1);
        await_runs(&beats[0], runs + 2);
        weir_ticker_stop(&beats[0].ticker);
        weir_steward_stop();
        weir_steward_stop(); /* harmless where there is none */
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_instance, close_instance)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_runs_again_and_again),
        TEST(on_a_thread_that_is_nobody_elses),
        TEST(many_run_at_once),
        TEST(none_comes_behind_the_stop),
        TEST(a_run_that_is_going_on_is_awaited),
        TEST(also_by_who_stills_an_instance),
        TEST(it_may_be_stopped_before_its_first_run),
        TEST(and_before_it_has_begun),
        TEST(it_may_be_stopped_in_its_own_run),
        TEST(it_may_be_stopped_in_anothers_run),
        TEST(a_run_may_begin_and_stop_another),
        TEST(a_run_may_begin_another),
        TEST(those_that_are_left_are_stilled),
        TEST(those_that_were_stilled_may_be_stopped),
        TEST(what_begins_behind_the_end_never_runs),
        TEST(a_run_may_stop_itself_while_the_instance_ends),
        TEST(a_run_that_has_stopped_itself_is_awaited),
        TEST(a_thread_may_stop_it_while_the_instance_ends),
        TEST(nothing_is_stilled_harmlessly),
        TEST(another_instance_goes_on),
        TEST(threads_begin_and_stop_as_they_like),
        TEST(threads_may_still_the_same_instance),
        TEST(a_steward_may_be_followed_by_another),
    };

    return cmocka_run_group_tests(tests, NULL, stop_steward);
}
