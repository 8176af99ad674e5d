/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/proxy_header.h"

/* A span as an initializer. */
#define TEXT(literal)                                                                                                          \
    {                                                                                                                          \
        (literal), sizeof(literal) - 1                                                                                         \
    }
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2(first, family, length) SIGNATURE first family length
#define ENDS "\xc0\x00\x02\x01\xc6\x33\x64\x02\x16\x2e\x01\xbb" /* 192.0.2.1:5678 → 198.51.100.2:443 */

typedef struct outcome {
    weir_proxy_progress_t progress;
    weir_proxy_header_t header;
    size_t consumed;
    char *buffer; /* exactly as large as what was read: AddressSanitizer sees every byte too far */
} outcome_t;

/* Reads `input` as if it came in pieces that end at first, first + step, …; every time from another place in memory. */
static void read_pieces(weir_span_t input, size_t first, size_t step, outcome_t *out)
{
    *out = (outcome_t){.progress = WEIR_PROXY_PARTIAL};
    for (size_t length = first;; length += step) {
        if (length > input.len)
            length = input.len;
        free(out->buffer);
        out->buffer = malloc(length + !length);
        assert_non_null(out->buffer);
        memcpy(out->buffer, input.base, length);
        memset(&out->header, 0x55, sizeof(out->header));
        out->progress = weir_proxy_header_read((weir_span_t){out->buffer, length}, &out->header, &out->consumed);
        if (out->progress != WEIR_PROXY_PARTIAL || length == input.len)
            return;
    }
}

static void assert_same_end(const weir_proxy_end_t *a, const weir_proxy_end_t *b)
{
    assert_memory_equal(a->address, b->address, sizeof(a->address));
    assert_int_equal(a->port, b->port);
    assert_true(weir_span_equal(a->path, b->path));
}

static void assert_same(const outcome_t *a, const outcome_t *b)
{
    assert_int_equal(a->progress, b->progress);
    if (a->progress != WEIR_PROXY_COMPLETE)
        return;
    assert_int_equal(a->consumed, b->consumed);
    assert_int_equal(a->header.kind, b->header.kind);
    assert_same_end(&a->header.source, &b->header.source);
    assert_same_end(&a->header.destination, &b->header.destination);
    assert_int_equal(a->header.tlvs.is_ssl, b->header.tlvs.is_ssl);
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++) {
        assert_int_equal(a->header.tlvs.text[i].base == NULL, b->header.tlvs.text[i].base == NULL);
        assert_true(weir_span_equal(a->header.tlvs.text[i], b->header.tlvs.text[i]));
    }
}

/* At once, byte by byte, and split in two at every point: always the same. The caller frees out->buffer. */
static void read_header(weir_span_t input, outcome_t *out)
{
    outcome_t other;

    read_pieces(input, input.len, 1, out);
    read_pieces(input, 0, 1, &other);
    assert_same(out, &other);
    free(other.buffer);
    for (size_t split = 1; split < input.len; split++) {
        read_pieces(input, split, input.len, &other);
        assert_same(out, &other);
        free(other.buffer);
    }
}

/* Complete with its last byte and not before; bytes behind it are not looked at. */
static void expect_complete(weir_span_t input, outcome_t *out)
{
    outcome_t longer;
    char *more = malloc(input.len + 4);

    assert_non_null(more);
    memcpy(more, input.base, input.len);
    memcpy(more + input.len, "GET ", 4);
    read_header(input, out);
    if (out->progress != WEIR_PROXY_COMPLETE)
        fail_msg("'%.*s': progress %d", (int)input.len, input.base, (int)out->progress);
    assert_int_equal(out->consumed, input.len);
    read_header((weir_span_t){more, input.len + 4}, &longer);
    assert_same(out, &longer);
    free(longer.buffer);
    free(more);
    read_pieces((weir_span_t){input.base, input.len - 1}, input.len - 1, 1, &longer);
    assert_int_equal(longer.progress, WEIR_PROXY_PARTIAL);
    free(longer.buffer);
}

