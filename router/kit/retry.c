/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include "counts.h"
#include "pin.h"
#include "weir_span.h"

enum {
    SECOND_US = 1000000,
    PERCENT = 100,
    MISDIRECTED = 421,
    TOO_EARLY = 425,
    BACK_OFF_MS = 25, /* at most, the first time; twice as long each further time */
    BACK_OFF_MOST_MS = 250,
    BACK_OFF_DOUBLES = 4,
};

/* Where a request may be sent again. */
typedef enum again { NOWHERE, TO_ANOTHER, TO_THE_SAME } again_t;

/* ---- the budget: a share of the requests of the last ten seconds, and a few a second ---- */

void kit_retry_count(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us)
{
    if (settings->retry.on == 0)
        return; /* answers are counted anyway, and a request has one write less that all threads share */
    atomic_fetch_add_explicit(&kit_activity_of(set)->repeats.answers[now_us / SECOND_US % KIT_CELLS], 1, memory_order_relaxed);
}

kit_budget_t kit_retry_budget(const weir_set_t *set, const kit_settings_t *settings)
{
    const kit_activity_t *activity = kit_activity(set);
    uint64_t requests = 0, repeats = 0;

    for (size_t i = 0; activity != NULL && i < KIT_CELLS; i++) {
        requests += atomic_load_explicit(&activity->repeats.answers[i], memory_order_relaxed);
        repeats += atomic_load_explicit(&activity->repeats.failures[i], memory_order_relaxed);
    }
    const uint64_t answers = requests == 0 ? (uint64_t)kit_sums_of_all(set).answers : 0;
    if (requests == 0)
        requests = answers > repeats ? answers - repeats : 0;
    return (kit_budget_t){
        .most = requests * settings->retry.budget_percent / PERCENT + (uint64_t)settings->retry.budget_floor * KIT_CELLS,
        .spent = repeats,
    };
}

static bool spend(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us)
{
    const kit_budget_t budget = kit_retry_budget(set, settings);

    if (budget.spent >= budget.most)
        return false;
    atomic_fetch_add_explicit(&kit_activity_of(set)->repeats.failures[now_us / SECOND_US % KIT_CELLS], 1, memory_order_relaxed);
    return true;
}

void kit_retry_note(weir_set_t *set, kit_metric_t metric)
{
    kit_metrics_count(metric);
    atomic_fetch_add_explicit(&kit_activity_of(set)->retries, 1, memory_order_relaxed);
}

static bool may_spend(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us)
{
    if (spend(set, settings, now_us))
        return true;
    kit_metrics_count(KIT_RETRY_REFUSED);
    return false;
}

static bool count_class(weir_set_t *set, kit_metric_t metric)
{
    kit_retry_note(set, metric);
    return true;
}

/* ---- the rules ---- */

static bool is_timeout(const weir_fault_t *fault)
{
    return fault == weir_fault_named("backend_timeout") || fault == weir_fault_named("backend_connect_timeout");
}

static uint32_t kind_of(const kit_settings_t *settings, const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    if (fault == NULL)
        return kit_status_has(&settings->retry.status, attempt->status) ? KIT_RETRY_STATUS : 0;
    if (fault->blame != WEIR_BLAME_BACKEND)
        return 0;
    return is_timeout(fault) ? KIT_RETRY_TIMEOUT : KIT_RETRY_RESET;
}

/* Whether it does no harm to run it twice: by its method, or because the client says that the application will know. */
static bool may_run_twice(const kit_settings_t *settings, const weir_request_t *request, const weir_attempt_t *attempt)
{
    if ((settings->retry.methods & KIT_RETRY_IDEMPOTENT) != 0 && attempt->is_idempotent)
        return true;
    return (settings->retry.methods & KIT_RETRY_KEYED) != 0 &&
           weir_request_header(request, WEIR_SPAN("idempotency-key")).len > 0;
}

