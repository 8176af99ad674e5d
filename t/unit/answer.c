/* SPDX-License-Identifier: MIT */
/* What a router says of one backend, from the loop's thread and from another: kept or left out, but never borrowed. */
#include "unit.h"

/* One thing to say; the host lies in memory that is overwritten and freed as soon as the answer has been given. */
typedef struct saying {
    const char *host;
    weir_backend_tls_t *tls;
    weir_q_backend_t *q;
} saying_t;

static saying_t saying;
static weir_answer_t (*say)(weir_q_backend_t *q); /* how it is answered; NULL: later */

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
    saying.q = q;
    return say == NULL ? weir_later(q) : say(q);
}

static const weir_router_t router = {WEIR_ROUTER("saying"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                     .service_backend = backend};

static void open_request(weir_answer_t (*how)(weir_q_backend_t *q))
{
    say = how;
    world_open(NULL);
    w.plan.binding.router = &router;
    world_request(GET);
}

/* ---- the name that TLS is to verify ---- */

static weir_answer_t say_host(weir_q_backend_t *q)
{
    size_t size = strlen(saying.host) + 1;
    char *host = malloc(size);

    assert_non_null(host);
    memcpy(host, saying.host, size);
    weir_backend_use_tls(q, saying.tls);
    weir_answer_t proof = weir_backend_at(q, host, 8443);
    memset(host, 'x', size);
    free(host);
    return proof;
}

static void *say_host_elsewhere(void *q)
{
    (void)say_host(q);
    return NULL;
}

static void assert_tls_name(const char *name)
{
    const weir_target_t *target = &w.x->target;

    assert_ptr_equal(target->tls, saying.tls);
    assert_non_null(target->tls_name.base);
    assert_int_equal(target->tls_name.len, strlen(name));
    assert_string_equal(target->tls_name.base, name); /* OpenSSL gets it as a string */
}

static const struct {
    const char *host, *name;
} hosts[] = {
    {"shop.example", "shop.example"},
    {"10.1.2.3", "10.1.2.3"},
    {"::1", "::1"},
    {"[fe80::1]", "fe80::1"},
};

static void the_name_for_tls_is_kept(void **state)
{
    char tls;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        saying = (saying_t){.host = hosts[i].host, .tls = (weir_backend_tls_t *)(void *)&tls};
        open_request(say_host);
        assert_tls_name(hosts[i].name);
        world_finish(OK_HEAD);
    }
}

static void the_name_for_tls_is_kept_from_another_thread(void **state)
{
    char tls;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        pthread_t thread;

        saying = (saying_t){.host = hosts[i].host, .tls = (weir_backend_tls_t *)(void *)&tls};
        open_request(NULL);
        assert_int_equal(w.x->target.kind, WEIR_TARGET_NONE);
        assert_int_equal(pthread_create(&thread, NULL, say_host_elsewhere, saying.q), 0);
        pthread_join(thread, NULL);
        fake_run(&w.loop);
        assert_tls_name(hosts[i].name);
        world_finish(OK_HEAD);
    }
}

static void without_tls_there_is_no_name_for_it(void **state)
{
    saying = (saying_t){.host = "shop.example"};
    open_request(say_host);
    assert_int_equal(w.x->target.kind, WEIR_TARGET_NAME);
    assert_null(w.x->target.tls);
    assert_null(w.x->target.tls_name.base);
    world_finish(OK_HEAD);
}

/* ---- keepalive ---- */

static weir_keepalive_t first_keepalive;
static int second_keepalive;

static weir_answer_t say_keepalive(weir_q_backend_t *q)
{
    weir_backend_keepalive(q, first_keepalive);
    weir_backend_keepalive(q, (weir_keepalive_t)second_keepalive);
    return weir_backend_at(q, "127.0.0.1", 8081);
}

static void assert_keepalive(weir_keepalive_t first, int second, weir_keepalive_t expected)
{
    first_keepalive = first;
    second_keepalive = second;
    open_request(say_keepalive);
    assert_int_equal(w.x->target.keepalive, expected);
    world_finish(OK_HEAD);
}

static void a_keepalive_that_is_none_is_not_taken(void **state)
{
    static const int wrong[] = {3, 4, 127, 128, 255, 256, 257, 258, 0x7fffffff, -1, -254};

    assert_keepalive(WEIR_CLOSE, WEIR_FRESH, WEIR_FRESH);
    assert_keepalive(WEIR_FRESH, WEIR_REUSE, WEIR_REUSE);
    assert_keepalive(WEIR_REUSE, WEIR_CLOSE, WEIR_CLOSE);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_keepalive(WEIR_CLOSE, wrong[i], WEIR_CLOSE);
        assert_keepalive(WEIR_REUSE, wrong[i], WEIR_REUSE);
        assert_keepalive(WEIR_FRESH, wrong[i], WEIR_FRESH);
    }
}

/* ---- too late ---- */

static weir_answer_t say_more_afterwards(weir_q_backend_t *q)
{
    static char tls;
    weir_answer_t proof = weir_backend_at(q, "127.0.0.1", 8081);

    weir_backend_keepalive(q, WEIR_REUSE);
    weir_backend_protocol(q, WEIR_HTTP2);
    weir_backend_use_tls(q, (weir_backend_tls_t *)(void *)&tls);
    weir_backend_use_fastcgi(q, NULL);
    weir_backend_name(q, WEIR_SPAN("web.1"));
    weir_backend_target(q, WEIR_SPAN("/other"));
    return proof;
}

static void what_is_said_behind_the_answer_is_left_out(void **state)
{
    open_request(say_more_afterwards);
    assert_int_equal(w.x->target.keepalive, WEIR_CLOSE);
    assert_int_equal(w.x->target.protocol, WEIR_HTTP1);
    assert_null(w.x->target.tls);
    assert_null(w.x->target.path.base);
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\n");
    world_finish(OK_HEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_for_tls_is_kept),
        cmocka_unit_test(the_name_for_tls_is_kept_from_another_thread),
        cmocka_unit_test(without_tls_there_is_no_name_for_it),
        cmocka_unit_test(a_keepalive_that_is_none_is_not_taken),
        cmocka_unit_test(what_is_said_behind_the_answer_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
