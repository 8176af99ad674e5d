/* SPDX-License-Identifier: MIT */
/* The pipeline itself, with stages made for it, and every point at which a client may leave. */
#include "unit.h"

/* ---- stages that do as they are told and keep a diary in w.loop.text ---- */

typedef enum verdict { NEXT, BACK, REFUSE, DONE, WAIT, WAIT_NEXT } verdict_t;

static verdict_t verdicts[100][4]; /* by stage number and by how often it was entered */
static unsigned entries[100];
static uint8_t back_to;

typedef struct memory {
    unsigned enters;
} memory_t;

static weir_verdict_t say(weir_exchange_t *x, verdict_t verdict)
{
    switch (verdict) {
    case NEXT:
        return weir_next(x);
    case BACK:
        return weir_back(x, back_to);
    case REFUSE:
        return weir_refuse(x, &fake_fault);
    case DONE:
        return weir_done(x);
    case WAIT_NEXT:
        weir_next(x);
        return weir_wait(x);
    case WAIT:
        break;
    }
    return weir_wait(x);
}

static unsigned number(const weir_exchange_t *x)
{
    return x->plan->stages[x->walk.at]->number;
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    memory_t *mine = memory;
    unsigned which = number(x);

    assert_int_equal(mine->enters++, entries[which]); /* zeroed once */
    fake_note(x->loop, "+%u ", which);
    return say(x, verdicts[which][entries[which]++]);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    fake_note(x->loop, "!%u ", number(x));
}

#define LEAVE(n)                                                                                                               \
    static void leave_##n(weir_exchange_t *x, void *memory)                                                                    \
    {                                                                                                                          \
        assert_true(((memory_t *)memory)->enters > 0);                                                                         \
        fake_note(x->loop, "-%u ", n);                                                                                         \
    }
/* clang-format off */
LEAVE(10)
LEAVE(20)
LEAVE(30)
LEAVE(75)
LEAVE(80)

#define STAGE(n)                                                                                                               \
    {                                                                                                                          \
        .number = n, .name = #n, .memory_size = sizeof(memory_t), .enter = enter, .cancel = cancel, .leave = leave_##n         \
    }
    static const weir_stage_t stage_10 = STAGE(10),
                              stage_20 = STAGE(20), stage_30 = STAGE(30), stage_75 = STAGE(75), stage_80 = STAGE(80);
/* clang-format on */
static const weir_stage_t stage_20_stubborn = {
    .number = 20, .name = "20", .memory_size = sizeof(memory_t), .enter = enter, .leave = leave_20};
static const weir_stage_t *const five[] = {&stage_10, &stage_20, &stage_30, &stage_75, &stage_80, NULL};
static const weir_stage_t *const stubborn[] = {&stage_10, &stage_20_stubborn, &stage_30, &stage_75, &stage_80, NULL};

static void open_five(const weir_stage_t *const *stages)
{
    world_open(stages);
    memset(verdicts, 0, sizeof(verdicts));
    memset(entries, 0, sizeof(entries));
}

static void walks_in_order(void **state)
{
    open_five(five);
    verdicts[20][0] = WAIT_NEXT;
    world_request(GET);
    assert_string_equal(w.loop.text, "+10 +20 +30 +75 +80 -80 -75 -30 -20 -10 finish\n");
    assert_int_equal(w.front.status, 204);
    world_close();
}

static void waits_until_told(void **state)
{
    open_five(five);
    verdicts[20][0] = WAIT;
    world_request(GET);
    assert_string_equal(w.loop.text, "+10 +20 ");
    weir_next(w.x);
    assert_string_equal(w.loop.text, "+10 +20 "); /* never on the speaker's stack */
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 +30 +75 +80 -80 -75 -30 -20 -10 finish\n");
    world_close();
}

static void goes_back(void **state)
{
    open_five(five);
    verdicts[30][0] = BACK;
    back_to = 20;
    world_request(GET);
    assert_string_equal(w.loop.text, "+10 +20 +30 -30 -20 +20 +30 +75 +80 -80 -75 -30 -20 -10 finish\n");
    world_close();
}

