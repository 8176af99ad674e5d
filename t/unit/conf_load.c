/* SPDX-License-Identifier: MIT */
#include "conf/snapshot.h"

#include "conf_capture.h"

#include "conf/listen.h"
#include "conf/suggest.h"
#include "conf/verbs.h"
#include "weir.h"

#define HOSTS "hosts: {default: {paths: {/: {weir.router: stub}}}}\n"

static conf_t *load(const char *text)
{
    conf_t *conf = conf_load(scratch_file("t.yaml", text), true);

    assert_non_null(conf);
    return conf;
}

/* ---- refusals ---- */

static const struct {
    const char *text;
    const char *complaint; /* after the directory */
} refusals[] = {
    {HOSTS, "t.yaml:1: there is no `listen`, neither at the global level nor at a host\n"},
    {"listen: 8080\n", "t.yaml:1: mandatory configuration directive `hosts` is missing\n"},
    {"- a\n", "t.yaml:1: node must be a MAPPING\n"},
    {"lisen: 8080\n" HOSTS, "t.yaml:1: unknown command: lisen; did you mean listen?\n"},
    {"listen: 8080\nweir.conect-timeout: 5\n" HOSTS,
     "t.yaml:2: unknown command: weir.conect-timeout; did you mean weir.connect-timeout?\n"},
    {"listen: 8080\nstages: a.so\n" HOSTS, "t.yaml:2: unknown command: stages; did you mean weir.stages?\n"},
    {"listen: 8080\nquite-something: 1\n" HOSTS, "t.yaml:2: unknown command: quite-something\n"},
    {"listen: 8080\nweir.router: stub\n" HOSTS, "t.yaml:2: weir.router: the command cannot be used at this level\n"},
    {"listen: 8080\nweir.connect-timeout: 5k\n" HOSTS,
     "t.yaml:2: weir.connect-timeout: must be a whole number of milliseconds (or `5s`, `10m`, `2h`) from 1 to 2147483647\n"},
    {"listen: 8080\nweir.connect-timeout: 0\n" HOSTS,
     "t.yaml:2: weir.connect-timeout: must be a whole number of milliseconds (or `5s`, `10m`, `2h`) from 1 to 2147483647\n"},
    {"listen: 8080\nweir.access-log: '| cat'\n" HOSTS,
     "t.yaml:2: weir.access-log: must be a file; commands read access-log, or standard output\n"},
    {"listen: 8080\nweir.max-head: [1]\n" HOSTS,
     "t.yaml:2: weir.max-head: must be a whole number of bytes (or `64k`, `10m`, `1g`) from 256 to 16777216\n"},
    {"listen: 8080\nweir.log-codes: vegur\n" HOSTS, "t.yaml:2: weir.log-codes: must be weir or heroku\n"},
    {"listen: 8080\nweir.proxy-status: maybe\n" HOSTS, "t.yaml:2: weir.proxy-status: must be ON or OFF\n"},
    {"listen: 8080\nweir.header-case: upper\n" HOSTS, "t.yaml:2: weir.header-case: must be preserve or canonical\n"},
    {"listen: 8080\nweir.start-time-header: a b\n" HOSTS,
     "t.yaml:2: weir.start-time-header: must be the name of a header that says nothing else\n"},
    {"listen: 8080\nweir.via: \"a\\r\\nb: c\"\n" HOSTS, "t.yaml:2: weir.via: must be a text without control characters\n"},
    {"listen: 8080\nnum-threads: 0\n" HOSTS, "t.yaml:2: num-threads: must be a whole number from 1 to 1024\n"},
    {"listen: 8080\ncompress: 7\n" HOSTS,
     "t.yaml:2: compress: must be OFF, ON, a list of codings or a mapping of codings to levels\n"},
    {"listen: 8080\ncompress: {gzip: 10}\n" HOSTS, "t.yaml:2: compress: gzip must be OFF, ON or a whole number from 1 to 9\n"},
    {"listen: 8080\ncompress-minimum-size: -1\n" HOSTS, "t.yaml:2: compress-minimum-size: must be a whole number of bytes (or "
                                                        "`64k`, `10m`, `1g`) from 0 to 9223372036854775807\n"},
    {"listen: 8080\nfile.index: [[a]]\n" HOSTS, "t.yaml:2: file.index: must be a list of names\n"},
    {"listen: 8080\nreproxy: ON\n" HOSTS, "t.yaml:2: reproxy: not possible: the URLs that backends name would be fetched by "
                                          "h2o's own client, without limits; give each "
                                          "such backend a path of its own\n"},
    {"listen: 8080\nhttp1-request-timeout: 0\n" HOSTS,
     "t.yaml:2: http1-request-timeout: must be a whole number of seconds (or `5s`, `10m`, `2h`) from 1 to 2147483\n"},
    {"listen: 8080\nuser: no-such-user\n" HOSTS, "t.yaml:2: user: there is no user no-such-user\n"},
    {"listen: 0\n" HOSTS, "t.yaml:1: listen: 0: a port is a number from 1 to 65535\n"},
    {"listen: '::1:80'\n" HOSTS, "t.yaml:1: listen: ::1:80: an IPv6 address is written in brackets: [::1]:8080\n"},
    {"listen:\n  host: a\n" HOSTS, "t.yaml:2: listen: port is missing\n"},
    {"listen:\n  prt: 1\n" HOSTS, "t.yaml:2: listen: unknown key prt; did you mean port?\n"},
    {"listen:\n- 8080\n- {port: 1, ssl: {key-file: b}}\n" HOSTS, "t.yaml:3: ssl: certificate-file is missing\n"},
    {"listen: {port: 1, proxy-protocol: 2}\n" HOSTS, "t.yaml:1: proxy-protocol must be ON or OFF\n"},
    {"listen: {port: 1, proxy-protocol: ON, proxy-protocol-trusted: []}\n" HOSTS,
     "t.yaml:1: proxy-protocol-trusted must be a list of addresses\n"},
    {"listen: {port: 1, proxy-protocol: ON, proxy-protocol-trusted: {a: b}}\n" HOSTS,
     "t.yaml:1: proxy-protocol-trusted must be a list of addresses\n"},
    {"listen:\n  port: 1\n  proxy-protocol: ON\n  proxy-protocol-trusted:\n  - 10.0.0.0/8\n  - 10.0.0.0/33\n" HOSTS,
     "t.yaml:6: proxy-protocol-trusted: 10.0.0.0/33 is neither an address (192.0.2.7, ::1), a network (10.0.0.0/8) nor unix\n"},
    {"listen: {port: 1, proxy-protocol-trusted: [unix]}\n" HOSTS,
     "t.yaml:1: listen: proxy-protocol-trusted needs proxy-protocol: ON\n"},
    {"listen: [{port: 1, proxy-protocol: ON}, {port: 1, proxy-protocol: ON, proxy-protocol-trusted: unix}]\n" HOSTS,
     "t.yaml:1: listen: two different proxy-protocol-trusted for the same address\n"},
    {"listen: {port: 1, type: udp}\n" HOSTS, "t.yaml:1: type must be tcp or unix\n"},
    {"listen: {port: /x, type: unix, permission: 9}\n" HOSTS, "t.yaml:1: permission must be an octal number\n"},
    {"listen: [{port: 1}, {port: 1, proxy-protocol: ON}]\n" HOSTS,
     "t.yaml:1: listen: proxy-protocol is ON and OFF for the same address\n"},
    {"listen: 8080\nhosts: {default: {paths: {/: {weir.router: {modul: x}}}}}\n",
     "t.yaml:2: weir.router: must be a module's name, or a mapping with `module: NAME`\n"},
    {"listen: 8080\nhosts: {default: {paths: {/: {file.dir: [1]}}}}\n", "t.yaml:2: file.dir: argument cannot be a sequence\n"},
    {"listen: 8080\nhosts: {default: 3}\n", "t.yaml:2: node must be a MAPPING\n"},
};

