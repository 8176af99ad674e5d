/* SPDX-License-Identifier: MIT */
/*
 * Nobody who waits stands beside a free slot, whatever happens at the same time: eight threads take, wait, leave and give
 * back, and put configurations in force that add and remove members and change limits, while one more thread ticks.
 *
 * When is a rescue one? A tick that finds somebody waiting beside a free slot may have come between a check-in's two halves:
 * the slot is counted free, and its waiter is not looked for yet. So ticks come
 *
 *   at quiet points, where no step is half done: the first says where the queue stands, and the second would serve whoever
 *     nobody has served;
 *   beside the steps, but of a queue only when it has certainly served somebody since its last tick: that rescues nobody.
 *
 * Then each rescue is a fault, and none is hidden by a tick.
 */
#include "kit_queue_world.h"

#include <sched.h>

#include "hear.h"
#include "lib/walk/steward.h"
#include "router/kit/health.h"
#include "router/kit/rest.h"

enum {
    STEPS = 200000, /* WEIR_STEPS says another number */
    APPLIES_ONE_OF = 400,
    QUIET_ONE_OF = 1000,
    LEAVES_ONE_OF = 20,
    ENDING_TURNS = 2000,
    MOOD_US = 30000,
    MEMBERS_MOST = 64, /* of a set, with those that leave */
};

#define HOUR_US UINT64_C(3600000000)

static pthread_rwlock_t steps_lock; /* written: no step is half done */
static uint64_t picked_at_tick[APPS];
static _Atomic uint64_t besides; /* ticks beside the steps */
static _Atomic bool has_ended;
static uint64_t ill; /* members, at quiet points */
static uint64_t steps_of_each;

/* ---- what must hold where nothing is half done ---- */

static const kit_lease_t *lease_in(const seat_t *seat)
{
    return (const kit_lease_t *)(const void *)&seat->lease;
}

static bool waits(const seat_t *seat)
{
    return (seat->state == SEAT_ASKING || seat->state == SEAT_LEFT) && !is_answered(seat);
}

typedef void each_seat_t(const seat_t *seat, void *context);

static void each_of_app(size_t app, each_seat_t *each, void *context)
{
    for (size_t i = 0; i < WORKERS; i++)
        for (size_t k = 0; k < SEATS; k++)
            if (workers[i].seats[k].state != SEAT_IDLE && workers[i].seats[k].app == app)
                each(&workers[i].seats[k], context);
}

/* What should be counted, by what is held. */
typedef struct audit {
    size_t app;
    const weir_member_t *members[MEMBERS_MOST];
    uint64_t loads[MEMBERS_MOST];
    size_t count;
    uint32_t waiting, in_flight;
    bool has_app_slot;
} audit_t;

static void add_members(audit_t *audit, weir_member_t *const *members, size_t count)
{
    for (size_t i = 0; i < count && must(audit->count < MEMBERS_MOST, "has too many members", audit->app); i++)
        audit->members[audit->count++] = members[i];
}

static uint64_t load_of(const kit_lease_t *lease)
{
    if (lease->is_tunnel)
        return KIT_ONE_TUNNEL;
    return lease->has_head ? KIT_ONE_IN_FLIGHT : KIT_ONE_IN_FLIGHT + KIT_ONE_WAITING;
}

static void count_seat(const seat_t *seat, void *context)
{
    audit_t *audit = context;
    const kit_lease_t *lease = lease_in(seat);
    size_t i = 0;

    audit->waiting += waits(seat);
    audit->in_flight += lease->is_counted;
    (void)must(waits(seat) == (lease->waiter != NULL), "one waits who is not in the queue, or stays in it", seat->app);
    if (lease->member == NULL)
        return;
    while (i < audit->count && audit->members[i] != lease->member)
        i++;
    if (must(i < audit->count, "a member is gone while it is used", seat->app))
        audit->loads[i] += load_of(lease);
}

