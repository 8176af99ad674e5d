/* SPDX-License-Identifier: MIT */
/*
 * A file's answer: conditions, then ranges, then pieces.
 *
 * What is sent is a list of parts, each a head (of multipart/byteranges; else empty) and a range of the file; the whole file is
 * one part.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/byte_ranges.h"
#include "lib/http/http_date.h"
#include "lib/wire/local/files_private.h"
#include "lib/wire/local/gzip.h"

enum { BUFFER_BYTES = 32768, BOUNDARY_BYTES = 24, PART_HEAD_BYTES = 128 };

typedef struct part {
    h2o_iovec_t head;
    weir_byte_range_t range;
} part_t;

typedef struct sending {
    h2o_generator_t generator; /* first: libh2o hands it back */
    weir_file_t *file;
    weir_gunzip_t *gunzip; /* NULL: the file as it is */
    part_t *parts;
    size_t part_count, part_at;
    uint64_t sent_bytes; /* of the present part's range */
    h2o_iovec_t closing; /* behind the last part */
    char *buffer;
    size_t buffer_bytes;
} sending_t;

/* What a file can be compared by. */
typedef struct validators {
    char etag[80]; /* empty: none */
    int64_t modified_s, now_s;
} validators_t;

static weir_span_t span_of(h2o_iovec_t bytes)
{
    return (weir_span_t){bytes.base, bytes.len};
}

static weir_span_t etag_of(const validators_t *validators)
{
    return (weir_span_t){validators->etag, strlen(validators->etag)};
}

static bool is_method(const h2o_req_t *req, const char *name)
{
    return h2o_memis(req->method.base, req->method.len, name, strlen(name));
}

/* ---- what a file can be compared by ---- */

/* Another one for each coding: they are different bytes (RFC 9110 §8.8.3.3). */
static void fill_validators(const weir_file_t *file, validators_t *out)
{
    const struct stat *stat = &file->stat;
    const char *coding = file->is_gunzipped ? "plain" : file->encoding != NULL ? file->encoding : "";

    out->now_s = (int64_t)time(NULL);
    /* not in the future (§8.8.2.1) */
    out->modified_s = (int64_t)stat->st_mtim.tv_sec < out->now_s ? (int64_t)stat->st_mtim.tv_sec : out->now_s;
    out->etag[0] = '\0';
    if (file->has_etag)
        snprintf(out->etag, sizeof(out->etag), "\"%" PRIx64 "%08lx-%" PRIx64 "%s%s\"", (uint64_t)stat->st_mtim.tv_sec,
                 (unsigned long)stat->st_mtim.tv_nsec, (uint64_t)stat->st_size, *coding != '\0' ? "-" : "", coding);
}

/* ---- conditions (§13.2.2) ---- */

/* 1: one of the fields holds; 0: none does; -1: there is none. */
static int tags_hold(const h2o_req_t *req, const h2o_token_t *token, const validators_t *validators, bool is_strong)
{
    ssize_t at = -1;
    int holds = -1;

    while ((at = h2o_find_header(&req->headers, token, at)) != -1)
        holds = holds == 1 || weir_etags_have(span_of(req->headers.entries[at].value), etag_of(validators), is_strong);
    return holds;
}

/* Whether the field is there, holds a date, and the file has changed since. out_is_there: the first two. */
static bool has_changed_since(const h2o_req_t *req, const h2o_token_t *token, const validators_t *validators,
                              bool *out_is_there)
{
    const ssize_t at = h2o_find_header(&req->headers, token, -1);
    int64_t since_s;

    *out_is_there = at != -1 && weir_http_date_read(span_of(req->headers.entries[at].value), validators->now_s, &since_s);
    return *out_is_there && validators->modified_s > since_s;
}