static void goes_back_later_and_to_itself(void **state)
{
    open_five(five);
    verdicts[30][0] = WAIT;
    world_request(GET);
    weir_back(w.x, 30);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 +30 -30 +30 +75 +80 -80 -75 -30 -20 -10 finish\n");
    world_close();
}

static void refuses_now_and_later(void **state)
{
    for (int later = 0; later < 2; later++) {
        open_five(five);
        verdicts[20][0] = later ? WAIT : REFUSE;
        world_request(GET);
        if (later)
            weir_refuse(w.x, &fake_fault);
        fake_run(&w.loop);
        assert_string_equal(w.loop.text, "+10 +20 +75 +80 -80 -75 -20 -10 finish\n");
        world_close();
    }
}

static void is_done_now_and_later(void **state)
{
    for (int later = 0; later < 2; later++) {
        open_five(five);
        verdicts[10][0] = later ? WAIT : DONE;
        world_request(GET);
        if (later)
            weir_done(w.x);
        fake_run(&w.loop);
        assert_string_equal(w.loop.text, "+10 +80 -80 -10 finish\n");
        world_close();
    }
}

static void cancels_the_stage_that_waits(void **state)
{
    open_five(five);
    verdicts[20][0] = WAIT;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    assert_string_equal(w.loop.text, "+10 +20 !20 ");
    assert_ptr_equal(w.x->fault, &weir_fault_client_closed);
    assert_int_equal(w.x->journal.status, 499);
    weir_exchange_client_gone(w.x, &weir_fault_client_timeout); /* harmless */
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 !20 +80 -80 -20 -10 ");
    world_close();
}

static void gone_wins_over_a_posted_verdict(void **state)
{
    open_five(five);
    verdicts[20][0] = WAIT;
    world_request(GET);
    weir_next(w.x);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 +80 -80 -20 -10 ");
    world_close();
}

static void awaits_a_stage_that_cannot_be_cancelled(void **state)
{
    open_five(stubborn);
    verdicts[20][0] = WAIT;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 ");
    weir_refuse(w.x, &fake_fault);
    assert_ptr_equal(w.x->fault, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 +80 -80 -20 -10 ");
    world_close();
}

static void lets_the_last_stages_finish(void **state)
{
    open_five(five);
    verdicts[20][0] = REFUSE;
    verdicts[75][0] = WAIT;
    verdicts[80][0] = WAIT;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 +75 ");
    assert_ptr_equal(w.x->fault, &fake_fault);
    weir_next(w.x);
    fake_run(&w.loop);
    weir_next(w.x);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "+10 +20 +75 +80 -80 -75 -20 -10 ");
    world_close();
}

static void client_may_leave_before_the_start(void **state)
{
    open_five(five);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    weir_exchange_start(w.x);
    assert_string_equal(w.loop.text, "+10 +80 -80 -10 ");
    world_close();
}

/* ---- the built-in stages: a client leaves at each point, each answer comes at each time ---- */

static void the_whole_walk(void **state)
{
    world_open(NULL);
    world_request(GET);
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\n");
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\nrespond 200\nrelease\n");
    assert_int_equal(w.script.terminates, 1);
    assert_null(w.script.last_fault);
    assert_int_equal(w.script.phase, WEIR_CONNECTED);
    world_close();
}

static void client_leaves_while_a_question_is_open(void **state)
{
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        world_open(NULL);
        w.script.how[kind] = FAKE_LATER;
        w.script.refuses[FAKE_LOOKUP] = kind == FAKE_PAGE;
        w.script.fault[FAKE_LOOKUP] = &fake_fault;
        world_request(GET);
        if (kind == FAKE_CHECKIN) {
            fake_respond(w.x, OK_HEAD);
            fake_relay_end(w.x, NULL);
            fake_run(&w.loop);
        }
        assert_int_equal(w.script.kind, kind);
        fake_client_gone(&w.front, &weir_fault_client_closed);
        fake_run(&w.loop);
        assert_int_equal(weir_exchange_count(), 1); /* it waits for the router, without the client */
        assert_int_equal(w.script.terminates, 0);
        fake_advance(&w.loop, 100000);
        while (fake_answer(&w.script))
            fake_run(&w.loop);
        assert_int_equal(weir_exchange_count(), 0);
        assert_int_equal(w.script.terminates, 1);
        world_close();
    }
}

