/* SPDX-License-Identifier: MIT */
#include "lib/http/trace_context.h"

#include <endian.h>
#include <string.h>

/* Where the four parts begin, and what stands between them. */
enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, SAMPLED = 1 };

static bool is_lower_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool are_lower_hex(const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_lower_hex(at[i]))
            return false;
    }
    return true;
}

static bool are_zeros(const char *at, size_t count)
{
    while (count > 0 && at[count - 1] == '0')
        count--;
    return count == 0;
}

static bool is_id(const char *at, size_t count)
{
    return are_lower_hex(at, count) && !are_zeros(at, count);
}

/* 00 is as long as that; what comes later may only add, behind another dash. */
static bool has_form(weir_span_t value, bool is_first_version)
{
    const char *at = value.base;

    if (value.len != WEIR_TRACEPARENT_BYTES && (is_first_version || at[WEIR_TRACEPARENT_BYTES] != '-'))
        return false;
    return at[TRACE_AT - 1] == '-' && at[PARENT_AT - 1] == '-' && at[FLAGS_AT - 1] == '-';
}

bool weir_traceparent_read(weir_span_t value, weir_trace_context_t *out)
{
    const char *at = value.base;
    bool is_first_version;

    if (value.len < WEIR_TRACEPARENT_BYTES || !are_lower_hex(at, 2) || memcmp(at, "ff", 2) == 0)
        return false;
    is_first_version = memcmp(at, "00", 2) == 0;
    if (!has_form(value, is_first_version) || !is_id(at + TRACE_AT, WEIR_TRACE_ID_BYTES) ||
        !is_id(at + PARENT_AT, WEIR_SPAN_ID_BYTES) || !are_lower_hex(at + FLAGS_AT, sizeof(out->flags)))
        return false;
    memcpy(out->trace_id, at + TRACE_AT, sizeof(out->trace_id));
    memcpy(out->flags, at + FLAGS_AT, sizeof(out->flags));
    memcpy(out->parent_id, at + PARENT_AT, sizeof(out->parent_id));
    if (!is_first_version) {
        out->flags[0] = '0';
        out->flags[1] = (char)('0' + (weir_hex_value(out->flags[1]) & SAMPLED));
    }
    return true;
}

bool weir_trace_context_find(const weir_headers_t *headers, weir_trace_context_t *out)
{
    const weir_header_t *found = NULL;

    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];
        if (!weir_header_is(field, WEIR_HEADER_OTHER, WEIR_SPAN("traceparent")))
            continue;
        if (found != NULL)
            return false;
        found = field;
    }
    return found != NULL && weir_traceparent_read(found->value, out);
}

/* The bytes that level 2 wants to be random (§3.2.2.3.1), of whoever makes an id. */
static uint64_t randomness_of(const uint8_t dice[static WEIR_TRACE_ID_DICE])
{
    uint64_t number;

    memcpy(&number, dice + WEIR_TRACE_ID_DICE - sizeof(number), sizeof(number));
    return be64toh(number) & (WEIR_TRACE_SHARE_ALL - 1);
}

void weir_trace_context_make(const uint8_t dice[static WEIR_TRACE_ID_DICE], uint64_t share, weir_trace_context_t *out)
{
    weir_append_hex(out->trace_id, dice, WEIR_TRACE_ID_DICE);
    out->flags[0] = '0';
    out->flags[1] = randomness_of(dice) + share >= WEIR_TRACE_SHARE_ALL ? '1' : '0';
}

bool weir_trace_context_is_sampled(const weir_trace_context_t *context)
{
    return (weir_hex_value(context->flags[1]) & SAMPLED) != 0;
}

void weir_span_id_make(const uint8_t dice[static WEIR_SPAN_ID_DICE], char out[static WEIR_SPAN_ID_BYTES])
{
    weir_append_hex(out, dice, WEIR_SPAN_ID_DICE);
}

void weir_traceparent_write(const weir_trace_context_t *context, const char span_id[static WEIR_SPAN_ID_BYTES],
                            char out[static WEIR_TRACEPARENT_BYTES])
{
    memcpy(out, "00-", TRACE_AT);
    memcpy(out + TRACE_AT, context->trace_id, WEIR_TRACE_ID_BYTES);
    out[PARENT_AT - 1] = '-';
    memcpy(out + PARENT_AT, span_id, WEIR_SPAN_ID_BYTES);
    out[FLAGS_AT - 1] = '-';
    memcpy(out + FLAGS_AT, context->flags, sizeof(context->flags));
}
