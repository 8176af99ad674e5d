/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_ASK_H
#define WEIR_ROUTER_ASK_H
/**
 * @file  The only code that calls a router: once, in order, timed.
 *
 * Each ask_… opens one question about `x` (there must be none open) and calls then() once with the answer: on the spot,
 * after the callback has returned, if the router answered inside it; else from the loop. The answer is borrowed for the call.
 * A question open longer than plan->router_timeout_ms, or than its router has asked for, is answered in the router's place
 * (weir_fault_router_timeout, or the fault that the router has named), and abandoned: the router is told, and when it answers
 * at last, a picked service becomes x->service, to be checked in by 80, and the rest is dropped. If the client goes,
 * ask_abandon() does the same without an answer.
 */
#include "lib/http/logfmt.h"
#include "lib/walk/exchange.h"
#include "weir_router.h"

typedef struct ask_answer {
    const weir_fault_t *fault; /* NULL: well                           */
    weir_group_t *group;       /* of lookup                            */
    weir_span_t redirect;      /* of lookup: base is NULL if none; in the arena */
    weir_span_t app;           /* of lookup: how the router calls it, or base NULL */
    weir_service_t *service;   /* of checkout                          */
    uint32_t again_ms;         /* of checkout: nobody yet, and it is to be asked again in so long; else 0 */
    uint16_t page_status;      /* of page; of init: 0 unless the router has answered the request itself */
    const weir_headers_t *page_headers;
    weir_span_t page_body;
    weir_target_t target; /* of backend; the last one: it is large, and other answers need not have it zeroed */
} ask_answer_t;

typedef void ask_then_t(weir_exchange_t *x, const ask_answer_t *answer);

/** After an answer with a page_status the router is asked nothing more: every ask_… below answers in its place. */
void ask_init(weir_exchange_t *x, ask_then_t *then);
void ask_lookup(weir_exchange_t *x, weir_span_t domain, ask_then_t *then);
/**
 * Counts a pick in the journal and the books when the answer is a service, also a late one. It may be none yet: see again_ms.
 */
void ask_checkout(weir_exchange_t *x, ask_then_t *then);
void ask_backend(weir_exchange_t *x, weir_service_t *service, ask_then_t *then);
/** Checks x->service in (NULL in the closing call of a request that has none) and forgets it; counts it. */
void ask_checkin(weir_exchange_t *x, weir_phase_t phase, const weir_fault_t *fault, ask_then_t *then);
/** The router's page for `fault`, or the default one (router/default_page.c) if it has none or has timed out. */
void ask_page(weir_exchange_t *x, const weir_fault_t *fault, ask_then_t *then);

/** Answered on the spot. */
bool ask_feature(weir_exchange_t *x, weir_feature_t feature);
/** The final head of the backend is there, or its 101. */
void ask_answered(weir_exchange_t *x);
/**
 * Whether the attempt that has failed (or, fault NULL, has brought an error) is to be followed by another; false if it must
 * not.
 */
bool ask_retry(weir_exchange_t *x, const weir_fault_t *fault);
/** Collects the router's headers in this direction into `headers`, replacing by name. */
void ask_headers(weir_exchange_t *x, weir_way_t way, weir_headers_t *headers);
/** Lets the router add fields to the access line; NULL: there is none, the fields are dropped. */
void ask_log(weir_exchange_t *x, const weir_fault_t *fault, weir_logfmt_t *line);
void ask_terminate(weir_exchange_t *x, const weir_fault_t *fault);

/** Nobody waits for the open question's answer any more (harmless if none is open). */
void ask_abandon(weir_exchange_t *x);
/** Runs then() when no question is open: on the spot, or when the router has answered at last. */
void ask_when_idle(weir_exchange_t *x, void (*then)(weir_exchange_t *x));

#endif
