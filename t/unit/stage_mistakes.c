/* SPDX-License-Identifier: MIT */
/*
 * What stages of users do wrong costs their request: verdicts that are none, two of them, from elsewhere, too late, or never.
 */
#include "unit.h"

typedef weir_verdict_t act_t(weir_exchange_t *x);

static act_t *act; /* what the stage does in enter */
static unsigned enters, cancels, leaves;
static void *memory_of_enter;

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    enters++;
    memory_of_enter = memory;
    assert_ptr_equal(weir_stage_memory(x), memory);
    return act(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    cancels++;
}

static void leave(weir_exchange_t *x, void *memory)
{
    leaves++;
}

static const weir_stage_t patient = {WEIR_STAGE("patient", 25), .memory_size = 8, .enter = enter, .leave = leave};
static const weir_stage_t nervous = {WEIR_STAGE("nervous", 25), .memory_size = 8, .enter = enter, .cancel = cancel,
                                     .leave = leave};

static void open_with(const weir_stage_t *stage, act_t *what)
{
    world_open(NULL);
    act = what;
    enters = cancels = leaves = 0;
    fake_stages(&w.plan, &stage, 1);
}

static void assert_500(act_t *what)
{
    open_with(&patient, what);
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 500);
    assert_contains(w.front.body, "stage_bad_verdict");
    assert_ptr_equal(w.script.last_fault, &weir_fault_stage_bad_verdict);
    assert_int_equal(leaves, enters);
    assert_int_equal(w.script.terminates, 1);
}

static weir_verdict_t say_nothing(weir_exchange_t *x)
{
    return (weir_verdict_t){0};
}

static weir_verdict_t say_two(weir_exchange_t *x)
{
    (void)weir_next(x);
    return weir_done(x);
}

static weir_verdict_t go_where_nobody_was(weir_exchange_t *x)
{
    return weir_back(x, 50);
}

static weir_verdict_t go_to_no_stage(weir_exchange_t *x)
{
    return weir_back(x, 11);
}

static weir_verdict_t refuse_without(weir_exchange_t *x)
{
    return weir_refuse(x, NULL);
}

static weir_verdict_t refuse_nameless(weir_exchange_t *x)
{
    static const weir_fault_t nameless = {NULL, 403, WEIR_BLAME_CLIENT, "Nobody knows why."};

    return weir_refuse(x, &nameless);
}

static weir_verdict_t refuse_with_an_empty_name(weir_exchange_t *x)
{
    static const weir_fault_t nameless = {"", 403, WEIR_BLAME_CLIENT, "Nobody knows why."};

    return weir_refuse(x, &nameless);
}

static weir_verdict_t reply_strangely(weir_exchange_t *x)
{
    return weir_reply(x, 600, WEIR_SPAN(""));
}

static void mistakes_in_enter(void **state)
{
    act_t *const acts[] = {say_nothing,    say_two,         go_where_nobody_was,       go_to_no_stage,
                           refuse_without, refuse_nameless, refuse_with_an_empty_name, reply_strangely};

    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        assert_500(acts[i]);
}

static weir_verdict_t wait(weir_exchange_t *x)
{
    return weir_wait(x);
}

static void two_verdicts_later(void **state)
{
    open_with(&patient, wait);
    world_request(GET);
    (void)weir_next(w.x);
    (void)weir_next(w.x); /* before the first was followed */
    world_close();
    assert_ptr_equal(w.script.last_fault, &weir_fault_stage_bad_verdict);
}

static void a_second_one_when_the_walk_is_further_on_is_ignored(void **state)
{
    open_with(&patient, wait);
    world_request(GET);
    (void)weir_next(w.x);
    fake_run(&w.loop);
    (void)weir_next(w.x); /* 70 waits for the backend by now */
    (void)weir_refuse(w.x, &fake_fault);
    (void)weir_back(w.x, 20);
    (void)weir_reply(w.x, 200, WEIR_SPAN("no"));
    world_finish(OK_HEAD);
    assert_int_equal(w.front.status, 200);
    assert_null(w.script.last_fault);
}

static weir_verdict_t reply_and_go_on(weir_exchange_t *x)
{
    (void)weir_reply(x, 203, WEIR_SPAN("mine"));
    return weir_next(x);
}

static void a_reply_stands(void **state)
{
    open_with(&patient, reply_and_go_on);
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 203);
    assert_string_equal(w.front.body, "mine");
    assert_int_equal(w.front.responses, 1);
}

/* ---- from another thread ---- */

static void *speak(void *x)
{
    (void)weir_next(x);
    return NULL;
}

static void a_verdict_on_another_thread_is_refused(void **state)
{
    pthread_t thread;

    open_with(&patient, wait);
    world_request(GET);
    assert_int_equal(pthread_create(&thread, NULL, speak, w.x), 0);
    pthread_join(thread, NULL);
    world_close();
    assert_int_equal(w.front.status, 500);
    assert_ptr_equal(w.script.last_fault, &weir_fault_stage_bad_verdict);
}

/* ---- for ever ---- */

static weir_verdict_t again(weir_exchange_t *x)
{
    return weir_back(x, 25);
}

static void a_stage_that_goes_back_to_itself(void **state)
{
    open_with(&patient, again);
    world_request(GET);
    world_close();
    assert_int_equal(enters, 1001);
    assert_int_equal(leaves, 1001);
    assert_ptr_equal(w.script.last_fault, &weir_fault_too_many_attempts);
}

/* ---- too late ---- */

