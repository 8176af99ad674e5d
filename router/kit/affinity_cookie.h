/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_AFFINITY_COOKIE_H
#define WEIR_KIT_AFFINITY_COOKIE_H
/**
 * @file  How the affinity cookie is set: its name, its attributes, and the Set-Cookie value they make (RFC 6265bis).
 *
 * Pure: any thread, no memory.
 */
#include "weir_types.h"

enum {
    KIT_COOKIE_BYTES = 1024, /* of a Set-Cookie value, with its NUL; enough for any settings without a problem */
    KIT_COOKIE_NAME_BYTES = 128,
    KIT_COOKIE_PATH_BYTES = 256,
    KIT_COOKIE_DOMAIN_BYTES = 253,
};

/** AUTO: where the client came by https. */
typedef enum kit_secure { KIT_SECURE_AUTO, KIT_SECURE_ON, KIT_SECURE_OFF } kit_secure_t;
typedef enum kit_same_site { KIT_SAME_SITE_LAX, KIT_SAME_SITE_STRICT, KIT_SAME_SITE_NONE, KIT_SAME_SITE_OMIT } kit_same_site_t;

/** Texts are borrowed or owned as who holds it says. */
typedef struct kit_cookie {
    const char *name;   /* a token; "weir-affinity"  */
    const char *path;   /* "/", or begins with it    */
    const char *domain; /* NULL: host-only           */
    uint32_t max_age_s; /* 0: until the browser ends */
    bool is_http_only, is_partitioned;
    kit_secure_t secure;
    kit_same_site_t same_site;
} kit_cookie_t;

/** What is wrong with the settings, as a sentence for people; NULL: nothing. Static text. */
const char *kit_cookie_problem(const kit_cookie_t *cookie);

/**
 * Writes the value of a Set-Cookie header, NUL-terminated; returns its length. The settings have no problem. Where AUTO means
 * that the cookie is not Secure, "SameSite=None" and "Partitioned" are left out: browsers would throw such a cookie away.
 * 0, and an empty text: it does not fit, which a value of affinity.h always does.
 */
size_t kit_cookie_write(const kit_cookie_t *cookie, const char *value, bool is_https, char out[KIT_COOKIE_BYTES]);

#endif
