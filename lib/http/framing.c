/* SPDX-License-Identifier: MIT */
#include "lib/http/framing.h"

#include "lib/base/span.h"
#include "lib/http/head_scan.h"
#include "lib/http/status.h"
#include "lib/http/token_list.h"

typedef enum coding_list {
    CODINGS_MALFORMED,
    CODINGS_CHUNKED,     /* that and nothing else */
    CODINGS_UNSUPPORTED, /* well-formed, but not chunked alone */
} coding_list_t;

/* A token, or something between double quotes that needs no escape. */
static bool is_parameter_value(weir_span_t value)
{
    if (value.len < 2 || value.base[0] != '"')
        return weir_is_token(value);
    for (size_t i = 1; i < value.len - 1; i++) {
        if (value.base[i] == '"' || value.base[i] == '\\')
            return false;
    }
    return value.base[value.len - 1] == '"';
}

static bool is_parameter(weir_span_t parameter)
{
    const char *equals = memchr(parameter.base, '=', parameter.len);
    size_t before;

    if (equals == NULL)
        return false;
    before = (size_t)(equals - parameter.base);
    return weir_is_token(weir_span_trim((weir_span_t){parameter.base, before})) &&
           is_parameter_value(weir_span_trim((weir_span_t){equals + 1, parameter.len - before - 1}));
}

/* RFC 9112 §7: token *( OWS ";" OWS parameter ). *out_name is the token; has_parameters tells the rest. */
static bool split_coding(weir_span_t coding, weir_span_t *out_name, bool *out_has_parameters)
{
    const char *semicolon = memchr(coding.base, ';', coding.len);
    const char *end = coding.base + coding.len;

    *out_has_parameters = semicolon != NULL;
    *out_name = (weir_span_t){coding.base, semicolon == NULL ? coding.len : (size_t)(semicolon - coding.base)};
    *out_name = weir_span_trim(*out_name);
    while (semicolon != NULL) {
        const char *start = semicolon + 1;
        semicolon = memchr(start, ';', (size_t)(end - start));
        size_t length = (size_t)((semicolon == NULL ? end : semicolon) - start);
        weir_span_t parameter = weir_span_trim((weir_span_t){start, length});
        if (parameter.len == 0 || !is_parameter(parameter))
            return false;
    }
    return weir_is_token(*out_name);
}

/* Takes the element up to the next comma. Other than in weir_token_list_next() an empty one is an element. */
static weir_span_t next_coding(weir_span_t *rest, bool *out_is_last)
{
    const char *comma = memchr(rest->base, ',', rest->len);
    weir_span_t coding = *rest;

    *out_is_last = comma == NULL;
    if (comma != NULL) {
        coding.len = (size_t)(comma - rest->base);
        rest->base = comma + 1;
        rest->len -= coding.len + 1;
    }
    return weir_span_trim(coding);
}

/* What a Transfer-Encoding value asks for. Empty elements, though RFC 9110 §5.6.1 tolerates them, are not worth the risk. */
static coding_list_t read_codings(weir_span_t value)
{
    coding_list_t result = CODINGS_CHUNKED;
    bool is_last = false;

    if (weir_equal_nocase(value, WEIR_SPAN("chunked")))
        return CODINGS_CHUNKED;
    if (value.len == 0)
        return CODINGS_MALFORMED;
    while (!is_last) {
        weir_span_t coding = next_coding(&value, &is_last), name;
        bool has_parameters;

        if (coding.len == 0 || !split_coding(coding, &name, &has_parameters))
            return CODINGS_MALFORMED;
        if (weir_equal_nocase(name, WEIR_SPAN("identity")))
            return CODINGS_MALFORMED;
        if (!weir_equal_nocase(name, WEIR_SPAN("chunked"))) {
            result = is_last ? CODINGS_MALFORMED : CODINGS_UNSUPPORTED; /* RFC 9112 §6.3: nobody knows where it ends */
            continue;
        }
        /* RFC 9112 §7.1: chunked has no parameters. §6.1: it comes last, and once. */
        if (has_parameters || !is_last)
            return CODINGS_MALFORMED;
    }
    return result;
}

