/* SPDX-License-Identifier: MIT */
/* What routers and stages read of their configuration (weir_config.h), and what users are told about it. */
#include "conf_capture.h"

#include "conf/config_node.h"
#include "conf/yaml.h"

enum { TEXT_BYTES = 6000 };

static yoml_t *root;
static const weir_config_t *config;
static capture_t capture;

static void open_config(const char *name, const char *text)
{
    root = conf_yaml_parse((weir_span_t){text, strlen(text)}, name);
    assert_non_null(root);
    config = conf_config_of(root);
    conf_config_set_place(root);
    capture_begin(&capture, &stderr);
}

/* A mapping whose entry `k`, in the second line, is `value`. */
static void open_value(const char *value)
{
    char text[TEXT_BYTES];

    assert_true(snprintf(text, sizeof(text), "other: 1\nk: %s\n", value) < TEXT_BYTES);
    open_config("etc/t.yaml", text);
}

/* And this is all that has been said. */
static void close_config(const char *complaint)
{
    char *said = capture_end(&capture);

    conf_config_set_place(NULL);
    conf_yaml_release(&root);
    assert_string_equal(said, complaint);
    free(said);
}

/* "file:line: k: must be … not `value`", of what stands in the second line. */
static void close_with(bool is_right, const char *value, const char *format, ...)
{
    char complaint[TEXT_BYTES] = "etc/t.yaml:2: ";
    size_t length = strlen(complaint);
    va_list arguments;

    va_start(arguments, format);
    length += (size_t)vsnprintf(complaint + length, sizeof(complaint) - length, format, arguments);
    va_end(arguments);
    snprintf(complaint + length, sizeof(complaint) - length, "%s%s%s\n", value != NULL ? ", not `" : "",
             value != NULL ? value : "", value != NULL ? "`" : "");
    close_config(is_right ? "" : complaint);
}

/* ---- keys ---- */

static const char *const known[] = {"backends", "module", "keepalive", "on", NULL};

static void assert_keys(const char *text, const char *complaint)
{
    open_config("t.yaml", text);
    assert_int_equal(weir_config_keys(config, known), complaint[0] == '\0');
    close_config(complaint);
}

static void known_keys_are_taken(void **state)
{
    assert_keys("{}", "");
    assert_keys("on: 1", "");
    assert_keys("keepalive: 1\nbackends: [1]\nmodule: {unknown: 1}\n", "");
}

static void an_unknown_key_is_named(void **state)
{
    assert_keys("module: 1\nbackends: 1\ncolour: blue\n", "t.yaml:3: unknown key `colour`\n");
    assert_keys("Module: 1\n", "t.yaml:1: unknown key `Module`; did you mean `module`?\n");
    assert_keys("\"\": 1\n", "t.yaml:1: unknown key ``\n");
}

static void what_was_meant_is_suggested(void **state)
{
    assert_keys("backend: 1\n", "t.yaml:1: unknown key `backend`; did you mean `backends`?\n");
    assert_keys("module: 1\nkeep-alive: 1\n", "t.yaml:2: unknown key `keep-alive`; did you mean `keepalive`?\n");
    assert_keys("no: 1\n", "t.yaml:1: unknown key `no`; did you mean `on`?\n");
    assert_keys("nop: 1\n", "t.yaml:1: unknown key `nop`\n"); /* two letters of a short word */
    assert_keys("bakcned: 1\n", "t.yaml:1: unknown key `bakcned`; did you mean `backends`?\n");
}

static void only_the_first_unknown_key_is_told(void **state)
{
    assert_keys("module: 1\nfirst: 1\nbackend: 1\n", "t.yaml:2: unknown key `first`\n");
}

static void nothing_has_no_keys(void **state)
{
    static const char *const nothing[] = {NULL};

    open_config("t.yaml", "a: 1\n");
    assert_true(weir_config_keys(NULL, known));
    assert_true(weir_config_keys(weir_config_get(config, "a"), known));
    assert_false(weir_config_keys(config, nothing));
    close_config("t.yaml:1: unknown key `a`\n");
}

static void a_list_has_no_keys(void **state)
{
    open_config("t.yaml", "\n[module]\n");
    assert_false(weir_config_keys(config, known));
    close_config("t.yaml:2: a key must be a word\n");
}

/* ---- where there is no entry ---- */