static void refuses_with_file_and_line(void **state)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const char *path = scratch_file("t.yaml", refusals[i].text);
        FILE *real = stderr;
        capture_t capture;
        char *said;
        int status;

        capture_begin(&capture, &stderr);
        status = conf_verb_check(path);
        said = capture_end(&capture);
        assert_ptr_equal(stderr, real);
        assert_int_equal(status, EXIT_START_UP);
        assert_memory_equal(said, scratch, strlen(scratch));
        assert_string_equal(said + strlen(scratch) + 1, refusals[i].complaint);
        free(said);
    }
}

static void names_what_cannot_be_loaded(void **state)
{
    static const char *const directives[] = {"weir.router: ./none.so", "weir.router: {module: sub/none.so}",
                                             "weir.stages: none.so, weir.router: stub"};

    for (size_t i = 0; i < 3; i++) {
        char text[200];
        capture_t capture;
        char *said;

        snprintf(text, sizeof(text), "listen: 8080\nhosts: {default: {paths: {/: {%s}}}}\n", directives[i]);
        capture_begin(&capture, &stderr);
        assert_null(conf_load(scratch_file("t.yaml", text), true));
        said = capture_end(&capture);
        assert_non_null(strstr(said, "t.yaml:2: weir."));
        assert_non_null(strstr(said, "none.so"));
        assert_non_null(strstr(said, scratch)); /* relative to the configuration file */
        free(said);
    }
}

