/* SPDX-License-Identifier: MIT */
/*
 * The walk under every order of events up to a depth of four: at each question, each connect, each letter under way and each
 * point where everybody waits there is one usual thing that happens next and a few unusual ones. Every request is walked once
 * for every way of choosing at most four unusual things ($WEIR_WALK_DEPTH: fewer). The invariants of docs/architecture.md are
 * the oracle: most stand in the pipeline and in the fake world, the rest in check_end().
 */
#include "unit.h"

enum { DEPTH_MOST = 4, CHOICES_MOST = 400, STEPS_MOST = 400, ENTRIES_MOST = 64 };

/* ---- choices ---- */

static struct {
    uint8_t choice, width;
} path[CHOICES_MOST];
static size_t path_length, path_at;
static unsigned unusual, unusual_most = DEPTH_MOST;

/* 0 is the usual thing; every other costs one of `unusual_most`. */
static unsigned choose(unsigned width)
{
    unsigned choice;

    assert_true(path_at < CHOICES_MOST);
    if (path_at == path_length)
        path[path_length++].choice = 0;
    path[path_at].width = (uint8_t)(unusual < unusual_most ? width : 1);
    choice = path[path_at++].choice;
    unusual += choice != 0;
    return choice;
}

/* The next way through the tree of choices; false behind the last. */
static bool next_path(void)
{
    path_length = path_at;
    while (path_length > 0) {
        if (++path[path_length - 1].choice < path[path_length - 1].width)
            return true;
        path_length--;
    }
    return false;
}

