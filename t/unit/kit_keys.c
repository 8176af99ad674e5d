/* SPDX-License-Identifier: MIT */
/* Key files of affinity cookies, and what is said of wrong ones. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "conf_capture.h"
#include "router/kit/affinity_keys.h"
#include "unit.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ID "id " A64 "\n"

static const uint8_t nothing[sizeof(kit_keys_t)];
static kit_keys_t keys;
static char problem[400];
static const char *path;

static bool read_file(const char *text, mode_t mode)
{
    bool is_read;

    path = scratch_file("keys", text);
    assert_int_equal(chmod(path, mode), 0);
    memset(&keys, 0x55, sizeof(keys));
    strcpy(problem, "nothing");
    is_read = kit_keys_read(path, &keys, problem, sizeof(problem));
    assert_int_equal(unlink(path), 0);
    return is_read;
}

/* "path:line: what"; and nothing of it is kept, or told. */
static void assert_problem(unsigned line, const char *what)
{
    char wanted[400], place[20] = "";

    if (line > 0)
        snprintf(place, sizeof(place), "%u:", line);
    snprintf(wanted, sizeof(wanted), "%s:%s %s", path, place, what);
    assert_string_equal(problem, wanted);
    assert_memory_equal(&keys, nothing, sizeof(keys));
    assert_lacks(problem, "aaaa");
    assert_lacks(problem, "cccc");
}

static void assert_wrong(const char *text, unsigned line, const char *what)
{
    if (read_file(text, 0600))
        fail_msg("taken: %s", text);
    assert_problem(line, what);
}

static void assert_right(const char *text)
{
    if (!read_file(text, 0600))
        fail_msg("%s", problem);
}

/* ---- right ones ---- */

static void keys_are_read_in_their_order(void **state)
{
    assert_right("# pins hang on it\nid " A64 " # for ever\n\n  \t\n9\t" B64 "\r\n200 " C64 "   2027-01-31T00:00:00Z\n0 " A64);
    assert_int_equal(keys.count, 3);
    assert_int_equal(keys.id_key[0], 0xaa);
    assert_int_equal(keys.id_key[31], 0xaa);
    assert_int_equal(keys.at[0].number, 9);
    assert_int_equal(keys.at[0].key[1], 0x11);
    assert_int_equal(keys.at[0].key[15], 0xff);
    assert_int_equal(keys.at[0].key[31], 0xff);
    assert_true(keys.at[0].not_after_s == 0);
    assert_int_equal(keys.at[1].number, 200);
    assert_true(keys.at[1].not_after_s == 1801353600); /* date -ud 2027-01-31T00:00:00Z +%s */
    assert_int_equal(keys.at[2].number, 0);
    assert_true(keys.at[2].not_after_s == 0);
}

static void a_key_has_an_end(void **state)
{
    assert_right(ID "1 " B64 " 2000-02-29T23:59:59Z\n2 " C64 " 2001-01-01T00:00:00Z\n");
    assert_true(keys.at[0].not_after_s == 951868799);
    assert_ptr_equal(kit_keys_signer(&keys, 0), &keys.at[0]);
    assert_ptr_equal(kit_keys_signer(&keys, 951868799), &keys.at[0]);
    assert_ptr_equal(kit_keys_signer(&keys, 951868800), &keys.at[1]);
    assert_null(kit_keys_signer(&keys, 1000000000));
    assert_ptr_equal(kit_keys_find(&keys, 1, 951868799), &keys.at[0]);
    assert_null(kit_keys_find(&keys, 1, 951868800));
    assert_ptr_equal(kit_keys_find(&keys, 2, 951868800), &keys.at[1]);
    assert_null(kit_keys_find(&keys, 3, 0));
}

static void sixteen_keys_and_no_more(void **state)
{
    char text[KIT_KEYS_MOST * 100 + 200] = ID;
    size_t length = strlen(text);

    for (unsigned i = 0; i <= KIT_KEYS_MOST; i++) {
        if (i == KIT_KEYS_MOST)
            assert_right(text);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%u " B64 "\n", 255 - i);
    }
    assert_int_equal(keys.count, KIT_KEYS_MOST);
    assert_int_equal(keys.at[KIT_KEYS_MOST - 1].number, 240);
    assert_wrong(text, 18, "there are more than 16 keys");
}

/* ---- wrong lines ---- */