static void expect_progress(weir_span_t input, weir_proxy_progress_t progress)
{
    outcome_t got;

    read_header(input, &got);
    if (got.progress != progress)
        fail_msg("'%.*s': progress %d", (int)input.len, input.base, (int)got.progress);
    free(got.buffer);
}

/* ---- version 1 ---- */

static void reads_version_1(void **state)
{
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    outcome_t got;

    expect_complete(WEIR_SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 5678 443\r\n"), &got);
    assert_int_equal(got.header.kind, WEIR_PROXY_INET);
    assert_memory_equal(got.header.source.address, "\xc0\x00\x02\x01", 4);
    assert_memory_equal(got.header.destination.address, "\xc6\x33\x64\x02", 4);
    assert_int_equal(got.header.source.port, 5678);
    assert_int_equal(got.header.destination.port, 443);
    free(got.buffer);
    expect_complete(WEIR_SPAN("PROXY TCP6 2001:db8::1 :: 0 65535\r\n"), &got);
    assert_int_equal(got.header.kind, WEIR_PROXY_INET6);
    assert_memory_equal(got.header.source.address, v6, 16);
    assert_int_equal(got.header.source.port, 0);
    assert_int_equal(got.header.destination.port, 65535);
    free(got.buffer);
}

static void reads_unknown(void **state)
{
    static const weir_span_t unknown[] = {
        TEXT("PROXY UNKNOWN\r\n"),
        TEXT("PROXY UNKNOWN \r\n"),
        TEXT("PROXY UNKNOWN  what\tever 1 2 3\r\n"),
        TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"),
    };
    outcome_t got;

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        expect_complete(unknown[i], &got);
        assert_int_equal(got.header.kind, WEIR_PROXY_LOCAL);
        assert_int_equal(got.header.destination.port, 0);
        free(got.buffer);
    }
}

static void limits_version_1(void **state)
{
    char line[120];
    outcome_t got;

    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + WEIR_PROXY_V1_BYTES - 2, "\r\n", 2);
    expect_complete((weir_span_t){line, WEIR_PROXY_V1_BYTES}, &got);
    free(got.buffer);
    memcpy(line + WEIR_PROXY_V1_BYTES - 2, "x\r\n", 3);
    expect_progress((weir_span_t){line, WEIR_PROXY_V1_BYTES - 1}, WEIR_PROXY_PARTIAL);
    expect_progress((weir_span_t){line, WEIR_PROXY_V1_BYTES}, WEIR_PROXY_BROKEN);
    expect_progress((weir_span_t){line, WEIR_PROXY_V1_BYTES + 1}, WEIR_PROXY_BROKEN);
}

static const weir_span_t broken_lines[] = {
    TEXT("G"),
    TEXT("PR0"),
    TEXT("PROXY\r\n"),
    TEXT("PROXY\tTCP4"),
    TEXT("PROXY \r\n"),
    TEXT("PROXY  TCP4 1.1.1.1 2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP4\r\n"),
    TEXT("PROXY TCP5 1.1.1.1 2.2.2.2 3 4\r\n"),
    TEXT("PROXY tcp4 1.1.1.1 2.2.2.2 3 4\r\n"),
    TEXT("PROXY UNKNOWNS\r\n"),
    TEXT("PROXY UNKNOWN\n"),
    TEXT("PROXY UNKNOWN\r\r\n"),
    TEXT("PROXY UNKNOWN\rx"),
    TEXT("PROXY TCP4 1.1.1.1  2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 4 \r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 4 5\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 \r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 03 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 00\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 65536\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 100000\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 -3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 +3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 0x3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1 2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.256 2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.01 2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1\0 2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 2.2.2.2\t3 4\r\n"),
    TEXT("PROXY TCP4 ::1 ::1 3 4\r\n"),
    TEXT("PROXY TCP4 1.1.1.1 ::1 3 4\r\n"),
    TEXT("PROXY TCP6 1.1.1.1 2.2.2.2 3 4\r\n"),
    TEXT("PROXY TCP6 [::1] ::1 3 4\r\n"),
    TEXT("PROXY TCP6 fe80::1%lo ::1 3 4\r\n"),
    TEXT("PROXY TCP6 1::2::3 ::1 3 4\r\n"),
    TEXT("PROXY TCP6 1111:2222:3333:4444:5555:6666:7777:8888:9999 ::1 3 4\r\n"),
};

