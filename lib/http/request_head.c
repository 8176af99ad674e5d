/* SPDX-License-Identifier: MIT */
/*
 *   empty line (at most 5) ──▶ method SP target SP version CRLF ──▶ name ":" value CRLF (any number) ──▶ CRLF
 *
 * Every check looks at bytes from left to right and needs nothing that stands behind the byte it refuses.
 * Hence the same bytes give the same answer however they were split.
 */
#include "lib/http/request_head.h"

#include "lib/base/span.h"
#include "lib/http/head_scan.h"
#include "lib/http/host.h"
#include "lib/http/hop.h"
#include "lib/http/token_list.h"

enum { METHOD_BYTES = 127, EMPTY_LINES = 5 };

typedef struct scan {
    const char *start; /* of the head             */
    const char *line;  /* of the line being read  */
    const char *at;
    const char *end;
    const weir_head_limits_t *limits;
    weir_request_reader_t *reader;
    weir_request_head_t *head;
    const weir_fault_t *fault;
} scan_t;

static weir_head_progress_t refuse(scan_t *scan, const weir_fault_t *fault)
{
    scan->fault = fault;
    return WEIR_HEAD_FAULTY;
}

/* Ends the line at scan->at, which is behind its CRLF. */
static void finish_line(scan_t *scan)
{
    scan->line = scan->at;
    scan->reader->scanned_bytes = (size_t)(scan->at - scan->start);
}

/* COMPLETE if there is a byte at scan->at that the limit of the request line allows to be there. */
static weir_head_progress_t look(scan_t *scan)
{
    size_t length = (size_t)(scan->at - scan->line), limit = scan->limits->line_bytes;

    if (length > limit)
        return refuse(scan, &weir_fault_request_line_too_long);
    if (scan->at == scan->end)
        return WEIR_HEAD_PARTIAL;
    if (length == limit && *scan->at != '\r')
        return refuse(scan, &weir_fault_request_line_too_long);
    return WEIR_HEAD_COMPLETE;
}

/* The CRLF at scan->at, of which the CR has been seen. */
static weir_head_progress_t read_line_feed(scan_t *scan, const weir_fault_t *fault)
{
    if (scan->at + 1 == scan->end)
        return WEIR_HEAD_PARTIAL;
    if (scan->at[1] != '\n')
        return refuse(scan, fault);
    scan->at += 2;
    return WEIR_HEAD_COMPLETE;
}

/* RFC 9112 §2.2 */
static weir_head_progress_t skip_empty_lines(scan_t *scan)
{
    while (scan->at != scan->end && *scan->at == '\r') {
        weir_head_progress_t progress;

        if (scan->reader->empty_lines == EMPTY_LINES)
            return refuse(scan, &weir_fault_bad_request_line);
        progress = read_line_feed(scan, &weir_fault_bad_request_line);
        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
        scan->reader->empty_lines++;
        finish_line(scan);
    }
    return scan->at == scan->end ? WEIR_HEAD_PARTIAL : WEIR_HEAD_COMPLETE;
}

static weir_head_progress_t read_method(scan_t *scan)
{
    const char *most = scan->end;
    weir_head_progress_t progress;
    weir_span_t method;

    if (most - scan->at > METHOD_BYTES + 1)
        most = scan->at + METHOD_BYTES + 1;
    scan->at = weir_skip_chars(scan->line, most, WEIR_CHAR_TOKEN);
    method = (weir_span_t){scan->line, (size_t)(scan->at - scan->line)};
    if (method.len > METHOD_BYTES && scan->limits->line_bytes > METHOD_BYTES)
        return refuse(scan, &weir_fault_bad_method);
    progress = look(scan);
    if (progress != WEIR_HEAD_COMPLETE)
        return progress;
    if (*scan->at == '\r' || *scan->at == '\n')
        return refuse(scan, &weir_fault_bad_request_line);
    if (*scan->at != ' ' || method.len == 0)
        return refuse(scan, &weir_fault_bad_method);
    if (weir_span_equal(method, WEIR_SPAN("CONNECT")))
        return refuse(scan, &weir_fault_connect_refused);
    scan->head->method = method;
    scan->at++;
    return WEIR_HEAD_COMPLETE;
}