static void check_books(audit_t *audit)
{
    weir_set_t *set = sets[audit->app];

    add_members(audit, set->members, set->member_count);
    add_members(audit, set->leaving, set->leaving_count);
    each_of_app(audit->app, count_seat, audit);
    for (size_t i = 0; i < audit->count; i++) {
        const uint8_t quarantine = atomic_load(&audit->members[i]->quarantine);
        ill += quarantine != KIT_FREE && quarantine != KIT_TRIAL;
        (void)must(atomic_load(&audit->members[i]->load) == audit->loads[i], "what a member has is counted wrong", audit->app);
    }
    (void)must(kit_queue_count(set) == audit->waiting, "those who wait are counted wrong", audit->app);
    (void)must(atomic_load(&set->in_flight) == audit->in_flight, "what the app has is counted wrong", audit->app);
}

static bool has_slot(const weir_member_t *member)
{
    const uint32_t limit = atomic_load(&member->request_limit);

    return limit == 0 || kit_in_flight(atomic_load(&member->load)) < limit;
}

static bool has_tried(const kit_lease_t *lease, const weir_member_t *member)
{
    for (size_t i = 0; i < lease->tried_count; i++)
        if (kit_lease_tried(lease, i) == member)
            return true;
    return false;
}

/* Who may be the trial of one is the kit's to say. */
static bool is_well(const weir_member_t *member)
{
    return atomic_load(&member->quarantine) == KIT_FREE;
}

static bool is_there(const weir_member_t *member)
{
    return atomic_load(&member->admin) != KIT_OFF && is_well(member);
}

static bool may_have(const kit_lease_t *lease, const weir_member_t *member)
{
    if (!is_well(member))
        return false;
    if (lease->pinned != NULL && is_there(lease->pinned))
        return lease->pinned == member;
    return atomic_load(&member->admin) == KIT_UP && (lease->may == NULL || lease->may(member, lease->may_context)) &&
           !has_tried(lease, member);
}

static void check_waiter(const seat_t *seat, void *context)
{
    const audit_t *audit = context;
    const kit_lease_t *lease = lease_in(seat);

    if (!waits(seat))
        return;
    for (size_t i = 0; audit->has_app_slot && i < audit->count; i++)
        (void)must(!has_slot(audit->members[i]) || !may_have(lease, audit->members[i]), "one waits beside a free slot",
                   seat->app);
}

/* Those that are let go by and by wait for the window, as long as there is somebody whose answer opens it. */
static bool is_paced(const audit_t *audit)
{
    const uint32_t window = atomic_load(&sets[audit->app]->window);
    uint64_t in_flight = 0;

    for (size_t i = 0; i < sets[audit->app]->member_count; i++)
        in_flight += kit_in_flight(atomic_load(&sets[audit->app]->members[i]->load));
    return window != 0 && in_flight >= window;
}

static void check_app(size_t app)
{
    const kit_settings_t *settings = atomic_load(&sets[app]->settings);
    audit_t audit = {.app = app};

    check_books(&audit);
    audit.has_app_slot = settings->app_max_requests == 0 || audit.in_flight < settings->app_max_requests;
    if (!is_paced(&audit))
        each_of_app(app, check_waiter, &audit);
}

static void check_all(void)
{
    for (size_t i = 0; i < APPS; i++)
        check_app(i);
    kit_tick(kit_in_force);
    kit_tick(kit_in_force);
    (void)must(kit_queue_rescues() == 0, "a tick has found one who waits beside a free slot", 0);
    for (size_t i = 0; i < APPS; i++)
        picked_at_tick[i] = atomic_load(&picked_later[i]);
}

/* ---- steps ---- */

/* Each of the members fails for a while, again and again. */
static bool is_failing(const seat_t *seat, uint64_t now_us)
{
    return now_us / MOOD_US % (2 * MEMBERS) == (uint64_t)(lease_in(seat)->member->id[1] - '0');
}

static void go_on(worker_t *worker, seat_t *seat)
{
    send_request(seat);
    if (is_failing(seat, worker->loop.now_us)) {
        get_head(seat, 500);
        return;
    }
    switch (roll(&worker->dice, 16)) {
    case 0:
        check_in(seat, WEIR_CONNECTING, &weir_fault_backend_refused);
        check_out(seat);
        return;
    case 1:
        check_in(seat, WEIR_CONNECTED, &weir_fault_client_closed);
        end_request(seat);
        return;
    default:
        get_head(seat, roll(&worker->dice, 8) == 0 ? 101 : 200);
    }
}

