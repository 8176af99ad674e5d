/* SPDX-License-Identifier: MIT */
/* Letters to a real loop, from its own thread and from others. */
#include <pthread.h>

#include "wire_loop.h"

enum { NOTES = 10 };

/* A letter that writes its name into the diary. */
typedef struct note {
    weir_letter_t letter;
    char name[2];
    unsigned opened;
    void (*then)(struct note *note);
    struct note *other;
} note_t;

static note_t notes[NOTES];
static weir_timer_t timer;
static unsigned timer_runs;

static void on_letter(weir_letter_t *letter)
{
    note_t *note = WEIR_AROUND(letter, note_t, letter);

    note->opened++;
    write_diary(note->name);
    if (note->then != NULL)
        note->then(note);
}

static void on_due(weir_timer_t *due)
{
    timer_runs++;
    write_diary("t");
}

static void post(note_t *note)
{
    unsigned opened = note->opened;

    note->letter.open = on_letter;
    weir_loop_post(loop, &note->letter);
    assert_int_equal(note->opened, opened); /* not on our stack */
}

static void letters_are_opened_in_order(void **state)
{
    for (int round = 0; round < 2; round++) { /* before the first turn the loop is nobody's */
        for (size_t i = 0; i < 10; i++)
            post(&notes[i]);
        assert_diary("");
        weir_loop_turn(loop, 1000);
        assert_diary("0123456789");
    }
    weir_loop_turn(loop, 0);
    assert_diary("");
}

static void post_other(note_t *note)
{
    post(note->other);
}

static void a_letter_of_a_letter_is_opened_behind_the_rest(void **state)
{
    weir_loop_turn(loop, 0);
    notes[0].then = post_other;
    notes[0].other = &notes[2];
    notes[2].then = post_other;
    notes[2].other = &notes[3];
    post(&notes[0]);
    post(&notes[1]);
    weir_loop_turn(loop, 1000);
    assert_diary("0123"); /* in the same turn */
}

static void letters_without_end_do_not_hold_up_the_loop(void **state)
{
    weir_loop_turn(loop, 0);
    notes[0].then = post_other;
    notes[0].other = &notes[0];
    post(&notes[0]);
    weir_timer_set(loop, &timer, 0, on_due);
    weir_loop_turn(loop, 1000); /* it returns */
    assert_int_equal(timer_runs, 1);
    unsigned opened = notes[0].opened;
    weir_loop_turn(loop, 1000);
    assert_true(notes[0].opened > opened);
    weir_list_remove(&notes[0].letter.link);
}

static void a_letter_that_is_taken_back_is_not_opened(void **state)
{
    weir_loop_turn(loop, 0);
    post(&notes[0]);
    post(&notes[1]);
    post(&notes[2]);
    weir_list_remove(&notes[1].letter.link);
    weir_loop_turn(loop, 0);
    assert_diary("02");
}

static void letters_come_before_timers(void **state)
{
    weir_loop_turn(loop, 0);
    weir_timer_set(loop, &timer, 0, on_due);
    post(&notes[0]);
    weir_loop_turn(loop, 1000);
    assert_diary("0t");
}

static void take_time(note_t *note)
{
    sleep_for(10);
}

static void a_timer_that_gets_due_meanwhile_runs_in_the_same_turn(void **state)
{
    weir_loop_turn(loop, 0);
    notes[0].then = take_time;
    post(&notes[0]);
    weir_timer_set(loop, &timer, 5, on_due);
    weir_loop_turn(loop, 0);
    assert_diary("0t");
}

static void on_due_post(weir_timer_t *due)
{
    post(&notes[0]);
}

static void turn_behind_a_timers_letter(void)
{
    unsigned opened = notes[0].opened;

    weir_timer_set(loop, &timer, 0, on_due_post);
    weir_loop_turn(loop, 0);
    assert_int_equal(notes[0].opened, opened); /* posted behind the letters of this turn */
    weir_loop_turn(loop, 100000);
    assert_int_equal(notes[0].opened, opened + 1);
}

static void a_letter_of_a_timer_is_not_slept_over(void **state)
{
    assert_is_prompt(turn_behind_a_timers_letter);
}

/* ---- letters from other threads ---- */

enum { POSTERS = 4, POSTS = 2000 };

/* One of many letters of one thread. */
typedef struct post {
    weir_letter_t letter;
    size_t poster, number;
} post_t;

static post_t posts[POSTERS][POSTS];
static size_t next_number[POSTERS], opened_posts, misplaced_posts;
static pthread_t loop_thread;

