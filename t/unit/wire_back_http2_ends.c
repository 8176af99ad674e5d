/* SPDX-License-Identifier: MIT */
/* Those who want a stream of an HTTP/2 backend, and do not get one: failed dials, connections that end, and who gives up. */
#include "wire_back_http2.h"

#include "lib/base/fault.h"

/* ---- a dial that fails ---- */

static void a_failed_dial_fails_all_who_hoped_for_it(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    fail_dial(a, &weir_fault_backend_refused);
    assert_diary("a:turn b:backend_refused c:backend_refused "); /* a knows it already */
    ask(b, BACK_HTTP2_SHARED);
    assert_diary("b:turn ");
}

static void a_failed_dial_is_no_matter_while_another_opens(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_NEW);
    ask(d, BACK_HTTP2_NEW);
    assert_diary("a:turn c:turn d:turn ");
    fail_dial(a, &weir_fault_backend_refused);
    assert_diary("");
    dial(c);
    fail_dial(d, &weir_fault_backend_unreachable);
    assert_diary("");
    greet(c, ANY_STREAMS);
    assert_diary("c:stream b:stream ");
}

static void the_last_of_several_failures_is_told(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_NEW);
    fail_dial(a, &weir_fault_backend_refused);
    fail_dial(c, &weir_fault_backend_unreachable);
    assert_diary("a:turn c:turn b:backend_unreachable ");
}

static void a_failed_dial_is_no_matter_where_connections_are(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 1);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    fail_dial(b, &weir_fault_backend_refused);
    assert_diary("a:turn a:stream b:turn c:turn "); /* nobody waits who could dial */
    let_go(a);
    ask(d, BACK_HTTP2_SHARED);
    assert_diary("d:stream ");
    fail_dial(c, &weir_fault_backend_refused);
    assert_diary("");
}

/* Each would find the same when it dials. */
static void a_backend_that_greets_with_goaway_fails_all_who_wait(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    dial(a);
    allow(a, ANY_STREAMS);
    say_goaway(a);
    turn();
    assert_diary("a:turn a:backend_goaway b:backend_goaway c:backend_goaway ");
    ask(d, BACK_HTTP2_SHARED); /* it is not counted among those that are there */
    assert_diary("d:turn ");
}

static void failing_alone_fails_nobody_else(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_ALONE);
    fail_dial(c, &weir_fault_backend_refused);
    assert_diary("a:turn c:turn ");
    open_connection(c, BACK_HTTP2_ALONE, 0);
    assert_diary("c:turn c:backend_busy ");
    ask(c, BACK_HTTP2_ALONE);
    dial(c);
    hang_up(c);
    assert_diary("c:turn c:backend_closed ");
    ask(c, BACK_HTTP2_SHARED); /* a still has the turn */
    assert_diary("");
    fail_dial(a, &weir_fault_backend_refused);
    assert_diary("b:backend_refused c:backend_refused ");
}

/* ---- giving up ---- */

static void nobody_gives_up_nothing(void **state)
{
    cancel(a);
    fail_dial(a, &weir_fault_backend_refused);
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    cancel(a); /* it has its stream, and waits for nothing */
    fail_dial(a, &weir_fault_backend_refused);
    assert_diary("a:turn a:stream ");
    assert_non_null(connection_of(a));
}

static void giving_up_in_the_queue(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    ask(d, BACK_HTTP2_SHARED);
    cancel(c);
    dial(a);
    greet(a, ANY_STREAMS);
    assert_diary("a:turn a:stream b:stream d:stream ");
}

static void giving_up_the_turn_hands_it_on(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    assert_diary("a:turn ");
    cancel(a);
    assert_diary("b:turn ");
    cancel(b);
    assert_diary("c:turn ");
    cancel(c);
    ask(d, BACK_HTTP2_SHARED);
    assert_diary("d:turn ");
}

