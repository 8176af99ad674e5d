/* SPDX-License-Identifier: MIT */
/* The first byte chooses limits and split points, the rest is a head. However it is split, the answer is the same. */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/framing.h"
#include "lib/http/hop.h"
#include "lib/http/response_head.h"
#include "lib/http/token_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { MOST_HEADERS = 32 };

static const weir_response_limits_t large = {8192, 524288, 8192, MOST_HEADERS, 1048576};
static const weir_response_limits_t small = {20, 24, 16, 4, 96};

typedef struct outcome {
    weir_head_progress_t progress;
    const weir_fault_t *fault;
    size_t consumed;
    weir_response_head_t head;
    weir_header_t fields[MOST_HEADERS];
    char *buffer;
} outcome_t;

static void read_pieces(const weir_response_limits_t *limits, weir_span_t input, size_t step, outcome_t *out)
{
    weir_response_reader_t reader = {0};
    size_t length = 0;

    *out = (outcome_t){.progress = WEIR_HEAD_PARTIAL};
    while (out->progress == WEIR_HEAD_PARTIAL && length < input.len) {
        length = input.len - length < step ? input.len : length + step;
        free(out->buffer);
        out->buffer = malloc(length);
        WEIR_MUST(out->buffer != NULL);
        memcpy(out->buffer, input.base, length);
        memset(out->fields, 0x55, sizeof(out->fields));
        out->progress = weir_response_head_read(&reader, (weir_span_t){out->buffer, length}, limits, out->fields, &out->head,
                                                &out->consumed, &out->fault);
        WEIR_MUST(reader.scanned_bytes <= length);
    }
}

static void must_be_inside(const outcome_t *got, weir_span_t span)
{
    WEIR_MUST(span.len == 0 || (span.base >= got->buffer && span.base + span.len <= got->buffer + got->consumed));
}

static void check_head(const weir_response_limits_t *limits, const outcome_t *got)
{
    const weir_response_head_t *head = &got->head;

    WEIR_MUST(got->consumed <= limits->total_bytes && head->headers.count <= limits->count);
    WEIR_MUST(head->status >= 100 && head->status <= 999 && head->minor <= 1);
    WEIR_MUST(head->reason.len <= limits->status_line_bytes);
    must_be_inside(got, head->reason);
    for (size_t i = 0; i < head->headers.count; i++) {
        const weir_header_t *field = &head->headers.at[i];
        must_be_inside(got, field->name);
        must_be_inside(got, field->value);
        WEIR_MUST(weir_is_token(field->name) && field->id == weir_header_id(field->name));
        WEIR_MUST(field->name.len + 1 + field->value.len <= limits->header_bytes);
        if (field->id == WEIR_HEADER_SET_COOKIE)
            WEIR_MUST(field->name.len + 1 + field->value.len <= limits->cookie_bytes);
        for (size_t j = 0; j < field->value.len; j++)
            WEIR_MUST((unsigned char)field->value.base[j] >= 0x20 || field->value.base[j] == '\t');
    }
}

static void must_be_same(const outcome_t *a, const outcome_t *b)
{
    WEIR_MUST(a->progress == b->progress && a->fault == b->fault);
    if (a->progress != WEIR_HEAD_COMPLETE)
        return;
    WEIR_MUST(a->consumed == b->consumed && a->head.minor == b->head.minor && a->head.status == b->head.status);
    WEIR_MUST(weir_span_equal(a->head.reason, b->head.reason));
    WEIR_MUST(a->head.is_persistent == b->head.is_persistent);
    WEIR_MUST(a->head.headers.count == b->head.headers.count);
    for (size_t i = 0; i < a->head.headers.count; i++) {
        WEIR_MUST(weir_span_equal(a->head.headers.at[i].name, b->head.headers.at[i].name));
        WEIR_MUST(weir_span_equal(a->head.headers.at[i].value, b->head.headers.at[i].value));
    }
}

static void check_framing(weir_response_head_t *head, bool is_head)
{
    uint64_t content_length;
    weir_framing_t framing;

    if (weir_framing_of_response(&head->headers, head->status, is_head, &framing, &content_length) != NULL)
        return;
    WEIR_MUST((framing.kind == WEIR_FRAMING_LENGTH) == (framing.length_bytes != 0));
    if (framing.kind == WEIR_FRAMING_LENGTH)
        WEIR_MUST(framing.length_bytes == content_length);
    if (is_head || head->status < 200 || head->status == 204 || head->status == 304)
        WEIR_MUST(framing.kind == WEIR_FRAMING_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    const weir_response_limits_t *limits;
    outcome_t whole, split;
    weir_span_t head;

    if (length < 2)
        return 0;
    limits = input[0] & 1 ? &small : &large;
    head = (weir_span_t){(const char *)input + 1, length - 1};
    read_pieces(limits, head, head.len, &whole);
    read_pieces(limits, head, 1 + (input[0] >> 1) % 40, &split);
    must_be_same(&whole, &split);
    WEIR_MUST((whole.progress == WEIR_HEAD_FAULTY) == (whole.fault != NULL));
    if (whole.progress == WEIR_HEAD_COMPLETE) {
        check_head(limits, &whole);
        check_head(limits, &split);
        check_framing(&whole.head, false);
        check_framing(&whole.head, true);
        weir_hop_strip_response(&whole.head.headers, false);
        WEIR_MUST(weir_headers_find(&whole.head.headers, WEIR_HEADER_TRANSFER_ENCODING) == NULL);
        WEIR_MUST(weir_headers_find(&whole.head.headers, WEIR_HEADER_CONNECTION) == NULL);
    }
    free(whole.buffer);
    free(split.buffer);
    return 0;
}