static bool read_all_of(const weir_config_t *map)
{
    static const char *const words[] = {"a", NULL};
    const char *text = "before";
    unsigned index = 77;
    bool is_on = true, is_read;
    uint64_t number = 77;
    uint32_t ms = 77;
    char path[7] = "before";

    is_read = weir_config_string(map, "k", &text) && weir_config_word(map, "k", words, &index) &&
              weir_config_flag(map, "k", &is_on) && weir_config_number(map, "k", 1, 2, &number) &&
              weir_config_duration_ms(map, "k", 1, 2, &ms) && weir_config_path(map, "k", path, sizeof(path));
    assert_string_equal(text, "before");
    assert_int_equal(index, 77);
    assert_true(is_on);
    assert_int_equal(number, 77);
    assert_int_equal(ms, 77);
    assert_string_equal(path, "before");
    return is_read;
}

static void where_there_is_no_entry_the_default_stays(void **state)
{
    open_config("t.yaml", "other: 1\nkk: 1\nK: 1\n");
    assert_true(read_all_of(config));
    assert_true(read_all_of(NULL));
    assert_true(read_all_of(weir_config_get(config, "other"))); /* no map */
    close_config("");
}

/* What is no scalar, for each of them. */
static void a_list_or_a_map_is_none_of_them(void **state)
{
    static const char *const values[] = {"[1]", "{a: 1}", "[]"}, *const words[] = {"near", "far", NULL};
    const char *text;
    unsigned index;
    bool is_on;
    uint64_t number;
    uint32_t ms;
    char path[100];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        open_value(values[i]);
        assert_false(weir_config_string(config, "k", &text));
        assert_false(weir_config_word(config, "k", words, &index));
        assert_false(weir_config_flag(config, "k", &is_on));
        assert_false(weir_config_number(config, "k", 1, 2, &number));
        assert_false(weir_config_duration_ms(config, "k", 1, 2, &ms));
        assert_false(weir_config_path(config, "k", path, sizeof(path)));
        close_config("etc/t.yaml:2: k: must be a text\n"
                     "etc/t.yaml:2: k: must be near or far\n"
                     "etc/t.yaml:2: k: must be ON or OFF\n"
                     "etc/t.yaml:2: k: must be a number\n"
                     "etc/t.yaml:2: k: must be a duration\n"
                     "etc/t.yaml:2: k: must be a path\n");
    }
}

/* ---- string ---- */

static void assert_text(const char *value, const char *expected)
{
    const char *text = NULL;

    open_value(value);
    assert_true(weir_config_string(config, "k", &text));
    assert_string_equal(text, expected);
    assert_ptr_equal(text, weir_config_text(weir_config_get(config, "k"))); /* borrowed */
    close_config("");
}

static void every_scalar_is_a_text(void **state)
{
    assert_text("a word or two", "a word or two");
    assert_text("17", "17");
    assert_text("\"\"", "");
    assert_text("", "");
    assert_text("null", "null");
    assert_text("'it''s'", "it's");
}

/* ---- word ---- */

static void assert_word(const char *value, const char *const *words, int expected, const char *complaint)
{
    unsigned index = 77;

    open_value(value);
    assert_int_equal(weir_config_word(config, "k", words, &index), expected >= 0);
    if (expected >= 0)
        assert_int_equal(index, expected);
    close_config(complaint);
}

static void a_word_has_its_place(void **state)
{
    static const char *const words[] = {"http1", "h2c", "h2", NULL};

    assert_word("http1", words, 0, "");
    assert_word("h2c", words, 1, "");
    assert_word("h2", words, 2, "");
    assert_word("HTTP1", words, 0, "");
    assert_word("H2c", words, 1, "");
    assert_word("h3", words, -1, "etc/t.yaml:2: unknown k `h3`; did you mean `h2`?\n");
    assert_word("quic", words, -1, "etc/t.yaml:2: unknown k `quic`: it is http1, h2c or h2\n");
    assert_word("\"\"", words, -1, "etc/t.yaml:2: unknown k ``: it is http1, h2c or h2\n");
    assert_word("http1 ", words, 0, ""); /* YAML's blank */
    assert_word("'http1 ,'", words, -1, "etc/t.yaml:2: unknown k `http1 ,`; did you mean `http1`?\n");
}

