/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/must.h"
#include "lib/base/span.h"

enum { MOST_PORT = 65535 };

static bool refuse(const char *text, const char *why, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "`%.100s` is no endpoint: %s", text, why);
    return false;
}

static bool is_host(weir_span_t host, bool has_brackets)
{
    const char *good = has_brackets ? "0123456789abcdefABCDEF:.%"
                                    : "0123456789-._"
                                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return host.len > 0 && strspn(host.base, good) >= host.len;
}

static const char *skip(const char *text, const char *scheme)
{
    return strncmp(text, scheme, strlen(scheme)) == 0 ? text + strlen(scheme) : NULL;
}

/* Which scheme it has, and where it goes on behind that. */
static const char *skip_scheme(const char *text, bool *has_tls)
{
    const char *rest = skip(text, "https://");

    if (rest != NULL)
        *has_tls = true;
    if (rest == NULL && (rest = skip(text, "http://")) != NULL)
        *has_tls = false;
    return rest != NULL ? rest : text;
}

bool store_endpoint_read(const char *text, bool has_tls, store_endpoint_t *out, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    const char *name = skip_scheme(text, &has_tls), *colon = strrchr(name, ':');
    const bool has_brackets = name[0] == '[';
    weir_span_t host = {name + has_brackets, colon != NULL && colon > name ? (size_t)(colon - name) - has_brackets : 0};
    uint64_t port;

    if (colon == NULL || !weir_span_to_u63((weir_span_t){colon + 1, strlen(colon + 1)}, &port) || port == 0 || port > MOST_PORT)
        return refuse(text, "HOST:PORT is missing its port", problem);
    if (has_brackets && (host.len == 0 || host.base[--host.len] != ']'))
        return refuse(text, "a bracket is missing", problem);
    if (!is_host(host, has_brackets))
        return refuse(text, "it has no host", problem);
    out->has_tls = has_tls;
    WEIR_MUST(asprintf(&out->url, "%s://%s", has_tls ? "https" : "http", name) != -1);
    out->name = strstr(out->url, "://") + 3;
    out->port = out->name + (colon + 1 - name);
    out->host = strndup(host.base, host.len);
    WEIR_MUST(out->host != NULL);
    return true;
}

void store_endpoint_free(store_endpoint_t *endpoint)
{
    free(endpoint->url);
    free(endpoint->host);
    *endpoint = (store_endpoint_t){0};
}

/* Fisher and Yates. So few are there that the remainder of 64 bits is as good as even. */
void store_endpoints_shuffle(store_endpoint_t *endpoints, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint64_t dice;
        WEIR_MUST(getrandom(&dice, sizeof(dice), 0) == (ssize_t)sizeof(dice));
        const store_endpoint_t kept = endpoints[i - 1];
        endpoints[i - 1] = endpoints[dice % i];
        endpoints[dice % i] = kept;
    }
}
