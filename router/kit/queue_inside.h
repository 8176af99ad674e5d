/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_QUEUE_INSIDE_H
#define WEIR_KIT_QUEUE_INSIDE_H
/**
 * @file  Inside of a queue. Private to queue.c (who waits), queue_give.c (who is served), queue_tick.c (whose time is up) and
 * pause.c.
 *
 * THREAD   Under the queue's lock.
 */
#include <pthread.h>

#include "queue.h"

enum { KIT_BUCKETS = 64, KIT_MS_US = 1000 };

/** A list that a waiter is in, linked through one of its links. */
typedef struct kit_link {
    struct kit_link *before, *after;
} kit_link_t;

typedef struct kit_waiter {
    kit_link_t in_bucket, in_age;
    kit_lease_t *lease;
    weir_q_checkout_t *q;
    uint64_t since_us;
    kit_asking_t asking;
    uint8_t bucket;
    uint8_t cause;               /* kit_cause_t */
    uint8_t counted_as;          /* of KIT_ENTERED_BUSY and what follows */
    uint64_t until_us;           /* the host ends its wait then */
    bool was_paused;             /* for a while: it is logged as held       */
    const weir_fault_t *fault;   /* when it has left without a member */
    struct kit_waiter *next_out; /* among those that are to be answered */
} kit_waiter_t;

typedef struct kit_bucket {
    kit_link_t waiters;
    uint32_t count;
} kit_bucket_t;

struct kit_queue {
    pthread_mutex_t lock;
    kit_bucket_t buckets[KIT_BUCKETS];
    kit_link_t by_age; /* oldest first */
    uint32_t count;
    unsigned turn;        /* whose turn it is                 */
    uint64_t standing_us; /* not empty since                  */
    uint64_t dice;
    uint64_t served, served_at_tick; /* how many ever; at the last tick         */
    uint64_t served_busy;            /* of these, those who waited for a slot   */
    bool is_paced;                   /* many are let go, by and by              */
    bool is_closed;                  /* it is given back: who would wait makes another */
    bool is_answering;               /* a thread answers those who have left; only then there are some where it is not locked */
    kit_waiter_t *to_answer, **to_answer_end; /* in the order in which they have left */
    /* behind a pause they are let go evenly: so many, from then, in so long; 0: all that can be */
    uint64_t spread_from_us, spread_us, spread_count, spread_served;
};

static inline kit_waiter_t *kit_waiter_of_bucket(kit_link_t *link)
{
    return (kit_waiter_t *)(void *)((char *)link - offsetof(kit_waiter_t, in_bucket));
}

static inline kit_waiter_t *kit_waiter_of_age(kit_link_t *link)
{
    return (kit_waiter_t *)(void *)((char *)link - offsetof(kit_waiter_t, in_age));
}

/* queue.c */
void kit_queue_take_out(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter, uint64_t now_us);
/** One who has been taken out is answered behind those who have left before. */
void kit_queue_append(struct kit_queue *queue, kit_waiter_t *waiter);
/** Takes it out for this reason, and appends it. */
void kit_queue_refuse(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter, const weir_fault_t *fault,
                      uint64_t now_us);
/** Whoever may have had somebody leave unlocks it so: they are answered, by this thread or by the one that is at it. */
void kit_queue_unlock(struct kit_queue *queue);
/** The queue is full: whose newest leaves it for a newcomer of this bucket; NULL: nobody's, there is no place. */
kit_bucket_t *kit_queue_loser(struct kit_queue *queue, uint8_t bucket);
/** Whose turn a request counts as. */
uint8_t kit_queue_bucket(const kit_settings_t *settings, const weir_request_t *request);
/** How long one waits where no member could take it. */
uint32_t kit_queue_hold_ms(const kit_settings_t *settings);

/* queue_give.c */
/**
 * In turn among clients; whose turn could not be used keeps it. Those who are served are appended. Where nobody else gets
 * anything, who is pinned may have what others may not: a member that leaves, or a spare one.
 */
void kit_queue_give_out(weir_set_t *set, struct kit_queue *queue, uint64_t now_us);
/** Many may be let go now: by and by. */
void kit_queue_begin_pace(weir_set_t *set, struct kit_queue *queue);
/** 64 random bits; `of` is the queue. */
uint64_t kit_queue_roll(void *of);

/* pause.c */
/** Refuses those whose pause has taken too long. */
void kit_queue_tick_pause(weir_set_t *set, struct kit_queue *queue, uint64_t now_us);

#endif
