/* SPDX-License-Identifier: MIT */
/*
 * How well the kit chooses, and whom it puts in quarantine: the situations in which its rules were found by simulation, with
 * the kit itself in the place of the simulation. The numbers that it is held against are those of that simulation.
 *
 * WEIR_SITUATIONS=N: N runs of each, of the simulation's own length, and tables of the results.
 */
#include "situations_model.h"

#define BASE .backends = 10, .workers = 8, .timeout_s = 5, .settings = "quarantine: OFF,"
#define FOUR .backends = 4, .workers = 8, .load = 0.5, .timeout_s = 30, .settings = ""

/* A share of errors is one of all requests, in percent. */
typedef struct expected {
    situation_t situation;
    double p50_ms, p99_ms, errors;
} expected_t;

static const model_times_t short_times = {5, 10, 30, 30, 11}, long_times = {5, 20, 40, 60, 21};
static unsigned runs = 1;
static bool is_long;

static bool may_go_wrong(const situation_t *situation)
{
    return situation->mood != MODEL_WELL || situation->joins;
}

static model_result_t simulate(const situation_t *situation)
{
    model_result_t result = {0};
    model_times_t times = is_long ? long_times : short_times;

    if (situation->joins)
        times.last = times.begin + 40; /* until it has its share */
    for (unsigned seed = 1; seed <= runs; seed++)
        model_run(situation, &times, seed, &result);
    return result;
}

static void assert_between(const char *what, double got, double least, double most)
{
    if (!(got >= least && got <= most))
        fail_msg("%s: %g is not in %g … %g", what, got, least, most);
}

/* ---- who gets the request ---- */

static model_counts_t *measure(const expected_t *expected, model_result_t *out)
{
    model_counts_t *counts;

    *out = simulate(&expected->situation);
    counts = may_go_wrong(&expected->situation) ? &out->meanwhile : &out->always;
    if (is_long)
        printf("# | %s | %.0f/%.0f e%.2f %% | %.0f/%.0f/%.0f e%.2f %% |\n", expected->situation.name, expected->p50_ms,
               expected->p99_ms, expected->errors, model_percentile(counts, 0.5), model_percentile(counts, 0.99),
               model_percentile(counts, 0.999), model_percent(counts->failed, counts->all));
    return counts;
}

/* As good as the simulation (runs differ by a twentieth), and not so good that nothing can have gone wrong. */
static model_result_t assert_as_expected(const expected_t *expected)
{
    model_result_t result;
    model_counts_t *counts = measure(expected, &result);

    assert_true(counts->all > 1000);
    assert_between("p50", model_percentile(counts, 0.5), expected->p50_ms / 1.25, expected->p50_ms * 1.1);
    assert_between("p99", model_percentile(counts, 0.99), expected->p99_ms / 1.25, expected->p99_ms * 1.1);
    assert_between("errors", model_percent(counts->failed, counts->all), expected->errors / 4, expected->errors * 1.25 + 0.02);
    model_result_free(&result);
    return result;
}

static void equal_ones(void **state)
{
    (void)assert_as_expected(&(expected_t){{"equal, load 0.9", BASE, .load = 0.9}, 34, 315, 0});
}

static void small_ones(void **state)
{
    expected_t expected = {{"2 workers each, 0.7", BASE, .load = 0.7}, 35, 321, 0};

    expected.situation.workers = 2;
    (void)assert_as_expected(&expected);
}

static void half_of_them_slower(void **state)
{
    assert_as_expected(
        &(expected_t){{"half are 3x slower, 0.7", BASE, .load = 0.7, .slow_count = 5, .slow_times = 3}, 37, 505, 0});
}

static void one_becomes_slow(void **state)
{
    assert_as_expected(
        &(expected_t){{"one 10x slower, 0.6", BASE, .load = 0.6, .mood = MODEL_SLOW, .mood_times = 10}, 31, 359, 0});
}

static void one_fails_fast(void **state)
{
    (void)assert_as_expected(&(expected_t){{"one answers 500 in 1 ms", BASE, .load = 0.6, .mood = MODEL_FAILS}, 30, 316, 2.7});
}

static void one_hangs(void **state)
{
    (void)assert_as_expected(&(expected_t){{"one hangs", BASE, .load = 0.6, .mood = MODEL_HANGS}, 30, 313, 0.11});
}

/* It is as good as the others in the end, and has as much to do. */
static void a_cold_one_joins(void **state)
{
    const expected_t expected = {{"a cold one joins, 0.7", BASE, .load = 0.7, .joins = true}, 31, 354, 0};
    const model_result_t result = assert_as_expected(&expected);

    assert_between("share", (double)result.settled_to_first * expected.situation.backends / (double)result.settled, 0.8, 1.2);
}

/* What is held against these numbers can be told from what is not: who draws by dice is far off. */
static void by_dice_it_would_be_seen(void **state)
{
    expected_t expected = {{"random: one hangs", BASE, .load = 0.6, .mood = MODEL_HANGS}, 33, 316, 10};
    model_result_t result;
    model_counts_t *counts;

    expected.situation.settings = "balance: random, quarantine: OFF,";
    counts = measure(&expected, &result);
    assert_between("errors", model_percent(counts->failed, counts->all), 9, 11);
    model_result_free(&result);
    expected = (expected_t){{"random: one 10x slower", BASE, .load = 0.6, .mood = MODEL_SLOW, .mood_times = 10}, 34, 4410, 7.2};
    expected.situation.settings = "balance: random, quarantine: OFF,";
    counts = measure(&expected, &result);
    assert_between("p99", model_percentile(counts, 0.99), 2000, 5000);
    model_result_free(&result);
}