/* ---- what is accepted ---- */

static void inherits_values(void **state)
{
    conf_t *conf = load("weir.idle-timeout: 1\n"
                        "listen: 8080\n"
                        "hosts:\n"
                        "  a:\n"
                        "    weir.idle-timeout: 2\n"
                        "    paths:\n"
                        "      /: {weir.router: stub}\n"
                        "      /deep: {weir.router: stub, weir.idle-timeout: 3}\n"
                        "  b:\n"
                        "    paths: {/: {weir.router: stub}}\n"
                        "weir.connect-timeout: 77\n");
    const conf_path_t *deep = conf->paths, *a = deep->next, *b = a->next;

    assert_string_equal(deep->path, "/deep");
    assert_int_equal(deep->plan->idle_timeout_ms, 3);
    assert_int_equal(a->plan->idle_timeout_ms, 2);
    assert_int_equal(b->plan->idle_timeout_ms, 1);
    assert_int_equal(b->plan->connect_timeout_ms, 77); /* said after the hosts */
    assert_int_equal(b->plan->router_timeout_ms, 5000);
    assert_int_equal(conf->global->values[CONF_idle_timeout].number, 1);
    assert_null(b->level->values[CONF_router_timeout].where);
    assert_non_null(strstr(deep->level->values[CONF_idle_timeout].where, "t.yaml:8"));
    conf_destroy(&conf);
    assert_null(conf);
}

static void fills_the_plan(void **state)
{
    conf_t *conf =
        load("listen: 8080\nweir.header-case: canonical\nweir.proxy-status: on\nlimit-request-body: 1000\nweir.trace: ON\n"
             "weir.server-timing: ON\nweir.log-codes: Heroku\n" HOSTS);
    const weir_plan_t *plan = conf->paths->plan;

    assert_string_equal(plan->binding.router->name, "stub");
    assert_int_equal(plan->stage_count, 11);
    assert_null(plan->stages[11]);
    assert_true(plan->has_canonical_case);
    assert_true(plan->has_proxy_status);
    assert_true(plan->has_trace);
    assert_true(plan->has_server_timing);
    assert_true(plan->has_heroku_codes);
    assert_int_equal(plan->max_body_bytes, 1000);
    assert_string_equal(plan->via.base, "1.1 weir");
    assert_int_equal(plan->via.len, 8);
    assert_int_equal(plan->head_limits.total_bytes, 32768);
    assert_int_equal(plan->response_limits.total_bytes, 1048576);
    assert_null(plan->access_log); /* only checked */
    conf_destroy(&conf);
}

