/* SPDX-License-Identifier: MIT */
/* What the kit sends again behind the connect, and when: the router table in the walk, with a clock that is told. */
#include "unit.h"

#include "router/module.h"

#define ALL_STATUS "retry: {on: [status]}"
#define NOTHING "hold: 0"
#define NO_BUDGET "retry-budget: {percent: 0, floor: 1000}"

enum { REQUESTS = 60, BACK_OFF_MOST_MS = 250 };

static weir_module_t *module;

/* The app `a`, with such backends and settings. */
static void open_app(const char *backends, const char *settings)
{
    char text[600], error[200] = "";

    world_open(NULL);
    snprintf(text, sizeof(text), "{apps: {a: {domains: [a], quarantine: OFF, backends: %s, %s}}}", backends, settings);
    weir_config_t *config = fake_config(text);
    module = weir_module_open("table", error, sizeof(error));
    assert_non_null(module);
    if (!weir_module_configure(module, config))
        fail_msg("%s", fake_complaint);
    fake_config_free(config);
    fake_steward = &w.loop;
    assert_true(weir_module_start(module, "default /", "test:1", 1));
    w.plan.binding.router = weir_module_router(module);
    w.plan.binding.shared = weir_module_shared(module);
}

static void close_app(void)
{
    fake_run(&w.loop);
    weir_books_t books = weir_exchange_books();
    assert_true(books.begun == books.ended && books.picks == books.checkins);
    weir_module_close(&module);
    fake_loop_finish(&w.loop);
}

static void request(const char *head)
{
    w.loop.length = 0;
    world_request(head);
}

#define A "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

/* How often a backend was connected to for this request. */
static unsigned connects(void)
{
    unsigned count = 0;

    for (const char *at = w.loop.text; (at = strstr(at, "connect ")) != NULL; at++)
        count++;
    return count;
}

static unsigned connects_before; /* the latest response */

static void respond(unsigned status)
{
    char head[80];

    snprintf(head, sizeof(head), "HTTP/1.1 %u No\r\nContent-Length: 2\r\n\r\n", status);
    connects_before = connects();
    assert_true(fake_respond(w.x, head));
    fake_run(&w.loop);
}

/* How long it takes behind that until another attempt is made; it must be no longer than so. */
static unsigned pause_of(unsigned most_ms)
{
    unsigned ms = 0;

    for (; connects() == connects_before; ms++) {
        if (ms > most_ms)
            fail_msg("a pause of more than %u ms", most_ms);
        fake_advance(&w.loop, 1);
    }
    return ms;
}

/* The response that the backend has given is passed on. */
static void assert_passed_on(unsigned status)
{
    assert_int_equal(w.front.status, status);
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
}

/* ---- the same member again ---- */

static void the_only_one_is_tried_again(void **state)
{
    open_app("[\"a:1\"]", ALL_STATUS);
    request(A);
    respond(503);
    assert_int_equal(w.front.responses, 0);
    (void)pause_of(25);
    respond(503);
    (void)pause_of(50);
    assert_int_equal(connects(), 3);
    respond(503);
    assert_passed_on(503); /* `most` is 2 */
    close_app();
}

/* Their bound doubles up to a quarter of a second, and each is anything below it. */
static void pauses_grow_and_are_dice(void **state)
{
    unsigned longest[9] = {0}, shortest[9];

    memset(shortest, 0xff, sizeof(shortest));
    open_app("[\"a:1\"]", "retry: {on: [status], most: 9}, " NO_BUDGET);
    for (unsigned i = 0; i < REQUESTS; i++) {
        request(A);
        for (unsigned k = 0; k < 9; k++) {
            const unsigned most_ms = k < 4 ? 25u << k : BACK_OFF_MOST_MS;
            respond(503);
            const unsigned ms = pause_of(most_ms);
            longest[k] = ms > longest[k] ? ms : longest[k];
            shortest[k] = ms < shortest[k] ? ms : shortest[k];
        }
        respond(503);
        assert_passed_on(503); /* ten tries are the most */
    }
    for (unsigned k = 0; k < 9; k++) {
        const unsigned most_ms = k < 4 ? 25u << k : BACK_OFF_MOST_MS;
        assert_true(longest[k] > most_ms * 3 / 4 && shortest[k] <= most_ms / 4); /* of 60: 3 in 10⁸ are wrong */
    }
    close_app();
}

