/* SPDX-License-Identifier: MIT */
#include "lib/http/accept_encoding.h"

#include "lib/base/span.h"
#include "lib/http/token_list.h"

/* Whether the parameters behind a coding say q=0, with any number of zeros (§12.4.2). */
static bool is_zero(weir_span_t parameters)
{
    const weir_span_t weight = weir_span_trim(parameters);

    if (weight.len < 3 || weir_lower(weight.base[0]) != 'q' || weight.base[1] != '=' || weight.base[2] != '0')
        return false;
    for (size_t i = 3; i < weight.len; i++)
        if (weight.base[i] != '.' && weight.base[i] != '0')
            return false;
    return true;
}

bool weir_accepts_coding(weir_span_t value, weir_span_t coding)
{
    bool takes_any = false;
    weir_span_t element;

    while (weir_token_list_next(&value, &element)) {
        const char *semicolon = memchr(element.base, ';', element.len);
        const size_t len = semicolon != NULL ? (size_t)(semicolon - element.base) : element.len;
        const weir_span_t name = weir_span_trim((weir_span_t){element.base, len});
        const bool is_taken = semicolon == NULL || !is_zero((weir_span_t){semicolon + 1, element.len - len - 1});
        if (weir_equal_nocase(name, coding))
            return is_taken;
        if (weir_span_equal(name, WEIR_SPAN("*")))
            takes_any = is_taken;
    }
    return takes_any;
}
