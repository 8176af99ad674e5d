/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_WATCH_H
#define WEIR_WALK_WATCH_H
/**
 * @file  The watch over the loops: the steward looks at their desks every 50 ms or so, and names who is stuck while it is.
 *
 *   fine ─► no sign of life for stuck_ms: a line ─► 10 s, 100 s, …: a line ─► alive again: a line
 *                                └─► kill_ms: a line, the flight, abort()
 *
 * Time in which the steward itself did not get to look (the process was stopped, the machine is too busy) is nobody's.
 * THREAD   Any, unless said otherwise. It ends by itself when no loop has joined any more.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is watched for. */
typedef struct weir_watch_limits {
    uint32_t stuck_ms; /* so long without a sign of life is told; 0: never                      */
    uint32_t kill_ms;  /* and so long ends the process; 0: never                                */
    uint32_t alive_ms; /* on_alive comes so often while all loops have shown one in this time; 0: never */
} weir_watch_limits_t;

/**
 * From now on, in place of what was there before. `on_alive` (or NULL) runs on the steward's thread, under the watch's lock: it
 * must wait for nothing. Starts the steward if a loop is there that is to be watched.
 */
void weir_watch_begin(const weir_watch_limits_t *limits, void (*on_alive)(void));

/** No more. No look is under way when it returns. Not from on_alive. */
void weir_watch_end(void);

/**
 * This thread's loop, `number` (from 1) in words, is watched. `is_ours`: false if an application turns it, where only code of
 * at_work.h's is watched, because nobody can tell what else it does. On its thread; as often as it parts.
 */
void weir_watch_join(unsigned number, bool is_ours);

/** A loop, as others may see it. */
typedef struct weir_watch_loop {
    unsigned number;      /* from 1 */
    uint64_t cpu_us;      /* that its thread has run since that began                                */
    double busy;          /* of the last second or longer, the share in which it ran: 0 … 1          */
    uint64_t in_flight;   /* requests                                                                */
    uint64_t connections; /* of clients                                                              */
} weir_watch_loop_t;

/** Tells of each loop that has joined, in ascending order of when it did. Any thread, not from on_alive. */
void weir_watch_each(void (*each)(const weir_watch_loop_t *loop, void *context), void *context);

/** It is not watched any more. On its thread, before that ends. */
void weir_watch_part(void);

/**
 * How many loops are stuck now: for as long as is told, or, if nothing is told, for 10 s. `words`: of the first of them,
 * "loop 2 has been stuck for 512 ms in checkout_service of router shop"; else "".
 */
size_t weir_watch_stuck(uint64_t now_us, char *words, size_t words_bytes);

/* ---- the judgement, for tests ---- */

/** What is known of one loop from look to look. Zeroed at first. */
typedef struct weir_watched {
    uint64_t beat_us;    /* the latest sign of life                           */
    uint64_t excused_us; /* of the time since, what is not its own            */
    uint64_t next_us;    /* it is told when that is reached; 0: not yet told  */
} weir_watched_t;

typedef enum weir_watch_word {
    WEIR_WATCH_FINE,  /* nothing is to be said     */
    WEIR_WATCH_STUCK, /* it is, and this is told   */
    WEIR_WATCH_OVER,  /* it was, which was told    */
    WEIR_WATCH_KILL,  /* it is, for too long       */
} weir_watch_word_t;

/**
 * Judges a loop by its latest sign of life. `lost_us` of the time since the look before are nobody's. `out_us`: how long it is
 * silent; behind OVER how long it was. Pure.
 */
weir_watch_word_t weir_watch_judge(weir_watched_t *watched, const weir_watch_limits_t *limits, uint64_t beat_us,
                                   uint64_t now_us, uint64_t lost_us, uint64_t *out_us);

#endif
