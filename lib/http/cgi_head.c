/* SPDX-License-Identifier: MIT */
/* The end of the head is looked for first, so that its lines are read once, and in one piece. */
#include "lib/http/cgi_head.h"

#include <string.h>

#include "lib/base/span.h"
#include "lib/http/head_scan.h"

enum { STATUS_OK = 200, STATUS_FOUND = 302, STATUS_DIGITS = 3 };

typedef struct lines {
    const weir_response_limits_t *limits;
    weir_response_head_t *head;
    bool has_status, has_location;
} lines_t;

/* Where the empty line ends; 0 if it is not there yet. */
static size_t find_end(weir_cgi_head_reader_t *reader, weir_span_t bytes)
{
    const char *at = bytes.base + reader->scanned_bytes, *end = bytes.base + bytes.len;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const size_t length = line_end == NULL ? 0 : (size_t)(line_end - at);
        if (line_end == NULL)
            break;
        if (length == 0 || (length == 1 && *at == '\r'))
            return (size_t)(line_end + 1 - bytes.base);
        at = line_end + 1;
    }
    reader->scanned_bytes = (size_t)(at - bytes.base); /* the beginning of a line */
    return 0;
}

static const weir_fault_t *read_status(lines_t *lines, weir_span_t value)
{
    weir_response_head_t *head = lines->head;
    uint16_t status = 0;

    if (value.len > lines->limits->status_line_bytes)
        return &weir_fault_backend_status_length;
    if (lines->has_status || value.len < STATUS_DIGITS || (value.len > STATUS_DIGITS && value.base[STATUS_DIGITS] != ' '))
        return &weir_fault_backend_invalid_status;
    for (size_t i = 0; i < STATUS_DIGITS; i++) {
        if (value.base[i] < '0' || value.base[i] > '9')
            return &weir_fault_backend_invalid_status;
        status = (uint16_t)(status * 10 + (value.base[i] - '0'));
    }
    if (status < STATUS_OK) /* nothing interim can be said in CGI */
        return &weir_fault_backend_invalid_status;
    lines->has_status = true;
    head->status = status;
    if (value.len > STATUS_DIGITS)
        head->reason = (weir_span_t){value.base + STATUS_DIGITS + 1, value.len - STATUS_DIGITS - 1};
    return NULL;
}

static const weir_fault_t *check_length(const lines_t *lines, const weir_header_t *field, size_t length)
{
    if (length > lines->limits->header_bytes)
        return &weir_fault_backend_header_length;
    if (field->id == WEIR_HEADER_SET_COOKIE && length > lines->limits->cookie_bytes)
        return &weir_fault_backend_cookie_length;
    return NULL;
}

/* One line, without its end. */
static const weir_fault_t *read_line(lines_t *lines, const char *at, const char *end)
{
    weir_headers_t *headers = &lines->head->headers;
    const char *colon = weir_skip_chars(at, end, WEIR_CHAR_TOKEN), *value;
    weir_header_t field = {.name = {at, (size_t)(colon - at)}};
    const weir_fault_t *fault;

    if (colon == at || colon == end || *colon != ':')
        return &weir_fault_backend_invalid_header;
    value = weir_skip_blanks(colon + 1, end);
    if (weir_skip_field(value, end) != end)
        return &weir_fault_backend_invalid_header;
    field.value = (weir_span_t){value, (size_t)(weir_drop_blanks(value, end) - value)};
    if (weir_equal_nocase(field.name, WEIR_SPAN("Status")))
        return read_status(lines, field.value);
    field.id = weir_header_id(field.name);
    if (field.id == WEIR_HEADER_TRANSFER_ENCODING)
        return &weir_fault_backend_invalid_transfer_encoding;
    fault = check_length(lines, &field, (size_t)(end - at));
    if (fault != NULL)
        return fault;
    if (headers->count == headers->capacity)
        return &weir_fault_backend_header_length;
    lines->has_location = lines->has_location || weir_equal_nocase(field.name, WEIR_SPAN("Location"));
    headers->at[headers->count++] = field;
    return NULL;
}

static const weir_fault_t *read_lines(lines_t *lines, weir_span_t head)
{
    const char *at = head.base, *end = head.base + head.len;

    while (at < end) {
        const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1, *line_end = next - 1;
        if (line_end > at && line_end[-1] == '\r')
            line_end--;
        if (line_end == at)
            break;
        const weir_fault_t *fault = read_line(lines, at, line_end);
        if (fault != NULL)
            return fault;
        at = next;
    }
    if (!lines->has_status)
        lines->head->status = lines->has_location ? STATUS_FOUND : STATUS_OK;
    return NULL;
}

weir_head_progress_t weir_cgi_head_read(weir_cgi_head_reader_t *reader, weir_span_t bytes, const weir_response_limits_t *limits,
                                        weir_header_t *headers, weir_response_head_t *out_head, size_t *out_consumed_bytes,
                                        const weir_fault_t **out_fault)
{
    const size_t visible = bytes.len < limits->total_bytes ? bytes.len : limits->total_bytes;
    const size_t end = find_end(reader, (weir_span_t){bytes.base, visible});
    lines_t lines = {.limits = limits, .head = out_head};

    if (end == 0 && visible == bytes.len)
        return WEIR_HEAD_PARTIAL;
    if (end == 0) {
        *out_fault = &weir_fault_backend_header_length;
        return WEIR_HEAD_FAULTY;
    }
    *out_head = (weir_response_head_t){.minor = 1, .is_persistent = true, .headers = {headers, 0, limits->count}};
    *out_fault = read_lines(&lines, (weir_span_t){bytes.base, end});
    if (*out_fault != NULL)
        return WEIR_HEAD_FAULTY;
    *out_consumed_bytes = end;
    return WEIR_HEAD_COMPLETE;
}
