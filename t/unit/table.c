/* SPDX-License-Identifier: MIT */
/* The built-in routers: their rules for domains, their retries, and what they say about a wrong configuration. */
#include "unit.h"

#include <unistd.h>

#include "router/module.h"

static weir_module_t *module;

static bool open_module(const char *name, const char *text)
{
    char error[200] = "";
    weir_config_t *config = fake_config(text);
    bool is_good;

    module = weir_module_open(name, error, sizeof(error));
    assert_string_equal(error, "");
    is_good = weir_module_configure(module, config);
    fake_config_free(config);
    return is_good;
}

static void open_table(const char *text)
{
    world_open(NULL);
    if (!open_module("table", text))
        fail_msg("%s", fake_complaint);
    fake_steward = &w.loop;
    assert_true(weir_module_start(module, "default /", "test:1", 1));
    w.plan.binding.router = weir_module_router(module);
    w.plan.binding.shared = weir_module_shared(module);
}

static void close_table(void)
{
    fake_run(&w.loop);
    weir_module_close(&module);
    fake_loop_finish(&w.loop);
}

static void request_host(const char *host)
{
    char request[600];

    snprintf(request, sizeof(request), "GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    w.loop.length = 0;
    world_request(request);
}

static void finish_well(void)
{
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
}

static void assert_served(const char *host, const char *backend)
{
    char expected[200];

    request_host(host);
    snprintf(expected, sizeof(expected), "connect %s\n", backend);
    assert_contains(w.loop.text, expected);
    finish_well();
}

static void assert_unknown(const char *host)
{
    request_host(host);
    assert_int_equal(w.front.status, 404);
    assert_string_equal(w.front.body, "404 Not Found\nnot_found: No app has this domain.\n");
}

static void the_longest_suffix_wins(void **state)
{
    open_table("{apps: {"
               "exact: {domains: [Shop.example, shop.example.org.], backends: [a:1]},"
               "wild: {domains: [\"*.shop.example\"], backends: [b:2]},"
               "deep: {domains: [\"*.eu.shop.example\"], backends: [c:3]},"
               "top: {domains: \"*.example\", backends: d:4}}}");
    assert_served("shop.example", "a:1");
    assert_served("SHOP.EXAMPLE:8080", "a:1");
    assert_served("shop.example.", "a:1");
    assert_served("shop.example.org", "a:1");
    assert_served("www.shop.example", "b:2");
    assert_served("a.b.c.shop.example", "b:2");
    assert_served("eu.shop.example", "b:2");
    assert_served("www.eu.shop.example", "c:3");
    assert_served("x.y.eu.shop.example", "c:3");
    assert_served("blog.example", "d:4");
    assert_served("notshop.example", "d:4");
    assert_unknown("example");
    assert_unknown("shop.example.com");
    assert_unknown("xshop.example.org");
    close_table();
}

static void a_star_catches_the_rest(void **state)
{
    char host[300];

    open_table("{module: table, apps: {a: {domains: [a.example], backends: [a:1]}, b: {domains: [\"*\"], backends: [b:2]}}}");
    assert_served("a.example", "a:1");
    assert_served("b.example", "b:2");
    assert_served("[::1]:80", "b:2");
    memset(host, 'a', sizeof(host));
    host[299] = '\0';
    assert_served(host, "b:2");
    close_table();
}

static void a_hundred_thousand_domains(void **state)
{
    enum { COUNT = 100000 };
    char *text = malloc(COUNT * 32 + 200), *at = text;

    assert_non_null(text);
    at += sprintf(at, "{apps: {a: {backends: [a:1], domains: [");
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, i % 2 ? "\"*.d%d.example\"," : "d%d.example,", i);
    sprintf(at, "last.example]}}}");
    open_table(text);
    free(text);
    assert_served("d0.example", "a:1");
    assert_served("d99998.example", "a:1");
    assert_served("www.d99999.example", "a:1");
    assert_unknown("d99999.example");
    assert_unknown("d100000.example");
    close_table();
}

