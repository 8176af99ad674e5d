/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_STATUS_PAGE_H
#define WEIR_WIRE_LOCAL_STATUS_PAGE_H
/**
 * @file  The page that shows the status to people: it asks for /json beside it, and fetches nothing else.
 */

/** HTML, NUL-terminated. */
extern const char weir_status_page[];

#endif
