/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "unit.h"
#include "weir_digest.h"

static void assert_digest(const uint8_t got[WEIR_SHA256_BYTES], const char *hex)
{
    char text[2 * WEIR_SHA256_BYTES + 1];

    for (size_t i = 0; i < WEIR_SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    assert_string_equal(text, hex);
}

/* RFC 4231 §4.2, §4.3 and §4.7 */
static void as_the_rfc_has_it(void **state)
{
    uint8_t digest[WEIR_SHA256_BYTES], key[131];
    weir_span_t text = WEIR_SPAN("Hi There");

    memset(key, 0x0b, 20);
    weir_hmac_sha256((weir_span_t){(char *)key, 20}, &text, 1, digest);
    assert_digest(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const weir_span_t pieces[] = {WEIR_SPAN("what do "), WEIR_SPAN(""), WEIR_SPAN("ya want for nothing?")};
    weir_hmac_sha256(WEIR_SPAN("Jefe"), pieces, 3, digest);
    assert_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    text = WEIR_SPAN("Test Using Larger Than Block-Size Key - Hash Key First");
    weir_hmac_sha256((weir_span_t){(char *)key, sizeof(key)}, &text, 1, digest);
    assert_digest(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void of_nothing(void **state)
{
    uint8_t digest[WEIR_SHA256_BYTES];

    weir_hmac_sha256((weir_span_t){NULL, 0}, NULL, 0, digest);
    assert_digest(digest, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_rfc_has_it),
        cmocka_unit_test(of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
