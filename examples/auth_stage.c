/* SPDX-License-Identifier: MIT */
/*
 * 25 auth: whoever brings no bearer token is turned away before the router picks a service.
 *
 *   configured by  realm: TEXT, default "weir"; open: a list of paths that need no token
 *   reads          the request's path and its Authorization header
 *   writes         WWW-Authenticate onto the refusal
 *   asks           nothing
 *   verdicts       next; refuse with token_missing (401)
 *
 * It looks whether there is a token, not whether the token is good: that is the place for your own check.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir.h>

enum { REALM_BYTES = 128 };

struct weir_stage_shared {
    char challenge[REALM_BYTES + 32];
    size_t open_count;
    char **open;
};

static const weir_fault_t token_missing = {"token_missing", 401, WEIR_BLAME_CLIENT, "A bearer token is required."};

/* RFC 9110 §11.1: the scheme in letters of either case, spaces, the token. */
static bool has_bearer_token(weir_span_t value)
{
    static const weir_span_t scheme = {"bearer ", 7};
    size_t at = scheme.len;

    if (value.len <= scheme.len || !weir_span_equal_nocase((weir_span_t){value.base, scheme.len}, scheme))
        return false;
    while (at < value.len && value.base[at] == ' ')
        at++;
    return at < value.len;
}

static bool is_open(const weir_stage_shared_t *shared, weir_span_t path)
{
    for (size_t i = 0; i < shared->open_count; i++) {
        if (weir_span_is(path, shared->open[i]))
            return true;
    }
    return false;
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    const weir_request_t *request = weir_exchange_request(x);
    const weir_stage_shared_t *shared = weir_stage_shared(x);

    (void)memory;
    if (is_open(shared, weir_request_path(request)))
        return weir_next(x);
    if (has_bearer_token(weir_request_header(request, WEIR_SPAN("Authorization"))))
        return weir_next(x);
    /* RFC 9110 §15.5.2: a 401 says what is wanted. */
    weir_reply_header(x, WEIR_SPAN("WWW-Authenticate"), (weir_span_t){shared->challenge, strlen(shared->challenge)});
    return weir_refuse(x, &token_missing);
}

void weir_stage_release(weir_stage_shared_t *shared)
{
    for (size_t i = 0; i < shared->open_count; i++)
        free(shared->open[i]);
    free(shared->open);
    free(shared);
}

static bool read_open(const weir_config_t *list, weir_stage_shared_t *shared)
{
    size_t count = weir_config_count(list);

    if (list == NULL)
        return true;
    if (weir_config_kind(list) != WEIR_CONFIG_LIST)
        return weir_config_wrong(list, "open: must be a list of paths");
    shared->open = calloc(count + 1, sizeof(shared->open[0]));
    for (size_t i = 0; i < count; i++) {
        const weir_config_t *entry = weir_config_at(list, i);
        const char *path = weir_config_text(entry);

        if (path == NULL || path[0] != '/')
            return weir_config_wrong(entry, "open: a path begins with /");
        shared->open[shared->open_count++] = strdup(path);
    }
    return true;
}

static bool read_all(const weir_config_t *config, weir_stage_shared_t *shared)
{
    static const char *const known[] = {"module", "realm", "open", NULL};
    const char *realm = "weir";

    if (!weir_config_keys(config, known) || !weir_config_string(config, "realm", &realm))
        return false;
    if (strlen(realm) > REALM_BYTES || strpbrk(realm, "\"\\\r\n") != NULL)
        return weir_config_wrong(weir_config_get(config, "realm"), "realm: at most %d characters, none of them a quote",
                                 REALM_BYTES);
    snprintf(shared->challenge, sizeof(shared->challenge), "Bearer realm=\"%s\"", realm);
    return read_open(weir_config_get(config, "open"), shared);
}

bool weir_stage_configure(const weir_config_t *config, weir_stage_shared_t **out_shared)
{
    weir_stage_shared_t *shared = calloc(1, sizeof(*shared));

    if (!read_all(config, shared)) {
        weir_stage_release(shared);
        return false;
    }
    *out_shared = shared;
    return true;
}

const int weir_stage_abi = WEIR_STAGE_ABI;

const weir_stage_t weir_stage = {WEIR_STAGE("auth", 25), .enter = enter};
