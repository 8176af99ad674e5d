/* SPDX-License-Identifier: MIT */
#include "router/ask.h"

#include "lib/base/must.h"
#include "lib/base/thread.h"
#include "lib/walk/attempt.h"
#include "lib/walk/trace.h"
#include "router/call.h"
#include "router/describe.h"
#include "router/question.h"

static const weir_router_t *router_of(const weir_exchange_t *x)
{
    return x->binding->router;
}

/* ---- settling ---- */

/* The headers that were set on the question, for its answer. */
static void collect_headers(ask_question_t *q)
{
    for (const ask_field_t *field = q->fields; field != NULL; field = field->next)
        weir_headers_add(&q->page_headers, &q->x->arena, field->name, field->value);
    q->answer.page_headers = &q->page_headers;
}

static void complete_page(ask_question_t *q)
{
    weir_headers_t *headers = &q->page_headers;
    ask_answer_t *answer = &q->answer;

    collect_headers(q);
    if (answer->page_status == 0)
        answer->page_status = ask_default_status(q->about);
    if (q->has_body)
        return;
    answer->page_body = ask_default_body(q->x, q->about, answer->page_status);
    if (weir_headers_find_name(headers, WEIR_SPAN("Content-Type")) == NULL)
        weir_headers_add(headers, &q->x->arena, WEIR_SPAN("Content-Type"), WEIR_SPAN("text/plain; charset=utf-8"));
}

static bool is_pick(const ask_question_t *q)
{
    return q->kind == ASK_CHECKOUT && q->answer.fault == NULL && q->answer.again_ms == 0;
}

/* Nobody waits: what was picked is owed a check-in, the rest is dropped. */
static void settle_late(weir_exchange_t *x, const ask_question_t *q)
{
    void (*on_idle)(weir_exchange_t *) = x->on_idle;

    if (is_pick(q)) {
        WEIR_MUST(!x->has_service);
        weir_attempt_begin(x, q->answer.service);
        x->attempt.is_told = true; /* nothing will be tried with it */
    }
    if (on_idle == NULL)
        return;
    x->on_idle = NULL;
    on_idle(x);
}

static void settle(ask_question_t *q)
{
    weir_exchange_t *x = q->x;
    ask_then_t *then = q->then;

    weir_timer_cancel(&q->timer);
    if (q->kind == ASK_PAGE && then != NULL)
        complete_page(q);
    if (q->kind == ASK_INIT && q->answer.page_status != 0) {
        collect_headers(q);
        x->is_router_done = true; /* Vegur: also if nobody waits for the answer any more */
    }
    weir_arena_adopt(&x->arena, &q->apart);
    x->question = NULL;
    x->on_gone = NULL;
    if (q->kind == ASK_LOOKUP && then != NULL && q->answer.fault == NULL && q->answer.redirect.base == NULL)
        x->app = q->answer.app.base != NULL ? q->answer.app : ask_name_of_group(x, q->answer.group);
    x->journal.picks += is_pick(q);
    if (then == NULL)
        settle_late(x, q);
    else
        then(x, &q->answer);
    ask_question_free(q); /* x may be gone */
}

static void on_answered(weir_letter_t *letter)
{
    settle(WEIR_AROUND(letter, ask_question_t, letter));
}

/* ---- nobody waits any more ---- */

/*
 * Takes the question from those who waited, and tells the router so, unless its answer is there already. What it answers in
 * that call is settled at once, so that another question may follow.
 */
static void give_up(ask_question_t *q, weir_gone_t why)
{
    weir_exchange_t *x = q->x;
    const weir_router_t *router = router_of(x);
    weir_before_t before;

    q->then = NULL;
    weir_timer_cancel(&q->timer);
    if (router->abandoned == NULL || atomic_load_explicit(&q->state, memory_order_acquire) == ASK_ANSWERED)
        return;
    q->is_abandoning = true;
    before = router_call_begin(x, "abandoned");
    router->abandoned(x->state, &x->request, why);
    router_call_end(x, before, WEIR_TIMES_on_abandoned);
    q->is_abandoning = false;
    if (q->is_answered_here)
        settle(q);
}

/* Neither has anybody stopped waiting, nor is the letter with the answer on its way. */
static bool is_awaited(const ask_question_t *q)
{
    return q->then != NULL && atomic_load_explicit(&q->state, memory_order_acquire) != ASK_ANSWERED;
}

/* The question stays open and keeps its slot; only those who wait go on. */
static void answer_in_its_place(ask_question_t *q, weir_gone_t why, const weir_fault_t *fault)
{
    weir_exchange_t *x = q->x;
    ask_then_t *then = q->then;
    const bool is_page = q->kind == ASK_PAGE;
    const weir_fault_t *about = q->about;
    ask_answer_t answer = {.fault = fault};
    weir_headers_t headers;

    give_up(q, why);
    if (is_page)
        ask_default_page(x, about, &headers, &answer);
    then(x, &answer);
}

