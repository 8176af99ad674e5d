/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/walk/steward.h"
#include "lib/wire/loop/grace.h"
#include "unit.h"
#include "weir_retire.h"

enum { READERS = 3, CHANGES = 20000, MARK = 0x5eed };

static void release(void *memory)
{
    atomic_store((atomic_int *)memory, 1);
}

/* The steward is a reader, too, and looks every 100 ms. */
static void wait_until_released(atomic_int *memory)
{
    for (int i = 0; i < 10000 && atomic_load(memory) == 0; i++) {
        (void)weir_grace_release();
        usleep(1000);
    }
    assert_int_equal(atomic_load(memory), 1);
}

static void waits_for_every_reader(void **state)
{
    weir_grace_reader_t one, two;
    atomic_int first = 0, second = 0;

    weir_grace_join(&one);
    weir_grace_join(&two);
    weir_retire(&first, release);
    assert_int_equal(weir_grace_release(), 1);
    weir_grace_quiet(&one);
    usleep(200000); /* the steward has looked */
    assert_int_equal(weir_grace_release(), 1);
    weir_retire(&second, release);
    weir_grace_quiet(&two);
    wait_until_released(&first);
    usleep(200000);
    assert_int_equal(atomic_load(&second), 0);
    weir_grace_quiet(&one);
    wait_until_released(&second);
    weir_grace_part(&one);
    weir_grace_part(&two);
    weir_steward_stop();
}

static void without_readers_at_once(void **state)
{
    weir_grace_reader_t reader;
    atomic_int memory = 0;

    weir_retire(&memory, release);
    assert_int_equal(memory, 1);
    memory = 0;
    weir_grace_join(&reader);
    weir_retire(&memory, release);
    assert_int_equal(memory, 0);
    weir_grace_part(&reader);
    weir_steward_stop(); /* the last reader */
    assert_int_equal(memory, 1);
}

/* Many read what one changes; what is read has never been freed, or a sanitizer would say so. */
static _Atomic(unsigned *) published;
static atomic_bool has_ended;

static void *read_on(void *unused)
{
    weir_grace_reader_t reader;

    weir_grace_join(&reader);
    while (!atomic_load_explicit(&has_ended, memory_order_relaxed)) {
        for (int i = 0; i < 16; i++) {
            const unsigned *seen = atomic_load_explicit(&published, memory_order_acquire);
            if (*seen != MARK)
                return &has_ended;
        }
        weir_grace_quiet(&reader);
    }
    weir_grace_part(&reader);
    return NULL;
}

static unsigned *make(void)
{
    unsigned *made = malloc(sizeof(*made));

    assert_non_null(made);
    *made = MARK;
    return made;
}

static void free_marked(void *memory)
{
    *(unsigned *)memory = 0;
    free(memory);
}

static void a_reader_sees_nothing_that_was_freed(void **state)
{
    pthread_t threads[READERS];
    void *wrong;

    atomic_store(&published, make());
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, NULL), 0);
    for (int i = 0; i < CHANGES; i++) {
        unsigned *before = atomic_exchange_explicit(&published, make(), memory_order_acq_rel);
        weir_retire(before, free_marked);
        if (i % 64 == 0)
            (void)weir_grace_release();
    }
    atomic_store(&has_ended, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
    free(atomic_load(&published));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_every_reader),
        cmocka_unit_test(without_readers_at_once),
        cmocka_unit_test(a_reader_sees_nothing_that_was_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
