/* SPDX-License-Identifier: MIT */
/* Of apps that nobody wants anything of little is kept: what is made at a first request, and what is kept once for many. */
#include "kit_queue_world.h"

#include "lib/walk/steward.h"
#include "router/kit/rest.h"

static const char two_shapes[][512] = {
    "name: idle\n"
    "defaults: { max-requests: 7 }\n"
    "apps:\n"
    "  tight: { domains: [a], backends: [\"127.0.0.1:1001\", \"127.0.0.1:1002\"] }\n"
    "  whole: { domains: [b], backends: [\"127.0.0.1:1001\"] }\n"
    "  held: { domains: [c], backends: [\"127.0.0.1:1001\"], hold: 1000 }\n",
    "name: idle\n"
    "apps:\n"
    "  tight: { domains: [a], backends: [\"127.0.0.1:1002\", \"127.0.0.1:1001\"] }\n"
    "  whole: { domains: [b], backends: [\"127.0.0.1:1001\"], health: { tcp: ON } }\n"
    "  held: { domains: [c], backends: [\"127.0.0.1:1003\"] }\n",
};

static void open_both(void **state)
{
    for (size_t i = 0; i < 2; i++)
        read_shape(i, two_shapes[i]);
    open_world(1);
    weir_grace_join(&workers[0].reader);
}