static weir_head_progress_t read_target(scan_t *scan)
{
    const char *start = scan->at;
    weir_head_progress_t progress;

    scan->at = weir_skip_target(start, scan->end);
    progress = look(scan);
    if (progress != WEIR_HEAD_COMPLETE)
        return progress;
    if (*scan->at == '\r' || *scan->at == '\n' || scan->at == start)
        return refuse(scan, &weir_fault_bad_request_line);
    if (*scan->at != ' ')
        return refuse(scan, &weir_fault_bad_target);
    scan->head->target = (weir_span_t){start, (size_t)(scan->at - start)};
    scan->at++;
    return WEIR_HEAD_COMPLETE;
}

/* RFC 9112 §2.3: what is not of the form is no request line (400), another version is not supported (505). */
static weir_head_progress_t read_version(scan_t *scan)
{
    static const char expected[] = "HTTP/1.";
    const size_t name_length = 5; /* HTTP/ */
    size_t i = 0;

    /* All of it in one look, if all of it is there and as it mostly is. */
    if (scan->end - scan->at >= 8 && scan->limits->line_bytes >= (size_t)(scan->at - scan->line) + 8 &&
        memcmp(scan->at, "HTTP/1.1", 8) == 0) {
        scan->head->minor = 1;
        scan->at += 8;
        i = 8;
    }
    for (; i <= sizeof(expected); i++) {
        weir_head_progress_t progress = look(scan);
        char c;

        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
        c = *scan->at;
        if ((i < name_length && c != expected[i]) || c == ' ')
            return refuse(scan, &weir_fault_bad_request_line);
        if (i == sizeof(expected))
            return c == '\r' ? WEIR_HEAD_COMPLETE : refuse(scan, &weir_fault_unsupported_version);
        if (i < sizeof(expected) - 1 ? c != expected[i] : (c != '0' && c != '1'))
            return refuse(scan, &weir_fault_unsupported_version);
        scan->head->minor = c == '1';
        scan->at++;
    }
    return WEIR_HEAD_COMPLETE;
}

/* The length of "http://" or "https://" at the front of `target`, or 0. Vegur: lower case only. */
static size_t scheme_length(weir_span_t target)
{
    if (target.len >= 7 && weir_equal_nocase((weir_span_t){target.base, 7}, WEIR_SPAN("http://")))
        return 7;
    if (target.len >= 8 && weir_equal_nocase((weir_span_t){target.base, 8}, WEIR_SPAN("https://")))
        return 8;
    return 0;
}

/* Of what begins with '?': whether anything stands behind it, but for a fragment. */
static bool has_query(weir_span_t query)
{
    return query.len > 1 && query.base[1] != '#';
}

/* RFC 9112 §3.2.2. What the buffer has no bytes for is told by head->path_lacks. */
static bool reduce_absolute(weir_request_head_t *head, size_t scheme)
{
    weir_span_t target = head->target, *out_path = &head->path;
    weir_span_t authority = {target.base + scheme, 0}, host;
    size_t rest = target.len - scheme;
    int32_t port;

    while (authority.len < rest && strchr("/?#", authority.base[authority.len]) == NULL)
        authority.len++;
    if (!weir_host_split(authority, &host, &port) || host.len == 0)
        return false;
    head->authority = authority;
    *out_path = (weir_span_t){target.base + scheme - 1, 1}; /* the slash of the scheme */
    if (authority.len == rest || authority.base[authority.len] == '#') {
        if (weir_span_equal(head->method, WEIR_SPAN("OPTIONS")))
            head->path_lacks = WEIR_PATH_LACKS_ASTERISK;
        return true;
    }
    if (authority.base[authority.len] == '?' && has_query((weir_span_t){authority.base + authority.len, rest - authority.len}))
        head->path_lacks = WEIR_PATH_LACKS_SLASH;
    else if (authority.base[authority.len] == '?')
        return true;
    *out_path = (weir_span_t){authority.base + authority.len, rest - authority.len};
    return true;
}

