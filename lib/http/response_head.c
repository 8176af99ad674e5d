/* SPDX-License-Identifier: MIT */
/*
 *   "HTTP/1." digit SP 3 digits [SP reason] CRLF ──▶ name ":" value CRLF (any number) ──▶ CRLF
 *
 * As in request_head.c, every check needs nothing that stands behind the byte it refuses.
 */
#include "lib/http/response_head.h"

#include "lib/base/span.h"
#include "lib/http/head_scan.h"
#include "lib/http/hop.h"

typedef struct scan {
    const char *start; /* of the head             */
    const char *line;  /* of the line being read  */
    const char *at;
    const char *end;
    const weir_response_limits_t *limits;
    weir_response_reader_t *reader;
    weir_response_head_t *head;
    const weir_fault_t *fault;
} scan_t;

static weir_head_progress_t refuse(scan_t *scan, const weir_fault_t *fault)
{
    scan->fault = fault;
    return WEIR_HEAD_FAULTY;
}

static void finish_line(scan_t *scan)
{
    scan->reader->lines++;
    scan->line = scan->at;
    scan->reader->scanned_bytes = (size_t)(scan->at - scan->start);
}

/* COMPLETE if there is a byte at scan->at that a line of at most `limit` bytes may have there, else `fault`. */
static weir_head_progress_t look(scan_t *scan, size_t limit, const weir_fault_t *fault)
{
    size_t length = (size_t)(scan->at - scan->line);

    if (length > limit)
        return refuse(scan, fault);
    if (scan->at == scan->end)
        return WEIR_HEAD_PARTIAL;
    if (length == limit && *scan->at != '\r')
        return refuse(scan, fault);
    return WEIR_HEAD_COMPLETE;
}

/* The CRLF at scan->at. */
static weir_head_progress_t read_line_end(scan_t *scan, const weir_fault_t *fault)
{
    if (scan->at[0] != '\r')
        return refuse(scan, fault);
    if (scan->at + 1 == scan->end)
        return WEIR_HEAD_PARTIAL;
    if (scan->at[1] != '\n')
        return refuse(scan, fault);
    scan->at += 2;
    return WEIR_HEAD_COMPLETE;
}

/* Whether `c` may be the byte at `index` of a status line. */
static bool may_start_status_line(char c, size_t index)
{
    static const char prefix[] = "HTTP/1.";

    if (index < 7)
        return c == prefix[index];
    if (index == 7)
        return c == '0' || c == '1';
    if (index == 8)
        return c == ' ';
    return c >= (index == 9 ? '1' : '0') && c <= '9';
}

/* RFC 9112 §4: through the status code. */
static weir_head_progress_t read_status(scan_t *scan)
{
    const char *line = scan->line;
    size_t i = 0;

    /* Most of it in one look, if it is there and as it mostly is. */
    if (scan->end - line >= 8 && scan->limits->status_line_bytes >= 8 && memcmp(line, "HTTP/1.1", 8) == 0) {
        scan->at += 8;
        i = 8;
    }
    for (; i < 12; i++) {
        weir_head_progress_t progress = look(scan, scan->limits->status_line_bytes, &weir_fault_backend_status_length);

        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
        if (!may_start_status_line(*scan->at, i))
            return refuse(scan, &weir_fault_backend_invalid_status);
        scan->at++;
    }
    scan->head->minor = line[7] == '1';
    scan->head->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    return WEIR_HEAD_COMPLETE;
}

/* Nothing, or a space and any text. */
static weir_head_progress_t read_reason(scan_t *scan)
{
    size_t limit = scan->limits->status_line_bytes;
    const char *start = scan->at;
    weir_head_progress_t progress = look(scan, limit, &weir_fault_backend_status_length);

    if (progress != WEIR_HEAD_COMPLETE)
        return progress;
    if (*start == ' ') {
        start++;
        scan->at = weir_skip_field(start, scan->end);
        progress = look(scan, limit, &weir_fault_backend_status_length);
        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
    }
    scan->head->reason = (weir_span_t){start, (size_t)(scan->at - start)};
    return read_line_end(scan, &weir_fault_backend_invalid_status);
}

static weir_head_progress_t read_status_line(scan_t *scan)
{
    weir_head_progress_t progress = read_status(scan);

    if (progress == WEIR_HEAD_COMPLETE)
        progress = read_reason(scan);
    if (progress == WEIR_HEAD_COMPLETE)
        finish_line(scan);
    return progress;
}