static void on_due(weir_timer_t *timer)
{
    ask_question_t *q = WEIR_AROUND(timer, ask_question_t, timer);

    if (!is_awaited(q))
        return;
    if (q->overdue == &weir_fault_router_timeout)
        ask_complain(q->x, ask_name(q->kind), "did not answer in time");
    answer_in_its_place(q, WEIR_GONE_DEADLINE, q->overdue);
}

static weir_gone_t gone_of(const weir_exchange_t *x)
{
    return x->is_shut_down ? WEIR_GONE_SHUTDOWN : WEIR_GONE_CLIENT;
}

/* Of a question whose stage is not cancelled. A check-in is nothing that the client waits for. */
static void on_gone(weir_exchange_t *x)
{
    ask_question_t *q = x->question;

    if (!is_awaited(q) || (q->kind == ASK_CHECKIN && !x->is_shut_down))
        return;
    answer_in_its_place(q, gone_of(x), x->is_shut_down ? &weir_fault_shutting_down : &weir_fault_client_closed);
}

void ask_abandon(weir_exchange_t *x)
{
    if (x->question == NULL || x->question->then == NULL)
        return;
    give_up(x->question, gone_of(x));
}

void ask_when_idle(weir_exchange_t *x, void (*then)(weir_exchange_t *x))
{
    if (x->question == NULL) {
        then(x);
        return;
    }
    x->on_idle = then;
}

/* ---- asking ---- */

static ask_question_t *question_make(weir_exchange_t *x, ask_kind_t kind, ask_then_t *then)
{
    WEIR_MUST(x->question == NULL); /* ORDER: one request has at most one open question */
    x->on_gone = on_gone;
    return x->question = ask_question_create(x, kind, then);
}

/* Who stands in a line of the router's was answered meanwhile: those before it may have letters on their way. */
static void settle_returned(ask_question_t *q)
{
    if (q->wait_ms != 0)
        weir_loop_post(q->x->loop, &q->letter);
    else
        settle(q);
}

