/* SPDX-License-Identifier: MIT */
/* The file of tokens: whose a token is, when it is read anew, and what is none. */
#include "lib/admin/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t second_us = 1000000;
static char path[64], problem[512];

static void write_text(const char *text, mode_t mode)
{
    FILE *file;

    (void)unlink(path); /* another file each time: it may have changed within one tick of its clock */
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), mode), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char *find(admin_tokens_t *tokens, const char *given, uint64_t now_us)
{
    const char *name = admin_tokens_find(tokens, (weir_span_t){given, strlen(given)}, now_us);

    return name == NULL ? "nobody" : name;
}

static void a_token_is_somebody_s(void **state)
{
    write_text("# a comment\n\n  deploy: aaaaaaaaaaaaaaaa\r\nbbbbbbbbbbbbbbbb\nlast@host:cccccccccccccccc", 0640);
    admin_tokens_t *tokens = admin_tokens_open(path, problem, sizeof(problem));

    assert_non_null(tokens);
    assert_string_equal(find(tokens, "aaaaaaaaaaaaaaaa", 0), "deploy");
    assert_string_equal(find(tokens, "bbbbbbbbbbbbbbbb", 0), "token of line 4");
    assert_string_equal(find(tokens, "cccccccccccccccc", 0), "last@host");
    assert_string_equal(find(tokens, "aaaaaaaaaaaaaaa", 0), "nobody");
    assert_string_equal(find(tokens, "aaaaaaaaaaaaaaaaa", 0), "nobody");
    assert_string_equal(find(tokens, "", 0), "nobody");
    assert_null(admin_tokens_find(tokens, (weir_span_t){NULL, 0}, 0));
    assert_null(admin_tokens_find(tokens, (weir_span_t){"aaaaaaaaaaaaaaaa", 17}, 0)); /* its NUL as well */
    admin_tokens_close(&tokens);
    assert_null(tokens);
}

static void it_is_looked_at_once_a_second(void **state)
{
    write_text("one: aaaaaaaaaaaaaaaa\n", 0600);
    admin_tokens_t *tokens = admin_tokens_open(path, problem, sizeof(problem));

    assert_non_null(tokens);
    assert_string_equal(find(tokens, "aaaaaaaaaaaaaaaa", 2 * second_us), "one");
    write_text("two: bbbbbbbbbbbbbbbb\n", 0600);
    assert_string_equal(find(tokens, "bbbbbbbbbbbbbbbb", 3 * second_us - 1), "nobody");
    assert_string_equal(find(tokens, "bbbbbbbbbbbbbbbb", 3 * second_us), "two");
    assert_string_equal(find(tokens, "aaaaaaaaaaaaaaaa", 3 * second_us), "nobody");
    write_text("", 0600);
    assert_string_equal(find(tokens, "bbbbbbbbbbbbbbbb", 4 * second_us), "two");
    write_text("three: cccccccccccccccc\n", 0604);
    assert_string_equal(find(tokens, "cccccccccccccccc", 5 * second_us), "nobody");
    assert_int_equal(chmod(path, 0600), 0);
    assert_string_equal(find(tokens, "cccccccccccccccc", 6 * second_us), "three");
    assert_int_equal(unlink(path), 0);
    assert_string_equal(find(tokens, "cccccccccccccccc", 7 * second_us), "three");
    admin_tokens_close(&tokens);
}

static void refuse(const char *text, mode_t mode, const char *why)
{
    write_text(text, mode);
    assert_null(admin_tokens_open(path, problem, sizeof(problem)));
    if (strstr(problem, why) == NULL)
        fail_msg("%s: %s", why, problem);
}

static void what_is_none_is_refused(void **state)
{
    char long_one[300], many[65 * 18 + 1] = "";

    memset(long_one, 'x', sizeof(long_one) - 1);
    long_one[sizeof(long_one) - 1] = '\0';
    for (int i = 0; i < 65; i++)
        strcat(many, "aaaaaaaaaaaaaaaa\n");
    refuse("", 0600, "there is no token");
    refuse("# nothing\n", 0600, "there is no token");
    refuse("\nshort\n", 0600, ":2: a token has");
    refuse("aaaaaaaaaaaaaaaa b\n", 0600, ":1: a token has");
    refuse("aaaaaaaaaaaaaaa\"\n", 0600, ":1: a token has");
    refuse(long_one, 0600, ":1: a token has");
    refuse("a b: aaaaaaaaaaaaaaaa\n", 0600, ":1: the name");
    refuse(": aaaaaaaaaaaaaaaa\n", 0600, ":1: the name");
    refuse(many, 0600, ":65: there are more");
    refuse("aaaaaaaaaaaaaaaa\n", 0644, "others than its owner");
    assert_int_equal(unlink(path), 0);
    assert_null(admin_tokens_open(path, problem, sizeof(problem)));
    assert_null(admin_tokens_open("/", problem, sizeof(problem)));
    assert_non_null(strstr(problem, "no file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_somebody_s),
        cmocka_unit_test(it_is_looked_at_once_a_second),
        cmocka_unit_test(what_is_none_is_refused),
    };
    char folder[] = "/tmp/weir-tokens-XXXXXX";

    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/tokens", folder);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
