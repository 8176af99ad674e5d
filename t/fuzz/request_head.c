/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses limits and split points, the rest is a head. However it is split, the answer is the same, every span
 * lies in the buffer, and what was accepted is accepted again when it is written anew from its parts.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/expect.h"
#include "lib/http/hop.h"
#include "lib/http/host.h"
#include "lib/http/request_head.h"
#include "lib/http/token_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { MOST_HEADERS = 32 };

static const weir_head_limits_t large = {8192, 1000, 8192, MOST_HEADERS, 65536};
static const weir_head_limits_t small = {24, 8, 12, 4, 96};

typedef struct outcome {
    weir_head_progress_t progress;
    const weir_fault_t *fault;
    size_t consumed;
    weir_request_head_t head;
    weir_header_t fields[MOST_HEADERS];
    char *buffer;
} outcome_t;

static void read_pieces(const weir_head_limits_t *limits, weir_span_t input, size_t step, outcome_t *out)
{
    weir_request_reader_t reader = {0};
    size_t length = 0;

    *out = (outcome_t){.progress = WEIR_HEAD_PARTIAL};
    while (out->progress == WEIR_HEAD_PARTIAL && length < input.len) {
        length = input.len - length < step ? input.len : length + step;
        free(out->buffer);
        out->buffer = malloc(length);
        WEIR_MUST(out->buffer != NULL);
        memcpy(out->buffer, input.base, length);
        memset(out->fields, 0x55, sizeof(out->fields));
        out->progress = weir_request_head_read(&reader, (weir_span_t){out->buffer, length}, limits, out->fields, &out->head,
                                               &out->consumed, &out->fault);
        WEIR_MUST(reader.scanned_bytes <= length);
    }
}

static void must_be_inside(const outcome_t *got, weir_span_t span)
{
    WEIR_MUST(span.len == 0 || (span.base >= got->buffer && span.base + span.len <= got->buffer + got->consumed));
}

static void check_head(const weir_head_limits_t *limits, const outcome_t *got)
{
    const weir_request_head_t *head = &got->head;

    WEIR_MUST(got->consumed <= limits->total_bytes);
    WEIR_MUST(head->headers.count <= limits->count);
    WEIR_MUST(weir_is_token(head->method) && head->minor <= 1);
    WEIR_MUST(head->path.len != 0 && (head->path.base[0] == '/' || weir_span_equal(head->path, WEIR_SPAN("*"))));
    WEIR_MUST(memchr(head->path.base, '#', head->path.len) == NULL);
    WEIR_MUST((head->framing.kind == WEIR_FRAMING_LENGTH) == (head->framing.length_bytes != 0));
    WEIR_MUST(head->framing.kind != WEIR_FRAMING_UNTIL_CLOSE);
    must_be_inside(got, head->method);
    must_be_inside(got, head->target);
    must_be_inside(got, head->path);
    must_be_inside(got, head->authority);
    for (size_t i = 0; i < head->headers.count; i++) {
        const weir_header_t *field = &head->headers.at[i];
        must_be_inside(got, field->name);
        must_be_inside(got, field->value);
        WEIR_MUST(field->id != WEIR_HEADER_HOST || weir_span_equal(field->value, head->authority));
        WEIR_MUST(weir_is_token(field->name) && field->name.len <= limits->name_bytes);
        WEIR_MUST(field->value.len <= limits->value_bytes && field->id == weir_header_id(field->name));
        for (size_t j = 0; j < field->value.len; j++)
            WEIR_MUST((unsigned char)field->value.base[j] >= 0x20 || field->value.base[j] == '\t');
    }
}

static void must_be_same(const outcome_t *a, const outcome_t *b)
{
    WEIR_MUST(a->progress == b->progress && a->fault == b->fault);
    if (a->progress != WEIR_HEAD_COMPLETE)
        return;
    WEIR_MUST(a->consumed == b->consumed && a->head.minor == b->head.minor);
    WEIR_MUST(weir_span_equal(a->head.method, b->head.method) && weir_span_equal(a->head.target, b->head.target));
    WEIR_MUST(weir_span_equal(a->head.path, b->head.path) && weir_span_equal(a->head.authority, b->head.authority));
    WEIR_MUST(a->head.is_persistent == b->head.is_persistent && a->head.has_expect == b->head.has_expect);
    WEIR_MUST(a->head.framing.kind == b->head.framing.kind);
    WEIR_MUST(a->head.framing.length_bytes == b->head.framing.length_bytes);
    WEIR_MUST(a->head.headers.count == b->head.headers.count);
    for (size_t i = 0; i < a->head.headers.count; i++) {
        WEIR_MUST(weir_span_equal(a->head.headers.at[i].name, b->head.headers.at[i].name));
        WEIR_MUST(weir_span_equal(a->head.headers.at[i].value, b->head.headers.at[i].value));
    }
}

