/* SPDX-License-Identifier: MIT */
/* What is read of an app's settings, and what holds without them. */
#include "kit_settings.h"
#include "router/kit/worker_token.h"

static kit_settings_t settings;

static int settings_open(void **state)
{
    kit_settings_default(&settings);
    return 0;
}

static int settings_close(void **state)
{
    kit_settings_free(&settings);
    return 0;
}

static void read_right(const char *text)
{
    char *said;

    if (!read_over(text, &settings, &said))
        fail_msg("%s", said);
    assert_string_equal(said, "");
    free(said);
}

/* How many are in the set, each of which must be between the two. */
static unsigned count_between(const kit_status_set_t *set, unsigned first, unsigned last)
{
    unsigned count = 0;

    for (unsigned status = 0; status < 1000; status++) {
        if (!kit_status_has(set, status))
            continue;
        if (status < first || status > last)
            fail_msg("%u", status);
        count++;
    }
    return count;
}

/* ---- defaults ---- */

static void choice_without_settings(void **state)
{
    const kit_choice_settings_t *choice = &settings.choice;

    assert_int_equal(choice->balance, KIT_BEST);
    assert_int_equal(choice->choices, 3);
    assert_int_equal(choice->hash_bound_percent, 150);
    assert_true(choice->hash_seed == 0);
    assert_int_equal(choice->slow_start_ms, 0);
    assert_int_equal(choice->zone_handicap, 1);
    assert_false(choice->spills);
    assert_int_equal(choice->panic_percent, 50);
    assert_int_equal(settings.warm_up_ms, 60000);
    assert_int_equal(settings.hash_on_count, 0);
    assert_int_equal(settings.drain_timeout_ms, 30000);
}

static void affinity_without_settings(void **state)
{
    const kit_affinity_settings_t *affinity = &settings.affinity;

    assert_false(affinity->is_on);
    assert_string_equal(affinity->cookie.name, "weir-affinity");
    assert_string_equal(affinity->cookie.path, "/");
    assert_null(affinity->cookie.domain);
    assert_int_equal(affinity->cookie.max_age_s, 86400);
    assert_true(affinity->cookie.is_http_only);
    assert_false(affinity->cookie.is_partitioned);
    assert_int_equal(affinity->cookie.secure, KIT_SECURE_AUTO);
    assert_int_equal(affinity->cookie.same_site, KIT_SAME_SITE_LAX);
    assert_int_equal(affinity->grace_ms, 10000);
    assert_int_equal(affinity->patience_ms, 1000);
    assert_false(affinity->is_strict);
    assert_null(affinity->key_file);
    assert_null(kit_cookie_problem(&affinity->cookie));
}

static void limits_without_settings(void **state)
{
    assert_int_equal(settings.max_requests, 0);
    assert_int_equal(settings.max_tunnels, 0);
    assert_int_equal(settings.app_max_requests, 0);
    assert_int_equal(settings.queue.length, 1000);
    assert_int_equal(settings.queue.timeout_ms, 5000);
    assert_int_equal(settings.queue.order, KIT_ORDER_FAIR);
    assert_null(settings.queue.client_header);
    assert_int_equal(settings.hold_ms, 0);
    assert_int_equal(settings.release_window, 10);
    assert_false(settings.is_blank);
}

static void health_without_settings(void **state)
{
    const kit_health_settings_t *health = &settings.health;
    const kit_quarantine_settings_t *quarantine = &settings.quarantine;

    assert_true(quarantine->is_on);
    assert_int_equal(quarantine->most_percent, 50);
    assert_int_equal(quarantine->base_ms, 5000);
    assert_int_equal(quarantine->longest_ms, 300000);
    assert_int_equal(count_between(&quarantine->failure_status, 500, 504), 4);
    assert_false(kit_status_has(&quarantine->failure_status, 501));
    assert_int_equal(health->kind, KIT_HEALTH_NONE);
    assert_null(health->http_path);
    assert_null(health->grpc_service);
    assert_null(health->host);
    assert_int_equal(health->port, 0);
    assert_int_equal(count_between(&health->expect, 200, 399), 200);
    assert_int_equal(health->interval_ms, 5000);
    assert_int_equal(health->fast_interval_ms, 1000);
    assert_int_equal(health->timeout_ms, 2000);
    assert_int_equal(health->idle_interval_ms, 60000);
    assert_int_equal(health->rise, 2);
    assert_int_equal(health->fall, 3);
    assert_false(health->has_agent);
}

