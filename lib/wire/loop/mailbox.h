/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_MAILBOX_H
#define WEIR_WIRE_MAILBOX_H
/**
 * @file  Letters to a loop from other threads, and the bell that wakes it.
 *
 * A loop that posts letters to another one rings when its turn ends: one bell for all of the turn's letters, which the other
 * loop then finds together. Who is no loop rings at once.
 *
 *   put, from a loop in its turn ─► noted ─► end of that turn ─┐
 *   put, from anybody else ────────────────────────────────────┴─► bell, if the mail still lies there and nobody has rung
 *
 * OWNER    Counted: the loop, and each loop that has still to ring. What is left of it when the loop is gone is memory only.
 * THREAD   put, ring: any. The others: the loop's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/base/list.h"

enum { WEIR_BELLS = 8 }; /* that are noted in one turn; whoever is one more is woken at once */

typedef struct weir_mailbox {
    _Atomic unsigned holders;
    pthread_mutex_t lock;
    void (*ring)(void *owner); /* under the lock; NULL: the owner is gone */
    void *owner;
    weir_list_t letters;
    atomic_bool has_mail; /* written under the lock; read without it */
    bool is_rung;         /* the owner is on its way                 */
} weir_mailbox_t;

/** Whom a loop still has to wake, in its turn. Zeroed: nobody. */
typedef struct weir_bells {
    weir_mailbox_t *at[WEIR_BELLS];
    unsigned count;
    bool is_open; /* between weir_bells_open() and weir_bells_ring() */
} weir_bells_t;

weir_mailbox_t *weir_mailbox_create(void (*ring)(void *owner), void *owner);

/** Puts the letter in. `bells` are those of the loop that posts, or NULL: the owner is woken at once. */
void weir_mailbox_put(weir_mailbox_t *box, weir_list_t *letter, weir_bells_t *bells);

/** A letter that lies in a box is taken out again; harmless if its owner has it already and it stands in a list of that. */
void weir_mailbox_take_back(weir_mailbox_t *box, weir_list_t *letter);

/** Appends what is in it, in the order in which it was put there; from now on whoever puts something rings again. */
void weir_mailbox_empty(weir_mailbox_t *box, weir_list_t *to);

/** Likewise, but whoever was rung for is still on its way. */
void weir_mailbox_collect(weir_mailbox_t *box, weir_list_t *to);

/** The owner ends: nobody wakes it any more. */
void weir_mailbox_close(weir_mailbox_t **box);

/** A loop's turn begins. */
void weir_bells_open(weir_bells_t *bells);

/** It ends: wakes those for whom letters still lie there. */
void weir_bells_ring(weir_bells_t *bells);

#endif
