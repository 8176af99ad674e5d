/* SPDX-License-Identifier: MIT */
/* Who of those that wait gets a slot that comes free, step by step. */
#include "kit_queue_world.h"

#include "lib/walk/steward.h"
#include "router/kit/health.h"
#include "weir_span.h"

#define HEAD                                                                                                                   \
    "name: crowd\napps:\n  pinned:\n    domains: [\"*\"]\n    affinity: ON\n    drain-timeout: 3600000\n    max-requests: "    \
    "1\n    "                                                                                                                  \
    "backends:\n"
#define PINNED_3 "name: crowd\napps:\n  pinned:\n    domains: [\"*\"]\n    affinity: ON\n    max-requests: 3\n    backends:\n"
#define TIGHT_3 "name: crowd\napps:\n  tight:\n    domains: [\"*\"]\n    max-requests: 3\n    backends:\n"
#define HELD "name: crowd\napps:\n  held:\n    domains: [\"*\"]\n    hold: 3600000\n    backends:\n"
#define PACED "name: crowd\napps:\n  held:\n    domains: [\"*\"]\n    hold: 3600000\n    release-window: 1\n    backends:\n"
#define NOBODY "      []\n"
#define WHOLE "name: crowd\napps:\n  whole:\n    domains: [\"*\"]\n    app-max-requests: 1\n    backends:\n"
#define M0 "      - { at: \"127.0.0.1:1000\", id: m0 }\n"
#define M1 "      - { at: \"127.0.0.1:1001\", id: m1 }\n"
#define M1_SPARE "      - { at: \"127.0.0.1:1001\", id: m1, tier: 1 }\n"

#define DRAINED_US UINT64_C(3700000000)
#define SILENCE_US UINT64_C(3000000)

static worker_t *const worker = &workers[0];

static void open_with(const char *text, const char *then)
{
    read_shape(0, text);
    read_shape(1, then);
    open_world(1);
    weir_grace_join(&worker->reader);
    worker->loop.now_us = weir_clock_monotonic_us();
    worker->loop.wall_offset_us = weir_clock_wall_us() - worker->loop.now_us;
}