static void retry_without_settings(void **state)
{
    const kit_retry_settings_t *retry = &settings.retry;

    assert_int_equal(retry->on, 0);
    assert_int_equal(retry->methods, KIT_RETRY_IDEMPOTENT);
    assert_int_equal(count_between(&retry->status, 502, 504), 3);
    assert_int_equal(retry->most, 2);
    assert_int_equal(retry->try_timeout_ms, 0);
    assert_int_equal(retry->body_buffer_bytes, 65536);
    assert_int_equal(retry->budget_percent, 10);
    assert_int_equal(retry->budget_floor, 3);
}

/* ---- what is read ---- */

static const char everything[] =
    "domains: [ a.example ]\n"
    "balance: Hash\n"
    "choices: 8\n"
    "hash-on: [ header X-Tenant, cookie  sid, client, path, path-query, host ]\n"
    "hash-bound: 0\n"
    "hash-seed: 9223372036854775807\n"
    "slow-start: 30s\n"
    "warm-up: 2m\n"
    "zone-handicap: 4\n"
    "spill: ON\n"
    "affinity:\n"
    "  cookie: __Host-pin\n"
    "  max-age: 0\n"
    "  path: /\n"
    "  http-only: OFF\n"
    "  secure: ON\n"
    "  same-site: none\n"
    "  partitioned: ON\n"
    "  grace: 0\n"
    "  patience: 2500\n"
    "  strict: ON\n"
    "  key-file: /etc/weir/keys\n"
    "max-requests: 64\n"
    "max-tunnels: 1000000\n"
    "app-max-requests: 200\n"
    "queue: { length: 0, timeout: 1h, order: fifo, client: header X-Client }\n"
    "hold: 10000\n"
    "release-window: 1\n"
    "quarantine: OFF\n"
    "quarantine-most: 100\n"
    "quarantine-base: 1s\n"
    "quarantine-longest: 1s\n"
    "failure-status: [ 500-599, 404 ]\n"
    "health: { http: /up, expect: 204, host: a.example, port: 8081, interval: 1h, fast-interval: 100,\n"
    "          timeout: 1, rise: 1, fall: 100, idle-interval: 24h, agent: ON }\n"
    "panic: 0\n"
    "retry: { on: [ reset, status ], status: [ 502, 429 ], methods: [ idempotent, keyed ], most: 9,\n"
    "         try-timeout: 5s, body-buffer: 0 }\n"
    "retry-budget: { percent: 100, floor: 0 }\n"
    "workers: { tokens: [ 0000000000000000000000000000000000000000000000000000000000000001, { sha256: "
    "A000000000000000000000000000000000000000000000000000000000000002, not-after: 2027-01-02, note: old } ], "
    "domains: [ W.example, \"*.w.example\" ], max-connections: 7 }\n"
    "drain-timeout: 24h\n"
    "blank: ON\n";

static void the_choice_is_read(void **state)
{
    static const kit_hash_source_t sources[] = {KIT_HASH_HEADER, KIT_HASH_COOKIE,     KIT_HASH_CLIENT,
                                                KIT_HASH_PATH,   KIT_HASH_PATH_QUERY, KIT_HASH_HOST};

    read_right(everything);
    assert_int_equal(settings.choice.balance, KIT_HASH);
    assert_int_equal(settings.choice.choices, 8);
    assert_int_equal(settings.choice.hash_bound_percent, 0);
    assert_true(settings.choice.hash_seed == INT64_MAX);
    assert_int_equal(settings.choice.slow_start_ms, 30000);
    assert_int_equal(settings.warm_up_ms, 120000);
    assert_int_equal(settings.choice.zone_handicap, 4);
    assert_true(settings.choice.spills);
    assert_int_equal(settings.choice.panic_percent, 0);
    assert_int_equal(settings.hash_on_count, 6);
    for (size_t i = 0; i < settings.hash_on_count; i++)
        assert_int_equal(settings.hash_on[i].source, sources[i]);
    assert_string_equal(settings.hash_on[0].name, "X-Tenant");
    assert_string_equal(settings.hash_on[1].name, "sid");
    assert_null(settings.hash_on[2].name);
    assert_int_equal(settings.drain_timeout_ms, 86400000);
    assert_true(settings.is_blank);
}

