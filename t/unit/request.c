/* SPDX-License-Identifier: MIT */
/* What a router may ask of its request: clocks, dice, shares, cookies, and what has become of it so far. */
#include "lib/walk/exchange.h"
#include "unit.h"

static void assert_span(weir_span_t actual, const char *expected)
{
    if (!weir_span_is(actual, expected))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

/* A request that waits for its lookup. */
static const weir_request_t *open_request(const char *head)
{
    world_open(NULL);
    w.script.how[FAKE_LOOKUP] = FAKE_LATER;
    world_request(head);
    return weir_exchange_request(w.x);
}

static void end_request(void)
{
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    assert_true(fake_answer(&w.script));
    world_close();
}

/* ---- clocks ---- */

static void clocks_are_cut_to_their_unit(void **state)
{
    const weir_request_t *request = open_request(GET);

    assert_true(weir_now_us(request) == 1000000);
    assert_true(weir_now_ms(request) == 1000);
    assert_true(weir_wall_ms(request) == 1700000000000);
    w.loop.now_us = 1234999;
    w.loop.wall_us = 1700000000123999;
    assert_true(weir_now_us(request) == 1234999);
    assert_true(weir_now_ms(request) == 1234);
    assert_true(weir_wall_ms(request) == 1700000000123);
    w.loop.now_us = 1235000;
    w.loop.wall_us = 1700000000124000;
    assert_true(weir_now_ms(request) == 1235);
    assert_true(weir_wall_ms(request) == 1700000000124);
    end_request();
}

static void time_passes_for_all_of_them(void **state)
{
    const weir_request_t *request = open_request(GET);

    fake_advance(&w.loop, 250);
    assert_true(weir_now_us(request) == 1250000);
    assert_true(weir_now_ms(request) == 1250);
    assert_true(weir_wall_ms(request) == 1700000000250);
    end_request();
}

/* ---- dice ---- */

enum { THROWS = 1000 };

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void no_two_throws_are_the_same(void **state)
{
    const weir_request_t *request = open_request(GET);
    uint64_t throws[THROWS], ones = 0, zeros = 0;

    for (size_t i = 0; i < THROWS; i++) {
        throws[i] = weir_random(request);
        ones |= throws[i];
        zeros |= ~throws[i];
    }
    qsort(throws, THROWS, sizeof(throws[0]), by_value);
    for (size_t i = 1; i < THROWS; i++)
        assert_true(throws[i - 1] != throws[i]);
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX); /* every bit of the 64 falls both ways */
    end_request();
}

/* Two exchanges of one loop; neither has begun its walk. */
static void create_two(weir_exchange_t **one, weir_exchange_t **other)
{
    static weir_front_t fronts[2];

    world_open(NULL);
    *one = fake_exchange(&w.loop, &w.plan, &fronts[0], GET);
    *other = fake_exchange(&w.loop, &w.plan, &fronts[1], GET);
}

static void end_two(weir_exchange_t *one, weir_exchange_t *other)
{
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    weir_exchange_start(one);
    fake_run(&w.loop);
    w.script.logs = w.script.terminates = 0; /* the script is for one request */
    weir_exchange_start(other);
    world_close();
}

static void each_request_has_dice_of_its_own(void **state)
{
    weir_exchange_t *one, *other;
    uint64_t alone[4], others[4];

    create_two(&one, &other);
    for (size_t i = 0; i < 4; i++)
        alone[i] = weir_random(&one->request);
    for (size_t i = 0; i < 4; i++)
        others[i] = weir_random(&other->request);
    for (size_t i = 0; i < 16; i++)
        assert_true(alone[i / 4] != others[i % 4]);
    end_two(one, other);

    create_two(&one, &other); /* the loop's dice fall as before; this time both throw by turns */
    for (size_t i = 0; i < 4; i++) {
        assert_true(weir_random(&one->request) == alone[i]);
        assert_true(weir_random(&other->request) == others[i]);
    }
    end_two(one, other);
}

static void one_seed_is_all_that_a_request_takes(void **state)
{
    const weir_request_t *request = open_request(GET);
    const uint8_t before = w.loop.dice;

    (void)weir_random(request);
    assert_int_equal((uint8_t)(w.loop.dice - before), sizeof(uint64_t));
    for (size_t i = 0; i < 100; i++)
        (void)weir_random(request);
    assert_int_equal((uint8_t)(w.loop.dice - before), sizeof(uint64_t));
    end_request();
}