static void client_leaves_while_connecting(void **state)
{
    world_open(NULL);
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\ncancel\n");
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_ptr_equal(w.script.checkin_fault, &weir_fault_client_closed);
    world_close();
}

static void client_leaves_while_relaying(void **state)
{
    for (int responded = 0; responded < 2; responded++) {
        world_open(NULL);
        world_request(GET);
        if (responded)
            fake_respond(w.x, OK_HEAD);
        fake_client_gone(&w.front, &weir_fault_client_closed);
        assert_false(fake_relay_end(w.x, NULL)); /* stopped */
        fake_run(&w.loop);
        assert_int_equal(w.script.phase, WEIR_CONNECTED);
        assert_ptr_equal(w.script.last_fault, &weir_fault_client_closed);
        world_close();
    }
}

static void client_leaves_during_a_reply(void **state)
{
    for (int refused = 0; refused < 2; refused++) {
        world_open(NULL);
        w.script.redirect = "other.example";
        w.script.refuses[FAKE_LOOKUP] = refused;
        w.script.fault[FAKE_LOOKUP] = &fake_fault;
        w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
        w.front.holds_delivery = true;
        weir_exchange_start(w.x);
        fake_run(&w.loop);
        fake_client_gone(&w.front, &weir_fault_client_closed);
        fake_run(&w.loop);
        assert_int_equal(w.script.terminates, 1);
        assert_ptr_equal(w.script.last_fault, refused ? &fake_fault : &weir_fault_client_closed);
        world_close();
    }
}

static void client_leaves_when_a_pick_was_just_answered(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    world_request(GET);
    fake_answer(&w.script); /* its letter is on the way */
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_int_equal(w.script.checkins, 1);
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    world_close();
}

static void reads_the_request(void **state)
{
    weir_span_t name, value;

    world_open(NULL);
    world_request("POST /a?b=c HTTP/1.0\r\nHost: Shop.Example:81\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\n");
    const weir_request_t *request = weir_exchange_request(w.x);
    assert_ptr_equal(weir_request_exchange(request), w.x);
    assert_true(weir_span_equal(weir_request_method(request), WEIR_SPAN("POST")));
    assert_true(weir_span_equal(weir_request_target(request), WEIR_SPAN("/a?b=c")));
    assert_true(weir_span_equal(weir_request_path(request), WEIR_SPAN("/a")));
    assert_true(weir_span_equal(weir_request_query(request), WEIR_SPAN("b=c")));
    assert_true(weir_span_equal(weir_request_host(request), WEIR_SPAN("shop.example")));
    assert_true(weir_span_equal(weir_request_header(request, WEIR_SPAN("x-A")), WEIR_SPAN("1")));
    assert_null(weir_request_header(request, WEIR_SPAN("x-b")).base);
    assert_int_equal(weir_request_version(request), 10);
    assert_int_equal(weir_request_header_count(request), 4);
    assert_true(weir_request_header_at(request, 2, &name, &value));
    assert_true(weir_span_equal(value, WEIR_SPAN("2")));
    assert_false(weir_request_header_at(request, 4, &name, &value));
    assert_int_equal(weir_request_peer_port(request), 1234);
    assert_int_equal(weir_request_connect_ms(request), 0);
    assert_int_equal(weir_request_route_ms(request), 0);
    fake_advance(&w.loop, 18);
    assert_int_equal(weir_request_service_ms(request), 18);
    assert_int_equal(weir_now_ms(request), 1018);
    assert_true(weir_random(request) != weir_random(request));

    weir_request_header_put(w.x, WEIR_SPAN("X-A"), WEIR_SPAN("3"));
    weir_request_header_put(w.x, WEIR_SPAN("X-B"), WEIR_SPAN("4\r\nX-C: 5"));
    assert_int_equal(weir_request_header_count(request), 3);
    weir_request_header_remove(w.x, WEIR_SPAN("x-a"));
    assert_int_equal(weir_request_header_count(request), 2);
    fake_respond(w.x, OK_HEAD);
    fake_relay_end(w.x, NULL);
    world_close();
}