static void widens_head_limits(void **state)
{
    conf_t *conf =
        load("listen: 8080\nweir.max-headers: 5\nhosts: {default: {paths: {/: {weir.router: stub, weir.max-headers: 3,"
             " weir.max-request-line: 9000}}}}\n");

    assert_int_equal(conf->paths->plan->head_limits.count, 3);
    assert_int_equal(conf->head_limits.count, 5);
    assert_int_equal(conf->head_limits.line_bytes, 9000);
    assert_true(conf->paths->plan->max_body_bytes == UINT64_MAX);
    conf_destroy(&conf);
}

static void knows_another_header_timeout(void **state)
{
    conf_t *conf = load("listen: 8080\nhttp1-request-timeout: 3\n" HOSTS);

    assert_int_equal(conf->global->values[CONF_header_timeout].number, 3000);
    conf_destroy(&conf);
    conf = load("weir.header-timeout: 1234\nlisten: 8080\nhttp1-request-timeout: 3\n" HOSTS);
    assert_int_equal(conf->global->values[CONF_header_timeout].number, 1234);
    conf_destroy(&conf);
}

static void puts_the_gate_first(void **state)
{
    conf_t *conf = load("listen: 8080\nhosts: {default: {paths: {/: {file.dir: /, redirect: http://a/}, /none: {}}}}\n");
    h2o_hostconf_t *host = conf->globalconf.hosts[0];

    assert_int_equal(host->paths.entries[1].handlers.size, 3);
    assert_int_equal(conf->paths->next->handlers, 2);
    assert_int_equal(host->paths.entries[0].handlers.size, 0);
    assert_int_equal(host->fallback_path.handlers.size, 0);
    /* Slots are given in the order of registration: the gate came last. */
    assert_true(host->paths.entries[1].handlers.entries[0]->_config_slot >
                host->paths.entries[1].handlers.entries[2]->_config_slot);
    conf_destroy(&conf);
}

/* Numbers and words of libh2o's directives and of ours: what is outside of a range, and what only begins like a number. */
static void keeps_every_value_in_its_range(void **state)
{
    static const char *const wrong[] = {
        "handshake-timeout: 0",
        "handshake-timeout: -1",
        "handshake-timeout: 31536001",
        "handshake-timeout: 18446744073709551616",
        "handshake-timeout: 500ms",
        "handshake-timeout: [1]",
        "http2-idle-timeout: -1",
        "http2-idle-timeout: 0",
        "http2-idle-timeout: 10x",
        "http2-graceful-shutdown-timeout: -1",
        "http2-max-concurrent-requests-per-connection: 0",
        "http2-max-concurrent-requests-per-connection: -1",
        "http2-max-concurrent-requests-per-connection: 2147483648",
        "limit-request-body: -1",
        "limit-request-body: 99999999999999999999",
        "limit-request-body: 9223372036854775807k",
        "max-delegations: -1",
        "max-delegations: 1001",
        "compress-minimum-size: -1",
        "expires: -5 days",
        "expires: 99999999999999999999 days",
        "expires: 69 years",
        "max-connections: 5s",
        "weir.connect-timeout: 597h",
        "weir.connect-timeout: 5S",
        "weir.max-head: 17m",
        "weir.request-id-header: Content-Length",
        "weir.request-id-header: transfer-encoding",
        "weir.start-time-header: Host",
        "weir.connect-time-header: Via",
        "weir.route-time-header: X-Forwarded-For",
        "ssl-session-resumption: {lifetime: 604801}",
        "ssl-session-resumption: {lifetime: -1}",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[300];
        capture_t capture;
        conf_t *conf;
        char *said;

        snprintf(text, sizeof(text), "listen: 8080\n%s\n" HOSTS, wrong[i]);
        capture_begin(&capture, &stderr);
        conf = conf_load(scratch_file("t.yaml", text), true);
        said = capture_end(&capture);
        if (conf != NULL || strstr(said, "t.yaml:2: ") == NULL)
            fail_msg("%s: %s", wrong[i], said);
        free(said);
    }
}

