/* SPDX-License-Identifier: MIT */
/* Questions: answered now, later, twice, never, too late, wrongly, and by another thread. */
#include "unit.h"

static void finish_well(void)
{
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
    assert_int_equal(w.script.terminates, 1);
    assert_null(w.script.last_fault);
    world_close();
}

static void answers_later(void **state)
{
    for (int kind = 0; kind < FAKE_CHECKIN; kind++) {
        world_open(NULL);
        w.script.how[kind] = FAKE_LATER;
        world_request(GET);
        assert_int_equal(w.script.asked[kind], 1);
        if (kind < FAKE_BACKEND)
            assert_int_equal(w.script.asked[kind + 1], 0);
        assert_true(fake_answer(&w.script));
        if (kind < FAKE_BACKEND)
            assert_int_equal(w.script.asked[kind + 1], 0); /* never on the answer's stack */
        fake_run(&w.loop);
        finish_well();
    }
}

static void second_answers_are_ignored(void **state)
{
    for (int kind = 0; kind < FAKE_CHECKIN; kind++) {
        world_open(NULL);
        w.script.how[kind] = FAKE_TWICE;
        world_request(GET);
        finish_well();
    }
}

static void *answer_elsewhere(void *script)
{
    fake_answer(script);
    return NULL;
}

static void answers_from_another_thread(void **state)
{
    for (int kind = 0; kind < FAKE_CHECKIN; kind++) {
        pthread_t thread;

        world_open(NULL);
        w.script.how[kind] = FAKE_LATER;
        w.script.name = "web.1";
        w.script.target = "/elsewhere";
        world_request(GET);
        assert_int_equal(pthread_create(&thread, NULL, answer_elsewhere, &w.script), 0);
        pthread_join(thread, NULL);
        fake_run(&w.loop);
        assert_true(weir_span_equal(w.x->target.label, WEIR_SPAN("web.1")));
        assert_memory_equal(w.loop.backend_head, "GET /elsewhere HTTP/1.1", 23);
        finish_well();
    }
}

static void a_page_from_another_thread(void **state)
{
    pthread_t thread;

    world_open(NULL);
    w.script.how[FAKE_PAGE] = FAKE_LATER;
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    w.script.page_status = 410;
    w.script.page_body = "gone";
    world_request(GET);
    assert_int_equal(pthread_create(&thread, NULL, answer_elsewhere, &w.script), 0);
    pthread_join(thread, NULL);
    fake_run(&w.loop);
    assert_int_equal(w.front.status, 410);
    assert_string_equal(w.front.body, "gone");
    assert_string_equal(w.front.head, "X-Page: yes\nX-Request-Id: 00010203-0405-4607-8809-0a0b0c0d0e0f\n");
    world_close();
}

/* An answer that comes in the very moment: its letter lies in the mailbox when the router's time is up. */
static void an_answer_that_races_the_timer_wins(void **state)
{
    for (int kind = 0; kind < FAKE_CHECKIN; kind++) {
        pthread_t thread;

        world_open(NULL);
        w.script.how[kind] = FAKE_LATER;
        world_request(GET);
        fake_advance(&w.loop, 4999);
        assert_int_equal(pthread_create(&thread, NULL, answer_elsewhere, &w.script), 0);
        pthread_join(thread, NULL);
        fake_advance_past_letters(&w.loop, 1);
        assert_int_equal(w.front.status, 0);
        fake_run(&w.loop);
        assert_int_equal(w.front.status, 0);
        finish_well();
    }
}

static void a_page_that_races_the_timer_wins(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_PAGE] = FAKE_LATER;
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    w.script.page_status = 410;
    w.script.page_body = "gone";
    world_request(GET);
    fake_advance(&w.loop, 4999);
    fake_answer(&w.script);
    fake_advance_past_letters(&w.loop, 1);
    assert_int_equal(w.front.status, 0);
    fake_run(&w.loop);
    assert_int_equal(w.front.status, 410);
    assert_string_equal(w.front.body, "gone");
    world_close();
}

