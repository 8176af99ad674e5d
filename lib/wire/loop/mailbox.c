/* SPDX-License-Identifier: MIT */
#include "lib/wire/loop/mailbox.h"

#include <stdlib.h>

#include "lib/base/must.h"

weir_mailbox_t *weir_mailbox_create(void (*ring)(void *owner), void *owner)
{
    weir_mailbox_t *box = calloc(1, sizeof(*box));

    WEIR_MUST(box != NULL);
    atomic_store(&box->holders, 1);
    pthread_mutex_init(&box->lock, NULL);
    weir_list_init(&box->letters);
    box->ring = ring;
    box->owner = owner;
    return box;
}

static void release(weir_mailbox_t *box)
{
    if (atomic_fetch_sub_explicit(&box->holders, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&box->lock);
    free(box);
}

/* ---- bells ---- */

/* Under the lock. */
static void ring(weir_mailbox_t *box)
{
    if (box->is_rung || box->ring == NULL)
        return;
    box->is_rung = true;
    box->ring(box->owner);
}

/* Whether it is done at the end of the turn. */
static bool note(weir_bells_t *bells, weir_mailbox_t *box)
{
    if (bells == NULL || !bells->is_open)
        return false;
    for (unsigned i = 0; i < bells->count; i++)
        if (bells->at[i] == box)
            return true;
    if (bells->count == WEIR_BELLS)
        return false;
    atomic_fetch_add_explicit(&box->holders, 1, memory_order_relaxed);
    bells->at[bells->count++] = box;
    return true;
}

void weir_bells_open(weir_bells_t *bells)
{
    bells->is_open = true;
}

static void ring_for_mail(weir_mailbox_t *box)
{
    if (!atomic_load_explicit(&box->has_mail, memory_order_acquire)) /* its owner has come by */
        return;
    pthread_mutex_lock(&box->lock);
    if (atomic_load_explicit(&box->has_mail, memory_order_relaxed))
        ring(box);
    pthread_mutex_unlock(&box->lock);
}

void weir_bells_ring(weir_bells_t *bells)
{
    bells->is_open = false;
    while (bells->count > 0) {
        weir_mailbox_t *box = bells->at[--bells->count];
        ring_for_mail(box);
        release(box);
    }
}

/* ---- letters ---- */

void weir_mailbox_put(weir_mailbox_t *box, weir_list_t *letter, weir_bells_t *bells)
{
    pthread_mutex_lock(&box->lock);
    weir_list_append(&box->letters, letter);
    atomic_store_explicit(&box->has_mail, true, memory_order_release);
    if (!box->is_rung && !note(bells, box))
        ring(box); /* under the lock: the letter may be the owner's last */
    pthread_mutex_unlock(&box->lock);
}

void weir_mailbox_take_back(weir_mailbox_t *box, weir_list_t *letter)
{
    pthread_mutex_lock(&box->lock);
    weir_list_remove(letter);
    pthread_mutex_unlock(&box->lock);
}

void weir_mailbox_empty(weir_mailbox_t *box, weir_list_t *to)
{
    if (!atomic_load_explicit(&box->has_mail, memory_order_acquire))
        return;
    pthread_mutex_lock(&box->lock);
    atomic_store_explicit(&box->has_mail, false, memory_order_relaxed);
    box->is_rung = false;
    weir_list_move_all(to, &box->letters);
    pthread_mutex_unlock(&box->lock);
}

void weir_mailbox_collect(weir_mailbox_t *box, weir_list_t *to)
{
    if (!atomic_load_explicit(&box->has_mail, memory_order_acquire))
        return;
    pthread_mutex_lock(&box->lock);
    weir_list_move_all(to, &box->letters);
    pthread_mutex_unlock(&box->lock);
}

void weir_mailbox_close(weir_mailbox_t **box)
{
    weir_mailbox_t *closed = *box;

    *box = NULL;
    pthread_mutex_lock(&closed->lock); /* whoever has put the last letter in is still waking */
    closed->ring = NULL;
    pthread_mutex_unlock(&closed->lock);
    release(closed);
}