static void each_line_has_its_mistake(void **state)
{
    static const char key[] = "a key is 64 hexadecimal digits, 32 random bytes";
    static const char first[] = "a line begins with `id` or with the number of its key, 0 to 255";

    assert_wrong("id\n", 1, key);
    assert_wrong("id " A64 "a\n", 1, key);
    assert_wrong("\n\nid #" A64 "\n", 3, key);
    assert_wrong(ID "1 " B64 "\n2\n", 3, key);
    assert_wrong(ID "1 aaaaaaaaaaaaaaaa\n", 2, key);
    assert_wrong(ID "1 gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 2, key);
    assert_wrong(A64 "\n", 1, first);
    assert_wrong(ID "256 " B64 "\n", 2, first);
    assert_wrong(ID "-1 " B64 "\n", 2, first);
    assert_wrong(ID "+1 " B64 "\n", 2, first);
    assert_wrong(ID "0001 " B64 "\n", 2, first);
    assert_wrong(ID "1x " B64 "\n", 2, first);
    assert_wrong("ID " A64 "\n", 1, first);
    assert_wrong("\xef\xbb\xbfid " A64 "\n", 1, first);
    assert_wrong(ID ID, 2, "`id` stands there already; there is one for ever");
    assert_wrong("id " A64 " 2027-01-31T00:00:00Z\n", 1, "behind the key of `id` stands nothing else");
    assert_wrong(ID "7 " B64 "\n8 " C64 "\n# x\n07 " C64 "\n", 5, "the key number 7 stands there already");
    assert_wrong(ID "7 " B64 " 2027-01-31T00:00:00Z x\n", 2, "behind the time a key ends at stands nothing else");
}

static void a_time_exists(void **state)
{
    static const char *const times[] = {
        "2027-01-31",
        "2027-01-31T00:00:00",
        "2027-01-31T00:00:00+00:00",
        "2027-01-31 00:00:00Z",
        "2027-01-31t00:00:00z",
        "2027-02-29T00:00:00Z",
        "2027-00-10T00:00:00Z",
        "2027-13-01T00:00:00Z",
        "2027-01-00T00:00:00Z",
        "2027-04-31T00:00:00Z",
        "2027-01-31T24:00:00Z",
        "2027-01-31T00:60:00Z",
        "2027-01-31T00:00:60Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "2027-01-3xT00:00:00Z",
        "2100-02-29T00:00:00Z",
        "+027-01-31T00:00:00Z",
        "never",
    };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[300];

        snprintf(text, sizeof(text), ID "1 " B64 " %s\n", times[i]);
        assert_wrong(text, 2, "behind a key stands nothing or the time it ends at, as 2027-01-31T00:00:00Z");
    }
    assert_right(ID "1 " B64 " 9999-12-31T23:59:59Z\n");
    assert_true(keys.at[0].not_after_s == UINT64_C(253402300799));
}

static void something_is_missing(void **state)
{
    assert_wrong("", 0, "there is no line `id` with the key of member ids");
    assert_wrong("# id " A64 "\n1 " B64 "\n", 0, "there is no line `id` with the key of member ids");
    assert_wrong(ID, 0, "there is no key with a number");
}

static void a_nul_is_no_end(void **state)
{
    static const char text[] = "id " A64 "\n1 " B64 "\0 2027-01-31T00:00:00Z\n";
    FILE *file;

    path = scratch_path("keys");
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof(text) - 1, file), sizeof(text) - 1);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_false(kit_keys_read(path, &keys, problem, sizeof(problem)));
    assert_problem(2, "a key is 64 hexadecimal digits, 32 random bytes");
}

/* ---- the file ---- */

static void its_mode_lets_no_stranger_read(void **state)
{
    static const mode_t right[] = {0600, 0640, 0400, 0440}, wrong[] = {0644, 0604, 0660, 0700, 0620, 0650, 0601, 04600, 01600};

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        if (!read_file(ID "1 " B64 "\n", right[i]))
            fail_msg("%04o: %s", (unsigned)right[i], problem);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char what[200];

        if (read_file(ID "1 " B64 "\n", wrong[i]))
            fail_msg("%04o", (unsigned)wrong[i]);
        snprintf(what, sizeof(what), "has mode %04o; whoever reads it can forge cookies: make it 0600 or 0640",
                 (unsigned)wrong[i]);
        assert_problem(0, what);
    }
}

