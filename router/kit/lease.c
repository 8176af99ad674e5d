/* SPDX-License-Identifier: MIT */
#include "lease.h"

#include <stdio.h>

#include "alloc.h"
#include "health.h"
#include "instance.h"
#include "metrics.h"
#include "pin.h"
#include "queue.h"
#include "retry.h"
#include "tell.h"
#include "weir_span.h"

enum { SWITCHED = 101, TOO_MANY = 429, UNAVAILABLE = 503 };

/* ---- checkout ---- */

/* Each request needs it (FNV-1a). Whoever finds addresses that are alike here is counted as one client, which helps nobody. */
static uint64_t client_of(const weir_request_t *request)
{
    const weir_span_t address = weir_request_peer_ip(request);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < address.len; i++)
        hash = (hash ^ (unsigned char)address.base[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static weir_span_t hashed_of(const kit_settings_t *settings, size_t index, const weir_request_t *request)
{
    const char *name = settings->hash_on[index].name;
    const weir_span_t span = {name, name == NULL ? 0 : strlen(name)};

    switch (settings->hash_on[index].source) {
    case KIT_HASH_CLIENT:
        return weir_request_peer_ip(request);
    case KIT_HASH_PATH:
        return weir_request_path(request);
    case KIT_HASH_PATH_QUERY:
        return weir_request_target(request);
    case KIT_HASH_HOST:
        return weir_request_host(request);
    case KIT_HASH_HEADER:
        return weir_request_header(request, span);
    case KIT_HASH_COOKIE:
        return weir_request_cookie(request, span);
    }
    return (weir_span_t){NULL, 0};
}

static void set_key(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request)
{
    for (size_t i = 0; i < settings->hash_on_count && !lease->has_key; i++) {
        weir_span_t bytes = hashed_of(settings, i, request);
        if (bytes.base == NULL)
            continue;
        lease->key = kit_key_of(settings->choice.hash_seed, bytes);
        lease->has_key = true;
    }
}

static inline __attribute__((always_inline)) kit_asking_t asking_of(const weir_request_t *request)
{
    const weir_span_t method = weir_request_method(request);
    const bool is_safe = weir_span_equal(method, WEIR_SPAN("GET")) || weir_span_equal(method, WEIR_SPAN("HEAD")) ||
                         weir_span_equal(method, WEIR_SPAN("OPTIONS"));

    return (kit_asking_t){
        .is_upgrade = weir_request_wants_upgrade(request),
        .may_be_trial = is_safe && !weir_request_has_body(request),
    };
}

kit_asking_t kit_lease_asking(const weir_request_t *request)
{
    return asking_of(request);
}

/* Most requests say nothing of the choice. */
static inline __attribute__((always_inline)) void read_wishes(kit_lease_t *lease, const kit_settings_t *settings,
                                                              const weir_request_t *request)
{
    if (settings->choice.balance == KIT_HASH && !lease->has_key)
        set_key(lease, settings, request);
    lease->pinned = NULL;
    if (settings->affinity.is_on)
        kit_pin_look(lease, settings, request);
}

void kit_lease_read(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request)
{
    read_wishes(lease, settings, request);
}

const weir_fault_t *kit_lease_refusal(const kit_lease_t *lease, kit_why_none_t why)
{
    const bool says_last = lease->last != NULL && why != KIT_ALL_FULL; /* the last connect's reason tells more */

    return says_last ? lease->last : kit_fault_of(why);
}

static kit_turn_t refused(const weir_fault_t *fault, const weir_fault_t **out_fault)
{
    *out_fault = fault;
    return KIT_TURN_REFUSED;
}

/* Of which kit_lease_turn() says that it takes: nearly all. */
static inline bool is_plain(const kit_lease_t *lease, const kit_settings_t *settings)
{
    return lease->picks == 0 && !settings->affinity.is_strict && atomic_load(&lease->set->course) == KIT_RUNNING;
}

/* The app may be paused, or stopped; but not for those who have been with a member. */
kit_turn_t kit_lease_turn(const kit_lease_t *lease, const kit_settings_t *settings, uint64_t now_us,
                          const weir_fault_t **out_fault)
{
    weir_set_t *set = lease->set;

    if (lease->picks == KIT_TRIES_MOST)
        return refused(kit_lease_refusal(lease, KIT_ALL_TRIED), out_fault);
    if (settings->affinity.is_strict && lease->has_session && lease->pinned == NULL)
        return refused(&kit_fault_lost, out_fault);
    if (lease->picks > 0 || atomic_load(&set->course) == KIT_RUNNING)
        return KIT_TURN_TAKES;
    if (!kit_is_paused(set))
        return refused(&kit_fault_maintenance, out_fault);
    if (now_us >= atomic_load(&kit_activity_of(set)->pause_until_us))
        return refused(&kit_fault_paused, out_fault);
    return KIT_TURN_PAUSES;
}

/* Those that have not spoken yet are waited for, with or without `hold`: a proxy that starts serves as soon as it can. */
static bool may_be_held(const kit_settings_t *settings)
{
    return settings->hold_ms > 0 || settings->health.kind != KIT_HEALTH_NONE;
}

bool kit_lease_may_look(const kit_lease_t *lease)
{
    return lease->pinned != NULL || kit_queue_count(lease->set) == 0;
}

kit_turn_t kit_lease_turn_behind(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                                 kit_why_none_t *why)
{
    if (may_be_held(settings) && lease->pinned == NULL && kit_queue_count(lease->set) > 0)
        *why = kit_lease_why(lease, request); /* nothing was tried: others wait */
    if (*why == KIT_NONE_EXISTS && atomic_load(&lease->set->awaits_names))
        *why = KIT_ALL_STARTING;
    if (*why == KIT_ALL_FULL || *why == KIT_WOULD_DO)
        return KIT_TURN_QUEUES;
    return settings->hold_ms > 0 || *why == KIT_ALL_STARTING ? KIT_TURN_HOLDS : KIT_TURN_REFUSED;
}

/*
 * If nobody waits, or it is pinned. As long as it looks it has one of the app's slots, and may be refused in the end: who came
 * to wait meanwhile may have missed that slot.
 */
static void take_at_once(kit_lease_t *lease, const weir_request_t *request, const kit_asking_t *asking, kit_why_none_t *out_why)
{
    const uint64_t now_us = weir_now_us(request);

    if (!kit_lease_may_look(lease))
        return;
    lease->member = kit_lease_take(lease, asking, kit_lease_roll, (void *)(uintptr_t)request, now_us, out_why);
    if (lease->member == NULL && kit_queue_count(lease->set) > 0)
        kit_queue_kick(lease->set, now_us, true);
}

weir_answer_t weir_lease_checkout(weir_lease_t *opaque, weir_set_t *set, const weir_request_t *request, weir_q_checkout_t *q)
{
    kit_lease_t *lease = kit_lease_of(opaque);
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    kit_why_none_t why = KIT_ALL_FULL;
    const weir_fault_t *fault = NULL;
    kit_turn_t turn;

    kit_view_fetch(atomic_load_explicit(&set->view, memory_order_acquire));
    const kit_asking_t asking = asking_of(request);
    if (settings->is_blank)
        return weir_checkout_refuse(q, &kit_fault_blank);
    if (lease->pause_ms > 0)
        return kit_retry_pause(lease, q);
    if (lease->set == NULL)
        kit_retry_count(set, settings, weir_now_us(request));
    lease->set = set;
    lease->has_head = lease->is_tunnel = lease->writes_pin = false;
    kit_use(set);
    kit_tell_begin(lease, request);
    read_wishes(lease, settings, request);
    turn = is_plain(lease, settings) ? KIT_TURN_TAKES : kit_lease_turn(lease, settings, weir_now_us(request), &fault);
    if (turn == KIT_TURN_REFUSED)
        return weir_checkout_refuse(q, fault);
    if (turn == KIT_TURN_PAUSES)
        return kit_queue_wait(lease, settings, request, q, &asking, KIT_PAUSE, KIT_ALL_FULL);
    take_at_once(lease, request, &asking, &why);
    if (lease->member != NULL)
        return weir_checkout_pick(q, (weir_service_t *)(void *)lease->member);
    turn = kit_lease_turn_behind(lease, settings, request, &why);
    if (turn == KIT_TURN_REFUSED)
        return weir_checkout_refuse(q, kit_lease_refusal(lease, why));
    return kit_queue_wait(lease, settings, request, q, &asking, turn == KIT_TURN_QUEUES ? KIT_BUSY : KIT_HOLD, why);
}

static weir_keepalive_t fresh(weir_keepalive_t keepalive)
{
    return keepalive == WEIR_REUSE ? WEIR_FRESH : keepalive;
}

weir_answer_t weir_lease_backend(weir_lease_t *opaque, const weir_request_t *request, weir_q_backend_t *q)
{
    kit_lease_t *lease = kit_lease_of(opaque);
    kit_address_t *address = atomic_load_explicit(&lease->member->address, memory_order_acquire);
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);

    if (lease->has_not_connected) {
        lease->repeat_kind = KIT_RETRY_CONNECT;
        kit_retry_note(lease->set, KIT_RETRIES_A);
    }
    lease->has_not_connected = false;
    lease->tried_count++;
    lease->addresses[lease->picks++] = kit_address_hold(address);
    weir_backend_keepalive(q, lease->was_misdirected ? fresh(address->manner->keepalive) : address->manner->keepalive);
    /* HTTP/2 may refuse a stream that it has not acted upon (RFC 9113 §8.7), when its body is under way. */
    const bool may_repeat = settings->retry.on != 0 || address->protocol == WEIR_HTTP2;
    if (may_repeat && settings->retry.body_buffer_bytes > 0)
        weir_backend_hold_body(q, settings->retry.body_buffer_bytes);
    if (settings->retry.try_timeout_ms > 0)
        weir_backend_try_timeout(q, settings->retry.try_timeout_ms);
    return weir_backend_at_endpoint(q, address->endpoint);
}

/* ---- how it fared ---- */

static void note(kit_lease_t *lease, const weir_request_t *request, kit_result_t result, bool has_status, uint64_t head_us)
{
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);

    kit_note(
        lease->set, lease->member, settings,
        &(kit_note_t){.result = result,
                      .has_status = has_status,
                      .is_trial = lease->is_trial || lease->how == KIT_BY_LAST_RESORT,
                      .head_us = head_us,
                      .client = client_of(request),
                      .now_us = weir_now_us(request),
                      .dice = result == KIT_RESULT_FAILURE || result == KIT_RESULT_NO_CONNECTION ? weir_random(request) : 0});
    if (result != KIT_RESULT_NOTHING && atomic_load_explicit(&lease->set->window, memory_order_relaxed) != 0)
        kit_queue_pace(lease->set, result == KIT_RESULT_SUCCESS);
    if (result != KIT_RESULT_NOTHING && kit_queue_count(lease->set) > 0) /* the window is another, or a trial went well */
        kit_queue_kick(lease->set, weir_now_us(request), result != KIT_RESULT_SUCCESS || !lease->is_trial);
}

