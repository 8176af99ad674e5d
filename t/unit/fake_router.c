/* SPDX-License-Identifier: MIT */
/* The fake world: a plan, and a router that answers as a script says. */
#include "fake_wire.h"

#include "handlers/stages.h"

weir_plan_t fake_plan(const weir_router_t *router, weir_shared_t *shared, const weir_stage_t *const *stages)
{
    weir_plan_t plan = {
        .binding = {.router = router, .shared = shared},
        .stages = stages != NULL ? stages : weir_stages,
        .connect_timeout_ms = 5000,
        .first_byte_timeout_ms = 30000,
        .idle_timeout_ms = 55000,
        .tunnel_timeout_ms = 55000,
        .backend_idle_timeout_ms = 55000,
        .header_timeout_ms = 60000,
        .router_timeout_ms = 5000,
        .callback_warn_ms = 20,
        .stage_timeout_ms = 5000,
        .backend_ping_ms = 15000,
        .request_id_header = WEIR_SPAN("X-Request-Id"),
        .start_time_header = WEIR_SPAN("X-Request-Start"),
        .connect_time_header = WEIR_SPAN("Connect-Time"),
        .route_time_header = WEIR_SPAN("Total-Route-Time"),
        .via = WEIR_SPAN("1.1 weir"),
        .request_id_max_bytes = 200,
        .head_limits = {8192, 1000, 8192, 1000, 1 << 20},
        .response_limits = {8192, 524288, 8192, 1000, 1 << 20},
        .backend_buffer_bytes = 1 << 20,
        .max_body_bytes = UINT64_MAX,
    };

    while (plan.stages[plan.stage_count] != NULL)
        plan.stage_count++;
    if (plan.stages == weir_stages) /* those that a test makes are users' */
        plan.built_in = (1u << plan.stage_count) - 1;
    return plan;
}

void fake_stages(weir_plan_t *plan, const weir_stage_t *const *extra, size_t count)
{
    static weir_stage_list_t list;
    weir_extra_stage_t more[WEIR_STAGES_MAX];
    char error[200];

    WEIR_MUST(count <= WEIR_STAGES_MAX);
    for (size_t i = 0; i < count; i++)
        more[i] = (weir_extra_stage_t){extra[i], NULL};
    WEIR_MUST(weir_stages_merge(more, count, &list, error, sizeof(error)));
    weir_stages_fill(plan, &list);
}

struct weir_state {
    weir_shared_t *script;
    unsigned picks;
};

static struct weir_service services[2] = {{"127.0.0.1", 8081}, {"127.0.0.1", 8082}};

const weir_fault_t fake_exhausted = {"exhausted", 503, WEIR_BLAME_ROUTER, NULL};
const weir_fault_t fake_fault = {"fake_fault", 404, WEIR_BLAME_CLIENT, "It was scripted."};

static void answer_page(weir_shared_t *script, weir_q_page_t *q)
{
    weir_page_status(q, script->page_status);
    weir_page_header(q, WEIR_SPAN("X-Page"), WEIR_SPAN("yes"));
    if (script->page_body != NULL)
        weir_page_body(q, (weir_span_t){script->page_body, strlen(script->page_body)});
    (void)weir_page_send(q);
}

static void answer_backend(weir_shared_t *script, weir_q_backend_t *q)
{
    weir_backend_keepalive(q, script->keepalive);
    weir_backend_protocol(q, script->protocol);
    if (script->name != NULL)
        weir_backend_name(q, (weir_span_t){script->name, strlen(script->name)});
    weir_backend_hold_body(q, script->hold_body_bytes);
    weir_backend_try_timeout(q, script->try_timeout_ms);
    if (script->target != NULL)
        weir_backend_target(q, (weir_span_t){script->target, strlen(script->target)});
    if (script->unix_path != NULL)
        (void)weir_backend_at_path(q, script->unix_path);
    else
        (void)weir_backend_at(q, "127.0.0.1", 8081);
}

static void answer_checkout(weir_shared_t *script, weir_q_checkout_t *q)
{
    if (script->refuses[FAKE_CHECKOUT]) {
        (void)weir_checkout_refuse(q, script->fault[FAKE_CHECKOUT]);
        return;
    }
    if (script->times_again > 0) {
        script->times_again--;
        (void)weir_checkout_again(q, script->again_ms);
        return;
    }
    script->picks++;
    (void)weir_checkout_pick(q, script->has_no_service ? NULL : &services[script->picks % 2]);
}