static void step(worker_t *worker, seat_t *seat)
{
    switch (seat->state) {
    case SEAT_IDLE:
        new_request(worker, seat);
        check_out(seat);
        break;
    case SEAT_ASKING:
    case SEAT_LEFT:
        if (is_answered(seat))
            take_answer(worker, seat);
        break;
    case SEAT_PICKED:
        go_on(worker, seat);
        break;
    case SEAT_HEADED:
        check_in(seat, WEIR_CONNECTED, NULL);
        end_request(seat);
        break;
    }
}

/* One that can go on. False: all of its own wait. */
static bool step_of_any(worker_t *worker)
{
    const size_t first = roll(&worker->dice, SEATS);

    for (size_t i = 0; i < SEATS; i++) {
        seat_t *seat = &worker->seats[(first + i) % SEATS];
        if (waits(seat))
            continue;
        step(worker, seat);
        return true;
    }
    return false;
}

static bool leave_any(worker_t *worker)
{
    seat_t *seat = &worker->seats[roll(&worker->dice, SEATS)];

    if (seat->state != SEAT_ASKING)
        return false;
    leave_queue(worker, seat);
    return true;
}

static bool any_step(worker_t *worker)
{
    if (roll(&worker->dice, LEAVES_ONE_OF) == 0)
        return leave_any(worker);
    if (roll(&worker->dice, APPLIES_ONE_OF) != 0)
        return step_of_any(worker);
    worker->applied++;
    apply(roll(&worker->dice, SHAPES - 1));
    return true;
}

/* Returns whether there was one to be made. */
static bool make_step(worker_t *worker)
{
    pthread_rwlock_rdlock(&steps_lock);
    worker->loop.now_us = weir_clock_monotonic_us();
    bool was_made = any_step(worker);
    pthread_rwlock_unlock(&steps_lock);
    weir_grace_quiet(&worker->reader);
    if (!was_made)
        sched_yield(); /* others have what it waits for */
    return was_made;
}

static void quiet_point(worker_t *worker)
{
    worker->quiets++;
    pthread_rwlock_wrlock(&steps_lock);
    check_all();
    pthread_rwlock_unlock(&steps_lock);
    weir_grace_quiet(&worker->reader);
}

static void *work(void *of)
{
    worker_t *worker = of;

    weir_grace_join(&worker->reader);
    worker->loop.wall_offset_us = weir_clock_wall_us() - weir_clock_monotonic_us();
    for (uint64_t made = 0; made < steps_of_each && !atomic_load(&is_wrong);) {
        made += make_step(worker);
        if (roll(&worker->dice, QUIET_ONE_OF) == 0)
            quiet_point(worker);
    }
    weir_grace_part(&worker->reader);
    return NULL;
}

/* ---- ticks beside them ---- */

/*
 * Whoever was served and is not yet in picked_later sits in one of the seats: when more have come into it than there are seats,
 * somebody has been served.
 */
static void tick_beside(size_t app)
{
    if (atomic_load(&picked_later[app]) - picked_at_tick[app] <= WORKERS * SEATS)
        return;
    kit_queue_tick(sets[app], weir_clock_monotonic_us());
    picked_at_tick[app] = atomic_load(&picked_later[app]);
    atomic_fetch_add(&besides, 1);
}

/* As if nobody had wanted anything for ten minutes: what is in use is not given back, or is missed by nobody. */
static void rest_beside(size_t app)
{
    kit_rest_begin(sets[app]);
    kit_rest_tick(sets[app]->instance, weir_clock_monotonic_us() + HOUR_US);
}

static void *tick(void *unused)
{
    kit_instance_t *instance = kit_in_force->instance; /* there is always a kit that holds it */
    weir_grace_reader_t reader;

    weir_grace_join(&reader);
    while (!atomic_load(&has_ended)) {
        pthread_rwlock_rdlock(&steps_lock);
        pthread_mutex_lock(&instance->lock);
        for (size_t i = 0; i < APPS; i++) {
            tick_beside(i);
            if (kit_health_tick(sets[i], weir_clock_monotonic_us(), i))
                kit_queue_kick(sets[i], weir_clock_monotonic_us(), false);
            (void)kit_set_sweep(sets[i], weir_clock_monotonic_us());
            rest_beside(i);
        }
        pthread_mutex_unlock(&instance->lock);
        pthread_rwlock_unlock(&steps_lock);
        weir_grace_quiet(&reader);
        (void)weir_grace_release();
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    weir_grace_part(&reader);
    return NULL;
}

/* ---- the whole ---- */

static void run_all(void)
{
    pthread_t threads[WORKERS], ticker;

    atomic_store(&has_ended, false);
    assert_int_equal(pthread_create(&ticker, NULL, tick, NULL), 0);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&has_ended, true);
    pthread_join(ticker, NULL);
}

