/* SPDX-License-Identifier: MIT */
/* Who gets a stream of which connection to an HTTP/2 backend, and who has to open one. */
#include "wire_back_http2.h"

#include "lib/walk/weir_backend_tls.h"

/* ---- streams, turns, the queue ---- */

static void the_first_who_asks_opens_a_connection_for_all(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    assert_diary("a:turn ");
    assert_false(back_http2_is_queued(&b->wait)); /* there is no connection yet whose streams are in use */
    dial(a);
    assert_diary("");
    greet(a, ANY_STREAMS);
    assert_diary("a:stream b:stream c:stream ");
    assert_ptr_equal(connection_of(a), connection_of(b));
    assert_ptr_equal(connection_of(a), connection_of(c));
    assert_false(a->back->is_reused);
    assert_true(b->back->is_reused);
    ask(d, BACK_HTTP2_SHARED);
    assert_diary("d:stream ");
    assert_ptr_equal(connection_of(a), connection_of(d));
}

static void a_full_connection_makes_the_next_open_another(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 1);
    assert_diary("a:turn a:stream ");
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    ask(d, BACK_HTTP2_SHARED);
    assert_diary("b:turn "); /* one at a time */
    assert_true(back_http2_is_queued(&c->wait));
    assert_false(back_http2_is_queued(&b->wait));
    dial(b);
    greet(b, 2);
    assert_diary("b:stream c:stream d:turn ");
    assert_ptr_equal(connection_of(b), connection_of(c));
    assert_ptr_not_equal(connection_of(b), connection_of(a));
    assert_false(back_http2_is_queued(&c->wait));
}

/* Four are all that are opened to share. */
static void open_four(void)
{
    for (waiter_t *waiter = a; waiter <= d; waiter++)
        open_connection(waiter, BACK_HTTP2_SHARED, 1);
    assert_diary("a:turn a:stream b:turn b:stream c:turn c:stream d:turn d:stream ");
}

static void with_four_connections_in_use_all_wait_for_a_stream(void **state)
{
    open_four();
    ask(e, BACK_HTTP2_SHARED);
    ask(f, BACK_HTTP2_SHARED);
    assert_diary("");
    assert_true(back_http2_is_queued(&e->wait));
    back_http2_t *third = connection_of(c);
    let_go(c);
    assert_diary("e:stream ");
    assert_ptr_equal(connection_of(e), third);
    assert_true(e->back->is_reused);
    back_http2_t *first = connection_of(a);
    let_go(a);
    assert_diary("f:stream ");
    assert_ptr_equal(connection_of(f), first);
}

static void the_newest_connection_is_asked_first(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 2);
    open_connection(b, BACK_HTTP2_NEW, 2);
    ask(c, BACK_HTTP2_SHARED);
    ask(d, BACK_HTTP2_SHARED);
    assert_diary("a:turn a:stream b:turn b:stream c:stream d:stream ");
    assert_ptr_equal(connection_of(c), connection_of(b));
    assert_ptr_equal(connection_of(d), connection_of(a));
}

static void more_settings_serve_the_queue(void **state)
{
    open_four();
    ask(e, BACK_HTTP2_SHARED);
    ask(f, BACK_HTTP2_SHARED);
    greet(b, 3);
    assert_diary("e:stream f:stream ");
    assert_ptr_equal(connection_of(f), connection_of(b));
    greet(b, 1); /* less than there are: nobody loses one */
    assert_diary("");
    let_go(e);
    ask(e, BACK_HTTP2_SHARED);
    assert_diary("");
    let_go(f);
    assert_diary("");
    let_go(b); /* the last of the three */
    assert_diary("e:stream ");
}

/* Each of them opens a connection, and none has a stream: who has had the turn does not get it again while there are others. */
static void connections_without_streams(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    dial(a);
    greet(a, 0);
    assert_diary("a:turn b:turn ");
    assert_true(back_http2_is_queued(&a->wait));
    dial(b);
    greet(b, 0);
    assert_diary("c:turn ");
    dial(c);
    greet(c, 0);
    assert_diary("");
    greet(b, 1);
    assert_diary("a:stream ");
    greet(a, 2);
    assert_diary("b:stream c:stream ");
    assert_ptr_not_equal(connection_of(a), connection_of(b));
    assert_ptr_equal(connection_of(b), connection_of(c));
}

/* The turn of an earlier request is no reason to wait now. */
static void who_asks_again_begins_anew(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 1);
    let_go(a);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    ask(a, BACK_HTTP2_SHARED);
    assert_diary("a:turn a:stream b:stream c:turn ");
    dial(c);
    greet(c, 1);
    assert_diary("c:stream a:turn ");
}