/* ---- who is put in quarantine ---- */

typedef struct ill {
    situation_t situation;
    double errors_later; /* behind the first second */
} ill_t;

static void tell_quarantines(const char *name, double expected, const model_result_t *result)
{
    const model_counts_t *counts = &result->meanwhile;

    if (is_long)
        printf("# | %s | %.2f %% | %.2f %% | %.2f %% | %.1f (%.1f) |\n", name, expected,
               model_percent(counts->failed_later, counts->all_later), model_percent(counts->failed, counts->all),
               (double)result->quarantines / runs, (double)result->quarantines_of_well / runs);
}

static void assert_seen_in_time(const ill_t *ill)
{
    model_result_t result = simulate(&ill->situation);
    const model_counts_t *counts = &result.meanwhile;

    tell_quarantines(ill->situation.name, ill->errors_later, &result);
    assert_true(result.quarantines > 0);
    assert_true(counts->failed > 0);
    assert_between("errors", model_percent(counts->failed_later, counts->all_later), 0, 2 * ill->errors_later + 0.1);
    model_result_free(&result);
}

static void one_of_four_is_ill(void **state)
{
    assert_seen_in_time(&(ill_t){{"500s", FOUR, .mood = MODEL_FAILS}, 0.03});
    assert_seen_in_time(&(ill_t){{"hangs", FOUR, .mood = MODEL_HANGS}, 0.00});
    assert_seen_in_time(&(ill_t){{"40 % 500s", FOUR, .mood = MODEL_FAILS_SOMETIMES}, 0.17});
    assert_seen_in_time(&(ill_t){{"flaps 3 s/3 s", FOUR, .mood = MODEL_FAILS, .flap_s = 3}, 0.12});
}

/* The failures are the application's own: there is nobody to be taken away. */
static void assert_nobody_taken_away(const situation_t *situation)
{
    model_result_t result = simulate(situation);

    tell_quarantines(situation->name, 100 * situation->own_failures, &result);
    assert_between("errors", model_percent(result.always.failed, result.always.all), 80 * situation->own_failures,
                   120 * situation->own_failures);
    assert_int_equal(result.quarantines, 0);
    model_result_free(&result);
}

static void an_application_that_fails_takes_nobody_away(void **state)
{
    situation_t two = {"2 of 2, load 0.1, 30 % own 500s", FOUR, .own_failures = 0.3};

    assert_nobody_taken_away(&(situation_t){"well, 5 % own 500s", FOUR, .own_failures = 0.05});
    assert_nobody_taken_away(&(situation_t){"well, 30 % own 500s", FOUR, .own_failures = 0.3});
    two.backends = 2;
    two.load = 0.1;
    assert_nobody_taken_away(&two);
}

/* ---- at length ---- */

/* Who has answered nothing well for half a minute has no latency any more; it fails all the same. */
static void assert_avoided(const char *name, const situation_t *situation, double errors)
{
    const model_times_t times = {5, 10, 80, 80, 60};
    model_result_t result = {0};

    model_run(situation, &times, 1, &result);
    assert_true(result.meanwhile.all_later > 1000);
    assert_between(name, model_percent(result.meanwhile.failed_later, result.meanwhile.all_later), 0, errors);
    model_result_free(&result);
}

static void the_last_that_is_well_gets_the_requests(void **state)
{
    situation_t situation = {"", FOUR, .mood = MODEL_FAILS, .ill = 3};

    situation.load = 0.2;
    assert_avoided("3 of 4 fail", &situation, 6);
    situation.mood = MODEL_HANGS;
    situation.timeout_s = 5;
    assert_avoided("3 of 4 hang", &situation, 0.5);
    situation.backends = 2;
    situation.ill = 1;
    situation.settings = "quarantine: OFF,";
    situation.mood = MODEL_FAILS;
    assert_avoided("1 of 2 fails", &situation, 4);
    situation.mood = MODEL_IS_BUSY;
    assert_avoided("1 of 2 is busy", &situation, 4);
}

/* Of an application that fails now and then no backend is avoided for minutes because of one failure. */
static void a_failure_is_forgotten(void **state)
{
    const model_times_t times = {5, 700, 700, 700, 700};
    situation_t situation = {"", FOUR, .own_failures = 0.05};
    model_result_t result = {0};
    unsigned long all = 0;

    situation.load = 3 * 0.05 / 32; /* 3 requests a second */
    model_run(&situation, &times, 7, &result);
    for (unsigned i = 0; i < situation.backends; i++)
        all += result.sent[i];
    for (unsigned i = 0; i < situation.backends; i++)
        assert_between("share", (double)result.sent[i] / (double)all, 0.2, 0.3);
    model_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_ones),
        cmocka_unit_test(small_ones),
        cmocka_unit_test(half_of_them_slower),
        cmocka_unit_test(one_becomes_slow),
        cmocka_unit_test(one_fails_fast),
        cmocka_unit_test(one_hangs),
        cmocka_unit_test(a_cold_one_joins),
        cmocka_unit_test(by_dice_it_would_be_seen),
        cmocka_unit_test(one_of_four_is_ill),
        cmocka_unit_test(an_application_that_fails_takes_nobody_away),
        cmocka_unit_test(the_last_that_is_well_gets_the_requests),
        cmocka_unit_test(a_failure_is_forgotten),
    };
    const char *wanted = getenv("WEIR_SITUATIONS");

    is_long = wanted != NULL && strtoul(wanted, NULL, 10) > 0;
    if (is_long)
        runs = (unsigned)strtoul(wanted, NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
