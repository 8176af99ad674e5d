/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses the size of pieces, the rest is a stream of gRPC. However it is split, the same messages come out of
 * it; and each of them is read as whatever etcd may answer.
 */
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/store/store_frames.h"
#include "lib/wire/store/store_messages.h"
#include "lib/wire/store/store_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { MOST = 1 << 16, PIECES = 40 };

typedef struct outcome {
    store_frames_progress_t progress;
    size_t messages, bytes;
    uint64_t sum; /* of all bytes of messages, in their order */
} outcome_t;

static void touch(const weir_etcd_item_t *item, outcome_t *out)
{
    for (size_t i = 0; i < item->key.len; i++)
        out->sum += (uint8_t)item->key.base[i];
    for (size_t i = 0; i < item->value.len; i++)
        out->sum += (uint8_t)item->value.base[i];
}

static void visit(const weir_etcd_item_t *item, void *context)
{
    touch(item, context);
}

static void read_message(weir_span_t message, outcome_t *out)
{
    weir_arena_t arena;
    weir_etcd_header_t header;
    weir_etcd_news_t news;
    int64_t lease, ttl_s;
    bool has_more;
    const char *token;

    weir_arena_init(&arena);
    (void)store_read_range(message, visit, out, &header, &has_more);
    if (store_read_watch(message, &arena, &news)) {
        out->sum += strlen(news.reason);
        for (size_t i = 0; i < news.event_count; i++)
            touch(&news.events[i].item, out);
    }
    (void)store_read_lease(message, &arena, &lease, &ttl_s);
    (void)store_read_header(message, &arena, &header);
    token = store_read_token(message, &arena);
    WEIR_MUST(token == NULL || (*token != '\0' && weir_is_one_line((weir_span_t){token, strlen(token)})));
    weir_arena_finish(&arena);
}

static void take_message(weir_span_t message, outcome_t *out)
{
    WEIR_MUST(message.len <= MOST);
    out->messages++;
    out->bytes += message.len;
    for (size_t i = 0; i < message.len; i++)
        out->sum = out->sum * 31 + (uint8_t)message.base[i];
    read_message(message, out);
    free((void *)(uintptr_t)message.base);
}

static outcome_t take_pieces(weir_span_t input, size_t step)
{
    store_frames_t frames = {.most = MOST};
    outcome_t out = {.progress = STORE_FRAMES_MORE};

    while (input.len > 0 && out.progress <= STORE_FRAMES_MESSAGE) {
        weir_span_t piece = {input.base, input.len < step ? input.len : step};
        input.base += piece.len;
        input.len -= piece.len;
        while (piece.len > 0 && (out.progress = store_frames_take(&frames, &piece)) == STORE_FRAMES_MESSAGE)
            take_message(store_frames_pop(&frames), &out);
    }
    store_frames_free(&frames);
    return out;
}

/* A field of trailers: what comes of it is one line, and fits. */
static void take_field(weir_span_t value)
{
    char problem[WEIR_ETCD_PROBLEM_BYTES];
    store_status_t status;

    store_status_init(&status);
    store_status_take(&status, WEIR_SPAN("grpc-status"), WEIR_SPAN("2"));
    store_status_take(&status, WEIR_SPAN("grpc-message"), value);
    WEIR_MUST(store_status_judge(&status, problem) == WEIR_ETCD_FAILED);
    WEIR_MUST(weir_is_one_line((weir_span_t){problem, strlen(problem)}));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    outcome_t whole, split;
    weir_span_t bytes;

    if (length < 2)
        return 0;
    bytes = (weir_span_t){(const char *)input + 1, length - 1};
    whole = take_pieces(bytes, bytes.len);
    split = take_pieces(bytes, 1 + input[0] % PIECES);
    WEIR_MUST(whole.progress == split.progress && whole.messages == split.messages);
    WEIR_MUST(whole.bytes == split.bytes && whole.sum == split.sum);
    take_field(bytes);
    return 0;
}
