/* SPDX-License-Identifier: MIT */
/* Ids that are believed are harmless in headers and logs; ids that are made are believed; log lines stay lines. */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/logfmt.h"
#include "lib/http/request_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void check_id(weir_span_t id)
{
    if (!weir_request_id_is_valid(id, 200))
        return;
    WEIR_MUST(id.len >= WEIR_REQUEST_ID_MIN_BYTES && id.len <= 200);
    for (size_t i = 0; i < id.len; i++)
        WEIR_MUST((unsigned char)(id.base[i] - 0x21) < 0x5e && strchr("\"\\,;:<>[]{}()@?#&'%", id.base[i]) == NULL);
}

static void check_uuid(const uint8_t *random)
{
    char out[WEIR_UUID_BYTES];

    weir_request_id_make(random, out);
    WEIR_MUST(weir_request_id_is_valid((weir_span_t){out, sizeof(out)}, 200));
    WEIR_MUST(out[8] == '-' && out[13] == '-' && out[18] == '-' && out[23] == '-' && out[14] == '4');
    WEIR_MUST(strchr("89ab", out[19]) != NULL);
}

static void check_log_line(weir_span_t value, size_t capacity)
{
    char *buffer = malloc(capacity);
    weir_logfmt_t line;
    weir_span_t got;

    WEIR_MUST(buffer != NULL);
    weir_logfmt_begin(&line, buffer, capacity);
    weir_logfmt_text(&line, "a", value);
    weir_logfmt_number(&line, "b", value.len, "ms");
    weir_logfmt_quoted(&line, "c", value);
    got = weir_logfmt_end(&line);
    WEIR_MUST(got.base == buffer && got.len >= 1 && got.len <= capacity);
    WEIR_MUST(memchr(got.base, '\n', got.len) == got.base + got.len - 1);
    for (size_t i = 0; i < got.len - 1; i++)
        WEIR_MUST((unsigned char)got.base[i] >= 0x20 && got.base[i] != 0x7f);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    char *copy = malloc(length + !length);
    weir_span_t value = {copy, length};

    WEIR_MUST(copy != NULL);
    if (length != 0)
        memcpy(copy, input, length);
    check_id(value);
    if (length >= 16)
        check_uuid(input);
    check_log_line(value, length == 0 ? 2 : 2 + input[0]);
    check_log_line(value, 2 + 8 * length + 40);
    free(copy);
    return 0;
}
