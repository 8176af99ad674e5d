/* SPDX-License-Identifier: MIT */
/* The router's side of a question. Everything here may run on any thread; only the first answer counts. */
#include <string.h>

#include "lib/base/log.h"
#include "lib/http/hop.h"
#include "router/question.h"

#define ANSWERED ((weir_answer_t){ASK_SEAL})

enum { STATUS_LEAST = 200, STATUS_MOST = 599 }; /* of a response that is not interim */

static __thread char here;

const void *ask_thread(void)
{
    return &here;
}

static ask_question_t *of(const void *question)
{
    return (ask_question_t *)question;
}

static bool is_claimed(ask_question_t *q)
{
    return atomic_load_explicit(&q->is_claimed, memory_order_acquire);
}

bool ask_claim(ask_question_t *q)
{
    if (!atomic_exchange_explicit(&q->is_claimed, true, memory_order_acq_rel))
        return true;
    weir_log("router %s answered a question a second time, which is ignored", q->x->binding->router->name);
    return false;
}

weir_answer_t ask_publish(ask_question_t *q)
{
    weir_loop_t *loop = q->x->loop;

    if (atomic_exchange_explicit(&q->state, ASK_ANSWERED, memory_order_acq_rel) == ASK_WAITING)
        weir_loop_post(loop, &q->letter);
    return ANSWERED;
}

void *ask_alloc(ask_question_t *q, size_t size)
{
    if (q->home == ask_thread())
        return weir_arena_alloc(&q->x->arena, size);
    return weir_arena_alloc_apart(&q->apart, size);
}

weir_span_t ask_copy(ask_question_t *q, weir_span_t bytes)
{
    char *copy = ask_alloc(q, bytes.len + 1);

    if (bytes.len != 0)
        memcpy(copy, bytes.base, bytes.len);
    copy[bytes.len] = '\0';
    return (weir_span_t){copy, bytes.len};
}

static weir_answer_t refuse(ask_question_t *q, const weir_fault_t *fault)
{
    if (!ask_claim(q))
        return ANSWERED;
    q->answer.fault = fault != NULL ? fault : &weir_fault_router_bad_answer;
    return ask_publish(q);
}

static weir_answer_t done(ask_question_t *q)
{
    return ask_claim(q) ? ask_publish(q) : ANSWERED;
}

weir_answer_t weir_init_done(weir_q_init_t *q)
{
    return done(of(q));
}

weir_answer_t weir_init_refuse(weir_q_init_t *q, const weir_fault_t *fault)
{
    return refuse(of(q), fault);
}

weir_answer_t weir_init_respond(weir_q_init_t *question, uint16_t status, weir_span_t body)
{
    ask_question_t *q = of(question);

    if (status < STATUS_LEAST || status > STATUS_MOST)
        return refuse(q, &weir_fault_router_bad_answer);
    if (!ask_claim(q))
        return ANSWERED;
    q->answer.page_status = status;
    q->answer.page_body = ask_copy(q, body);
    return ask_publish(q);
}

weir_answer_t weir_lookup_found(weir_q_lookup_t *question, weir_group_t *group)
{
    ask_question_t *q = of(question);

    if (!ask_claim(q))
        return ANSWERED;
    q->answer.group = group;
    return ask_publish(q);
}

/* The domain goes into Location: what is no host must not get there. */
weir_answer_t weir_lookup_redirect(weir_q_lookup_t *question, weir_span_t domain)
{
    ask_question_t *q = of(question);

    if (!ask_is_host_text(domain, true))
        return refuse(q, &weir_fault_router_bad_answer);
    if (!ask_claim(q))
        return ANSWERED;
    q->answer.redirect = ask_copy(q, domain);
    return ask_publish(q);
}

weir_answer_t weir_lookup_refuse(weir_q_lookup_t *q, const weir_fault_t *fault)
{
    return refuse(of(q), fault);
}

