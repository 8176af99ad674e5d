/* SPDX-License-Identifier: MIT */
/* Answers from many threads at the same time: exactly one counts. And slots of threads that have ended serve others. */
#include "hear.h"
#include "router/question.h"
#include "unit.h"

enum {
    THREADS = 4,
    ROUNDS = 500,
    RACERS = 2,
    SPINS = 1000,
    CLAIMS = 20000,
    MANY_THREADS = 100,
    EACH = 100, /* questions of a thread */
    SLOT_BITS = 24,
    SLAB_SLOTS = 64,
};

static pthread_barrier_t barrier;
static void *_Atomic question; /* NULL: there are no more */
static weir_service_t services[THREADS] = {{"127.0.0.1", 1}, {"127.0.0.1", 2}, {"127.0.0.1", 3}, {"127.0.0.1", 4}};

static uint64_t slot_of(const void *handle)
{
    return (uint64_t)(uintptr_t)handle & ((UINT64_C(1) << SLOT_BITS) - 1);
}

static void open_threads(pthread_t threads[static THREADS], void *(*run)(void *service), unsigned others)
{
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + others), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &services[i]), 0);
}

static void close_threads(const pthread_t threads[static THREADS])
{
    void *wrong;

    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    pthread_barrier_destroy(&barrier);
}

static void open_checkout(void)
{
    world_open(NULL);
    w.loop.is_quiet = true;
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    world_request(GET);
    atomic_store(&question, w.script.question);
    w.script.question = NULL; /* it is answered by others */
}

/* ---- one counts ---- */

/* In each round all of them answer the same question, each with a service of its own. */
static void *pick_mine(void *service)
{
    void *q;

    for (;;) {
        pthread_barrier_wait(&barrier);
        q = atomic_load(&question);
        if (q == NULL)
            return NULL;
        (void)weir_checkout_pick(q, service);
        pthread_barrier_wait(&barrier);
    }
}

static bool is_one_of_them(const weir_service_t *service)
{
    return service >= services && service < services + THREADS;
}

static void exactly_one_answer_counts(void **state)
{
    pthread_t threads[THREADS];

    begin_hearing();
    open_threads(threads, pick_mine, 1);
    for (int round = 0; round < ROUNDS; round++) {
        open_checkout();
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        assert_false(weir_list_is_empty(&w.loop.letters)); /* one letter */
        assert_true(fake_run_one(&w.loop));
        w.script.picks++;
        fake_run(&w.loop);
        assert_int_equal(w.x->journal.picks, 1);
        assert_true(w.x->has_service && is_one_of_them(w.x->service));
        world_finish(OK_HEAD);
        assert_int_equal(w.front.status, 200);
        assert_int_equal(w.script.checkins, 1);
    }
    atomic_store(&question, NULL);
    pthread_barrier_wait(&barrier);
    close_threads(threads);
    assert_contains(end_hearing(), "answered a question of checkout_service a second time");
}

static ask_question_t *claimed[CLAIMS];
static _Atomic unsigned wins[CLAIMS], arrived;

/* Until all have come to this step: spinning, so that they go on in the same moment. */
static void meet(unsigned step)
{
    atomic_fetch_add(&arrived, 1);
    for (unsigned turns = 1; atomic_load(&arrived) < RACERS * (step + 1); turns++)
        if (turns % SPINS == 0)
            sched_yield(); /* there may be fewer processors than threads */
}

static void *claim_all(void *unused)
{
    for (unsigned i = 0; i < CLAIMS; i++) {
        const void *handle = ask_handle(claimed[i]);

        meet(i);
        if (ask_claim(handle) == claimed[i])
            atomic_fetch_add(&wins[i], 1);
    }
    return NULL;
}

static void exactly_one_gets_each_question(void **state)
{
    pthread_t threads[RACERS];

    for (size_t i = 0; i < CLAIMS; i++)
        claimed[i] = ask_question_create(NULL, ASK_CHECKOUT, NULL);
    begin_hearing();
    for (size_t i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, claim_all, NULL), 0);
    for (size_t i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    (void)end_hearing();
    for (size_t i = 0; i < CLAIMS; i++) {
        assert_int_equal(atomic_load(&wins[i]), 1);
        ask_question_free(claimed[i]);
    }
}

/* ---- against a deadline ---- */

static void *pick_in_time_or_not(void *service)
{
    void *q;

    for (;;) {
        pthread_barrier_wait(&barrier);
        q = atomic_load(&question);
        if (q == NULL)
            return NULL;
        if (service == &services[0])
            (void)weir_checkout_pick(q, service);
        pthread_barrier_wait(&barrier);
    }
}

/* Whoever wins: the client gets one response, and what was picked is checked in. */
static void an_answer_may_race_its_deadline(void **state)
{
    pthread_t threads[THREADS];

    begin_hearing();
    open_threads(threads, pick_in_time_or_not, 1);
    for (int round = 0; round < ROUNDS; round++) {
        open_checkout();
        fake_advance(&w.loop, 4999);
        pthread_barrier_wait(&barrier);
        fake_advance(&w.loop, 1);
        pthread_barrier_wait(&barrier);
        w.script.picks++;
        fake_run(&w.loop);
        if (w.front.status == 0) {
            world_finish(OK_HEAD);
            assert_int_equal(w.front.status, 200);
            assert_int_equal(w.script.abandoned, 0);
        } else {
            world_close();
            assert_int_equal(w.front.status, 503);
            assert_ptr_equal(w.script.last_fault, &weir_fault_router_timeout);
            assert_int_equal(w.script.phase, WEIR_CHECKOUT);
        }
        assert_int_equal(w.front.responses, 1);
        assert_int_equal(w.script.checkins, 1);
    }
    atomic_store(&question, NULL);
    pthread_barrier_wait(&barrier);
    close_threads(threads);
    (void)end_hearing();
}

