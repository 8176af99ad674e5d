/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_NETWORK_H
#define WEIR_HTTP_NETWORK_H
/**
 * @file  Sets of addresses as configurations name them: "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "unix".
 *
 * Pure. IPv4 addresses in IPv6's clothes (::ffff:10.0.0.1) are IPv4 addresses, on either side.
 */
#include <sys/socket.h>

#include "weir_types.h"

typedef struct weir_network {
    sa_family_t family;  /* AF_INET, AF_INET6, or AF_UNIX: whoever comes by a unix socket */
    uint8_t prefix_bits; /* of `address`; those behind are zero                            */
    uint8_t address[16]; /* in network order; AF_INET: the first four                      */
} weir_network_t;

enum { WEIR_NETWORK_TEXT = 50 }; /* bytes of the longest one's text, with a NUL */

/** Reads one; bits behind the prefix are dropped. False if `text` (NUL-terminated) is none. */
bool weir_network_read(const char *text, weir_network_t *out_network);

/** Writes it as it is read; a single address without its prefix. Returns `buffer`. */
const char *weir_network_write(const weir_network_t *network, char buffer[static WEIR_NETWORK_TEXT]);

/** Whether one of `count` networks holds all of `one`: an address that was read, or a network. */
bool weir_networks_hold_one(const weir_network_t *networks, size_t count, const weir_network_t *one);

/** Whether one of `count` networks holds the address. */
bool weir_networks_hold(const weir_network_t *networks, size_t count, const struct sockaddr *address);

#endif