/* Vegur: the fragment goes, and so does a '?' with nothing behind it. */
static weir_span_t without_fragment(weir_span_t path)
{
    const char *mark = memchr(path.base, '#', path.len);

    if (mark != NULL)
        path.len = (size_t)(mark - path.base);
    if (path.base[path.len - 1] == '?' && memchr(path.base, '?', path.len - 1) == NULL)
        path.len--;
    return path;
}

/* RFC 9112 §3.2. Sets the path, and the authority if the target names one. */
static bool reduce_target(weir_request_head_t *head)
{
    weir_span_t target = head->target, *out_path = &head->path;
    size_t scheme;

    head->authority = (weir_span_t){NULL, 0};
    head->path_lacks = WEIR_PATH_LACKS_NOTHING;
    if (target.base[0] == '/') {
        *out_path = without_fragment(target);
        return true;
    }
    if (weir_span_equal(target, WEIR_SPAN("*"))) {
        *out_path = target;
        return weir_span_equal(head->method, WEIR_SPAN("OPTIONS"));
    }
    scheme = scheme_length(target);
    if (scheme == 0 || !reduce_absolute(head, scheme))
        return false;
    *out_path = without_fragment(*out_path);
    return true;
}

static weir_head_progress_t read_request_line(scan_t *scan)
{
    weir_head_progress_t progress = skip_empty_lines(scan);

    if (progress == WEIR_HEAD_COMPLETE)
        progress = read_method(scan);
    if (progress == WEIR_HEAD_COMPLETE)
        progress = read_target(scan);
    if (progress == WEIR_HEAD_COMPLETE)
        progress = read_version(scan);
    if (progress == WEIR_HEAD_COMPLETE)
        progress = read_line_feed(scan, &weir_fault_bad_request_line);
    if (progress != WEIR_HEAD_COMPLETE)
        return progress;
    if (!reduce_target(scan->head))
        return refuse(scan, &weir_fault_bad_target);
    scan->reader->has_request_line = true;
    scan->reader->lines = 1;
    finish_line(scan);
    return WEIR_HEAD_COMPLETE;
}

/* RFC 9112 §5.1: a token and, with nothing in between, a colon. An obs-fold fails here, as an empty name. */
static weir_head_progress_t read_name(scan_t *scan, weir_span_t *out_name)
{
    scan->at = weir_skip_chars(scan->line, scan->end, WEIR_CHAR_TOKEN);
    *out_name = (weir_span_t){scan->line, (size_t)(scan->at - scan->line)};
    if (out_name->len > scan->limits->name_bytes)
        return refuse(scan, &weir_fault_header_name_too_long);
    if (scan->at == scan->end)
        return WEIR_HEAD_PARTIAL;
    if (*scan->at != ':' || out_name->len == 0)
        return refuse(scan, &weir_fault_bad_header);
    scan->at++;
    return WEIR_HEAD_COMPLETE;
}

static weir_head_progress_t read_value(scan_t *scan, weir_span_t *out_value)
{
    const char *start = weir_skip_blanks(scan->at, scan->end);

    scan->at = weir_skip_field(start, scan->end);
    *out_value = (weir_span_t){start, (size_t)(weir_drop_blanks(start, scan->at) - start)};
    if (out_value->len > scan->limits->value_bytes)
        return refuse(scan, &weir_fault_header_value_too_long);
    if (scan->at == scan->end)
        return WEIR_HEAD_PARTIAL;
    if (*scan->at != '\r')
        return refuse(scan, &weir_fault_bad_header);
    return read_line_feed(scan, &weir_fault_bad_header);
}

