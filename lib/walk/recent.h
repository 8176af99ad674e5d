/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_RECENT_H
#define WEIR_WALK_RECENT_H
/**
 * @file  What has become of the latest requests, for who has an id and asks: weir.explain-ring.
 *
 * Each loop has two rings of cells of its own: one for requests that somebody may ask for (they failed, were answered by a 5xx,
 * tried again or had to wait), all of them; one for the others, of which a loop notes one in ten milliseconds at most. When its
 * ring has come round a cell is overwritten.
 *
 * THREAD   Noting: the request's loop, without a lock. Finding: any; a cell that is written meanwhile is passed over, by the
 *          sequence beside it.
 */
#include "lib/walk/exchange.h"
#include "weir_attempt.h"

enum {
    WEIR_RECENT_ID_BYTES = 40, /* of the id, longer ones: the first 32 and a hash of all */
    WEIR_RECENT_APP_BYTES = 20,
    WEIR_RECENT_BACKEND_BYTES = 26,
    WEIR_RECENT_TEXT_BYTES = 112,
    WEIR_RECENT_MORE = 15, /* further cells of one request: attempts, and what there is to say */
    WEIR_RECENT_SPARSE_US = 10000,
    WEIR_RECENT_WAITED_US = 1000,
    WEIR_RECENT_ERRORS = 500,
};

typedef enum weir_recent_kind {
    WEIR_RECENT_HEAD = 1,
    WEIR_RECENT_TRY,
    WEIR_RECENT_FAULT,
    WEIR_RECENT_FIELDS
} weir_recent_kind_t;

/** What a cell says: of a request, or of what is more to say of the one before it. */
typedef struct weir_recent {
    uint8_t kind;   /* weir_recent_kind_t                                   */
    uint8_t more;   /* of a request: how many cells that follow are its own */
    uint8_t length; /* of the id (255: or more), of the text                */
    uint8_t app_bytes, backend_bytes;
    uint8_t tries;
    uint16_t status; /* 0: none */
    union {
        struct {
            uint64_t wall_us;             /* when its head was complete */
            uint32_t queue_us;            /* all times together         */
            uint32_t connect_us, head_us; /* of the last try, since the pick; 0: it did not come so far */
            uint32_t total_us;
            uint16_t backend_status; /* 0: none */
            char id[WEIR_RECENT_ID_BYTES];
            char app[WEIR_RECENT_APP_BYTES];
            char backend[WEIR_RECENT_BACKEND_BYTES]; /* the last one's name in logs */
        };
        char text[WEIR_RECENT_TEXT_BYTES];
    };
} weir_recent_t;

_Static_assert(sizeof(weir_recent_t) <= 120, "a cell has 128 bytes, 8 of which are its sequence");

/** A try that another one has followed. In the exchange's arena. */
typedef struct weir_recent_try {
    struct weir_recent_try *before;
    weir_span_t backend;
    const weir_fault_t *fault; /* NULL: none of the connection's */
    weir_reach_t reach;
    uint16_t status;
    uint64_t us; /* how long it took */
} weir_recent_try_t;

/** How many cells all loops have together, shared by so many. Before the first of them notes anything. 0: none. */
void weir_recent_begin(size_t cells, unsigned loops);

/** Another try begins: the present one is over. */
void weir_recent_note_try(weir_exchange_t *x);

/** recent.c's, for what stands below: cells of each ring; when this loop has noted one of the others. */
extern size_t weir_recent_ring_cells;
extern __thread uint64_t weir_recent_other_at_us;
void weir_recent_write(weir_exchange_t *x, bool is_wanted, weir_span_t fields);

/** Whether it is a request that is always noted. */
static inline bool weir_recent_is_wanted(const weir_exchange_t *x)
{
    return x->fault != NULL || x->journal.picks > 1 || x->journal.queue_us >= WEIR_RECENT_WAITED_US ||
           x->journal.status >= WEIR_RECENT_ERRORS;
}

/** It is over: `fields` is what its router has added to its line; may be empty. Nothing the second time. */
static inline void weir_recent_note(weir_exchange_t *x, weir_span_t fields)
{
    if (weir_recent_ring_cells == 0 || x->is_noted)
        return;
    x->is_noted = true;
    if (weir_recent_is_wanted(x))
        weir_recent_write(x, true, fields);
    else if (x->journal.end_at_us - weir_recent_other_at_us >= WEIR_RECENT_SPARSE_US)
        weir_recent_write(x, false, fields);
}

/**
 * Calls `found` for each request with this id that is remembered, with its cells (1 + more); at most `most` times. Returns how
 * often.
 */
size_t weir_recent_find(weir_span_t id, size_t most, void (*found)(void *context, const weir_recent_t *cells, size_t count),
                        void *context);
/** How many requests and more may be remembered; 0: none. */
size_t weir_recent_cells(void);

#endif
