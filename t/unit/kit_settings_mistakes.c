/* SPDX-License-Identifier: MIT */
/* What is said of mistakes in an app's settings. */
#include "kit_settings.h"

static void assert_wrong(const char *text, const char *complaint)
{
    kit_settings_t other;
    char *said, wanted[1000];

    kit_settings_default(&other);
    snprintf(wanted, sizeof(wanted), "t.yaml:%s\n", complaint);
    if (read_over(text, &other, &said))
        fail_msg("taken: %s", text);
    assert_string_equal(said, wanted);
    free(said);
    kit_settings_free(&other);
}

static void numbers_keep_within_their_bounds(void **state)
{
    static const struct {
        const char *key, *below, *above, *range;
    } numbers[] = {
        {"choices", "1", "9", "2 to 8"},
        {"zone-handicap", "-1", "5", "0 to 4"},
        {"max-requests", "-1", "1000001", "0 to 1000000"},
        {"max-tunnels", "x", "1000001", "0 to 1000000"},
        {"app-max-requests", "1.5", "1000001", "0 to 1000000"},
        {"release-window", "0", "10001", "1 to 10000"},
        {"quarantine-most", "50%", "101", "0 to 100"},
        {"panic", "-1", "101", "0 to 100"},
        {"retry-budget", "-1", "101", "0 to 100"},
        {"hash-seed", "-1", "9223372036854775808", "0 to 9223372036854775807"},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (unsigned way = 0; way < 2; way++) {
            const char *value = way == 0 ? numbers[i].below : numbers[i].above;
            char text[100], complaint[200];

            snprintf(text, sizeof(text), "\n%s: %s\n", numbers[i].key, value);
            snprintf(complaint, sizeof(complaint), "2: %s: must be a number from %s, not `%s`", numbers[i].key,
                     numbers[i].range, value);
            assert_wrong(text, complaint);
        }
    }
}

static void durations_keep_within_their_bounds(void **state)
{
    static const struct {
        const char *key, *value, *range;
    } durations[] = {
        {"slow-start", "3600001", "0 to 3600000"},
        {"warm-up", "2h", "0 to 3600000"},
        {"hold", "3601s", "0 to 3600000"},
        {"quarantine-base", "99", "100 to 3600000"},
        {"quarantine-longest", "25h", "100 to 86400000"},
        {"drain-timeout", "86400001", "0 to 86400000"},
    };

    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        char text[100], complaint[200];

        snprintf(text, sizeof(text), "%s: %s\n", durations[i].key, durations[i].value);
        snprintf(complaint, sizeof(complaint), "1: %s: must be a duration from %s ms (or `5s`, `10m`, `2h`), not `%s`",
                 durations[i].key, durations[i].range, durations[i].value);
        assert_wrong(text, complaint);
    }
}

static void words_and_lists_are_what_they_must_be(void **state)
{
    static const char hash_on[] =
        "1: hash-on: must be client, path, path-query, host, `header NAME` or `cookie NAME`, or a list "
        "of these";
    static const char failures[] = "1: failure-status: must be status codes from 400 to 599, one by one or as 502-504";

    assert_wrong("balance: bset", "1: unknown balance `bset`; did you mean `best`?");
    assert_wrong("spill: maybe", "1: spill: must be ON or OFF, not `maybe`");
    assert_wrong("quarantine: { most: 5 }", "1: quarantine: must be ON or OFF");
    assert_wrong("hash-bound: 100", "1: hash-bound: must be 0 or a number from 101 to 1000");
    assert_wrong("hash-bound: 1001", "1: hash-bound: must be 0 or a number from 101 to 1000");
    assert_wrong("hash-bound: [ 150 ]", "1: hash-bound: must be 0 or a number from 101 to 1000");
    assert_wrong("hash-on: query", hash_on);
    assert_wrong("hash-on: header", hash_on);
    assert_wrong("hash-on: [ path, 'cookie ' ]", hash_on);
    assert_wrong("hash-on: [ header a b ]", hash_on);
    assert_wrong("hash-on: [ headerX ]", hash_on);
    assert_wrong("hash-on: [ [ path ] ]", hash_on);
    assert_wrong("hash-on: { header: X }", "1: hash-on: must be a list of at most 8 sources");
    assert_wrong("hash-on: [ a, a, a, a, a, a, a, a, a ]", "1: hash-on: must be a list of at most 8 sources");
    assert_wrong("failure-status: 399", failures);
    assert_wrong("failure-status: [ 500, 600 ]", failures);
    assert_wrong("failure-status: 504-502", failures);
    assert_wrong("failure-status: 500-", failures);
    assert_wrong("failure-status: 5xx", failures);
    assert_wrong("failure-status: \"500,502\"", failures);
    assert_wrong("failure-status: { 500: 502 }", failures);
    assert_wrong("quarantine-base: 10s\nquarantine-longest: 9s",
                 "1: quarantine-base: must not be longer than quarantine-longest");
    assert_wrong("\nquarantine-longest: 4s", "2: quarantine-base: must not be longer than quarantine-longest");
    assert_wrong("[ balance ]", "1: the settings of an app are a map");
}

