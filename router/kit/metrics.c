/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include "alloc.h"
#include "own.h"
#include "queue.h"
#include "weir_metric.h"
#include "weir_span.h"

#include "weir_kit.h"

static const double bounds[KIT_WAIT_BOUNDS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                               0.25,   0.5,   1,      2.5,   5,    10,    30,   60};

static kit_metrics_page_t *_Atomic pages;
static __thread kit_metrics_page_t *mine;

/* ---- counting ---- */

static kit_metrics_page_t *page_of(void)
{
    kit_metrics_page_t *page = mine;

    if (page != NULL)
        return page;
    page = kit_alloc_aligned(64, (sizeof(*page) + 63) / 64 * 64);
    page->next = atomic_load_explicit(&pages, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pages, &page->next, page, memory_order_release, memory_order_relaxed))
        continue;
    return mine = page;
}

static void add(_Atomic uint64_t *count, uint64_t by)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + by, memory_order_relaxed);
}

void kit_metrics_count(kit_metric_t metric)
{
    add(&page_of()->counts[metric], 1);
}

void kit_metrics_count_many(kit_metric_t metric, uint64_t count)
{
    add(&page_of()->counts[metric], count);
}

void kit_metrics_changed(const char *op)
{
    static const char *const ops[] = {"put", "patch", "delete", "revert", "pause", "resume", "stop"};

    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (strcmp(op, ops[i]) == 0)
            kit_metrics_count((kit_metric_t)(KIT_CHANGES_PUT + i));
}

void kit_metrics_waited(uint64_t us)
{
    kit_metrics_page_t *page = page_of();
    size_t at = 0;

    while (at < KIT_WAIT_BOUNDS && (double)us > bounds[at] * 1e6)
        at++;
    add(&page->waits[at], 1);
    add(&page->waited_us, us);
}

static uint64_t sum_of(kit_metric_t metric)
{
    uint64_t sum = 0;

    for (const kit_metrics_page_t *page = atomic_load(&pages); page != NULL; page = page->next)
        sum += atomic_load_explicit(&page->counts[metric], memory_order_relaxed);
    return sum;
}

/* ---- telling ---- */

static void tell_number(weir_metric_sink_t *sink, const char *name, const char *label, const char *value, double number)
{
    const weir_metric_label_t one = {label, {value, value == NULL ? 0 : strlen(value)}};

    weir_metric_add(sink, name, &one, label != NULL, number);
}

