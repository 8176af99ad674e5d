/* SPDX-License-Identifier: MIT */
/*
 * The page runs nothing but what stands in it, asks nobody but this endpoint, and is shown in no other page: its policy says so
 * (Content Security Policy, Level 3), with a nonce that is another one each time.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "lib/admin/call.h"
#include "lib/admin/page.h"
#include "lib/base/must.h"

enum { OK = 200, RANDOM_BYTES = 16, NONCE_BYTES = 2 * RANDOM_BYTES, POLICY_BYTES = 512 };

static const char mark[] = "@NONCE@";
enum { MARK_BYTES = sizeof(mark) - 1 };

static void make_nonce(char nonce[static NONCE_BYTES + 1])
{
    unsigned char random[RANDOM_BYTES];

    WEIR_MUST(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(nonce + 2 * i, 3, "%02x", random[i]);
}

/* A copy with the nonce where it belongs. */
static h2o_iovec_t fill(h2o_mem_pool_t *pool, const char *nonce)
{
    const char *at = (const char *)admin_page, *end = at + admin_page_bytes, *next;
    size_t count = 0;

    for (next = at; (next = strstr(next, mark)) != NULL; next += MARK_BYTES)
        count++;
    h2o_iovec_t text = {h2o_mem_alloc_pool(pool, admin_page_bytes + count * NONCE_BYTES), 0};
    while ((next = strstr(at, mark)) != NULL) {
        memcpy(text.base + text.len, at, (size_t)(next - at));
        text.len += (size_t)(next - at);
        memcpy(text.base + text.len, nonce, NONCE_BYTES);
        text.len += NONCE_BYTES;
        at = next + MARK_BYTES;
    }
    memcpy(text.base + text.len, at, (size_t)(end - at));
    text.len += (size_t)(end - at);
    return text;
}

void weir_admin_page(weir_admin_call_t *call)
{
    char nonce[NONCE_BYTES + 1], policy[POLICY_BYTES];

    make_nonce(nonce);
    snprintf(policy, sizeof(policy),
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
    weir_admin_add(call, "Content-Security-Policy", policy);
    weir_admin_add(call, "X-Content-Type-Options", "nosniff");
    weir_admin_add(call, "Referrer-Policy", "no-referrer");
    weir_admin_add(call, "Cross-Origin-Opener-Policy", "same-origin");
    weir_admin_add(call, "Cross-Origin-Resource-Policy", "same-origin");
    const h2o_iovec_t text = fill(&call->req->pool, nonce);
    admin_call_respond(call, OK, "text/html; charset=utf-8", text.base, text.len);
}

void weir_admin_openapi(weir_admin_call_t *call)
{
    weir_admin_answer(call, OK, (const char *)admin_openapi, admin_openapi_bytes);
}
