/* SPDX-License-Identifier: MIT */
/* What is said of the code that runs when something goes wrong: whose it is, in what, and for which request. */
#include "at_work_teller.h"

#include <signal.h>
#include <sys/wait.h>

#include "router/ask.h"

enum { LINE_BYTES = 512 };

/* ---- a stage that tells whenever it runs ---- */

static bool asks_router, waits;
static uint8_t goes_back_to;

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    tell();
    if (asks_router) {
        (void)ask_feature(x, WEIR_PEER_PORT);
        tell();
    }
    return waits ? weir_wait(x) : weir_next(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    tell();
}

static void leave(weir_exchange_t *x, void *memory)
{
    tell();
}

static weir_verdict_t enter_later(weir_exchange_t *x, void *memory)
{
    const uint8_t number = goes_back_to;

    goes_back_to = 0;
    return number != 0 ? weir_back(x, number) : weir_next(x);
}

static const weir_stage_t guard = {WEIR_STAGE("guard", 25), .enter = enter, .cancel = cancel, .leave = leave};
static const weir_stage_t later = {WEIR_STAGE("later", 26), .enter = enter_later};

static void open_stages(void)
{
    static const weir_stage_t *const stages[] = {&guard, &later};

    open_teller();
    w.plan.binding.router = &fake_router;
    asks_router = waits = false;
    goes_back_to = 0;
    fake_stages(&w.plan, stages, 2);
}

#define STAGE(callback, stage) "weir: at work: stage guard in " callback ", request " ID ", " stage "\n"

static void a_stage_is_named_in_enter_and_leave(void **state)
{
    open_stages();
    world_request(REQUEST);
    assert_string_equal(read_told(file), STAGE("enter", "stage 25 guard"));
    world_finish(OK_HEAD);
    assert_string_equal(read_told(file), STAGE("leave", "behind the last stage")); /* where the walk is by then */
    assert_idle();
}

static void where_the_walk_is_may_be_another_stage(void **state)
{
    open_stages();
    goes_back_to = 25;
    world_request(REQUEST);
    assert_string_equal(read_told(file),
                        STAGE("enter", "stage 25 guard") STAGE("leave", "stage 26 later") STAGE("enter", "stage 25 guard"));
    world_finish(OK_HEAD);
    assert_idle();
}

static void a_stage_is_named_in_cancel(void **state)
{
    open_stages();
    waits = true;
    world_request(REQUEST);
    assert_string_equal(read_told(file), STAGE("enter", "stage 25 guard"));
    assert_idle(); /* it waits */
    fake_client_gone(&w.front, &weir_fault_client_closed);
    assert_string_equal(read_told(file), STAGE("cancel", "stage 25 guard"));
    world_close();
    assert_string_equal(read_told(file), STAGE("leave", "behind the last stage"));

    open_stages();
    waits = true;
    world_request(REQUEST);
    (void)read_told(file);
    fake_advance(&w.loop, 5000); /* its time is up */
    assert_memory_equal(read_told(file), STAGE("cancel", "stage 25 guard"), strlen(STAGE("cancel", "stage 25 guard")));
    world_close();
    assert_idle();
}

static void a_stage_that_asks_a_router_is_at_work_again_afterwards(void **state)
{
    open_stages();
    w.plan.binding.router = &teller;
    asks_router = true;
    world_request(REQUEST);
    assert_contains(read_told(file),
                    STAGE("enter", "stage 25 guard") ROUTER("feature", "25 guard") STAGE("enter", "stage 25 guard"));
    world_finish(OK_HEAD);
    assert_idle();
}

/* ---- the line ---- */

/* What is told while this exchange, which has not begun its walk, is at work. */
static const char *tell_of(weir_exchange_t *x, const char *kind, const char *name, const char *callback)
{
    const weir_before_t before = weir_at_work_on(x, kind, name, callback);

    tell();
    weir_at_work_back(before);
    return read_told(file);
}

static void open_exchange(void)
{
    world_open(NULL);
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
}

static void end_exchange(void)
{
    weir_exchange_start(w.x);
    world_close();
    assert_idle();
}

static void what_has_no_name_leaves_a_gap(void **state)
{
    open_exchange();
    assert_string_equal(tell_of(w.x, "stage", NULL, "enter"), "weir: at work: stage  in enter, request , stage 0 begin\n");
    end_exchange();
}

static void only_visible_ascii_is_told(void **state)
{
    open_exchange();
    w.x->request.id = WEIR_SPAN("a\x1f b~\x7f\x80\xff\r\n\0c");
    assert_string_equal(tell_of(w.x, "router", "sh\nop\xc3\xbc", "log"),
                        "weir: at work: router sh?op?? in log, request a? b~??????c, stage 0 begin\n");
    end_exchange();
}

/* At most 511 bytes and a newline, wherever the end falls. */
static void a_long_line_is_cut(void **state)
{
    static char name[600];
    const size_t around = strlen("weir: at work: router  in log, request , stage 0 begin\n");

    open_exchange();
    for (size_t length = 0; length<sizeof(name) - 1; length += length> 440 && length < 520 ? 1 : 40) {
        const size_t expected = length + around < LINE_BYTES ? length + around : LINE_BYTES;

        memset(name, 'n', length);
        name[length] = '\0';
        (void)tell_of(w.x, "router", name, "log");
        assert_int_equal(strlen(told), expected);
        assert_ptr_equal(strchr(told, '\n'), told + expected - 1);
    }
    end_exchange();
}