static void answer_lookup(weir_shared_t *script, weir_q_lookup_t *q)
{
    if (script->app != NULL)
        weir_lookup_name(q, (weir_span_t){script->app, strlen(script->app)});
    if (script->refuses[FAKE_LOOKUP])
        (void)weir_lookup_refuse(q, script->fault[FAKE_LOOKUP]);
    else if (script->redirect != NULL)
        (void)weir_lookup_redirect(q, (weir_span_t){script->redirect, strlen(script->redirect)});
    else
        (void)weir_lookup_found(q, NULL);
}

static void answer_init(weir_shared_t *script, weir_q_init_t *q)
{
    weir_init_header(q, WEIR_SPAN("X-Init"), WEIR_SPAN("yes"));
    weir_init_header(q, WEIR_SPAN("Connection"), WEIR_SPAN("close"));
    if (script->refuses[FAKE_INIT]) {
        (void)weir_init_refuse(q, script->fault[FAKE_INIT]);
    } else if (script->init_status != 0) {
        script->has_answered_all = script->init_status >= 200 && script->init_status <= 599;
        (void)weir_init_respond(q, script->init_status, WEIR_SPAN("from init"));
    } else {
        (void)weir_init_done(q);
    }
}

static void answer(weir_shared_t *script, fake_kind_t kind, void *q)
{
    script->is_answering = true;
    switch (kind) {
    case FAKE_INIT:
        answer_init(script, q);
        break;
    case FAKE_LOOKUP:
        answer_lookup(script, q);
        break;
    case FAKE_CHECKOUT:
        answer_checkout(script, q);
        break;
    case FAKE_BACKEND:
        answer_backend(script, q);
        break;
    case FAKE_CHECKIN:
        (void)weir_checkin_done(q);
        break;
    case FAKE_PAGE:
        answer_page(script, q);
        break;
    case FAKE_KINDS:
        break;
    }
    script->is_answering = false;
}

bool fake_answer(weir_shared_t *script)
{
    void *question = script->question;

    if (question == NULL)
        return false;
    script->question = NULL;
    answer(script, script->kind, question);
    return true;
}

static weir_answer_t ask(weir_shared_t *script, fake_kind_t kind, void *q)
{
    weir_answer_t nothing = {0};
    unsigned picks;

    WEIR_MUST(!script->is_answering);    /* invariant 4 */
    WEIR_MUST(script->question == NULL); /* invariant 3 */
    WEIR_MUST(!script->has_answered_all && script->logs == 0);
    script->asked[kind]++;
    if (script->before != NULL)
        script->before(script, kind);
    if (script->how[kind] == FAKE_FORGET)
        return nothing;
    if (script->how[kind] == FAKE_LATER) {
        script->question = q;
        script->kind = kind;
        weir_answer_t promise =
            script->wait_ms[kind] == 0 ? weir_later_(q) : weir_later_until_(q, script->wait_ms[kind], script->overdue);
        if (script->answers_meanwhile)
            (void)fake_answer(script);
        return promise;
    }
    answer(script, kind, q);
    if (script->how[kind] == FAKE_TWICE) {
        picks = script->picks;
        answer(script, kind, q);
        script->picks = picks; /* the second did not count */
    }
    return weir_later_(q);
}

static weir_answer_t on_init(weir_state_t *state, const weir_request_t *request, weir_shared_t *script, weir_q_init_t *q)
{
    WEIR_MUST(state->script == NULL); /* zeroed */
    state->script = script;
    return ask(script, FAKE_INIT, q);
}

static weir_answer_t on_lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return ask(state->script, FAKE_LOOKUP, q);
}

static weir_answer_t on_checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    weir_shared_t *script = state->script;

    if (script->services_max != 0 && state->picks++ == script->services_max) {
        script->asked[FAKE_CHECKOUT]++;
        return weir_checkout_refuse(q, &fake_exhausted);
    }
    return ask(script, FAKE_CHECKOUT, q);
}

static weir_answer_t on_backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service,
                                weir_q_backend_t *q)
{
    return ask(state->script, FAKE_BACKEND, q);
}

static weir_answer_t on_checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service,
                                weir_q_checkin_t *q)
{
    weir_shared_t *script = state->script;

    if (service == NULL && !script->has_no_service)
        script->empty_checkins++;
    else
        script->checkins++;
    script->phase = weir_checkin_phase(q);
    WEIR_MUST((weir_checkin_attempt(q) != NULL) == (service != NULL || script->has_no_service) || script->has_no_service);
    if (weir_checkin_attempt(q) != NULL)
        script->checked_in = *weir_checkin_attempt(q);
    script->last_checkins += script->phase != WEIR_CONNECTING;
    script->checkin_fault = weir_checkin_fault(q);
    return ask(script, FAKE_CHECKIN, q);
}

