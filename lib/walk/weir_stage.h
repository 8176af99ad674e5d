/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STAGE_H
#define WEIR_STAGE_H
/**
 * @file  What every stage is made of: five verdicts, spoken now or later, and three functions.
 *
 * A stage of one's own is a shared object that exports `const weir_stage_t weir_stage`, with a number below 75 that no other
 * stage has. Everything here runs on the exchange's thread, and is called from there only, but for weir_exchange_post().
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
/** Answered: on to 80 and 90. If nobody has answered, the client gets an empty 204. Not from 75 on. */
WEIR_API weir_verdict_t weir_done(weir_exchange_t *x);
/** One of the above, later. */
WEIR_API weir_verdict_t weir_wait(weir_exchange_t *x);

/** The built-in stages, for weir_back() and for numbers of one's own between them. From REFUSE on there are no others. */
enum {
    WEIR_STAGE_BEGIN = 0,
    WEIR_STAGE_VALIDATE = 10,
    WEIR_STAGE_LOOKUP = 20,
    WEIR_STAGE_CONTINUE = 30,
    WEIR_STAGE_UPGRADE = 40,
    WEIR_STAGE_CHECKOUT = 50,
    WEIR_STAGE_CONNECT = 60,
    WEIR_STAGE_RELAY = 70,
    WEIR_STAGE_REFUSE = 75,
    WEIR_STAGE_CHECKIN = 80,
    WEIR_STAGE_END = 90,
};

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

/**
 * Answers the client with `status` (200 … 599; anything else is refused with router_bad_answer) and `body` (copied; a HEAD gets
 * its length only), then is weir_done(): the walk goes on to 80 when the reply is out. It is the stage's verdict, in enter or
 * later: no other may follow, and cancel does not run any more. Not from 75 on, nor once a response has begun.
 */
WEIR_API weir_verdict_t weir_reply(weir_exchange_t *x, uint16_t status, weir_span_t body);
/**
 * Adds a header to the answer of weir_reply(); names that are no tokens, and framing headers, are left out. The spans are
 * copied.
 */
WEIR_API void weir_reply_header(weir_exchange_t *x, weir_span_t name, weir_span_t value);

/**
 * Has run(x, arg) called from the loop on the exchange's thread, where it may do whatever enter may, a verdict included; never
 * on the caller's stack. From any thread, but only while your stage waits: until its verdict, which it owes even if the client
 * is gone. A stage with a cancel must have made sure, when its cancel returns, that nobody posts after it; what was posted
 * before and has not run by then is dropped: whatever `arg` holds is leave's to release.
 */
WEIR_API void weir_exchange_post(weir_exchange_t *x, void (*run)(weir_exchange_t *x, void *arg), void *arg);

/** The memory_size bytes of the stage that is at work now: for what it has called later, where only the exchange is known. */
WEIR_API void *weir_stage_memory(const weir_exchange_t *x);

/** Why the exchange is ending, for leave; NULL: well, or not yet. */
WEIR_API const weir_fault_t *weir_exchange_fault(const weir_exchange_t *x);
/** The request this exchange is about. */
WEIR_API const weir_request_t *weir_exchange_request(const weir_exchange_t *x);
/** The exchange a request belongs to; for callbacks that were handed only the request. */
WEIR_API weir_exchange_t *weir_request_exchange(const weir_request_t *request);
/** Before stage 70: replaces every request header of this name, or adds one; the spans are copied. */
WEIR_API void weir_request_header_put(weir_exchange_t *x, weir_span_t name, weir_span_t value);
/** Before stage 70: removes every request header of this name. */
WEIR_API void weir_request_header_remove(weir_exchange_t *x, weir_span_t name);

#endif