static void one_word_and_two_words_are_listed(void **state)
{
    static const char *const one[] = {"alone", NULL}, *const two[] = {"near", "far", NULL};

    assert_word("alone", one, 0, "");
    assert_word("nobody", one, -1, "etc/t.yaml:2: unknown k `nobody`: it is alone\n");
    assert_word("between", two, -1, "etc/t.yaml:2: unknown k `between`: it is near or far\n");
    assert_word("[far]", two, -1, "etc/t.yaml:2: k: must be near or far\n");
}

/* The list is cut where it has no room, and nothing is written behind it. */
static void a_long_list_is_cut(void **state)
{
    static const char *words[41];
    static char sixty_a[61];
    unsigned index;
    char *said;

    memset(sixty_a, 'a', 60);
    for (size_t i = 0; i < 40; i++)
        words[i] = sixty_a;
    open_value("b");
    assert_false(weir_config_word(config, "k", words, &index));
    fflush(stderr);
    said = strdup(capture.text);
    close_config(said);
    assert_in_range(strlen(said), 200, 300);
    assert_memory_equal(said, "etc/t.yaml:2: unknown k `b`: it is aaaa", 39);
    assert_int_equal(said[strlen(said) - 1], '\n');
    free(said);
}

static void an_entry_of_a_list_may_be_a_word(void **state)
{
    static const char *const words[] = {"deep-continue", "peer-port", NULL};
    const weir_config_t *list;
    unsigned index = 77;

    open_config("t.yaml", "k:\n  - Peer-Port\n  - deep-contine\n  - [x]\n");
    list = weir_config_get(config, "k");
    assert_true(weir_config_word_at(weir_config_at(list, 0), "feature", words, &index));
    assert_int_equal(index, 1);
    assert_false(weir_config_word_at(weir_config_at(list, 1), "feature", words, &index));
    assert_false(weir_config_word_at(weir_config_at(list, 2), "feature", words, &index));
    assert_false(weir_config_word_at(weir_config_at(list, 3), "feature", words, &index)); /* beyond the last: where it all is */
    close_config("t.yaml:3: unknown feature `deep-contine`; did you mean `deep-continue`?\n"
                 "t.yaml:4: feature: must be deep-continue or peer-port\n"
                 "t.yaml:1: feature: must be deep-continue or peer-port\n");
}

static void a_key_may_be_a_word(void **state)
{
    static const char *const words[] = {"a", "b", NULL};
    unsigned index = 77;

    open_config("t.yaml", "B: 1\n");
    assert_true(weir_config_word_at(weir_config_key(config, 0), "kind", words, &index));
    assert_int_equal(index, 1);
    close_config("");
}

/* ---- flag ---- */

static void assert_flag(const char *value, bool expected)
{
    bool is_on = !expected;

    open_value(value);
    assert_true(weir_config_flag(config, "k", &is_on));
    assert_int_equal(is_on, expected);
    close_config("");
}

static void a_flag_is_on_or_off(void **state)
{
    static const char *const on[] = {"ON", "on", "On", "yes", "YES", "true", "True"}, *const off[] = {"OFF",   "off", "oFf",
                                                                                                      "no",    "NO",  "false",
                                                                                                      "FALSE", "'no'"};
    static const char *const neither[] = {"1", "0", "onn", "o", "y", "n", "t", "enabled", "null"};
    bool is_on;

    for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
        assert_flag(on[i], true);
    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
        assert_flag(off[i], false);
    for (size_t i = 0; i < sizeof(neither) / sizeof(neither[0]); i++) {
        open_value(neither[i]);
        assert_false(weir_config_flag(config, "k", &is_on));
        close_with(false, neither[i], "k: must be ON or OFF");
    }
    open_value("");
    assert_false(weir_config_flag(config, "k", &is_on));
    close_with(false, "", "k: must be ON or OFF");
}

/* ---- number ---- */

static const struct {
    const char *text;
    uint64_t least, most;
    bool is_right;
    uint64_t number;
} numbers[] = {
    {"1", 1, 100, true, 1},
    {"100", 1, 100, true, 100},
    {"0", 1, 100, false, 0},
    {"101", 1, 100, false, 0},
    {"0", 0, 0, true, 0},
    {"1", 0, 0, false, 0},
    {"007", 1, 100, true, 7},
    {"'50'", 1, 100, true, 50},
    {"9223372036854775807", 0, INT64_MAX, true, INT64_MAX},
    {"9223372036854775807", INT64_MAX, INT64_MAX, true, INT64_MAX},
    {"9223372036854775806", INT64_MAX, INT64_MAX, false, 0},
    {"9223372036854775808", 0, INT64_MAX, false, 0},
    {"18446744073709551617", 0, 100, false, 0}, /* 1, modulo 2^64 */
    {"4294967297", 0, 100, false, 0},           /* 1, modulo 2^32 */
    {"", 0, 100, false, 0},
    {"-1", 0, 100, false, 0},
    {"+1", 0, 100, false, 0},
    {"1.5", 0, 100, false, 0},
    {"1k", 0, 100, false, 0},
    {"0x10", 0, 100, false, 0},
    {"1_000", 0, 10000, false, 0},
    {"1 0", 0, 100, false, 0},
    {"one", 0, 100, false, 0},
};