static void at_most_256_streams_a_connection(void **state)
{
    enum { STREAMS = 256 };
    static waiter_t crowd[STREAMS + 1];

    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    for (size_t i = 1; i < STREAMS; i++) {
        crowd[i] = (waiter_t){.name = "+", .peer = -1};
        diary[0] = '\0';
        ask(&crowd[i], BACK_HTTP2_SHARED);
        assert_diary("+:stream ");
        assert_ptr_equal(connection_of(&crowd[i]), connection_of(a));
    }
    ask(b, BACK_HTTP2_SHARED);
    assert_diary("b:turn ");
    cancel(b);
    for (size_t i = 1; i < STREAMS; i++)
        let_go(&crowd[i]);
}

/* ---- NEW, ALONE ---- */

static void who_wants_a_new_one_opens_it_and_others_share_it(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    ask(b, BACK_HTTP2_NEW);
    ask(c, BACK_HTTP2_NEW); /* at the same time */
    assert_diary("a:turn a:stream b:turn c:turn ");
    ask(d, BACK_HTTP2_SHARED); /* has no need to wait for them */
    assert_diary("d:stream ");
    assert_ptr_equal(connection_of(d), connection_of(a));
    dial(b);
    greet(b, ANY_STREAMS);
    assert_diary("b:stream ");
    assert_ptr_not_equal(connection_of(b), connection_of(a));
    ask(e, BACK_HTTP2_SHARED);
    assert_diary("e:stream ");
    assert_ptr_equal(connection_of(e), connection_of(b));
}

static void the_queue_waits_for_whoever_opens_first(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_NEW);
    assert_diary("a:turn c:turn ");
    dial(a);
    dial(c);
    greet(c, ANY_STREAMS);
    assert_diary("c:stream b:stream ");
    greet(a, ANY_STREAMS);
    assert_diary("a:stream ");
    assert_ptr_not_equal(connection_of(a), connection_of(c));
}

static void who_is_alone_shares_with_nobody(void **state)
{
    ask(a, BACK_HTTP2_ALONE);
    ask(b, BACK_HTTP2_SHARED); /* has nothing to hope for from it */
    ask(c, BACK_HTTP2_SHARED);
    assert_diary("a:turn b:turn ");
    dial(a);
    greet(a, ANY_STREAMS);
    assert_diary("a:stream "); /* and nobody else */
    dial(b);
    greet(b, ANY_STREAMS);
    assert_diary("b:stream c:stream ");
    assert_ptr_equal(connection_of(b), connection_of(c));
    assert_ptr_not_equal(connection_of(b), connection_of(a));
    assert_false(has_ended(a));
    let_go(a);
    assert_true(has_goaway(a));
    assert_true(has_ended(a));
    assert_false(has_ended(b));
}

static void who_is_alone_takes_nothing_of_others(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    open_connection(b, BACK_HTTP2_ALONE, ANY_STREAMS);
    assert_diary("a:turn a:stream b:turn b:stream ");
    assert_ptr_not_equal(connection_of(b), connection_of(a));
    let_go(b);
    let_go(a);
    assert_true(has_ended(b));
    assert_false(has_ended(a));
}

static void those_who_are_alone_are_not_counted(void **state)
{
    for (waiter_t *waiter = a; waiter <= d; waiter++)
        open_connection(waiter, BACK_HTTP2_ALONE, ANY_STREAMS);
    diary[0] = '\0';
    ask(e, BACK_HTTP2_SHARED);
    assert_diary("e:turn ");
    ask(f, BACK_HTTP2_ALONE);
    assert_diary("f:turn ");
}

static void alone_with_a_backend_that_allows_no_stream(void **state)
{
    open_connection(a, BACK_HTTP2_ALONE, 0);
    assert_diary("a:turn a:backend_busy ");
    assert_true(has_goaway(a));
    assert_true(has_ended(a));
}

/* ---- one too many ---- */

static void one_connection_too_many_retires_the_oldest(void **state)
{
    for (waiter_t *waiter = a; waiter <= d; waiter++)
        open_connection(waiter, BACK_HTTP2_NEW, 2);
    open_connection(e, BACK_HTTP2_NEW, 1);
    diary[0] = '\0';
    assert_false(has_goaway(a)); /* it has a stream to finish */
    for (waiter_t *waiter = f; waiter < f + 3; waiter++) {
        ask(waiter, BACK_HTTP2_SHARED);
        assert_ptr_not_equal(connection_of(waiter), connection_of(a)); /* and no room for others */
    }
    assert_diary("f:stream g:stream h:stream ");
    ask(f + 3, BACK_HTTP2_SHARED);
    assert_diary(""); /* four are there to wait for */
    let_go(a);
    assert_diary("");
    assert_true(has_goaway(a));
    assert_true(has_ended(a));
    for (waiter_t *waiter = b; waiter <= e; waiter++)
        assert_false(has_goaway(waiter));
}

static void the_oldest_goes_at_once_if_nobody_uses_it(void **state)
{
    for (waiter_t *waiter = a; waiter <= e; waiter++) {
        assert_false(has_ended(a));
        open_connection(waiter, BACK_HTTP2_NEW, 2);
        let_go(waiter);
    }
    diary[0] = '\0';
    assert_true(has_goaway(a));
    assert_true(has_ended(a));
    assert_false(has_ended(b));
    open_connection(f, BACK_HTTP2_NEW, 2);
    diary[0] = '\0';
    assert_true(has_ended(b));
    assert_false(has_ended(c));
}

