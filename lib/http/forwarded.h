/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_FORWARDED_H
#define WEIR_HTTP_FORWARDED_H
/**
 * @file  Lists that grow by one entry at each hop: X-Forwarded-For and Via. Pure but for the arena.
 */
#include "lib/http/headers.h"

/**
 * Appends `entry` to the list field `name`, whose id is `id`, not OTHER: all occurrences become one, in place of the first,
 * values joined by ", " in their order (empty ones left out) with `entry` last; or the field is added at the end.
 */
void weir_forwarded_append(weir_headers_t *headers, weir_arena_t *arena, weir_header_id_t id, weir_span_t name,
                           weir_span_t entry);

#endif
