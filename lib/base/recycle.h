/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_RECYCLE_H
#define WEIR_BASE_RECYCLE_H
/**
 * @file  Whether memory that comes and goes with each request is kept for the next one.
 *
 * WEIR_RECYCLES is 1, and 0 under AddressSanitizer, which catches a use after free only in what has really been freed.
 */
#if defined(__SANITIZE_ADDRESS__)
#define WEIR_RECYCLES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_RECYCLES 0
#endif
#endif
#ifndef WEIR_RECYCLES
#define WEIR_RECYCLES 1
#endif

#endif
