/* SPDX-License-Identifier: MIT */
/*
 * What an application sends: the first byte chooses how it is split, the rest are records, and what they carry is a head and a
 * body. However it is split, the answer is the same. The same bytes are a path, too.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/cgi_head.h"
#include "lib/http/cgi_script.h"
#include "lib/http/fastcgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { MOST_HEADERS = 8 };

static const weir_response_limits_t limits = {40, 200, 60, MOST_HEADERS, 1000};

typedef struct outcome {
    weir_fastcgi_event_t event;
    const weir_fault_t *fault;
    uint32_t exit_status;
    char *output;
    size_t output_bytes, errors_bytes;
} outcome_t;

static void must_be_part(weir_span_t whole, weir_span_t part)
{
    WEIR_MUST(part.len > 0 && part.base >= whole.base && part.base + part.len <= whole.base + whole.len);
}

static void take(outcome_t *out, weir_fastcgi_reader_t *reader, weir_span_t piece)
{
    char *copy = malloc(piece.len);
    const weir_span_t whole = {copy, piece.len};
    weir_span_t rest = whole, found;

    WEIR_MUST(copy != NULL);
    memcpy(copy, piece.base, piece.len);
    do {
        out->event = weir_fastcgi_read(reader, &rest, &found, &out->fault);
        if (out->event == WEIR_FASTCGI_OUTPUT || out->event == WEIR_FASTCGI_ERRORS)
            must_be_part(whole, found);
        if (out->event == WEIR_FASTCGI_OUTPUT) {
            memcpy(out->output + out->output_bytes, found.base, found.len);
            out->output_bytes += found.len;
        }
        out->errors_bytes += out->event == WEIR_FASTCGI_ERRORS ? found.len : 0;
    } while (out->event == WEIR_FASTCGI_OUTPUT || out->event == WEIR_FASTCGI_ERRORS);
    WEIR_MUST(out->event != WEIR_FASTCGI_MORE || rest.len == 0);
    free(copy);
}

static void read_pieces(weir_span_t input, size_t step, outcome_t *out)
{
    weir_fastcgi_reader_t reader = {0};

    *out = (outcome_t){.output = malloc(input.len + 1)};
    WEIR_MUST(out->output != NULL);
    for (size_t at = 0; at < input.len && out->event == WEIR_FASTCGI_MORE; at += step)
        take(out, &reader, (weir_span_t){input.base + at, input.len - at < step ? input.len - at : step});
    out->exit_status = out->event == WEIR_FASTCGI_END ? reader.exit_status : 0;
}

static void check_head(weir_span_t output)
{
    weir_header_t headers[MOST_HEADERS];
    weir_cgi_head_reader_t whole = {0}, split = {0};
    weir_response_head_t head;
    weir_head_progress_t progress, again = WEIR_HEAD_PARTIAL;
    const weir_fault_t *fault = NULL, *fault_again = NULL;
    size_t consumed = 0, consumed_again = 0;

    progress = weir_cgi_head_read(&whole, output, &limits, headers, &head, &consumed, &fault);
    for (size_t length = 1; length <= output.len && again == WEIR_HEAD_PARTIAL; length++)
        again = weir_cgi_head_read(&split, (weir_span_t){output.base, length}, &limits, headers, &head, &consumed_again,
                                   &fault_again);
    WEIR_MUST(progress == again && consumed == consumed_again && fault == fault_again);
    if (progress != WEIR_HEAD_COMPLETE)
        return;
    WEIR_MUST(consumed <= output.len && consumed <= limits.total_bytes && head.status >= 200 && head.status <= 999);
    WEIR_MUST(head.headers.count <= limits.count);
    for (size_t i = 0; i < head.headers.count; i++)
        WEIR_MUST(head.headers.at[i].id != WEIR_HEADER_TRANSFER_ENCODING && head.headers.at[i].name.len > 0);
}

static void check_path(weir_span_t target)
{
    weir_arena_t arena;
    weir_cgi_script_t script;

    weir_arena_init(&arena);
    if (weir_cgi_script_find(&arena, target, WEIR_SPAN(".php"), WEIR_SPAN("i.php"), &script) == NULL) {
        WEIR_MUST(script.name.base[0] == '/' && memchr(script.name.base, '\0', script.name.len) == NULL);
        WEIR_MUST(memcmp(script.name.base + script.name.len - 4, ".php", 4) == 0);
        WEIR_MUST(memmem(script.name.base, script.name.len, "/../", 4) == NULL);
    }
    weir_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    outcome_t whole, split;

    if (length < 2)
        return 0;
    const weir_span_t records = {(const char *)input + 1, length - 1};
    read_pieces(records, records.len, &whole);
    read_pieces(records, 1 + input[0] % 40, &split);
    WEIR_MUST(whole.event == split.event && whole.fault == split.fault && whole.exit_status == split.exit_status);
    WEIR_MUST(whole.output_bytes == split.output_bytes && whole.errors_bytes == split.errors_bytes);
    WEIR_MUST(memcmp(whole.output, split.output, whole.output_bytes) == 0);
    check_head((weir_span_t){whole.output, whole.output_bytes});
    check_path(records);
    free(whole.output);
    free(split.output);
    return 0;
}
