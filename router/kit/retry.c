/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include "weir_span.h"

enum { SECOND_US = 1000000, PERCENT = 100 };

/* ---- the budget: a share of the requests of the last ten seconds, and a few a second ---- */

void kit_retry_count(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us)
{
    if (settings->retry.on != 0)
        atomic_fetch_add_explicit(&set->repeats.answers[now_us / SECOND_US % KIT_CELLS], 1, memory_order_relaxed);
}

static bool spend(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us)
{
    uint64_t requests = 0, repeats = 0;

    for (size_t i = 0; i < KIT_CELLS; i++) {
        requests += atomic_load_explicit(&set->repeats.answers[i], memory_order_relaxed);
        repeats += atomic_load_explicit(&set->repeats.failures[i], memory_order_relaxed);
    }
    if (repeats >= requests * settings->retry.budget_percent / PERCENT + (uint64_t)settings->retry.budget_floor * KIT_CELLS)
        return false;
    atomic_fetch_add_explicit(&set->repeats.failures[now_us / SECOND_US % KIT_CELLS], 1, memory_order_relaxed);
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

bool kit_retry_is_wanted(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                         const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    const uint32_t kind = kind_of(settings, fault, attempt);

    if (!attempt->may_repeat || lease->picks == KIT_TRIES_MOST || kit_lease_why(lease, request) != KIT_WOULD_DO)
        return false;
    if (fault != NULL && attempt->is_untouched)
        return true;
    if ((settings->retry.on & kind) == 0 || lease->repeats >= settings->retry.most ||
        !may_run_twice(settings, request, attempt) || !spend(lease->set, settings, weir_now_us(request)))
        return false;
    lease->repeats++;
    lease->repeat_kind = (uint8_t)kind;
    return true;
}