static const char *path_text(void)
{
    static char text[3 * CHOICES_MOST];
    size_t length = 0;

    for (size_t i = 0; i < path_at; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%u ", path[i].choice);
    return text;
}

/* ---- a stage that is cancelled, and one that is awaited ---- */

static uint8_t entered[ENTRIES_MOST];
static size_t depth;
static bool is_over;     /* 00 has been left */
static unsigned backs;   /* a stage sent the walk back: a service in hand is checked in before the next is picked */
static bool is_complete; /* the backend's response went out whole */

static weir_verdict_t speak(weir_exchange_t *x, unsigned verdict)
{
    switch (verdict) {
    case 1:
        return weir_refuse(x, &fake_fault);
    case 2:
        return weir_done(x);
    case 3:
        return weir_reply(x, 200, WEIR_SPAN("stage"));
    case 4:
        backs++;
        return weir_back(x, x->plan->stages[x->walk.at]->number == 55 ? 50 : 45);
    default:
        return weir_next(x);
    }
}

static void run(weir_exchange_t *x, void *arg)
{
    (void)speak(x, 0);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    unsigned choice = choose(7);

    assert_true(depth < ENTRIES_MOST);
    entered[depth++] = x->plan->stages[x->walk.at]->number;
    if (choice < 5)
        return speak(x, choice);
    if (choice == 6)
        weir_exchange_post(x, run, NULL);
    return weir_wait(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    assert_true(x->walk.is_waiting); /* the client is gone, or the stage's time is up */
}

static void left(uint8_t number)
{
    assert_true(depth > 0 && entered[--depth] == number); /* invariant 6 */
}

static void leave_45(weir_exchange_t *x, void *memory)
{
    left(45);
}

static void leave_55(weir_exchange_t *x, void *memory)
{
    left(55);
}

static void leave_begin(weir_exchange_t *x, void *memory)
{
    assert_false(is_over);
    assert_int_equal(depth, 0);
    is_over = true;
}

static const weir_stage_t stage_45 = {.number = 45, .name = "45", .enter = enter, .leave = leave_45};
static const weir_stage_t stage_55 = {.number = 55, .name = "55", .enter = enter, .cancel = cancel, .leave = leave_55};
static weir_stage_t begin; /* 00, and what tells us the end */
static const weir_stage_t *stages[WEIR_STAGES_MAX + 1];

/* ---- what the router and the backend do when they are asked ---- */

static void before(weir_shared_t *script, fake_kind_t kind)
{
    static const fake_how_t hows[] = {FAKE_NOW, FAKE_LATER, FAKE_FORGET, FAKE_NOW, FAKE_LATER, FAKE_NOW, FAKE_LATER};
    static const unsigned widths[FAKE_KINDS] = {7, 7, 5, 3, 3, 3};
    unsigned choice = choose(widths[kind]);

    script->how[kind] = hows[choice];
    script->refuses[kind] = choice == 3 || choice == 4;
    script->fault[kind] = choice == 3 ? &fake_fault : NULL;
    script->init_status = kind == FAKE_INIT && choice >= 5 ? 200 : 0;
    script->redirect = kind == FAKE_LOOKUP && choice >= 5 ? "b.example" : NULL;
}

static void before_connect(weir_loop_t *loop)
{
    unsigned choice = choose(5);
    size_t at = loop->connect_at;

    loop->connects[at].how = choice == 1 ? FAKE_CONNECT_HELD : choice == 4 ? FAKE_CONNECT_LATER : FAKE_CONNECT_NOW;
    loop->connects[at].fault = choice >= 3 ? &weir_fault_backend_refused : NULL;
    loop->connects[at].is_pooled = choice == 2;
    loop->connect_count = at + 1;
}

/* ---- what may happen while everybody waits ---- */

typedef bool event_t(void); /* false: it cannot happen now */

static const weir_stage_t *current(void)
{
    static const weir_stage_t none = {.number = 99};

    return w.x->walk.at < w.plan.stage_count ? w.plan.stages[w.x->walk.at] : &none; /* a verdict that is owed is awaited */
}

static bool opens_a_letter(void)
{
    return fake_run_one(&w.loop);
}

static bool answers(void)
{
    return fake_answer(&w.script);
}

static bool connects(void)
{
    if (w.x->dial == NULL || current()->number != 60)
        return false;
    fake_connected(w.x, NULL);
    return true;
}

static bool fails_to_connect(void)
{
    if (w.x->dial == NULL)
        return false;
    fake_connected(w.x, &weir_fault_backend_connect_timeout);
    return true;
}

static bool is_relaying(void)
{
    return w.x->back != NULL && w.x->back->is_relaying && w.x->walk.decision == WEIR_UNDECIDED;
}

static bool responds(void)
{
    return is_relaying() && !w.x->has_responded && fake_respond(w.x, OK_HEAD);
}

static bool fails_with_status(void)
{
    return is_relaying() && !w.x->has_responded && fake_respond(w.x, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
}

static bool says_continue(void)
{
    return is_relaying() && !w.x->has_responded && fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n");
}

static bool switches(void)
{
    return is_relaying() && !w.x->has_responded && fake_respond(w.x, "HTTP/1.1 101 Switching\r\nUpgrade: b\r\n\r\n");
}

static bool responds_wrongly(void)
{
    return is_relaying() && !w.x->has_responded &&
           fake_respond(w.x, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
}

static bool completes(void)
{
    if (!is_relaying() || !w.x->has_responded)
        return false;
    is_complete = true;
    return fake_relay_end(w.x, NULL);
}

static bool fails_to_relay(void)
{
    return is_relaying() &&
           fake_relay_end(w.x, w.x->has_responded ? &weir_fault_backend_truncated : &weir_fault_backend_closed);
}

static bool delivers(void)
{
    if (w.front.x == NULL || w.front.then == NULL)
        return false;
    fake_deliver(&w.front);
    return true;
}

static bool leaves(void)
{
    if (w.front.x == NULL)
        return false;
    fake_client_gone(&w.front, &weir_fault_client_closed);
    return true;
}

static bool takes_too_long(void)
{
    if (weir_list_is_empty(&w.loop.timers))
        return false;
    fake_advance(&w.loop, 6000);
    return true;
}

/* A timer that runs while letters are under way. */
static bool is_due(void)
{
    weir_timer_t *timer;

    if (weir_list_is_empty(&w.loop.timers))
        return false;
    timer = WEIR_AROUND(w.loop.timers.next, weir_timer_t, link);
    weir_list_remove(&timer->link);
    w.loop.now_us = timer->due_at_ms * 1000;
    timer->on_due(timer);
    return true;
}

static bool stage_says(unsigned verdict)
{
    uint8_t number = current()->number;

    if ((number != 45 && number != 55) || !w.x->walk.is_waiting || w.x->walk.is_replying ||
        w.x->walk.decision != WEIR_UNDECIDED || atomic_load(&w.x->walk.posts) != 0)
        return false;
    (void)speak(w.x, verdict);
    return true;
}

static bool stage_says_next(void)
{
    return stage_says(0);
}

/* One whose time was up, and that could not be cancelled. */
static bool stage_speaks_late(void)
{
    if (!w.x->walk.owes || atomic_load(&w.x->walk.posts) != 0)
        return false;
    (void)weir_next(w.x);
    return true;
}

static bool stage_refuses(void)
{
    return stage_says(1);
}

static bool stage_replies(void)
{
    return stage_says(3);
}

/* In the order of what is usual: what the walk needs to go on comes before what disturbs it. */
static event_t *const at_rest[] = {answers,           connects,         stage_says_next, delivers,      responds,
                                   completes,         leaves,           takes_too_long,  says_continue, switches,
                                   responds_wrongly,  fails_to_connect, fails_to_relay,  stage_refuses, stage_replies,
                                   stage_speaks_late, fails_with_status};
static event_t *const under_way[] = {opens_a_letter, leaves, answers, is_due, stage_speaks_late};

/* Whether the event can happen is seen by trying: so the tree has branches in which nothing happens, and they end here. */
static bool happen(event_t *const *events, unsigned count)
{
    unsigned choice = choose(count), at = 0;

    if (choice != 0) {
        /* The usual one is whichever comes first; choosing it under its own number would be the same walk twice. */
        return events[choice]();
    }
    while (at < count && !events[at]())
        at++;
    return at < count;
}

static bool walk_one(void)
{
    for (unsigned step = 0; !is_over || !weir_list_is_empty(&w.loop.letters); step++) {
        bool has_letters = !weir_list_is_empty(&w.loop.letters);
        assert_true(step < STEPS_MOST);
        if (is_over)
            fake_run(&w.loop);
        else if (!(has_letters ? happen(under_way, sizeof(under_way) / sizeof(under_way[0]))
                               : happen(at_rest, sizeof(at_rest) / sizeof(at_rest[0]))))
            return false;
    }
    return true;
}

/* ---- the oracle ---- */

static void must(bool holds, const char *what)
{
    if (!holds)
        fail_msg("%s: not after the choices %s(fault %s)", what, path_text(),
                 w.script.last_fault == NULL ? "-" : w.script.last_fault->name);
}

/* A client may leave after the closing check-in: the reason is then news. */
static bool is_told(const weir_shared_t *script)
{
    return script->checkin_fault == script->last_fault ||
           (script->checkin_fault == NULL && script->last_fault == &weir_fault_client_closed);
}

/* Every reason is asked of error_page exactly once, if there is still somebody to see the page. */
static bool has_asked_for_a_page(const weir_shared_t *script)
{
    if (script->last_fault == NULL)
        return script->asked[FAKE_PAGE] == 0;
    if (w.front.is_gone || w.front.is_cut || script->last_fault == &weir_fault_router_timeout)
        return script->asked[FAKE_PAGE] <= 1;
    return script->asked[FAKE_PAGE] == 1;
}

static void check_end(void)
{
    const weir_shared_t *script = &w.script;
    weir_books_t books = weir_exchange_books();

    must(weir_exchange_count() == 0 && books.begun == books.ended, "every request ends");
    must(books.picks == books.checkins && script->picks == script->checkins, "every service comes back");
    must(script->asked[FAKE_INIT] == 1 && script->asked[FAKE_LOOKUP] <= 1, "init and lookup are asked once");
    must(script->logs == (script->has_answered_all ? 0 : 1), "log is called once");
    must(script->terminates == script->logs, "terminate is called once");
    must(script->last_checkins >= script->logs && script->last_checkins <= script->logs + backs + script->retried,
         "the closing check-in is made once");
    must(w.front.responses <= 1 && (w.front.is_gone || w.front.status != 0), "there is one response");
    if (script->terminates == 0)
        return;
    must(has_asked_for_a_page(script), "error_page is asked once for each reason");
    must(is_told(script), "the closing check-in tells the reason");
    must((script->outcome == WEIR_ERROR) == (script->last_fault != NULL), "a fault is an error");
    must((script->outcome == WEIR_SUCCESSFUL) == (is_complete && script->last_fault == NULL), "a whole response is a success");
    must(!is_complete || script->phase == WEIR_CONNECTED, "and comes of a connection");
}

/* A walk that cannot go on as chosen is brought to its end all the same: nothing may hang, whatever happened before. */
static void bring_to_the_end(void)
{
    static event_t *const helpful[] = {opens_a_letter, answers,  connects,  stage_says_next,
                                       delivers,       responds, completes, stage_speaks_late};

    for (unsigned step = 0; !is_over || !weir_list_is_empty(&w.loop.letters); step++) {
        unsigned at = 0;
        assert_true(step < STEPS_MOST);
        unusual = unusual_most; /* choose() has no choice left */
        if (is_over) {
            fake_run(&w.loop);
            continue;
        }
        while (at < sizeof(helpful) / sizeof(helpful[0]) && !helpful[at]())
            at++;
        if (at == sizeof(helpful) / sizeof(helpful[0]))
            fail_msg("nobody goes on at stage %u after %s", current()->number, path_text());
    }
}

/* Every walk of one request. */
static unsigned long walk_all(const char *request, bool is_deep, bool holds_delivery, bool is_keen)
{
    static const weir_stage_t *const extra[] = {&stage_45, &stage_55};
    unsigned long count = 0;

    path_length = 0;
    do {
        path_at = unusual = 0;
        depth = backs = 0;
        is_over = is_complete = false;
        world_open(NULL);
        fake_stages(&w.plan, extra, 2);
        memcpy(stages, w.plan.stages, sizeof(stages));
        begin = *stages[0];
        begin.leave = leave_begin;
        stages[0] = &begin;
        w.plan.stages = stages;
        w.loop.is_quiet = true;
        w.loop.before_connect = before_connect;
        w.script.before = before;
        w.script.has_deep_continue = is_deep;
        w.script.services_max = 2;
        w.script.keepalive = WEIR_REUSE;
        w.script.retries = is_keen ? 2 : 0;
        w.script.answers_when_abandoned = is_keen;
        w.x = fake_exchange(&w.loop, &w.plan, &w.front, request);
        w.front.holds_delivery = holds_delivery;
        weir_exchange_start(w.x);
        count += walk_one();
        bring_to_the_end();
        check_end();
        fake_loop_finish(&w.loop);
    } while (next_path());
    return count;
}

static void report(const char *what, unsigned long count)
{
    printf("# %lu walks of %s, with up to %u unusual things each\n", count, what, unusual_most);
    assert_true(count > (unusual_most == DEPTH_MOST ? 10000 : 100));
}

static void a_plain_request(void **state)
{
    report("a plain request", walk_all("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, false, false));
}

static void a_request_whose_answer_takes_its_time(void **state)
{
    report("a request whose answer takes its time", walk_all("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, true, false));
}

static void a_request_that_expects(void **state)
{
    static const char request[] = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

    report("a request that expects a 100", walk_all(request, true, false, false));
}

static void a_request_for_another_protocol(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n";

    report("a request for another protocol", walk_all(request, false, false, false));
}

static void a_router_that_retries_and_answers_what_is_abandoned(void **state)
{
    report("a router that retries", walk_all("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, false, true));
}

int main(void)
{
    const char *wanted = getenv("WEIR_WALK_DEPTH"); /* under valgrind: less of it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request),
        cmocka_unit_test(a_request_whose_answer_takes_its_time),
        cmocka_unit_test(a_request_that_expects),
        cmocka_unit_test(a_request_for_another_protocol),
        cmocka_unit_test(a_router_that_retries_and_answers_what_is_abandoned),
    };

    if (wanted != NULL && wanted[0] >= '1' && wanted[0] <= '0' + DEPTH_MOST)
        unusual_most = (unsigned)(wanted[0] - '0');
    return cmocka_run_group_tests(tests, NULL, NULL);
}