static void close_all(void)
{
    for (size_t i = 0; i < SEATS; i++)
        assert_int_equal(worker->seats[i].state, SEAT_IDLE);
    close_world();
    weir_grace_part(&worker->reader);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

/* All of them are of one client. `member`: to which it is pinned; MEMBERS: to none. */
static seat_t *ask(size_t index, uint64_t member)
{
    seat_t *seat = &worker->seats[index];

    new_request_of(worker, seat, APP_PINNED, 0);
    if (member < MEMBERS)
        bring_a_cookie(worker, seat, member);
    check_out(seat);
    return seat;
}

static void assert_has(seat_t *seat, const char *id)
{
    assert_true(is_answered(seat));
    take_answer(worker, seat);
    assert_nothing_is_wrong();
    assert_int_equal(seat->state, SEAT_PICKED);
    assert_string_equal(kit_lease_of(&seat->lease)->member->id, id);
}

static void end(seat_t *seat)
{
    get_head(seat, 200);
    check_in(seat, WEIR_CONNECTED, NULL);
    end_request(seat);
}

/* The first in the queue may not have what the second is pinned to. */
static void a_slot_for_one_who_is_pinned(void)
{
    seat_t *first = ask(0, 0), *second = ask(1, 1), *any, *pinned;

    assert_has(first, "m0");
    assert_has(second, "m1");
    apply(1);
    any = ask(2, MEMBERS);
    pinned = ask(3, 1);
    assert_false(is_answered(any) || is_answered(pinned));
    end(second);
    assert_has(pinned, "m1");
    assert_false(is_answered(any));
    end(first);
    assert_has(any, "m0");
    end(any);
    end(pinned);
}

static void of_a_member_that_leaves(void **state)
{
    open_with(HEAD M0 M1, HEAD M0);
    a_slot_for_one_who_is_pinned();
    close_all();
}

static void of_a_spare_member(void **state)
{
    open_with(HEAD M0 M1_SPARE, HEAD M0 M1_SPARE);
    a_slot_for_one_who_is_pinned();
    close_all();
}

/* Its drain is over, though it still has a request: who waits for it goes elsewhere, and not by a rescue. */
static void a_drain_that_ends(void **state)
{
    const uint64_t rescues = kit_queue_rescues();

    open_with(HEAD M0 M1, HEAD M0);
    seat_t *second = ask(0, 1), *pinned;
    assert_has(second, "m1");
    apply(1);
    pinned = ask(1, 1);
    assert_false(is_answered(pinned));
    pthread_mutex_lock(&kit_in_force->instance->lock);
    assert_int_equal(kit_set_sweep(sets[APP_PINNED], worker->loop.now_us + DRAINED_US), 1);
    pthread_mutex_unlock(&kit_in_force->instance->lock);
    assert_has(pinned, "m0");
    end(pinned);
    end(second);
    assert_true(kit_queue_rescues() == rescues);
    close_all();
}

/* A tick finds that it is silent: who waits for it goes elsewhere, and not by a rescue. */
static void a_member_that_falls_silent(void **state)
{
    const uint64_t rescues = kit_queue_rescues();
    seat_t *seats[3], *pinned;

    open_with(PINNED_3 M0 M1, PINNED_3 M0 M1);
    weir_set_t *set = sets[APP_PINNED];
    atomic_store(&set->has_ticks, true);
    for (size_t i = 0; i < 3; i++)
        assert_has(seats[i] = ask(i, 1), "m1");
    worker->loop.now_us += SILENCE_US;
    atomic_store(&set->members[0]->head_at_us, worker->loop.now_us);
    pinned = ask(3, 1);
    assert_false(is_answered(pinned));
    assert_false(kit_health_tick(set, worker->loop.now_us, 1));
    assert_int_equal(atomic_load(&set->members[1]->quarantine), KIT_SILENT);
    kit_queue_tick(set, worker->loop.now_us);
    assert_has(pinned, "m0");
    assert_true(kit_queue_rescues() == rescues);
    end(pinned);
    for (size_t i = 0; i < 3; i++)
        end(seats[i]);
    close_all();
}

/* The last one that is well falls silent: who waits for it may have one that is ill, as there is no other. */
static void the_last_one_falls_silent(void **state)
{
    const uint64_t rescues = kit_queue_rescues();
    seat_t *seats[3], *seat = &worker->seats[3];

    open_with(TIGHT_3 M0 M1, TIGHT_3 M0 M1);
    weir_set_t *set = sets[APP_TIGHT];
    atomic_store(&set->has_ticks, true);
    atomic_store(&kit_trouble_of(set->members[1])->quarantine_until_us, worker->loop.now_us + DRAINED_US);
    atomic_store(&set->members[1]->quarantine, KIT_CONNECT);
    for (size_t i = 0; i < 3; i++) {
        seats[i] = &worker->seats[i];
        new_request_of(worker, seats[i], APP_TIGHT, 0);
        check_out(seats[i]);
        assert_has(seats[i], "m0");
    }
    worker->loop.now_us += SILENCE_US;
    atomic_store(&set->members[1]->head_at_us, worker->loop.now_us);
    new_request_of(worker, seat, APP_TIGHT, 0);
    check_out(seat);
    assert_false(is_answered(seat));
    assert_false(kit_health_tick(set, worker->loop.now_us, 1));
    assert_int_equal(atomic_load(&set->members[0]->quarantine), KIT_SILENT);
    kit_queue_tick(set, worker->loop.now_us);
    assert_has(seat, "m1");
    assert_true(kit_queue_rescues() == rescues);
    end(seat);
    for (size_t i = 0; i < 3; i++)
        end(seats[i]);
    close_all();
}

/* ---- hold ---- */

static bool is_none(const weir_member_t *member, void *context)
{
    return false;
}

/* While it is asked of the first member, the second one comes. */
static bool is_second(const weir_member_t *member, void *has_come)
{
    if (!*(bool *)has_come) {
        *(bool *)has_come = true;
        apply(1);
    }
    return weir_span_is(weir_member_id(member), "m1");
}

static seat_t *hold(size_t index, bool (*may)(const weir_member_t *member, void *context), void *context)
{
    seat_t *seat = &worker->seats[index];

    new_request_of(worker, seat, APP_HELD, 0);
    weir_lease_filter(&seat->lease, may, context);
    check_out(seat);
    return seat;
}

/* Between finding nobody and being in the queue, where those who come look for whom to wake. */
static void a_backend_that_comes_meanwhile(void **state)
{
    bool has_come = false;
    seat_t *other, *seat;

    open_with(HELD M0, HELD M0 M1);
    other = hold(0, is_none, NULL);
    seat = hold(1, is_second, &has_come);
    assert_has(seat, "m1");
    end(seat);
    leave_queue(worker, other);
    assert_true(is_answered(other));
    take_answer(worker, other);
    close_all();
}

static size_t answered_of(size_t count)
{
    size_t answered = 0;

    for (size_t i = 0; i < count; i++)
        answered += is_answered(&worker[i / SEATS].seats[i % SEATS]);
    return answered;
}

/* Of those that are let go by and by: a failure halves the window, but not below what is allowed for each member. */
static void a_window_that_grows_by_a_failure(void **state)
{
    enum { HELD_ONES = 12 };

    read_shape(2, PACED M0 M1);
    open_with(PACED NOBODY, PACED M0);
    for (size_t i = 0; i < HELD_ONES; i++) {
        new_request_of(worker, &worker[i / SEATS].seats[i % SEATS], APP_HELD, 0);
        check_out(&worker[i / SEATS].seats[i % SEATS]);
    }
    apply(1);
    assert_int_equal(answered_of(HELD_ONES), 1);
    apply(2);
    assert_int_equal(answered_of(HELD_ONES), 1);
    assert_has(&worker->seats[0], "m0");
    get_head(&worker->seats[0], 500);
    assert_true(is_answered(&worker->seats[1]));
    check_in(&worker->seats[0], WEIR_CONNECTED, NULL);
    end_request(&worker->seats[0]);
    for (size_t i = 1; i < HELD_ONES; i++) {
        seat_t *seat = &worker[i / SEATS].seats[i % SEATS];
        leave_queue(worker, seat);
        take_answer(worker, seat);
    }
    close_all();
}

/* ---- app-max-requests ---- */

/* While it is asked, another request finds the app full: this one has its only slot. */
static bool is_none_and_another_comes(const weir_member_t *member, void *another)
{
    seat_t *seat = another;

    new_request_of(worker, seat, APP_WHOLE, 0);
    check_out(seat);
    return false;
}

static void a_slot_of_one_who_is_refused(void **state)
{
    seat_t *seat = &worker->seats[0], *another = &worker->seats[1];

    open_with(WHOLE M0, WHOLE M0);
    new_request_of(worker, seat, APP_WHOLE, 0);
    weir_lease_filter(&seat->lease, is_none_and_another_comes, another);
    check_out(seat);
    assert_true(is_answered(seat));
    take_answer(worker, seat);
    assert_int_equal(seat->state, SEAT_IDLE);
    assert_has(another, "m0");
    end(another);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_member_that_leaves),
        cmocka_unit_test(of_a_spare_member),
        cmocka_unit_test(a_drain_that_ends),
        cmocka_unit_test(a_member_that_falls_silent),
        cmocka_unit_test(the_last_one_falls_silent),
        cmocka_unit_test(a_backend_that_comes_meanwhile),
        cmocka_unit_test(a_window_that_grows_by_a_failure),
        cmocka_unit_test(a_slot_of_one_who_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