static void refuses_broken_lines(void **state)
{
    for (size_t i = 0; i < sizeof(broken_lines) / sizeof(broken_lines[0]); i++)
        expect_progress(broken_lines[i], WEIR_PROXY_BROKEN);
}

/* ---- version 2 ---- */

static void reads_inet(void **state)
{
    outcome_t got;

    expect_complete(WEIR_SPAN(V2("\x21", "\x11", "\x00\x0c") ENDS), &got);
    assert_int_equal(got.header.kind, WEIR_PROXY_INET);
    assert_memory_equal(got.header.source.address, "\xc0\x00\x02\x01", 4);
    assert_memory_equal(got.header.destination.address, "\xc6\x33\x64\x02", 4);
    assert_int_equal(got.header.source.port, 5678);
    assert_int_equal(got.header.destination.port, 443);
    assert_false(got.header.tlvs.is_ssl);
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++)
        assert_null(got.header.tlvs.text[i].base);
    free(got.buffer);
}

static void reads_inet6(void **state)
{
    outcome_t got;

    expect_complete(WEIR_SPAN(V2("\x21", "\x21", "\x00\x24") "0123456789abcdef"
                                                             "ABCDEFGHIJKLMNOP"
                                                             "\x00\x50\xff\xff"),
                    &got);
    assert_int_equal(got.header.kind, WEIR_PROXY_INET6);
    assert_memory_equal(got.header.source.address, "0123456789abcdef", 16);
    assert_memory_equal(got.header.destination.address, "ABCDEFGHIJKLMNOP", 16);
    assert_int_equal(got.header.source.port, 80);
    assert_int_equal(got.header.destination.port, 65535);
    free(got.buffer);
}

static void reads_unix(void **state)
{
    char header[16 + 216];
    outcome_t got;

    memset(header, 0, sizeof(header));
    memcpy(header, V2("\x21", "\x31", "\x00\xd8"), 16);
    memcpy(header + 16, "/run/a", 6);
    memset(header + 16 + 108, 'x', 108); /* without a NUL */
    expect_complete((weir_span_t){header, sizeof(header)}, &got);
    assert_int_equal(got.header.kind, WEIR_PROXY_UNIX);
    assert_true(weir_span_equal(got.header.source.path, WEIR_SPAN("/run/a")));
    assert_int_equal(got.header.destination.path.len, 108);
    assert_int_equal(got.header.source.port, 0);
    free(got.buffer);
}

static void reads_what_is_local(void **state)
{
    static const weir_span_t local[] = {
        TEXT(V2("\x20", "\x00", "\x00\x00")),         TEXT(V2("\x20", "\x11", "\x00\x0c") ENDS),
        TEXT(V2("\x20", "\xff", "\x00\x05") "what?"), TEXT(V2("\x21", "\x00", "\x00\x00")),
        TEXT(V2("\x21", "\x01", "\x00\x00")),         TEXT(V2("\x21", "\x00", "\x00\x03") "\x02\xff\xff"),
    };
    outcome_t got;

    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        expect_complete(local[i], &got);
        assert_int_equal(got.header.kind, WEIR_PROXY_LOCAL);
        assert_int_equal(got.header.destination.port, 0);
        free(got.buffer);
    }
}

