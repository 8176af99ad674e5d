/* SPDX-License-Identifier: MIT */
/* A probe in HTTP/1.1: the head of its answer is all that is wanted. */
#include "lib/base/fault.h"
#include "lib/wire/back/probe.h"

enum { FINAL_STATUS_LEAST = 200 };

static void begin(weir_probing_t *probing)
{
    const weir_span_t text =
        weir_arena_format(&probing->arena,
                          "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: weir-probe\r\nAccept: */*\r\n"
                          "Connection: close\r\n\r\n",
                          (int)probing->path.len, probing->path.base, (int)probing->host.len, probing->host.base);

    probing->talk = probing;
    weir_bytes_append(&probing->out, text);
}

static probe_progress_t take(weir_probing_t *probing, weir_span_t bytes)
{
    weir_header_t fields[WEIR_PROBE_FIELDS];
    const weir_fault_t *fault = NULL;

    weir_bytes_append(&probing->in, bytes);
    for (;;) {
        weir_response_reader_t reader = {0};
        weir_response_head_t head;
        size_t consumed_bytes = 0;
        const weir_head_progress_t progress = weir_response_head_read(&reader, weir_bytes_span(&probing->in), &probe_limits,
                                                                      fields, &head, &consumed_bytes, &fault);
        if (progress == WEIR_HEAD_FAULTY)
            return probe_fail(probing, fault);
        if (progress != WEIR_HEAD_COMPLETE)
            return PROBE_MORE;
        if (head.status >= FINAL_STATUS_LEAST) {
            probe_answer(probing, &head);
            return PROBE_DONE;
        }
        weir_bytes_consume(&probing->in, consumed_bytes);
    }
}

static void end(weir_probing_t *probing)
{
}

const probe_ops_t probe_http1_ops = {begin, take, end};