static void giving_up_one_turn_of_two(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_NEW);
    cancel(a);
    assert_diary("a:turn c:turn "); /* c opens one that will do for b */
    cancel(c);
    assert_diary("b:turn ");
    ask(d, BACK_HTTP2_ALONE);
    ask(e, BACK_HTTP2_SHARED);
    cancel(d); /* this turn was nobody else's */
    assert_diary("d:turn ");
    cancel(b);
    assert_diary("e:turn ");
}

static void giving_up_while_it_opens_leaves_the_connection_to_the_queue(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    dial(a);
    cancel(a);
    assert_diary("a:turn "); /* b does not have to dial */
    ask(c, BACK_HTTP2_SHARED);
    assert_diary("");
    greet(a, 1);
    assert_diary("b:stream c:turn ");
    cancel(c);
    let_go(b);
    ask(c, BACK_HTTP2_SHARED);
    assert_diary("c:stream ");
}

static void giving_up_while_it_opens_leaves_the_connection_to_whoever_comes(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    dial(a);
    cancel(a);
    greet(a, ANY_STREAMS);
    assert_diary("a:turn ");
    assert_false(has_ended(a));
    ask(b, BACK_HTTP2_SHARED);
    assert_diary("b:stream ");
}

static void giving_up_while_it_opens_and_then_it_fails(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    dial(a);
    cancel(a);
    hang_up(a);
    assert_diary("a:turn b:backend_closed ");
}

static void giving_up_alone_while_it_opens_closes_the_connection(void **state)
{
    ask(a, BACK_HTTP2_ALONE);
    dial(a);
    assert_false(has_ended(a));
    cancel(a);
    turn();
    assert_true(has_ended(a));
    assert_diary("a:turn ");
}

/* ---- connections that end ---- */

static void a_connection_that_ends_before_it_greets(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    dial(a);
    hang_up(a);
    assert_diary("a:turn a:backend_closed b:backend_closed ");
}

static void a_backend_that_speaks_something_else(void **state)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    dial(a);
    assert_int_equal(write(a->peer, text, sizeof(text) - 1), sizeof(text) - 1);
    turn();
    assert_diary("a:turn a:backend_not_http2 b:backend_not_http2 ");
    assert_true(has_ended(a));
}

static void a_backend_that_never_greets(void **state)
{
    plan.backend_ping_ms = 5;
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    dial(a);
    oversleep(5);
    turn();
    assert_diary("a:turn a:backend_connect_timeout b:backend_connect_timeout ");
    assert_true(has_ended(a));
}

static void a_backend_that_greets_with_goaway(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    dial(a);
    allow(a, ANY_STREAMS);
    say_goaway(a);
    turn();
    assert_diary("a:turn a:backend_goaway ");
    assert_true(has_ended(a));
    ask(a, BACK_HTTP2_ALONE);
    dial(a);
    allow(a, ANY_STREAMS);
    say_goaway(a);
    turn();
    assert_diary("a:turn a:backend_goaway ");
    assert_true(has_ended(a));
}

/* Nothing can begin on it any more: whoever has a stream is told when that begins; others open the next one. */
static void a_backend_that_says_goaway_behind_its_greeting(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    say_goaway(a);
    turn();
    ask(b, BACK_HTTP2_SHARED);
    assert_diary("a:turn a:stream b:turn ");
    assert_true(has_ended(a));
    assert_null(connection_of(a));
}

static void a_backend_that_resets_the_connection(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    dial(a);
    close(a->peer); /* with the preface unread */
    a->peer = -1;
    turn();
    assert_diary("a:turn a:backend_reset b:backend_reset ");
}

/* They had no stream for anybody: the next connection would do no better. */
static void connections_that_end_unused_fail_the_queue(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 0);
    say_goaway(a);
    turn();
    assert_diary("a:turn a:backend_busy ");
    assert_true(has_ended(a));
    open_connection(a, BACK_HTTP2_SHARED, 0);
    hang_up(a);
    assert_diary("a:turn a:backend_closed ");
}

