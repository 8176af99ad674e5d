/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_QUESTION_H
#define WEIR_ROUTER_QUESTION_H
/**
 * @file  A question: made by ask.c, answered through answer.c from any thread, once. Private to router/.
 *
 *   CALLING ──callback returned──► WAITING ──answer: a letter──► ANSWERED ──opened──► settled
 *      └───────────answer──────────────────────────────────────► ANSWERED ──callback returned──► settled
 *
 * ORDER    Requests of a loop that wait go on as they were answered: behind weir_later_until() the second way is a letter, too.
 *
 * HANDLES  What a router holds is no pointer but a number: a slot and its generation. A question that is over gives its slot to
 *          another one, of the next generation, so that an answer that comes too late is told from one that is awaited. Slots
 *          are
 *          never freed: whatever a router does with an old question, it touches no memory but a slot's.
 * MEMORY   What is passed in lies in the exchange's arena; from another thread, in blocks apart, which the arena adopts when
 *          the question is settled.
 */
#include <stdatomic.h>

#include "router/ask.h"
#include "router/target.h"

enum { ASK_SEAL = 0x3b5d };

typedef enum ask_state { ASK_CALLING, ASK_WAITING, ASK_ANSWERED } ask_state_t;
typedef enum ask_kind { ASK_INIT, ASK_LOOKUP, ASK_CHECKOUT, ASK_BACKEND, ASK_CHECKIN, ASK_PAGE } ask_kind_t;

typedef struct ask_field {
    struct ask_field *next;
    weir_span_t name, value;
} ask_field_t;

typedef struct ask_question {
    _Atomic uint64_t key; /* question.c's: the handle as long as the question may be answered */
    struct ask_question *next_free;
    uint32_t slot;

    weir_exchange_t *x;
    ask_then_t *then; /* NULL: nobody waits for the answer any more */
    ask_kind_t kind;
    bool has_body;         /* of a page: the router has set one          */
    bool is_abandoning;    /* the router is being told that nobody waits */
    bool is_answered_here; /* and has answered in that call              */
    _Atomic ask_state_t state;
    const void *home;                  /* the loop's thread                                    */
    weir_arena_block_t *apart;         /* what another thread has passed in */
    ask_field_t *fields, **last_field; /* of a page, in the order they were added */

    weir_phase_t phase;        /* of a check-in            */
    const weir_fault_t *about; /* of a check-in or a page  */
    bool has_attempt;
    uint32_t wait_ms;            /* of weir_later_until(); 0: the router timeout */
    const weir_fault_t *overdue; /* what the client gets then */

    weir_headers_t page_headers;
    weir_timer_t timer;
    weir_letter_t letter;
    ask_answer_t answer;    /* its target is zeroed for what asks for one: question.c */
    weir_attempt_t attempt; /* with has_attempt, of a check-in; not zeroed else */
} ask_question_t;

/** A fresh one about `x`, zeroed but for what is said in the arguments. On the loop's thread. */
ask_question_t *ask_question_create(weir_exchange_t *x, ask_kind_t kind, ask_then_t *then);

/** Gives its slot back. On the thread that made it. */
void ask_question_free(ask_question_t *q);

/** What a router holds in place of it. */
void *ask_handle(const ask_question_t *q);

/** The question behind a handle as long as it has not been answered, else NULL. Any thread. */
ask_question_t *ask_open(const void *handle);

/**
 * The same, and answers it: whoever gets it is the only one. NULL: there has been an answer, which has been said. Any thread.
 */
ask_question_t *ask_claim(const void *handle);

/** Takes it out of its router's hands without an answer of its. False if there has been one. */
bool ask_revoke(ask_question_t *q);

/** The answer is complete: wakes whoever waits for it. The question must not be touched afterwards. */
weir_answer_t ask_publish(ask_question_t *q);

/** Memory that lives as long as the exchange, from any thread. */
void *ask_alloc(ask_question_t *q, size_t size);

/** A copy in such memory, with a NUL behind it. */
weir_span_t ask_copy(ask_question_t *q, weir_span_t bytes);

/** "checkout_service", for logs. */
const char *ask_name(ask_kind_t kind);

/** Says on standard error what the router did wrong with this question; at most ten lines a second. */
void ask_complain(const weir_exchange_t *x, const char *callback, const char *mistake);

/** The page for `fault` in nobody's words but ours. */
void ask_default_page(weir_exchange_t *x, const weir_fault_t *fault, weir_headers_t *headers, ask_answer_t *out);

/** What stands in a page that names no body. */
weir_span_t ask_default_body(weir_exchange_t *x, const weir_fault_t *fault, uint16_t status);

/** fault->status, or 500 if that is no status of an error. */
uint16_t ask_default_status(const weir_fault_t *fault);

#endif