static void merges_stages(void **state)
{
    static const weir_stage_t early = {WEIR_STAGE("early", 25), .enter = enter},
                              twin = {WEIR_STAGE("twin", 50), .enter = enter}, late = {WEIR_STAGE("late", 77), .enter = enter},
                              empty = {WEIR_STAGE("empty", 26)};
    weir_extra_stage_t many[WEIR_STAGES_MAX], one = {&early, (weir_stage_shared_t *)&early};
    weir_stage_t made[WEIR_STAGES_MAX];
    weir_stage_list_t list;
    char error[200];

    assert_true(weir_stages_merge(&one, 1, &list, error, sizeof(error)));
    assert_int_equal(list.count, 12);
    assert_ptr_equal(list.at[3], &early);
    assert_ptr_equal(list.shared[3], &early);
    assert_null(list.shared[4]);
    assert_int_equal(list.built_in, 0xff7);
    assert_null(list.at[12]);
    one.stage = &twin;
    assert_false(weir_stages_merge(&one, 1, &list, error, sizeof(error)));
    assert_contains(error, "both have the number 50");
    one.stage = &late;
    assert_false(weir_stages_merge(&one, 1, &list, error, sizeof(error)));
    assert_contains(error, "77");
    one.stage = &empty;
    assert_false(weir_stages_merge(&one, 1, &list, error, sizeof(error)));
    assert_contains(error, "no enter");
    for (uint8_t i = 0; i < WEIR_STAGES_MAX; i++) {
        made[i] = (weir_stage_t){.number = (uint8_t)(i * 2 + 1), .enter = enter};
        many[i] = (weir_extra_stage_t){&made[i], NULL};
    }
    assert_true(weir_stages_merge(many, WEIR_STAGES_MAX - 11, &list, error, sizeof(error)));
    assert_int_equal(list.count, WEIR_STAGES_MAX);
    for (size_t i = 1; i < WEIR_STAGES_MAX; i++)
        assert_true(list.at[i - 1]->number < list.at[i]->number);
    for (size_t i = 0; i < WEIR_STAGES_MAX; i++) /* the odd numbers are those of the test */
        assert_int_equal(list.built_in >> i & 1,
                         list.at[i]->number % 5 == 0 && list.at[i]->number % 2 == (list.at[i]->number == 75));
    assert_false(weir_stages_merge(many, WEIR_STAGES_MAX - 10, &list, error, sizeof(error)));
    assert_contains(error, "more than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_in_order),
        cmocka_unit_test(waits_until_told),
        cmocka_unit_test(goes_back),
        cmocka_unit_test(goes_back_later_and_to_itself),
        cmocka_unit_test(refuses_now_and_later),
        cmocka_unit_test(is_done_now_and_later),
        cmocka_unit_test(cancels_the_stage_that_waits),
        cmocka_unit_test(gone_wins_over_a_posted_verdict),
        cmocka_unit_test(awaits_a_stage_that_cannot_be_cancelled),
        cmocka_unit_test(lets_the_last_stages_finish),
        cmocka_unit_test(client_may_leave_before_the_start),
        cmocka_unit_test(the_whole_walk),
        cmocka_unit_test(client_leaves_while_a_question_is_open),
        cmocka_unit_test(client_leaves_while_connecting),
        cmocka_unit_test(client_leaves_while_relaying),
        cmocka_unit_test(client_leaves_during_a_reply),
        cmocka_unit_test(client_leaves_when_a_pick_was_just_answered),
        cmocka_unit_test(reads_the_request),
        cmocka_unit_test(merges_stages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
