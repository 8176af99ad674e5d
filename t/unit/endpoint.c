/* SPDX-License-Identifier: MIT */
/* Endpoints: what is a place and what is none, and that one stands for all that a router could have said of it. */
#include "unit.h"
#include "weir_endpoint.h"

enum { DESCRIPTION_BYTES = 2000, PATH_MOST = 107 };

static char tls_object; /* nobody looks into it */
static weir_backend_tls_t *const tls = (weir_backend_tls_t *)(void *)&tls_object;

static weir_endpoint_t *create(weir_endpoint_settings_t settings)
{
    char problem[200] = "untouched";
    weir_endpoint_t *endpoint;

    settings.size = sizeof(settings);
    endpoint = weir_endpoint_create(&settings, problem, sizeof(problem));
    if (endpoint == NULL)
        fail_msg("%s", problem);
    assert_string_equal(problem, "untouched");
    return endpoint;
}

static void assert_name(const weir_endpoint_t *endpoint, const char *name)
{
    weir_span_t actual = weir_endpoint_name(endpoint);

    if (!weir_span_is(actual, name))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, name);
}

static int forget_blocks(void **state)
{
    weir_arena_forget_blocks();
    return 0;
}

/* ---- what is a place ---- */

static void assert_place(weir_endpoint_settings_t settings, const char *name)
{
    weir_endpoint_t *endpoint = create(settings);

    assert_name(endpoint, name);
    weir_endpoint_destroy(&endpoint);
    assert_null(endpoint);
}

/* `length` times the same letter behind a slash. */
static const char *path_of(size_t length)
{
    static char path[PATH_MOST + 2];

    assert_in_range(length, 1, sizeof(path) - 1);
    memset(path, 'p', length);
    path[0] = '/';
    path[length] = '\0';
    return path;
}

static void an_endpoint_is_called_by_its_address(void **state)
{
    char label[PATH_MOST + 6];

    assert_place((weir_endpoint_settings_t){.host = "10.1.2.3", .port = 8081}, "10.1.2.3:8081");
    assert_place((weir_endpoint_settings_t){.host = "10.1.2.3", .port = 1}, "10.1.2.3:1");
    assert_place((weir_endpoint_settings_t){.host = "10.1.2.3", .port = 65535}, "10.1.2.3:65535");
    assert_place((weir_endpoint_settings_t){.host = "::1", .port = 80}, "[::1]:80");
    assert_place((weir_endpoint_settings_t){.host = "[fe80::1]", .port = 80}, "[fe80::1]:80");
    assert_place((weir_endpoint_settings_t){.host = "Shop-1.example.", .port = 80}, "Shop-1.example.:80");
    assert_place((weir_endpoint_settings_t){.path = "/run/a.sock"}, "unix:/run/a.sock");
    snprintf(label, sizeof(label), "unix:%s", path_of(PATH_MOST));
    assert_place((weir_endpoint_settings_t){.path = path_of(PATH_MOST)}, label);
}

static void or_by_its_name(void **state)
{
    assert_place((weir_endpoint_settings_t){.host = "10.1.2.3", .port = 8081, .name = "web.1"}, "web.1");
    assert_place((weir_endpoint_settings_t){.host = "shop.example", .port = 80, .name = "web 1"}, "web 1");
    assert_place((weir_endpoint_settings_t){.path = "/run/a.sock", .name = "local"}, "local");
    assert_place((weir_endpoint_settings_t){.host = "10.1.2.3", .port = 8081, .name = ""}, "10.1.2.3:8081"); /* this is none */
}

static void with_a_host_the_path_does_not_count(void **state)
{
    assert_place((weir_endpoint_settings_t){.host = "10.1.2.3", .port = 80, .path = "/run/a.sock"}, "10.1.2.3:80");
    assert_place((weir_endpoint_settings_t){.port = 80, .path = "/run/a.sock"}, "unix:/run/a.sock");
}

static void texts_are_copied(void **state)
{
    char host[] = "shop.example", name[] = "web.1";
    weir_endpoint_t *named = create((weir_endpoint_settings_t){.host = host, .port = 80, .name = name});
    weir_endpoint_t *nameless = create((weir_endpoint_settings_t){.host = host, .port = 80});

    memset(host, 'x', sizeof(host));
    memset(name, 'x', sizeof(name));
    assert_name(named, "web.1");
    assert_name(nameless, "shop.example:80");
    weir_endpoint_destroy(&named);
    weir_endpoint_destroy(&nameless);
}

/* ---- what is none ---- */

static void assert_none(weir_endpoint_settings_t settings, const char *expected)
{
    char problem[400] = "";

    settings.size = sizeof(settings);
    assert_null(weir_endpoint_create(&settings, problem, sizeof(problem)));
    assert_string_equal(problem, expected);
}

