/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STAGE_H
#define WEIR_STAGE_H
/**
 * @file  What every stage is made of: five verdicts, spoken now or later, and three functions.
 *
 * ORDER    Stages run by ascending number. enter is left exactly once, newest first.
 * ONCE     One verdict for each enter, now or later.
 * THREADS  Everything here is called on the exchange's thread, but for weir_exchange_post().
 * TIME     weir_wait() for longer than weir.stage-timeout costs the client a 503 (stage_timeout). A stage with a cancel is
 *          cancelled then and owes nothing more; one without still owes its verdict, for which only its own end is kept
 *          waiting. MISTAKES cost the request, not the proxy: no verdict, a second one before the first was followed, one from
 *          another thread,
 *          weir_back() to where the walk has not been, weir_refuse() without a named fault. The client gets a 500
 *          (stage_bad_verdict), and a line on standard error names stage, number and mistake. A second verdict that comes
 *          later is ignored, and said.
 */
#include "weir_config.h"
#include "weir_types.h"

WEIR_C_BEGIN

/** Grows whenever something is appended below. Compare with `weir version`. */
#define WEIR_STAGE_ABI 7

/** A stage's decision. Only the five functions below make one. */
typedef struct weir_verdict {
    uint32_t seal_;
} weir_verdict_t;

/* Each is a stage's return value now, or is called later, once, by whoever the stage left in charge. */

/** On to the next stage. */
WEIR_API weir_verdict_t weir_next(weir_exchange_t *x);
/**
 * Again from stage `number`, which has been entered; it and what follows it are left first, newest first. A walk that has gone
 * back a thousand times is refused (too_many_attempts).
 */
WEIR_API weir_verdict_t weir_back(weir_exchange_t *x, uint8_t number);
/**
 * Error page (75), then 80 and 90. `fault` lives at least as long as the stage's module. Headers of weir_reply_header() go onto
 * the page. Not from 75 on.
 */
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

/**
 * A stage. Members are only ever appended; size lets a newer proxy take an older stage: members beyond it read as NULL. It is
 * copied when it is loaded.
 */
typedef struct weir_stage {
    size_t size;        /* sizeof(weir_stage_t) as the stage was compiled                 */
    const char *name;   /* static; for logs                                               */
    uint8_t number;     /* 0 … 74, one that no other stage has: where it runs              */
    size_t memory_size; /* zeroed bytes per exchange, handed to all three below; 0: NULL */

    /** Required. Decide, or start something and wait. */
    weir_verdict_t (*enter)(weir_exchange_t *x, void *memory);
    /**
     * Optional. Nobody waits for this stage any more (client gone, or its time is up): stop what enter started, decide nothing.
     */
    void (*cancel)(weir_exchange_t *x, void *memory);
    /** Optional. Release what enter took. Runs once per enter, in reverse order of entering. */
    void (*leave)(weir_exchange_t *x, void *memory);
} weir_stage_t;

#define WEIR_STAGE(name_, number_) .size = sizeof(weir_stage_t), .name = (name_), .number = (number_)

/**
 * Answers the client with `status` (200 … 599; anything else is a mistake) and `body` (copied; a HEAD gets its length only),
 * then is weir_done(): the walk goes on to 80 when the reply is out. It is the stage's verdict, in enter or later: no other may
 * follow, and neither cancel nor weir.stage-timeout comes any more. Not from 75 on, nor once a response has begun.
 */
WEIR_API weir_verdict_t weir_reply(weir_exchange_t *x, uint16_t status, weir_span_t body);
/**
 * Before weir_reply(): adds a header to that answer. Before weir_refuse(): adds it to the error page, whoever makes that
 * (WWW-Authenticate beside a 401, RFC 9110 §15.5.2). Names that are no tokens, and framing headers, are left out. Copied.
 */
WEIR_API void weir_reply_header(weir_exchange_t *x, weir_span_t name, weir_span_t value);

/**
 * Has run(x, arg) called from the loop on the exchange's thread, where it may do whatever enter may, a verdict included; never
 * on the caller's stack. From any thread, but only while your stage waits: until its verdict, which it owes even if the client
 * is gone. A stage with a cancel must have made sure, when its cancel returns, that nobody posts after it; what was posted
 * before and has not run by then is dropped: whatever `arg` holds is leave's to release.
 */
WEIR_API void weir_exchange_post(weir_exchange_t *x, void (*run)(weir_exchange_t *x, void *arg), void *arg);

/**
 * The memory_size bytes of the stage that is at work now: for functions that are called later and know only the exchange. NULL
 * without memory. Not from a letter of a stage whose time was up: keep the pointer that enter was given.
 */
WEIR_API void *weir_stage_memory(const weir_exchange_t *x);
/** What weir_stage_configure() has set for the stage that is at work now, or NULL. */
WEIR_API weir_stage_shared_t *weir_stage_shared(const weir_exchange_t *x);
/** Why the exchange is ending, for leave; NULL: well, or not yet. */
WEIR_API const weir_fault_t *weir_exchange_fault(const weir_exchange_t *x);
/** The request this exchange is about. */
WEIR_API const weir_request_t *weir_exchange_request(const weir_exchange_t *x);
/** The exchange a request belongs to; for a stage's callbacks that were handed only the request. Routers have no use for it. */
WEIR_API weir_exchange_t *weir_request_exchange(const weir_request_t *request);
/** Before stage 70: replaces every request header of this name, or adds one; the spans are copied. */
WEIR_API void weir_request_header_put(weir_exchange_t *x, weir_span_t name, weir_span_t value);
/** Before stage 70: removes every request header of this name. */
WEIR_API void weir_request_header_remove(weir_exchange_t *x, weir_span_t name);

/* ── A loadable stage exports the first two of these, and may export the others. ── */

/** const int weir_stage_abi = WEIR_STAGE_ABI;   which of the functions above the stage may call. */
WEIR_MODULE extern const int weir_stage_abi;
WEIR_MODULE extern const weir_stage_t weir_stage;

/**
 * Called once for each place in the configuration where the stage is named, on a thread that serves no request, before its
 * first one, and by `weir check` too: it reads and starts nothing. `config` is the mapping beside `module`, or of kind NONE.
 * May set *out_shared. False after weir_config_wrong(): the proxy does not start, or a reload leaves all as it is.
 */
WEIR_MODULE bool weir_stage_configure(const weir_config_t *config, weir_stage_shared_t **out_shared);
/** Called once after the last request with what configure has set; then the module is unloaded. */
WEIR_MODULE void weir_stage_release(weir_stage_shared_t *shared);

WEIR_C_END

#endif