/* What others have printed of SplitMix64. A recorded seed must bring the same values in years to come. */
static void a_seed_says_what_follows(void **state)
{
    static const uint64_t of_0[] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec},
                          of_1234567[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                          4593380528125082431u, 16408922859458223821u};
    const weir_request_t *request = open_request(GET);

    w.x->has_dice = true;
    w.x->dice = 0;
    for (size_t i = 0; i < sizeof(of_0) / sizeof(of_0[0]); i++)
        assert_true(weir_random(request) == of_0[i]);
    w.x->dice = 1234567;
    for (size_t i = 0; i < sizeof(of_1234567) / sizeof(of_1234567[0]); i++)
        assert_true(weir_random(request) == of_1234567[i]);
    end_request();
}

static void the_seed_is_thrown_by_the_loop(void **state)
{
    const weir_request_t *request = open_request(GET);
    uint64_t expected;

    for (size_t i = 0; i < sizeof(expected); i++)
        ((uint8_t *)&expected)[i] = (uint8_t)(w.loop.dice + i);
    expected += 0x9e3779b97f4a7c15; /* the first step of the stream */
    (void)weir_random(request);
    assert_true(w.x->dice == expected);
    end_request();
}

/* ---- shares ---- */

enum { IDS = 10000, SIDES = 16, FEWEST = 500, MOST = 750 }; /* 625 are expected, give or take 24 */

static void a_hash_is_the_same_on_each_machine(void **state)
{
    const weir_request_t *request = open_request(GET);

    w.x->request.id = WEIR_SPAN("01234567-89ab-4cde-8f01-23456789abcd");
    assert_true(weir_request_hash(request, 0) == 0x0cc92061c0c606b7);
    assert_true(weir_request_hash(request, 1) == 0x9290d5cfa15a7acb);
    assert_true(weir_request_hash(request, 2) == 0x5fef29218feaef50);
    assert_true(weir_request_hash(request, UINT64_MAX) == 0xc9f5f1674b9b24aa);
    assert_true(weir_request_hash(request, 0) == 0x0cc92061c0c606b7);
    end_request();
}

static void a_hash_is_the_ids_and_the_seeds_alone(void **state)
{
    const weir_request_t *request;
    uint64_t hash;

    request = open_request("GET /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: 0123456789abcdefghij\r\n\r\n");
    assert_span(weir_request_id(request), "0123456789abcdefghij");
    hash = weir_request_hash(request, 7);
    (void)weir_random(request);
    fake_advance(&w.loop, 1);
    assert_true(weir_request_hash(request, 7) == hash);
    end_request();

    request = open_request("POST /b HTTP/1.0\r\nHost: b\r\nCookie: c=1\r\nX-Request-Id: 0123456789abcdefghij\r\n\r\n");
    assert_true(weir_request_hash(request, 7) == hash);
    assert_true(weir_request_hash(request, 8) != hash);
    end_request();

    request = open_request("GET /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: 0123456789abcdefghik\r\n\r\n");
    assert_true(weir_request_hash(request, 7) != hash);
    end_request();
}

static void assert_even(const unsigned sides[static SIDES])
{
    for (size_t i = 0; i < SIDES; i++)
        assert_in_range(sides[i], FEWEST, MOST);
}

/* By its lowest and by its highest bits; and two shares of different seeds have nothing to do with each other. */
static void ids_fall_evenly_on_all_sides(void **state)
{
    const weir_request_t *request = open_request(GET);
    unsigned low[SIDES] = {0}, high[SIDES] = {0}, of_another_seed[SIDES] = {0}, both = 0;
    char id[40];

    for (unsigned i = 0; i < IDS; i++) {
        int length = snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012x", i);
        uint64_t hash, another;

        w.x->request.id = (weir_span_t){id, (size_t)length};
        hash = weir_request_hash(request, 0);
        another = weir_request_hash(request, 1);
        low[hash % SIDES]++;
        high[hash >> 60]++;
        of_another_seed[another % SIDES]++;
        both += hash % SIDES == another % SIDES;
    }
    w.x->request.id = WEIR_SPAN("");
    assert_even(low);
    assert_even(high);
    assert_even(of_another_seed);
    assert_in_range(both, FEWEST, MOST);
    end_request();
}

/* ---- cookies ---- */

static void assert_cookie(const char *headers, const char *name, const char *value)
{
    char head[400];
    weir_span_t found;

    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    found = weir_request_cookie(open_request(head), (weir_span_t){name, strlen(name)});
    if (value == NULL)
        assert_null(found.base);
    else
        assert_span(found, value);
    end_request();
}