static void a_file_that_is_closed_does_no_harm(void **state)
{
    open_exchange();
    const weir_before_t before = weir_at_work_on(w.x, "router", "shop", "log");
    weir_at_work_tell(-1);
    weir_at_work_tell_all(-1);
    weir_at_work_back(before);
    end_exchange();
}

static void more_is_told_in_lines_of_their_own(void **state)
{
    open_teller();
    waits_for_checkout = true;
    world_request(REQUEST);
    (void)read_told(file);
    fake_advance(&w.loop, 3);
    const weir_before_t before = weir_at_work_on(w.x, "router", "shop", "checkout_service");
    weir_at_work_tell_all(file);
    weir_at_work_back(before);
    (void)read_told(file);
    assert_memory_equal(told, ROUTER("checkout_service", "50 checkout"), strlen(ROUTER("checkout_service", "50 checkout")));
    assert_contains(told, "\nweir:   journal: connects 0 picks 0 checkins 0 status 0 ");
    assert_contains(told, "\nweir:   walk: entered 0 10 20 30 40 50, decision 0, waiting, client is there, no backend, "
                          "a question is open\n");
    assert_contains(told, "; request: GET /path?query, host a\n");
    (void)weir_checkout_refuse(open_question, &fake_fault);
    world_close();
    assert_idle();
}

/* ---- from where things go wrong ---- */

static void on_signal(int number)
{
    tell();
}

static weir_verdict_t enter_with_signal(weir_exchange_t *x, void *memory)
{
    raise(SIGUSR1);
    return weir_next(x);
}

static void a_signal_handler_may_tell(void **state)
{
    static const weir_stage_t raising = {WEIR_STAGE("raising", 25), .enter = enter_with_signal};
    static const weir_stage_t *const stages[] = {&raising};
    struct sigaction act = {.sa_handler = on_signal}, before;

    assert_int_equal(sigaction(SIGUSR1, &act, &before), 0);
    world_open(NULL);
    fake_stages(&w.plan, stages, 1);
    world_request(REQUEST);
    assert_string_equal(read_told(file), "weir: at work: stage raising in enter, request " ID ", stage 25 raising\n");
    world_finish(OK_HEAD);
    sigaction(SIGUSR1, &before, NULL);
}

static void what_must_hold_tells_it_beside_its_sentence(void **state)
{
    int status;
    pid_t child;

    open_exchange();
    child = fork();
    if (child == 0) {
        dup2(file, STDERR_FILENO);
        (void)weir_at_work_on(w.x, "router", "shop", "log");
        WEIR_MUST(1 + 1 == 3);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_contains(read_told(file), "must hold: 1 + 1 == 3\nweir: at work: router shop in log, request , stage 0 begin\n");
    end_exchange();
}

/* ---- two threads ---- */

typedef struct side {
    weir_loop_t loop;
    weir_plan_t plan;
    weir_front_t front;
    int told;
    const char *request;
} side_t;

static side_t sides[2];
static pthread_barrier_t barrier;

/* Both are in their router when they tell. */
static weir_answer_t meet(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    side_t *side = (side_t *)(void *)weir_request_shared(r);

    pthread_barrier_wait(&barrier);
    weir_at_work_tell(side->told);
    pthread_barrier_wait(&barrier);
    return weir_lookup_refuse(q, &fake_fault);
}

static void *serve(void *argument)
{
    static const weir_router_t router = {WEIR_ROUTER("meeting"), .lookup_domain_name = meet, .checkout_service = checkout,
                                         .service_backend = backend};
    side_t *side = argument;

    fake_loop_init(&side->loop);
    side->plan = fake_plan(&router, (weir_shared_t *)(void *)side, NULL);
    weir_exchange_start(fake_exchange(&side->loop, &side->plan, &side->front, side->request));
    fake_run(&side->loop);
    weir_at_work_tell(side->told); /* nothing any more */
    fake_loop_finish(&side->loop);
    return NULL;
}

static void each_thread_is_at_its_own_work(void **state)
{
    pthread_t threads[2];

    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    sides[0].request = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 00000000000000000000\r\n\r\n";
    sides[1].request = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 11111111111111111111\r\n\r\n";
    for (size_t i = 0; i < 2; i++) {
        sides[i].told = memfd_create("told", 0);
        assert_int_equal(pthread_create(&threads[i], NULL, serve, &sides[i]), 0);
    }
    assert_idle(); /* whatever they do */
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_string_equal(read_told(sides[0].told), "weir: at work: router meeting in lookup_domain_name, "
                                                  "request 00000000000000000000, stage 20 lookup\n");
    assert_string_equal(read_told(sides[1].told), "weir: at work: router meeting in lookup_domain_name, "
                                                  "request 11111111111111111111, stage 20 lookup\n");
    for (size_t i = 0; i < 2; i++)
        close(sides[i].told);
    pthread_barrier_destroy(&barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_is_named_in_enter_and_leave),
        cmocka_unit_test(where_the_walk_is_may_be_another_stage),
        cmocka_unit_test(a_stage_is_named_in_cancel),
        cmocka_unit_test(a_stage_that_asks_a_router_is_at_work_again_afterwards),
        cmocka_unit_test(what_has_no_name_leaves_a_gap),
        cmocka_unit_test(only_visible_ascii_is_told),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(a_file_that_is_closed_does_no_harm),
        cmocka_unit_test(more_is_told_in_lines_of_their_own),
        cmocka_unit_test(a_signal_handler_may_tell),
        cmocka_unit_test(what_must_hold_tells_it_beside_its_sentence),
        cmocka_unit_test(each_thread_is_at_its_own_work),
    };

    return cmocka_run_group_tests(tests, open_file, close_file);
}