/* As if their quarantine were over, and their trials had gone well. */
static void cure_all(void)
{
    for (size_t i = 0; i < APPS; i++) {
        for (size_t k = 0; k < sets[i]->member_count; k++)
            atomic_store(&sets[i]->members[k]->quarantine, KIT_FREE);
        kit_queue_kick(sets[i], weir_clock_monotonic_us(), false);
    }
}

/* Nobody leaves any more, and there is room for all: whoever waits is served. True: all have ended. */
static bool end_all_that_can(void)
{
    bool have_all_ended = true;

    for (size_t i = 0; i < WORKERS; i++) {
        for (size_t k = 0; k < SEATS; k++) {
            seat_t *seat = &workers[i].seats[k];
            if (seat->state == SEAT_PICKED)
                get_head(seat, 200);
            else if (seat->state == SEAT_HEADED || (seat->state != SEAT_IDLE && is_answered(seat)))
                step(&workers[i], seat);
            have_all_ended = have_all_ended && seat->state == SEAT_IDLE;
        }
    }
    return have_all_ended;
}

static void end_all(void)
{
    bool have_all_ended = false;

    apply(SHAPES - 1);
    cure_all();
    for (int i = 0; i < ENDING_TURNS && !have_all_ended; i++) {
        have_all_ended = end_all_that_can();
        if (!have_all_ended) { /* who is held tries again by and by where it could not connect */
            kit_tick(kit_in_force);
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
    assert_true(have_all_ended);
    check_all();
    for (size_t i = 0; i < APPS; i++) {
        for (size_t k = 0; k < sets[i]->member_count; k++)
            assert_true(atomic_load(&sets[i]->members[k]->load) == 0);
        assert_int_equal(atomic_load(&sets[i]->in_flight), 0);
    }
}

static void tell(uint64_t seed)
{
    worker_t all = {.picks = 0};

    for (size_t i = 0; i < WORKERS; i++) {
        all.picks += workers[i].picks;
        all.waits += workers[i].waits;
        all.refusals += workers[i].refusals;
        all.leavings += workers[i].leavings;
        all.left_with_a_pick += workers[i].left_with_a_pick;
        all.applied += workers[i].applied;
        all.quiets += workers[i].quiets;
        all.trials += workers[i].trials;
    }
    print_message("# seed %llu: %llu picked, %llu refused, %llu have waited, %llu left (%llu too late), %llu configurations, "
                  "%llu quiet points, %llu ticks beside, %llu trials, %llu ill\n",
                  (unsigned long long)seed, (unsigned long long)all.picks, (unsigned long long)all.refusals,
                  (unsigned long long)all.waits, (unsigned long long)all.leavings, (unsigned long long)all.left_with_a_pick,
                  (unsigned long long)all.applied, (unsigned long long)all.quiets, (unsigned long long)atomic_load(&besides),
                  (unsigned long long)all.trials, (unsigned long long)ill);
    assert_true(all.waits > all.picks / 20 && all.leavings > 0 && all.applied > 0 && all.quiets > 0);
}

static void nobody_waits_beside_a_free_slot(void **state)
{
    const uint64_t seed = number_of("WEIR_SEED", 20261130);
    pthread_rwlockattr_t attributes;

    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    assert_int_equal(pthread_rwlock_init(&steps_lock, &attributes), 0);
    steps_of_each = number_of("WEIR_STEPS", STEPS) / WORKERS;
    make_shapes(seed);
    open_world(seed);
    begin_hearing(); /* an answer too many is ignored, and said */
    run_all();
    assert_null(strstr(end_hearing(), "second time"));
    assert_nothing_is_wrong();
    end_all();
    assert_nothing_is_wrong();
    close_world();
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
    pthread_rwlock_destroy(&steps_lock);
    pthread_rwlockattr_destroy(&attributes);
    tell(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits_beside_a_free_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
