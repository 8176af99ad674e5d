/* SPDX-License-Identifier: MIT */
/* The router's side of a question. Everything here may run on any thread; only the first answer counts. */
#include <stdlib.h>
#include <string.h>

#include "lib/http/hop.h"
#include "router/question.h"

#define ANSWERED ((weir_answer_t){ASK_SEAL})

enum { STATUS_LEAST = 200, STATUS_MOST = 599 }; /* of a response that is not interim */

static bool is_named(const weir_fault_t *fault)
{
    return fault != NULL && fault->name != NULL && fault->name[0] != '\0';
}

/* A mistake: the request ends here, with a named 500. */
static weir_answer_t refuse_wrong(const void *question, const char *mistake)
{
    ask_question_t *q = ask_claim(question);

    if (q == NULL)
        return ANSWERED;
    ask_complain(q->x, ask_name(q->kind), mistake);
    q->answer.fault = &weir_fault_router_bad_answer;
    return ask_publish(q);
}

static weir_answer_t refuse(const void *question, const weir_fault_t *fault)
{
    ask_question_t *q;

    if (!is_named(fault))
        return refuse_wrong(question, "refused without a named fault");
    q = ask_claim(question);
    if (q == NULL)
        return ANSWERED;
    q->answer.fault = fault;
    return ask_publish(q);
}

static weir_answer_t done(const void *question)
{
    ask_question_t *q = ask_claim(question);

    return q != NULL ? ask_publish(q) : ANSWERED;
}

weir_answer_t weir_init_done(weir_q_init_t *q)
{
    return done(q);
}

weir_answer_t weir_init_refuse(weir_q_init_t *q, const weir_fault_t *fault)
{
    return refuse(q, fault);
}

weir_answer_t weir_init_respond(weir_q_init_t *question, uint16_t status, weir_span_t body)
{
    ask_question_t *q;

    if (status < STATUS_LEAST || status > STATUS_MOST)
        return refuse_wrong(question, "answered with a status that is none");
    q = ask_claim(question);
    if (q == NULL)
        return ANSWERED;
    q->answer.page_status = status;
    q->answer.page_body = ask_copy(q, body);
    return ask_publish(q);
}

weir_answer_t weir_lookup_found(weir_q_lookup_t *question, weir_group_t *group)
{
    ask_question_t *q = ask_claim(question);

    if (q == NULL)
        return ANSWERED;
    q->answer.group = group;
    return ask_publish(q);
}

/* The domain goes into Location: what is no host must not get there. */
weir_answer_t weir_lookup_redirect(weir_q_lookup_t *question, weir_span_t domain)
{
    ask_question_t *q;

    if (!target_is_host_text(domain, true))
        return refuse_wrong(question, "redirected to what is no host");
    q = ask_claim(question);
    if (q == NULL)
        return ANSWERED;
    q->answer.redirect = ask_copy(q, domain);
    return ask_publish(q);
}

weir_answer_t weir_lookup_refuse(weir_q_lookup_t *q, const weir_fault_t *fault)
{
    return refuse(q, fault);
}

weir_answer_t weir_checkout_pick(weir_q_checkout_t *question, weir_service_t *service)
{
    ask_question_t *q = ask_claim(question);

    if (q == NULL)
        return ANSWERED;
    q->answer.service = service;
    return ask_publish(q);
}

weir_answer_t weir_checkout_refuse(weir_q_checkout_t *q, const weir_fault_t *fault)
{
    return refuse(q, fault);
}

static uint32_t wait_within_bounds(uint32_t wait_ms)
{
    return wait_ms == 0 ? 1 : wait_ms > WEIR_LATER_MOST_MS ? WEIR_LATER_MOST_MS : wait_ms;
}

weir_answer_t weir_checkout_again(weir_q_checkout_t *question, uint32_t wait_ms)
{
    ask_question_t *q = ask_claim(question);

    if (q == NULL)
        return ANSWERED;
    q->answer.again_ms = wait_within_bounds(wait_ms);
    return ask_publish(q);
}

static void *alloc_for(void *question, size_t size)
{
    return ask_alloc(question, size);
}

weir_answer_t weir_backend_at(weir_q_backend_t *question, const char *host, uint16_t port)
{
    ask_question_t *q = ask_claim(question);

    if (q == NULL)
        return ANSWERED;
    target_read_host(&q->answer.target, host, port, &(target_memory_t){alloc_for, q});
    return ask_publish(q);
}

weir_answer_t weir_backend_at_path(weir_q_backend_t *question, const char *path)
{
    ask_question_t *q = ask_claim(question);

    if (q == NULL)
        return ANSWERED;
    target_read_path(&q->answer.target, path, &(target_memory_t){alloc_for, q});
    return ask_publish(q);
}

weir_answer_t weir_backend_at_endpoint(weir_q_backend_t *question, const weir_endpoint_t *endpoint)
{
    ask_question_t *q;

    if (endpoint == NULL)
        return refuse_wrong(question, "named no endpoint");
    q = ask_claim(question);
    if (q == NULL)
        return ANSWERED;
    target_use_endpoint(&q->answer.target, endpoint);
    return ask_publish(q);
}