static void cookies_stand_in_all_cookie_headers(void **state)
{
    assert_cookie("Cookie: a=1; b=2\r\n", "a", "1");
    assert_cookie("Cookie: a=1; b=2\r\n", "b", "2");
    assert_cookie("Cookie: a=1\r\nX-A: x\r\ncookie: b=2\r\nCOOKIE: c=\"3\"; d\r\n", "a", "1");
    assert_cookie("Cookie: a=1\r\nX-A: x\r\ncookie: b=2\r\nCOOKIE: c=\"3\"; d\r\n", "b", "2");
    assert_cookie("Cookie: a=1\r\nX-A: x\r\ncookie: b=2\r\nCOOKIE: c=\"3\"; d\r\n", "c", "3");
    assert_cookie("Cookie: a=1\r\nX-A: x\r\ncookie: b=2\r\nCOOKIE: c=\"3\"; d\r\n", "d", NULL);
}

static void the_first_cookie_of_a_name_counts(void **state)
{
    assert_cookie("Cookie: a=1\r\nCookie: a=2\r\n", "a", "1");
    assert_cookie("Cookie: b=1\r\nCookie: a=2; a=3\r\n", "a", "2");
    assert_cookie("Cookie: a=\r\nCookie: a=2\r\n", "a", ""); /* an empty one is there */
    assert_cookie("Cookie: a\r\nCookie: a=2\r\n", "a", "2"); /* this is none */
}

static void other_headers_hold_no_cookies(void **state)
{
    assert_cookie("", "a", NULL);
    assert_cookie("Cookie: \r\n", "a", NULL);
    assert_cookie("Cookie:\r\nCookie: a=1\r\n", "a", "1");
    assert_cookie("Set-Cookie: a=1\r\nX-Cookie: a=2\r\nCookie2: a=3\r\nCooki: a=4\r\n", "a", NULL);
}

/* ---- what has become of it ---- */

struct weir_group {
    const char *name;
};

static weir_group_t shop = {"shop"};
static const char *app;     /* what lookup calls it; NULL: nothing */
static bool refuses_lookup; /* in place of finding shop            */
static unsigned services;   /* how many checkout has left          */
static unsigned retries;    /* how many are wanted                 */
static char diary[2000];
static const weir_shared_t *shared;

static void write_down(const char *callback, const weir_request_t *r)
{
    const size_t length = strlen(diary);
    const weir_group_t *group = weir_request_group(r);
    const weir_span_t name = weir_request_app(r);

    snprintf(diary + length, sizeof(diary) - length, "%s %s %.*s %u\n", callback, group == NULL ? "-" : group->name,
             name.base == NULL ? 1 : (int)name.len, name.base == NULL ? "-" : name.base, weir_request_backend_status(r));
    assert_ptr_equal(weir_request_shared(r), shared);
}

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    write_down("lookup", r);
    if (app != NULL)
        weir_lookup_name(q, (weir_span_t){app, strlen(app)});
    return refuses_lookup ? weir_lookup_refuse(q, &fake_fault) : weir_lookup_found(q, &shop);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    write_down("checkout", r);
    return services-- == 0 ? weir_checkout_refuse(q, &fake_exhausted) : weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    write_down("backend", r);
    return weir_backend_at(q, "127.0.0.1", 8081);
}

static weir_answer_t page(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_q_page_t *q)
{
    write_down("page", r);
    return weir_page_send(q);
}

static void answered(weir_state_t *s, const weir_request_t *r, weir_service_t *service, const weir_attempt_t *attempt)
{
    write_down("answered", r);
}

static bool retry(weir_state_t *s, const weir_request_t *r, weir_service_t *service, const weir_fault_t *fault,
                  const weir_attempt_t *attempt)
{
    write_down("retry", r);
    return retries-- != 0;
}

static void terminate(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault)
{
    write_down("terminate", r);
}

static const weir_router_t watcher = {
    WEIR_ROUTER("watcher"), .lookup_domain_name = lookup, .checkout_service = checkout, .service_backend = backend,
    .error_page = page,     .answered = answered,         .retry_request = retry,       .terminate = terminate,
};

static void open_watched(unsigned how_many)
{
    diary[0] = '\0';
    app = NULL;
    refuses_lookup = false;
    services = how_many;
    retries = 0;
    world_open(NULL);
    w.plan.binding.router = &watcher;
    shared = w.plan.binding.shared;
}

