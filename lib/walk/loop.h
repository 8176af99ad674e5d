/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_LOOP_H
#define WEIR_WALK_LOOP_H
/**
 * @file  What the walk asks of its event loop: time, timers, letters and dice.
 *
 * lib/wire implements it on libh2o's loop; t/unit/fake_*.c implements it with a clock that moves when told.
 * THREAD   One loop, one thread. Only weir_loop_post() may be called from another.
 */
#include "lib/base/list.h"
#include "weir_types.h"

typedef struct weir_loop weir_loop_t;

/**
 * Reads the clock: everything until the next event happens at this instant. Called where an event comes in, and behind code of
 * others, which may have taken its time.
 */
void weir_loop_tick(weir_loop_t *loop);

/** Monotonic microseconds at the latest tick: what happens in one event happens at one instant. */
uint64_t weir_loop_now_us(const weir_loop_t *loop);
/** The same instant in microseconds since the Unix epoch. */
uint64_t weir_loop_wall_us(const weir_loop_t *loop);
/** Fills `bytes` with `count` random bytes (cryptographic quality, buffered per loop). */
void weir_loop_random(weir_loop_t *loop, uint8_t *bytes, size_t count);

/**
 * A timer, embedded in what it watches. Zeroed, it is unset and may be cancelled.
 * on_due runs from the loop, once, with the timer unset; it may set it again.
 */
typedef struct weir_timer {
    weir_list_t link; /* in the loop's list of timers of the same duration */
    uint64_t due_at_ms;
    void (*on_due)(struct weir_timer *timer);
} weir_timer_t;

/** Sets (or sets again) `timer` to run on_due in `delay_ms`. Cheap: timers of equal delays share a list. */
void weir_timer_set(weir_loop_t *loop, weir_timer_t *timer, uint32_t delay_ms, void (*on_due)(weir_timer_t *timer));
/** Unsets it; harmless if it is not set. */
void weir_timer_cancel(weir_timer_t *timer);
/** Whether it is set. */
bool weir_timer_is_set(const weir_timer_t *timer);

/** A letter to a loop, embedded in what it is about; borrowed until `open` runs, once, on the loop's thread. */
typedef struct weir_letter {
    weir_list_t link;
    void (*open)(struct weir_letter *letter);
} weir_letter_t;

/** What one configuration is on one loop; lib/wire's. */
struct weir_context;

/** Lets go of a configuration that was held: its plans, routers and stages may end now. From the loop; harmless on NULL. */
void weir_context_release(struct weir_context *context);

/** Posts from any thread. `open` never runs on the poster's stack. Letters are opened in the order they were posted in. */
void weir_loop_post(weir_loop_t *loop, weir_letter_t *letter);

#endif