/* gRPC tells of failures in a field: 2 unknown, 4 too late, 13 internal, 14 unavailable, 15 data lost; 8 is enough to do. */
static bool is_grpc_failure(int16_t status)
{
    return status == 2 || status == 4 || (status >= 13 && status <= 15);
}

static bool has_enough_to_do(const weir_request_t *request, const weir_attempt_t *attempt)
{
    return attempt->status == TOO_MANY || attempt->grpc_status == 8 ||
           (attempt->status == UNAVAILABLE && weir_request_response_header(request, WEIR_SPAN("retry-after")).len > 0);
}

static uint32_t seconds_of(const weir_request_t *request)
{
    uint64_t seconds = 1;

    (void)weir_span_to_number(weir_request_response_header(request, WEIR_SPAN("retry-after")), &seconds);
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

/* What it holds of its member. */
static uint64_t load_of(const kit_lease_t *lease)
{
    if (lease->is_tunnel)
        return KIT_ONE_TUNNEL;
    return lease->has_head ? KIT_ONE_IN_FLIGHT : kit_lease_load(lease->claims_tunnel);
}

void weir_lease_answered(weir_lease_t *opaque, const weir_request_t *request, const weir_attempt_t *attempt)
{
    kit_lease_t *lease = kit_lease_of(opaque);
    weir_member_t *member = lease->member;
    const uint64_t now_us = weir_now_us(request);

    if (member == NULL || lease->has_head)
        return;
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);
    const bool is_failure =
        kit_status_has(&settings->quarantine.failure_status, attempt->status) || is_grpc_failure(attempt->grpc_status);
    const uint64_t before = load_of(lease);
    lease->has_head = true;
    lease->is_tunnel = attempt->status == SWITCHED;
    kit_pin_answered(lease, settings, request);
    atomic_store_explicit(&member->head_at_us, now_us, memory_order_relaxed);
    if (has_enough_to_do(request, attempt)) {
        kit_note_pushed_back(member, now_us, seconds_of(request));
        note(lease, request, KIT_RESULT_NOTHING, false, 0);
    } else {
        note(lease, request, is_failure ? KIT_RESULT_FAILURE : KIT_RESULT_SUCCESS, is_failure, attempt->head_us);
    }
    kit_lease_free(member, before - load_of(lease));
    if (!lease->is_tunnel)
        return;
    kit_lease_free_app(lease);
    if (kit_queue_count(lease->set) > 0)
        kit_queue_kick(lease->set, now_us, true);
}