static void ten_backends_each_once(void **state)
{
    enum { COUNT = 70, TRIES = 10 };
    char text[4000], *at = text;

    at += sprintf(at, "{apps: {a: {domains: [\"*\"], backends: [");
    for (int i = 1; i <= COUNT; i++)
        at += sprintf(at, "\"10.0.0.1:%d\",", i);
    sprintf(at, "]}}}");
    for (int dice = 0; dice < 3; dice++) {
        open_table(text);
        w.loop.dice = (uint8_t)(dice * 77);
        w.loop.connects[0].how = FAKE_CONNECT_HELD;
        for (int i = 0; i < FAKE_SCRIPT; i++)
            w.loop.connects[i].how = FAKE_CONNECT_HELD;
        w.loop.connect_count = FAKE_SCRIPT;
        request_host("a");
        for (int i = 0; i < TRIES; i++) {
            w.loop.connect_at = 0;
            fake_connected(w.x, i + 1 < TRIES ? &weir_fault_backend_refused : &weir_fault_backend_unreachable);
            fake_run(&w.loop);
        }
        int tried = 0;
        for (int i = 1; i <= COUNT; i++) {
            char line[60];
            snprintf(line, sizeof(line), "connect 10.0.0.1:%d\n", i);
            const char *found = strstr(w.loop.text, line);
            tried += found != NULL;
            assert_true(found == NULL || strstr(found + 1, line) == NULL);
        }
        assert_int_equal(tried, TRIES);
        assert_int_equal(w.front.status, 503);
        assert_contains(w.front.body, "backend_unreachable: "); /* the last one's */
        close_table();
    }
}

static void begins_anywhere(void **state)
{
    bool a = false, b = false;

    open_table("{apps: {x: {domains: [\"*\"], backends: [a:1, b:2]}}}");
    for (int i = 0; i < 20; i++) {
        w.loop.dice = (uint8_t)(i * 7);
        request_host("x");
        a = a || strstr(w.loop.text, "connect a:1") != NULL;
        b = b || strstr(w.loop.text, "connect b:2") != NULL;
        finish_well();
    }
    assert_true(a && b);
    close_table();
}

static void keepalive_and_unix(void **state)
{
    open_table(
        "{apps: {a: {domains: [a], backends: [\"unix:/run/a.sock\"], keepalive: none},"
        "b: {domains: [b], backends: [\"[::1]:80\"], keepalive: new, protocol: h2c}, c: {domains: [c], backends: [c:1]}}}");
    request_host("a");
    assert_contains(w.loop.text, "connect unix:/run/a.sock\n");
    assert_int_equal(w.x->target.keepalive, WEIR_CLOSE);
    finish_well();
    request_host("b");
    assert_contains(w.loop.text, "connect [::1]:80\n");
    assert_int_equal(w.x->target.keepalive, WEIR_FRESH);
    assert_int_equal(w.x->target.protocol, WEIR_HTTP2);
    finish_well();
    request_host("c");
    assert_int_equal(w.x->target.keepalive, WEIR_REUSE);
    assert_int_equal(w.x->target.protocol, WEIR_HTTP1);
    finish_well();
    close_table();
}

static void assert_span(weir_span_t span, const char *wanted)
{
    assert_int_equal(span.len, strlen(wanted));
    assert_memory_equal(span.base, wanted, span.len);
}

static void fastcgi_and_its_scripts(void **state)
{
    open_table("{apps: {a: {domains: [a], backends: [\"unix:/run/a.sock\"], protocol: fastcgi},"
               "b: {domains: [b], backends: [b:1], protocol: fastcgi, root: /srv//, keepalive: new},"
               "c: {domains: [c], backends: [c:1], protocol: fastcgi, root: /srv/www, index: app/go.pl, split: .pl}}}");
    request_host("a");
    assert_int_equal(w.x->target.protocol, WEIR_FASTCGI);
    assert_int_equal(w.x->target.keepalive, WEIR_CLOSE);
    assert_int_equal(w.x->target.fastcgi->root.len + w.x->target.fastcgi->suffix.len, 0);
    finish_well();
    request_host("b");
    assert_int_equal(w.x->target.keepalive, WEIR_FRESH);
    assert_span(w.x->target.fastcgi->root, "/srv");
    assert_span(w.x->target.fastcgi->suffix, ".php");
    assert_span(w.x->target.fastcgi->index, "index.php");
    finish_well();
    request_host("c");
    assert_span(w.x->target.fastcgi->root, "/srv/www");
    assert_span(w.x->target.fastcgi->suffix, ".pl");
    assert_span(w.x->target.fastcgi->index, "app/go.pl");
    finish_well();
    close_table();
}

