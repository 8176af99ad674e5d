/* SPDX-License-Identifier: MIT */
#include "handlers/relay_limits.h"

#include "lib/base/list.h"
#include "lib/base/must.h"

enum { LOOK_MS = 1000, WINDOW_S = 5 };

static void end(relay_limits_t *limits, const weir_fault_t *fault)
{
    relay_limits_stop(limits);
    limits->on_over(limits->x, fault);
}

static void on_total_due(weir_timer_t *timer)
{
    end(WEIR_AROUND(timer, relay_limits_t, total_timer), &weir_fault_request_too_long);
}

static void on_cut_due(weir_timer_t *timer)
{
    end(WEIR_AROUND(timer, relay_limits_t, total_timer), &weir_fault_backend_cut);
}

void relay_limits_cut(relay_limits_t *limits)
{
    weir_timer_cancel(&limits->total_timer);
    weir_timer_set(limits->x->loop, &limits->total_timer, 1, on_cut_due);
}

/* Whether one side was waited for during the whole of a window, and has not done its part. */
static bool is_too_slow(relay_limits_t *limits)
{
    const weir_relay_side_t side = weir_relay_waits_for(limits->x);
    const uint64_t moved_bytes = weir_relay_moved_bytes(limits->x);

    if (side == limits->side && ++limits->seconds < WINDOW_S)
        return false;
    if (side == limits->side && side != WEIR_RELAY_NOBODY &&
        moved_bytes - limits->moved_bytes < limits->x->plan->min_rate_bytes * WINDOW_S)
        return true;
    limits->side = side;
    limits->seconds = 0;
    limits->moved_bytes = moved_bytes;
    return false;
}

static void on_rate_due(weir_timer_t *timer)
{
    relay_limits_t *limits = WEIR_AROUND(timer, relay_limits_t, rate_timer);

    if (is_too_slow(limits))
        end(limits, limits->side == WEIR_RELAY_CLIENT ? &weir_fault_client_too_slow : &weir_fault_backend_too_slow);
    else
        weir_timer_set(limits->x->loop, timer, LOOK_MS, on_rate_due);
}

void relay_limits_start(relay_limits_t *limits, weir_exchange_t *x,
                        void (*on_over)(weir_exchange_t *x, const weir_fault_t *fault))
{
    const uint64_t most_ms = x->plan->max_request_time_ms;
    const uint64_t spent_ms = (weir_loop_now_us(x->loop) - x->journal.start_at_us) / 1000;

    WEIR_MUST(limits->x == NULL);
    limits->x = x;
    limits->on_over = on_over;
    if (most_ms > 0)
        weir_timer_set(x->loop, &limits->total_timer, spent_ms < most_ms ? (uint32_t)(most_ms - spent_ms) : 1, on_total_due);
    if (x->plan->min_rate_bytes > 0)
        weir_timer_set(x->loop, &limits->rate_timer, LOOK_MS, on_rate_due);
}

void relay_limits_stop(relay_limits_t *limits)
{
    weir_timer_cancel(&limits->total_timer);
    weir_timer_cancel(&limits->rate_timer);
}
