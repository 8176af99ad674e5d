/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4: the paper's key 00 … 0f and messages 00 01 02 …, which the reference implementation lists up to 63 bytes; and
 * what another implementation says of longer ones and of other keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/weir_digest.h"

static const uint64_t paper_key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static const uint64_t by_length[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
    0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5, 0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794,
    0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd, 0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad, 0xde4daaaca71dc9a5, 0xa6a2506687956571,
    0xad87a3535c49ef28, 0x32d892fad841c342, 0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c, 0x0e3ea96b5304a7d0, 0xad0c42d6fc585992,
    0x187306c89bc215a9, 0xd4a60abcf3792b95, 0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a, 0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f,
    0x7fa8220ba3b2ecea, 0x245731c13ca42499, 0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

/* 00 01 02 … with nothing behind it. */
static char *count_up(size_t length)
{
    char *bytes = malloc(length);

    assert_true(bytes != NULL || length == 0);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(unsigned char)i;
    return bytes;
}

static uint64_t hash_of(const uint64_t key[static 2], size_t length)
{
    char *bytes = count_up(length);
    uint64_t hash = weir_siphash(key, (weir_span_t){bytes, length});

    free(bytes);
    return hash;
}

static void the_example_of_the_paper(void **state)
{
    assert_true(hash_of(paper_key, 15) == 0xa129ca6149be45e5);
}

static void every_length_of_the_reference(void **state)
{
    for (size_t length = 0; length < 64; length++) {
        if (hash_of(paper_key, length) != by_length[length])
            fail_msg("%zu bytes", length);
    }
}

static void nothing_has_a_hash_with_or_without_a_base(void **state)
{
    assert_true(weir_siphash(paper_key, (weir_span_t){NULL, 0}) == by_length[0]);
    assert_true(weir_siphash(paper_key, WEIR_SPAN("")) == by_length[0]);
    assert_true(weir_siphash((const uint64_t[2]){0, 0}, (weir_span_t){NULL, 0}) == 0x1e924b9d737700d7);
}

static void it_does_not_matter_where_the_bytes_lie(void **state)
{
    char room[8 + 63];

    for (size_t offset = 0; offset < 8; offset++) {
        for (size_t length = 0; length < 64; length++) {
            memset(room, 0x55, sizeof(room));
            for (size_t i = 0; i < length; i++)
                room[offset + i] = (char)i;
            if (weir_siphash(paper_key, (weir_span_t){room + offset, length}) != by_length[length])
                fail_msg("%zu bytes at %zu", length, offset);
        }
    }
}

/* The length counts modulo 256. */
static void long_messages(void **state)
{
    assert_true(hash_of(paper_key, 255) == 0xa9c169fec74db21a);
    assert_true(hash_of(paper_key, 256) == 0x999d0526d2a7bfd7);
    assert_true(hash_of(paper_key, 257) == 0x8a817b8d55b29748);
    assert_true(hash_of(paper_key, 1000) == 0xdb9b3ed69e31c9a6);
}

static void another_key(void **state)
{
    static const uint64_t key[2] = {0xfedcba9876543210, 0x0123456789abcdef},
                          swapped[2] = {0x0123456789abcdef, 0xfedcba9876543210};

    assert_true(hash_of(key, 0) == 0x1d5f70f0e88d060f);
    assert_true(hash_of(key, 1) == 0x9a8eca7e36a15a9c);
    assert_true(hash_of(key, 7) == 0x9e90f10bc82f937c);
    assert_true(hash_of(key, 8) == 0x6f44bf09bbfe3d33);
    assert_true(hash_of(key, 9) == 0xc0d51ec5b60259fa);
    assert_true(hash_of(key, 15) == 0xbcfc7bd0d2f4e220);
    assert_true(hash_of(key, 16) == 0xdd19108a4e061abe);
    assert_true(hash_of(key, 63) == 0xfa0082f79c2f4b48);
    assert_true(hash_of(swapped, 15) == 0xf7df4b7f52a10e18);
}

static void bytes_have_no_sign(void **state)
{
    static const uint64_t ones[2] = {UINT64_MAX, UINT64_MAX};
    char bytes[11];

    memset(bytes, 0xff, sizeof(bytes));
    assert_true(weir_siphash(ones, (weir_span_t){bytes, sizeof(bytes)}) == 0x2902bc19b8d5dc03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_paper),
        cmocka_unit_test(every_length_of_the_reference),
        cmocka_unit_test(nothing_has_a_hash_with_or_without_a_base),
        cmocka_unit_test(it_does_not_matter_where_the_bytes_lie),
        cmocka_unit_test(long_messages),
        cmocka_unit_test(another_key),
        cmocka_unit_test(bytes_have_no_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
