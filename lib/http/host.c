/* SPDX-License-Identifier: MIT */
#include "lib/http/host.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/span.h"

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (weir_lower(c) >= 'a' && weir_lower(c) <= 'f');
}

/* RFC 3986 §3.2.2: unreserved and sub-delims */
static bool is_reg_name_char(char c)
{
    if ((c >= '0' && c <= '9') || (weir_lower(c) >= 'a' && weir_lower(c) <= 'z'))
        return true;
    return c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL;
}

/* An IPv4 address is a reg-name, too. */
static bool is_reg_name(weir_span_t host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (is_reg_name_char(host.base[i]))
            continue;
        if (host.base[i] != '%' || host.len - i < 3 || !is_hex_digit(host.base[i + 1]) || !is_hex_digit(host.base[i + 2]))
            return false;
        i += 2;
    }
    return true;
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
    uint64_t port;

    *out_port = -1;
    if (rest.len == 0)
        return true;
    if (rest.base[0] != ':' || !weir_span_to_u63((weir_span_t){rest.base + 1, rest.len - 1}, &port) || port > 65535)
        return false;
    *out_port = (int32_t)port;
    return true;
}

bool weir_host_split(weir_span_t value, weir_span_t *out_host, int32_t *out_port)
{
    bool is_bracketed = value.len != 0 && value.base[0] == '[';
    const char *mark;
    size_t length;

    *out_host = (weir_span_t){value.base, 0};
    *out_port = -1;
    if (value.len == 0)
        return true;
    mark = memchr(value.base, is_bracketed ? ']' : ':', value.len);
    if (is_bracketed && mark == NULL)
        return false;
    length = mark == NULL ? value.len : (size_t)(mark - value.base) + is_bracketed;
    out_host->len = length;
    if (is_bracketed ? !is_ipv6((weir_span_t){value.base + 1, length - 2}) : !is_reg_name(*out_host))
        return false;
    return read_port((weir_span_t){value.base + length, value.len - length}, out_port);
}
