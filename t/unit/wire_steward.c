/* SPDX-License-Identifier: MIT */
/* The steward's thread: one, whoever asks for it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/walk/steward.h"

enum { THREADS = 4 };

static pthread_barrier_t barrier;

static void *ask_for_steward(void *unused)
{
    pthread_barrier_wait(&barrier);
    return weir_steward();
}

static void who_asks_first_starts_it(void **state)
{
    for (int i = 0; i < 20; i++) {
        pthread_t threads[THREADS];
        void *loops[THREADS];

        weir_steward_stop();
        assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
        for (size_t j = 0; j < THREADS; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, ask_for_steward, NULL), 0);
        for (size_t j = 0; j < THREADS; j++) {
            pthread_join(threads[j], &loops[j]);
            assert_non_null(loops[j]);
            assert_ptr_equal(loops[j], loops[0]); /* there is one */
        }
        pthread_barrier_destroy(&barrier);
    }
}

static void it_may_end_before_it_has_begun(void **state)
{
    weir_steward_stop();
    weir_steward_stop();
    assert_false(weir_steward_is_here());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_first_starts_it),
        cmocka_unit_test(it_may_end_before_it_has_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