const weir_fault_t *weir_framing_of_request(const weir_headers_t *headers, uint8_t minor, weir_framing_t *out)
{
    const weir_header_t *length = NULL, *coding = NULL;

    *out = (weir_framing_t){WEIR_FRAMING_NONE, 0};
    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];
        if (field->id == WEIR_HEADER_TRANSFER_ENCODING) {
            if (coding != NULL)
                return &weir_fault_invalid_transfer_encoding;
            coding = field;
        } else if (field->id == WEIR_HEADER_CONTENT_LENGTH) {
            /* Vegur: 1 and 01 are two different ones. */
            if (length != NULL && !weir_span_equal(length->value, field->value))
                return &weir_fault_bad_content_length;
            length = field;
        }
    }
    if (length != NULL && !weir_span_to_u63(length->value, &out->length_bytes))
        return &weir_fault_bad_content_length;
    if (coding == NULL) {
        out->kind = out->length_bytes == 0 ? WEIR_FRAMING_NONE : WEIR_FRAMING_LENGTH;
        return NULL;
    }
    out->length_bytes = 0;
    /* RFC 9112 §6.1 lets us choose; refusing leaves nothing to smuggle. */
    if (length != NULL)
        return &weir_fault_conflicting_framing;
    if (minor == 0)
        return &weir_fault_invalid_transfer_encoding;
    switch (read_codings(coding->value)) {
    case CODINGS_CHUNKED:
        out->kind = WEIR_FRAMING_CHUNKED;
        return NULL;
    case CODINGS_UNSUPPORTED:
        return &weir_fault_unsupported_transfer_coding;
    case CODINGS_MALFORMED:
        break;
    }
    return &weir_fault_invalid_transfer_encoding;
}

/* Vegur: numerically equal ones are one. */
static const weir_fault_t *read_response_length(const weir_headers_t *headers, uint64_t *out_length)
{
    *out_length = UINT64_MAX;
    for (size_t i = 0; i < headers->count; i++) {
        uint64_t length;

        if (headers->at[i].id != WEIR_HEADER_CONTENT_LENGTH)
            continue;
        if (!weir_span_to_u63(headers->at[i].value, &length))
            return &weir_fault_backend_content_length;
        if (*out_length != UINT64_MAX && *out_length != length)
            return &weir_fault_backend_content_length;
        *out_length = length;
    }
    return NULL;
}

/*
 * We never ask for another coding (TE is not forwarded), and could not hand it on without its label. So `chunked` in one
 * field is all that is understood.
 */
static const weir_fault_t *read_response_coding(const weir_headers_t *headers, const weir_header_t *coding)
{
    if (weir_headers_count(headers, WEIR_HEADER_TRANSFER_ENCODING) != 1)
        return &weir_fault_backend_invalid_transfer_encoding;
    if (read_codings(coding->value) != CODINGS_CHUNKED)
        return &weir_fault_backend_invalid_transfer_encoding;
    return NULL;
}

const weir_fault_t *weir_framing_of_response(const weir_headers_t *headers, uint16_t status, bool is_head, weir_framing_t *out,
                                             uint64_t *out_content_length)
{
    const weir_header_t *coding = weir_headers_find(headers, WEIR_HEADER_TRANSFER_ENCODING);
    const weir_fault_t *fault;

    *out = (weir_framing_t){WEIR_FRAMING_NONE, 0};
    *out_content_length = UINT64_MAX;
    /* RFC 9110 §8.6: a 1xx or 204 has no Content-Length; if it has one it means nothing. */
    if (!weir_status_has_body(status) && status != 304)
        return NULL;
    if (coding == NULL) {
        fault = read_response_length(headers, out_content_length);
        if (fault != NULL)
            return fault;
    }
    if (is_head || status == 304)
        return NULL;
    if (coding != NULL) {
        out->kind = WEIR_FRAMING_CHUNKED;
        return read_response_coding(headers, coding);
    }
    if (*out_content_length == UINT64_MAX) {
        out->kind = WEIR_FRAMING_UNTIL_CLOSE;
        return NULL;
    }
    if (*out_content_length != 0)
        *out = (weir_framing_t){WEIR_FRAMING_LENGTH, *out_content_length};
    return NULL;
}