/* RFC 9112 §5.1: a token and, with nothing in between, a colon. An obs-fold fails here, as an empty name. */
static weir_head_progress_t read_name(scan_t *scan, weir_header_t *field)
{
    weir_head_progress_t progress;

    scan->at = weir_skip_chars(scan->line, scan->end, WEIR_CHAR_TOKEN);
    progress = look(scan, scan->limits->header_bytes, &weir_fault_backend_header_length);
    if (progress != WEIR_HEAD_COMPLETE)
        return progress;
    field->name = (weir_span_t){scan->line, (size_t)(scan->at - scan->line)};
    if (*scan->at != ':' || field->name.len == 0)
        return refuse(scan, &weir_fault_backend_invalid_header);
    field->id = weir_header_id(field->name);
    scan->at++;
    return WEIR_HEAD_COMPLETE;
}

static weir_head_progress_t read_value(scan_t *scan, weir_header_t *field)
{
    const weir_fault_t *too_long = &weir_fault_backend_header_length;
    size_t limit = scan->limits->header_bytes;
    const char *start = weir_skip_blanks(scan->at, scan->end);
    weir_head_progress_t progress;

    if (field->id == WEIR_HEADER_SET_COOKIE && scan->limits->cookie_bytes <= limit) {
        limit = scan->limits->cookie_bytes;
        too_long = &weir_fault_backend_cookie_length;
    }
    scan->at = weir_skip_field(start, scan->end);
    progress = look(scan, limit, too_long);
    if (progress != WEIR_HEAD_COMPLETE)
        return progress;
    field->value = (weir_span_t){start, (size_t)(weir_drop_blanks(start, scan->at) - start)};
    return read_line_end(scan, &weir_fault_backend_invalid_header);
}

/* Up to and with the empty line. */
static weir_head_progress_t read_fields(scan_t *scan)
{
    while (scan->at != scan->end && *scan->at != '\r') {
        weir_head_progress_t progress;
        weir_header_t *field = &scan->head->headers.at[scan->reader->lines - 1];

        if (scan->reader->lines > scan->limits->count)
            return refuse(scan, &weir_fault_backend_header_length);
        progress = read_name(scan, field);
        if (progress == WEIR_HEAD_COMPLETE)
            progress = read_value(scan, field);
        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
        finish_line(scan);
    }
    if (scan->at == scan->end)
        return WEIR_HEAD_PARTIAL;
    return read_line_end(scan, &weir_fault_backend_invalid_header);
}

/* From where the reader stands. */
static weir_head_progress_t read_lines(scan_t *scan)
{
    scan->line = scan->at = scan->start + scan->reader->scanned_bytes;
    if (scan->reader->lines == 0) {
        weir_head_progress_t progress = read_status_line(scan);
        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
    }
    return read_fields(scan);
}

weir_head_progress_t weir_response_head_read(weir_response_reader_t *reader, weir_span_t bytes,
                                             const weir_response_limits_t *limits, weir_header_t *headers,
                                             weir_response_head_t *out_head, size_t *out_consumed_bytes,
                                             const weir_fault_t **out_fault)
{
    size_t visible = bytes.len < limits->total_bytes ? bytes.len : limits->total_bytes;
    bool is_first_look = reader->scanned_bytes == 0;
    scan_t scan = {.start = bytes.base, .limits = limits, .reader = reader, .head = out_head};
    weir_head_progress_t progress;

    if (bytes.len == 0)
        return WEIR_HEAD_PARTIAL;
    scan.end = bytes.base + visible;
    out_head->headers = (weir_headers_t){headers, 0, limits->count};
    progress = read_lines(&scan);
    if (progress == WEIR_HEAD_COMPLETE && !is_first_look) {
        /* The buffer may have moved since the first lines were seen: point into this one. Once per head. */
        *reader = (weir_response_reader_t){0};
        progress = read_lines(&scan);
    }
    if (progress == WEIR_HEAD_PARTIAL && visible < bytes.len)
        progress = refuse(&scan, &weir_fault_backend_header_length);
    if (progress == WEIR_HEAD_FAULTY) {
        *out_fault = scan.fault;
        return progress;
    }
    if (progress == WEIR_HEAD_COMPLETE) {
        out_head->headers.count = reader->lines - 1;
        out_head->is_end = false;
        out_head->is_persistent = weir_hop_is_persistent(&out_head->headers, out_head->minor);
        *out_consumed_bytes = (size_t)(scan.at - scan.start);
    }
    return progress;
}
