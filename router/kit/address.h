/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_ADDRESS_H
#define WEIR_KIT_ADDRESS_H
/**
 * @file  Where a member lives, and how it is spoken to. A member that moves, or whose manner changes, gets another address;
 * requests that were sent to the one before hold that until they end.
 *
 * OWNER    Whoever holds one: its member, and each request that was sent there.
 * THREAD   They do not change; holders are counted atomically.
 */
#include <stdatomic.h>

#include "place.h"
#include "scripts.h"
#include "weir_endpoint.h"

/** How all members of an app are spoken to. */
typedef struct kit_manner {
    _Atomic uint32_t holders;
    weir_protocol_t protocol;
    weir_keepalive_t keepalive;
    weir_backend_tls_t *tls; /* of those that are https; NULL: none is */
    weir_fastcgi_t fastcgi;  /* with WEIR_FASTCGI                       */
} kit_manner_t;

/** Zeroed, held once. */
kit_manner_t *kit_manner_create(void);
kit_manner_t *kit_manner_hold(kit_manner_t *manner);
/** Whether both say the same, as far as that can be told: what was read from files never does. */
bool kit_manner_is_as(const kit_manner_t *one, const kit_manner_t *other);
/** Of type void (*)(void *), for weir_retire(). Harmless on NULL. */
void kit_manner_release(void *of);

typedef struct kit_address {
    _Atomic uint32_t holders;
    const struct weir_member *of; /* to be compared with and not to be looked at */
    kit_manner_t *manner;
    weir_endpoint_t *endpoint;
    char *host;        /* or a path */
    char *name;        /* what logs call it; NULL: where it is */
    char *server_name; /* NULL: host */
    uint64_t worker;   /* 0: none */
    weir_protocol_t protocol;
    uint16_t port;
    bool is_https;
} kit_address_t;

/**
 * Held once. `name` is what logs call it; NULL: where it is. NULL: what is wrong stands in `problem`.
 */
kit_address_t *kit_address_create(const struct weir_member *of, const place_t *place, const char *name, kit_manner_t *manner,
                                  char *problem, size_t problem_bytes);
kit_address_t *kit_address_hold(kit_address_t *address);
/** Of type void (*)(void *), for weir_retire(). Harmless on NULL. */
void kit_address_release(void *of);
/** Whether it leads to the same place. */
bool kit_address_is_at(const kit_address_t *address, const place_t *place);
/** Whether kit_address_create() would make the same again. */
bool kit_address_is_as(const kit_address_t *address, const place_t *place, const char *name, const kit_manner_t *manner);

#endif