/* ---- places ---- */

/* The same bytes in the same bucket, and yet another address: it is longer. */
static weir_target_t longer_target(weir_target_t *shorter)
{
    weir_target_t longer = *shorter;

    longer.address_len = sizeof(longer.address.v6);
    while (weir_back_pool_bucket(&longer.address.any, longer.address_len) !=
           weir_back_pool_bucket(&shorter->address.any, shorter->address_len)) {
        longer.address.v4.sin_port++;
        shorter->address.v4.sin_port++;
    }
    return longer;
}

static void each_address_has_connections_of_its_own(void **state)
{
    weir_target_t longer = longer_target(&target), other = target;

    other.address.v4.sin_port++;
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    ask_for(b, BACK_HTTP2_SHARED, &other);
    ask_for(c, BACK_HTTP2_SHARED, &longer);
    ask_for(d, BACK_HTTP2_SHARED, &other);
    assert_diary("a:turn a:stream b:turn c:turn ");
    fail_dial(c, &weir_fault_backend_refused);
    assert_diary(""); /* nobody else's failure */
    fail_dial(b, &weir_fault_backend_refused);
    assert_diary("d:backend_refused ");
}

static void each_protocol_has_connections_of_its_own(void **state)
{
    weir_target_t other = target;

    other.protocol = WEIR_HTTP1;
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    ask_for(b, BACK_HTTP2_SHARED, &other);
    assert_diary("a:turn a:stream b:turn ");
}

/* More of them than the pool has buckets. */
static void many_addresses(void **state)
{
    enum { PORTS = 2 * WEIR_POOL_BUCKETS };
    static waiter_t crowd[PORTS];
    weir_target_t other = target;

    for (uint16_t i = 0; i < PORTS; i++) {
        crowd[i] = (waiter_t){.name = "+", .peer = -1};
        other.address.v4.sin_port = i;
        ask_for(&crowd[i], BACK_HTTP2_SHARED, &other);
        assert_diary("+:turn ");
    }
    ask_for(a, BACK_HTTP2_SHARED, &other);
    assert_diary("");
    fail_dial(&crowd[PORTS - 1], &weir_fault_backend_refused);
    assert_diary("a:backend_refused ");
    for (size_t i = 0; i + 1 < PORTS; i++)
        cancel(&crowd[i]);
    assert_diary("");
}

static weir_backend_tls_t *make_tls(const char *server_name)
{
    const weir_backend_tls_settings_t settings = {sizeof(settings), .is_unverified = true, .server_name = server_name};
    char problem[200];

    return weir_backend_tls_create(&settings, problem, sizeof(problem));
}

/* A connection serves nobody who would have asked for another certificate. */
static void each_way_of_tls_has_connections_of_its_own(void **state)
{
    weir_backend_tls_t *one = make_tls(NULL), *two = make_tls("shop.example");
    weir_target_t targets[] = {target, target, target, target, target};

    targets[1].tls = targets[2].tls = targets[3].tls = one;
    targets[1].tls_name = WEIR_SPAN("one.example");
    targets[2].tls_name = WEIR_SPAN("two.example");
    targets[3].tls_name = WEIR_SPAN("one.example");
    targets[4].tls = two;
    for (size_t i = 0; i < 5; i++)
        ask_for(&waiters[i], BACK_HTTP2_SHARED, &targets[i]);
    assert_diary("a:turn b:turn c:turn e:turn "); /* d waits for b */
    cancel(b);
    assert_diary("d:turn ");
    for (size_t i = 0; i < 5; i++)
        cancel(&waiters[i]);
    weir_backend_tls_release(one);
    weir_backend_tls_release(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_who_asks_opens_a_connection_for_all),
        TEST(a_full_connection_makes_the_next_open_another),
        TEST(with_four_connections_in_use_all_wait_for_a_stream),
        TEST(the_newest_connection_is_asked_first),
        TEST(more_settings_serve_the_queue),
        TEST(connections_without_streams),
        TEST(who_asks_again_begins_anew),
        TEST(at_most_256_streams_a_connection),
        TEST(who_wants_a_new_one_opens_it_and_others_share_it),
        TEST(the_queue_waits_for_whoever_opens_first),
        TEST(who_is_alone_shares_with_nobody),
        TEST(who_is_alone_takes_nothing_of_others),
        TEST(those_who_are_alone_are_not_counted),
        TEST(alone_with_a_backend_that_allows_no_stream),
        TEST(one_connection_too_many_retires_the_oldest),
        TEST(the_oldest_goes_at_once_if_nobody_uses_it),
        TEST(each_address_has_connections_of_its_own),
        TEST(each_protocol_has_connections_of_its_own),
        TEST(many_addresses),
        TEST(each_way_of_tls_has_connections_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, forget_thread);
}
