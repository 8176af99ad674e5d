/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses split points, the rest is a PROXY header and what follows it. However it is split, the answer is the
 * same, every span lies in the header, and what was accepted ends with its last byte: one less is PARTIAL.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

typedef struct outcome {
    weir_proxy_progress_t progress;
    weir_proxy_header_t header;
    size_t consumed;
    char *buffer;
} outcome_t;

static void read_pieces(weir_span_t input, size_t step, outcome_t *out)
{
    size_t length = 0;

    *out = (outcome_t){.progress = WEIR_PROXY_PARTIAL};
    while (out->progress == WEIR_PROXY_PARTIAL && length < input.len) {
        length = input.len - length < step ? input.len : length + step;
        free(out->buffer);
        out->buffer = malloc(length);
        WEIR_MUST(out->buffer != NULL);
        memcpy(out->buffer, input.base, length);
        memset(&out->header, 0x55, sizeof(out->header));
        out->progress = weir_proxy_header_read((weir_span_t){out->buffer, length}, &out->header, &out->consumed);
        WEIR_MUST(out->progress != WEIR_PROXY_PARTIAL || length < WEIR_PROXY_V2_BYTES);
    }
}

static void must_be_inside(const outcome_t *got, weir_span_t span)
{
    WEIR_MUST(span.len == 0 || (span.base >= got->buffer && span.base + span.len <= got->buffer + got->consumed));
}

static void check_header(const outcome_t *got)
{
    const weir_proxy_header_t *header = &got->header;

    WEIR_MUST(got->consumed <= (got->buffer[0] == 'P' ? WEIR_PROXY_V1_BYTES : WEIR_PROXY_V2_BYTES));
    must_be_inside(got, header->source.path);
    must_be_inside(got, header->destination.path);
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++) {
        must_be_inside(got, header->tlvs.text[i]);
        WEIR_MUST(header->tlvs.text[i].base == NULL || (header->kind != WEIR_PROXY_LOCAL && got->buffer[0] != 'P'));
    }
    WEIR_MUST(header->tlvs.text[WEIR_PROXY_UNIQUE_ID].len <= WEIR_PROXY_UNIQUE_ID_BYTES);
    if (header->kind == WEIR_PROXY_LOCAL || header->kind == WEIR_PROXY_UNIX)
        WEIR_MUST(header->source.port == 0 && header->destination.port == 0);
}

static void must_be_same(const outcome_t *a, const outcome_t *b)
{
    WEIR_MUST(a->progress == b->progress);
    if (a->progress != WEIR_PROXY_COMPLETE)
        return;
    WEIR_MUST(a->consumed == b->consumed && a->header.kind == b->header.kind);
    WEIR_MUST(memcmp(a->header.source.address, b->header.source.address, 16) == 0);
    WEIR_MUST(memcmp(a->header.destination.address, b->header.destination.address, 16) == 0);
    WEIR_MUST(a->header.source.port == b->header.source.port && a->header.destination.port == b->header.destination.port);
    WEIR_MUST(weir_span_equal(a->header.source.path, b->header.source.path));
    WEIR_MUST(weir_span_equal(a->header.destination.path, b->header.destination.path));
    WEIR_MUST(a->header.tlvs.is_ssl == b->header.tlvs.is_ssl);
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++)
        WEIR_MUST(weir_span_equal(a->header.tlvs.text[i], b->header.tlvs.text[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    outcome_t whole, split, shorter;
    weir_span_t bytes;

    if (length < 2)
        return 0;
    bytes = (weir_span_t){(const char *)input + 1, length - 1};
    read_pieces(bytes, bytes.len, &whole);
    read_pieces(bytes, 1 + input[0] % 40, &split);
    must_be_same(&whole, &split);
    if (whole.progress == WEIR_PROXY_COMPLETE) {
        check_header(&whole);
        check_header(&split);
        read_pieces((weir_span_t){bytes.base, whole.consumed - 1}, whole.consumed, &shorter);
        WEIR_MUST(shorter.progress == WEIR_PROXY_PARTIAL);
        free(shorter.buffer);
    }
    free(whole.buffer);
    free(split.buffer);
    return 0;
}
