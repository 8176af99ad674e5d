/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_PAGE_H
#define WEIR_ADMIN_PAGE_H
/**
 * @file  The page for browsers, page.html, as page.cmake makes C of it. Private to lib/admin.
 */
#include <stddef.h>

/** With "@NONCE@" where a nonce belongs; a NUL behind it. */
extern const unsigned char admin_page[];
extern const size_t admin_page_bytes;

#endif
