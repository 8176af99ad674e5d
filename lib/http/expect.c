/* SPDX-License-Identifier: MIT */
#include "lib/http/expect.h"

#include "lib/base/span.h"
#include "lib/http/head_scan.h"
#include "lib/http/token_list.h"

/* RFC 9110 §5.6.4 */
static bool is_quoted_string(weir_span_t bytes)
{
    size_t i;

    if (bytes.len < 2 || bytes.base[0] != '"')
        return false;
    for (i = 1; i < bytes.len && bytes.base[i] != '"'; i++) {
        if (bytes.base[i] == '\\')
            i++;
        if (i < bytes.len && !weir_char_is(bytes.base[i], WEIR_CHAR_FIELD))
            return false;
    }
    return i == bytes.len - 1;
}

/* RFC 9110 §10.1.1: token [ "=" ( token / quoted-string ) ]. Vegur: parameters are malformed. */
static bool is_expectation(weir_span_t element)
{
    const char *equals = memchr(element.base, '=', element.len);
    weir_span_t name = element, value;

    if (equals == NULL)
        return weir_is_token(element);
    name.len = (size_t)(equals - element.base);
    value = (weir_span_t){equals + 1, element.len - name.len - 1};
    return weir_is_token(name) && (weir_is_token(value) || is_quoted_string(value));
}

/* The length of `list` up to its first comma that is not in a quoted string. */
static size_t element_length(weir_span_t list)
{
    bool in_quotes = false;

    for (size_t i = 0; i < list.len; i++) {
        if (list.base[i] == ',' && !in_quotes)
            return i;
        if (list.base[i] == '"')
            in_quotes = !in_quotes;
        if (in_quotes && list.base[i] == '\\')
            i++;
    }
    return list.len;
}

/* Like weir_token_list_next(), for lists whose quoted strings may hold commas. */
static bool next_element(weir_span_t *list, weir_span_t *out_element)
{
    while (list->len != 0) {
        size_t length = element_length(*list), taken = length == list->len ? length : length + 1;

        *out_element = weir_span_trim((weir_span_t){list->base, length});
        list->base += taken;
        list->len -= taken;
        if (out_element->len != 0)
            return true;
    }
    return false;
}

const weir_fault_t *weir_expect_read(const weir_headers_t *headers, bool *out_continue)
{
    const weir_header_t *field = weir_headers_find(headers, WEIR_HEADER_EXPECT);
    weir_span_t list, element;
    size_t count = 0, continues = 0;

    *out_continue = false;
    if (field == NULL)
        return NULL;
    list = field->value;
    while (next_element(&list, &element)) {
        if (!is_expectation(element))
            return &weir_fault_bad_request_header;
        count++;
        continues += weir_equal_nocase(element, WEIR_SPAN("100-continue"));
    }
    if (count == 0)
        return NULL;
    /* Vegur: asked for twice, it is not what we know. */
    if (count != 1 || continues != 1)
        return &weir_fault_expectation_failed;
    *out_continue = true;
    return NULL;
}

/* Vegur: "Connection: Upgrade Keep-Alive" is understood, though a comma is missing. */
static bool names_upgrade(weir_span_t options)
{
    const char *at = options.base, *end = at + options.len;

    while (at != end) {
        const char *start = at;
        while (at != end && *at != ',' && *at != ' ' && *at != '\t')
            at++;
        if (weir_equal_nocase((weir_span_t){start, (size_t)(at - start)}, WEIR_SPAN("upgrade")))
            return true;
        if (at != end)
            at++;
    }
    return false;
}

/* RFC 9110 §7.8: token [ "/" token ] */
static bool is_protocol(weir_span_t element)
{
    const char *slash = memchr(element.base, '/', element.len);
    size_t length = slash == NULL ? element.len : (size_t)(slash - element.base);

    if (!weir_is_token((weir_span_t){element.base, length}))
        return false;
    return slash == NULL || weir_is_token((weir_span_t){slash + 1, element.len - length - 1});
}

const weir_fault_t *weir_upgrade_read(const weir_headers_t *headers, bool *out_wanted)
{
    size_t protocols = 0;

    *out_wanted = false;
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].id == WEIR_HEADER_CONNECTION && headers->at[i].value.len != 0)
            *out_wanted = *out_wanted || names_upgrade(headers->at[i].value);
    }
    if (!*out_wanted)
        return NULL;
    for (size_t i = 0; i < headers->count; i++) {
        weir_span_t list = headers->at[i].value, element;

        while (headers->at[i].id == WEIR_HEADER_UPGRADE && weir_token_list_next(&list, &element)) {
            if (!is_protocol(element))
                return &weir_fault_bad_request_header;
            protocols++;
        }
    }
    return protocols == 0 ? &weir_fault_bad_request_header : NULL;
}
