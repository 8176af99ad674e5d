/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_LEAKS_H
#define WEIR_CONF_LEAKS_H
/**
 * @file  Where LeakSanitizer has to look away: libh2o's configurators forget what they hold when a configuration is refused.
 */
#if !defined(__has_feature)
#define __has_feature(feature) 0 /* gcc before 14 */
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define CONF_LEAKS_ARE_SOUGHT
#define CONF_LEAKS_LOOK_AWAY() __lsan_disable()
#define CONF_LEAKS_LOOK_AGAIN() __lsan_enable()
#else
#define CONF_LEAKS_LOOK_AWAY() ((void)0)
#define CONF_LEAKS_LOOK_AGAIN() ((void)0)
#endif

#endif
