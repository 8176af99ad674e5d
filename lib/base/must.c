/* SPDX-License-Identifier: MIT */
#include "lib/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*tell_more)(int fd);

void weir_must_tell_with(void (*tell)(int fd))
{
    tell_more = tell;
}

void weir_must_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
    fflush(stderr);
    if (tell_more != NULL)
        tell_more(STDERR_FILENO);
    abort();
}
