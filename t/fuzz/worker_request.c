/* SPDX-License-Identifier: MIT */
/* A head by which a worker registers: whatever it says, what is taken out of it lies within its limits. */
#include <stdlib.h>
#include <string.h>

#include "lib/http/request_head.h"
#include "lib/http/worker_request.h"

enum { FIELDS = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const weir_worker_request_t *request)
{
    if (request->app.len == 0 || request->app.len > WEIR_WORKER_WORD_MOST || request->id.len > WEIR_WORKER_WORD_MOST ||
        request->capacity == 0 || request->capacity > WEIR_WORKER_CAPACITY_LIMIT || request->weight == 0 ||
        request->domain_count > WEIR_WORKER_DOMAINS_MOST)
        abort();
    for (size_t i = 0; i < request->domain_count; i++)
        if (request->domains[i].len == 0 || request->domains[i].len > WEIR_WORKER_DOMAIN_MOST)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const weir_head_limits_t limits = {
        .line_bytes = 8192, .name_bytes = 1000, .value_bytes = 8192, .count = FIELDS, .total_bytes = 32768};
    weir_request_reader_t reader = {0};
    weir_header_t fields[FIELDS];
    weir_request_head_t head;
    const weir_fault_t *fault;
    weir_worker_request_t request;
    const char *why = NULL;
    size_t head_bytes;

    if (weir_request_head_read(&reader, (weir_span_t){(const char *)data, size}, &limits, fields, &head, &head_bytes, &fault) !=
        WEIR_HEAD_COMPLETE)
        return 0;
    const weir_worker_head_t registration = {.method = head.method,
                                             .path = head.path,
                                             .version = (uint16_t)(0x100 | head.minor),
                                             .headers = &head.headers,
                                             .body = head.framing.kind};
    if (weir_worker_request_read(&registration, &request, &why) == 0)
        check(&request);
    else if (why == NULL)
        abort();
    return 0;
}
