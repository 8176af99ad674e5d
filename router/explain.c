/* SPDX-License-Identifier: MIT */
#include "router/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/walk/exchange.h"

void weir_explain_answer(weir_explain_t *explain, const char *json, size_t bytes)
{
    if (bytes > WEIR_EXPLAIN_BYTES) {
        weir_explain_unknown(explain, "its explanation is too long");
        return;
    }
    free(explain->json);
    explain->json = malloc(bytes + 1);
    WEIR_MUST(explain->json != NULL);
    memcpy(explain->json, json, bytes);
    explain->json[bytes] = '\0';
    explain->bytes = bytes;
    explain->unknown[0] = '\0';
}

void weir_explain_unknown(weir_explain_t *explain, const char *reason)
{
    snprintf(explain->unknown, sizeof(explain->unknown), "%s", reason);
    free(explain->json);
    explain->json = NULL;
    explain->bytes = 0;
}

void weir_explain_end(weir_explain_t *explain)
{
    free(explain->json);
    explain->json = NULL;
}

bool weir_request_is_explained(const weir_request_t *request)
{
    return WEIR_AROUND(request, weir_exchange_t, request)->is_explained;
}
