/* SPDX-License-Identifier: MIT */
#include "conf/admin_tcp.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"

enum { TEXT_BYTES = 128, PROBLEM_BYTES = 640, NET_LOOPBACK = 127 };

const char *const conf_admin_tcp_keys[] = {"listen",   "host",           "token-file", "certificate-file",
                                           "key-file", "client-ca-file", NULL};

/* ---- reading ---- */

static const char **text_of(weir_admin_place_t *place, const char *key)
{
    const char **const texts[] = {&place->listen,           &place->host,     &place->token_file,
                                  &place->certificate_file, &place->key_file, &place->client_ca_file};
    size_t i = 0;

    while (conf_admin_tcp_keys[i] != NULL && strcmp(conf_admin_tcp_keys[i], key) != 0)
        i++;
    return conf_admin_tcp_keys[i] == NULL ? NULL : texts[i];
}

/* "127.0.0.1:9101", "[::1]:9101": numbers, for a name might be another's tomorrow. */
static bool read_address(const char *text, weir_admin_place_t *place)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char copy[TEXT_BYTES], *colon, *host = copy;

    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy) || (colon = strrchr(copy, ':')) == NULL)
        return false;
    *colon = '\0';
    if (*host == '[' && colon[-1] == ']') {
        host++;
        colon[-1] = '\0';
    } else if (strchr(host, ':') != NULL) {
        return false;
    }
    if (*host == '\0' || colon[1] == '\0' || strtoul(colon + 1, NULL, 10) == 0 ||
        getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    memcpy(&place->address, found->ai_addr, found->ai_addrlen);
    place->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool conf_admin_tcp_read(const char *key, const yoml_t *value, weir_arena_t *arena, weir_admin_place_t *place, int *out_result)
{
    const char **text = text_of(place, key);

    if (text == NULL)
        return false;
    *text = weir_arena_copy(arena, (weir_span_t){value->data.scalar, strlen(value->data.scalar)}).base;
    *out_result = 0;
    if (text == &place->listen && !read_address(*text, place))
        *out_result = conf_complain(value, "weir.admin: `listen` is an address and a port: 127.0.0.1:9101");
    return true;
}

/* ---- what goes together ---- */

static bool is_loopback(const weir_admin_place_t *place)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&place->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&place->address;

    if (place->address.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == NET_LOOPBACK;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static const char *what_is_missing(const weir_admin_place_t *place)
{
    const bool has_more = place->host != NULL || place->token_file != NULL || place->certificate_file != NULL ||
                          place->key_file != NULL || place->client_ca_file != NULL;

    if (place->listen == NULL)
        return has_more ? "without `listen` there is nobody whom the other keys are for" : NULL;
    if (place->token_file == NULL && place->client_ca_file == NULL)
        return "whoever can connect to `listen` may change everything: it needs `token-file`, or `client-ca-file`, or both";
    if ((place->certificate_file == NULL) != (place->key_file == NULL))
        return "`certificate-file` and `key-file` belong together";
    if (place->client_ca_file != NULL && place->certificate_file == NULL)
        return "`client-ca-file` needs TLS: `certificate-file` and `key-file`";
    if (place->host != NULL && strpbrk(place->host, ":/[] ") != NULL)
        return "`host` is a name, without a port";
    if (place->certificate_file == NULL && !is_loopback(place))
        return "a token would be sent in the clear: elsewhere than on a loopback address `listen` needs `certificate-file` and "
               "`key-file`";
    return NULL;
}

int conf_admin_tcp_check(const yoml_t *node, const weir_admin_place_t *place)
{
    const char *missing = what_is_missing(place);
    char problem[PROBLEM_BYTES];

    if (missing != NULL)
        return conf_complain(node, "weir.admin: %s", missing);
    if (place->listen == NULL || weir_admin_check(place, problem, sizeof(problem)))
        return 0;
    return conf_complain(node, "weir.admin: %s", problem);
}

/* ---- what is there ---- */

bool conf_admin_tcp_is(const weir_admin_place_t *one, const weir_admin_place_t *other)
{
    weir_admin_place_t a = *one, b = *other;

    for (size_t i = 0; conf_admin_tcp_keys[i] != NULL; i++) {
        const char *left = *text_of(&a, conf_admin_tcp_keys[i]), *right = *text_of(&b, conf_admin_tcp_keys[i]);
        if (left == NULL || right == NULL ? left != right : strcmp(left, right) != 0)
            return false;
    }
    return true;
}

void conf_admin_tcp_keep(weir_admin_place_t *to, const weir_admin_place_t *from)
{
    weir_admin_place_t source = *from;

    for (size_t i = 0; conf_admin_tcp_keys[i] != NULL; i++) {
        const char *text = *text_of(&source, conf_admin_tcp_keys[i]);
        *text_of(to, conf_admin_tcp_keys[i]) = text == NULL ? NULL : strdup(text);
    }
}

void conf_admin_tcp_forget(weir_admin_place_t *place)
{
    for (size_t i = 0; conf_admin_tcp_keys[i] != NULL; i++) {
        const char **text = text_of(place, conf_admin_tcp_keys[i]);
        free((char *)(uintptr_t)*text);
        *text = NULL;
    }
}