static void headers_features_redirects(void **state)
{
    open_table("{apps: {a: {domains: [a], backends: [a:1], features: [deep-continue, peer-port],"
               "headers: {to-backend: {X-A: \"1\", host: inner.example}, to-client: {X-B: \"2\", Via: none}}},"
               "b: {domains: [b], redirect-to: \"a.example:81\"}}}");
    w.x = fake_exchange(&w.loop, &w.plan, &w.front,
                        "POST / HTTP/1.1\r\nHost: a\r\nx-a: old\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    w.x->request.is_proxied = true;
    weir_exchange_start(w.x);
    assert_true(w.x->wants_continue);
    assert_contains(w.loop.backend_head, "\r\nx-a: 1\r\n");
    assert_contains(w.loop.backend_head, "\r\nX-Forwarded-Peer-Port: 1234\r\n");
    assert_contains(w.loop.backend_head, "POST / HTTP/1.1\r\nHost: inner.example\r\n");
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_string_equal(w.front.head, "Via: none\nX-B: 2\n");
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
    request_host("b");
    assert_int_equal(w.front.status, 301);
    assert_string_equal(w.front.head, "Location: http://a.example:81/x\n");
    close_table();
}

static void error_pages(void **state)
{
    char path[] = "/tmp/weir-page-XXXXXX", text[400];
    int file = mkstemp(path);

    assert_true(file >= 0 && write(file, "<p>sorry", 8) == 8 && close(file) == 0);
    snprintf(text, sizeof(text),
             "{apps: {a: {domains: [a], backends: [a:1], error-pages: {backend_refused: {status: 502, file: %s}, "
             "expectation_failed: {status: "
             "400}}}}}",
             path);
    open_table(text);
    unlink(path);
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    request_host("a");
    assert_int_equal(w.front.status, 502);
    assert_string_equal(w.front.body, "<p>sorry");
    assert_string_equal(w.front.head,
                        "Content-Type: text/html; charset=utf-8\nX-Request-Id: 00010203-0405-4607-8809-0a0b0c0d0e0f\n");
    world_request("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n");
    assert_int_equal(w.front.status, 400);
    assert_contains(w.front.body, "400 Bad Request\nexpectation_failed: ");
    close_table();
}

static void assert_wrong(const char *name, const char *text, const char *complaint)
{
    if (open_module(name, text))
        fail_msg("not refused: %s", text);
    assert_contains(fake_complaint, complaint);
    weir_module_close(&module);
}

#define APP(text) "{apps: {a: {" text "}}}"

static void complains(void **state)
{
    static const char *const backends[] = {"a",     ":80",   "a:",      "a:0",   "a:65536",    "a:8x",
                                           "a b:1", "unix:", "[::1:80", "[]:80", "http://a:80"};

    assert_wrong("table", "{}", "needs a map of apps");
    assert_wrong("table", "{apps: [a]}", "needs a map of apps");
    assert_wrong("table", "{aps: {}}", "unknown key `aps`; did you mean `apps`?");
    assert_wrong("table", "{apps: {a: b}}", "has no settings");
    assert_wrong("table", APP("domains: [a], backend: [a:1]"), "unknown key `backend`; did you mean `backends`?");
    assert_wrong("table", APP("domains: [a], completely-else: 1, backends: [a:1]"), "unknown key `completely-else`");
    assert_lacks(fake_complaint, "mean");
    assert_wrong("table", APP("backends: [a:1]"), "needs a list of domains");
    assert_wrong("table", APP("domains: [], backends: [a:1]"), "needs a list of domains");
    assert_wrong("table", APP("domains: [a]"), "neither backends nor redirect-to");
    assert_wrong("table", APP("domains: [a], backends: [a:1], redirect-to: b"), "exclude each other");
    assert_wrong("table", APP("domains: [a], backends: [{id: x}]"), "a backend needs `at`");
    assert_wrong("table", APP("domains: [a], backends: [{at: \"a:1\", id: x}, {at: \"b:1\", id: x}]"), "a backend `x` already");
    assert_wrong("table", APP("domains: [a], backends: [{at: \"a:1\", weighs: 1}]"), "did you mean `weight`?");
    assert_wrong("table", APP("domains: [a], backends: [{at: \"a:1\", weight: 1001}]"),
                 "weight: must be a number from 0 to 1000");
    assert_wrong("table", APP("domains: [a], backends: [{at: \"a:1\", labels: [a]}]"), "labels are a map");
    assert_wrong("table", APP("domains: [a], backends: [a:1], balance: bset"), "did you mean `best`?");
    assert_wrong("table", APP("domains: [\"a/x//y\"], backends: [a:1]"), "is no domain");
    assert_wrong("table", "{defaults: {domains: [a]}, apps: {a: {domains: [a], backends: [a:1]}}}", "unknown key `domains`");
    assert_wrong("table", "{defaults: {choices: 1}, apps: {a: {domains: [a], backends: [a:1]}}}", "choices: must be");
    assert_wrong("table", APP("domains: [a, A], backends: [a:1]"), "`A` belongs to the app `a` already");
    assert_wrong("table", "{apps: {a: {domains: [\"*.x\"], backends: [a:1]}, b: {domains: [\"*.X\"], backends: [a:1]}}}",
                 "belongs to the app `a`");
    assert_wrong("table", "{apps: {a: {domains: [\"*\"], backends: [a:1]}, b: {domains: [\"*\"], backends: [a:1]}}}",
                 "belongs to the app `a`");
    assert_wrong("table", APP("domains: [\"a:80\"], backends: [a:1]"), "`a:80` is no domain");
    assert_wrong("table", APP("domains: [\"a.*\"], backends: [a:1]"), "is no domain");
    assert_wrong("table", APP("domains: [\"*a\"], backends: [a:1]"), "is no domain");
    assert_wrong("table", APP("domains: [a..b], backends: [a:1]"), "is no domain");
    assert_wrong("table", APP("domains: [{a: b}], backends: [a:1]"), "is no domain");
    assert_wrong("table", APP("domains: [a], backends: [a:1], features: [deep-contine]"), "did you mean `deep-continue`?");
    assert_wrong("table", APP("domains: [a], backends: [a:1], keepalive: never"), "unknown keepalive `never`");
    assert_wrong("table", APP("domains: [a], backends: [a:1], protocol: h3"), "unknown protocol `h3`; did you mean `h2`?");
    assert_wrong("table", APP("domains: [a], backends: [a:1], protocol: [h2c]"), "protocol: must be http1, h2c, h2 or fastcgi");
    assert_wrong("table", APP("domains: [a], backends: [\"https://a\"], protocol: fastcgi"), "is for plain backends");
    assert_wrong("table", APP("domains: [a], backends: [a:1], split: .php"), "are for `protocol: fastcgi`");
    assert_wrong("table", APP("domains: [a], backends: [a:1], protocol: fastcgi, split: .php"), "need a root");
    assert_wrong("table", APP("domains: [a], backends: [a:1], protocol: fastcgi, root: srv"), "root: must be");
    assert_wrong("table", APP("domains: [a], backends: [a:1], protocol: fastcgi, root: /s, index: ../x"), "index: must be");
    assert_wrong("table", APP("domains: [a], backends: [a:1], protocol: fastcgi, root: /s, split: php"), "split: must be");
    assert_wrong("table", APP("domains: [a], backends: [a:1], headers: {to-clients: {}}"), "did you mean `to-client`?");
    assert_wrong("table", APP("domains: [a], backends: [a:1], headers: {to-client: {content-length: 5}}"), "may be set");
    assert_wrong("table", APP("domains: [a], backends: [a:1], headers: {to-client: {\"a b\": 5}}"), "may be set");
    assert_wrong("table", APP("domains: [a], backends: [a:1], headers: {to-client: {a: [b]}}"), "one line of text");
    assert_wrong("table", APP("domains: [a], redirect-to: http//a"), "redirect-to is a domain");
    assert_wrong("table", APP("domains: [a], backends: [a:1], error-pages: {x: {status: 99}}"), "200 to 599");
    assert_wrong("table", APP("domains: [a], backends: [a:1], error-pages: {x: {file: /nowhere/x}}"),
                 "`/nowhere/x` cannot be read: ");
    assert_wrong("table", APP("domains: [a], backends: [a:1], error-pages: {x: {}}"), "a status, a file, or both");
    assert_wrong("table", APP("domains: [a], backends: {a: b}"), "backends are a list");
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        char text[100];
        snprintf(text, sizeof(text), APP("domains: [a], backends: [\"%s\"]"), backends[i]);
        assert_wrong("table", text, backends[i]);
        snprintf(text, sizeof(text), "{backends: [\"%s\"]}", backends[i]);
        assert_wrong("stub", text, backends[i]);
    }
    assert_wrong("stub", "{backend: [a:1]}", "did you mean `backends`?");
}