static void the_affinity_is_read(void **state)
{
    const kit_affinity_settings_t *affinity = &settings.affinity;

    read_right(everything);
    assert_true(affinity->is_on);
    assert_string_equal(affinity->cookie.name, "__Host-pin");
    assert_int_equal(affinity->cookie.max_age_s, 0);
    assert_false(affinity->cookie.is_http_only);
    assert_true(affinity->cookie.is_partitioned);
    assert_int_equal(affinity->cookie.secure, KIT_SECURE_ON);
    assert_int_equal(affinity->cookie.same_site, KIT_SAME_SITE_NONE);
    assert_int_equal(affinity->grace_ms, 0);
    assert_int_equal(affinity->patience_ms, 2500);
    assert_true(affinity->is_strict);
    assert_string_equal(affinity->key_file, "/etc/weir/keys");
}

static void the_limits_are_read(void **state)
{
    read_right(everything);
    assert_int_equal(settings.max_requests, 64);
    assert_int_equal(settings.max_tunnels, 1000000);
    assert_int_equal(settings.app_max_requests, 200);
    assert_int_equal(settings.queue.length, 0);
    assert_int_equal(settings.queue.timeout_ms, 3600000);
    assert_int_equal(settings.queue.order, KIT_ORDER_FIFO);
    assert_string_equal(settings.queue.client_header, "X-Client");
    assert_int_equal(settings.hold_ms, 10000);
    assert_int_equal(settings.release_window, 1);
}

static void the_health_is_read(void **state)
{
    const kit_health_settings_t *health = &settings.health;
    const kit_quarantine_settings_t *quarantine = &settings.quarantine;

    read_right(everything);
    assert_false(quarantine->is_on);
    assert_int_equal(quarantine->most_percent, 100);
    assert_int_equal(quarantine->base_ms, 1000);
    assert_int_equal(quarantine->longest_ms, 1000);
    assert_int_equal(count_between(&quarantine->failure_status, 404, 599), 101);
    assert_int_equal(health->kind, KIT_HEALTH_HTTP);
    assert_string_equal(health->http_path, "/up");
    assert_string_equal(health->host, "a.example");
    assert_int_equal(health->port, 8081);
    assert_int_equal(count_between(&health->expect, 204, 204), 1);
    assert_int_equal(health->interval_ms, 3600000);
    assert_int_equal(health->fast_interval_ms, 100);
    assert_int_equal(health->timeout_ms, 1);
    assert_int_equal(health->idle_interval_ms, 86400000);
    assert_int_equal(health->rise, 1);
    assert_int_equal(health->fall, 100);
    assert_true(health->has_agent);
}

static void the_retry_is_read(void **state)
{
    const kit_retry_settings_t *retry = &settings.retry;

    read_right(everything);
    assert_int_equal(retry->on, KIT_RETRY_RESET | KIT_RETRY_STATUS);
    assert_int_equal(retry->methods, KIT_RETRY_IDEMPOTENT | KIT_RETRY_KEYED);
    assert_int_equal(count_between(&retry->status, 429, 502), 2);
    assert_int_equal(retry->most, 9);
    assert_int_equal(retry->try_timeout_ms, 5000);
    assert_int_equal(retry->body_buffer_bytes, 0);
    assert_int_equal(retry->budget_percent, 100);
    assert_int_equal(retry->budget_floor, 0);
}

/* ---- one over the other ---- */

static void what_an_app_does_not_say_stays(void **state)
{
    kit_settings_t before;

    read_right(everything);
    kit_settings_copy(&settings, &before);
    read_right("domains: [ b.example ]\n");
    assert_true(kit_settings_equal(&before, &settings));
    read_right("queue: { length: 7 }\naffinity: { max-age: 60 }\nhash-on: host\nretry-budget: 20\nretry: { on: [] }\n");
    assert_int_equal(settings.queue.length, 7);
    assert_int_equal(settings.queue.order, KIT_ORDER_FIFO);
    assert_int_equal(settings.affinity.cookie.max_age_s, 60);
    assert_string_equal(settings.affinity.cookie.name, "__Host-pin");
    assert_int_equal(settings.hash_on_count, 1);
    assert_int_equal(settings.hash_on[0].source, KIT_HASH_HOST);
    assert_int_equal(settings.retry.budget_percent, 20);
    assert_int_equal(settings.retry.budget_floor, 0);
    assert_int_equal(settings.retry.on, 0);
    assert_int_equal(settings.retry.most, 9);
    kit_settings_free(&before);
}