static void a_lookup_names_group_and_app(void **state)
{
    open_watched(1);
    app = "the shop";
    world_request(GET);
    world_finish(OK_HEAD);
    assert_string_equal(diary, "lookup - - 0\n"
                               "checkout shop the shop 0\n"
                               "backend shop the shop 0\n"
                               "answered shop the shop 200\n"
                               "terminate shop the shop 200\n");
}

static void an_app_needs_no_name(void **state)
{
    open_watched(1);
    world_request(GET);
    world_finish("HTTP/1.1 204 No Content\r\n\r\n");
    assert_string_equal(diary, "lookup - - 0\n"
                               "checkout shop - 0\n"
                               "backend shop - 0\n"
                               "answered shop - 204\n"
                               "terminate shop - 204\n");
}

static void a_lookup_that_refuses_names_nothing(void **state)
{
    open_watched(1);
    app = "the shop";
    refuses_lookup = true;
    world_request(GET);
    world_close();
    assert_string_equal(diary, "lookup - - 0\n"
                               "page - - 0\n"
                               "terminate - - 0\n");
}

static void an_instance_may_have_no_data(void **state)
{
    open_watched(0);
    w.plan.binding.shared = NULL;
    shared = NULL;
    world_request(GET);
    world_close();
    assert_string_equal(diary, "lookup - - 0\ncheckout shop - 0\npage shop - 0\nterminate shop - 0\n");
}

static void an_interim_status_is_not_the_backends(void **state)
{
    open_watched(1);
    world_request(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"));
    assert_int_equal(weir_request_backend_status(&w.x->request), 0);
    world_finish("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    assert_contains(diary, "terminate shop - 500\n");
}

static void a_switch_of_protocols_is(void **state)
{
    open_watched(1);
    world_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n");
    world_finish("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n");
    assert_contains(diary, "answered shop - 101\nterminate shop - 101\n");
}

static void the_status_stays_where_a_page_took_its_place(void **state)
{
    open_watched(1);
    retries = 1;
    world_request(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"));
    world_close();
    assert_int_equal(w.front.status, 503);
    assert_contains(diary,
                    "answered shop - 502\nretry shop - 502\ncheckout shop - 502\npage shop - 502\nterminate shop - 502\n");
}

static void the_latest_response_counts(void **state)
{
    open_watched(2);
    retries = 1;
    world_request(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"));
    fake_run(&w.loop);
    world_finish(OK_HEAD);
    assert_contains(diary, "retry shop - 502\n");
    assert_contains(diary, "answered shop - 200\nterminate shop - 200\n");
}

static void it_outlives_an_attempt_without_one(void **state)
{
    open_watched(2);
    retries = 1;
    w.loop.connects[1].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 2;
    world_request(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"));
    world_close();
    assert_contains(diary, "terminate shop - 502\n");
}

static void no_response_no_status(void **state)
{
    open_watched(1);
    world_request(GET);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_closed));
    world_close();
    assert_contains(diary, "retry shop - 0\npage shop - 0\nterminate shop - 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_cut_to_their_unit),
        cmocka_unit_test(time_passes_for_all_of_them),
        cmocka_unit_test(no_two_throws_are_the_same),
        cmocka_unit_test(each_request_has_dice_of_its_own),
        cmocka_unit_test(one_seed_is_all_that_a_request_takes),
        cmocka_unit_test(a_seed_says_what_follows),
        cmocka_unit_test(the_seed_is_thrown_by_the_loop),
        cmocka_unit_test(a_hash_is_the_same_on_each_machine),
        cmocka_unit_test(a_hash_is_the_ids_and_the_seeds_alone),
        cmocka_unit_test(ids_fall_evenly_on_all_sides),
        cmocka_unit_test(cookies_stand_in_all_cookie_headers),
        cmocka_unit_test(the_first_cookie_of_a_name_counts),
        cmocka_unit_test(other_headers_hold_no_cookies),
        cmocka_unit_test(a_lookup_names_group_and_app),
        cmocka_unit_test(an_app_needs_no_name),
        cmocka_unit_test(a_lookup_that_refuses_names_nothing),
        cmocka_unit_test(an_instance_may_have_no_data),
        cmocka_unit_test(an_interim_status_is_not_the_backends),
        cmocka_unit_test(a_switch_of_protocols_is),
        cmocka_unit_test(the_status_stays_where_a_page_took_its_place),
        cmocka_unit_test(the_latest_response_counts),
        cmocka_unit_test(it_outlives_an_attempt_without_one),
        cmocka_unit_test(no_response_no_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
