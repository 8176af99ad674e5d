/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_DOCUMENT_H
#define WEIR_CONF_TOP_DOCUMENT_H
/**
 * @file  GET /v1/top: the process and the apps of its routers in one document. Counters are from the start of the process, so
 * that a caller has rates and percentiles of the time between two documents.
 *
 * THREAD   The steward's, but for conf_top_begin(): the main one.
 */
#include "lib/admin/admin.h"

/** The process begins to serve: uptime counts from here. The first call counts. */
void conf_top_begin(void);

void conf_top_answer(weir_admin_call_t *call);

#endif