static void a_number_keeps_within_its_bounds(void **state)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t number = 77;

        open_value(numbers[i].text);
        assert_int_equal(weir_config_number(config, "k", numbers[i].least, numbers[i].most, &number), numbers[i].is_right);
        if (numbers[i].is_right)
            assert_true(number == numbers[i].number);
        close_with(numbers[i].is_right, numbers[i].text, "k: must be a number from %llu to %llu",
                   (unsigned long long)numbers[i].least, (unsigned long long)numbers[i].most);
    }
}

/* ---- duration ---- */

static const struct {
    const char *text;
    uint32_t least_ms, most_ms;
    bool is_right;
    uint32_t ms;
} durations[] = {
    {"250", 0, 1000, true, 250},
    {"250ms", 0, 1000, true, 250},
    {"5s", 0, 10000, true, 5000},
    {"10m", 0, 600000, true, 600000},
    {"2h", 0, 7200000, true, 7200000},
    {"0", 0, 10, true, 0},
    {"0h", 0, 10, true, 0},
    {"005s", 0, 5000, true, 5000},
    /* bounds */
    {"999", 1000, 2000, false, 0},
    {"1000", 1000, 2000, true, 1000},
    {"1s", 1000, 2000, true, 1000},
    {"2s", 1000, 2000, true, 2000},
    {"2000", 1000, 2000, true, 2000},
    {"2001", 1000, 2000, false, 0},
    {"3s", 1000, 2000, false, 0},
    {"0", 1, 2, false, 0},
    /* what does not fit into 32 bits */
    {"4294967295", 0, UINT32_MAX, true, UINT32_MAX},
    {"4294967296", 0, UINT32_MAX, false, 0},
    {"4294967ms", 0, UINT32_MAX, true, 4294967},
    {"4294967s", 0, UINT32_MAX, true, 4294967000},
    {"4294968s", 0, UINT32_MAX, false, 0},
    {"71582m", 0, UINT32_MAX, true, 4294920000},
    {"71583m", 0, UINT32_MAX, false, 0},
    {"1193h", 0, UINT32_MAX, true, 4294800000},
    {"1194h", 0, UINT32_MAX, false, 0},
    {"4294967295h", 0, UINT32_MAX, false, 0},
    {"9223372036854775807h", 0, UINT32_MAX, false, 0},
    {"5124095576030432h", 0, UINT32_MAX, false, 0}, /* beyond 2^64 ms by a little */
    {"18446744073709551616", 0, UINT32_MAX, false, 0},
    /* what is none */
    {"", 0, 1000, false, 0},
    {"s", 0, 1000, false, 0},
    {"ms", 0, 1000, false, 0},
    {"1.5s", 0, 10000, false, 0},
    {".5s", 0, 10000, false, 0},
    {"1,5s", 0, 10000, false, 0},
    {"5 s", 0, 10000, false, 0},
    {"5S", 0, 10000, false, 0},
    {"5MS", 0, 10000, false, 0},
    {"5sec", 0, 10000, false, 0},
    {"5us", 0, 10000, false, 0},
    {"5d", 0, 1000000000, false, 0},
    {"1m30s", 0, 1000000, false, 0},
    {"-5", 0, 1000, false, 0},
    {"-5s", 0, 10000, false, 0},
    {"+5s", 0, 10000, false, 0},
    {"1e3", 0, 1000, false, 0},
    {"never", 0, 1000, false, 0},
};

static void a_duration_has_a_unit_and_bounds(void **state)
{
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        uint32_t ms = 77;

        open_value(durations[i].text);
        if (weir_config_duration_ms(config, "k", durations[i].least_ms, durations[i].most_ms, &ms) != durations[i].is_right)
            fail_msg("%s", durations[i].text);
        if (durations[i].is_right)
            assert_int_equal(ms, durations[i].ms);
        close_with(durations[i].is_right, durations[i].text, "k: must be a duration from %u to %u ms (or `5s`, `10m`, `2h`)",
                   durations[i].least_ms, durations[i].most_ms);
    }
}

