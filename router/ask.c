/* SPDX-License-Identifier: MIT */
#include "router/ask.h"

#include "lib/base/must.h"
#include "router/question.h"

static ask_question_t *question_make(weir_exchange_t *x, ask_kind_t kind, ask_then_t *then)
{
    ask_question_t *q;

    WEIR_MUST(x->question == NULL); /* ORDER: one request has at most one open question */
    q = weir_arena_zalloc(&x->arena, sizeof(*q));
    q->x = x;
    q->kind = kind;
    q->then = then;
    q->home = ask_thread();
    q->last_field = &q->fields;
    weir_list_init(&q->letter.link);
    return x->question = q;
}

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

/* Nobody waits: what was picked is owed a check-in, the rest is dropped. */
static void settle_late(weir_exchange_t *x, const ask_question_t *q)
{
    void (*on_idle)(weir_exchange_t *) = x->on_idle;

    if (q->kind == ASK_CHECKOUT && q->answer.fault == NULL) {
        WEIR_MUST(!x->has_service);
        x->service = q->answer.service;
        x->has_service = true;
        x->was_connected = false;
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
    x->journal.picks += q->kind == ASK_CHECKOUT && q->answer.fault == NULL;
    if (then == NULL) {
        settle_late(x, q);
        return;
    }
    q->then = NULL;
    then(x, &q->answer);
}

static void on_answered(weir_letter_t *letter)
{
    settle(WEIR_AROUND(letter, ask_question_t, letter));
}

/* The question stays open and keeps its memory; only the client stops waiting. */
static void on_due(weir_timer_t *timer)
{
    ask_question_t *q = WEIR_AROUND(timer, ask_question_t, timer);
    ask_then_t *then = q->then;
    ask_answer_t answer = {.fault = &weir_fault_router_timeout};
    weir_headers_t headers;

    if (then == NULL || atomic_load_explicit(&q->state, memory_order_acquire) == ASK_ANSWERED)
        return; /* the letter is on its way */
    q->then = NULL;
    if (q->kind == ASK_PAGE)
        ask_default_page(q->x, q->about, &headers, &answer);
    then(q->x, &answer);
}

/* The callback has returned. If it answered, the answer settles here, on our stack, else from the loop. */
static void returned(ask_question_t *q, weir_answer_t proof)
{
    ask_state_t calling = ASK_CALLING;
    uint32_t timeout_ms = q->x->plan->router_timeout_ms;

    q->letter.open = on_answered;
    if (proof.seal_ != ASK_SEAL && !atomic_exchange(&q->is_claimed, true)) {
        q->answer.fault = &weir_fault_router_bad_answer; /* neither answered nor promised: no answer will come */
        atomic_store(&q->state, ASK_ANSWERED);
    }
    if (!atomic_compare_exchange_strong_explicit(&q->state, &calling, ASK_WAITING, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        settle(q);
        return;
    }
    if (timeout_ms != 0)
        weir_timer_set(q->x->loop, &q->timer, timeout_ms, on_due);
}

void ask_init(weir_exchange_t *x, ask_then_t *then)
{
    static const ask_answer_t done;
    const weir_router_t *router = x->binding->router;
    ask_question_t *q;

    if (router->init == NULL) {
        then(x, &done);
        return;
    }
    q = question_make(x, ASK_INIT, then);
    returned(q, router->init(x->state, &x->request, x->binding->shared, (weir_q_init_t *)(void *)q));
}

void ask_lookup(weir_exchange_t *x, weir_span_t domain, ask_then_t *then)
{
    ask_question_t *q = question_make(x, ASK_LOOKUP, then);

    returned(q, x->binding->router->lookup_domain_name(x->state, &x->request, domain, (weir_q_lookup_t *)(void *)q));
}

void ask_checkout(weir_exchange_t *x, ask_then_t *then)
{
    ask_question_t *q = question_make(x, ASK_CHECKOUT, then);

    returned(q, x->binding->router->checkout_service(x->state, &x->request, x->group, (weir_q_checkout_t *)(void *)q));
}

void ask_backend(weir_exchange_t *x, weir_service_t *service, ask_then_t *then)
{
    ask_question_t *q = question_make(x, ASK_BACKEND, then);

    returned(q, x->binding->router->service_backend(x->state, &x->request, service, (weir_q_backend_t *)(void *)q));
}

void ask_checkin(weir_exchange_t *x, weir_phase_t phase, const weir_fault_t *fault, ask_then_t *then)
{
    static const ask_answer_t done;
    const weir_router_t *router = x->binding->router;
    weir_service_t *service = x->has_service ? x->service : NULL;
    ask_question_t *q;

    x->journal.checkins += x->has_service;
    x->has_service = false;
    x->service = NULL;
    if (router->checkin_service == NULL || x->is_router_done) {
        then(x, &done);
        return;
    }
    q = question_make(x, ASK_CHECKIN, then);
    q->phase = phase;
    q->about = fault;
    returned(q, router->checkin_service(x->state, &x->request, service, (weir_q_checkin_t *)(void *)q));
}

void ask_page(weir_exchange_t *x, const weir_fault_t *fault, ask_then_t *then)
{
    const weir_router_t *router = x->binding->router;
    ask_answer_t answer;
    weir_headers_t headers;
    ask_question_t *q;

    if (router->error_page == NULL || fault == &weir_fault_router_timeout || x->question != NULL) {
        ask_default_page(x, fault, &headers, &answer);
        then(x, &answer);
        return;
    }
    q = question_make(x, ASK_PAGE, then);
    q->about = fault;
    returned(q, router->error_page(x->state, &x->request, fault, (weir_q_page_t *)(void *)q));
}

bool ask_feature(weir_exchange_t *x, weir_feature_t feature)
{
    const weir_router_t *router = x->binding->router;

    return router->feature != NULL && router->feature(x->state, &x->request, feature);
}

void ask_terminate(weir_exchange_t *x, const weir_fault_t *fault)
{
    WEIR_MUST(x->question == NULL);
    if (x->binding->router->terminate != NULL && !x->is_router_done)
        x->binding->router->terminate(x->state, &x->request, fault);
}

void ask_abandon(weir_exchange_t *x)
{
    if (x->question == NULL)
        return;
    x->question->then = NULL;
    weir_timer_cancel(&x->question->timer);
}

void ask_when_idle(weir_exchange_t *x, void (*then)(weir_exchange_t *x))
{
    if (x->question == NULL) {
        then(x);
        return;
    }
    x->on_idle = then;
}