weir_answer_t weir_checkout_pick(weir_q_checkout_t *question, weir_service_t *service)
{
    ask_question_t *q = of(question);

    if (!ask_claim(q))
        return ANSWERED;
    q->answer.service = service;
    return ask_publish(q);
}

weir_answer_t weir_checkout_refuse(weir_q_checkout_t *q, const weir_fault_t *fault)
{
    return refuse(of(q), fault);
}

weir_answer_t weir_backend_at(weir_q_backend_t *question, const char *host, uint16_t port)
{
    ask_question_t *q = of(question);

    if (!ask_claim(q))
        return ANSWERED;
    ask_target_host(q, host, port);
    return ask_publish(q);
}

weir_answer_t weir_backend_at_path(weir_q_backend_t *question, const char *path)
{
    ask_question_t *q = of(question);

    if (!ask_claim(q))
        return ANSWERED;
    ask_target_path(q, path);
    return ask_publish(q);
}

weir_answer_t weir_checkin_done(weir_q_checkin_t *q)
{
    return done(of(q));
}

weir_answer_t weir_page_send(weir_q_page_t *q)
{
    return done(of(q));
}

weir_answer_t weir_later_(void *question)
{
    return ANSWERED;
}

weir_phase_t weir_checkin_phase(const weir_q_checkin_t *q)
{
    return of(q)->phase;
}

const weir_fault_t *weir_checkin_fault(const weir_q_checkin_t *q)
{
    return of(q)->about;
}

weir_group_t *weir_checkin_group(const weir_q_checkin_t *q)
{
    return of(q)->x->group;
}

weir_group_t *weir_page_group(const weir_q_page_t *q)
{
    return of(q)->x->group;
}

void weir_backend_keepalive(weir_q_backend_t *question, weir_keepalive_t how)
{
    ask_question_t *q = of(question);

    if (!is_claimed(q) && (unsigned)how <= WEIR_FRESH)
        q->answer.target.keepalive = (uint8_t)how;
}

void weir_backend_protocol(weir_q_backend_t *question, weir_protocol_t protocol)
{
    ask_question_t *q = of(question);

    if (!is_claimed(q))
        q->answer.target.protocol = protocol;
}

void weir_backend_use_tls(weir_q_backend_t *question, weir_backend_tls_t *tls)
{
    ask_question_t *q = of(question);

    if (!is_claimed(q))
        q->answer.target.tls = tls;
}

void weir_backend_name(weir_q_backend_t *question, weir_span_t name)
{
    ask_question_t *q = of(question);

    if (!is_claimed(q) && name.len != 0)
        q->answer.target.label = ask_copy(q, name);
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
    ask_question_t *q = of(question);

    if (!is_claimed(q) && is_target(target))
        q->answer.target.path = ask_copy(q, target);
}

void weir_page_status(weir_q_page_t *question, uint16_t status)
{
    ask_question_t *q = of(question);

    if (!is_claimed(q) && status >= STATUS_LEAST && status <= STATUS_MOST)
        q->answer.page_status = status;
}

static void add_header(ask_question_t *q, weir_span_t name, weir_span_t value)
{
    ask_field_t *field;

    if (is_claimed(q) || !weir_hop_may_set(name, value))
        return;
    field = ask_alloc(q, sizeof(*field));
    *field = (ask_field_t){NULL, ask_copy(q, name), ask_copy(q, value)};
    *q->last_field = field;
    q->last_field = &field->next;
}

void weir_page_header(weir_q_page_t *q, weir_span_t name, weir_span_t value)
{
    add_header(of(q), name, value);
}

void weir_init_header(weir_q_init_t *q, weir_span_t name, weir_span_t value)
{
    add_header(of(q), name, value);
}

void weir_page_body(weir_q_page_t *question, weir_span_t body)
{
    ask_question_t *q = of(question);

    if (is_claimed(q))
        return;
    q->answer.page_body = ask_copy(q, body);
    q->has_body = true;
}
