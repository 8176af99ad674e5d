/* SPDX-License-Identifier: MIT */
#include "counts.h"

#include <math.h>

#include "choose.h"

enum { SECOND_US = 1000000, WALKED_MOST = 64 /* members of an app */ };

static const float fade = 0.98F, forgotten = 0.5F;
static const double failure_forgotten = 0.1;

/* ---- counting ---- */

static size_t cell_of(uint64_t now_us)
{
    return (size_t)(now_us / SECOND_US % KIT_CELLS);
}

static void add_to(_Atomic uint32_t *cells, size_t cell, uint32_t count)
{
    atomic_fetch_add_explicit(&cells[cell], count, memory_order_relaxed);
}

static double sum_of(const _Atomic uint32_t *cells)
{
    double sum = 0;

    for (size_t i = 0; i < KIT_CELLS; i++)
        sum += atomic_load_explicit(&cells[i], memory_order_relaxed);
    return sum;
}

kit_sums_t kit_sums_of(const weir_member_t *member)
{
    const kit_record_t *record = kit_record(member);
    const kit_trouble_t *trouble = kit_trouble(member);

    if (record == NULL)
        return (kit_sums_t){0, 0};
    const uint64_t before = atomic_load_explicit(&record->heard_before, memory_order_relaxed),
                   heard = atomic_load_explicit(&member->heard, memory_order_relaxed);
    const double failures = trouble == NULL ? 0 : sum_of(trouble->failures);

    return (kit_sums_t){.answers = sum_of(record->successes) + (double)((heard - before) & KIT_HEARD_COUNT) + failures,
                        .failures = failures};
}

kit_total_t kit_total_of(const weir_member_t *member)
{
    const kit_record_t *record = kit_record(member);
    const kit_trouble_t *trouble = kit_trouble(member);

    if (record == NULL)
        return (kit_total_t){0, 0};
    const uint64_t news = atomic_load_explicit(&member->heard, memory_order_relaxed) -
                          atomic_load_explicit(&record->heard_before, memory_order_relaxed);

    return (kit_total_t){.successes = atomic_load_explicit(&record->succeeded, memory_order_relaxed) + (news & KIT_HEARD_COUNT),
                         .failures = trouble == NULL ? 0 : atomic_load_explicit(&trouble->failed, memory_order_relaxed)};
}

void kit_count_success(weir_member_t *member, uint64_t head_us)
{
    atomic_fetch_add_explicit(&member->heard, (head_us << KIT_HEARD_BITS) + 1, memory_order_relaxed);
}

void kit_count_failure(kit_trouble_t *trouble, uint64_t now_us)
{
    add_to(trouble->failures, cell_of(now_us), 1);
    atomic_fetch_add_explicit(&trouble->failed, 1, memory_order_relaxed);
}

/* ---- sums ---- */

static kit_sums_t sums_but(const weir_set_t *set, const weir_member_t *member, kit_sums_t own)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    const kit_activity_t *activity = kit_activity(set);
    kit_sums_t all = {0, 0};

    if (kit_view_count(view) > WALKED_MOST && activity != NULL)
        return (kit_sums_t){.answers = fmax(0, sum_of(activity->cells.answers) - own.answers),
                            .failures = fmax(0, sum_of(activity->cells.failures) - own.failures)};
    for (size_t i = 0; kit_view_count(view) <= WALKED_MOST && i < kit_view_count(view); i++) {
        const weir_member_t *other = kit_view_member(view, i);
        const kit_sums_t one = other == member ? (kit_sums_t){0, 0} : kit_sums_of(other);
        all.answers += one.answers;
        all.failures += one.failures;
    }
    return all;
}

kit_sums_t kit_sums_of_peers(const weir_set_t *set, const weir_member_t *member, kit_sums_t own)
{
    return sums_but(set, member, own);
}

kit_sums_t kit_sums_of_all(const weir_set_t *set)
{
    return sums_but(set, NULL, (kit_sums_t){0, 0});
}

/* ---- ticks ---- */