static void one_that_ends_unused_is_no_matter_while_another_opens(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_NEW);
    dial(a);
    hang_up(a);
    assert_diary("a:turn c:turn a:backend_closed ");
    dial(c);
    greet(c, ANY_STREAMS);
    assert_diary("c:stream b:stream ");
}

/* What has served somebody may serve again: the first who waits opens the next one. */
static void one_that_ends_used_hands_on_the_turn(void **state)
{
    for (waiter_t *waiter = a; waiter <= d; waiter++)
        open_connection(waiter, BACK_HTTP2_SHARED, 1);
    diary[0] = '\0';
    ask(e, BACK_HTTP2_SHARED);
    ask(f, BACK_HTTP2_SHARED);
    assert_diary("");
    hang_up(b);
    assert_diary("e:turn ");
    assert_null(connection_of(b)); /* it still has its stream, of nothing */
    let_go(b);
    assert_diary("");
    say_goaway(c);
    turn();
    assert_diary("");
    dial(e);
    greet(e, ANY_STREAMS);
    assert_diary("e:stream f:stream ");
}

static void the_only_one_ends_used_and_the_queue_goes_on(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 1);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    hang_up(a);
    assert_diary("a:turn a:stream b:turn "); /* b dials anyway */
    cancel(b);
    assert_diary("c:turn ");
}

/* Each connection that comes without streams is no hope any more when it goes. */
static void who_has_had_the_turn_has_it_again_when_nothing_is_left(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, 1);
    open_connection(b, BACK_HTTP2_SHARED, 0);
    assert_diary("a:turn a:stream b:turn ");
    assert_true(back_http2_is_queued(&b->wait));
    hang_up(b); /* unused, but there is another one to wait for */
    assert_diary("");
    hang_up(a);
    assert_diary("b:turn ");
}

/* ---- callbacks that go on by themselves ---- */

static void cancel_other(waiter_t *waiter, const char *what)
{
    cancel(waiter->other);
}

static void whoever_is_told_may_cancel_the_next(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    for (waiter_t *waiter = b; waiter <= d; waiter++)
        ask(waiter, BACK_HTTP2_SHARED);
    b->then = cancel_other;
    b->other = c;
    fail_dial(a, &weir_fault_backend_refused);
    assert_diary("a:turn b:backend_refused d:backend_refused ");

    ask(a, BACK_HTTP2_SHARED);
    for (waiter_t *waiter = b; waiter <= d; waiter++)
        ask(waiter, BACK_HTTP2_SHARED);
    dial(a);
    greet(a, ANY_STREAMS);
    assert_diary("a:turn a:stream b:stream d:stream ");
}

static void fail_at_once(waiter_t *waiter, const char *what)
{
    if (strcmp(what, "turn") == 0)
        fail_dial(waiter, &weir_fault_backend_refused);
}

/* No descriptor is left, say: then there is nothing to wait for. */
static void a_dial_that_fails_on_the_spot(void **state)
{
    a->then = b->then = fail_at_once;
    ask(a, BACK_HTTP2_SHARED);
    assert_diary("a:turn ");
    a->then = NULL;
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    cancel(a);
    assert_diary("a:turn b:turn c:backend_refused ");
    open_connection(a, BACK_HTTP2_SHARED, 0); /* now in the queue behind nobody */
    ask(b, BACK_HTTP2_SHARED);
    assert_diary("a:turn b:turn ");
    assert_true(back_http2_is_queued(&a->wait));
}

static void ask_again(waiter_t *waiter, const char *what)
{
    if (strcmp(what, "backend_refused") == 0)
        ask(waiter, BACK_HTTP2_SHARED);
}