/* 0: go on; else 304 or 412. */
static int judge_conditions(const h2o_req_t *req, const validators_t *validators)
{
    const int match = tags_hold(req, H2O_TOKEN_IF_MATCH, validators, true);
    bool is_there;

    if (match == 0)
        return 412;
    if (match == -1 && has_changed_since(req, H2O_TOKEN_IF_UNMODIFIED_SINCE, validators, &is_there))
        return 412;
    const int none_match = tags_hold(req, H2O_TOKEN_IF_NONE_MATCH, validators, false);
    if (none_match != -1)
        return none_match == 1 ? 304 : 0;
    const bool has_changed = has_changed_since(req, H2O_TOKEN_IF_MODIFIED_SINCE, validators, &is_there);
    return is_there && !has_changed ? 304 : 0;
}

/* Whether the ranges are wanted of just this file (§13.1.5). A date of just now is no strong validator (§8.8.2.2). */
static bool if_range_holds(const h2o_req_t *req, const validators_t *validators)
{
    const ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_IF_RANGE, -1);
    int64_t said_s;

    if (at == -1)
        return true;
    const weir_span_t value = weir_span_trim(span_of(req->headers.entries[at].value));
    if (weir_is_etag(value))
        return validators->etag[0] != '\0' && weir_etags_have(value, etag_of(validators), true);
    return weir_http_date_read(value, validators->now_s, &said_s) && said_s == validators->modified_s &&
           validators->modified_s < validators->now_s - 1;
}

static weir_ranges_t read_ranges(const h2o_req_t *req, const weir_file_t *file, const validators_t *validators,
                                 weir_byte_range_t ranges[static WEIR_BYTE_RANGES_MOST], size_t *out_count)
{
    const ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_RANGE, -1);

    if (at == -1 || !is_method(req, "GET") || file->is_gunzipped || h2o_find_header(&req->headers, H2O_TOKEN_RANGE, at) != -1 ||
        !if_range_holds(req, validators))
        return WEIR_RANGES_IGNORED;
    return weir_byte_ranges_read(span_of(req->headers.entries[at].value), (uint64_t)file->stat.st_size, ranges, out_count);
}

/* ---- pieces ---- */

/* Of the present part. 0 or -1 is the end of what can be read, before its time. */
static ssize_t read_some(sending_t *self, char *to, size_t room_bytes)
{
    const weir_byte_range_t range = self->parts[self->part_at].range;
    const uint64_t left_bytes = range.length_bytes - self->sent_bytes;
    ssize_t got;

    if (self->gunzip != NULL)
        return weir_gunzip_read(self->gunzip, to, room_bytes);
    if (left_bytes < room_bytes)
        room_bytes = (size_t)left_bytes;
    do
        got = pread(self->file->fd, to, room_bytes, (off_t)(range.first + self->sent_bytes));
    while (got == -1 && errno == EINTR);
    return got;
}

static bool is_part_over(const sending_t *self, size_t got, size_t room_bytes)
{
    if (self->gunzip != NULL)
        return got < room_bytes;
    return self->sent_bytes == self->parts[self->part_at].range.length_bytes;
}

