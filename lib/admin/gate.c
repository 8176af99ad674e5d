/* SPDX-License-Identifier: MIT */
#include "lib/admin/gate.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "lib/admin/tokens.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"

enum { UNAUTHORIZED = 401, SLOTS = 256, US_PER_S = 1000000, BACKLOG = 64, NETWORK_BYTES = 8 };

/* Those whose addresses fall into one share it. */
typedef struct slot {
    uint64_t second;
    unsigned count;
} slot_t;

struct admin_gate {
    admin_tokens_t *tokens; /* NULL: a certificate is enough */
    slot_t failures[SLOTS];
};

admin_gate_t *admin_gate_open(const weir_admin_place_t *place, char *problem, size_t bytes)
{
    admin_gate_t *gate = calloc(1, sizeof(*gate));

    WEIR_MUST(gate != NULL);
    if (place->token_file == NULL)
        return gate;
    gate->tokens = admin_tokens_open(place->token_file, problem, bytes);
    if (gate->tokens == NULL)
        admin_gate_close(&gate);
    return gate;
}

void admin_gate_close(admin_gate_t **slot)
{
    if (*slot == NULL)
        return;
    admin_tokens_close(&(*slot)->tokens);
    free(*slot);
    *slot = NULL;
}

/* A successor listens beside its predecessor, until that closes its own: nobody else may. */
static bool take_address(int fd, const weir_admin_place_t *place)
{
    const struct sockaddr *address = (const struct sockaddr *)&place->address;
    const int on = 1;
    const bool is_bound = bind(fd, address, place->address_len) == 0;
    const bool may_share = !is_bound && errno == EADDRINUSE && place->is_successor;

    if (!is_bound && !may_share)
        return false;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return false;
    return is_bound || bind(fd, address, place->address_len) == 0;
}

int admin_gate_listen(const weir_admin_place_t *place, char *problem, size_t bytes)
{
    const int fd = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd != -1 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (place->address.ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 && take_address(fd, place) && listen(fd, BACKLOG) == 0)
        return fd;
    snprintf(problem, bytes, "%s: cannot listen: %s", place->listen, strerror(errno));
    if (fd != -1)
        close(fd);
    return -1;
}

/* ---- guests ---- */

void admin_guest_enter(admin_guest_t *guest, int fd)
{
    socklen_t bytes = sizeof(guest->address);
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&guest->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&guest->address;

    *guest = (admin_guest_t){.fd = fd, .address_text = "?"};
    if (getpeername(fd, (struct sockaddr *)&guest->address, &bytes) != 0)
        return;
    if (guest->address.ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(guest->address_text, sizeof(guest->address_text), "%s:%u", host, ntohs(v4->sin_port));
    } else if (guest->address.ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(guest->address_text, sizeof(guest->address_text), "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

void admin_guest_show(admin_guest_t *guest, const char *subject)
{
    guest->is_secure = true;
    guest->is_known = guest->is_known || *subject != '\0';
    if (*subject != '\0')
        snprintf(guest->certificate, sizeof(guest->certificate), "certificate %.110s", subject);
}

void admin_guest_tell_failure(const admin_guest_t *guest)
{
    static weir_log_limit_t limit;

    weir_log_limited(&limit, "weir.admin: %s: there was no TLS handshake%s%s", guest->address_text,
                     guest->alert == NULL ? "" : ": ", guest->alert == NULL ? "" : guest->alert);
}

/* ---- calls ---- */

/* Of IPv6 the network: an address is had for nothing there. */
static slot_t *slot_of(admin_gate_t *gate, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    const unsigned char *bytes = address->ss_family == AF_INET ? (const unsigned char *)&v4->sin_addr : v6->sin6_addr.s6_addr;
    const size_t count = address->ss_family == AF_INET ? sizeof(v4->sin_addr) : NETWORK_BYTES;
    unsigned hash = 5381;

    for (size_t i = 0; i < count; i++)
        hash = hash * 33 + bytes[i];
    return &gate->failures[hash % SLOTS];
}

static bool is_one_too_many(admin_gate_t *gate, const admin_guest_t *guest, uint64_t now_us)
{
    slot_t *slot = slot_of(gate, &guest->address);

    if (slot->second != now_us / US_PER_S)
        *slot = (slot_t){now_us / US_PER_S, 0};
    return ++slot->count > ADMIN_GATE_FAILURES;
}

/* "Bearer TOKEN" (RFC 6750); base NULL: there is none. */
static weir_span_t token_of(const weir_admin_call_t *call)
{
    static const char scheme[] = "bearer ";
    const weir_span_t field = weir_admin_field(call, "authorization");
    size_t at = sizeof(scheme) - 1;

    if (field.len <= at || strncasecmp(field.base, scheme, at) != 0)
        return (weir_span_t){NULL, 0};
    while (at < field.len && field.base[at] == ' ')
        at++;
    return (weir_span_t){field.base + at, field.len - at};
}

static void name_guest(admin_guest_t *guest, const char *token)
{
    guest->is_known = true;
    if (token == NULL)
        snprintf(guest->name, sizeof(guest->name), "%s", guest->certificate);
    else
        snprintf(guest->name, sizeof(guest->name), "%s%s%s%s", guest->certificate, *guest->certificate == '\0' ? "" : " and ",
                 strncmp(token, "token ", 6) == 0 ? "" : "token ", token);
}

/* Of one that is cut the answer cannot be written, and so libh2o closes it. */
bool admin_gate_admits(admin_gate_t *gate, admin_guest_t *guest, weir_admin_call_t *call)
{
    static weir_log_limit_t limit;
    const uint64_t now_us = weir_clock_monotonic_us();
    const weir_span_t given = token_of(call);
    const char *token = gate->tokens == NULL ? NULL : admin_tokens_find(gate->tokens, given, now_us);

    if (gate->tokens == NULL || token != NULL) {
        name_guest(guest, token);
        return true;
    }
    weir_log_limited(&limit, "weir.admin: %s: %s", guest->address_text,
                     given.base == NULL ? "no token" : "a token that is not known");
    if (is_one_too_many(gate, guest, now_us))
        (void)shutdown(guest->fd, SHUT_RDWR);
    weir_admin_add(call, "WWW-Authenticate", "Bearer realm=\"weir\"");
    weir_admin_problem(call, UNAUTHORIZED, "unauthorized", NULL, "a token is needed: Authorization: Bearer TOKEN");
    return false;
}
