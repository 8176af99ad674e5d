/* SPDX-License-Identifier: MIT */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H
/**
 * @file  What would become of a request: a router is asked, and answers without doing any of it (`weir explain`).
 *
 * The request is one that nobody has sent. What weir_request.h reads of it is there: method, target, host, fields, the client's
 * address, whether it wants an upgrade, clocks, and dice (weir_random()) that fall as the operator's seed says: so the same
 * question has the same answer. Nothing of a backend or a response is there, nor a certificate.
 *
 * OWNER    The host; all is borrowed until weir_router_explain() returns.
 * THREAD   That of tickers, which serves no request: what requests change meanwhile is read as other threads read it.
 */
#include "weir_request.h"

WEIR_C_BEGIN

typedef struct weir_explain weir_explain_t;

/**
 * A function that a module may export: says what it would do with `request`, by weir_explain_answer() or
 * weir_explain_unknown(). It takes no slot, counts nothing, remembers nothing and sends nothing. Between start and stop. Since
 * ABI 7.
 */
WEIR_MODULE void weir_router_explain(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *explain);
typedef void weir_router_explain_t(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *explain);

/**
 * Answers with an object of JSON, copied; 8 MiB at most. Those of the kit have `lookup`, `affinity`, `app`, `members`, `pick`,
 * `outcome` and `retry` (docs/admin.md); others say what they like. The last one counts.
 */
WEIR_API void weir_explain_answer(weir_explain_t *explain, const char *json, size_t bytes);
/** Says that it cannot be known, and why: one line, copied and cut behind 255 bytes. Instead of an answer. */
WEIR_API void weir_explain_unknown(weir_explain_t *explain, const char *reason);
/** Whether nobody has sent this request, for what callbacks and explanations have in common. Any thread. */
WEIR_API bool weir_request_is_explained(const weir_request_t *request);

WEIR_C_END

#endif
