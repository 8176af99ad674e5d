/* SPDX-License-Identifier: MIT */
/* Names of certificates, and files of ticket keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/tls/tls_names.h"
#include "lib/wire/tls/tls_ticket_file.h"

#define HEX32 "000102030405060708090a0b0c0d0e0f"
#define HEX192 HEX32 HEX32 HEX32 HEX32 HEX32 HEX32
#define HEX160 HEX32 HEX32 HEX32 HEX32 HEX32
#define KEY(from_)                                                                                                             \
    "- name: " HEX32 "\n  cipher: AES-256-CBC\n  hash: SHA256\n  key: " HEX192 "\n  not_before: " from_ "\n  not_after: 9\n"

static bool clean(const char *name, const char *expected)
{
    char out[WEIR_TLS_NAME_BYTES + 1];
    size_t len;

    if (!weir_tls_name_clean((weir_span_t){name, strlen(name)}, out, &len))
        return expected == NULL;
    return expected != NULL && strlen(expected) == len && strcmp(out, expected) == 0;
}

static void names_are_cleaned(void **state)
{
    char name[300];

    assert_true(clean("A.Example", "a.example"));
    assert_true(clean("*.example", "*.example"));
    assert_true(clean("_.example", "_.example"));
    assert_true(clean("xn--bcher-kva.example", "xn--bcher-kva.example"));
    static const char *const bad[] = {"",  ".",    "..",    "a..b", ".a",  "a.",   "a/b", "../a",
                                      "*", "*a.b", "a.*.b", "a b",  "a:1", "a\\b", "a%b", "\xc3\xbc.example"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(clean(bad[i], NULL));
    memset(name, 'a', sizeof(name));
    name[253] = '\0';
    assert_true(clean(name, name));
    name[253] = 'a';
    name[254] = '\0';
    assert_true(clean(name, NULL));
}

static void wildcards_replace_one_label(void **state)
{
    char out[WEIR_TLS_NAME_BYTES + 1];
    weir_span_t any = weir_tls_name_wildcard(WEIR_SPAN("a.b.test"), out);

    assert_int_equal(any.len, 8);
    assert_memory_equal(any.base, "*.b.test", 8);
    assert_int_equal(weir_tls_name_wildcard(WEIR_SPAN("test"), out).len, 0);
}

static void many_names_are_found(void **state)
{
    weir_tls_names_t names = {0};
    char text[32];

    assert_null(weir_tls_names_find(&names, WEIR_SPAN("a")));
    for (int i = 0; i < 10000; i++) {
        int len = snprintf(text, sizeof(text), "n%d.test", i);
        weir_tls_names_add(&names, (weir_span_t){text, (size_t)len}, NULL);
    }
    for (int i = 0; i < 10000; i += 2) {
        int len = snprintf(text, sizeof(text), "n%d.test", i);
        weir_tls_name_t *entry = weir_tls_names_find(&names, (weir_span_t){text, (size_t)len});
        assert_non_null(entry);
        weir_tls_names_remove(&names, entry);
    }
    assert_int_equal(names.count, 5000);
    assert_null(weir_tls_names_find(&names, WEIR_SPAN("n44.test")));
    assert_non_null(weir_tls_names_find(&names, WEIR_SPAN("n45.test")));
    weir_tls_names_finish(&names);
    assert_int_equal(names.count, 0);
}

static size_t read_keys(const char *text, size_t *line, const char **problem, weir_ticket_key_t *keys)
{
    return weir_ticket_file_read((weir_span_t){text, strlen(text)}, keys, line, problem);
}

static void keys_are_read(void **state)
{
    static weir_ticket_key_t keys[WEIR_TICKET_KEYS_MAX];
    size_t line;
    const char *problem;

    assert_int_equal(read_keys("---\n# two\n" KEY("1") "\n" KEY("2"), &line, &problem, keys), 2);
    assert_int_equal(keys[0].not_before_s, 1);
    assert_int_equal(keys[1].not_before_s, 2);
    assert_int_equal(keys[1].not_after_s, 9);
    assert_int_equal(keys[0].name[15], 15);
    assert_int_equal(keys[0].cipher[31], 15);
    assert_int_equal(keys[0].hash[63], 15);
    assert_int_equal(read_keys("-\n  name: " HEX32 "\r\n  cipher: aes-256-cbc\n  hash: sha256\n  key: " HEX192
                               "\n  not_before: 0\n  not_after: 1",
                               &line, &problem, keys),
                     1);
}

static void smaller_keys_are_read(void **state)
{
    static const char text[] = "- name: " HEX32 "\n  key: " HEX160 "\n  cipher: aes-128-cbc\n  hash: sha1\n"
                               "  not_before: 1\n  not_after: 9\n" KEY("2");
    static weir_ticket_key_t keys[WEIR_TICKET_KEYS_MAX];
    size_t line;
    const char *problem;

    assert_int_equal(read_keys(text, &line, &problem, keys), 2);
    assert_true(keys[0].is_aes_128 && keys[0].is_sha1);
    assert_int_equal(keys[0].cipher[15], 15);
    assert_int_equal(keys[0].cipher[16], 0);
    assert_int_equal(keys[0].hash[0], 0);
    assert_int_equal(keys[0].hash[63], 15);
    assert_false(keys[1].is_aes_128 || keys[1].is_sha1);
}

static void mistakes_are_told(void **state)
{
    static weir_ticket_key_t keys[WEIR_TICKET_KEYS_MAX];

    static const struct {
        const char *text;
        size_t line;
    } bad[] = {
        {"", 0},
        {"# nothing\n", 1},
        {"name: " HEX32 "\n", 1},
        {"- name: 12\n", 1},
        {"- name: " HEX32 "\n  cipher: DES\n", 2},
        {"- name: " HEX32 "\n  colour: red\n", 2},
        {"- name: " HEX32 "\n", 1},
        {"- name: " HEX32 "\n" KEY("1"), 2},
        {KEY("1") "- name: " HEX32 "\n  hash: MD5\n", 8},
        {KEY("x"), 5},
        {"- name: " HEX32 "\n  key: " HEX192 "\n  cipher: AES-128-CBC\n  hash: SHA1\n  not_before: 1\n  not_after: 9\n", 6},
        {"- name: " HEX32 "\n  key: " HEX160 "\n  cipher: AES-256-CBC\n  hash: SHA1\n  not_before: 1\n  not_after: 9\n", 6},
        {KEY("12345678901234567890"), 5},
        {KEY(""), 5},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t line;
        const char *problem;
        assert_int_equal(read_keys(bad[i].text, &line, &problem, keys), 0);
        assert_non_null(problem);
        assert_int_equal(line, bad[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_cleaned),     cmocka_unit_test(wildcards_replace_one_label),
        cmocka_unit_test(many_names_are_found),  cmocka_unit_test(keys_are_read),
        cmocka_unit_test(smaller_keys_are_read), cmocka_unit_test(mistakes_are_told),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
