/* SPDX-License-Identifier: MIT */
#include "lib/http/http_date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/*
 * One letter for each part: w the name of a day, D a day, d one that may have a blank in place of its first digit, m a month,
 * Y a year, y its last two digits, H M S the time. Anything else is meant as it stands.
 */
static const char *const forms[] = {"w, D m Y H:M:S GMT", "w, D-m-y H:M:S GMT", "w m d H:M:S Y"};

static bool take_digits(weir_span_t *text, size_t count, int *out)
{
    int number = 0;

    if (text->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const unsigned digit = (unsigned char)text->base[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        number = number * 10 + (int)digit;
    }
    *text = (weir_span_t){text->base + count, text->len - count};
    *out = number;
    return true;
}

static bool take_month(weir_span_t *text, int *out)
{
    for (int month = 0; text->len >= 3 && month < 12; month++) {
        if (memcmp(text->base, months[month], 3) != 0)
            continue;
        *text = (weir_span_t){text->base + 3, text->len - 3};
        *out = month;
        return true;
    }
    return false;
}

static bool take_word(weir_span_t *text)
{
    size_t len = 0;

    while (len < text->len && len < 9 && (text->base[len] | 0x20) >= 'a' && (text->base[len] | 0x20) <= 'z')
        len++;
    *text = (weir_span_t){text->base + len, text->len - len};
    return len >= 3;
}

static bool take_short_year(weir_span_t *text, int64_t now_s, int *out)
{
    const int now_year = 1970 + (int)(now_s / 31556952);
    int year;

    if (!take_digits(text, 2, &year))
        return false;
    year += now_year / 100 * 100;
    *out = year > now_year + 50 ? year - 100 : year;
    return true;
}

static bool take_part(weir_span_t *text, char part, int64_t now_s, struct tm *out)
{
    switch (part) {
    case 'w':
        return take_word(text);
    case 'D':
        return take_digits(text, 2, &out->tm_mday);
    case 'd':
        if (text->len > 0 && text->base[0] == ' ') {
            *text = (weir_span_t){text->base + 1, text->len - 1};
            return take_digits(text, 1, &out->tm_mday);
        }
        return take_digits(text, 2, &out->tm_mday);
    case 'm':
        return take_month(text, &out->tm_mon);
    case 'Y':
        return take_digits(text, 4, &out->tm_year);
    case 'y':
        return take_short_year(text, now_s, &out->tm_year);
    case 'H':
        return take_digits(text, 2, &out->tm_hour);
    case 'M':
        return take_digits(text, 2, &out->tm_min);
    case 'S':
        return take_digits(text, 2, &out->tm_sec);
    default:
        break;
    }
    if (text->len == 0 || text->base[0] != part)
        return false;
    *text = (weir_span_t){text->base + 1, text->len - 1};
    return true;
}

static bool read_form(weir_span_t text, const char *form, int64_t now_s, struct tm *out)
{
    const char *zone = strstr(form, " GMT");

    for (const char *part = form; *part != '\0' && part != zone; part++)
        if (!take_part(&text, *part, now_s, out))
            return false;
    return zone == NULL ? text.len == 0 : text.len == 4 && memcmp(text.base, zone, 4) == 0;
}

bool weir_http_date_read(weir_span_t text, int64_t now_s, int64_t *out_s)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {0};

        if (!read_form(text, forms[i], now_s, &parts))
            continue;
        if (parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60)
            return false;
        parts.tm_year -= 1900;
        const struct tm said = parts;
        const int64_t at_s = timegm(&parts);
        if (parts.tm_mon != said.tm_mon && said.tm_sec < 60)
            return false; /* a 31st of February */
        *out_s = at_s;
        return true;
    }
    return false;
}

void weir_http_date_write(int64_t at_s, char buffer[static WEIR_HTTP_DATE_BYTES + 1])
{
    const time_t at = (time_t)at_s;
    char room[64];
    struct tm parts;

    gmtime_r(&at, &parts);
    snprintf(room, sizeof(room), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday,
             months[parts.tm_mon], 1900 + parts.tm_year, parts.tm_hour, parts.tm_min, parts.tm_sec);
    memcpy(buffer, room, WEIR_HTTP_DATE_BYTES);
    buffer[WEIR_HTTP_DATE_BYTES] = '\0';
}