/* ---- too late, all the time ---- */

static _Atomic bool is_enough;

/* Answers whatever is over, with all that it may say. */
static void *answer_late(void *unused)
{
    pthread_barrier_wait(&barrier);
    while (!atomic_load(&is_enough)) {
        void *q = atomic_load(&question);

        (void)weir_checkout_refuse(q, &fake_fault);
        (void)weir_lookup_found(q, NULL);
        (void)weir_page_send(q);
        weir_backend_name(q, WEIR_SPAN("late"));
        weir_page_status(q, 299);
        if (ask_open(q) != NULL)
            return q; /* an old one that has come to life */
    }
    return NULL;
}

static void late_answers_disturb_nobody(void **state)
{
    pthread_t threads[THREADS];

    open_checkout();
    void *over = atomic_load(&question);
    (void)weir_checkout_pick(over, &services[0]);
    w.script.picks++;
    fake_run(&w.loop);
    world_finish(OK_HEAD);

    atomic_store(&is_enough, false);
    begin_hearing();
    open_threads(threads, answer_late, 1);
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < ROUNDS; round++) {
        world_open(NULL);
        w.loop.is_quiet = true;
        w.script.how[FAKE_LOOKUP] = w.script.how[FAKE_CHECKOUT] = w.script.how[FAKE_BACKEND] = FAKE_LATER;
        world_request(GET);
        for (int i = 0; i < 3; i++) {
            over = w.script.question;
            assert_true(fake_answer(&w.script));
            atomic_store(&question, over);
            fake_run(&w.loop);
        }
        assert_true(weir_span_is(w.x->target.label, "127.0.0.1:8081"));
        world_finish(OK_HEAD);
        assert_int_equal(w.front.status, 200);
        assert_null(w.script.last_fault);
    }
    atomic_store(&is_enough, true);
    close_threads(threads);
    (void)end_hearing();
}

/* ---- slots of threads ---- */

static _Atomic uint64_t highest_slot;

static void note_slot(uint64_t slot)
{
    uint64_t most = atomic_load(&highest_slot);

    while (slot > most && !atomic_compare_exchange_weak(&highest_slot, &most, slot))
        continue;
}

/* Opens as many at once as `count` says, and closes them when all threads have. Returns one that somebody else has, too. */
static void *open_some(void *count)
{
    static __thread ask_question_t *questions[THREADS * EACH];
    const size_t some = *(const size_t *)count;

    for (size_t i = 0; i < some; i++) {
        questions[i] = ask_question_create(NULL, ASK_INIT, NULL);
        note_slot(slot_of(ask_handle(questions[i])));
    }
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < some; i++) {
        if (ask_claim(ask_handle(questions[i])) != questions[i])
            return questions[i];
        ask_question_free(questions[i]);
    }
    return NULL;
}

/* So many threads at once, each with so many questions. Returns the highest slot ever. */
static uint64_t run_threads(unsigned count, size_t each)
{
    pthread_t threads[THREADS];
    void *wrong;

    assert_int_equal(pthread_barrier_init(&barrier, NULL, count), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_some, &each), 0);
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    pthread_barrier_destroy(&barrier);
    return atomic_load(&highest_slot);
}

/* The last slot of the slab that this one lies in. */
static uint64_t last_beside(uint64_t slot)
{
    return slot | (SLAB_SLOTS - 1);
}

static void a_thread_leaves_its_slots_to_others(void **state)
{
    const uint64_t last = last_beside(run_threads(1, EACH));

    for (int i = 0; i < MANY_THREADS; i++)
        assert_true(run_threads(1, EACH) <= last);
}

static void all_threads_leave_theirs(void **state)
{
    uint64_t last;

    for (int i = 0; i < 20; i++)
        (void)run_threads(THREADS, EACH); /* no two share a slot */
    last = last_beside(atomic_load(&highest_slot));
    for (int i = 0; i < MANY_THREADS; i++)
        assert_true(run_threads(1, THREADS * EACH) <= last);
}

/* One generation of threads after the other: the first of each does not take all that was left. */
static void generations_of_threads_share_what_is_left(void **state)
{
    uint64_t last;

    (void)run_threads(THREADS, 1);
    last = last_beside(atomic_load(&highest_slot));
    for (int i = 0; i < MANY_THREADS; i++)
        assert_true(run_threads(THREADS, 1) <= last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_one_answer_counts),
        cmocka_unit_test(exactly_one_gets_each_question),
        cmocka_unit_test(an_answer_may_race_its_deadline),
        cmocka_unit_test(late_answers_disturb_nobody),
        cmocka_unit_test(a_thread_leaves_its_slots_to_others),
        cmocka_unit_test(all_threads_leave_theirs),
        cmocka_unit_test(generations_of_threads_share_what_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
