/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_ADDRESS_H
#define WEIR_WALK_ADDRESS_H
/**
 * @file  A socket's address, of whichever family: IPv4, IPv6 or a path.
 *
 * How long it is, is noted beside it: addresses are compared and hashed by their bytes.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef union weir_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
} weir_address_t;

/** Its port; 0 if its family has none. */
static inline uint16_t weir_address_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    return address->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port) : 0;
}

/** Whether it means every address of the machine: 0.0.0.0, [::]. */
static inline bool weir_address_is_everywhere(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

#endif
