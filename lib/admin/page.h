/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_PAGE_H
#define WEIR_ADMIN_PAGE_H
/**
 * @file  Files that are served as they are: the page for browsers, page.html, and what programs read of the protocol,
 * openapi.json. page.cmake makes C of them. Private to lib/admin.
 */
#include <stddef.h>

/** With "@NONCE@" where a nonce belongs; a NUL behind it. */
extern const unsigned char admin_page[];
extern const size_t admin_page_bytes;

/** OpenAPI 3.1. */
extern const unsigned char admin_openapi[];
extern const size_t admin_openapi_bytes;

#endif