/* The router may name the same backend again. */
static void whoever_fails_may_ask_again(void **state)
{
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    b->then = ask_again;
    fail_dial(a, &weir_fault_backend_refused);
    assert_diary("a:turn b:backend_refused b:turn "); /* and c hopes for b now */
    dial(b);
    greet(b, ANY_STREAMS);
    assert_diary("b:stream c:stream ");
}

static void let_go_at_once(waiter_t *waiter, const char *what)
{
    weir_exchange_t x = {.plan = &plan};

    if (strcmp(what, "stream") != 0)
        return;
    waiter->back->ops->release(waiter->back, &x);
    waiter->back = NULL;
}

static void streams_that_are_let_go_at_once(void **state)
{
    a->then = b->then = c->then = let_go_at_once;
    ask(a, BACK_HTTP2_SHARED);
    ask(b, BACK_HTTP2_SHARED);
    ask(c, BACK_HTTP2_SHARED);
    dial(a);
    greet(a, 1);
    assert_diary("a:turn a:stream b:stream c:stream "); /* all of them by the only one */
    ask(b, BACK_HTTP2_SHARED);
    assert_diary("b:stream ");
    b->then = NULL;
    a->then = let_go_at_once;
    ask(a, BACK_HTTP2_ALONE);
    dial(a);
    greet(a, ANY_STREAMS);
    assert_diary("a:turn a:stream ");
    assert_true(has_ended(a));
}

/* ---- the loop ends ---- */

static void the_pool_closes_its_connections(void **state)
{
    open_connection(a, BACK_HTTP2_SHARED, ANY_STREAMS);
    open_connection(b, BACK_HTTP2_NEW, ANY_STREAMS);
    let_go(a);
    let_go(b);
    assert_diary("a:turn a:stream b:turn b:stream ");
    back_http2_pool_destroy(&loop->back_http2);
    assert_null(loop->back_http2);
    weir_loop_turn(loop, 0);
    assert_true(has_ended(a));
    assert_true(has_ended(b));
    loop->back_http2 = back_http2_pool_create(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_dial_fails_all_who_hoped_for_it),
        TEST(a_failed_dial_is_no_matter_while_another_opens),
        TEST(the_last_of_several_failures_is_told),
        TEST(a_failed_dial_is_no_matter_where_connections_are),
        TEST(a_backend_that_greets_with_goaway_fails_all_who_wait),
        TEST(failing_alone_fails_nobody_else),
        TEST(nobody_gives_up_nothing),
        TEST(giving_up_in_the_queue),
        TEST(giving_up_the_turn_hands_it_on),
        TEST(giving_up_one_turn_of_two),
        TEST(giving_up_while_it_opens_leaves_the_connection_to_the_queue),
        TEST(giving_up_while_it_opens_leaves_the_connection_to_whoever_comes),
        TEST(giving_up_while_it_opens_and_then_it_fails),
        TEST(giving_up_alone_while_it_opens_closes_the_connection),
        TEST(a_connection_that_ends_before_it_greets),
        TEST(a_backend_that_speaks_something_else),
        TEST(a_backend_that_never_greets),
        TEST(a_backend_that_greets_with_goaway),
        TEST(a_backend_that_says_goaway_behind_its_greeting),
        TEST(a_backend_that_resets_the_connection),
        TEST(connections_that_end_unused_fail_the_queue),
        TEST(one_that_ends_unused_is_no_matter_while_another_opens),
        TEST(one_that_ends_used_hands_on_the_turn),
        TEST(the_only_one_ends_used_and_the_queue_goes_on),
        TEST(who_has_had_the_turn_has_it_again_when_nothing_is_left),
        TEST(whoever_is_told_may_cancel_the_next),
        TEST(a_dial_that_fails_on_the_spot),
        TEST(whoever_fails_may_ask_again),
        TEST(streams_that_are_let_go_at_once),
        TEST(the_pool_closes_its_connections),
    };

    return cmocka_run_group_tests(tests, NULL, forget_thread);
}
