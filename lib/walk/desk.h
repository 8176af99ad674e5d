/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_DESK_H
#define WEIR_WALK_DESK_H
/**
 * @file  What a thread is at, where other threads may look: at_work.h writes it, watch.h reads it.
 *
 * Relaxed stores, no locks and no calls: it is torn for the moment in which one function follows another, and whole as soon as
 * a thread is stuck in one. What the names lead to lasts as long as the process; what `x` leads to is its thread's own.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_exchange;

enum {
    WEIR_DESK_DEEP = 16,    /* functions within functions that are told apart, and one for none: a power of two */
    WEIR_DESK_ID_WORDS = 8, /* of a request's id so much is shown, with a zero at the end */
    WEIR_DESK_ID_BYTES = WEIR_DESK_ID_WORDS * 8,
    WEIR_FLIGHT_EVENTS = 64, /* the latest that are kept: a power of two */
    WEIR_DESK_SLOWS = 32,    /* functions that slow calls are counted of */
};

/** A function that was called: at_work.h says what the fields are. */
typedef struct weir_desk_call {
    _Atomic(const struct weir_exchange *) x;
    _Atomic(const char *) kind, name, callback;
} weir_desk_call_t;

/** Something that a thread has begun. */
typedef struct weir_flight_event {
    _Atomic uint64_t at_us; /* monotonic */
    _Atomic(const char *) kind, name, callback;
} weir_flight_event_t;

/** What is kept of a thread that is watched. */
typedef struct weir_desk_book {
    unsigned number; /* of its loop, from 1 */
    _Atomic unsigned events;
    weir_flight_event_t flight[WEIR_FLIGHT_EVENTS]; /* events % WEIR_FLIGHT_EVENTS is the oldest */
    struct {                                        /* the thread's own */
        const char *name, *callback;
        unsigned calls;
    } slow[WEIR_DESK_SLOWS];
} weir_desk_book_t;

/** One thread's. */
typedef struct weir_desk {
    _Atomic unsigned at_bytes; /* where in `calls` the latest is; 0: there is none. Bytes: each call needs it */
    /*
     * When it was last seen alive, in monotonic microseconds: at each reading of the clock, or, before it sleeps, when it wakes
     * at the latest.
     */
    _Atomic uint64_t beat_us;
    const struct weir_exchange *known;           /* whose calls need not be shown any more; the thread's own */
    _Atomic(const struct weir_exchange *) shown; /* whose id that is */
    _Atomic uint64_t id[WEIR_DESK_ID_WORDS];     /* a text, cut where it does not fit */
    weir_desk_call_t calls[WEIR_DESK_DEEP];
    weir_desk_book_t *book; /* NULL: the thread is not watched */
} __attribute__((aligned(64))) weir_desk_t;

/** This thread's. */
extern __thread weir_desk_t weir_desk;

/** The call there. */
static inline weir_desk_call_t *weir_desk_call(weir_desk_t *desk, unsigned at_bytes)
{
    return (weir_desk_call_t *)(void *)((char *)desk->calls + at_bytes);
}

/** The thread is alive, or will be then. */
static inline void weir_desk_beat(uint64_t at_us)
{
    atomic_store_explicit(&weir_desk.beat_us, at_us, memory_order_relaxed);
}

/** An exchange begins at this address, which may have been another's, and has no id yet. On its thread. */
static inline void weir_desk_begin(const struct weir_exchange *x)
{
    weir_desk.known = x;
    atomic_store_explicit(&weir_desk.shown, NULL, memory_order_relaxed);
}

/** Shows the id of the exchange that the latest call is for (NULL: none), and notes the call if flights are kept. */
void weir_desk_show(const struct weir_exchange *x);

/** Has all threads keep what they have begun, with the time, in their books; costs a reading of the clock each. Any thread. */
void weir_desk_keep_flights(bool keep);

/** Notes what is no call, a literal: "a turn". Nothing if flights are not kept. */
void weir_desk_note(const char *what);

/** Notes that the latest call has ended. */
void weir_desk_note_end(void);

/** Writes what the thread has begun lately to `fd`, oldest first. Async-signal-safe. */
void weir_desk_tell_flight(const weir_desk_t *desk, uint64_t now_us, int fd);

#endif
