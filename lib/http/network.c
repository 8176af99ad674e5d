/* SPDX-License-Identifier: MIT */
#include "lib/http/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/span.h"

enum { MAPPED_BITS = 96 }; /* of ::ffff:0:0 */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static uint8_t width_bits(sa_family_t family)
{
    return family == AF_INET ? 32 : 128;
}

static void unmap(weir_network_t *network)
{
    if (network->family != AF_INET6 || network->prefix_bits < MAPPED_BITS ||
        memcmp(network->address, mapped, sizeof(mapped)) != 0)
        return;
    weir_network_t inner = {.family = AF_INET, .prefix_bits = (uint8_t)(network->prefix_bits - MAPPED_BITS)};
    memcpy(inner.address, network->address + sizeof(mapped), 4);
    *network = inner;
}

static void drop_bits_behind(weir_network_t *network)
{
    for (size_t bit = network->prefix_bits; bit < width_bits(network->family); bit++)
        network->address[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static bool read_prefix(const char *digits, weir_network_t *network)
{
    uint64_t bits;

    if (!weir_span_to_u63((weir_span_t){digits, strlen(digits)}, &bits) || bits > width_bits(network->family))
        return false;
    network->prefix_bits = (uint8_t)bits;
    return true;
}

bool weir_network_read(const char *text, weir_network_t *out_network)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");

    *out_network = (weir_network_t){.family = AF_UNIX};
    if (strcmp(text, "unix") == 0)
        return true;
    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    out_network->family = memchr(address, ':', len) != NULL ? AF_INET6 : AF_INET;
    out_network->prefix_bits = width_bits(out_network->family);
    if (inet_pton(out_network->family, address, out_network->address) != 1)
        return false;
    if (text[len] == '/' && !read_prefix(text + len + 1, out_network))
        return false;
    drop_bits_behind(out_network);
    unmap(out_network);
    return true;
}

const char *weir_network_write(const weir_network_t *network, char buffer[static WEIR_NETWORK_TEXT])
{
    if (network->family == AF_UNIX)
        return memcpy(buffer, "unix", sizeof("unix"));
    inet_ntop(network->family, network->address, buffer, INET6_ADDRSTRLEN);
    if (network->prefix_bits < width_bits(network->family))
        snprintf(buffer + strlen(buffer), 5, "/%u", network->prefix_bits);
    return buffer;
}

static weir_network_t network_of(const struct sockaddr *address)
{
    weir_network_t network = {.family = AF_UNIX};

    if (address->sa_family == AF_INET) {
        memcpy(network.address, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        network.family = AF_INET;
    } else if (address->sa_family == AF_INET6) {
        memcpy(network.address, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        network.family = AF_INET6;
    } else {
        return network;
    }
    network.prefix_bits = width_bits(network.family);
    unmap(&network);
    return network;
}

static bool holds(const weir_network_t *network, const weir_network_t *single)
{
    if (single->prefix_bits < network->prefix_bits)
        return false;
    size_t bytes = network->prefix_bits / 8, bits = network->prefix_bits % 8;
    if (network->family != single->family || memcmp(network->address, single->address, bytes) != 0)
        return false;
    return bits == 0 || (network->address[bytes] ^ single->address[bytes]) >> (8 - bits) == 0;
}

bool weir_networks_hold_one(const weir_network_t *networks, size_t count, const weir_network_t *one)
{
    for (size_t i = 0; i < count; i++)
        if (holds(&networks[i], one))
            return true;
    return false;
}

bool weir_networks_hold(const weir_network_t *networks, size_t count, const struct sockaddr *address)
{
    weir_network_t single = network_of(address);

    return weir_networks_hold_one(networks, count, &single);
}
