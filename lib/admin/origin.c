/* SPDX-License-Identifier: MIT */
#include "lib/admin/origin.h"

#include <string.h>
#include <strings.h>

#include "lib/http/host.h"

static bool is_word(weir_span_t span, const char *word)
{
    return span.len == strlen(word) && strncasecmp(span.base, word, span.len) == 0;
}

static bool ends_in(weir_span_t span, const char *end)
{
    const size_t length = strlen(end);

    return span.len > length && strncasecmp(span.base + span.len - length, end, length) == 0;
}

/* In a browser's words: what ends in a number is an address (URL, WHATWG, "ends in a number"). */
static bool is_address(weir_span_t host)
{
    size_t at = host.len;

    if (host.len > 0 && host.base[0] == '[')
        return true;
    while (at > 0 && host.base[at - 1] >= '0' && host.base[at - 1] <= '9')
        at--;
    return at < host.len && (at == 0 || host.base[at - 1] == '.');
}

static bool is_ours(const admin_provenance_t *of)
{
    weir_span_t host;
    int32_t port;

    if (!weir_host_split(of->host, &host, &port))
        return false;
    if (host.len == 0 || is_word(host, "localhost") || ends_in(host, ".localhost") || is_address(host))
        return true;
    if (of->own_host.len > 0 && host.len == of->own_host.len && strncasecmp(host.base, of->own_host.base, host.len) == 0)
        return true;
    return of->accept_encoding.base == NULL && memchr(host.base, '.', host.len) == NULL;
}

/* "http://" or "https://", and Host. */
static bool is_same_origin(const admin_provenance_t *of)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < 2; i++) {
        const size_t length = strlen(schemes[i]);
        if (of->origin.len == length + of->host.len && memcmp(of->origin.base, schemes[i], length) == 0 &&
            strncasecmp(of->origin.base + length, of->host.base, of->host.len) == 0)
            return true;
    }
    return false;
}

const char *admin_distrust(const admin_provenance_t *of)
{
    if (!is_ours(of))
        return "Host is neither localhost nor an address: a page of somebody else's may have sent this";
    if (is_word(of->method, "GET") || is_word(of->method, "HEAD"))
        return NULL;
    if (of->origin.base != NULL && !is_same_origin(of))
        return "Origin is not this endpoint: a page of somebody else's has sent this";
    if (of->fetch_site.base != NULL && !is_word(of->fetch_site, "same-origin") && !is_word(of->fetch_site, "none"))
        return "Sec-Fetch-Site is not same-origin: a page of somebody else's has sent this";
    return NULL;
}
