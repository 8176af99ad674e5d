/* SPDX-License-Identifier: MIT */
#include "lib/base/thread.h"

static __thread char here;

const void *weir_thread(void)
{
    return &here;
}