static kit_result_t result_of(const weir_q_checkin_t *q)
{
    const weir_fault_t *fault = weir_checkin_fault(q);
    const weir_phase_t phase = weir_checkin_phase(q);

    if (phase == WEIR_CONNECTING && fault != NULL && fault->blame == WEIR_BLAME_BACKEND)
        return KIT_RESULT_NO_CONNECTION;
    return phase == WEIR_CONNECTED && fault != NULL && fault->blame == WEIR_BLAME_BACKEND ? KIT_RESULT_FAILURE
                                                                                          : KIT_RESULT_NOTHING;
}

static void give_back(kit_lease_t *lease, const weir_request_t *request, const weir_q_checkin_t *q)
{
    weir_set_t *set = lease->set;
    kit_result_t result = result_of(q);

    if (result != KIT_RESULT_NOTHING)
        note(lease, request, result, false, 0);
    if (lease->is_trial && atomic_load(&kit_trouble_of(lease->member)->trial_at_us) == lease->trial_at_us)
        atomic_store(&lease->member->has_trial, 0); /* if nothing was learnt another one may try */
    if (weir_checkin_phase(q) == WEIR_CONNECTED)
        lease->arrived_us = 0; /* if it has to wait again, that is another wait */
    kit_lease_free(lease->member, load_of(lease));
    kit_lease_free_app(lease);
    lease->member = NULL;
    lease->is_trial = false;
    if (kit_queue_count(set) > 0)
        kit_queue_kick(set, weir_now_us(request), true);
}

