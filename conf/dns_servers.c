/* SPDX-License-Identifier: MIT */
#include "conf/dns_servers.h"

#include <arpa/inet.h>
#include <string.h>

#include "conf/complain.h"
#include "lib/base/span.h"
#include "lib/wire/back/name_query.h"

enum { DNS_PORT = 53 };

/* `text` apart: the address, and behind it a port if there is one. False: it has neither form. */
static bool take_apart(weir_span_t text, weir_span_t *out_address, weir_span_t *out_port)
{
    const char *end = text.base + text.len, *bracket = memchr(text.base, ']', text.len);
    const char *colon = memrchr(text.base, ':', text.len);
    bool is_bare_v6 = text.base[0] != '[' && colon != NULL && memchr(text.base, ':', text.len) != colon;

    *out_address = text;
    *out_port = WEIR_SPAN("");
    if (text.base[0] == '[') {
        if (bracket == NULL || (bracket + 1 != end && bracket[1] != ':'))
            return false;
        *out_address = (weir_span_t){text.base + 1, (size_t)(bracket - text.base - 1)};
        colon = bracket + 1 != end ? bracket + 1 : NULL;
    } else if (colon != NULL && !is_bare_v6) {
        *out_address = (weir_span_t){text.base, (size_t)(colon - text.base)};
    }
    if (colon != NULL && !is_bare_v6)
        *out_port = (weir_span_t){colon + 1, (size_t)(end - colon - 1)};
    return colon == NULL || is_bare_v6 || out_port->len != 0;
}

/* "[ADDRESS]:PORT", as c-ares wants it; NULL: it is no address of a server. */
static const char *read_server(conf_t *conf, const char *text)
{
    weir_span_t address, digits;
    uint64_t port = DNS_PORT;
    uint8_t bytes[16];

    if (text[0] == '\0' || !take_apart((weir_span_t){text, strlen(text)}, &address, &digits))
        return NULL;
    if (digits.len != 0 && (!weir_span_to_u63(digits, &port) || port == 0 || port > UINT16_MAX))
        return NULL;
    bool is_v6 = text[0] == '[' || memchr(address.base, ':', address.len) != NULL;
    const char *copy = weir_arena_copy(&conf->arena, address).base;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, copy, bytes) != 1)
        return NULL;
    return weir_arena_format(&conf->arena, is_v6 ? "[%s]:%u" : "%s:%u", copy, (unsigned)port).base;
}

int conf_dns_servers_read(conf_t *conf, const yoml_t *node)
{
    bool is_list = node->type == YOML_TYPE_SEQUENCE;
    size_t count = is_list ? node->data.sequence.size : 1;
    const char *all = NULL;

    if (count == 0 || count > WEIR_NAME_SERVERS_MAX)
        return conf_complain(node, "weir.dns-servers: from 1 to %d servers can be asked", WEIR_NAME_SERVERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const yoml_t *entry = is_list ? node->data.sequence.elements[i] : node;
        const char *server = entry->type == YOML_TYPE_SCALAR ? read_server(conf, entry->data.scalar) : NULL;

        if (server == NULL)
            return conf_complain(entry, "weir.dns-servers: must be an address, with or without a port (192.0.2.53, "
                                        "192.0.2.53:5353, [::1]:53), or a list of these");
        all = all == NULL ? server : weir_arena_format(&conf->arena, "%s,%s", all, server).base;
    }
    conf->dns_servers = all;
    return 0;
}