/* Also where it has backends, and where `defaults` say it. */
static void a_blank_app(void **state)
{
    open_table("{defaults: {blank: ON}, apps: {a: {domains: [a]}, b: {domains: [b], blank: OFF, backends: [b:1]},"
               "c: {domains: [c], backends: [c:1], hold: 10000}, d: {domains: [d], backends: [], queue: {length: 1}}}}");
    for (const char *host = "acd"; *host != '\0'; host++) {
        request_host((char[]){*host, '\0'});
        assert_int_equal(w.front.status, 404);
        assert_contains(w.front.body, "not_found: This app has not been given any code yet.");
        assert_string_equal(w.loop.text, "reply 404\n"); /* nothing else was asked of the world */
    }
    request_host("b");
    assert_string_equal(w.loop.text, "connect b:1\nrelay\n");
    finish_well();
    close_table();
    assert_wrong("table", APP("domains: [a], blank: OFF"), "neither backends nor redirect-to");
    assert_wrong("table", APP("domains: [a], blank: perhaps, backends: []"), "blank");
}

static void the_stub_goes_in_order(void **state)
{
    world_open(NULL);
    assert_true(open_module("stub", "{module: stub, backends: [a:1, b:2, c:3]}"));
    w.plan.binding.router = weir_module_router(module);
    w.plan.binding.shared = weir_module_shared(module);
    w.loop.connects[0].fault = w.loop.connects[1].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 2;
    world_request(GET);
    assert_string_equal(w.loop.text, "connect a:1\nconnect b:2\nconnect c:3\nrelay\n");
    finish_well();
    close_table();
}