static void on_post(weir_letter_t *letter)
{
    const post_t *one = WEIR_AROUND(letter, post_t, letter);

    misplaced_posts += next_number[one->poster]++ != one->number || !pthread_equal(pthread_self(), loop_thread);
    opened_posts++;
}

static void *post_many(void *arg)
{
    post_t *own = arg;

    for (size_t i = 0; i < POSTS; i++) {
        own[i].letter.open = on_post;
        weir_loop_post(loop, &own[i].letter);
        if (i % 500 == 0)
            sleep_for(1); /* the loop may fall asleep */
    }
    return NULL;
}

static void letters_of_one_thread_are_opened_in_order(void **state)
{
    pthread_t threads[POSTERS];

    loop_thread = pthread_self();
    for (size_t i = 0; i < POSTERS; i++) {
        for (size_t k = 0; k < POSTS; k++)
            posts[i][k] = (post_t){.poster = i, .number = k};
    }
    weir_loop_turn(loop, 0);
    for (size_t i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, posts[i]), 0);
    for (int i = 0; i < PATIENCE_TURNS && opened_posts < POSTERS * POSTS; i++)
        weir_loop_turn(loop, 1000);
    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(opened_posts, POSTERS * POSTS);
    assert_int_equal(misplaced_posts, 0);
}

static void *post_at_once(void *note)
{
    post(note);
    return NULL;
}

/* Each behind those that were there before it, whoever has posted these. */
static void letters_of_all_are_opened_in_order(void **state)
{
    weir_loop_turn(loop, 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 8; i++) {
            pthread_t thread;
            if (i % 4 == 3) {
                post(&notes[i]);
                continue;
            }
            assert_int_equal(pthread_create(&thread, NULL, post_at_once, &notes[i]), 0);
            pthread_join(thread, NULL);
        }
        weir_loop_turn(loop, 1000);
        assert_diary("01234567");
    }
}

static void *post_after_a_while(void *note)
{
    sleep_for(20);
    weir_loop_post(loop, &((note_t *)note)->letter);
    return NULL;
}

static void sleep_until_a_letter_comes(void)
{
    unsigned opened = notes[0].opened;
    pthread_t thread;

    notes[0].letter.open = on_letter;
    assert_int_equal(pthread_create(&thread, NULL, post_after_a_while, &notes[0]), 0);
    while (notes[0].opened == opened)
        weir_loop_turn(loop, 100000);
    pthread_join(thread, NULL);
}

static void a_letter_wakes_the_loop(void **state)
{
    weir_loop_turn(loop, 0);
    for (int i = 0; i < 3; i++)
        assert_is_prompt(sleep_until_a_letter_comes);
}

static void stop_the_loop(note_t *note)
{
    weir_loop_stop(loop);
    post(note->other); /* the present turn is finished */
}

static void the_loop_runs_until_it_is_stopped(void **state)
{
    pthread_t thread;

    notes[0].letter.open = on_letter;
    notes[0].then = stop_the_loop;
    notes[0].other = &notes[1];
    weir_timer_set(loop, &timer, 1, on_due); /* one turn at least without the letter */
    assert_int_equal(pthread_create(&thread, NULL, post_after_a_while, &notes[0]), 0);
    weir_loop_run(loop);
    pthread_join(thread, NULL);
    assert_int_equal(notes[0].opened, 1);
    assert_int_equal(notes[1].opened, 1);
}

/* ---- a world ---- */

static int close_notes(void **state)
{
    weir_timer_cancel(&timer);
    return close_loop(state);
}

static int open_notes(void **state)
{
    memset(notes, 0, sizeof(notes));
    timer_runs = 0;
    for (size_t i = 0; i < NOTES; i++) {
        notes[i].name[0] = (char)('0' + (int)i);
        weir_list_init(&notes[i].letter.link);
    }
    return open_loop(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_notes, close_notes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(letters_are_opened_in_order),
        TEST(a_letter_of_a_letter_is_opened_behind_the_rest),
        TEST(letters_without_end_do_not_hold_up_the_loop),
        TEST(a_letter_that_is_taken_back_is_not_opened),
        TEST(letters_come_before_timers),
        TEST(a_timer_that_gets_due_meanwhile_runs_in_the_same_turn),
        TEST(a_letter_of_a_timer_is_not_slept_over),
        TEST(letters_of_one_thread_are_opened_in_order),
        TEST(letters_of_all_are_opened_in_order),
        TEST(a_letter_wakes_the_loop),
        TEST(the_loop_runs_until_it_is_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, forget_thread);
}