/* How many there were since the last tick. */
static uint32_t fade_failures(kit_trouble_t *trouble)
{
    const uint64_t failed = atomic_load_explicit(&trouble->failed, memory_order_relaxed),
                   count = failed - trouble->tick.failed_before;

    trouble->tick.failed = fade * trouble->tick.failed + (double)count;
    trouble->tick.failed_before = failed;
    if (trouble->tick.failed < failure_forgotten) /* else one failure would weigh as much as ever where nothing else is known */
        trouble->tick.failed = 0;
    return (uint32_t)count;
}

/* What has come since the last tick goes into the cell of this second. */
static void fade_sums(kit_activity_t *activity, weir_member_t *member, size_t cell)
{
    kit_cells_t *all = &activity->cells;
    kit_record_t *record = kit_record(member);
    kit_trouble_t *trouble = kit_trouble(member);

    if (record == NULL)
        return;
    const uint32_t failures = trouble == NULL ? 0 : fade_failures(trouble);
    const uint64_t heard = atomic_load_explicit(&member->heard, memory_order_relaxed),
                   news = heard - atomic_load_explicit(&record->heard_before, memory_order_relaxed);
    const uint32_t count = (uint32_t)(news & KIT_HEARD_COUNT);
    add_to(record->successes, cell, count);
    atomic_fetch_add_explicit(&record->succeeded, count, memory_order_relaxed);
    atomic_store_explicit(&record->heard_before, heard, memory_order_relaxed);
    record->head_us = fade * record->head_us + (float)(news >> KIT_HEARD_BITS);
    record->answers = fade * record->answers + (float)count;
    if (record->answers < forgotten)
        record->head_us = record->answers = 0;
    add_to(all->answers, cell, count + failures);
    add_to(all->failures, cell, failures);
    activity->requests += count + failures;
    activity->failures += failures;
}

/* Of what comes next there is nothing yet. */
static void clear_cell(_Atomic uint32_t *cells, size_t cell)
{
    atomic_store_explicit(&cells[cell], 0, memory_order_relaxed);
}

static void turn_clients(kit_activity_t *activity, const kit_view_t *view)
{
    atomic_store(&activity->clients_before, atomic_exchange(&activity->clients, 0));
    for (size_t i = 0; i < kit_view_count(view); i++) {
        kit_trouble_t *trouble = kit_trouble(kit_view_member(view, i));
        if (trouble != NULL)
            atomic_store(&trouble->failed_clients_before, atomic_exchange(&trouble->failed_clients, 0));
    }
}

static void clear_member(const weir_member_t *member, size_t cell)
{
    kit_record_t *record = kit_record(member);
    kit_trouble_t *trouble = kit_trouble(member);

    if (record != NULL)
        clear_cell(record->successes, cell);
    if (trouble != NULL)
        clear_cell(trouble->failures, cell);
}

static void clear_cells(kit_activity_t *activity, const kit_view_t *view, size_t cell)
{
    clear_cell(activity->cells.answers, cell);
    clear_cell(activity->cells.failures, cell);
    clear_cell(activity->repeats.answers, cell);
    clear_cell(activity->repeats.failures, cell);
    for (size_t i = 0; i < kit_view_count(view); i++)
        clear_member(kit_view_member(view, i), cell);
}

/* In cells that were made since the last second there is nothing old. */
static void turn_cells(kit_activity_t *activity, const kit_view_t *view, uint64_t now_us)
{
    const uint64_t second = now_us / SECOND_US, before = activity->tick_second;

    activity->tick_second = second;
    if (before == 0)
        return;
    for (uint64_t at = before + 1; at <= second && at <= before + KIT_CELLS; at++)
        clear_cells(activity, view, (size_t)((at + 1) % KIT_CELLS));
    if (second / KIT_CELLS != before / KIT_CELLS)
        turn_clients(activity, view);
}

void kit_counts_tick(weir_set_t *set, const kit_view_t *view, uint64_t now_us)
{
    kit_activity_t *activity = kit_activity(set);

    if (activity == NULL)
        return;
    turn_cells(activity, view, now_us);
    for (size_t i = 0; i < kit_view_count(view); i++)
        fade_sums(activity, kit_view_member(view, i), cell_of(now_us));
}