static void what_was_said_is_taken_back(void **state)
{
    read_right(everything);
    read_right("affinity: OFF\nhealth: OFF\nhash-on: []\nqueue: { client: address }\nfailure-status: []\n");
    assert_false(settings.affinity.is_on);
    assert_string_equal(settings.affinity.cookie.name, "__Host-pin");
    assert_int_equal(settings.health.kind, KIT_HEALTH_NONE);
    assert_null(settings.health.http_path);
    assert_int_equal(settings.hash_on_count, 0);
    assert_null(settings.queue.client_header);
    assert_int_equal(count_between(&settings.quarantine.failure_status, 1, 0), 0);
    read_right("affinity: ON\nhealth: { grpc: \"\" }\n");
    assert_true(settings.affinity.is_on);
    assert_int_equal(settings.health.kind, KIT_HEALTH_GRPC);
    assert_string_equal(settings.health.grpc_service, "");
    assert_int_equal(settings.health.rise, 1);
    read_right("health: { tcp: ON }\n");
    assert_int_equal(settings.health.kind, KIT_HEALTH_TCP);
    assert_null(settings.health.grpc_service);
    read_right("health: { rise: 5 }\n");
    assert_int_equal(settings.health.kind, KIT_HEALTH_TCP);
    assert_int_equal(settings.health.rise, 5);
}

static void a_domain_is_taken_back(void **state)
{
    read_right("affinity: { domain: shop.example, path: /shop }\n");
    assert_string_equal(settings.affinity.cookie.domain, "shop.example");
    read_right("affinity: { domain: \"\" }\n");
    assert_null(settings.affinity.cookie.domain);
    assert_string_equal(settings.affinity.cookie.path, "/shop");
}

static void a_path_lies_beside_the_configuration(void **state)
{
    read_right("affinity: { key-file: keys/shop }\n");
    assert_string_equal(settings.affinity.key_file, "./keys/shop");
}

static void copies_are_equal_and_apart(void **state)
{
    static const char *const changes[] = {
        "balance: least",
        "hash-seed: 1",
        "spill: OFF",
        "hash-on: [ header Y, cookie sid, client, path, path-query, host ]",
        "hash-on: []",
        "affinity: OFF",
        "queue: { client: header B }",
        "queue: { client: address }",
        "failure-status: 500",
        "panic: 1",
        "health: { http: /other }",
        "health: { tcp: ON }",
        "retry: { on: timeout }",
        "retry-budget: 1",
        "affinity: { cookie: a }",
        "hash-on: [ cookie X-Tenant ]",
    };

    read_right(everything);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        kit_settings_t copy;
        char *said;

        kit_settings_copy(&settings, &copy);
        assert_true(kit_settings_equal(&copy, &settings));
        assert_true(copy.affinity.cookie.name != settings.affinity.cookie.name);
        assert_true(copy.hash_on[0].name != settings.hash_on[0].name);
        assert_true(read_over(changes[i], &copy, &said));
        if (kit_settings_equal(&copy, &settings))
            fail_msg("%s", changes[i]);
        free(said);
        kit_settings_free(&copy);
    }
}

static void nothing_changes_nothing(void **state)
{
    kit_settings_t other;

    kit_settings_default(&other);
    assert_true(kit_settings_read(NULL, &other));
    assert_true(kit_settings_equal(&settings, &other));
    kit_settings_free(&other);
    kit_settings_free(&other);
}

/* ---- workers ---- */