static void understands_units_and_words(void **state)
{
    conf_t *conf = load("listen: 8080\nhandshake-timeout: 10m\nhttp1-request-timeout: 2m\nlimit-request-body: 64k\n"
                        "weir.connect-timeout: 5s\nweir.idle-timeout: 10m\nweir.max-head: 64k\nweir.proxy-status: yes\n"
                        "proxy.preserve-host: TRUE\nsend-server-name: no\nhttp2-push-preload: false\nexpires: 68 years\n"
                        "compress: yes\nreproxy: no\n" HOSTS);
    const conf_value_t *values = conf->global->values;

    assert_int_equal(conf->globalconf.handshake_timeout, 600000);
    assert_int_equal(conf->globalconf.max_request_entity_size, 65536);
    assert_int_equal(values[CONF_header_timeout].number, 120000);
    assert_string_equal(values[CONF_header_timeout].text, "120000");
    assert_int_equal(values[CONF_connect_timeout].number, 5000);
    assert_string_equal(values[CONF_connect_timeout].text, "5000");
    assert_int_equal(values[CONF_idle_timeout].number, 600000);
    assert_int_equal(values[CONF_max_head].number, 65536);
    assert_int_equal(values[CONF_proxy_status].number, 1);
    assert_string_equal(values[CONF_proxy_status].text, "ON");
    assert_int_equal(values[CONF_proxy_preserve_host].number, 1);
    conf_destroy(&conf);
    conf = load("listen: 8080\nhandshake-timeout: 4294968\nhttp2-idle-timeout: 31536000\n" HOSTS);
    assert_int_equal(conf->globalconf.handshake_timeout, UINT64_C(4294968000));
    assert_int_equal(conf->globalconf.http2.idle_timeout, UINT64_C(31536000000));
    conf_destroy(&conf);
}

static void shares_a_router_that_is_an_alias(void **state)
{
    conf_t *conf = load("listen: 8080\nhosts:\n  a: {paths: {/: &p {weir.router: {module: stub}}}}\n  b: {paths: {/: *p}}\n"
                        "  c: {paths: {/: {weir.router: {module: stub}}}}\n");

    assert_ptr_equal(conf->paths->module, conf->paths->next->module);
    assert_ptr_not_equal(conf->paths->module, conf->paths->next->next->module);
    conf_destroy(&conf);
}

/* ---- listen ---- */

static void listens_where_it_is_told(void **state)
{
    conf_t *conf =
        load("listen: [ '127.0.0.1:81', '[::1]:82', 'unix:/tmp/a', /tmp/b ]\n"
             "hosts:\n"
             "  a: {listen: {port: 83, host: 127.0.0.1, proxy-protocol: ON}, paths: {/: {weir.router: stub}}}\n"
             "  b: {listen: {port: 83, host: 127.0.0.1, proxy-protocol: ON}, paths: {/: {weir.router: stub}}}\n"
             "  c: {listen: ['127.0.0.1:81', {port: /tmp/c, type: unix, permission: 0640, owner: root}], paths: {}}\n");
    const weir_listen_t *listens = conf->listens.at;

    assert_int_equal(conf->listens.count, 6);
    assert_string_equal(listens[0].name, "127.0.0.1:81");
    assert_string_equal(listens[1].name, "[::1]:82");
    assert_string_equal(listens[2].name, "unix:/tmp/a");
    assert_string_equal(listens[3].name, "unix:/tmp/b");
    assert_string_equal(listens[4].name, "127.0.0.1:83");
    assert_ptr_equal(listens[0].hosts, conf->globalconf.hosts); /* c does not narrow it */
    assert_true(listens[4].has_proxy_protocol);
    assert_ptr_equal(listens[4].hosts[0], conf->globalconf.hosts[0]);
    assert_ptr_equal(listens[4].hosts[1], conf->globalconf.hosts[1]);
    assert_null(listens[4].hosts[2]);
    assert_int_equal(listens[5].permission, 0640);
    assert_int_equal(listens[5].owner, 0);
    assert_int_equal(listens[0].owner, (uid_t)-1);
    assert_non_null(strstr(listens[0].where, "t.yaml:1"));
    conf_destroy(&conf);
}