/* The callback has returned. If it answered, the answer settles here, on our stack, else from the loop. */
static void returned(ask_question_t *q, weir_answer_t proof)
{
    ask_state_t calling = ASK_CALLING;
    uint32_t wait_ms;

    q->letter.open = on_answered;
    if (proof.seal_ != ASK_SEAL && ask_revoke(q)) {
        ask_complain(q->x, ask_name(q->kind), "returned without an answer");
        q->answer.fault = &weir_fault_router_bad_answer; /* neither answered nor promised: no answer will come */
        atomic_store(&q->state, ASK_ANSWERED);
    }
    wait_ms = q->wait_ms; /* read before another thread can settle it: it is this thread that has written it */
    if (wait_ms == 0) {
        wait_ms = q->x->plan->router_timeout_ms;
        q->overdue = &weir_fault_router_timeout;
    }
    if (atomic_load_explicit(&q->state, memory_order_acquire) == ASK_ANSWERED ||
        !atomic_compare_exchange_strong_explicit(&q->state, &calling, ASK_WAITING, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        settle_returned(q);
        return;
    }
    if (wait_ms != 0)
        weir_timer_set(q->x->loop, &q->timer, wait_ms, on_due);
}

void ask_init(weir_exchange_t *x, ask_then_t *then)
{
    static const ask_answer_t done;
    const weir_router_t *router = router_of(x);
    weir_before_t before;
    weir_answer_t proof;
    ask_question_t *q;

    if (router->init == NULL) {
        then(x, &done);
        return;
    }
    q = question_make(x, ASK_INIT, then);
    before = router_call_begin(x, ask_name(ASK_INIT));
    proof = router->init(x->state, &x->request, x->binding->shared, ask_handle(q));
    router_call_end(x, before, WEIR_TIMES_on_init);
    returned(q, proof);
}

void ask_lookup(weir_exchange_t *x, weir_span_t domain, ask_then_t *then)
{
    ask_question_t *q = question_make(x, ASK_LOOKUP, then);
    const weir_before_t before = router_call_begin(x, ask_name(ASK_LOOKUP));
    const weir_answer_t proof = router_of(x)->lookup_domain_name(x->state, &x->request, domain, ask_handle(q));

    router_call_end(x, before, WEIR_TIMES_on_lookup);
    returned(q, proof);
}

void ask_checkout(weir_exchange_t *x, ask_then_t *then)
{
    ask_question_t *q = question_make(x, ASK_CHECKOUT, then);
    const weir_before_t before = router_call_begin(x, ask_name(ASK_CHECKOUT));
    const weir_answer_t proof = router_of(x)->checkout_service(x->state, &x->request, x->group, ask_handle(q));

    router_call_end(x, before, WEIR_TIMES_on_checkout);
    returned(q, proof);
}

void ask_backend(weir_exchange_t *x, weir_service_t *service, ask_then_t *then)
{
    ask_question_t *q = question_make(x, ASK_BACKEND, then);
    weir_before_t before;
    weir_answer_t proof;

    q->answer.target.label = ask_name_of_service(x, service); /* unless something better is said */
    q->answer.target.label_source = WEIR_LABEL_DESCRIBED;
    before = router_call_begin(x, ask_name(ASK_BACKEND));
    proof = router_of(x)->service_backend(x->state, &x->request, service, ask_handle(q));
    router_call_end(x, before, WEIR_TIMES_on_backend);
    returned(q, proof);
}

static void count_try(const weir_fault_t *fault)
{
    const bool is_clients = fault != NULL && fault->blame == WEIR_BLAME_CLIENT;

    weir_metrics_add(fault == NULL ? WEIR_CELL_tries_ok : is_clients ? WEIR_CELL_tries_client : WEIR_CELL_tries_failed, 1);
}

static void end_try(weir_exchange_t *x, const weir_fault_t *fault)
{
    count_try(fault);
    if (x->plan->exports_traces)
        weir_trace_end_attempt(x, fault);
}

void ask_checkin(weir_exchange_t *x, weir_phase_t phase, const weir_fault_t *fault, ask_then_t *then)
{
    static const ask_answer_t done;
    const weir_router_t *router = router_of(x);
    const bool has_service = x->has_service;
    weir_service_t *service = has_service ? x->service : NULL;
    weir_before_t before;
    weir_answer_t proof;
    ask_question_t *q;

    if (has_service && x->target.label.len == 0)
        x->target.label = ask_name_of_service(x, service); /* its backend was never named */
    x->journal.checkins += has_service;
    if (has_service)
        end_try(x, fault);
    x->has_service = false;
    x->service = NULL;
    if (router->checkin_service == NULL || x->is_router_done) {
        then(x, &done);
        return;
    }
    q = question_make(x, ASK_CHECKIN, then);
    q->phase = phase;
    q->about = fault;
    q->has_attempt = has_service;
    if (has_service)
        q->attempt = weir_attempt_of(x);
    before = router_call_begin(x, ask_name(ASK_CHECKIN));
    proof = router->checkin_service(x->state, &x->request, service, ask_handle(q));
    router_call_end(x, before, WEIR_TIMES_on_checkin);
    returned(q, proof);
}

void ask_page(weir_exchange_t *x, const weir_fault_t *fault, ask_then_t *then)
{
    const weir_router_t *router = router_of(x);
    weir_before_t before;
    weir_answer_t proof;
    ask_answer_t answer;
    weir_headers_t headers;
    ask_question_t *q;

    if (router->error_page == NULL || x->is_router_done || fault == &weir_fault_router_timeout || x->question != NULL) {
        ask_default_page(x, fault, &headers, &answer);
        then(x, &answer);
        return;
    }
    q = question_make(x, ASK_PAGE, then);
    q->about = fault;
    before = router_call_begin(x, ask_name(ASK_PAGE));
    proof = router->error_page(x->state, &x->request, fault, ask_handle(q));
    router_call_end(x, before, WEIR_TIMES_on_page);
    returned(q, proof);
}

/* ---- answered on the spot ---- */

bool ask_feature(weir_exchange_t *x, weir_feature_t feature)
{
    const weir_router_t *router = router_of(x);
    weir_before_t before;
    bool is_wanted;

    if (router->feature == NULL || x->is_router_done)
        return false;
    before = router_call_begin(x, "feature");
    is_wanted = router->feature(x->state, &x->request, feature);
    router_call_end(x, before, WEIR_TIMES_on_feature);
    return is_wanted;
}

void ask_answered(weir_exchange_t *x)
{
    const weir_router_t *router = router_of(x);
    weir_attempt_t attempt;
    weir_before_t before;

    if (router->answered == NULL || !x->has_service)
        return;
    attempt = weir_attempt_of(x);
    before = router_call_begin(x, "answered");
    router->answered(x->state, &x->request, x->service, &attempt);
    router_call_end(x, before, WEIR_TIMES_on_answered);
}

bool ask_retry(weir_exchange_t *x, const weir_fault_t *fault)
{
    const weir_router_t *router = router_of(x);
    weir_attempt_t attempt;
    weir_before_t before;
    bool is_wanted;

    if (router->retry_request == NULL || !x->has_service)
        return false;
    attempt = weir_attempt_of(x);
    if (!attempt.may_repeat)
        return false;
    before = router_call_begin(x, "retry_request");
    is_wanted = router->retry_request(x->state, &x->request, x->service, fault, &attempt);
    router_call_end(x, before, WEIR_TIMES_on_retry);
    return is_wanted;
}

void ask_terminate(weir_exchange_t *x, const weir_fault_t *fault)
{
    const weir_router_t *router = router_of(x);
    weir_before_t before;

    WEIR_MUST(x->question == NULL);
    if (router->terminate == NULL || x->is_router_done)
        return;
    before = router_call_begin(x, "terminate");
    router->terminate(x->state, &x->request, fault);
    router_call_end(x, before, WEIR_TIMES_on_terminate);
}
