/* SPDX-License-Identifier: MIT */
#include "lib/http/host.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/span.h"
#include "lib/http/head_scan.h"

/* How many bytes at the front of `value` are a reg-name. An IPv4 address is one, too. */
static size_t reg_name_length(weir_span_t value)
{
    const char *end = value.base + value.len;
    const char *at = weir_skip_chars(value.base, end, WEIR_CHAR_HOST);

    while (end - at >= 3 && *at == '%' && weir_hex_value(at[1]) >= 0 && weir_hex_value(at[2]) >= 0)
        at = weir_skip_chars(at + 3, end, WEIR_CHAR_HOST);
    return (size_t)(at - value.base);
}

/* What stands between the brackets. Neither zone ids nor IPvFuture. */
static bool is_ipv6(weir_span_t address)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr parsed;

    if (address.len >= sizeof(text) || memchr(address.base, '\0', address.len) != NULL)
        return false;
    memcpy(text, address.base, address.len);
    text[address.len] = '\0';
    return inet_pton(AF_INET6, text, &parsed) == 1;
}

/* `rest` is what follows the host: nothing, or a colon and digits. */
static bool read_port(weir_span_t rest, int32_t *out_port)
{
    int32_t port = 0;

    *out_port = -1;
    if (rest.len == 0)
        return true;
    if (rest.base[0] != ':')
        return false;
    if (rest.len == 1)
        return true; /* RFC 3986 §3.2.3: an empty one is none */
    for (size_t i = 1; i < rest.len; i++) {
        if (rest.base[i] < '0' || rest.base[i] > '9')
            return false;
        port = port * 10 + (rest.base[i] - '0');
        if (port > 65535)
            return false;
    }
    *out_port = port;
    return true;
}

bool weir_host_split(weir_span_t value, weir_span_t *out_host, int32_t *out_port)
{
    size_t length;

    *out_host = (weir_span_t){value.base, 0};
    *out_port = -1;
    if (value.len == 0)
        return true;
    if (value.base[0] == '[') {
        const char *mark = memchr(value.base, ']', value.len);
        if (mark == NULL)
            return false;
        length = (size_t)(mark - value.base) + 1;
        if (!is_ipv6((weir_span_t){value.base + 1, length - 2}))
            return false;
    } else {
        length = reg_name_length(value);
    }
    out_host->len = length;
    /* whatever else follows is no port, and so refused */
    return read_port((weir_span_t){value.base + length, value.len - length}, out_port);
}