weir_answer_t weir_lease_checkin(weir_lease_t *opaque, const weir_request_t *request, weir_q_checkin_t *q)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    lease->has_not_connected = weir_checkin_phase(q) == WEIR_CONNECTING;
    if (lease->has_not_connected)
        lease->last = weir_checkin_fault(q);
    if (lease->member != NULL)
        give_back(lease, request, q);
    return weir_checkin_done(q);
}

void weir_lease_abandoned(weir_lease_t *opaque, const weir_request_t *request)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    if (lease->set != NULL)
        kit_queue_leave(lease, weir_now_us(request));
}

void weir_lease_end(weir_lease_t *opaque)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    if (lease->pin_state != KIT_PIN_NONE)
        kit_metrics_count(lease->pin_state == KIT_PIN_NEW && lease->is_pin_invalid
                              ? KIT_AFFINITY_INVALID
                              : (kit_metric_t)(KIT_AFFINITY_NEW + lease->pin_state - KIT_PIN_NEW));
    lease->pin_state = KIT_PIN_NONE;
    for (size_t i = 0; i < lease->picks; i++)
        kit_address_release(lease->addresses[i]);
    lease->picks = lease->tried_count = 0;
    free(lease->told);
    lease->told = NULL;
}

/* ---- what is said, and what is told ---- */

