/* SPDX-License-Identifier: MIT */
/* How many requests wait, of all routers: each holds an exchange, and nobody's queue knows of the others'. */
#include <stdatomic.h>

#include "router/instance.h"

static _Atomic uint32_t waiting, most = UINT32_MAX;

void weir_waiting_most_set(uint32_t count)
{
    atomic_store(&most, count);
}

bool weir_waiting_begin(void)
{
    if (atomic_fetch_add(&waiting, 1) < atomic_load_explicit(&most, memory_order_relaxed))
        return true;
    atomic_fetch_sub(&waiting, 1);
    return false;
}

bool weir_waiting_may(void)
{
    return atomic_load(&waiting) < atomic_load_explicit(&most, memory_order_relaxed);
}

void weir_waiting_end(void)
{
    atomic_fetch_sub(&waiting, 1);
}
