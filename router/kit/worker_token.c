/* SPDX-License-Identifier: MIT */
#include "worker_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIGITS = 2 * KIT_SHA256_BYTES, YEAR_FIRST = 1900, YEAR_LEAST = 1970 };

static int value_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool are_digits(const char *text)
{
    size_t i = 0;

    while (i < DIGITS && text[i] != '\0' && value_of(text[i]) >= 0)
        i++;
    return i == DIGITS;
}

/* A day, or an instant of UTC; NULL ends with neither. */
static bool read_time(const char *text, uint64_t *out_seconds)
{
    struct tm parts = {.tm_isdst = 0};
    const char *rest = strptime(text, "%Y-%m-%d", &parts);

    if (rest != NULL && *rest != '\0')
        rest = strptime(rest, "T%H:%M:%SZ", &parts);
    if (rest == NULL || *rest != '\0' || parts.tm_year + YEAR_FIRST < YEAR_LEAST)
        return false;
    *out_seconds = (uint64_t)timegm(&parts);
    return true;
}

static bool read_digits(const weir_config_t *node, const char *text)
{
    return (text != NULL && are_digits(text)) ||
           weir_config_wrong(node, "sha256: must be the SHA-256 of a token, %d hex digits (printf %%s TOKEN | sha256sum)",
                             DIGITS);
}

static bool read_map(const weir_config_t *item, char text[KIT_WORKER_ITEM_BYTES])
{
    static const char *const keys[] = {"sha256", "not-after", "note", NULL};
    const weir_config_t *digits = weir_config_get(item, "sha256"), *end = weir_config_get(item, "not-after");
    uint64_t seconds = 0;

    if (!weir_config_keys(item, keys) || !read_digits(digits != NULL ? digits : item, weir_config_text(digits)))
        return false;
    if (strlen(weir_config_text(digits)) != DIGITS)
        return read_digits(digits, NULL);
    if (end != NULL && (weir_config_text(end) == NULL || !read_time(weir_config_text(end), &seconds)))
        return weir_config_wrong(end, "not-after: must be a day, 2027-01-31, or an instant, 2027-01-31T12:00:00Z");
    if (end == NULL)
        snprintf(text, KIT_WORKER_ITEM_BYTES, "%s", weir_config_text(digits));
    else
        snprintf(text, KIT_WORKER_ITEM_BYTES, "%s@%llu", weir_config_text(digits), (unsigned long long)seconds);
    return true;
}

bool kit_worker_token_read(const weir_config_t *item, char text[KIT_WORKER_ITEM_BYTES])
{
    const char *word = weir_config_text(item);

    if (weir_config_kind(item) == WEIR_CONFIG_MAP)
        return read_map(item, text);
    if (!read_digits(item, word))
        return false;
    /* As it is kept, behind the digits may stand its end. */
    if (word[DIGITS] != '\0' && (word[DIGITS] != '@' || word[DIGITS + 1] == '\0' ||
                                 strspn(word + DIGITS + 1, "0123456789") != strlen(word + DIGITS + 1)))
        return read_digits(item, NULL);
    snprintf(text, KIT_WORKER_ITEM_BYTES, "%s", word);
    return true;
}

/* All of it is looked at, whatever is different. */
static bool is_equal(const char *digits, const uint8_t sha256[KIT_SHA256_BYTES])
{
    unsigned different = 0;

    for (size_t i = 0; i < KIT_SHA256_BYTES; i++) {
        const unsigned high = (unsigned)value_of(digits[2 * i]), low = (unsigned)value_of(digits[2 * i + 1]);
        different |= (high << 4 | low) ^ sha256[i];
    }
    return different == 0;
}

bool kit_worker_token_is(const char *tokens, const uint8_t sha256[KIT_SHA256_BYTES], uint64_t now_s)
{
    bool is_any = false;

    while (tokens != NULL && *tokens != '\0') {
        const char *end = tokens + DIGITS;
        const bool is_late = *end == '@' && strtoull(end + 1, NULL, 10) <= now_s;
        is_any |= is_equal(tokens, sha256) && !is_late;
        tokens = strchr(tokens, ' ');
        tokens = tokens == NULL ? NULL : tokens + 1;
    }
    return is_any;
}
