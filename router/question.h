/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_QUESTION_H
#define WEIR_ROUTER_QUESTION_H
/**
 * @file  A question: made by ask.c, answered through answer.c from any thread, once. Private to router/.
 *
 *   CALLING ──callback returned──► WAITING ──answer: a letter──► ANSWERED ──opened──► settled
 *      └───────────answer──────────────────────────────────────► ANSWERED ──callback returned──► settled
 *
 * MEMORY   The exchange's arena. Whoever answers from another thread must not touch that arena: what he passes in lies in
 *          blocks apart, which the arena adopts when the question is settled.
 */
#include <stdatomic.h>

#include "router/ask.h"

enum { ASK_SEAL = 0x3b5d };

typedef enum ask_state { ASK_CALLING, ASK_WAITING, ASK_ANSWERED } ask_state_t;
typedef enum ask_kind { ASK_INIT, ASK_LOOKUP, ASK_CHECKOUT, ASK_BACKEND, ASK_CHECKIN, ASK_PAGE } ask_kind_t;

typedef struct ask_field {
    struct ask_field *next;
    weir_span_t name, value;
} ask_field_t;

typedef struct ask_question {
    weir_exchange_t *x;
    ask_then_t *then; /* NULL: nobody waits for the answer any more */
    ask_kind_t kind;
    bool has_body; /* of a page: the router has set one          */
    _Atomic ask_state_t state;
    atomic_bool is_claimed;            /* somebody has answered */
    const void *home;                  /* the loop's thread     */
    weir_arena_block_t *apart;         /* what another thread has passed in */
    ask_field_t *fields, **last_field; /* of a page, in the order they were added */

    weir_phase_t phase;        /* of a check-in            */
    const weir_fault_t *about; /* of a check-in or a page  */

    ask_answer_t answer;
    weir_headers_t page_headers;
    weir_timer_t timer;
    weir_letter_t letter;
} ask_question_t;

/** An address that differs between threads. */
const void *ask_thread(void);

/** Whether this call is the question's answer; otherwise says on the log that there has been one. */
bool ask_claim(ask_question_t *q);

/** The answer is complete: wakes whoever waits for it. The question must not be touched afterwards. */
weir_answer_t ask_publish(ask_question_t *q);

/** Memory that lives as long as the exchange, from any thread. */
void *ask_alloc(ask_question_t *q, size_t size);

/** A copy in such memory, with a NUL behind it. */
weir_span_t ask_copy(ask_question_t *q, weir_span_t bytes);

/** Reads an address or a name into the answer's target, whose keepalive and label may be set already. */
void ask_target_host(ask_question_t *q, const char *text, uint16_t port);
void ask_target_path(ask_question_t *q, const char *path);

/** Whether every character may stand in a host (with may_have_port: host:port). Says nothing about labels. */
bool ask_is_host_text(weir_span_t text, bool may_have_port);

/** The page for `fault` in nobody's words but ours. */
void ask_default_page(weir_exchange_t *x, const weir_fault_t *fault, weir_headers_t *headers, ask_answer_t *out);

/** What stands in a page that names no body. */
weir_span_t ask_default_body(weir_exchange_t *x, const weir_fault_t *fault, uint16_t status);

/** fault->status, or 500 if that is no status of an error. */
uint16_t ask_default_status(const weir_fault_t *fault);

#endif