static void give_up(sending_t *self, h2o_req_t *req)
{
    h2o_req_log_error(req, "file", "%s: %s; the response is cut", self->file->name,
                      self->gunzip != NULL ? "cannot be decompressed" : "has become shorter, or cannot be read");
    h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    sending_t *self = (sending_t *)(void *)generator;
    const part_t *part = &self->parts[self->part_at];
    h2o_iovec_t pieces[3];
    size_t count = 0;

    if (self->sent_bytes == 0 && part->head.len > 0)
        pieces[count++] = part->head;
    const ssize_t got = read_some(self, self->buffer, self->buffer_bytes);
    if (got < 0 || (got == 0 && self->gunzip == NULL)) {
        give_up(self, req);
        return;
    }
    self->sent_bytes += (uint64_t)got;
    if (got > 0)
        pieces[count++] = h2o_iovec_init(self->buffer, (size_t)got);
    if (is_part_over(self, (size_t)got, self->buffer_bytes)) {
        self->part_at++;
        self->sent_bytes = 0;
    }
    const bool is_last = self->part_at == self->part_count;
    if (is_last && self->closing.len > 0)
        pieces[count++] = self->closing;
    h2o_send(req, pieces, count, is_last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

/* ---- heads ---- */

static void add_field(h2o_req_t *req, const h2o_token_t *token, const char *value)
{
    const h2o_iovec_t copy = h2o_strdup(&req->pool, value, SIZE_MAX);

    h2o_add_header(&req->pool, &req->res.headers, token, NULL, copy.base, copy.len);
}

/* What a 304 says, too (§15.4.5). */
static void add_validators(h2o_req_t *req, const weir_file_t *file, const validators_t *validators)
{
    char date[WEIR_HTTP_DATE_BYTES + 1];

    weir_http_date_write(validators->modified_s, date);
    add_field(req, H2O_TOKEN_LAST_MODIFIED, date);
    if (validators->etag[0] != '\0')
        add_field(req, H2O_TOKEN_ETAG, validators->etag);
    if (file->has_vary)
        h2o_set_header_token(&req->pool, &req->res.headers, H2O_TOKEN_VARY, H2O_STRLIT("accept-encoding"));
}

static void send_unsatisfiable(h2o_req_t *req, const weir_file_t *file)
{
    char text[40];

    snprintf(text, sizeof(text), "bytes */%" PRIu64, (uint64_t)file->stat.st_size);
    add_field(req, H2O_TOKEN_CONTENT_RANGE, text);
    h2o_send_error_416(req, "Request Range Not Satisfiable", "requested range not satisfiable", H2O_SEND_ERROR_KEEP_HEADERS);
}

static size_t write_content_range(char *to, size_t room, weir_byte_range_t range, const weir_file_t *file)
{
    return (size_t)snprintf(to, room, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first,
                            range.first + range.length_bytes - 1, (uint64_t)file->stat.st_size);
}

static void make_boundary(char boundary[static BOUNDARY_BYTES + 1])
{
    unsigned char dice[BOUNDARY_BYTES / 2];
    const ssize_t got = getrandom(dice, sizeof(dice), 0);

    WEIR_MUST(got == (ssize_t)sizeof(dice));
    for (size_t i = 0; i < sizeof(dice); i++)
        snprintf(boundary + 2 * i, 3, "%02x", dice[i]);
}

/* Heads for all parts (§14.6), and the type of the whole in their place. */
static h2o_iovec_t make_multipart(h2o_req_t *req, sending_t *self, h2o_iovec_t type)
{
    char boundary[BOUNDARY_BYTES + 1], content_range[80];
    h2o_iovec_t whole = h2o_iovec_init(h2o_mem_alloc_pool(&req->pool, PART_HEAD_BYTES), 0);

    make_boundary(boundary);
    for (size_t i = 0; i < self->part_count; i++) {
        part_t *part = &self->parts[i];
        const size_t room = PART_HEAD_BYTES + type.len + sizeof(content_range);
        (void)write_content_range(content_range, sizeof(content_range), part->range, self->file);
        part->head.base = h2o_mem_alloc_pool(&req->pool, room);
        part->head.len = (size_t)snprintf(part->head.base, room, "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: %s\r\n\r\n",
                                          i == 0 ? "" : "\r\n", boundary, (int)type.len, type.base, content_range);
    }
    self->closing.base = h2o_mem_alloc_pool(&req->pool, PART_HEAD_BYTES);
    self->closing.len = (size_t)snprintf(self->closing.base, PART_HEAD_BYTES, "\r\n--%s--\r\n", boundary);
    whole.len = (size_t)snprintf(whole.base, PART_HEAD_BYTES, "multipart/byteranges; boundary=%s", boundary);
    return whole;
}

static uint64_t length_of(const sending_t *self)
{
    uint64_t bytes = self->closing.len;

    for (size_t i = 0; i < self->part_count; i++)
        bytes += self->parts[i].head.len + self->parts[i].range.length_bytes;
    return bytes;
}

/* ---- the answer ---- */

static void start(h2o_req_t *req, sending_t *self)
{
    static h2o_generator_t nothing = {NULL, NULL};

    if (!is_method(req, "GET") || req->res.content_length == 0) {
        h2o_start_response(req, &nothing);
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
        return;
    }
    if (self->file->is_gunzipped)
        self->gunzip = weir_gunzip_open(&req->pool, self->file->fd, self->file->stat.st_size);
    h2o_start_response(req, &self->generator);
    self->buffer_bytes = req->preferred_chunk_size < BUFFER_BYTES ? req->preferred_chunk_size : BUFFER_BYTES;
    if (self->gunzip == NULL && (uint64_t)self->file->stat.st_size < self->buffer_bytes)
        self->buffer_bytes = (size_t)self->file->stat.st_size;
    self->buffer = h2o_mem_alloc_pool(&req->pool, self->buffer_bytes);
    on_proceed(&self->generator, req);
}

static sending_t *new_sending(h2o_req_t *req, weir_file_t *file, const weir_byte_range_t *ranges, size_t count)
{
    sending_t *self = h2o_mem_alloc_pool(&req->pool, sizeof(*self));

    *self = (sending_t){.generator = {on_proceed, NULL}, .file = file, .part_count = count};
    self->parts = h2o_mem_alloc_pool(&req->pool, count * sizeof(self->parts[0]));
    for (size_t i = 0; i < count; i++)
        self->parts[i] = (part_t){.range = ranges[i]};
    return self;
}

static void send_whole(h2o_req_t *req, weir_file_t *file, const h2o_mimemap_type_t *type, h2o_iovec_t name)
{
    const weir_byte_range_t whole = {0, (uint64_t)file->stat.st_size};

    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = file->is_gunzipped ? SIZE_MAX : (size_t)file->stat.st_size;
    req->res.mime_attr = (h2o_mime_attributes_t *)&type->data.attr;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, name.base, name.len);
    if (!file->is_gunzipped)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_ACCEPT_RANGES, NULL, H2O_STRLIT("bytes"));
    start(req, new_sending(req, file, &whole, 1));
}

