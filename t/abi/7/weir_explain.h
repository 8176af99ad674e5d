/* SPDX-License-Identifier: MIT */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H 
#include "weir_request.h"
WEIR_C_BEGIN
typedef struct weir_explain weir_explain_t;
WEIR_MODULE void weir_router_explain(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *explain);
typedef void weir_router_explain_t(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *explain);
WEIR_API void weir_explain_answer(weir_explain_t *explain, const char *json, size_t bytes);
WEIR_API void weir_explain_unknown(weir_explain_t *explain, const char *reason);
WEIR_API bool weir_request_is_explained(const weir_request_t *request);
WEIR_C_END
#endif
