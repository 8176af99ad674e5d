/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STAGE_H
#define WEIR_STAGE_H
/**
 * @file  What every stage is made of: five verdicts, spoken now or later, and three functions.
 *
 * A stage of one's own is a shared object that exports `const weir_stage_t weir_stage`, with a number that no other
 * stage has. Everything here runs on the exchange's thread.
 */
#include "weir_types.h"

/** A stage's decision. Only the five functions below make one. */
typedef struct weir_verdict {
    uint32_t seal_;
} weir_verdict_t;

/* Each is a stage's return value now, or is called later, once, by whoever the stage left in charge. */

/** On to the next stage. */
WEIR_API weir_verdict_t weir_next(weir_exchange_t *x);
/** Again from stage `number`, which has been entered; it and what follows it are left first, newest first. */
WEIR_API weir_verdict_t weir_back(weir_exchange_t *x, uint8_t number);
/** Error page (75), then 80 and 90. `fault` lives at least as long as the stage's module. Not from 75 on. */
WEIR_API weir_verdict_t weir_refuse(weir_exchange_t *x, const weir_fault_t *fault);
/** Answered: on to 80 and 90. Not from 75 on. */
WEIR_API weir_verdict_t weir_done(weir_exchange_t *x);
/** One of the above, later. */
WEIR_API weir_verdict_t weir_wait(weir_exchange_t *x);

typedef struct weir_stage {
    uint8_t number;     /* the stage's address in file names, tests, logs and docs */
    const char *name;   /* static                                                  */
    size_t memory_size; /* zeroed bytes per exchange, handed to all three below    */

    /** Decide, or start something and wait. */
    weir_verdict_t (*enter)(weir_exchange_t *x, void *memory);
    /** Optional. The client is gone while this stage waits: stop what enter started, decide nothing. */
    void (*cancel)(weir_exchange_t *x, void *memory);
    /** Optional. Release what enter took. Runs once per enter, in reverse order of entering. */
    void (*leave)(weir_exchange_t *x, void *memory);
} weir_stage_t;

/** The request this exchange is about. */
WEIR_API const weir_request_t *weir_exchange_request(const weir_exchange_t *x);
/** The exchange a request belongs to; for callbacks that were handed only the request. */
WEIR_API weir_exchange_t *weir_request_exchange(const weir_request_t *request);
/** Before stage 70: replaces every request header of this name, or adds one; the spans are copied. */
WEIR_API void weir_request_header_put(weir_exchange_t *x, weir_span_t name, weir_span_t value);
/** Before stage 70: removes every request header of this name. */
WEIR_API void weir_request_header_remove(weir_exchange_t *x, weir_span_t name);

#endif