static void knows_whom_to_trust(void **state)
{
    conf_t *conf = load("listen:\n"
                        "- {port: 81, host: 127.0.0.1, proxy-protocol: ON, proxy-protocol-trusted: [10.1.2.3/8, '::1', unix]}\n"
                        "- {port: 82, host: 127.0.0.1, proxy-protocol: ON, proxy-protocol-trusted: 192.0.2.7}\n"
                        "- {port: 83, host: 127.0.0.1, proxy-protocol: ON}\n" HOSTS);
    const weir_listen_t *listens = conf->listens.at;
    char text[WEIR_NETWORK_TEXT];

    assert_int_equal(listens[0].trusted_count, 3);
    assert_string_equal(weir_network_write(&listens[0].trusted[0], text), "10.0.0.0/8");
    assert_string_equal(weir_network_write(&listens[0].trusted[1], text), "::1");
    assert_string_equal(weir_network_write(&listens[0].trusted[2], text), "unix");
    assert_int_equal(listens[1].trusted_count, 1);
    assert_string_equal(weir_network_write(&listens[1].trusted[0], text), "192.0.2.7");
    assert_int_equal(listens[2].trusted_count, 0);
    conf_destroy(&conf);
}

static void listens_on_text(void **state)
{
    conf_t *conf = conf_create("t", true);

    assert_null(conf_listen_on_text(conf, "127.0.0.1:80"));
    assert_null(conf_listen_on_text(conf, "8080"));
    assert_non_null(conf_listen_on_text(conf, ""));
    assert_non_null(conf_listen_on_text(conf, "127.0.0.1:"));
    assert_non_null(conf_listen_on_text(conf, "127.0.0.1:99999"));
    assert_non_null(conf_listen_on_text(conf, "127.0.0.1:80x"));
    assert_string_equal(conf->listens.at[0].name, "127.0.0.1:80");
    assert_null(conf->listens.at[0].where);
    conf_destroy(&conf);
}

/* ---- the table, the words, the documents ---- */

static void keeps_its_table_sane(void **state)
{
    conf_value_t values[CONF_DIRECTIVES];

    conf_values_default(values); /* aborts on a default that its own parser refuses */
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++) {
        assert_int_equal(conf_directive_named(conf_directives[i].name), i);
        assert_true(conf_directives[i].least <= conf_directives[i].most);
        assert_true(strlen(conf_directives[i].sentence) > 10);
    }
    assert_int_equal(conf_directive_named("none"), CONF_DIRECTIVES);
}

static char *printed_by(int argc, char **argv, int expected_status)
{
    capture_t capture;
    int status;

    capture_begin(&capture, &stdout);
    status = weir_main(argc, argv);
    assert_int_equal(status, expected_status);
    return capture_end(&capture);
}

#define PRINTED(status, ...)                                                                                                   \
    printed_by((int)(sizeof((char *[]){"weir", __VA_ARGS__}) / sizeof(char *)), (char *[]){"weir", __VA_ARGS__}, status)

static void prints_what_a_file_comes_to(void **state)
{
    char path[128];
    char *text;

    snprintf(path, sizeof(path), "%s", scratch_file("t.yaml", "listen: '127.0.0.1:80'\nweir.via: 1.1 me\n" HOSTS));
    text = PRINTED(EXIT_FINE, "check", "-c", path);
    assert_non_null(strstr(text, "t.yaml: fine\n"));
    assert_non_null(strstr(text, "listen 127.0.0.1:80"));
    assert_non_null(strstr(text, "host default path /\n"));
    assert_non_null(strstr(text, "router  stub (built-in), ABI 7\n"));
    assert_non_null(strstr(text, " 00 begin, 10 validate, 20 lookup,"));
    assert_non_null(strstr(text, "t.yaml:2\n"));
    free(text);
    snprintf(path, sizeof(path), "%s",
             scratch_file("t.yaml", "listen: '127.0.0.1:80'\nhosts: {default: {paths: {/: {weir.router: {module: table, apps:\n"
                                    "  {shop: {domains: [shop.test],\n  backends: ['127.0.0.1:81']}}}}}}}\n"));
    text = PRINTED(EXIT_FINE, "check", "-c", path);
    assert_non_null(strstr(text, "      apps\n        shop\n          domains\n            -"));
    assert_non_null(strstr(text, " shop.test "));
    assert_non_null(strstr(text, "t.yaml:3\n          backends\n            -"));
    assert_non_null(strstr(text, " 127.0.0.1:81 "));
    free(text);
    text = PRINTED(EXIT_FINE, "-t", "-c", path);
    assert_non_null(strstr(text, "t.yaml: fine\n"));
    free(text);
}

