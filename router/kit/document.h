/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOCUMENT_H
#define WEIR_KIT_DOCUMENT_H
/**
 * @file  Apps and their backends as documents (JSON), for the admin endpoint.
 *
 * THREAD   Under the instance's lock.
 */
#include "overlay.h"

/** One app: its state, queue and backends. */
json_t *kit_document_of_app(const struct weir_kit *kit, const kit_app_t *app, bool is_effective);
/** The backend of that id, of those that its set has; NULL: there is none. */
json_t *kit_document_of_member(const struct weir_kit *kit, const kit_app_t *app, const char *id);
/** All that it has, and those that leave. */
json_t *kit_document_of_members(const struct weir_kit *kit, const kit_app_t *app);

#endif
