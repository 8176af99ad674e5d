/* SPDX-License-Identifier: MIT */
#include "router/call.h"

void router_call_end_others(const weir_exchange_t *x, weir_before_t before, weir_times_id_t times)
{
    const uint64_t began_at_us = weir_loop_now_us(x->loop);

    weir_at_work_regain(x, before);
    weir_histogram_add(&weir_metrics_page()->times[times], &weir_bounds_callbacks, weir_loop_now_us(x->loop) - began_at_us);
}
