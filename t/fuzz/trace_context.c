/* SPDX-License-Identifier: MIT */
/* A traceparent that is believed becomes one of ours that is believed, too, of the same trace; no byte beyond it is read. */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/http/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void check(weir_span_t value)
{
    static const char span_id[] = "0102030405060708";
    weir_trace_context_t context, again;
    char out[WEIR_TRACEPARENT_BYTES];

    if (!weir_traceparent_read(value, &context))
        return;
    WEIR_MUST(value.len >= WEIR_TRACEPARENT_BYTES && memcmp(value.base + 3, context.trace_id, WEIR_TRACE_ID_BYTES) == 0);
    weir_traceparent_write(&context, span_id, out);
    WEIR_MUST(weir_traceparent_read((weir_span_t){out, sizeof(out)}, &again));
    WEIR_MUST(memcmp(again.parent_id, span_id, WEIR_SPAN_ID_BYTES) == 0);
    memcpy(again.parent_id, context.parent_id, WEIR_SPAN_ID_BYTES);
    WEIR_MUST(memcmp(&context, &again, sizeof(context)) == 0);
    for (size_t i = 0; i < sizeof(out); i++)
        WEIR_MUST(out[i] == '-' || weir_hex_value(out[i]) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    char *copy = malloc(length + !length);

    WEIR_MUST(copy != NULL);
    if (length != 0)
        memcpy(copy, input, length);
    check((weir_span_t){copy, length});
    free(copy);
    return 0;
}
