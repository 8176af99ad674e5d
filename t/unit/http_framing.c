/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/framing.h"

static weir_arena_t arena;

/* "A: b\nC: d". */
static void fill(weir_headers_t *headers, const char *text)
{
    while (*text != '\0') {
        const char *end = text + strcspn(text, "\n"), *colon = strchr(text, ':');
        weir_span_t value = {colon + 1, (size_t)(end - colon) - 1};

        weir_headers_add(headers, &arena, (weir_span_t){text, (size_t)(colon - text)}, weir_span_trim(value));
        text = end + (*end != '\0');
    }
}

static int set_up(void **state)
{
    weir_arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    weir_arena_finish(&arena);
    weir_arena_forget_blocks();
    return 0;
}

#define CL "Content-Length: "
#define TE "Transfer-Encoding: "

static void frames_requests(void **state)
{
    const struct {
        const char *fields;
        int minor;
        const weir_fault_t *fault;
        weir_framing_kind_t kind;
        uint64_t length;
    } rows[] = {
        {"", 1, NULL, WEIR_FRAMING_NONE, 0},
        {"", 0, NULL, WEIR_FRAMING_NONE, 0},
        {CL "0", 1, NULL, WEIR_FRAMING_NONE, 0},
        {CL "00", 1, NULL, WEIR_FRAMING_NONE, 0},
        {CL "5", 0, NULL, WEIR_FRAMING_LENGTH, 5},
        {CL "007", 1, NULL, WEIR_FRAMING_LENGTH, 7},
        {CL "5\nX: y\n" CL "5", 1, NULL, WEIR_FRAMING_LENGTH, 5},
        {CL "9223372036854775807", 1, NULL, WEIR_FRAMING_LENGTH, INT64_MAX},
        {CL "9223372036854775808", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "18446744073709551617", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "99999999999999999999999999999", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "+3", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "-3", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "0x3", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "3 3", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "10,10", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "10, 10", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "1\n" CL "01", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "1\n" CL "2", 1, &weir_fault_bad_content_length, 0, 0},
        {CL "1\n" CL "1\n" CL "a", 1, &weir_fault_bad_content_length, 0, 0},
        {TE "chunked", 1, NULL, WEIR_FRAMING_CHUNKED, 0},
        {TE "CHUNKed", 1, NULL, WEIR_FRAMING_CHUNKED, 0},
        {TE "chunked", 0, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip", 0, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked\n" CL "5", 1, &weir_fault_conflicting_framing, 0, 0},
        {CL "0\n" TE "chunked", 1, &weir_fault_conflicting_framing, 0, 0},
        {CL "5\n" TE "identity", 1, &weir_fault_conflicting_framing, 0, 0},
        {TE "chunked\n" TE "chunked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "identity\n" TE "chunked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "identity", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "identity, chunked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE ",", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked,", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE ", chunked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked, chunked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked, gzip", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked;q=1", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked ;", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "\"chunked\"", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "\x0b"
            "chunked",
         1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chunked\xa0", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "chun ked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip;", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip;a", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip;a=", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE ";a=b", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip;a=\"b", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip;a=\"", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "xchunked", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
        {TE "gzip, chunked", 1, &weir_fault_unsupported_transfer_coding, 0, 0},
        {TE "gzip;a=b ; c = \"d e\", chunked", 1, &weir_fault_unsupported_transfer_coding, 0, 0},
        {TE "gzip,br", 1, &weir_fault_invalid_transfer_encoding, 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_headers_t headers = {0};
        weir_framing_t framing;
        const weir_fault_t *fault;

        fill(&headers, rows[i].fields);
        fault = weir_framing_of_request(&headers, (uint8_t)rows[i].minor, &framing);
        if (fault != rows[i].fault)
            fail_msg("%s: %s", rows[i].fields, fault == NULL ? "accepted" : fault->name);
        if (fault != NULL)
            continue;
        assert_int_equal(framing.kind, rows[i].kind);
        assert_int_equal(framing.length_bytes, rows[i].length);
    }
}

static void frames_responses(void **state)
{
    const struct {
        const char *fields;
        int status, is_head;
        const weir_fault_t *fault;
        weir_framing_kind_t kind;
        uint64_t content_length;
    } rows[] = {
        {"", 200, 0, NULL, WEIR_FRAMING_UNTIL_CLOSE, UINT64_MAX},
        {CL "0", 200, 0, NULL, WEIR_FRAMING_NONE, 0},
        {CL "5", 200, 0, NULL, WEIR_FRAMING_LENGTH, 5},
        {CL "5", 999, 0, NULL, WEIR_FRAMING_LENGTH, 5},
        {CL "5\n" CL "05", 200, 0, NULL, WEIR_FRAMING_LENGTH, 5},
        {CL "5\n" CL "6", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {CL "5, 5", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {CL "-1", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {CL "+1", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {CL "", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {CL "9223372036854775808", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {CL "18446744073709551615", 200, 0, &weir_fault_backend_content_length, 0, 0},
        {TE "chunked", 200, 0, NULL, WEIR_FRAMING_CHUNKED, UINT64_MAX},
        {TE "Chunked\n" CL "5", 200, 0, NULL, WEIR_FRAMING_CHUNKED, UINT64_MAX},
        {CL "x\n" TE "chunked", 200, 0, NULL, WEIR_FRAMING_CHUNKED, UINT64_MAX},
        {TE "", 200, 0, &weir_fault_backend_invalid_transfer_encoding, 0, 0},
        {TE "identity", 200, 0, &weir_fault_backend_invalid_transfer_encoding, 0, 0},
        {TE "chunked, chunked", 200, 0, &weir_fault_backend_invalid_transfer_encoding, 0, 0},
        {TE "gzip, chunked", 200, 0, &weir_fault_backend_invalid_transfer_encoding, 0, 0},
        {TE "chunked\n" TE "chunked", 200, 0, &weir_fault_backend_invalid_transfer_encoding, 0, 0},
        {"", 200, 1, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "7", 200, 1, NULL, WEIR_FRAMING_NONE, 7},
        {CL "x", 200, 1, &weir_fault_backend_content_length, 0, 0},
        {TE "nonsense,,", 200, 1, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "7", 304, 0, NULL, WEIR_FRAMING_NONE, 7},
        {TE "chunked", 304, 0, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "7", 204, 0, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {TE "chunked", 204, 0, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "x", 204, 1, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "7", 101, 0, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "7", 199, 0, NULL, WEIR_FRAMING_NONE, UINT64_MAX},
        {CL "7", 205, 0, NULL, WEIR_FRAMING_LENGTH, 7},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_headers_t headers = {0};
        weir_framing_t framing;
        uint64_t content_length;
        const weir_fault_t *fault;

        fill(&headers, rows[i].fields);
        fault = weir_framing_of_response(&headers, (uint16_t)rows[i].status, rows[i].is_head, &framing, &content_length);
        if (fault != rows[i].fault)
            fail_msg("%d %s: %s", rows[i].status, rows[i].fields, fault == NULL ? "accepted" : fault->name);
        if (fault != NULL)
            continue;
        assert_int_equal(framing.kind, rows[i].kind);
        assert_int_equal(framing.length_bytes, rows[i].kind == WEIR_FRAMING_LENGTH ? rows[i].content_length : 0);
        if (content_length != rows[i].content_length)
            fail_msg("%d %s: %llu", rows[i].status, rows[i].fields, (unsigned long long)content_length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_requests),
        cmocka_unit_test(frames_responses),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