static void send_ranges(h2o_req_t *req, weir_file_t *file, h2o_iovec_t name, const weir_byte_range_t *ranges, size_t count)
{
    sending_t *self = new_sending(req, file, ranges, count);
    char text[80];

    if (count > 1) {
        name = make_multipart(req, self, name);
    } else {
        (void)write_content_range(text, sizeof(text), ranges[0], file);
        add_field(req, H2O_TOKEN_CONTENT_RANGE, text);
    }
    req->res.status = 206;
    req->res.reason = "Partial Content";
    req->res.content_length = (size_t)length_of(self);
    req->res.mime_attr = &h2o_mime_attributes_as_is; /* its bytes are counted: nothing may change them */
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, name.base, name.len);
    start(req, self);
}

void weir_file_reply(h2o_req_t *req, weir_file_t *file, const h2o_mimemap_type_t *type)
{
    weir_byte_range_t ranges[WEIR_BYTE_RANGES_MOST];
    size_t count = 0;
    validators_t validators;

    if (weir_files_refuse_method(req))
        return;
    WEIR_MUST(type->type == H2O_MIMEMAP_TYPE_MIMETYPE); /* libh2o's file.custom-handler is not used */
    fill_validators(file, &validators);
    const int status = judge_conditions(req, &validators);
    if (status == 412) {
        h2o_send_error_generic(req, 412, "Precondition Failed", "precondition failed", 0);
        return;
    }
    if (status == 304) {
        add_validators(req, file, &validators);
        req->res.status = 304;
        req->res.reason = "Not Modified";
        h2o_send_inline(req, NULL, 0);
        return;
    }
    const weir_ranges_t asked = read_ranges(req, file, &validators, ranges, &count);
    if (asked == WEIR_RANGES_UNSATISFIABLE) {
        send_unsatisfiable(req, file);
        return;
    }
    add_validators(req, file, &validators);
    if (file->encoding != NULL)
        add_field(req, H2O_TOKEN_CONTENT_ENCODING, file->encoding);
    if (asked == WEIR_RANGES_SOME)
        send_ranges(req, file, type->data.mimetype, ranges, count);
    else
        send_whole(req, file, type, type->data.mimetype);
}