static void understands_its_arguments(void **state)
{
    capture_t capture;

    capture_begin(&capture, &stderr);
    free(PRINTED(EXIT_USAGE, "run"));
    free(PRINTED(EXIT_USAGE, "-c"));
    free(PRINTED(EXIT_USAGE, "--what"));
    free(PRINTED(EXIT_USAGE, "rum", "-c", "x"));
    free(PRINTED(EXIT_USAGE, "run", "more", "-c", "x"));
    free(printed_by(1, (char *[]){"weir"}, EXIT_USAGE));
    free(PRINTED(EXIT_START_UP, "-c", "/does/not/exist"));
    free(PRINTED(EXIT_USAGE, "docs", "html"));
    free(capture_end(&capture));
    char *text = PRINTED(EXIT_FINE, "--version");
    assert_memory_equal(text, "weir " WEIR_VERSION "\nlibh2o 2.", 19);
    free(text);
    text = PRINTED(EXIT_FINE, "-h");
    assert_memory_equal(text, "usage: weir run", 15);
    free(text);
}

/* `name` in the tree this program was built from: above the directory it runs in, or above itself. Skips if there is none. */
static const char *tree_file(const char *name)
{
    static char path[4200];

    char start[2][2048] = {"", ""};

    assert_non_null(getcwd(start[0], sizeof(start[0])));
    if (readlink("/proc/self/exe", start[1], sizeof(start[1]) - 1) == -1)
        start[1][0] = '\0';
    for (size_t i = 0; i < 2; i++) {
        for (char *end = start[i] + strlen(start[i]); end != NULL && start[i][0] != '\0'; end = strrchr(start[i], '/')) {
            *end = '\0';
            snprintf(path, sizeof(path), "%.2047s/%s", start[i], name);
            if (access(path, R_OK) == 0)
                return path;
        }
    }
    skip();
    return NULL;
}

static void documents_are_up_to_date(void **state)
{
    char *text;

    tree_file("docs/configuration.md");
    text = PRINTED(EXIT_FINE, "docs", "markdown");
    assert_string_equal(text, slurp(tree_file("docs/configuration.md")));
    free(text);
    text = PRINTED(EXIT_FINE, "docs", "man");
    assert_string_equal(text, slurp(tree_file("docs/weir.conf.5")));
    free(text);
    text = PRINTED(EXIT_FINE, "docs", "h2o");
    assert_non_null(strstr(slurp(tree_file("docs/coming-from-h2o.md")), text));
    free(text);
}

static void loads_its_examples(void **state)
{
    static const char *const names[] = {"conf/examples/table.yaml", "conf/examples/full.yaml"};

    for (size_t i = 0; i < 2; i++) {
        conf_t *conf = conf_load(tree_file(names[i]), true);

        assert_non_null(conf);
        conf_destroy(&conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_file_and_line),
        cmocka_unit_test(names_what_cannot_be_loaded),
        cmocka_unit_test(inherits_values),
        cmocka_unit_test(fills_the_plan),
        cmocka_unit_test(widens_head_limits),
        cmocka_unit_test(knows_another_header_timeout),
        cmocka_unit_test(puts_the_gate_first),
        cmocka_unit_test(keeps_every_value_in_its_range),
        cmocka_unit_test(understands_units_and_words),
        cmocka_unit_test(shares_a_router_that_is_an_alias),
        cmocka_unit_test(listens_where_it_is_told),
        cmocka_unit_test(listens_on_text),
        cmocka_unit_test(knows_whom_to_trust),
        cmocka_unit_test(keeps_its_table_sane),
        cmocka_unit_test(prints_what_a_file_comes_to),
        cmocka_unit_test(understands_its_arguments),
        cmocka_unit_test(documents_are_up_to_date),
        cmocka_unit_test(loads_its_examples),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
