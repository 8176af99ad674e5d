/* SPDX-License-Identifier: MIT */
/* libh2o tells where a request goes by sending it there, and by nothing else: so its rules stand here a second time. */
#include <string.h>
#include <strings.h>

#include "conf/explain.h"
#include "lib/http/host.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

typedef struct wanted {
    weir_span_t host;
    int32_t port, usual_port;
} wanted_t;

/* A host of the file: "name", "*.name", each with or without a port. */
static bool fits(const char *host, const wanted_t *wanted)
{
    weir_span_t name;
    int32_t port;

    if (!weir_host_split((weir_span_t){host, strlen(host)}, &name, &port)) {
        const char *colon = strrchr(host, ':'); /* of a pattern */
        port = colon == NULL ? -1 : (int32_t)strtol(colon + 1, NULL, 10);
        name = (weir_span_t){host, colon == NULL ? strlen(host) : (size_t)(colon - host)};
    }
    if (port != wanted->port && !(port == -1 && wanted->port == wanted->usual_port))
        return false;
    if (name.len > 1 && name.base[0] == '*')
        return name.len - 1 < wanted->host.len &&
               strncasecmp(name.base + 1, wanted->host.base + wanted->host.len - (name.len - 1), name.len - 1) == 0;
    return name.len == wanted->host.len && strncasecmp(name.base, wanted->host.base, name.len) == 0;
}

/* The first that fits, or the first at all. */
static const char *host_of(const conf_t *conf, const weir_explained_t *request)
{
    const bool is_https = weir_span_is(request->scheme, "https");
    wanted_t wanted = {.port = -1, .usual_port = is_https ? HTTPS_PORT : HTTP_PORT};

    (void)weir_host_split(request->authority, &wanted.host, &wanted.port);
    wanted.port = wanted.port == -1 ? wanted.usual_port : wanted.port;
    for (const conf_path_t *path = conf->paths; path != NULL; path = path->next)
        if (fits(path->host, &wanted))
            return path->host;
    return conf->paths == NULL ? NULL : conf->paths->host;
}

static bool leads_to(const char *path, h2o_iovec_t target)
{
    const size_t length = strlen(path);

    return target.len >= length && memcmp(target.base, path, length) == 0 &&
           (path[length - 1] == '/' || target.len == length || target.base[length] == '/');
}

const conf_path_t *conf_explain_place(const conf_t *conf, const weir_explained_t *request, const char **out_host)
{
    const char *host = *out_host = host_of(conf, request);
    const conf_path_t *found = NULL;
    h2o_mem_pool_t pool;
    size_t query_at, *indexes = NULL;

    h2o_mem_init_pool(&pool);
    const h2o_iovec_t target = h2o_url_normalize_path(&pool, request->target.base, request->target.len, &query_at, &indexes);
    for (const conf_path_t *path = conf->paths; path != NULL; path = path->next) {
        const bool is_longer = found == NULL || strlen(path->path) > strlen(found->path);
        if (strcmp(path->host, host) == 0 && is_longer && leads_to(path->path, target))
            found = path;
    }
    h2o_mem_clear_pool(&pool);
    return found;
}