static void a_host_that_is_none_is_named(void **state)
{
    static const char *const hosts[] = {"",     " ",        "256.1.1.1", "1.2.3",   "1.2.3.04",   "a b",      "a..b", "-a",
                                        "[::1", "::1]",     "[]",        "[a]",     "[10.1.1.1]", "::1%lo",   "a:b",  "a/b",
                                        "::g",  "[::1]:80", "http://a",  "unix:/a", "a,b",        "a\r\nb: c"};
    char expected[100];

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        snprintf(expected, sizeof(expected), "`%s` and port 8081 are no place to connect to", hosts[i]);
        assert_none((weir_endpoint_settings_t){.host = hosts[i], .port = 8081, .name = "web.1"}, expected);
    }
}

static void port_0_is_none(void **state)
{
    assert_none((weir_endpoint_settings_t){.host = "10.1.2.3"}, "`10.1.2.3` and port 0 are no place to connect to");
    assert_none((weir_endpoint_settings_t){.host = "::1"}, "`::1` and port 0 are no place to connect to");
    assert_none((weir_endpoint_settings_t){.host = "shop.example"}, "`shop.example` and port 0 are no place to connect to");
    assert_none((weir_endpoint_settings_t){.host = "shop.example", .path = "/run/a.sock"},
                "`shop.example` and port 0 are no place to connect to");
}

static void a_path_that_is_none_is_named(void **state)
{
    char expected[PATH_MOST + 40];

    snprintf(expected, sizeof(expected), "`%s` is no path of a socket", path_of(PATH_MOST + 1));
    assert_none((weir_endpoint_settings_t){.path = path_of(PATH_MOST + 1)}, expected);
    assert_none((weir_endpoint_settings_t){.path = ""}, "`` is no path of a socket");
}

static void neither_is_none(void **state)
{
    assert_none((weir_endpoint_settings_t){.port = 80, .name = "web.1"}, "`` is no path of a socket");
    assert_none((weir_endpoint_settings_t){0}, "`` is no path of a socket");
}

static void the_longest_names_are_a_place(void **state)
{
    char name[256], expected[400];

    memset(name, 'n', sizeof(name));
    name[63] = name[127] = name[191] = '.';
    name[253] = '\0';
    snprintf(expected, sizeof(expected), "%s:80", name);
    assert_place((weir_endpoint_settings_t){.host = name, .port = 80}, expected);
    name[253] = 'n';
    name[254] = '\0';
    snprintf(expected, sizeof(expected), "`%s` and port 80 are no place to connect to", name);
    assert_none((weir_endpoint_settings_t){.host = name, .port = 80}, expected);
}

/* Whatever room there is: a string, and no byte behind it. */
static void a_problem_is_cut_to_its_room(void **state)
{
    static const char whole[] = "`a b` and port 7 are no place to connect to";
    const weir_endpoint_settings_t settings = {.size = sizeof(settings), .host = "a b", .port = 7};

    assert_null(weir_endpoint_create(&settings, NULL, 0));
    for (size_t room = 1; room <= sizeof(whole) + 1; room++) {
        char *problem = malloc(room);
        const size_t length = room < sizeof(whole) ? room - 1 : sizeof(whole) - 1;

        memset(problem, '#', room);
        assert_null(weir_endpoint_create(&settings, problem, room));
        assert_int_equal(strlen(problem), length);
        assert_memory_equal(problem, whole, length);
        free(problem);
    }
}

/* ---- settings of another time ---- */

/* With nothing behind `size`. */
static weir_endpoint_t *create_sized(const void *settings, size_t size)
{
    char problem[100] = "";
    weir_endpoint_settings_t *given = malloc(size);
    weir_endpoint_t *endpoint;

    memcpy(given, settings, size);
    memcpy(given, &size, sizeof(size));
    endpoint = weir_endpoint_create(given, problem, sizeof(problem));
    free(given);
    return endpoint;
}

static void older_settings_lack_what_stands_behind(void **state)
{
    static const weir_endpoint_settings_t settings = {.host = "10.1.2.3", .port = 80, .path = "/a", .name = "web.1"};
    weir_endpoint_t *endpoint = create_sized(&settings, offsetof(weir_endpoint_settings_t, protocol));

    assert_name(endpoint, "web.1");
    weir_endpoint_destroy(&endpoint);
    endpoint = create_sized(&settings, offsetof(weir_endpoint_settings_t, name));
    assert_name(endpoint, "10.1.2.3:80");
    weir_endpoint_destroy(&endpoint);
    assert_null(create_sized(&settings, offsetof(weir_endpoint_settings_t, port))); /* port 0 */
    assert_null(create_sized(&settings, offsetof(weir_endpoint_settings_t, host)));
}