static void it_is_a_file(void **state)
{
    path = scratch_path("nowhere");
    assert_false(kit_keys_read(path, &keys, problem, sizeof(problem)));
    assert_problem(0, "cannot be opened: No such file or directory");
    path = scratch;
    assert_false(kit_keys_read(path, &keys, problem, sizeof(problem)));
    assert_problem(0, "is not a regular file");
    path = scratch_path("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(kit_keys_read(path, &keys, problem, sizeof(problem)));
    assert_problem(0, "is not a regular file");
    path = "/dev/null";
    assert_false(kit_keys_read(path, &keys, problem, sizeof(problem)));
    assert_problem(0, "is not a regular file");
}

static void it_may_be_a_link(void **state)
{
    char target[128];

    strcpy(target, scratch_file("target", ID "1 " B64 "\n"));
    assert_int_equal(chmod(target, 0600), 0);
    path = scratch_path("link");
    assert_int_equal(symlink(target, path), 0);
    assert_true(kit_keys_read(path, &keys, problem, sizeof(problem)));
}

static void it_has_a_size(void **state)
{
    static char text[KIT_KEY_FILE_BYTES + 2];

    memset(text, '#', sizeof(text) - 1);
    memcpy(text, ID "1 " B64 "\n", strlen(ID "1 " B64 "\n"));
    text[KIT_KEY_FILE_BYTES] = '\0';
    assert_right(text);
    text[KIT_KEY_FILE_BYTES] = '#';
    assert_wrong(text, 0, "is longer than 65536 bytes");
}

static void a_problem_is_cut_to_its_room(void **state)
{
    char small[8] = "1234567", none[1] = "x";

    assert_false(kit_keys_read("/nonexistent/keys", &keys, small, sizeof(small)));
    assert_string_equal(small, "/nonexi");
    assert_false(kit_keys_read("/nonexistent/keys", &keys, none, sizeof(none)));
    assert_string_equal(none, "");
}

/* ---- writing ---- */

static void what_is_saved_is_read(void **state)
{
    kit_keys_t made, got;
    struct stat stat_of;

    path = scratch_path("saved");
    kit_keys_make(&made);
    made.count = KIT_KEYS_MOST;
    for (unsigned i = 1; i < KIT_KEYS_MOST; i++) {
        made.at[i] = made.at[0];
        made.at[i].number = (uint8_t)(256 - i);
        made.at[i].not_after_s = i % 2 == 0 ? 0 : UINT64_C(253402300799);
    }
    assert_true(kit_keys_save(path, &made, problem, sizeof(problem)));
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode, S_IFREG | 0600);
    assert_int_equal(stat_of.st_nlink, 1);
    if (!kit_keys_read(path, &got, problem, sizeof(problem)))
        fail_msg("%s", problem);
    assert_int_equal(got.count, made.count);
    assert_memory_equal(got.id_key, made.id_key, KIT_KEY_BYTES);
    for (size_t i = 0; i < made.count; i++) {
        assert_int_equal(got.at[i].number, made.at[i].number);
        assert_memory_equal(got.at[i].key, made.at[i].key, KIT_KEY_BYTES);
        assert_true(got.at[i].not_after_s == made.at[i].not_after_s);
    }
}

static void nothing_is_saved_over_another(void **state)
{
    kit_keys_t made, got;

    path = scratch_path("first");
    kit_keys_make(&made);
    assert_true(kit_keys_save(path, &made, problem, sizeof(problem)));
    kit_keys_make(&keys);
    assert_false(kit_keys_save(path, &keys, problem, sizeof(problem)));
    assert_contains(problem, "/first: cannot be written: File exists");
    assert_true(kit_keys_read(path, &got, problem, sizeof(problem)));
    assert_memory_equal(got.id_key, made.id_key, KIT_KEY_BYTES);
    assert_false(kit_keys_save("/nonexistent/keys", &keys, problem, sizeof(problem)));
    assert_string_equal(problem, "/nonexistent/keys: cannot be written: No such file or directory");
}

static void wiped_is_nothing(void **state)
{
    kit_keys_make(&keys);
    assert_memory_not_equal(keys.id_key, nothing, KIT_KEY_BYTES);
    assert_int_equal(keys.count, 1);
    kit_keys_wipe(&keys);
    assert_memory_equal(&keys, nothing, sizeof(keys));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_in_their_order),
        cmocka_unit_test(a_key_has_an_end),
        cmocka_unit_test(sixteen_keys_and_no_more),
        cmocka_unit_test(each_line_has_its_mistake),
        cmocka_unit_test(a_time_exists),
        cmocka_unit_test(something_is_missing),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(its_mode_lets_no_stranger_read),
        cmocka_unit_test(it_is_a_file),
        cmocka_unit_test(it_may_be_a_link),
        cmocka_unit_test(it_has_a_size),
        cmocka_unit_test(a_problem_is_cut_to_its_room),
        cmocka_unit_test(what_is_saved_is_read),
        cmocka_unit_test(nothing_is_saved_over_another),
        cmocka_unit_test(wiped_is_nothing),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
