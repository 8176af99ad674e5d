/* SPDX-License-Identifier: MIT */
/* A directory of certificates, told of as a whole: which files are certificates, in which order, and how many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/wire/tls/tls_directory.h"

enum { PATH_MOST = 400, TOLD_BYTES = 1024 };

/* Of a.test, until 2126. */
static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIIBgjCCASigAwIBAgIUNYzywQfemcRzUaXJU8sXkD8O88swCgYIKoZIzj0EAwIw\n"
                          "DDEKMAgGA1UEAwwBYTAgFw0yNjExMzAxOTQ2NTNaGA8yMTI2MTEwNjE5NDY1M1ow\n"
                          "DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEbgCTAWDfkg\n"
                          "n8iOIZ7EXGmZ5MfhMx9BaWGLN/mBA/r+9iCwY5+FwUckpUvEOW4+67Snt9SC6f8O\n"
                          "X9DHtKJ29dyjZjBkMB0GA1UdDgQWBBRoebpMjKRBCP6porT7cWKdO57zqzAfBgNV\n"
                          "HSMEGDAWgBRoebpMjKRBCP6porT7cWKdO57zqzAPBgNVHRMBAf8EBTADAQH/MBEG\n"
                          "A1UdEQQKMAiCBmEudGVzdDAKBggqhkjOPQQDAgNIADBFAiEAuCldXcn8PvE8C+HI\n"
                          "uDpj5C4gMS6lcNGM3mjspPmVvtMCIEkHPwHGOUbC4SiKZGwoL4DNIUksxAEUxOgm\n"
                          "8ZNzzeah\n"
                          "-----END CERTIFICATE-----\n";

static const char *const files[] = {"b.test.crt", "b.test.key", "a.test.crt", "a.test.key", "_.c.test.crt", "_.c.test.key"};
static const char *const none[] = {"keyless.test.crt", "Upper.test.crt", "Upper.test.key", ".crt",      ".key",
                                   "a b.crt",          "a b.key",        "d.test.pem",     "d.test.key"};

static char folder[] = "/tmp/weir-directory-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[PATH_MOST];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void remove_file(const char *name)
{
    char path[PATH_MOST];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)unlink(path);
}

static int make_folder(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        write_file(files[i], strstr(files[i], ".crt") != NULL ? pem : "no key is read\n");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        write_file(none[i], pem);
    return 0;
}

static int remove_folder(void **state)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        remove_file(files[i]);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        remove_file(none[i]);
    (void)rmdir(folder);
    return 0;
}

/* ---- telling ---- */

typedef struct heard {
    char text[TOLD_BYTES]; /* the files' names without the folder, each behind a blank */
    size_t count, wanted;  /* wanted: it goes on until so many have been heard */
} heard_t;

static void hear(const weir_tls_told_t *told, void *of)
{
    heard_t *heard = of;
    const size_t length = strlen(heard->text);

    snprintf(heard->text + length, sizeof(heard->text) - length, " %s", strrchr(told->file, '/') + 1);
    assert_int_equal(told->name_count, 1);
    assert_string_equal(told->names[0], "a.test");
    assert_int_equal(told->ends_at_s, 4949668013);
    assert_false(told->has_staple);
    heard->count++;
}

static bool goes_on(void *of)
{
    const heard_t *heard = of;

    return heard->count < heard->wanted;
}

static size_t tell(size_t most, size_t wanted, heard_t *heard)
{
    char problem[WEIR_TLS_PROBLEM_BYTES];
    const weir_tls_telling_t telling = {hear, goes_on, heard};
    weir_tls_directory_t *directory = weir_tls_directory_open(folder, problem);

    assert_non_null(directory);
    *heard = (heard_t){.wanted = wanted};
    const size_t left_out = weir_tls_directory_tell(directory, most, &telling);
    weir_tls_directory_close(&directory);
    return left_out;
}

static void pairs_are_told_of_by_name(void **state)
{
    heard_t heard;

    assert_int_equal(tell(100, 100, &heard), 0);
    assert_string_equal(heard.text, " _.c.test.crt a.test.crt b.test.crt");
}

/* The keyless one is among those that are found. */
static void further_ones_are_counted(void **state)
{
    heard_t heard;

    for (size_t most = 0; most < 4; most++) {
        assert_int_equal(tell(most, 100, &heard), 4 - most);
        assert_true(heard.count <= most);
    }
}

static void it_ends_when_nobody_wants_more(void **state)
{
    heard_t heard;

    assert_true(tell(100, 1, &heard) >= 2);
    assert_string_equal(heard.text, " _.c.test.crt");
}

static void what_cannot_be_read_is_counted(void **state)
{
    heard_t heard;

    write_file("a.test.crt", "no certificate");
    assert_int_equal(tell(100, 100, &heard), 1);
    assert_string_equal(heard.text, " _.c.test.crt b.test.crt");
    write_file("a.test.crt", pem);
}

static void so_is_a_directory_that_is_gone(void **state)
{
    char problem[WEIR_TLS_PROBLEM_BYTES], gone[] = "/tmp/weir-directory-XXXXXX";
    heard_t heard = {.wanted = 100};
    const weir_tls_telling_t telling = {hear, goes_on, &heard};

    assert_non_null(mkdtemp(gone));
    weir_tls_directory_t *directory = weir_tls_directory_open(gone, problem);
    assert_non_null(directory);
    assert_int_equal(rmdir(gone), 0);
    assert_int_equal(weir_tls_directory_tell(directory, 100, &telling), 1);
    assert_int_equal(heard.count, 0);
    weir_tls_directory_close(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_told_of_by_name),      cmocka_unit_test(further_ones_are_counted),
        cmocka_unit_test(it_ends_when_nobody_wants_more), cmocka_unit_test(what_cannot_be_read_is_counted),
        cmocka_unit_test(so_is_a_directory_that_is_gone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