/* The client gets its 503; the question stays open; whatever is picked at last is checked in. */
static void answers_too_late(void **state)
{
    for (int kind = 0; kind < FAKE_CHECKIN; kind++) {
        world_open(NULL);
        w.script.how[kind] = FAKE_LATER;
        world_request(GET);
        fake_advance(&w.loop, 4999);
        assert_int_equal(w.front.status, 0);
        fake_advance(&w.loop, 1);
        assert_int_equal(w.front.status, 503);
        assert_contains(w.front.body, "router_timeout: ");
        assert_int_equal(w.script.asked[FAKE_PAGE], 0);
        assert_int_equal(w.script.terminates, 0);
        fake_advance(&w.loop, 100000);
        assert_int_equal(weir_exchange_count(), 1);
        assert_true(fake_answer(&w.script));
        fake_run(&w.loop);
        assert_int_equal(w.script.terminates, 1);
        assert_ptr_equal(w.script.last_fault, &weir_fault_router_timeout);
        assert_int_equal(w.script.checkins, kind >= FAKE_CHECKOUT);
        assert_int_equal(w.script.phase, kind >= FAKE_CHECKOUT ? WEIR_CHECKOUT : WEIR_LOOKUP);
        world_close();
    }
}

static void a_late_refusal_is_dropped(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.refuses[FAKE_CHECKOUT] = true;
    w.script.fault[FAKE_CHECKOUT] = &fake_fault;
    world_request(GET);
    fake_advance(&w.loop, 5000);
    fake_answer(&w.script);
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, &weir_fault_router_timeout);
    assert_int_equal(w.script.empty_checkins, 1);
    world_close();
}

static void a_slow_page_becomes_the_default_one(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_PAGE] = FAKE_LATER;
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request(GET);
    fake_advance(&w.loop, 5000);
    assert_int_equal(w.front.status, 404);
    assert_string_equal(w.front.body, "404 Not Found\nfake_fault: It was scripted.\n");
    assert_string_equal(w.front.head,
                        "Content-Type: text/plain; charset=utf-8\nX-Request-Id: 00010203-0405-4607-8809-0a0b0c0d0e0f\n");
    fake_answer(&w.script);
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, &fake_fault);
    world_close();
}

static void a_slow_checkin_is_awaited(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKIN] = FAKE_LATER;
    world_request(GET);
    fake_respond(w.x, OK_HEAD);
    fake_relay_end(w.x, NULL);
    fake_advance(&w.loop, 60000);
    assert_int_equal(weir_exchange_count(), 1);
    assert_int_equal(w.script.terminates, 0);
    fake_answer(&w.script);
    fake_run(&w.loop);
    assert_int_equal(w.script.terminates, 1);
    world_close();
}

static void a_forgotten_answer_is_a_fault(void **state)
{
    for (int kind = 0; kind < FAKE_CHECKIN; kind++) {
        world_open(NULL);
        w.script.how[kind] = FAKE_FORGET;
        world_request(GET);
        assert_int_equal(w.front.status, 500);
        assert_ptr_equal(w.script.last_fault, &weir_fault_router_bad_answer);
        world_close();
    }
}

static void bad_answers(void **state)
{
    static const char *const domains[] = {"", "a b", "a\r\nb: c", "http://a", "a/b"};

    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        world_open(NULL);
        w.script.redirect = domains[i];
        world_request(GET);
        assert_int_equal(w.front.status, 500);
        world_close();
    }
    for (int kind = 0; kind < FAKE_BACKEND; kind++) {
        world_open(NULL);
        w.script.refuses[kind] = true; /* with NULL */
        world_request(GET);
        assert_ptr_equal(w.script.last_fault, &weir_fault_router_bad_answer);
        world_close();
    }
}

static void a_service_may_be_null(void **state)
{
    world_open(NULL);
    w.script.has_no_service = true;
    world_request(GET);
    assert_true(w.x->has_service);
    assert_null(w.x->service);
    finish_well();
}

/* ---- a router of required members only; where a service lives ---- */

static const char *host;
static uint16_t port;
static const char *path;

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    return port == 9 ? weir_checkout_refuse(q, &fake_fault) : weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    return path != NULL ? weir_backend_at_path(q, path) : weir_backend_at(q, host, port);
}

