/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_VERSIONS_H
#define WEIR_WIRE_VERSIONS_H
/**
 * @file  What this build stands on. Static strings; any thread.
 */

/** The libh2o it was compiled against: "2.2.5". */
const char *weir_version_of_h2o(void);
/** The OpenSSL that is loaded. */
const char *weir_version_of_openssl(void);
/** The nghttp2 that is loaded. */
const char *weir_version_of_nghttp2(void);
/** The c-ares that is loaded. */
const char *weir_version_of_cares(void);

#endif
