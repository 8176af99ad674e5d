/* SPDX-License-Identifier: MIT */
/* Whose bell is rung how often, and when: letters of a loop's turn share one, at its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/wire/loop/mailbox.h"

enum { BOXES = WEIR_BELLS + 2, LETTERS = 4, POSTERS = 3, ROUNDS = 20000 };

static weir_mailbox_t *box[BOXES];
static unsigned rung[BOXES];
static weir_list_t letter[LETTERS], taken;
static weir_bells_t bells;

static void on_ring(void *owner)
{
    ++*(unsigned *)owner;
}

static int open_boxes(void **state)
{
    bells = (weir_bells_t){.count = 0};
    weir_list_init(&taken);
    for (size_t i = 0; i < LETTERS; i++)
        weir_list_init(&letter[i]);
    for (size_t i = 0; i < BOXES; i++) {
        rung[i] = 0;
        box[i] = weir_mailbox_create(on_ring, &rung[i]);
    }
    return 0;
}

static int close_boxes(void **state)
{
    for (size_t i = 0; i < BOXES; i++)
        if (box[i] != NULL)
            weir_mailbox_close(&box[i]);
    return 0;
}

static size_t count_taken(void)
{
    size_t count = 0;

    while (!weir_list_is_empty(&taken)) {
        weir_list_remove(taken.next);
        count++;
    }
    return count;
}

static size_t empty(size_t of)
{
    weir_mailbox_empty(box[of], &taken);
    return count_taken();
}

static void who_is_no_loop_rings_at_once(void **state)
{
    weir_mailbox_put(box[0], &letter[0], NULL);
    assert_int_equal(rung[0], 1);
    weir_mailbox_put(box[0], &letter[1], NULL);
    weir_mailbox_put(box[0], &letter[2], &bells); /* nor is a loop between two turns */
    assert_int_equal(rung[0], 1);
    assert_int_equal(empty(0), 3);
    weir_mailbox_put(box[0], &letter[0], &bells);
    assert_int_equal(rung[0], 2);
    assert_int_equal(empty(0), 1);
}

static void a_turn_rings_once_and_at_its_end(void **state)
{
    weir_bells_open(&bells);
    for (size_t i = 0; i < 3; i++)
        weir_mailbox_put(box[0], &letter[i], &bells);
    weir_mailbox_put(box[1], &letter[3], &bells);
    assert_int_equal(rung[0] + rung[1], 0);
    weir_bells_ring(&bells);
    assert_int_equal(rung[0], 1);
    assert_int_equal(rung[1], 1);
    weir_bells_ring(&bells);
    assert_int_equal(rung[0], 1);
    assert_int_equal(empty(0), 3);
    assert_int_equal(empty(1), 1);
}

static void nobody_is_woken_for_what_he_has(void **state)
{
    weir_bells_open(&bells);
    weir_mailbox_put(box[0], &letter[0], &bells);
    assert_int_equal(empty(0), 1);
    weir_bells_ring(&bells);
    assert_int_equal(rung[0], 0);
    weir_bells_open(&bells); /* and the next time he is */
    weir_mailbox_put(box[0], &letter[0], &bells);
    weir_bells_ring(&bells);
    assert_int_equal(rung[0], 1);
    assert_int_equal(empty(0), 1);
}

static void a_thread_need_not_wait_for_the_end_of_a_turn(void **state)
{
    weir_bells_open(&bells);
    weir_mailbox_put(box[0], &letter[0], &bells);
    weir_mailbox_put(box[0], &letter[1], NULL);
    assert_int_equal(rung[0], 1);
    weir_bells_ring(&bells);
    assert_int_equal(rung[0], 1);
    assert_int_equal(empty(0), 2);
}

static void one_more_than_can_be_noted_is_woken_at_once(void **state)
{
    static weir_list_t many[BOXES];

    weir_bells_open(&bells);
    for (size_t i = 0; i < BOXES; i++) {
        weir_list_init(&many[i]);
        weir_mailbox_put(box[i], &many[i], &bells);
        assert_int_equal(rung[i], i >= WEIR_BELLS);
    }
    weir_bells_ring(&bells);
    for (size_t i = 0; i < BOXES; i++) {
        assert_int_equal(rung[i], 1);
        assert_int_equal(empty(i), 1);
    }
}

static void an_owner_may_be_gone_when_the_turn_ends(void **state)
{
    weir_bells_open(&bells);
    weir_mailbox_put(box[0], &letter[0], &bells);
    weir_mailbox_take_back(box[0], &letter[0]);
    weir_mailbox_close(&box[0]);
    weir_bells_ring(&bells);
    assert_int_equal(rung[0], 0);
}

static void what_is_collected_leaves_the_bell_as_it_is(void **state)
{
    weir_mailbox_put(box[0], &letter[0], NULL);
    weir_mailbox_collect(box[0], &taken);
    assert_int_equal(count_taken(), 1);
    weir_mailbox_put(box[0], &letter[1], NULL);
    assert_int_equal(rung[0], 1); /* its owner is still on its way */
    assert_int_equal(empty(0), 1);
    weir_mailbox_put(box[0], &letter[0], NULL);
    assert_int_equal(rung[0], 2);
    assert_int_equal(empty(0), 1);
}

/* ---- many threads: nobody's letter lies there without a bell ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static unsigned bell; /* under the lock */

static void on_bell(void *owner)
{
    pthread_mutex_lock(&lock);
    bell++;
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

typedef struct poster {
    weir_mailbox_t *box;
    weir_list_t letters[ROUNDS];
    bool is_loop;
} poster_t;

static poster_t posters[POSTERS];

static void *post(void *argument)
{
    poster_t *self = argument;
    weir_bells_t own = {.count = 0};

    for (size_t i = 0; i < ROUNDS; i++) {
        weir_list_init(&self->letters[i]);
        if (self->is_loop && i % 7 == 0)
            weir_bells_open(&own);
        weir_mailbox_put(self->box, &self->letters[i], self->is_loop ? &own : NULL);
        if (self->is_loop && i % 7 == 6)
            weir_bells_ring(&own);
    }
    weir_bells_ring(&own);
    return NULL;
}

static void no_letter_lies_there_without_a_bell(void **state)
{
    pthread_t threads[POSTERS];
    weir_mailbox_t *own = weir_mailbox_create(on_bell, NULL);
    size_t got = 0;

    for (size_t i = 0; i < POSTERS; i++) {
        posters[i].box = own;
        posters[i].is_loop = i > 0;
        assert_int_equal(pthread_create(&threads[i], NULL, post, &posters[i]), 0);
    }
    while (got < POSTERS * ROUNDS) {
        pthread_mutex_lock(&lock);
        while (bell == 0) /* for ever, if one is missing */
            pthread_cond_wait(&came, &lock);
        bell = 0;
        pthread_mutex_unlock(&lock);
        weir_mailbox_empty(own, &taken);
        got += count_taken();
    }
    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    weir_mailbox_close(&own);
    assert_int_equal(got, POSTERS * ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_boxes, close_boxes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_no_loop_rings_at_once),
        TEST(a_turn_rings_once_and_at_its_end),
        TEST(nobody_is_woken_for_what_he_has),
        TEST(a_thread_need_not_wait_for_the_end_of_a_turn),
        TEST(one_more_than_can_be_noted_is_woken_at_once),
        TEST(an_owner_may_be_gone_when_the_turn_ends),
        TEST(what_is_collected_leaves_the_bell_as_it_is),
        TEST(no_letter_lies_there_without_a_bell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