static void newer_settings_are_read_as_far_as_they_are_known(void **state)
{
    static const struct {
        weir_endpoint_settings_t known;
        char unknown[64];
    } settings = {.known = {.host = "10.1.2.3", .port = 80, .name = "web.1"}, .unknown = "of a later proxy"};
    weir_endpoint_t *endpoint = create_sized(&settings, sizeof(settings));

    assert_name(endpoint, "web.1");
    weir_endpoint_destroy(&endpoint);
}

static void nothing_is_destroyed_harmlessly(void **state)
{
    weir_endpoint_t *endpoint = NULL;

    weir_endpoint_destroy(&endpoint);
    assert_null(endpoint);
}

/* ---- on a request's way ---- */

/* What a router says of one backend: as an endpoint, or word by word; and beside it. */
static weir_endpoint_settings_t said;
static const weir_endpoint_t *endpoint_of_said;
static bool says_endpoint, says_more, describes;
static void *open_question; /* it answers later */
static bool is_later;

static weir_answer_t say(weir_q_backend_t *q)
{
    if (says_more) {
        weir_backend_keepalive(q, WEIR_REUSE);
        weir_backend_target(q, WEIR_SPAN("/other"));
        weir_backend_try_timeout(q, 1234);
        weir_backend_hold_body(q, 5678);
    }
    if (says_endpoint)
        return weir_backend_at_endpoint(q, endpoint_of_said);
    if (said.name != NULL)
        weir_backend_name(q, (weir_span_t){said.name, strlen(said.name)});
    weir_backend_protocol(q, said.protocol);
    weir_backend_use_tls(q, said.tls);
    if (said.fastcgi != NULL)
        weir_backend_use_fastcgi(q, said.fastcgi);
    return said.host != NULL ? weir_backend_at(q, said.host, said.port) : weir_backend_at_path(q, said.path);
}

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    open_question = q;
    return is_later ? weir_later(q) : say(q);
}

static void describe_service(weir_shared_t *s, const weir_service_t *service, weir_description_t *description)
{
    if (describes)
        weir_describe(description, WEIR_SPAN("name"), WEIR_SPAN("described"));
}

