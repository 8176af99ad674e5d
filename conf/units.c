/* SPDX-License-Identifier: MIT */
#include "conf/units.h"

#include <string.h>
#include <strings.h>

#include "lib/base/span.h"

typedef struct suffix {
    const char *text;
    uint64_t factor;
} suffix_t;

static const suffix_t of_ms[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const suffix_t of_seconds[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {NULL, 0}};
static const suffix_t of_bytes[] = {{"", 1},         {"k", 1u << 10}, {"K", 1u << 10}, {"m", 1u << 20},
                                    {"M", 1u << 20}, {"g", 1u << 30}, {"G", 1u << 30}, {NULL, 0}};
static const suffix_t of_counts[] = {{"", 1}, {NULL, 0}};

static const suffix_t *const suffixes[] = {
    [CONF_UNIT_NONE] = of_counts, [CONF_UNIT_MS] = of_ms, [CONF_UNIT_S] = of_seconds, [CONF_UNIT_BYTES] = of_bytes};

static uint64_t factor_of(const char *text, conf_unit_t unit)
{
    for (const suffix_t *suffix = suffixes[unit]; suffix->text != NULL; suffix++)
        if (strcmp(suffix->text, text) == 0)
            return suffix->factor;
    return 0;
}

bool conf_number_read(const char *text, conf_unit_t unit, uint64_t least, uint64_t most, uint64_t *out_number)
{
    const size_t digits = strspn(text, "0123456789");
    const uint64_t factor = factor_of(text + digits, unit);
    uint64_t number;

    if (factor == 0 || !weir_span_to_u63((weir_span_t){text, digits}, &number) || number > UINT64_MAX / factor)
        return false;
    number *= factor;
    if (number < least || number > most)
        return false;
    *out_number = number;
    return true;
}

const char *conf_unit_sentence(conf_unit_t unit)
{
    switch (unit) {
    case CONF_UNIT_MS:
        return "a whole number of milliseconds (or `5s`, `10m`, `2h`)";
    case CONF_UNIT_S:
        return "a whole number of seconds (or `5s`, `10m`, `2h`)";
    case CONF_UNIT_BYTES:
        return "a whole number of bytes (or `64k`, `10m`, `1g`)";
    case CONF_UNIT_NONE:
        break;
    }
    return "a whole number";
}

bool conf_flag_read(const char *text, bool *out_flag)
{
    static const char *const words[] = {"OFF", "ON", "no", "yes", "false", "true"}; /* what is at an odd place is on */

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(words[i], text) != 0)
            continue;
        *out_flag = i % 2 == 1;
        return true;
    }
    return false;
}