static bool is_configured(const kit_settings_t *settings, const weir_request_t *request, const weir_fault_t *fault,
                          const weir_attempt_t *attempt)
{
    return (settings->retry.on & kind_of(settings, fault, attempt)) != 0 && may_run_twice(settings, request, attempt);
}

/* RFC 8470 §5.2: who has marked a request as early is told, and repeats it when it is early no more. */
static bool is_early_by_another(const weir_request_t *request, const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    return fault == NULL && attempt->status == TOO_EARLY && weir_request_header(request, WEIR_SPAN("early-data")).len > 0;
}

/*
 * It says that it has not run it, and that it might the next time. RFC 9110 §15.5.20: on another connection. RFC 8470 §5.2:
 * where nothing was sent early, and nothing is by us.
 */
static bool is_declined(const kit_lease_t *lease, const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    if (fault != NULL)
        return false;
    return (attempt->status == MISDIRECTED && !lease->was_misdirected) ||
           (attempt->status == TOO_EARLY && !lease->was_too_early);
}

/* Each member is tried once, but for the only one that there is. Who declines is not ill: whom a cookie pins to it stays. */
static again_t where_again(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request, bool declines)
{
    const bool is_bound = settings->affinity.is_strict && lease->has_session;
    const bool may_stay = lease->pinned == lease->member && !kit_pin_leads_nowhere(lease);

    if (may_stay && (is_bound || declines))
        return TO_THE_SAME;
    if (is_bound)
        return NOWHERE;
    if (kit_lease_why(lease, request) == KIT_WOULD_DO)
        return TO_ANOTHER;
    return kit_lease_only(lease, request) == lease->member ? TO_THE_SAME : NOWHERE;
}

static void note_repeat(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                        const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    lease->repeats++;
    lease->repeat_kind = fault == NULL ? KIT_RETRY_STATUS : (uint8_t)kind_of(settings, fault, attempt);
    lease->was_too_early |= attempt->status == TOO_EARLY;
    lease->was_misdirected |= attempt->status == MISDIRECTED;
}

/* Full jitter: those who failed together do not come back together. */
static void back_off(kit_lease_t *lease, const weir_request_t *request)
{
    const uint32_t most_ms = lease->pauses < BACK_OFF_DOUBLES ? (uint32_t)BACK_OFF_MS << lease->pauses : BACK_OFF_MOST_MS;

    lease->pauses++;
    lease->tried_count = 0;
    lease->pause_ms = (uint16_t)(weir_random(request) % (most_ms + 1));
}

weir_answer_t kit_retry_pause(kit_lease_t *lease, weir_q_checkout_t *q)
{
    const uint32_t wait_ms = lease->pause_ms;

    lease->pause_ms = 0;
    return weir_checkout_again(q, wait_ms);
}

bool weir_lease_retry(weir_lease_t *opaque, const weir_request_t *request, const weir_fault_t *fault,
                      const weir_attempt_t *attempt)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    if (lease->member == NULL || !attempt->may_repeat || lease->picks == KIT_TRIES_MOST)
        return false;
    if (is_early_by_another(request, fault, attempt))
        return false;
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);
    const bool has_not_run = fault != NULL && attempt->is_untouched;
    const bool declines = is_declined(lease, fault, attempt);
    if (!has_not_run && !declines && !is_configured(settings, request, fault, attempt))
        return false;
    if (!has_not_run && lease->repeats >= settings->retry.most)
        return false;
    const again_t where = where_again(lease, settings, request, declines);
    if (has_not_run)
        return where == TO_ANOTHER && count_class(lease->set, KIT_RETRIES_B);
    if (where == NOWHERE || !may_spend(lease->set, settings, weir_now_us(request)))
        return false;
    (void)count_class(lease->set, declines ? KIT_RETRIES_B : KIT_RETRIES_C);
    note_repeat(lease, settings, request, fault, attempt);
    if (where == TO_THE_SAME)
        back_off(lease, request);
    return true;
}
