/* SPDX-License-Identifier: MIT */
/*
 * 25 auth: whoever brings no bearer token is turned away before the router picks a service.
 *
 *   reads     the request's Authorization header
 *   writes    nothing
 *   asks      nothing
 *   verdicts  next; refuse with token_missing (401)
 *
 * It looks whether there is a token, not whether the token is good: that is the place for your own check.
 */
#include <strings.h>
#include <weir.h>

static const weir_fault_t token_missing = {"token_missing", 401, WEIR_BLAME_CLIENT, "A bearer token is required."};

/* RFC 9110 §11.1: the scheme in letters of either case, spaces, the token. */
static bool has_bearer_token(weir_span_t value)
{
    static const weir_span_t scheme = {"bearer ", 7};
    size_t at = scheme.len;

    if (value.len <= scheme.len || strncasecmp(value.base, scheme.base, scheme.len) != 0)
        return false;
    while (at < value.len && value.base[at] == ' ')
        at++;
    return at < value.len;
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    const weir_request_t *request = weir_exchange_request(x);

    (void)memory;
    if (!has_bearer_token(weir_request_header(request, WEIR_SPAN("Authorization"))))
        return weir_refuse(x, &token_missing);
    return weir_next(x);
}

const int weir_stage_abi = WEIR_STAGE_ABI;

const weir_stage_t weir_stage = {WEIR_STAGE("auth", 25), .enter = enter};
