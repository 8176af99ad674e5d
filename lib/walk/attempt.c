/* SPDX-License-Identifier: MIT */
#include "lib/walk/attempt.h"

#include "lib/http/status.h"
#include "lib/walk/back.h"
#include "lib/walk/front.h"
#include "lib/walk/recent.h"

void weir_attempt_begin(weir_exchange_t *x, weir_service_t *service)
{
    weir_journal_t *journal = &x->journal;

    if (journal->picks > 1)
        weir_recent_note_try(x);
    x->service = service;
    x->has_service = true;
    x->was_connected = false;
    x->wants_fresh = false;
    x->target.label = (weir_span_t){NULL, 0}; /* of an earlier one */
    x->target.kind = WEIR_TARGET_NONE;
    x->attempt = (weir_attempt_notes_t){
        .sent_before_bytes = journal->backend_sent_bytes,
        .received_before_bytes = journal->backend_received_bytes,
        .client_before_bytes = journal->client_sent_bytes,
        .picked_at_us = weir_loop_now_us(x->loop),
        .grpc_status = -1,
    };
}

void weir_attempt_fail(weir_exchange_t *x, const weir_fault_t *fault)
{
    if (fault != NULL && fault->blame != WEIR_BLAME_CLIENT)
        x->cause = fault;
}

static weir_reach_t reach_of(const weir_exchange_t *x)
{
    const weir_attempt_notes_t *notes = &x->attempt;

    if (x->is_relayed && x->was_connected)
        return WEIR_REACH_WHOLE;
    if (notes->status != 0 && !x->has_page && x->journal.client_sent_bytes > notes->client_before_bytes)
        return WEIR_REACH_BODY;
    if (notes->status != 0)
        return WEIR_REACH_HEAD;
    if (notes->has_interim)
        return WEIR_REACH_INTERIM;
    if (x->journal.backend_sent_bytes > notes->sent_before_bytes)
        return WEIR_REACH_SENT;
    return x->was_connected ? WEIR_REACH_CONNECTED : WEIR_REACH_NONE;
}

static bool may_repeat(const weir_exchange_t *x)
{
    if (x->has_responded || x->is_client_gone || x->has_passed_interim || x->is_upgrading)
        return false;
    return x->request.framing.kind == WEIR_FRAMING_NONE || !weir_front_is_body_touched(x) || weir_relay_holds_body(x);
}

/* Instants of this attempt alone: those of an earlier one are older than the pick. 0 says that there is none. */
static uint64_t since_pick(const weir_exchange_t *x, uint64_t at_us)
{
    const uint64_t picked_at_us = x->attempt.picked_at_us;

    if (at_us == 0 || at_us < picked_at_us)
        return 0;
    return at_us == picked_at_us ? 1 : at_us - picked_at_us;
}

weir_attempt_t weir_attempt_of(const weir_exchange_t *x)
{
    const weir_journal_t *journal = &x->journal;
    const weir_attempt_notes_t *notes = &x->attempt;
    const uint64_t end_at_us = journal->end_at_us != 0 ? journal->end_at_us : weir_loop_now_us(x->loop);
    const weir_reach_t reach = reach_of(x);

    return (weir_attempt_t){
        .size = sizeof(weir_attempt_t),
        .number = journal->picks,
        .reach = reach,
        .status = notes->status,
        .grpc_status = notes->grpc_status,
        .was_reused = notes->was_reused,
        .is_untouched = reach < WEIR_REACH_SENT || weir_back_is_untouched(x),
        .may_repeat = may_repeat(x),
        .is_idempotent = weir_method_is_idempotent(x->request.method),
        .connect_us = x->was_connected ? since_pick(x, journal->connected_at_us) : 0,
        .head_us = since_pick(x, notes->head_at_us),
        .whole_us = since_pick(x, end_at_us),
        .sent_bytes = journal->backend_sent_bytes - notes->sent_before_bytes,
        .received_bytes = journal->backend_received_bytes - notes->received_before_bytes,
    };
}