void weir_lease_filter(weir_lease_t *opaque, bool (*may)(const weir_member_t *member, void *context), void *context)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    lease->may = may;
    lease->may_context = context;
}

void weir_lease_prefer(weir_lease_t *opaque, const weir_member_t *member)
{
    kit_lease_of(opaque)->preferred = member;
}

void weir_lease_hash(weir_lease_t *opaque, weir_span_t key)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    lease->key = kit_key_of(0, key);
    lease->has_key = true;
}

void weir_lease_headers(weir_lease_t *opaque, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    kit_lease_t *lease = kit_lease_of(opaque);
    char text[KIT_TELL_BYTES];

    if (way != WEIR_TO_CLIENT || lease->set == NULL)
        return;
    kit_pin_write(lease, request, sink);
    const size_t length = kit_tell_write(lease, text);
    if (length > 0)
        weir_header_add(sink, WEIR_SPAN("X-Weir-Explain"), (weir_span_t){text, length});
}

static const char *repeat_word(uint32_t kind)
{
    switch (kind) {
    case KIT_RETRY_CONNECT:
        return "connect";
    case KIT_RETRY_RESET:
        return "reset";
    case KIT_RETRY_TIMEOUT:
        return "timeout";
    case KIT_RETRY_STATUS:
        return "status";
    }
    return NULL;
}

const char *kit_lease_how(const kit_lease_t *lease)
{
    static const char *const hows[] = {NULL,  "best",  "least", "turn", "dice", "hash",
                                       "pin", "trial", "panic", "only", "last", "prefer"};

    return lease->how < sizeof(hows) / sizeof(hows[0]) ? hows[lease->how] : NULL;
}

void weir_lease_log(const weir_lease_t *opaque, weir_log_sink_t *sink)
{
    const kit_lease_t *lease = (const kit_lease_t *)(const void *)opaque;
    const char *how = kit_lease_how(lease);
    char text[24];

    if (lease->set == NULL)
        return;
    if (how != NULL)
        weir_log_field(sink, WEIR_SPAN("pick"), (weir_span_t){how, strlen(how)});
    const char *repeat = repeat_word(lease->repeat_kind);
    if (repeat != NULL)
        weir_log_field(sink, WEIR_SPAN("retry"), (weir_span_t){repeat, strlen(repeat)});
    const char *pin = kit_pin_word(lease);
    if (pin != NULL)
        weir_log_field(sink, WEIR_SPAN("affinity"), (weir_span_t){pin, strlen(pin)});
    if (lease->waited_ms == 0 && !lease->is_held)
        return;
    int length = snprintf(text, sizeof(text), "%ums", (unsigned)lease->waited_ms);
    weir_log_field(sink, lease->is_held ? WEIR_SPAN("hold") : WEIR_SPAN("queue"), (weir_span_t){text, (size_t)length});
}