static void a_stage_that_can_be_cancelled_is(void **state)
{
    open_with(&nervous, wait);
    world_request(GET);
    fake_advance(&w.loop, 4999);
    fake_run(&w.loop);
    assert_int_equal(cancels, 0);
    fake_advance(&w.loop, 1);
    world_close();
    assert_int_equal(cancels, 1);
    assert_int_equal(w.front.status, 503);
    assert_contains(w.front.body, "stage_timeout");
    assert_ptr_equal(w.script.last_fault, &weir_fault_stage_timeout);
    assert_int_equal(leaves, 1);
}

static void another_one_owes_its_verdict(void **state)
{
    open_with(&patient, wait);
    world_request(GET);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    assert_int_equal(w.front.status, 503); /* the client does not wait for it */
    assert_int_equal(w.script.terminates, 1);
    assert_int_equal(leaves, 0); /* but it is at work still */
    assert_int_equal(weir_exchange_count(), 1);
    (void)weir_refuse(w.x, &fake_fault);
    assert_int_equal(weir_exchange_count(), 1); /* never on the speaker's stack */
    world_close();
    assert_int_equal(leaves, 1);
    assert_ptr_equal(w.script.last_fault, &weir_fault_stage_timeout);
}

static void run(weir_exchange_t *x, void *arg)
{
    assert_ptr_equal(arg, memory_of_enter);
    (void)weir_next(x);
}

static void *post(void *x)
{
    weir_exchange_post(x, run, memory_of_enter);
    return NULL;
}

static void it_may_owe_it_by_a_letter(void **state)
{
    pthread_t thread;

    open_with(&patient, wait);
    world_request(GET);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    assert_int_equal(pthread_create(&thread, NULL, post, w.x), 0);
    pthread_join(thread, NULL);
    world_close();
    assert_int_equal(leaves, 1);
}

static void and_while_the_page_is_asked_for(void **state)
{
    open_with(&patient, wait);
    w.script.how[FAKE_PAGE] = FAKE_LATER;
    world_request(GET);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    (void)weir_next(w.x); /* 75 waits for its router: this is not its verdict */
    fake_run(&w.loop);
    assert_int_equal(w.script.terminates, 0);
    assert_true(fake_answer(&w.script));
    world_close();
    assert_int_equal(w.front.status, 503);
    assert_int_equal(leaves, 1);
}

static void the_client_goes_and_the_stage_says_nothing(void **state)
{
    open_with(&patient, wait);
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_int_equal(w.script.terminates, 0);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    assert_int_equal(w.script.terminates, 1); /* nobody waits for ever */
    (void)weir_done(w.x);
    world_close();
    assert_ptr_equal(w.script.last_fault, &weir_fault_client_closed);
}

static void a_reply_has_all_the_time_it_takes(void **state)
{
    open_with(&nervous, wait);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    w.front.holds_delivery = true;
    weir_exchange_start(w.x);
    (void)weir_reply(w.x, 200, WEIR_SPAN("slow client"));
    fake_advance(&w.loop, 60000);
    fake_run(&w.loop);
    fake_deliver(&w.front);
    world_close();
    assert_int_equal(cancels, 0);
    assert_null(w.script.last_fault);
}

static void built_in_stages_keep_their_own_time(void **state)
{
    world_open(NULL);
    w.plan.stage_timeout_ms = 1;
    world_request(GET);
    fake_advance(&w.loop, 20000);
    fake_run(&w.loop);
    world_finish(OK_HEAD);
    assert_null(w.script.last_fault);
}

/* ---- a refusal with headers ---- */

static weir_verdict_t want_a_token(weir_exchange_t *x)
{
    static const weir_fault_t token_missing = {"token_missing", 401, WEIR_BLAME_CLIENT, NULL};

    weir_reply_header(x, WEIR_SPAN("WWW-Authenticate"), WEIR_SPAN("Bearer realm=\"shop\""));
    weir_reply_header(x, WEIR_SPAN("Content-Length"), WEIR_SPAN("7"));
    return weir_refuse(x, &token_missing);
}

static void a_refusal_says_more(void **state)
{
    open_with(&patient, want_a_token);
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 401);
    assert_contains(w.front.head, "WWW-Authenticate: Bearer realm=\"shop\"\n");
    assert_lacks(w.front.head, "Content-Length");
}

static weir_verdict_t only_prepare(weir_exchange_t *x)
{
    weir_reply_header(x, WEIR_SPAN("X-Forgotten"), WEIR_SPAN("yes"));
    return weir_next(x);
}

static void headers_of_a_stage_that_went_on_are_forgotten(void **state)
{
    open_with(&patient, only_prepare);
    w.script.refuses[FAKE_CHECKOUT] = true;
    w.script.fault[FAKE_CHECKOUT] = &fake_fault;
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 404);
    assert_lacks(w.front.head, "X-Forgotten");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_in_enter),
        cmocka_unit_test(two_verdicts_later),
        cmocka_unit_test(a_second_one_when_the_walk_is_further_on_is_ignored),
        cmocka_unit_test(a_reply_stands),
        cmocka_unit_test(a_verdict_on_another_thread_is_refused),
        cmocka_unit_test(a_stage_that_goes_back_to_itself),
        cmocka_unit_test(a_stage_that_can_be_cancelled_is),
        cmocka_unit_test(another_one_owes_its_verdict),
        cmocka_unit_test(it_may_owe_it_by_a_letter),
        cmocka_unit_test(and_while_the_page_is_asked_for),
        cmocka_unit_test(the_client_goes_and_the_stage_says_nothing),
        cmocka_unit_test(a_reply_has_all_the_time_it_takes),
        cmocka_unit_test(built_in_stages_keep_their_own_time),
        cmocka_unit_test(a_refusal_says_more),
        cmocka_unit_test(headers_of_a_stage_that_went_on_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
