/* SPDX-License-Identifier: MIT */
#include "lib/base/must.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*tell_more)(int fd);

void weir_must_tell_with(void (*tell)(int fd))
{
    tell_more = tell;
}

void weir_must_tell(int fd)
{
    static atomic_flag is_told = ATOMIC_FLAG_INIT;

    if (tell_more != NULL && !atomic_flag_test_and_set(&is_told))
        tell_more(fd);
}

void weir_must_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
    fflush(stderr);
    weir_must_tell(STDERR_FILENO);
    abort();
}
