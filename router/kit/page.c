/* SPDX-License-Identifier: MIT */
/* When a request that was refused may come again. */
#include <stdio.h>

#include "counts.h"
#include "faults.h"
#include "lease.h"
#include "queue.h"
#include "tell.h"
#include "weir_span.h"

enum { LEAST_S = 1, MOST_S = 30, CELLS_S = KIT_CELLS, S_US = 1000000, HALF_OF = 2 };

/* Those who wait, by those who are served in a second; whoever comes in 30 s sees for himself. */
static uint64_t queue_s(weir_set_t *set)
{
    const uint64_t answers = (uint64_t)kit_sums_of_all(set).answers, waiting = (uint64_t)kit_queue_count(set) + 1;
    const uint64_t seconds = answers == 0 ? MOST_S : (waiting * CELLS_S + answers - 1) / answers;

    return seconds < LEAST_S ? LEAST_S : seconds > MOST_S ? MOST_S : seconds;
}

static uint64_t pause_s(weir_set_t *set, uint64_t now_us)
{
    const uint64_t until_us = atomic_load(&kit_activity_of(set)->pause_until_us);

    return until_us <= now_us ? 0 : (until_us - now_us + S_US - 1) / S_US;
}

/* 0: nothing is known. */
static uint64_t seconds_of(weir_set_t *set, const weir_fault_t *fault, uint64_t now_us)
{
    if (fault == &kit_fault_too_deep || fault == &kit_fault_timeout)
        return queue_s(set);
    return fault == &kit_fault_paused ? pause_s(set, now_us) : 0;
}

void weir_lease_page(const weir_lease_t *opaque, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    const kit_lease_t *lease = (const kit_lease_t *)(const void *)opaque;
    const uint64_t seconds = lease->set == NULL ? 0 : seconds_of(lease->set, fault, weir_now_us(request));
    char text[24], told[KIT_TELL_BYTES];
    const size_t told_bytes = kit_tell_write(lease, told);

    if (told_bytes > 0)
        weir_page_header(q, WEIR_SPAN("X-Weir-Explain"), (weir_span_t){told, told_bytes});
    if (seconds == 0)
        return;
    const uint64_t spread = seconds + weir_random(request) % (seconds / HALF_OF + 2); /* up to half as long again */
    const int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)spread);
    weir_page_header(q, WEIR_SPAN("Retry-After"), (weir_span_t){text, (size_t)length});
}