static void each_of_several_is_tried_once(void **state)
{
    open_app("[\"a:1\", \"b:1\"]", "retry: {on: [status], most: 5}");
    request(A);
    respond(503);
    assert_int_equal(connects(), 2); /* at once */
    assert_non_null(strstr(w.loop.text, "connect a:1\n"));
    assert_non_null(strstr(w.loop.text, "connect b:1\n"));
    respond(503);
    assert_passed_on(503);
    close_app();
}

/* Those who are off are nobody, and so is a spare one that takes nothing. */
static void the_only_one_that_may_be_had(void **state)
{
    open_app("[\"a:1\", {at: \"b:1\", state: off}, {at: \"c:1\", tier: 1, weight: 0}]", ALL_STATUS);
    request(A);
    respond(502);
    (void)pause_of(25);
    assert_null(strstr(w.loop.text, "connect b:1"));
    respond(200);
    assert_passed_on(200);
    close_app();
}

/* Its own slot does not stand in its way. */
static void the_only_one_is_full(void **state)
{
    open_app("[\"a:1\"]", "max-requests: 1, " ALL_STATUS);
    request(A);
    respond(503);
    (void)pause_of(25);
    respond(200);
    assert_passed_on(200);
    close_app();
}

/* What provably has not run needs no permission, but another member. */
static void what_has_not_run_goes_elsewhere(void **state)
{
    open_app("[\"a:1\"]", ALL_STATUS);
    request(A);
    for (int i = 0; i < 2; i++) { /* the walk itself tries once */
        w.x->back->is_untouched = true;
        assert_true(fake_relay_end(w.x, &weir_fault_backend_stream_refused));
        fake_run(&w.loop);
    }
    fake_advance(&w.loop, BACK_OFF_MOST_MS);
    assert_int_equal(connects(), 2);
    assert_int_equal(w.front.status, weir_fault_backend_stream_refused.status);
    close_app();
}

static void a_client_that_goes_meanwhile(void **state)
{
    open_app("[\"a:1\"]", ALL_STATUS);
    for (unsigned i = 0; i < 5; i++) {
        request(A);
        respond(503);
        if (connects() == 1)
            fake_client_gone(&w.front, &weir_fault_client_closed);
        fake_run(&w.loop);
        fake_advance(&w.loop, BACK_OFF_MOST_MS);
        if (connects() == 1)
            break;
        respond(503); /* there was no pause, by chance */
        (void)pause_of(50);
        respond(200);
        assert_passed_on(200);
    }
    assert_int_equal(connects(), 1);
    close_app();
}

/* ---- 421 and 425 ---- */

static void misdirected(void **state)
{
    open_app("[\"a:1\"]", NOTHING);
    request("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(w.x->target.keepalive, WEIR_REUSE);
    respond(421);
    (void)pause_of(25);
    assert_int_equal(w.x->target.keepalive, WEIR_FRESH);
    respond(421);
    assert_passed_on(421); /* once */
    request(A);
    assert_int_equal(w.x->target.keepalive, WEIR_REUSE);
    respond(200);
    assert_passed_on(200);
    close_app();
}

static void too_early(void **state)
{
    open_app("[\"a:1\"]", NOTHING);
    request(A);
    respond(425);
    (void)pause_of(25);
    assert_int_equal(w.x->target.keepalive, WEIR_REUSE);
    assert_null(strstr(w.loop.backend_head, "Early-Data"));
    respond(425);
    assert_passed_on(425); /* once */
    close_app();
}

/* RFC 8470 §5.2: who has marked it repeats it, when the handshake is done. */
static void early_by_somebody_else(void **state)
{
    static const char *const settings[] = {NOTHING, "retry: {on: [status], status: [425]}"};

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        open_app("[\"a:1\"]", settings[i]);
        request("GET /x HTTP/1.1\r\nHost: a\r\nEarly-Data: 1\r\n\r\n");
        assert_non_null(strstr(w.loop.backend_head, "Early-Data: 1"));
        respond(425);
        assert_passed_on(425);
        close_app();
    }
}

static void one_after_the_other(void **state)
{
    open_app("[\"a:1\", \"b:1\"]", NOTHING);
    request(A);
    respond(425);
    assert_int_equal(connects(), 2); /* another one, at once */
    respond(200);
    assert_passed_on(200);
    close_app();
    open_app("[\"a:1\"]", NOTHING);
    request(A);
    respond(425);
    (void)pause_of(25);
    respond(421);
    (void)pause_of(50);
    respond(200);
    assert_passed_on(200);
    close_app();
}

