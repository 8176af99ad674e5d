/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/wire/sock/splice.h"
#include "unit.h"

enum { PIPES = 48, NOBODY = 65534 };

static int size_of(const weir_pipe_t *pipe)
{
    return fcntl(pipe->in, F_GETPIPE_SZ);
}

static void many_are_smaller(void **state)
{
    struct weir_pipes *pipes = weir_pipes_create();
    weir_pipe_t *taken[PIPES];

    for (size_t i = 0; i < PIPES; i++) {
        taken[i] = weir_pipe_take(pipes);
        assert_non_null(taken[i]);
    }
    assert_true(size_of(taken[0]) >= size_of(taken[WEIR_PIPES_LARGE]));
    assert_true(size_of(taken[WEIR_PIPES_LARGE - 1]) <= WEIR_PIPE_BYTES);
    assert_true(size_of(taken[WEIR_PIPES_LARGE]) <= WEIR_PIPE_LESS_BYTES);
    assert_int_equal(size_of(taken[WEIR_PIPES_MANY]), WEIR_PIPE_LEAST_BYTES);
    for (size_t i = 0; i < PIPES; i++)
        weir_pipe_give(pipes, &taken[i]);
    taken[0] = weir_pipe_take(pipes);
    assert_non_null(taken[0]);
    weir_pipe_give(pipes, &taken[0]);
    weir_pipes_destroy(&pipes);
}

/* Uses up what a user may have, in a process of its own. Exit status: 0 if tiny pipes are refused. */
static int without_quota(void)
{
    struct weir_pipes *pipes = weir_pipes_create();
    weir_pipe_t *first = weir_pipe_take(pipes), *second;
    int ends[2];

    do {
        if (pipe(ends) != 0)
            return 2;
        (void)fcntl(ends[1], F_SETPIPE_SZ, WEIR_PIPE_BYTES);
    } while (fcntl(ends[1], F_GETPIPE_SZ) >= WEIR_PIPE_LEAST_BYTES);
    second = weir_pipe_take(pipes);
    if (first == NULL || second != NULL)
        return 1;
    weir_pipe_give(pipes, &first);
    second = weir_pipe_take(pipes);
    return second != NULL ? 0 : 1;
}

static void tiny_ones_are_none(void **state)
{
    int status;
    pid_t pid = fork();

    assert_int_not_equal(pid, -1);
    if (pid == 0)
        _exit(getuid() == 0 && setuid(NOBODY) != 0 ? 3 : without_quota());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2 || WEXITSTATUS(status) == 3)
        skip(); /* too few descriptors, or no other user to be */
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_are_smaller),
        cmocka_unit_test(tiny_ones_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