static const weir_router_t router = {WEIR_ROUTER("placing"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                     .service_backend = backend, .describe_service = describe_service};

static void start_request(void)
{
    world_open(NULL);
    w.plan.binding.router = &router;
    world_request(GET);
}

/* Everything of the request's target, and then its end. */
static const char *end_request(char text[static DESCRIPTION_BYTES])
{
    const weir_target_t *t = &w.x->target;
    int at = snprintf(text, DESCRIPTION_BYTES, "kind %d, keepalive %d, protocol %d, port %d, path %.*s, label %.*s, ", t->kind,
                      t->keepalive, t->protocol, t->port, (int)t->path.len, t->path.len != 0 ? t->path.base : "",
                      (int)t->label.len, t->label.base);

    at += snprintf(text + at, (size_t)(DESCRIPTION_BYTES - at),
                   "fastcgi %d, name %s, tls %d, tls_name %s, try %u, hold %zu, address ", t->fastcgi != NULL,
                   t->name.base != NULL ? t->name.base : "-", t->tls == tls, t->tls_name.base != NULL ? t->tls_name.base : "-",
                   t->try_timeout_ms, t->hold_body_bytes);
    for (socklen_t i = 0; i < t->address_len; i++)
        at += snprintf(text + at, (size_t)(DESCRIPTION_BYTES - at), "%02x", ((const unsigned char *)&t->address)[i]);
    world_finish(OK_HEAD);
    return text;
}

static const char *const hosts[] = {"10.1.2.3", "::1", "[2001:db8::1]", "shop.example", "Shop-1.example.", NULL};

/* All hosts and a path, with and without a name and TLS, in every protocol. Returns false behind the last. */
static bool choose(size_t which)
{
    static const weir_fastcgi_t fastcgi = {.size = sizeof(fastcgi)};
    static char path[] = "/run/a.sock";
    const size_t place = which / 8;

    said = (weir_endpoint_settings_t){.size = sizeof(said)};
    said.name = (which & 1) != 0 ? "web.1" : NULL;
    said.tls = (which & 2) != 0 ? tls : NULL;
    said.protocol = (which & 4) == 0 ? WEIR_HTTP1 : said.tls != NULL ? WEIR_HTTP2 : WEIR_FASTCGI;
    said.fastcgi = said.protocol == WEIR_FASTCGI ? &fastcgi : NULL;
    if (place >= sizeof(hosts) / sizeof(hosts[0]))
        return false;
    said.host = hosts[place];
    said.port = said.host != NULL ? 8443 : 0;
    said.path = said.host != NULL ? NULL : path;
    return true;
}

static void assert_same(void)
{
    char word_by_word[DESCRIPTION_BYTES], at_once[DESCRIPTION_BYTES];
    weir_endpoint_t *endpoint = create(said);

    endpoint_of_said = endpoint;
    says_endpoint = false;
    start_request();
    end_request(word_by_word);
    says_endpoint = true;
    start_request();
    end_request(at_once);
    assert_string_equal(at_once, word_by_word);
    weir_endpoint_destroy(&endpoint);
}

static void an_endpoint_is_what_could_have_been_said(void **state)
{
    says_more = describes = is_later = false;
    for (size_t i = 0; choose(i); i++)
        assert_same();
}

static void what_is_said_of_one_request_stays(void **state)
{
    describes = is_later = false;
    says_more = true;
    for (size_t i = 0; choose(i); i++)
        assert_same();
    says_more = false;
}

static void a_service_may_be_described_as_well(void **state)
{
    says_more = is_later = false;
    describes = true;
    for (size_t i = 0; choose(i); i++) /* its own name is better than a description */
        assert_same();
    describes = false;
}

static weir_answer_t say_another_name(weir_q_backend_t *q)
{
    weir_backend_name(q, WEIR_SPAN("canary"));
    return say(q);
}

static void *answer(void *q)
{
    (void)say_another_name(q);
    return NULL;
}

static void assert_canary(bool elsewhere)
{
    weir_endpoint_t *endpoint = create(said);
    char text[DESCRIPTION_BYTES];
    pthread_t thread;

    endpoint_of_said = endpoint;
    says_endpoint = is_later = true;
    start_request();
    if (elsewhere) {
        assert_int_equal(pthread_create(&thread, NULL, answer, open_question), 0);
        pthread_join(thread, NULL);
    } else {
        answer(open_question);
    }
    fake_run(&w.loop);
    assert_contains(end_request(text), "label canary, ");
    is_later = false;
    weir_endpoint_destroy(&endpoint);
}

static void a_name_for_one_request_stays_on_any_thread(void **state)
{
    for (size_t i = 0; choose(i); i++) {
        assert_canary(false);
        assert_canary(true);
    }
}

static void a_protocol_that_is_none_is_refused(void **state)
{
    weir_endpoint_settings_t settings = {.size = sizeof(settings), .host = "10.1.2.3", .port = 80};
    char problem[80];

    settings.protocol = (weir_protocol_t)7;
    assert_null(weir_endpoint_create(&settings, problem, sizeof(problem)));
    assert_string_equal(problem, "7 is no protocol that this proxy knows");
    settings.protocol = WEIR_FASTCGI;
    settings.tls = tls;
    assert_null(weir_endpoint_create(&settings, problem, sizeof(problem)));
    assert_string_equal(problem, "FastCGI is not spoken over TLS");
}

static void an_endpoint_may_end_behind_its_last_request(void **state)
{
    weir_endpoint_t *endpoint;
    char text[DESCRIPTION_BYTES];

    assert_true(choose(3 * 8 + 6)); /* a name that TLS verifies */
    for (int i = 0; i < 3; i++) {
        endpoint = create(said);
        endpoint_of_said = endpoint;
        says_endpoint = true;
        start_request();
        assert_string_equal(w.loop.text, "connect shop.example:8443\nrelay\n");
        assert_contains(end_request(text), "name shop.example, tls 1, tls_name shop.example, ");
        weir_endpoint_destroy(&endpoint);
    }
}

static void no_endpoint_is_a_mistake(void **state)
{
    says_endpoint = true;
    endpoint_of_said = NULL;
    start_request();
    world_close();
    assert_int_equal(w.front.status, 500);
    assert_contains(w.front.body, "router_bad_answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_is_called_by_its_address),
        cmocka_unit_test(or_by_its_name),
        cmocka_unit_test(with_a_host_the_path_does_not_count),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(a_host_that_is_none_is_named),
        cmocka_unit_test(port_0_is_none),
        cmocka_unit_test(a_path_that_is_none_is_named),
        cmocka_unit_test(neither_is_none),
        cmocka_unit_test(the_longest_names_are_a_place),
        cmocka_unit_test(a_problem_is_cut_to_its_room),
        cmocka_unit_test(older_settings_lack_what_stands_behind),
        cmocka_unit_test(newer_settings_are_read_as_far_as_they_are_known),
        cmocka_unit_test(nothing_is_destroyed_harmlessly),
        cmocka_unit_test(an_endpoint_is_what_could_have_been_said),
        cmocka_unit_test(what_is_said_of_one_request_stays),
        cmocka_unit_test(a_service_may_be_described_as_well),
        cmocka_unit_test(a_name_for_one_request_stays_on_any_thread),
        cmocka_unit_test(a_protocol_that_is_none_is_refused),
        cmocka_unit_test(an_endpoint_may_end_behind_its_last_request),
        cmocka_unit_test(no_endpoint_is_a_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, forget_blocks);
}