static const weir_router_t smallest = {WEIR_ROUTER("smallest"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                       .service_backend = backend};

static void the_smallest_router(void **state)
{
    world_open(NULL);
    w.plan.binding.router = &smallest;
    host = "127.0.0.1";
    port = 9;
    world_request(GET);
    assert_int_equal(w.front.status, 404);
    assert_string_equal(w.front.body, "404 Not Found\nfake_fault: It was scripted.\n");
    world_close();
}

static void assert_target(weir_target_kind_t kind, int family, const char *label)
{
    world_open(NULL);
    w.plan.binding.router = &smallest;
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    weir_exchange_start(w.x);
    assert_int_equal(w.x->target.kind, kind);
    if (kind == WEIR_TARGET_ADDRESS)
        assert_int_equal(w.x->target.address.any.sa_family, family);
    if (w.x->target.label.len != strlen(label) || memcmp(w.x->target.label.base, label, strlen(label)) != 0)
        fail_msg("%.*s instead of %s", (int)w.x->target.label.len, w.x->target.label.base, label);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    fake_loop_finish(&w.loop);
}

static void reads_targets(void **state)
{
    path = NULL;
    port = 8081;
    host = "127.0.0.1";
    assert_target(WEIR_TARGET_ADDRESS, AF_INET, "127.0.0.1:8081");
    host = "::1";
    assert_target(WEIR_TARGET_ADDRESS, AF_INET6, "[::1]:8081");
    host = "[fe80::1]";
    assert_target(WEIR_TARGET_ADDRESS, AF_INET6, "[fe80::1]:8081");
    host = "Backend-1.internal.";
    assert_target(WEIR_TARGET_NAME, 0, "Backend-1.internal.:8081");
    host = "9lives.example";
    assert_target(WEIR_TARGET_NAME, 0, "9lives.example:8081");
    path = "/run/a.sock";
    assert_target(WEIR_TARGET_ADDRESS, AF_UNIX, "unix:/run/a.sock");
    path = NULL;
}

/* A name of labels of these lengths, ended by 0. */
static const char *name_of(const size_t *lengths)
{
    static char name[300];
    char *at = name;

    for (; *lengths != 0; lengths++) {
        if (at != name)
            *at++ = '.';
        memset(at, 'a', *lengths);
        at += *lengths;
    }
    *at = '\0';
    return name;
}

static void assert_takes(const char *name, size_t length)
{
    char label[320];

    assert_int_equal(strlen(name), length);
    snprintf(label, sizeof(label), "%s:8081", name);
    host = name;
    assert_target(WEIR_TARGET_NAME, 0, label);
}

/* RFC 1035 §2.3.4, §3.1: 63 bytes a label, and 255 on the wire for all of it, which are 253 as it is written. */
static void takes_the_longest_names(void **state)
{
    path = NULL;
    port = 8081;
    assert_takes(name_of((size_t[]){63, 0}), 63);
    assert_takes(name_of((size_t[]){1, 63, 1, 0}), 67);
    assert_takes(name_of((size_t[]){1, 63, 0}), 65);
    assert_takes(name_of((size_t[]){63, 63, 63, 61, 0}), 253);
}

/* ---- what a router may say of one backend ---- */

static weir_span_t asked_target;

static weir_answer_t backend_with_target(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    weir_backend_target(q, asked_target);
    return weir_backend_at(q, "127.0.0.1", 8081);
}

static weir_span_t seen_before, seen_after;

static void change_headers(weir_state_t *s, const weir_request_t *r, weir_way_t way, weir_header_sink_t *sink)
{
    if (way == WEIR_TO_CLIENT)
        return;
    seen_before = weir_header_get(sink, WEIR_SPAN("x-a"));
    weir_header_add(sink, WEIR_SPAN("X-A"), WEIR_SPAN("2"));
    weir_header_add(sink, WEIR_SPAN("Content-Length"), WEIR_SPAN("2"));
    weir_header_add(sink, WEIR_SPAN("X-C"), WEIR_SPAN("a\r\nb: c"));
    weir_header_unset(sink, WEIR_SPAN("x-b"));
    weir_header_unset(sink, WEIR_SPAN("Connection"));
    seen_after = weir_header_get(sink, WEIR_SPAN("X-B"));
}

static const weir_router_t targeting = {WEIR_ROUTER("targeting"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                        .service_backend = backend_with_target, .additional_headers = change_headers};

static void assert_asks_for(weir_span_t target, const char *line)
{
    port = 8081;
    asked_target = target;
    world_open(NULL);
    w.plan.binding.router = &targeting;
    world_request("GET /own?q HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 1\r\n\r\n");
    assert_memory_equal(w.loop.backend_head, line, strlen(line));
    assert_non_null(strstr(w.loop.backend_head, "\r\nX-A: 1\r\n"));
    assert_non_null(strstr(w.loop.backend_head, "\r\nX-A: 2\r\n"));
    assert_null(strstr(w.loop.backend_head, "X-B"));
    assert_null(strstr(w.loop.backend_head, "X-C"));
    assert_null(strstr(w.loop.backend_head, "Content-Length"));
    assert_memory_equal(seen_before.base, "1", 1);
    assert_null(seen_after.base);
    world_finish(OK_HEAD);
}

static void other_targets_and_headers(void **state)
{
    assert_asks_for(WEIR_SPAN("/other?x"), "GET /other?x HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN(""), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("other"), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("/a b"), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("/a\r\nX: y"), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for((weir_span_t){"/a\0b", 4}, "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("/a\x1f"), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("/a\x7f"), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("/a\x7f/b"), "GET /own?q HTTP/1.1\r\n");
    assert_asks_for(WEIR_SPAN("/!~\x80\xff"), "GET /!~\x80\xff HTTP/1.1\r\n");
}

/* The smallest router picks the same place again and again; this one once. */
static unsigned picks_left;

static weir_answer_t checkout_once(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    return picks_left-- == 0 ? weir_checkout_refuse(q, &fake_fault) : weir_checkout_pick(q, NULL);
}

static const weir_fault_t *connect_fault;

static weir_answer_t checkin(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_checkin_t *q)
{
    if (weir_checkin_phase(q) == WEIR_CONNECTING)
        connect_fault = weir_checkin_fault(q);
    return weir_checkin_done(q);
}

static const weir_router_t once = {WEIR_ROUTER("once"), .lookup_domain_name = lookup, .checkout_service = checkout_once,
                                   .service_backend = backend, .checkin_service = checkin};

static void assert_broken(const char *a_host, uint16_t a_port, const char *a_path)
{
    host = a_host;
    port = a_port;
    path = a_path;
    picks_left = 1;
    connect_fault = NULL;
    world_open(NULL);
    w.plan.binding.router = &once;
    world_request(GET);
    assert_ptr_equal(connect_fault, &weir_fault_backend_bad_address);
    assert_int_equal(w.front.status, 404);
    fake_loop_finish(&w.loop);
}

static void refuses_broken_targets(void **state)
{
    static char long_name[260], long_path[120];

    memset(long_name, 'a', sizeof(long_name) - 1);
    memset(long_path, 'b', sizeof(long_path) - 1);
    assert_broken(NULL, 80, NULL);
    assert_broken("", 80, NULL);
    assert_broken("127.0.0.1", 0, NULL);
    assert_broken("256.1.1.1", 80, NULL);
    assert_broken("1.2.3", 80, NULL);
    assert_broken("1.2.3.", 80, NULL);
    assert_broken("1.2.3.4.5", 80, NULL);
    assert_broken("1..3.4", 80, NULL);
    assert_broken("1.2.3.04", 80, NULL);
    assert_broken("1.2.3.256", 80, NULL);
    assert_broken("1.2.3.1234", 80, NULL);
    assert_broken("a b", 80, NULL);
    assert_broken("a..b", 80, NULL);
    assert_broken("-a", 80, NULL);
    assert_broken("a:b", 80, NULL);
    assert_broken("[::1", 80, NULL);
    assert_broken("[a]", 80, NULL);
    assert_broken("[127.0.0.1]", 80, NULL);
    assert_broken("::1%lo", 80, NULL);
    assert_broken(long_name, 80, NULL);
    assert_broken(name_of((size_t[]){64, 0}), 80, NULL);
    assert_broken(name_of((size_t[]){1, 64, 1, 0}), 80, NULL);
    assert_broken(name_of((size_t[]){1, 64, 0}), 80, NULL);
    assert_broken(name_of((size_t[]){63, 63, 63, 62, 0}), 80, NULL); /* 254 bytes, no label of them too long */
    assert_broken(NULL, 0, "");
    assert_broken(NULL, 0, long_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_later),
        cmocka_unit_test(second_answers_are_ignored),
        cmocka_unit_test(answers_from_another_thread),
        cmocka_unit_test(a_page_from_another_thread),
        cmocka_unit_test(an_answer_that_races_the_timer_wins),
        cmocka_unit_test(a_page_that_races_the_timer_wins),
        cmocka_unit_test(answers_too_late),
        cmocka_unit_test(a_late_refusal_is_dropped),
        cmocka_unit_test(a_slow_page_becomes_the_default_one),
        cmocka_unit_test(a_slow_checkin_is_awaited),
        cmocka_unit_test(a_forgotten_answer_is_a_fault),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(a_service_may_be_null),
        cmocka_unit_test(the_smallest_router),
        cmocka_unit_test(reads_targets),
        cmocka_unit_test(takes_the_longest_names),
        cmocka_unit_test(other_targets_and_headers),
        cmocka_unit_test(refuses_broken_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
