/* SPDX-License-Identifier: MIT */
#include "handlers/server_timing.h"

#include <stdio.h>

#include "lib/base/span.h"

enum { TEXT_BYTES = 128 };

typedef struct text {
    char bytes[TEXT_BYTES];
    size_t length;
} text_t;

static void append(text_t *text, const char *name, uint64_t us)
{
    const size_t left = sizeof(text->bytes) - text->length;
    const int length = snprintf(text->bytes + text->length, left, "%s%s;dur=%llu.%03u", text->length == 0 ? "" : ", ", name,
                                (unsigned long long)(us / 1000), (unsigned)(us % 1000));

    if (length > 0 && (size_t)length < left)
        text->length += (size_t)length;
}

/* Nothing if one of them has not happened; what came at once, or before, took no time. */
static void append_between(text_t *text, const char *name, uint64_t from_us, uint64_t to_us)
{
    if (from_us != 0 && to_us != 0)
        append(text, name, to_us < from_us ? 0 : to_us - from_us);
}

static uint64_t sent_at_us(const weir_journal_t *journal)
{
    return journal->request_sent_at_us != 0 ? journal->request_sent_at_us : journal->head_sent_at_us;
}

void weir_server_timing_add(weir_exchange_t *x, weir_headers_t *headers)
{
    const weir_journal_t *journal = &x->journal;
    const bool is_connected = x->was_connected && journal->connected_at_us >= journal->connect_start_at_us;
    text_t text = {.length = 0};

    if (journal->checkout_at_us != 0)
        append(&text, "queue", journal->queue_us);
    append_between(&text, "connect", journal->connect_start_at_us, is_connected ? journal->connected_at_us : 0);
    append_between(&text, "wait", sent_at_us(journal), x->attempt.head_at_us);
    if (text.length > 0)
        weir_headers_add(headers, &x->arena, WEIR_SPAN("Server-Timing"),
                         weir_arena_copy(&x->arena, (weir_span_t){text.bytes, text.length}));
}
