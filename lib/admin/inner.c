/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "lib/admin/call.h"

enum { REFUSED_FROM = 400 };

weir_admin_call_t *weir_admin_inner(const weir_admin_call_t *call, const char *segment)
{
    weir_admin_call_t *inner = h2o_mem_alloc_pool(&call->req->pool, sizeof(*inner));

    memset(inner, 0, sizeof(*inner));
    inner->req = call->req;
    inner->caller = call->caller;
    inner->query = call->query;
    inner->segments[0] = (weir_span_t){segment, strlen(segment)};
    inner->segment_count = 1;
    inner->is_inner = true;
    return inner;
}

void admin_inner_keep(weir_admin_call_t *call, uint16_t status, const char *body, size_t bytes)
{
    const h2o_iovec_t copy = h2o_strdup(&call->req->pool, body == NULL ? "" : body, body == NULL ? 0 : bytes);

    call->status = status;
    call->document = (weir_span_t){copy.base, copy.len};
}

weir_span_t weir_admin_inner_document(const weir_admin_call_t *inner)
{
    return inner->status >= REFUSED_FROM ? (weir_span_t){NULL, 0} : inner->document;
}