/* ---- path, directory ---- */

static void assert_path(const char *file, const char *value, const char *directory, const char *expected)
{
    const size_t size = strlen(expected) + 1;
    char text[TEXT_BYTES], complaint[TEXT_BYTES], *path = malloc(size);

    snprintf(text, sizeof(text), "k: %s\n", value);
    open_config(file, text);
    assert_string_equal(weir_config_directory(), directory);
    assert_true(weir_config_path(config, "k", path, size)); /* it just fits */
    assert_string_equal(path, expected);
    assert_false(weir_config_path(config, "k", path, size - 1)); /* a byte too few */
    snprintf(complaint, sizeof(complaint), "%s:1: k: must be a path of at most %zu bytes\n", file, size - 2);
    close_config(complaint);
    free(path);
}

static void a_path_is_absolute_or_lies_beside_the_file(void **state)
{
    assert_path("/etc/weir/weir.yaml", "/run/a.sock", "/etc/weir", "/run/a.sock");
    assert_path("/etc/weir/weir.yaml", "tables/a", "/etc/weir", "/etc/weir/tables/a");
    assert_path("/etc/weir/weir.yaml", "../a", "/etc/weir", "/etc/weir/../a");
    assert_path("etc/weir.yaml", "a", "etc", "etc/a");
    assert_path("weir.yaml", "a", ".", "./a");
    assert_path("weir.yaml", "/a", ".", "/a");
    assert_path("./weir.yaml", "a b", ".", "./a b");
}

static void an_empty_path_is_none(void **state)
{
    char path[100];

    open_value("");
    assert_false(weir_config_path(config, "k", path, sizeof(path)));
    close_config("etc/t.yaml:2: k: must be a path, and is empty\n");
}

static void a_path_may_be_long(void **state)
{
    char value[4097], path[4096];

    memset(value, 'a', sizeof(value));
    value[0] = '/';
    value[4095] = '\0';
    open_value(value);
    assert_true(weir_config_path(config, "k", path, sizeof(path)));
    assert_string_equal(path, value);
    close_config("");

    value[4095] = 'a';
    value[4096] = '\0';
    open_value(value);
    assert_false(weir_config_path(config, "k", path, sizeof(path)));
    close_config("etc/t.yaml:2: k: must be a path of at most 4095 bytes\n");
}

static void without_a_file_it_is_the_present_directory(void **state)
{
    char path[100];

    open_value("a");
    conf_config_set_place(NULL);
    assert_string_equal(weir_config_directory(), ".");
    assert_true(weir_config_path(config, "k", path, sizeof(path)));
    assert_string_equal(path, "./a");
    close_config("");
}

static void the_root_is_a_directory_too(void **state)
{
    open_config("/weir.yaml", "k: a\n");
    assert_string_equal(weir_config_directory(), "/");
    close_config("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_keys_are_taken),
        cmocka_unit_test(an_unknown_key_is_named),
        cmocka_unit_test(what_was_meant_is_suggested),
        cmocka_unit_test(only_the_first_unknown_key_is_told),
        cmocka_unit_test(nothing_has_no_keys),
        cmocka_unit_test(a_list_has_no_keys),
        cmocka_unit_test(where_there_is_no_entry_the_default_stays),
        cmocka_unit_test(a_list_or_a_map_is_none_of_them),
        cmocka_unit_test(every_scalar_is_a_text),
        cmocka_unit_test(a_word_has_its_place),
        cmocka_unit_test(one_word_and_two_words_are_listed),
        cmocka_unit_test(a_long_list_is_cut),
        cmocka_unit_test(an_entry_of_a_list_may_be_a_word),
        cmocka_unit_test(a_key_may_be_a_word),
        cmocka_unit_test(a_flag_is_on_or_off),
        cmocka_unit_test(a_number_keeps_within_its_bounds),
        cmocka_unit_test(a_duration_has_a_unit_and_bounds),
        cmocka_unit_test(a_path_is_absolute_or_lies_beside_the_file),
        cmocka_unit_test(an_empty_path_is_none),
        cmocka_unit_test(a_path_may_be_long),
        cmocka_unit_test(without_a_file_it_is_the_present_directory),
        cmocka_unit_test(the_root_is_a_directory_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