static void tokens_and_domains_of_workers(void **state)
{
    uint8_t sha256[KIT_SHA256_BYTES] = {[KIT_SHA256_BYTES - 1] = 1};

    read_right(everything);
    assert_true(settings.workers.is_on);
    assert_int_equal(settings.workers.connections_most, 7);
    assert_string_equal(settings.workers.domains, "w.example *.w.example");
    assert_string_equal(settings.workers.tokens, "0000000000000000000000000000000000000000000000000000000000000001 "
                                                 "A000000000000000000000000000000000000000000000000000000000000002@1798848000");
    assert_true(kit_worker_token_is(settings.workers.tokens, sha256, 0));
    sha256[0] = 0xa0;
    assert_false(kit_worker_token_is(settings.workers.tokens, sha256, 0));
    sha256[KIT_SHA256_BYTES - 1] = 2;
    assert_true(kit_worker_token_is(settings.workers.tokens, sha256, 1798847999));
    assert_false(kit_worker_token_is(settings.workers.tokens, sha256, 1798848000));
    assert_false(kit_worker_token_is(NULL, sha256, 0));
}

static void workers_wait_for_without_a_hold(void **state)
{
    read_right("workers: ON\n");
    assert_int_equal(settings.hold_ms, KIT_WORKER_HOLD_MS);
    read_right("hold: 7\nworkers: ON\n");
    assert_int_equal(settings.hold_ms, 7);
    read_right("workers: OFF\n");
    assert_true(settings.workers.is_off);
}

static void what_is_wrong_with_workers(void **state)
{
    static const char *const wrong[] = {
        "workers: [ a ]",
        "workers: { token: a }",
        "workers: { tokens: a }",
        "workers: { tokens: { sha256: 12 } }",
        "workers: { tokens: { sha256: 00000000000000000000000000000000000000000000000000000000000000010 } }",
        "workers: { tokens: { sha256: 0000000000000000000000000000000000000000000000000000000000000001, not-after: soon } }",
        "workers: { tokens: 0000000000000000000000000000000000000000000000000000000000000001@ }",
        "workers: { domains: a/b }",
        "workers: { max-connections: 0 }",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        kit_settings_t other;
        char *said;

        kit_settings_default(&other);
        if (read_over(wrong[i], &other, &said))
            fail_msg("%s", wrong[i]);
        free(said);
        kit_settings_free(&other);
    }
}

/* ---- the list of keys ---- */

/* Each of them is looked at: a map with a list in a map would be right for none. */
static void each_key_is_read(void **state)
{
    size_t count = 0;

    for (; kit_settings_keys[count] != NULL; count++) {
        kit_settings_t other;
        char text[100], *said;

        kit_settings_default(&other);
        snprintf(text, sizeof(text), "%s: { \"?\": [ 1 ] }\n", kit_settings_keys[count]);
        if (read_over(text, &other, &said))
            fail_msg("%s", kit_settings_keys[count]);
        free(said);
        kit_settings_free(&other);
    }
    assert_int_equal(count, 28);
}

/* Each that stands at the margin of `everything`, but for the domains. */
static void each_key_is_listed(void **state)
{
    char text[sizeof(everything)], *rest = text;
    size_t count = 0;

    strcpy(text, everything);
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        const size_t length = strcspn(line, ":");
        bool is_listed = line[0] == ' ' || line[0] == '\0' || strncmp(line, "domains:", 8) == 0;

        for (size_t i = 0; !is_listed && kit_settings_keys[i] != NULL; i++) {
            is_listed = strlen(kit_settings_keys[i]) == length && strncmp(kit_settings_keys[i], line, length) == 0;
            count += is_listed;
        }
        if (!is_listed)
            fail_msg("%s", line);
    }
    assert_int_equal(count, 28);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, settings_open, settings_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(choice_without_settings),
        OPEN(tokens_and_domains_of_workers),
        OPEN(workers_wait_for_without_a_hold),
        OPEN(what_is_wrong_with_workers),
        OPEN(affinity_without_settings),
        OPEN(limits_without_settings),
        OPEN(health_without_settings),
        OPEN(retry_without_settings),
        OPEN(the_choice_is_read),
        OPEN(the_affinity_is_read),
        OPEN(the_limits_are_read),
        OPEN(the_health_is_read),
        OPEN(the_retry_is_read),
        OPEN(what_an_app_does_not_say_stays),
        OPEN(what_was_said_is_taken_back),
        OPEN(a_domain_is_taken_back),
        OPEN(a_path_lies_beside_the_configuration),
        OPEN(copies_are_equal_and_apart),
        OPEN(nothing_changes_nothing),
        OPEN(each_key_is_read),
        OPEN(each_key_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
