/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TALLY_H
#define WEIR_WIRE_TALLY_H
/**
 * @file  How many connections are open, of each client and on each address that is listened on: what limits are held against.
 *
 * Counted when a connection comes and when it goes, never for a request. Whoever has no connection open is not known: there are
 * no more entries than connections, and a fixed piece of memory that finds them. Clients cannot aim: the hash has a key.
 *
 * OWNER    The server; it outlives every loop, and reloads.
 * THREAD   Any. Locks are held for a few dozen instructions, and one of 64 is taken for each connection that comes or goes.
 */
#include <sys/socket.h>

#include "weir_types.h"

enum { WEIR_TALLY_MOST = 1 << 20 /* entries of a server's; beyond it a newcomer is let in and not counted */ };

/**
 * Who is counted together. An IPv4 address by itself, in IPv6's clothes too; of IPv6 a /64, because one host owns that;
 * link-local addresses (fe80::/10) each by itself, because they all lie in one.
 */
typedef struct weir_tally_key {
    uint64_t kind, value;
} weir_tally_key_t;

typedef struct weir_tally weir_tally_t;
typedef struct weir_tally_entry weir_tally_entry_t;

/** The key of a client. False: its address says nothing of who it is (a unix socket's). */
bool weir_tally_client(const struct sockaddr *address, weir_tally_key_t *out_key);

/** The key of an address that is listened on, of whatever family. */
weir_tally_key_t weir_tally_listener(const struct sockaddr_storage *address);

/** Makes one that knows `most` (1 or more) keys at once. */
weir_tally_t *weir_tally_create(size_t most);

/** Frees and nulls it; harmless on NULL. What is still counted then is told by weir_tally_lost(). */
void weir_tally_destroy(weir_tally_t **tally);

/**
 * Counts one more open connection, unless `limit` (0: none) of this key's are counted already: then false. *out_entry is to be
 * given to weir_tally_leave() when it is closed; NULL if it was not counted, because the limit or `most` is reached.
 */
bool weir_tally_enter(weir_tally_t *tally, weir_tally_key_t key, uint32_t limit, weir_tally_entry_t **out_entry);

/** The connection is closed. Nulls the pointer; harmless on NULL. */
void weir_tally_leave(weir_tally_t *tally, weir_tally_entry_t **entry);

/** How many are counted of this key. */
size_t weir_tally_of(weir_tally_t *tally, weir_tally_key_t key);

/** How many keys are known. */
size_t weir_tally_entries(const weir_tally_t *tally);

/** For tests: the connections that were still counted when their tallies ended, of this process. 0, or a bug. */
size_t weir_tally_lost(void);

#endif
