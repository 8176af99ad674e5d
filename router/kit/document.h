/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOCUMENT_H
#define WEIR_KIT_DOCUMENT_H
/**
 * @file  Apps and their backends as documents (JSON), for the admin endpoint.
 *
 * THREAD   Under the instance's lock.
 */
#include "overlay.h"

/** Settings; with `base`, only those that are another value there. */
json_t *kit_settings_json(const kit_settings_t *settings, const kit_settings_t *base);
/** One app: its state, queue, domains and backends. */
json_t *kit_document_of_app(const struct weir_kit *kit, const kit_app_t *app, bool is_effective);
/** Which apps: in the order of their names. */
typedef struct kit_page {
    weir_span_t prefix, after; /* base NULL: all; from the first one */
    size_t limit;              /* 0: none */
} kit_page_t;

/** Those; *out_next (NULL: not wanted): behind which others come, or null. */
json_t *kit_document_of_apps(const struct weir_kit *kit, const kit_page_t *page, json_t **out_next);
/** The backend of that id, of those that its set has; NULL: there is none. */
json_t *kit_document_of_member(const struct weir_kit *kit, const kit_app_t *app, const char *id);
/** An instant of the monotonic clock, by the wall's. */
json_t *kit_document_time(uint64_t at_us, uint64_t now_us);
/** When its quarantine ends at the soonest; null: it is in none. */
json_t *kit_document_until(const weir_member_t *member, uint64_t now_us);
/** "well", or what it is ill with. */
const char *kit_document_health(const weir_member_t *member);
json_t *kit_document_address(const weir_member_t *member);
/** Whose app it is: "configuration", "operators", "state" (of a source), "workers". */
const char *kit_document_source(const struct weir_kit *kit, const kit_app_t *app);
/** "up", "paused", "stopped". */
const char *kit_document_course(const weir_set_t *set);
/** Of all its members. */
uint64_t kit_document_in_flight(const weir_set_t *set);
/** All that it has, and those that leave. */
json_t *kit_document_of_members(const struct weir_kit *kit, const kit_app_t *app);

#endif
