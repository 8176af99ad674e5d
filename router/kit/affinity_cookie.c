/* SPDX-License-Identifier: MIT */
#include "affinity_cookie.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LETTERS_AND_DIGITS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- settings ---- */

static const char *name_problem(const kit_cookie_t *cookie)
{
    const size_t length = strlen(cookie->name);

    if (length == 0 || length > KIT_COOKIE_NAME_BYTES || strspn(cookie->name, LETTERS_AND_DIGITS "!#$%&'*+-.^_`|~") != length)
        return "the name of a cookie is a token of 1 to 128 characters: letters, digits, - and _";
    if (strncasecmp(cookie->name, "__Secure-", 9) == 0 && cookie->secure != KIT_SECURE_ON)
        return "a cookie whose name begins with __Secure- needs secure: ON";
    if (strncasecmp(cookie->name, "__Host-", 7) != 0)
        return NULL;
    if (cookie->secure != KIT_SECURE_ON || cookie->domain != NULL || strcmp(cookie->path, "/") != 0)
        return "a cookie whose name begins with __Host- needs secure: ON, path: / and no domain";
    return NULL;
}

static const char *path_problem(const char *path)
{
    if (path[0] != '/' || strlen(path) > KIT_COOKIE_PATH_BYTES)
        return "the path of a cookie begins with / and has at most 256 characters";
    for (; *path != '\0'; path++)
        if (*path <= ' ' || *path > '~' || *path == ';')
            return "the path of a cookie holds no blank, no ; and nothing but ASCII";
    return NULL;
}

static const char *domain_problem(const char *domain)
{
    const size_t length = strlen(domain);

    if (length == 0 || length > KIT_COOKIE_DOMAIN_BYTES || strspn(domain, LETTERS_AND_DIGITS "-.") != length ||
        domain[0] == '.' || domain[length - 1] == '.' || strstr(domain, "..") != NULL)
        return "the domain of a cookie is a host name, without a dot at either end";
    return NULL;
}

const char *kit_cookie_problem(const kit_cookie_t *cookie)
{
    const char *problem = name_problem(cookie);

    if (problem == NULL)
        problem = path_problem(cookie->path);
    if (problem == NULL && cookie->domain != NULL)
        problem = domain_problem(cookie->domain);
    if (problem != NULL || cookie->secure != KIT_SECURE_OFF)
        return problem;
    if (cookie->same_site == KIT_SAME_SITE_NONE)
        return "same-site: none needs secure: ON or auto, or browsers throw the cookie away";
    return cookie->is_partitioned ? "partitioned: ON needs secure: ON or auto, or browsers throw the cookie away" : NULL;
}

/* ---- Set-Cookie ---- */

typedef struct line {
    char *text;
    size_t length; /* KIT_COOKIE_BYTES or more: it did not fit */
} line_t;

static void __attribute__((format(printf, 2, 3))) add(line_t *line, const char *format, ...)
{
    va_list arguments;
    int length;

    if (line->length >= KIT_COOKIE_BYTES)
        return;
    va_start(arguments, format);
    length = vsnprintf(line->text + line->length, KIT_COOKIE_BYTES - line->length, format, arguments);
    va_end(arguments);
    line->length = length < 0 ? KIT_COOKIE_BYTES : line->length + (size_t)length;
}

static void add_same_site(line_t *line, kit_same_site_t same_site, bool is_secure)
{
    static const char *const words[] = {"Lax", "Strict", "None"};

    if (same_site == KIT_SAME_SITE_OMIT || (same_site == KIT_SAME_SITE_NONE && !is_secure))
        return;
    add(line, "; SameSite=%s", words[same_site]);
}

size_t kit_cookie_write(const kit_cookie_t *cookie, const char *value, bool is_https, char out[KIT_COOKIE_BYTES])
{
    const bool is_secure = cookie->secure == KIT_SECURE_ON || (cookie->secure == KIT_SECURE_AUTO && is_https);
    line_t line = {out, 0};

    add(&line, "%s=%s; Path=%s", cookie->name, value, cookie->path);
    if (cookie->domain != NULL)
        add(&line, "; Domain=%s", cookie->domain);
    if (cookie->max_age_s != 0)
        add(&line, "; Max-Age=%u", (unsigned)cookie->max_age_s);
    if (cookie->is_http_only)
        add(&line, "; HttpOnly");
    if (is_secure)
        add(&line, "; Secure");
    add_same_site(&line, cookie->same_site, is_secure);
    if (cookie->is_partitioned && is_secure)
        add(&line, "; Partitioned");
    if (line.length < KIT_COOKIE_BYTES)
        return line.length;
    out[0] = '\0';
    return 0;
}