static void reads_tlvs(void **state)
{
    static const weir_span_t header =
        TEXT(V2("\x21", "\x11", "\x00\x5d") ENDS "\x04\x00\x00"
                                                 "\x01\x00\x02h2"
                                                 "\x30\x00\x02ns"
                                                 "\x02\x00\x09shop.test"
                                                 "\x20\x00\x27\x03\x00\x00\x00\x00"
                                                 "\x21\x00\x07TLSv1.3\x24\x00\x03RSA\x22\x00\x03joe\x23\x00\x09some-ciph"
                                                 "\x05\x00\x00"
                                                 "\xe0\x00\x03own\x04\x00\x02\x00\x00");
    static const char *const expected[WEIR_PROXY_TEXTS] = {
        [WEIR_PROXY_ALPN] = "h2",    [WEIR_PROXY_AUTHORITY] = "shop.test",
        [WEIR_PROXY_UNIQUE_ID] = "", [WEIR_PROXY_SSL_VERSION] = "TLSv1.3",
        [WEIR_PROXY_SSL_CN] = "joe", [WEIR_PROXY_SSL_CIPHER] = "some-ciph",
    };
    outcome_t got;

    expect_complete(header, &got);
    assert_true(got.header.tlvs.is_ssl);
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++) {
        assert_non_null(got.header.tlvs.text[i].base);
        assert_true(weir_span_equal(got.header.tlvs.text[i], (weir_span_t){expected[i], strlen(expected[i])}));
    }
    free(got.buffer);
}

static uint32_t crc32c(const char *bytes, size_t length)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static void verifies_the_sum(void **state)
{
    char header[] = V2("\x21", "\x11", "\x00\x1c") ENDS "\x02\x00\x03"
                                                        "abc\x03\x00\x04\x00\x00\x00\x00\x04\x00\x00";
    const size_t at = 16 + 12 + 6 + 3, length = sizeof(header) - 1;
    uint32_t crc = crc32c(header, length);
    outcome_t got;

    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    expect_progress((weir_span_t){header, length}, WEIR_PROXY_BROKEN);
    for (size_t i = 0; i < 4; i++)
        header[at + i] = (char)(crc >> (24 - 8 * i));
    expect_complete((weir_span_t){header, length}, &got);
    free(got.buffer);
    for (size_t i = 16; i < length; i++) { /* what stands before is checked otherwise */
        if (i == at - 3)                   /* the sum's type: without it there is no sum */
            continue;
        header[i] ^= 0x10;
        expect_progress((weir_span_t){header, length}, WEIR_PROXY_BROKEN);
        header[i] ^= 0x10;
    }
}

