/* SPDX-License-Identifier: MIT */
/* A Location of a backend, read and rewritten as the router reverse does it: `prefix NUL mount NUL location`. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "router/builtin/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static bool lies_in(weir_span_t part, weir_span_t whole)
{
    return part.base >= whole.base && part.base + part.len <= whole.base + whole.len;
}

/* What stands before the next NUL; *rest is what stands behind it. */
static weir_span_t take(weir_span_t *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->base, '\0', rest->len) : NULL;
    weir_span_t taken = {rest->base, end != NULL ? (size_t)(end - rest->base) : rest->len};
    size_t used = taken.len + (end != NULL);

    *rest = (weir_span_t){rest->base + used, rest->len - used};
    return taken;
}

static void check_url(const url_t *url, weir_span_t text)
{
    WEIR_MUST(lies_in(url->authority, text) && lies_in(url->host, url->authority));
    WEIR_MUST(url->host.len > 0 && url->port != 0 && url->path.len > 0 && url->path.base[0] == '/');
    WEIR_MUST(url->path.len == 1 || lies_in(url->path, text));
    WEIR_MUST(url_is_same_place(url, url));
    WEIR_MUST(url_is_below(url->path, WEIR_SPAN("/")));
}

/* What is sent below the mount comes back where it was. */
static void check_way_back(weir_span_t prefix, weir_span_t mount, weir_span_t path)
{
    weir_span_t rest = {path.base + prefix.len, path.len - prefix.len};
    char *there = malloc(mount.len + 1 + rest.len);
    weir_span_t at = {there, 0};

    WEIR_MUST(there != NULL);
    at.len = url_join(prefix, mount, rest, there);
    WEIR_MUST(at.len >= rest.len && at.len <= mount.len + 1 + rest.len);
    WEIR_MUST(memcmp(at.base + at.len - rest.len, rest.base, rest.len) == 0);
    WEIR_MUST(mount.base[0] != '/' || at.base[0] == '/');
    free(there);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    char *copy = malloc(length + 1);
    weir_span_t rest = {copy, length}, prefix, mount;
    url_t url;

    WEIR_MUST(copy != NULL);
    if (length != 0)
        memcpy(copy, input, length);
    prefix = take(&rest);
    mount = take(&rest);
    if (url_read(rest, &url)) {
        check_url(&url, rest);
        if (prefix.len > 0 && mount.len > 0 && url_is_below(url.path, prefix))
            check_way_back(prefix, mount, url.path);
    }
    free(copy);
    return 0;
}
