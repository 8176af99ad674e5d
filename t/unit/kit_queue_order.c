/* SPDX-License-Identifier: MIT */
/* Those who have waited are answered in the order in which they were served, whichever threads have served them. */
#include "kit_queue_world.h"

#include <sched.h>

#include "lib/walk/steward.h"

#define TURN(limit)                                                                                                            \
    "name: crowd\napps:\n  turn:\n    domains: [\"*\"]\n    max-requests: " limit "\n    queue: { length: 1000, timeout: "     \
    "3600000 }\n    backends:\n      - { at: \"127.0.0.1:1000\", id: m0 }\n"

enum { SERVING = 2, CROWD = WORKERS * SEATS, ROUNDS = 200 }; /* WEIR_ROUNDS says another number */

static weir_loop_t *const loop = &workers[0].loop; /* of all requests: its mailbox says in which order they were answered */
static seat_t *line[CROWD], *answered[CROWD];
static _Atomic size_t answered_count;

static void open_with(const char *text, const char *then)
{
    read_shape(0, text);
    read_shape(1, then);
    open_world(1);
    weir_grace_join(&workers[0].reader);
    loop->now_us = weir_clock_monotonic_us();
    loop->wall_offset_us = weir_clock_wall_us() - loop->now_us;
    loop->mailbox = weir_mailbox_create(NULL, NULL); /* nobody wakes it */
}

static void close_all(void)
{
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(workers[i / SEATS].seats[i % SEATS].state, SEAT_IDLE);
    close_world();
    weir_mailbox_close(&loop->mailbox);
    weir_grace_part(&workers[0].reader);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

/* All of them are of one client. From now on its answer is a letter; false: it was answered at once. */
static bool wait_in_line(size_t place)
{
    seat_t *seat = line[place] = &workers[place / SEATS].seats[place % SEATS];
    ask_state_t calling = ASK_CALLING;

    new_request_of(&workers[0], seat, APP_TURN, 0);
    check_out(seat);
    return atomic_compare_exchange_strong(&seat->question->state, &calling, ASK_WAITING);
}

static void end(worker_t *worker, seat_t *seat)
{
    take_answer(worker, seat);
    get_head(seat, 200);
    check_in(seat, WEIR_CONNECTED, NULL);
    end_request(seat);
}

/* NULL: there is none. The first letter's question is its seat's. */
static seat_t *take_letter(void)
{
    seat_t *seat = NULL;

    pthread_mutex_lock(&loop->mailbox->lock);
    if (!weir_list_is_empty(&loop->mailbox->letters)) {
        weir_letter_t *letter = WEIR_AROUND(loop->mailbox->letters.next, weir_letter_t, link);
        weir_list_remove(&letter->link);
        seat = (seat_t *)(void *)WEIR_AROUND(letter, ask_question_t, letter)->x;
        answered[atomic_fetch_add(&answered_count, 1)] = seat;
    }
    pthread_mutex_unlock(&loop->mailbox->lock);
    return seat;
}

static void pause_with(size_t count)
{
    atomic_store(&answered_count, 0);
    weir_set_pause(sets[APP_TURN], 3600000);
    for (size_t i = 0; i < count; i++)
        assert_true(wait_in_line(i));
    assert_int_equal(kit_queue_count(sets[APP_TURN]), count);
}

static void assert_all_in_order(size_t count)
{
    assert_nothing_is_wrong();
    assert_int_equal(answered_count, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(answered[i], line[i]);
}

/* ---- step by step ---- */

static bool is_in_line; /* the fourth */
static atomic_bool is_done;

static void *resume(void *unused)
{
    weir_set_resume(sets[APP_TURN], 0);
    return NULL;
}

static void *add_a_slot(void *unused)
{
    apply(1);
    atomic_store(&is_done, true);
    return NULL;
}

static void *come(void *unused)
{
    atomic_store(&sets[APP_TURN]->members[0]->request_limit, 4); /* which nobody has said to the queue */
    is_in_line = wait_in_line(3);
    atomic_store(&is_done, true);
    return NULL;
}

/* A thread has served the first two, and is kept from answering the second; meanwhile another serves all others. */
static void assert_nobody_overtakes(void *(*serve_others)(void *unused), size_t count)
{
    pthread_t resuming, other;

    open_with(TURN("2"), TURN("3"));
    pause_with(3);
    atomic_store(&is_done, false);
    pthread_mutex_lock(&loop->mailbox->lock);
    assert_int_equal(pthread_create(&resuming, NULL, resume, NULL), 0);
    while (!is_answered(line[0])) /* though its letter is not posted */
        sched_yield();
    assert_int_equal(pthread_create(&other, NULL, serve_others, NULL), 0);
    while (!atomic_load(&is_done) && !is_answered(line[2])) /* it has not to wait */
        sched_yield();
    const bool has_overtaken = is_answered(line[2]) && !is_answered(line[1]);
    pthread_mutex_unlock(&loop->mailbox->lock);
    pthread_join(resuming, NULL);
    pthread_join(other, NULL);
    assert_false(has_overtaken);
    for (size_t i = 0; i < count; i++)
        (void)take_letter();
    assert_all_in_order(count);
    for (size_t i = 0; i < count; i++)
        end(&workers[0], line[i]);
    close_all();
}

static void one_who_is_served_meanwhile(void **state)
{
    assert_nobody_overtakes(add_a_slot, 3);
}

/* It is served in its own call, and not answered there. */
static void one_who_comes_meanwhile(void **state)
{
    assert_nobody_overtakes(come, 4);
    assert_true(is_in_line);
}

/* ---- two threads at once ---- */

static void *serve(void *of)
{
    worker_t *worker = of;

    weir_grace_join(&worker->reader);
    while (atomic_load(&answered_count) < CROWD && !atomic_load(&is_wrong)) {
        seat_t *seat = take_letter();
        if (seat != NULL)
            end(worker, seat); /* which serves the next */
        else
            sched_yield();
        weir_grace_quiet(&worker->reader);
    }
    weir_grace_part(&worker->reader);
    return NULL;
}

static void a_crowd_behind_a_pause(void **state)
{
    pthread_t threads[SERVING];

    open_with(TURN("2"), TURN("2"));
    for (uint64_t round = 0; round < number_of("WEIR_ROUNDS", ROUNDS); round++) {
        pause_with(CROWD);
        for (size_t i = 0; i < SERVING; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, serve, &workers[1 + i]), 0);
        weir_set_resume(sets[APP_TURN], 0);
        for (size_t i = 0; i < SERVING; i++)
            pthread_join(threads[i], NULL);
        assert_all_in_order(CROWD);
        weir_grace_quiet(&workers[0].reader);
    }
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_is_served_meanwhile),
        cmocka_unit_test(one_who_comes_meanwhile),
        cmocka_unit_test(a_crowd_behind_a_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