weir_answer_t weir_checkin_done(weir_q_checkin_t *q)
{
    return done(q);
}

weir_answer_t weir_page_send(weir_q_page_t *q)
{
    return done(q);
}

weir_answer_t weir_later_(void *question)
{
    return ANSWERED;
}

weir_answer_t weir_later_until_(void *question, uint32_t wait_ms, const weir_fault_t *overdue)
{
    ask_question_t *q = ask_open(question);

    if (q == NULL)
        return ANSWERED; /* another thread has answered already */
    q->wait_ms = wait_within_bounds(wait_ms);
    q->overdue = is_named(overdue) ? overdue : &weir_fault_router_timeout;
    return ANSWERED;
}

/* ---- what a question knows ---- */

weir_phase_t weir_checkin_phase(const weir_q_checkin_t *question)
{
    const ask_question_t *q = ask_open(question);

    return q != NULL ? q->phase : WEIR_LOOKUP;
}

const weir_fault_t *weir_checkin_fault(const weir_q_checkin_t *question)
{
    const ask_question_t *q = ask_open(question);

    return q != NULL ? q->about : NULL;
}

weir_group_t *weir_checkin_group(const weir_q_checkin_t *question)
{
    const ask_question_t *q = ask_open(question);

    return q != NULL ? q->x->group : NULL;
}

const weir_attempt_t *weir_checkin_attempt(const weir_q_checkin_t *question)
{
    const ask_question_t *q = ask_open(question);

    return q != NULL && q->has_attempt ? &q->attempt : NULL;
}

weir_group_t *weir_page_group(const weir_q_page_t *question)
{
    const ask_question_t *q = ask_open(question);

    return q != NULL ? q->x->group : NULL;
}

/* ---- what may be set on it ---- */

void weir_lookup_name(weir_q_lookup_t *question, weir_span_t app)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL && app.len != 0)
        q->answer.app = ask_copy(q, app);
}

void weir_backend_keepalive(weir_q_backend_t *question, weir_keepalive_t how)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL && (unsigned)how <= WEIR_FRESH)
        q->answer.target.keepalive = (uint8_t)how;
}

void weir_backend_protocol(weir_q_backend_t *question, weir_protocol_t protocol)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL)
        q->answer.target.protocol = protocol;
}

void weir_backend_use_tls(weir_q_backend_t *question, weir_backend_tls_t *tls)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL)
        q->answer.target.tls = tls;
}

void weir_backend_use_fastcgi(weir_q_backend_t *question, const weir_fastcgi_t *fastcgi)
{
    ask_question_t *q = ask_open(question);

    if (q == NULL)
        return;
    q->answer.target.protocol = WEIR_FASTCGI;
    q->answer.target.fastcgi = fastcgi;
}

void weir_backend_name(weir_q_backend_t *question, weir_span_t name)
{
    ask_question_t *q = ask_open(question);

    if (q == NULL || name.len == 0)
        return;
    q->answer.target.label = ask_copy(q, name);
    q->answer.target.label_source = WEIR_LABEL_NAMED;
}

void weir_backend_try_timeout(weir_q_backend_t *question, uint32_t ms)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL)
        q->answer.target.try_timeout_ms = ms > WEIR_LATER_MOST_MS ? WEIR_LATER_MOST_MS : ms;
}

void weir_backend_hold_body(weir_q_backend_t *question, size_t bytes)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL)
        q->answer.target.hold_body_bytes = bytes < WEIR_HOLD_BODY_MOST ? bytes : WEIR_HOLD_BODY_MOST;
}

/* It becomes part of the request line: what could end that line early must not get there. */
static bool is_target(weir_span_t target)
{
    if (target.len == 0 || target.base[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.base[i] <= ' ' || target.base[i] == 0x7f)
            return false;
    return true;
}

void weir_backend_target(weir_q_backend_t *question, weir_span_t target)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL && is_target(target))
        q->answer.target.path = ask_copy(q, target);
}

void weir_page_status(weir_q_page_t *question, uint16_t status)
{
    ask_question_t *q = ask_open(question);

    if (q != NULL && status >= STATUS_LEAST && status <= STATUS_MOST)
        q->answer.page_status = status;
}

static void add_header(const void *question, weir_span_t name, weir_span_t value)
{
    ask_question_t *q = ask_open(question);
    ask_field_t *field;

    if (q == NULL || !weir_hop_may_set(name, value))
        return;
    field = ask_alloc(q, sizeof(*field));
    *field = (ask_field_t){NULL, ask_copy(q, name), ask_copy(q, value)};
    *q->last_field = field;
    q->last_field = &field->next;
}

void weir_page_header(weir_q_page_t *question, weir_span_t name, weir_span_t value)
{
    add_header(question, name, value);
}

void weir_init_header(weir_q_init_t *question, weir_span_t name, weir_span_t value)
{
    add_header(question, name, value);
}

void weir_page_body(weir_q_page_t *question, weir_span_t body)
{
    ask_question_t *q = ask_open(question);

    if (q == NULL)
        return;
    q->answer.page_body = ask_copy(q, body);
    q->has_body = true;
}