static void close_all(void)
{
    close_world();
    weir_grace_part(&workers[0].reader);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

static size_t count_records(size_t app)
{
    size_t count = 0;

    for (size_t i = 0; i < sets[app]->member_count; i++)
        count += kit_record(sets[app]->members[i]) != NULL;
    return count;
}

static void ask_once(size_t app, uint16_t status)
{
    seat_t *seat = &workers[0].seats[0];

    workers[0].loop.now_us = weir_clock_monotonic_us();
    workers[0].dice++;
    new_request_of(&workers[0], seat, app, 0);
    check_out(seat);
    take_answer(&workers[0], seat);
    send_request(seat);
    get_head(seat, status);
    check_in(seat, WEIR_CONNECTED, NULL);
    end_request(seat);
    assert_nothing_is_wrong();
}

static void what_counts_is_made_at_the_first_request(void **state)
{
    open_both(state);
    kit_tick(kit_in_force);
    for (size_t i = APP_TIGHT; i <= APP_HELD; i++) {
        assert_null(kit_activity(sets[i]));
        assert_int_equal(count_records(i), 0);
    }
    ask_once(APP_TIGHT, 200);
    assert_int_equal(count_records(APP_TIGHT), 1);
    assert_int_equal(count_records(APP_WHOLE), 0);
    assert_null(kit_activity(sets[APP_WHOLE]));
    for (int i = 0; i < 200; i++)
        ask_once(APP_TIGHT, 200);
    assert_int_equal(count_records(APP_TIGHT), 2);
    close_all();
}

/* What is known of a member stays over a reload, and what was counted before the first tick is not lost by it. */
static void it_is_kept(void **state)
{
    uint64_t answers = 0, failures = 0;

    open_both(state);
    ask_once(APP_WHOLE, 200);
    ask_once(APP_WHOLE, 500);
    const weir_member_t *member = sets[APP_WHOLE]->members[0];
    const kit_record_t *record = kit_record(member);
    const kit_activity_t *activity = kit_activity(sets[APP_WHOLE]);
    apply(1);
    kit_tick(kit_in_force);
    assert_ptr_equal(kit_record(sets[APP_WHOLE]->members[0]), record);
    assert_ptr_equal(kit_activity(sets[APP_WHOLE]), activity);
    for (size_t i = 0; i < KIT_CELLS; i++) {
        answers += atomic_load(&activity->cells.answers[i]);
        failures += atomic_load(&kit_trouble(member)->failures[i]);
    }
    assert_int_equal(answers, 2);
    assert_int_equal(failures, 1);
    assert_int_equal(atomic_load(&member->heard) & KIT_HEARD_COUNT, 1);
    close_all();
}

enum { TICKS_UNTIL_IDLE = 102 };
static const uint64_t nearly_us = 599 * UINT64_C(1000000), enough_us = 602 * UINT64_C(1000000);

static void be_idle(void)
{
    for (int i = 0; i < TICKS_UNTIL_IDLE; i++)
        kit_tick(kit_in_force);
}

static void rest_until(uint64_t us_from_now)
{
    pthread_mutex_lock(&kit_in_force->instance->lock);
    kit_rest_tick(kit_in_force->instance, weir_clock_monotonic_us() + us_from_now);
    pthread_mutex_unlock(&kit_in_force->instance->lock);
}

static void it_is_given_back_after_ten_minutes(void **state)
{
    open_both(state);
    for (int i = 0; i < 200; i++)
        ask_once(APP_TIGHT, i == 0 ? 500 : 200);
    be_idle();
    rest_until(nearly_us);
    assert_non_null(kit_activity(sets[APP_TIGHT]));
    assert_int_equal(count_records(APP_TIGHT), 2);
    rest_until(enough_us);
    assert_null(kit_activity(sets[APP_TIGHT]));
    assert_int_equal(count_records(APP_TIGHT), 0);
    for (size_t i = 0; i < sets[APP_TIGHT]->member_count; i++)
        assert_null(kit_trouble(sets[APP_TIGHT]->members[i]));
    ask_once(APP_TIGHT, 200);
    assert_non_null(kit_activity(sets[APP_TIGHT]));
    assert_int_equal(count_records(APP_TIGHT), 1);
    close_all();
}

/* Of a member with a request under way, one in quarantine, and an app that is paused something is still wanted. */
static void what_is_needed_is_kept(void **state)
{
    seat_t *seat = &workers[0].seats[1];

    open_both(state);
    ask_once(APP_WHOLE, 200);
    workers[0].loop.now_us = weir_clock_monotonic_us();
    new_request_of(&workers[0], seat, APP_WHOLE, 0);
    check_out(seat);
    take_answer(&workers[0], seat);
    send_request(seat);
    for (int i = 0; i < 200; i++)
        ask_once(APP_TIGHT, 200);
    atomic_store(&kit_trouble_of(sets[APP_TIGHT]->members[0])->quarantine_until_us, UINT64_MAX);
    atomic_store(&sets[APP_TIGHT]->members[0]->quarantine, KIT_FAILING);
    ask_once(APP_HELD, 200);
    weir_set_pause(sets[APP_HELD], 1000000000);
    be_idle();
    rest_until(enough_us);
    assert_int_equal(count_records(APP_WHOLE), 1);
    assert_int_equal(count_records(APP_TIGHT), 1);
    assert_non_null(kit_trouble(sets[APP_TIGHT]->members[0]));
    assert_non_null(kit_activity(sets[APP_HELD]));
    weir_set_resume(sets[APP_HELD], 0);
    atomic_store(&sets[APP_TIGHT]->members[0]->quarantine, KIT_FREE);
    get_head(seat, 200);
    check_in(seat, WEIR_CONNECTED, NULL);
    end_request(seat);
    ask_once(APP_HELD, 200);
    assert_nothing_is_wrong();
    close_all();
}

static void apps_that_say_the_same_share_their_settings(void **state)
{
    open_both(state);
    const kit_settings_t *tight = atomic_load(&sets[APP_TIGHT]->settings), *held = atomic_load(&sets[APP_HELD]->settings);

    assert_ptr_equal(atomic_load(&sets[APP_WHOLE]->settings), tight);
    assert_ptr_not_equal(held, tight);
    assert_int_equal(tight->max_requests, 7);
    assert_int_equal(tight->hold_ms, 0);
    assert_int_equal(held->hold_ms, 1000);
    apply(1);
    assert_ptr_equal(atomic_load(&sets[APP_TIGHT]->settings), atomic_load(&sets[APP_HELD]->settings));
    assert_ptr_not_equal(atomic_load(&sets[APP_TIGHT]->settings), atomic_load(&sets[APP_WHOLE]->settings));
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_counts_is_made_at_the_first_request),    cmocka_unit_test(it_is_kept),
        cmocka_unit_test(it_is_given_back_after_ten_minutes),          cmocka_unit_test(what_is_needed_is_kept),
        cmocka_unit_test(apps_that_say_the_same_share_their_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