static void the_stub_gives_up(void **state)
{
    world_open(NULL);
    assert_true(open_module("stub", "{backends: [a:1]}"));
    w.plan.binding.router = weir_module_router(module);
    w.plan.binding.shared = weir_module_shared(module);
    w.loop.connects[0].fault = &weir_fault_backend_connect_timeout;
    w.loop.connect_count = 1;
    world_request(GET);
    assert_contains(w.front.body, "backend_connect_timeout: ");
    close_table();

    world_open(NULL);
    assert_true(open_module("stub", "{}"));
    w.plan.binding.router = weir_module_router(module);
    w.plan.binding.shared = weir_module_shared(module);
    world_request(GET);
    assert_contains(w.front.body, "no_backend: ");
    close_table();
}

/* ---- modules ---- */

static void assert_no_module(const weir_router_t *router, const char *complaint)
{
    char error[200] = "";

    assert_null(weir_module_of(router, NULL, error, sizeof(error)));
    assert_contains(error, complaint);
}

static void modules_are_checked(void **state)
{
    struct {
        weir_router_t router;
        void *future[2];
    } newer = {fake_router, {NULL, NULL}};
    weir_router_t other = fake_router;
    char error[200] = "";

    other.size = 8;
    assert_no_module(&other, "size 8 is not understood");
    other.size = SIZE_MAX;
    assert_no_module(&other, "is not understood");
    other = fake_router;
    other.checkout_service = NULL;
    assert_no_module(&other, "lacks checkout_service");
    newer.router.size = sizeof(newer);
    newer.future[1] = &other;
    assert_no_module(&newer.router, "newer than this proxy");

    newer.future[1] = NULL;
    module = weir_module_of(&newer.router, &w.script, error, sizeof(error));
    assert_non_null(module);
    assert_int_equal(weir_module_router(module)->size, sizeof(weir_router_t));
    assert_ptr_equal(weir_module_shared(module), &w.script);
    assert_string_equal(weir_module_origin(module), "built-in");
    assert_true(weir_module_configure(module, NULL));
    weir_module_close(&module);
    weir_module_close(&module);

    other = fake_router;
    other.size = offsetof(weir_router_t, checkin_service); /* an old one */
    module = weir_module_of(&other, NULL, error, sizeof(error));
    assert_non_null(module);
    assert_null(weir_module_router(module)->checkin_service);
    assert_null(weir_module_router(module)->terminate);
    weir_module_close(&module);

    assert_null(weir_module_open("tabel", error, sizeof(error)));
    assert_contains(error, "there are: table, stub, reverse");
    assert_null(weir_module_open("nowhere.so", error, sizeof(error)));
    assert_contains(error, "nowhere.so: cannot be loaded");
    assert_null(weir_module_open("/nowhere/x", error, sizeof(error)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_suffix_wins),
        cmocka_unit_test(a_star_catches_the_rest),
        cmocka_unit_test(a_hundred_thousand_domains),
        cmocka_unit_test(ten_backends_each_once),
        cmocka_unit_test(begins_anywhere),
        cmocka_unit_test(keepalive_and_unix),
        cmocka_unit_test(fastcgi_and_its_scripts),
        cmocka_unit_test(headers_features_redirects),
        cmocka_unit_test(error_pages),
        cmocka_unit_test(complains),
        cmocka_unit_test(a_blank_app),
        cmocka_unit_test(the_stub_goes_in_order),
        cmocka_unit_test(the_stub_gives_up),
        cmocka_unit_test(modules_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