/* Up to and with the empty line. */
static weir_head_progress_t read_fields(scan_t *scan)
{
    while (scan->at != scan->end && *scan->at != '\r') {
        weir_head_progress_t progress;
        weir_header_t *field = &scan->head->headers.at[scan->reader->lines - 1];

        if (scan->reader->lines > scan->limits->count)
            return refuse(scan, &weir_fault_too_many_headers);
        progress = read_name(scan, &field->name);
        if (progress == WEIR_HEAD_COMPLETE)
            progress = read_value(scan, &field->value);
        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
        field->id = weir_header_id(field->name);
        scan->reader->lines++;
        finish_line(scan);
    }
    if (scan->at == scan->end)
        return WEIR_HEAD_PARTIAL;
    return read_line_feed(scan, &weir_fault_bad_header);
}

/* From where the reader stands. */
static weir_head_progress_t read_lines(scan_t *scan)
{
    scan->line = scan->at = scan->start + scan->reader->scanned_bytes;
    if (!scan->reader->has_request_line) {
        weir_head_progress_t progress = read_request_line(scan);
        if (progress != WEIR_HEAD_COMPLETE)
            return progress;
    }
    return read_fields(scan);
}

/*
 * RFC 9112 §3.2.2: an authority in the target wins, and takes the place of Host's value: who routes and who is forwarded to
 * hear of the same one. `host` is NULL if there is no such field.
 */
static const weir_fault_t *settle_authority(weir_request_head_t *head, weir_header_t *host, const weir_head_limits_t *limits)
{
    weir_span_t name;
    int32_t port;

    if (host == NULL)
        return head->minor == 1 ? &weir_fault_missing_host : NULL;
    if (head->authority.base == NULL) {
        head->authority = host->value;
        return NULL;
    }
    if (!weir_host_split(host->value, &name, &port))
        return &weir_fault_bad_host;
    if (head->authority.len > limits->value_bytes)
        return &weir_fault_header_value_too_long;
    host->value = head->authority;
    return NULL;
}

/* What can be said only when all fields are there. */
static const weir_fault_t *finish_head(weir_request_head_t *head, const weir_head_limits_t *limits)
{
    const weir_fault_t *fault;
    weir_header_t *host = NULL;

    head->has_expect = false;
    for (size_t i = 0; i < head->headers.count; i++) {
        weir_header_t *field = &head->headers.at[i];
        head->has_expect = head->has_expect || field->id == WEIR_HEADER_EXPECT;
        if (field->id != WEIR_HEADER_HOST)
            continue;
        /* RFC 9112 §3.2: 400, equal or not; of HTTP/1.0 we ask the same. */
        if (host != NULL)
            return &weir_fault_duplicate_host;
        host = field;
    }
    fault = settle_authority(head, host, limits);
    if (fault != NULL)
        return fault;
    head->is_persistent = weir_hop_is_persistent(&head->headers, head->minor);
    return weir_framing_of_request(&head->headers, head->minor, &head->framing);
}

weir_head_progress_t weir_request_head_read(weir_request_reader_t *reader, weir_span_t bytes, const weir_head_limits_t *limits,
                                            weir_header_t *headers, weir_request_head_t *out_head, size_t *out_consumed_bytes,
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
        *reader = (weir_request_reader_t){0};
        progress = read_lines(&scan);
    }
    if (progress == WEIR_HEAD_PARTIAL && visible < bytes.len)
        progress = refuse(&scan, &weir_fault_head_too_large);
    if (progress == WEIR_HEAD_COMPLETE) {
        out_head->headers.count = reader->lines - 1;
        *out_consumed_bytes = (size_t)(scan.at - scan.start);
        scan.fault = finish_head(out_head, limits);
    }
    if (scan.fault == NULL)
        return progress;
    *out_fault = scan.fault;
    return WEIR_HEAD_FAULTY;
}
