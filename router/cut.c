/* SPDX-License-Identifier: MIT */
#include "lib/walk/exchange.h"
#include "lib/walk/loops.h"
#include "weir_host.h"

static void cut_here(void *service)
{
    weir_exchange_cut_all(service);
}

void weir_service_cut(const weir_service_t *service)
{
    weir_loops_visit(cut_here, (void *)(uintptr_t)service);
}