static const weir_span_t broken_blocks[] = {
    TEXT("\r\n\r\n\r"),
    TEXT("\r\n\r\n\0\r\nQUIT\r"),
    TEXT("\0"),
    TEXT(SIGNATURE "\x11"),
    TEXT(SIGNATURE "\x31"),
    TEXT(SIGNATURE "\x22"),
    TEXT(SIGNATURE "\x2f"),
    TEXT(SIGNATURE "\x21\x10"),
    TEXT(SIGNATURE "\x21\x12"),
    TEXT(SIGNATURE "\x21\x02"),
    TEXT(SIGNATURE "\x21\x22"),
    TEXT(SIGNATURE "\x21\x32"),
    TEXT(SIGNATURE "\x21\x41"),
    TEXT(V2("\x21", "\x11", "\x00\x0b")),
    TEXT(V2("\x21", "\x21", "\x00\x23")),
    TEXT(V2("\x21", "\x31", "\x00\xd7")),
    TEXT(V2("\x21", "\x11", "\x0f\xf1")), /* 4097 bytes in all */
    TEXT(V2("\x20", "\x00", "\xff\xff")),
    TEXT(V2("\x21", "\x11", "\x00\x0d") ENDS "\x04"),
    TEXT(V2("\x21", "\x11", "\x00\x0e") ENDS "\x04\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x0f") ENDS "\x04\x00\x01"),
    TEXT(V2("\x21", "\x11", "\x00\x10") ENDS "\x04\x01\x00x"),
    TEXT(V2("\x21", "\x11", "\x00\x12") ENDS "\x01\x00\x00\x01\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x12") ENDS "\x02\x00\x00\x02\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x12") ENDS "\x05\x00\x00\x05\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x0f") ENDS "\x03\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x0f") ENDS "\x20\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x13") ENDS "\x20\x00\x04\x01\x00\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x15") ENDS "\x20\x00\x06\x01\x00\x00\x00\x00\x21"),
    TEXT(V2("\x21", "\x11", "\x00\x17") ENDS "\x20\x00\x08\x01\x00\x00\x00\x00\x21\x00\x01"),
    TEXT(V2("\x21", "\x11", "\x00\x1a") ENDS "\x20\x00\x0b\x01\x00\x00\x00\x00\x21\x00\x00\x21\x00\x00"),
    TEXT(V2("\x21", "\x11", "\x00\x1c") ENDS "\x20\x00\x05\x01\x00\x00\x00\x00\x20\x00\x05\x01\x00\x00\x00\x00"),
};

static void refuses_broken_blocks(void **state)
{
    for (size_t i = 0; i < sizeof(broken_blocks) / sizeof(broken_blocks[0]); i++)
        expect_progress(broken_blocks[i], WEIR_PROXY_BROKEN);
}

static void limits_version_2(void **state)
{
    static char header[WEIR_PROXY_V2_BYTES] = V2("\x21", "\x11", "\x0f\xf0") ENDS "\x04\x0f\xe1";
    char id[16 + 12 + 3 + 129] = V2("\x21", "\x11", "\x00\x8f") ENDS "\x05\x00\x80";
    outcome_t got;

    read_pieces((weir_span_t){header, sizeof(header)}, 1, 1, &got);
    assert_int_equal(got.progress, WEIR_PROXY_COMPLETE);
    assert_int_equal(got.consumed, WEIR_PROXY_V2_BYTES);
    free(got.buffer);
    expect_complete((weir_span_t){id, sizeof(id) - 1}, &got);
    assert_int_equal(got.header.tlvs.text[WEIR_PROXY_UNIQUE_ID].len, WEIR_PROXY_UNIQUE_ID_BYTES);
    free(got.buffer);
    id[15]++;
    id[16 + 12 + 2]++;
    expect_progress((weir_span_t){id, sizeof(id)}, WEIR_PROXY_BROKEN);
}

static void waits(void **state)
{
    static const weir_span_t partial[] = {
        TEXT(""),
        TEXT("P"),
        TEXT("PROXY "),
        TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 4"),
        TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r"),
        TEXT("\r"),
        TEXT(SIGNATURE),
        TEXT(SIGNATURE "\x21\x11\x00"),
        TEXT(V2("\x21", "\x11", "\x00\x0c")),
        TEXT(V2("\x20", "\x00", "\x00\x01")),
    };

    for (size_t i = 0; i < sizeof(partial) / sizeof(partial[0]); i++)
        expect_progress(partial[i], WEIR_PROXY_PARTIAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_version_1),
        cmocka_unit_test(reads_unknown),
        cmocka_unit_test(limits_version_1),
        cmocka_unit_test(refuses_broken_lines),
        cmocka_unit_test(reads_inet),
        cmocka_unit_test(reads_inet6),
        cmocka_unit_test(reads_unix),
        cmocka_unit_test(reads_what_is_local),
        cmocka_unit_test(reads_tlvs),
        cmocka_unit_test(verifies_the_sum),
        cmocka_unit_test(refuses_broken_blocks),
        cmocka_unit_test(limits_version_2),
        cmocka_unit_test(waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
