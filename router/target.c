/* SPDX-License-Identifier: MIT */
/* Runs once on each request, hence no formatted printing. */
#include "router/target.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/span.h"
#include "lib/walk/workers.h"

enum { NAME_BYTES = 253, LABEL_BYTES = 63 };

static bool is_host_char(char c)
{
    return (c >= '0' && c <= '9') || (weir_lower(c) >= 'a' && weir_lower(c) <= 'z') || c == '-' || c == '.' || c == '_';
}

bool target_is_host_text(weir_span_t text, bool may_have_port)
{
    bool is_literal = text.len != 0 && text.base[0] == '[';

    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];
        bool is_other = (c == ':' && (may_have_port || is_literal)) || (is_literal && (c == '[' || c == ']'));
        if (!is_other && !is_host_char(c))
            return false;
    }
    return text.len != 0;
}

/* RFC 1123 §2.1: a name whose last label is a number is an address, and here a broken one. */
static bool is_name(weir_span_t host)
{
    size_t label = 0;
    bool is_number = true;

    if (host.len == 0 || host.len > NAME_BYTES || !target_is_host_text(host, false) || host.base[0] == '[')
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.base[i];
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            is_number = i + 1 == host.len ? is_number : true;
            continue;
        }
        if (++label > LABEL_BYTES || (label == 1 && c == '-'))
            return false;
        is_number = is_number && c >= '0' && c <= '9';
    }
    return !is_number;
}

/* "host:port", or "[host]:port" for an IPv6 address. */
static weir_span_t label_of(const target_memory_t *memory, weir_span_t host, uint16_t port, bool has_brackets)
{
    char digits[20];
    weir_span_t number = weir_span_of_u64(port, digits);
    char *label = memory->alloc(memory->of, host.len + number.len + 4), *at = label;

    if (has_brackets)
        *at++ = '[';
    memcpy(at, host.base, host.len);
    at += host.len;
    if (has_brackets)
        *at++ = ']';
    *at++ = ':';
    memcpy(at, number.base, number.len);
    at += number.len;
    *at = '\0';
    return (weir_span_t){label, (size_t)(at - label)};
}

static bool read_v6(weir_target_t *target, weir_span_t host)
{
    char text[INET6_ADDRSTRLEN];

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.base, host.len);
    text[host.len] = '\0';
    target->address.v6.sin6_family = AF_INET6;
    target->address_len = sizeof(target->address.v6);
    return inet_pton(AF_INET6, text, &target->address.v6.sin6_addr) == 1;
}

/* What inet_pton(3) takes: four numbers of one to three digits, none with a zero in front. It is asked on each request. */
static bool read_v4(weir_target_t *target, weir_span_t host)
{
    const char *at = host.base, *end = at + host.len;
    uint8_t bytes[4];

    for (size_t i = 0; i < 4; i++) {
        const char *start = at;
        unsigned number = 0;

        while (at != end && at - start < 3 && *at >= '0' && *at <= '9')
            number = number * 10 + (unsigned)(*at++ - '0');
        if (at == start || number > 255 || (at - start > 1 && *start == '0'))
            return false;
        if (i < 3 && (at == end || *at++ != '.'))
            return false;
        bytes[i] = (uint8_t)number;
    }
    if (at != end)
        return false;
    target->address.v4.sin_family = AF_INET;
    target->address_len = sizeof(target->address.v4);
    memcpy(&target->address.v4.sin_addr, bytes, sizeof(bytes));
    return true;
}

static weir_span_t copy(const target_memory_t *memory, weir_span_t bytes)
{
    char *text = memory->alloc(memory->of, bytes.len + 1);

    *weir_append(text, bytes) = '\0';
    return (weir_span_t){text, bytes.len};
}

void target_read_host(weir_target_t *target, const char *text, uint16_t port, const target_memory_t *memory)
{
    weir_span_t host = {text, text == NULL ? 0 : strlen(text)};
    bool is_v6;

    target->kind = WEIR_TARGET_BROKEN;
    if (host.len == 0) {
        if (target->label.len == 0)
            target->label = WEIR_SPAN("-");
        return;
    }
    if (host.len > 2 && host.base[0] == '[' && host.base[host.len - 1] == ']')
        host = (weir_span_t){host.base + 1, host.len - 2};
    is_v6 = memchr(host.base, ':', host.len) != NULL;
    if (target->label.len == 0)
        target->label = label_of(memory, host, port, is_v6);
    if (port == 0)
        return;
    if (target->tls != NULL)
        target->tls_name = copy(memory, host);

    if (is_v6) {
        target->address.v6.sin6_port = htons(port);
        target->kind = read_v6(target, host) ? WEIR_TARGET_ADDRESS : WEIR_TARGET_BROKEN;
        return;
    }
    if (host.base == text && read_v4(target, host)) {
        target->address.v4.sin_port = htons(port);
        target->kind = WEIR_TARGET_ADDRESS;
        return;
    }
    if (host.base != text || !is_name(host))
        return;
    target->name = copy(memory, host);
    target->port = port;
    target->kind = WEIR_TARGET_NAME;
}

void target_use_worker(weir_target_t *target, uint64_t number)
{
    target->address_len = weir_worker_address(number, &target->address);
    target->keepalive = WEIR_REUSE;
    target->tls = NULL;
    target->kind = WEIR_TARGET_WORKER;
    if (target->label.len == 0)
        target->label = WEIR_SPAN("worker");
}

void target_read_path(weir_target_t *target, const char *path, const target_memory_t *memory)
{
    size_t length = path == NULL ? 0 : strlen(path);
    char *label;

    if (target->label.len == 0) {
        label = memory->alloc(memory->of, length + sizeof("unix:"));
        memcpy(label, "unix:", 5);
        if (length != 0)
            memcpy(label + 5, path, length);
        target->label = (weir_span_t){label, length + 5};
    }
    target->kind = WEIR_TARGET_BROKEN;
    if (length == 0 || length >= sizeof(target->address.path.sun_path))
        return;
    target->address.path.sun_family = AF_UNIX;
    memcpy(target->address.path.sun_path, path, length + 1);
    target->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    target->kind = WEIR_TARGET_ADDRESS;
}