static char *append(char *at, weir_span_t bytes)
{
    if (bytes.len != 0)
        memcpy(at, bytes.base, bytes.len);
    return at + bytes.len;
}

/* What we understood is what the backend will understand. */
static void write_and_read_again(const outcome_t *got)
{
    weir_arena_t arena;
    weir_request_reader_t reader = {0};
    weir_header_t fields[MOST_HEADERS];
    weir_request_head_t again;
    const weir_fault_t *fault;
    size_t consumed;
    char *text, *at;

    weir_arena_init(&arena);
    text = at = weir_arena_alloc(&arena, 2 * got->consumed + 200);
    at = append(append(append(at, got->head.method), WEIR_SPAN(" ")), got->head.path);
    at = append(at, got->head.minor == 1 ? WEIR_SPAN(" HTTP/1.1\r\n") : WEIR_SPAN(" HTTP/1.0\r\n"));
    for (size_t i = 0; i < got->head.headers.count; i++) {
        at = append(append(at, got->head.headers.at[i].name), WEIR_SPAN(": "));
        at = append(append(at, got->head.headers.at[i].value), WEIR_SPAN("\r\n"));
    }
    at = append(at, WEIR_SPAN("\r\n"));
    WEIR_MUST(weir_request_head_read(&reader, (weir_span_t){text, (size_t)(at - text)}, &large, fields, &again, &consumed,
                                     &fault) == WEIR_HEAD_COMPLETE);
    WEIR_MUST(consumed == (size_t)(at - text));
    WEIR_MUST(weir_span_equal(again.path, got->head.path) && again.headers.count == got->head.headers.count);
    WEIR_MUST(again.framing.kind == got->head.framing.kind);
    weir_arena_finish(&arena);
}

/* Functions that read accepted heads only. */
static void read_fields(outcome_t *got)
{
    weir_header_t fields[MOST_HEADERS];
    weir_headers_t headers = {fields, got->head.headers.count, MOST_HEADERS};
    weir_span_t host;
    int32_t port;
    bool flag;

    if (weir_host_split(got->head.authority, &host, &port))
        WEIR_MUST(host.len <= got->head.authority.len && port >= -1 && port <= 65535);
    if (weir_expect_read(&got->head.headers, &flag) == NULL && flag)
        WEIR_MUST(got->head.has_expect);
    if (weir_upgrade_read(&got->head.headers, &flag) == NULL && flag)
        WEIR_MUST(weir_headers_find(&got->head.headers, WEIR_HEADER_UPGRADE) != NULL);
    memcpy(fields, got->head.headers.at, headers.count * sizeof(fields[0]));
    weir_hop_strip_request(&headers, true);
    WEIR_MUST(headers.count <= got->head.headers.count);
    for (size_t i = 0; i < headers.count; i++) {
        weir_header_id_t id = headers.at[i].id;
        WEIR_MUST(id != WEIR_HEADER_CONNECTION && id != WEIR_HEADER_TE && id != WEIR_HEADER_HOST);
        WEIR_MUST(id != WEIR_HEADER_CONTENT_LENGTH && id != WEIR_HEADER_TRANSFER_ENCODING);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    const weir_head_limits_t *limits;
    outcome_t whole, split;
    weir_span_t head;

    if (length < 2)
        return 0;
    limits = input[0] & 1 ? &small : &large;
    head = (weir_span_t){(const char *)input + 1, length - 1};
    read_pieces(limits, head, head.len, &whole);
    read_pieces(limits, head, 1 + (input[0] >> 1) % 40, &split);
    must_be_same(&whole, &split);
    if (whole.progress == WEIR_HEAD_COMPLETE) {
        check_head(limits, &whole);
        check_head(limits, &split);
        write_and_read_again(&whole);
        read_fields(&whole);
    }
    WEIR_MUST((whole.progress == WEIR_HEAD_FAULTY) == (whole.fault != NULL));
    free(whole.buffer);
    free(split.buffer);
    return 0;
}
