/* SPDX-License-Identifier: MIT */
#include "lib/base/must.h"

#include <stdio.h>
#include <stdlib.h>

void weir_must_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}
