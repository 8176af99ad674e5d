/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_NAMES_H
#define WEIR_WIRE_NAMES_H
/**
 * @file  One thread that finds out the names of backends, for all loops of the process.
 *
 *   loop: weir_names_ask() ─► the thread: name_table.h, name_query.h ─► a letter ─► loop: on_addresses()
 *
 * Loops keep what they were told (resolver.h) and ask only when they have nothing good: a request for a known name takes
 * no lock and writes nothing that another thread reads.
 *
 * OWNER    The process. The thread is started by the first question and ends with the last user.
 * THREAD   Any, each with its own user.
 */
#include <stdatomic.h>

#include "lib/wire/back/name_table.h"

/** A loop that asks; embedded in its resolver. */
typedef struct weir_names_user {
    weir_list_t link;
    weir_loop_t *loop;
    /** Takes over what a name has come to; from the loop. */
    void (*on_addresses)(struct weir_names_user *user, weir_addresses_t *addresses);
} weir_names_user_t;

/** From now on `user` may ask; its loop and on_addresses are set. */
void weir_names_join(weir_names_user_t *user);

/** No letter is posted to its loop any more. With the last user the thread ends, whatever it waits for. Harmless twice. */
void weir_names_leave(weir_names_user_t *user);

/**
 * Asks for a name. on_addresses() follows, once, unless the user leaves. doubts_us: answered_at_us of an answer that has proved
 * wrong, or 0.
 */
void weir_names_ask(weir_names_user_t *user, weir_span_t name, uint64_t doubts_us);

/**
 * A configuration is in use: its name servers ("127.0.0.1:53,[::1]:53", copied; NULL: the system's), and how many threads may
 * ask what else the system has. `of` tells it from others: with another one, all answers from before are asked for anew.
 */
void weir_names_use(const char *servers, unsigned system_threads, const void *of);

extern atomic_uint weir_names_edition_now; /* names.c's */

/** Changes when answers from before may be wrong: addresses of another edition are asked for anew. */
static inline unsigned weir_names_edition(void)
{
    return atomic_load_explicit(&weir_names_edition_now, memory_order_acquire);
}

#endif