static void tell_counts(weir_metric_sink_t *sink)
{
    static const struct {
        kit_metric_t metric;
        const char *name, *label, *value;
    } counts[] = {
        {KIT_ENTERED_BUSY, "weir_queue_entered_total", "cause", "busy"},
        {KIT_ENTERED_HOLD, "weir_queue_entered_total", "cause", "hold"},
        {KIT_ENTERED_PAUSE, "weir_queue_entered_total", "cause", "pause"},
        {KIT_ENTERED_PIN, "weir_queue_entered_total", "cause", "pin"},
        {KIT_LEFT_SERVED, "weir_queue_left_total", "how", "served"},
        {KIT_LEFT_DEADLINE, "weir_queue_left_total", "how", "deadline"},
        {KIT_LEFT_CLIENT, "weir_queue_left_total", "how", "client"},
        {KIT_LEFT_DEEP, "weir_queue_left_total", "how", "deep"},
        {KIT_LEFT_STOPPED, "weir_queue_left_total", "how", "stopped"},
        {KIT_LEFT_LOST, "weir_queue_left_total", "how", "lost"},
        {KIT_RETRIES_A, "weir_retries_total", "class", "a"},
        {KIT_RETRIES_B, "weir_retries_total", "class", "b"},
        {KIT_RETRIES_C, "weir_retries_total", "class", "c"},
        {KIT_RETRY_REFUSED, "weir_retry_budget_refused_total", NULL, NULL},
        {KIT_QUARANTINES_CONNECT, "weir_quarantines_total", "cause", "connect"},
        {KIT_QUARANTINES_FAILING, "weir_quarantines_total", "cause", "failing"},
        {KIT_QUARANTINES_SILENT, "weir_quarantines_total", "cause", "silent"},
        {KIT_QUARANTINE_REFUSED, "weir_quarantine_refused_total", NULL, NULL},
        {KIT_AFFINITY_KEPT, "weir_affinity_total", "result", "kept"},
        {KIT_AFFINITY_NEW, "weir_affinity_total", "result", "new"},
        {KIT_AFFINITY_MOVED, "weir_affinity_total", "result", "moved"},
        {KIT_AFFINITY_BORROWED, "weir_affinity_total", "result", "borrowed"},
        {KIT_AFFINITY_INVALID, "weir_affinity_total", "result", "invalid"},
        {KIT_CHANGES_PUT, "weir_state_changes_total", "op", "put"},
        {KIT_CHANGES_PATCH, "weir_state_changes_total", "op", "patch"},
        {KIT_CHANGES_DELETE, "weir_state_changes_total", "op", "delete"},
        {KIT_CHANGES_REVERT, "weir_state_changes_total", "op", "revert"},
        {KIT_CHANGES_PAUSE, "weir_state_changes_total", "op", "pause"},
        {KIT_CHANGES_RESUME, "weir_state_changes_total", "op", "resume"},
        {KIT_CHANGES_STOP, "weir_state_changes_total", "op", "stop"},
        {KIT_STATE_ERRORS, "weir_state_errors_total", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        tell_number(sink, counts[i].name, counts[i].label, counts[i].value, (double)sum_of(counts[i].metric));
    tell_number(sink, "weir_queue_rescues_total", NULL, NULL, (double)kit_queue_rescues());
}

static void tell_waiting(weir_metric_sink_t *sink)
{
    static const char *const causes[] = {"busy", "hold", "pause", "pin"};

    for (unsigned i = 0; i < 4; i++) {
        const uint64_t ended = sum_of((kit_metric_t)(KIT_ENDED_BUSY + i)),
                       entered = sum_of((kit_metric_t)(KIT_ENTERED_BUSY + i));
        tell_number(sink, "weir_queue_waiting", "cause", causes[i], entered > ended ? (double)(entered - ended) : 0);
    }
}

static void tell_waits(weir_metric_sink_t *sink)
{
    uint64_t waits[KIT_WAIT_BOUNDS + 1] = {0}, waited_us = 0;

    for (const kit_metrics_page_t *page = atomic_load(&pages); page != NULL; page = page->next) {
        for (size_t i = 0; i <= KIT_WAIT_BOUNDS; i++)
            waits[i] += atomic_load_explicit(&page->waits[i], memory_order_relaxed);
        waited_us += atomic_load_explicit(&page->waited_us, memory_order_relaxed);
    }
    weir_metric_histogram(sink, "weir_queue_wait_seconds", NULL, 0, bounds, waits, KIT_WAIT_BOUNDS, (double)waited_us / 1e6);
}

/* ---- of an instance ---- */

enum { UP, DRAINING, OFF, STARTING, CHECK, CONNECT, FAILING, SILENT, TRIAL, STATES };

static unsigned state_of(const weir_member_t *member)
{
    const unsigned admin = atomic_load_explicit(&member->admin, memory_order_relaxed),
                   check = atomic_load_explicit(&member->check, memory_order_relaxed),
                   quarantine = atomic_load_explicit(&member->quarantine, memory_order_relaxed);

    if (admin != KIT_UP)
        return admin == KIT_DRAINING ? DRAINING : OFF;
    if (quarantine != KIT_FREE)
        return CONNECT + quarantine - KIT_CONNECT;
    return check == KIT_CHECK_FAILED ? CHECK : check == KIT_CHECK_STARTING ? STARTING : UP;
}

/* Backends of apps that sleep: asleep.h. */
static size_t count_asleep(const kit_instance_t *instance)
{
    const kit_apps_t *apps = instance->started == NULL ? NULL : kit_apps(instance->started);
    size_t count = 0;

    for (size_t i = 0; apps != NULL && i < apps->count; i++)
        count += apps->at[i]->is_packed && atomic_load(&apps->at[i]->set) == NULL ? apps->at[i]->asleep_count : 0;
    return count;
}

static size_t count_members(const kit_instance_t *instance, uint64_t states[STATES])
{
    size_t panics = 0;

    for (size_t i = 0; i < instance->set_capacity; i++)
        for (const weir_set_t *set = atomic_load(&instance->sets[i]); set != NULL; set = set->next) {
            for (size_t k = 0; k < set->member_count; k++)
                states[state_of(set->members[k])]++;
            states[DRAINING] += set->leaving_count;
            panics += set->is_panic;
        }
    return panics;
}

bool kit_metrics_is_up(const weir_member_t *member)
{
    return state_of(member) == UP;
}

/* Under the lock. */
static double probe_lag_s(const kit_instance_t *instance)
{
    const struct weir_kit *kit = instance->started;
    const uint64_t now_us = kit != NULL && kit->host != NULL ? weir_instance_now_us(kit->host) : 0;
    const kit_due_t *due = kit_due_first(&instance->checks, now_us);

    return due != NULL && due->at_us != 0 ? (double)(now_us - due->at_us) / 1e6 : 0;
}

static void tell_instance(kit_instance_t *instance, weir_metric_sink_t *sink)
{
    static const char *const names[STATES] = {"up",      "draining", "off",    "starting", "check",
                                              "connect", "failing",  "silent", "trial"};
    uint64_t states[STATES] = {0};
    size_t panics, apps, domains, asleep;
    uint64_t seq;
    double lag_s;

    pthread_mutex_lock(&instance->lock);
    panics = count_members(instance, states);
    asleep = count_asleep(instance);
    apps = instance->started == NULL ? 0 : kit_apps(instance->started)->count;
    domains = instance->started == NULL ? 0 : kit_domains_count(instance->started->domains);
    seq = instance->seq;
    lag_s = probe_lag_s(instance);
    kit_metrics_tell_each(instance, sink);
    pthread_mutex_unlock(&instance->lock);
    for (unsigned i = 0; i < STATES; i++)
        tell_number(sink, "weir_members", "state", names[i], (double)states[i]);
    tell_number(sink, "weir_members", "state", "asleep", (double)asleep);
    tell_number(sink, "weir_panic_apps", NULL, NULL, (double)panics);
    tell_number(sink, "weir_apps", NULL, NULL, (double)apps);
    tell_number(sink, "weir_domains", NULL, NULL, (double)domains);
    tell_number(sink, "weir_state_seq", NULL, NULL, (double)seq);
    tell_number(sink, "weir_probe_lag_seconds", NULL, NULL, lag_s);
}

void weir_kit_metrics(const weir_kit_t *kit, weir_metric_sink_t *sink)
{
    if (weir_metric_once(sink, &pages)) {
        tell_counts(sink);
        tell_waiting(sink);
        tell_waits(sink);
    }
    if (kit->instance != NULL && weir_metric_once(sink, kit->instance))
        tell_instance(kit->instance, sink);
}
