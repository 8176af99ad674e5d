/* SPDX-License-Identifier: MIT */
/* Active checks and names of the router `table`: who is asked when, and what becomes of it, on a clock that is told. */
#include "unit.h"

#include "router/module.h"

enum { TICK_MS = 100, MINUTE_MS = 60000 };

#define CHECKED "health: {http: /up, interval: 5000, fast-interval: 1000, idle-interval: 60000, rise: 1, fall: 1}"
#define TWO                                                                                                                    \
    "{apps: {app: {domains: [\"*\"], backends: [{at: \"127.0.0.1:1\", id: a}, {at: \"127.0.0.1:2\", id: b}], " CHECKED "}}}"

static weir_module_t *start(const char *text, uint64_t generation)
{
    char error[200] = "";
    weir_config_t *config = fake_config(text);
    weir_module_t *module = weir_module_open("table", error, sizeof(error));

    assert_non_null(module);
    if (!weir_module_configure(module, config))
        fail_msg("%s", fake_complaint);
    fake_config_free(config);
    assert_true(weir_module_start(module, "default /", "test:1", generation));
    w.plan.binding.router = weir_module_router(module);
    w.plan.binding.shared = weir_module_shared(module);
    return module;
}

static weir_module_t *open_with(const char *text)
{
    world_open(NULL);
    fake_steward = &w.loop;
    return start(text, 1);
}

static void close_all(weir_module_t **module)
{
    fake_run(&w.loop);
    weir_module_close(module);
    assert_null(fake_probes);
    fake_loop_finish(&w.loop);
}

static size_t count_probes(void)
{
    size_t count = 0;

    for (const weir_probing_t *probing = fake_probes; probing != NULL; probing = probing->next)
        count++;
    return count;
}

/* So many probes are made in this time, each answered at once. */
static size_t probes_in(uint32_t ms, uint16_t status)
{
    size_t count = 0;

    for (uint32_t at = 0; at < ms; at += TICK_MS) {
        fake_advance(&w.loop, TICK_MS);
        for (; fake_probes != NULL; count++)
            fake_probe_answer(status, NULL);
    }
    return count;
}

/* Who is connected to, or the status of the page. */
static void assert_goes_to(const char *backend)
{
    char expected[100];

    w.loop.length = 0;
    world_request("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    snprintf(expected, sizeof(expected), "connect %s\n", backend);
    assert_contains(w.loop.text, expected);
    assert_true(fake_respond(w.x, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
}

static void they_are_asked_at_once_and_then_now_and_then(void **state)
{
    weir_module_t *module = open_with(TWO);

    fake_advance(&w.loop, TICK_MS);
    assert_int_equal(count_probes(), 2);
    fake_advance(&w.loop, TICK_MS); /* and no further ones while these are under way */
    assert_int_equal(count_probes(), 2);
    assert_int_equal(probes_in(TICK_MS, 200), 2);
    assert_in_range(probes_in(MINUTE_MS, 200), 20, 28);
    probes_in(5 * MINUTE_MS, 200);
    assert_in_range(probes_in(5 * MINUTE_MS, 200), 8, 12); /* nobody has asked for the app */
    assert_goes_to("a");
    assert_in_range(probes_in(MINUTE_MS, 200), 20, 28);
    close_all(&module);
}

/* A reload ends what the configuration before has under way. */
static void a_probe_that_ends_with_its_configuration_is_made_again(void **state)
{
    weir_module_t *before = open_with(TWO), *module;

    fake_advance(&w.loop, TICK_MS);
    assert_int_equal(count_probes(), 2);
    module = start(TWO, 2);
    weir_module_close(&before);
    assert_int_equal(count_probes(), 0);
    fake_advance(&w.loop, 2 * TICK_MS);
    assert_int_equal(count_probes(), 2);
    assert_int_equal(probes_in(TICK_MS, 200), 2);
    assert_goes_to("a");
    close_all(&module);
}

/* What the place before has failed is nothing to the new one, which has yet to pass. */
static void at_a_new_place_it_begins_anew(void **state)
{
    static const char moved[] = "{apps: {app: {domains: [\"*\"], backends: [{at: \"127.0.0.1:3\", id: a}, {at: "
                                "\"127.0.0.1:2\", id: b, state: off}], " CHECKED "}}}";
    weir_module_t *before = open_with(TWO), *module;

    fake_advance(&w.loop, TICK_MS);
    fake_probe_answer(500, NULL); /* whichever it is */
    fake_probe_answer(200, NULL);
    module = start(moved, 2);
    weir_module_close(&before);
    w.loop.length = 0;
    world_request("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_null(strstr(w.loop.text, "connect")); /* it waits for the first check */
    fake_advance(&w.loop, TICK_MS);
    assert_non_null(fake_probes);
    while (fake_probes != NULL)
        fake_probe_answer(200, NULL);
    fake_run(&w.loop);
    assert_contains(w.loop.text, "connect a\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert_true(fake_relay_end(w.x, NULL));
    close_all(&module);
}

static void names_are_asked_again_when_their_time_is_up(void **state)
{
    static const char *const first[] = {"10.0.0.1", NULL}, *const second[] = {"10.0.0.2", NULL};
    weir_module_t *module = open_with("{apps: {app: {domains: [\"*\"], backends: [\"dns:web.test:80\"]}}}");

    fake_advance(&w.loop, TICK_MS);
    assert_int_equal(count_probes(), 1);
    assert_int_equal(fake_probes->settings.kind, WEIR_PROBE_NAME);
    fake_probe_addresses(first, 3000);
    assert_goes_to("10.0.0.1:80");
    fake_advance(&w.loop, 2500);
    assert_int_equal(count_probes(), 0);
    fake_advance(&w.loop, 1000);
    fake_probe_answer(0, &(weir_fault_t){"backend_unresolved", 503, WEIR_BLAME_BACKEND, NULL});
    assert_goes_to("10.0.0.1:80"); /* it keeps what it had */
    fake_advance(&w.loop, 3000);
    fake_probe_addresses(second, 3000);
    assert_goes_to("10.0.0.2:80");
    close_all(&module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_asked_at_once_and_then_now_and_then),
        cmocka_unit_test(a_probe_that_ends_with_its_configuration_is_made_again),
        cmocka_unit_test(at_a_new_place_it_begins_anew),
        cmocka_unit_test(names_are_asked_again_when_their_time_is_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