static void a_body_that_is_gone(void **state)
{
    open_app("[\"a:1\"]", ALL_STATUS);
    for (unsigned status = 421; status <= 425; status += 4) {
        w.front.is_body_touched = true;
        w.loop.length = 0;
        w.x = fake_exchange(&w.loop, &w.plan, &w.front, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
        w.front.is_body_touched = true;
        weir_exchange_start(w.x);
        fake_run(&w.loop);
        respond(status);
        assert_passed_on(status);
        assert_int_equal(connects(), 1);
    }
    close_app();
}

static void they_count_as_repeats(void **state)
{
    open_app("[\"a:1\"]", "retry: {on: [status], most: 1}");
    request(A);
    respond(503);
    (void)pause_of(25);
    respond(421);
    assert_passed_on(421);
    close_app();
}

/* ---- the budget ---- */

static unsigned repeats_of(unsigned requests, unsigned status)
{
    unsigned count = 0;

    for (unsigned i = 0; i < requests; i++) {
        request(A);
        respond(status);
        if (w.front.responses == 0) {
            (void)pause_of(25);
            respond(200);
            count++;
        }
        assert_true(fake_relay_end(w.x, NULL));
        fake_run(&w.loop);
    }
    return count;
}

/* Requests count for it whether or not the app has `retry`. */
static void the_budget_bounds_them(void **state)
{
    open_app("[\"a:1\"]", "retry-budget: {percent: 10, floor: 0}");
    assert_int_equal(repeats_of(100, 200), 0);
    assert_int_equal(repeats_of(20, 421), 12);
    assert_int_equal(repeats_of(20, 425), 2);
    close_app();
    open_app("[\"a:1\"]", "retry-budget: {percent: 0, floor: 1}");
    assert_int_equal(repeats_of(20, 425), 10);
    close_app();
    open_app("[\"a:1\"]", "retry-budget: {percent: 0, floor: 0}");
    assert_int_equal(repeats_of(20, 421), 0);
    close_app();
}

/* ---- affinity ---- */

/* With the cookie that the app has given out just now. */
static void request_again(void)
{
    char head[400], cookie[200];
    const char *at = strstr(w.front.head, "Set-Cookie: ");

    assert_non_null(at);
    assert_int_equal(sscanf(at, "Set-Cookie: %199[^;]", cookie), 1);
    snprintf(head, sizeof(head), "GET /x HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n\r\n", cookie);
    request(head);
}

static const char *connected_to(void)
{
    return strstr(w.loop.text, "connect a:1") != NULL ? "connect a:1" : "connect b:1";
}

static void who_is_pinned_stays_where_it_is_declined(void **state)
{
    open_app("[\"a:1\", \"b:1\"]", "affinity: ON");
    request(A);
    const char *const first = connected_to();
    respond(200);
    assert_passed_on(200);
    request_again();
    respond(421);
    (void)pause_of(25);
    assert_string_equal(connected_to(), first);
    assert_null(strstr(w.loop.text, first[8] == 'a' ? "connect b:1" : "connect a:1"));
    respond(200);
    assert_passed_on(200);
    close_app();
}

static void who_may_go_nowhere_else(void **state)
{
    open_app("[\"a:1\", \"b:1\"]", "affinity: {strict: ON}, " ALL_STATUS);
    request(A);
    const char *const first = connected_to();
    respond(200);
    assert_passed_on(200);
    request_again();
    respond(503);
    (void)pause_of(25);
    assert_null(strstr(w.loop.text, first[8] == 'a' ? "connect b:1" : "connect a:1"));
    respond(200);
    assert_passed_on(200);
    close_app();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_only_one_is_tried_again),
        cmocka_unit_test(pauses_grow_and_are_dice),
        cmocka_unit_test(each_of_several_is_tried_once),
        cmocka_unit_test(the_only_one_that_may_be_had),
        cmocka_unit_test(the_only_one_is_full),
        cmocka_unit_test(what_has_not_run_goes_elsewhere),
        cmocka_unit_test(a_client_that_goes_meanwhile),
        cmocka_unit_test(misdirected),
        cmocka_unit_test(too_early),
        cmocka_unit_test(early_by_somebody_else),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(a_body_that_is_gone),
        cmocka_unit_test(they_count_as_repeats),
        cmocka_unit_test(the_budget_bounds_them),
        cmocka_unit_test(who_is_pinned_stays_where_it_is_declined),
        cmocka_unit_test(who_may_go_nowhere_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