static weir_answer_t on_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    return ask(state->script, FAKE_PAGE, q);
}

static bool on_feature(weir_state_t *state, const weir_request_t *request, weir_feature_t feature)
{
    return feature == WEIR_DEEP_CONTINUE ? state->script->has_deep_continue : state->script->has_peer_port;
}

static void on_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    if (way == WEIR_TO_BACKEND)
        weir_header_put(sink, WEIR_SPAN("X-To-Backend"), WEIR_SPAN("b"));
    else
        weir_header_put(sink, WEIR_SPAN("X-To-Client"), WEIR_SPAN("c"));
    if (state->script->adds_headers)
        weir_header_add(sink, WEIR_SPAN("Set-Cookie"), WEIR_SPAN("r"));
    weir_header_add(sink, WEIR_SPAN("Host"), WEIR_SPAN("two"));
    weir_header_add(sink, WEIR_SPAN("Transfer-Encoding"), WEIR_SPAN("chunked"));
    weir_header_add(sink, WEIR_SPAN("X-Added"), WEIR_SPAN("a\r\nb: c"));
    weir_header_put(sink, WEIR_SPAN("Content-Length"), WEIR_SPAN("7"));
    weir_header_put(sink, WEIR_SPAN("X-Split"), WEIR_SPAN("a\r\nb: c"));
    weir_header_put(sink, WEIR_SPAN("no token"), WEIR_SPAN("a"));
}

static void on_abandoned(weir_state_t *state, const weir_request_t *request, weir_gone_t why)
{
    weir_shared_t *script = state->script;

    WEIR_MUST(!script->is_answering);
    script->abandoned++;
    script->gone = why;
    if (script->answers_when_abandoned)
        (void)fake_answer(script);
}

static void on_answered(weir_state_t *state, const weir_request_t *request, weir_service_t *service,
                        const weir_attempt_t *attempt)
{
    WEIR_MUST(attempt->reach >= WEIR_REACH_HEAD && attempt->status >= 101);
    state->script->answered++;
    state->script->answered_with = *attempt;
}

static bool on_retry(weir_state_t *state, const weir_request_t *request, weir_service_t *service, const weir_fault_t *fault,
                     const weir_attempt_t *attempt)
{
    weir_shared_t *script = state->script;

    WEIR_MUST(attempt->may_repeat && !script->is_answering);
    script->retry_questions++;
    script->retry_of = *attempt;
    script->retry_fault = fault;
    if (script->retries == 0)
        return false;
    script->retries--;
    script->retried++;
    return true;
}

static void on_describe_group(weir_shared_t *script, const weir_group_t *group, weir_description_t *description)
{
    script->group_descriptions++;
    if (script->describes)
        weir_describe(description, WEIR_SPAN("name"), WEIR_SPAN("described app"));
    weir_describe(description, WEIR_SPAN("a key that nobody knows"), WEIR_SPAN("x"));
}

static void on_describe_service(weir_shared_t *script, const weir_service_t *service, weir_description_t *description)
{
    if (script->describes)
        weir_describe(description, WEIR_SPAN("name"), WEIR_SPAN("described"));
}

static void on_terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    WEIR_MUST(state->script->question == NULL); /* terminate waits for every answer */
    WEIR_MUST(!state->script->has_answered_all && state->script->logs == 1);
    WEIR_MUST(fault == weir_request_fault(request));
    state->script->terminates++;
    state->script->last_fault = fault;
    state->script->outcome = weir_request_outcome(request);
}

static void on_log(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    WEIR_MUST(!state->script->has_answered_all && state->script->terminates == 0);
    WEIR_MUST(++state->script->logs == 1);
    if (!state->script->has_log_fields)
        return;
    weir_log_field(sink, WEIR_SPAN("shop"), WEIR_SPAN("a \"b\""));
    weir_log_field(sink, WEIR_SPAN("no token"), WEIR_SPAN("x"));
    for (int i = 0; i < 20; i++)
        weir_log_field(sink, WEIR_SPAN("n"), WEIR_SPAN("1"));
}

const weir_router_t fake_router = {
    WEIR_ROUTER("fake"),
    .state_size = sizeof(weir_state_t),
    .init = on_init,
    .lookup_domain_name = on_lookup,
    .checkout_service = on_checkout,
    .service_backend = on_backend,
    .checkin_service = on_checkin,
    .error_page = on_page,
    .feature = on_feature,
    .additional_headers = on_headers,
    .terminate = on_terminate,
    .log = on_log,
    .abandoned = on_abandoned,
    .answered = on_answered,
    .retry_request = on_retry,
    .describe_group = on_describe_group,
    .describe_service = on_describe_service,
};