static void affinity_mistakes(void **state)
{
    assert_wrong("affinity: perhaps", "1: affinity: must be ON or OFF, not `perhaps`");
    assert_wrong("affinity: [ ON ]", "1: affinity: must be ON, OFF or a map of settings");
    assert_wrong("affinity: { maxage: 5 }", "1: unknown key `maxage`; did you mean `max-age`?");
    assert_wrong("affinity:\n  max-age: 31536001", "2: max-age: must be a number from 0 to 31536000, not `31536001`");
    assert_wrong("affinity: { secure: never }", "1: unknown secure `never`: it is auto, ON or OFF");
    assert_wrong("affinity: { same-site: none, secure: OFF }",
                 "1: affinity: same-site: none needs secure: ON or auto, or browsers throw the cookie away");
    assert_wrong("affinity: { cookie: \"a b\" }",
                 "1: affinity: the name of a cookie is a token of 1 to 128 characters: letters, digits, - and _");
    assert_wrong("affinity: { cookie: \"\" }",
                 "1: affinity: the name of a cookie is a token of 1 to 128 characters: letters, digits, - and _");
    assert_wrong("affinity: { path: shop }", "1: affinity: the path of a cookie begins with / and has at most 256 characters");
    assert_wrong("affinity: { cookie: [ a ] }", "1: cookie: must be a text");
    assert_wrong("affinity: { key-file: \"\" }", "1: key-file: must be a path, and is empty");
}

static void queue_health_and_retry_mistakes(void **state)
{
    static const char which[] = "1: health: must have one of `http: /path`, `tcp: ON` and `grpc: SERVICE`";

    assert_wrong("queue: 5", "1: queue: must be a map of length, timeout, order and client");
    assert_wrong("queue: { lengths: 5 }", "1: unknown key `lengths`; did you mean `length`?");
    assert_wrong("queue: { length: 100001 }", "1: length: must be a number from 0 to 100000, not `100001`");
    assert_wrong("queue: { client: header }", "1: client: must be `address` or `header NAME`");
    assert_wrong("queue: { client: cookie a }", "1: client: must be `address` or `header NAME`");
    assert_wrong("health: { interval: 5s }", which);
    assert_wrong("health: { http: /up, tcp: ON }", which);
    assert_wrong("health: { tcp: OFF }", which);
    assert_wrong("health: ON", "1: health: must be OFF or a map with one of `http: /path`, `tcp: ON` and `grpc: SERVICE`");
    assert_wrong("health: []", "1: health: must be OFF or a map with one of `http: /path`, `tcp: ON` and `grpc: SERVICE`");
    assert_wrong("health: { http: up }", "1: http: must be a path that begins with /");
    assert_wrong("health: { http: \"/a b\" }", "1: http: must be ASCII without blanks");
    assert_wrong("health: { http: \"\" }", "1: http: must be a text of 1 to 1024 characters");
    assert_wrong("health: { grpc: \"a b\" }", "1: grpc: must be the name of a service, or \"\"");
    assert_wrong("health: { tcp: ON, host: \"a\\r\\nb\" }", "1: host: must be ASCII without blanks");
    assert_wrong("health: { tcp: ON, port: 0 }", "1: port: must be a number from 1 to 65535, not `0`");
    assert_wrong("retry: ON", "1: retry: must be a map of settings");
    assert_wrong("retry: { on: [ reset, statsu ] }", "1: unknown on `statsu`; did you mean `status`?");
    assert_wrong("retry: { on: { reset: 1 } }", "1: on: must be a list of words");
    assert_wrong("retry: { most: 10 }", "1: most: must be a number from 1 to 9, not `10`");
    assert_wrong("retry-budget: { percent: 101 }", "1: percent: must be a number from 0 to 100, not `101`");
    assert_wrong("retry-budget: [ 10 ]", "1: retry-budget: must be a number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_within_their_bounds),      cmocka_unit_test(durations_keep_within_their_bounds),
        cmocka_unit_test(words_and_lists_are_what_they_must_be), cmocka_unit_test(affinity_mistakes),
        cmocka_unit_test(queue_health_and_retry_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
