/* SPDX-License-Identifier: MIT */
#include "fake_wire.h"

#include "handlers/stages.h"
#include "lib/http/host.h"

/* ---- the loop ---- */

void fake_loop_init(weir_loop_t *loop)
{
    memset(loop, 0, sizeof(*loop));
    loop->now_us = 1000000;
    loop->wall_us = 1700000000000000;
    weir_list_init(&loop->timers);
    weir_list_init(&loop->letters);
    pthread_mutex_init(&loop->lock, NULL);
}

void fake_loop_finish(weir_loop_t *loop)
{
    WEIR_MUST(weir_list_is_empty(&loop->letters));
    WEIR_MUST(weir_list_is_empty(&loop->timers));
    WEIR_MUST(loop->backs == 0);
    WEIR_MUST(weir_exchange_count() == 0);
    pthread_mutex_destroy(&loop->lock);
    weir_arena_forget_blocks();
}

void fake_note(weir_loop_t *loop, const char *format, ...)
{
    va_list arguments;

    if (loop->is_quiet)
        return;
    va_start(arguments, format);
    loop->length += (size_t)vsnprintf(loop->text + loop->length, sizeof(loop->text) - loop->length, format, arguments);
    va_end(arguments);
    WEIR_MUST(loop->length < sizeof(loop->text));
}

bool fake_run_one(weir_loop_t *loop)
{
    weir_letter_t *letter = NULL;

    pthread_mutex_lock(&loop->lock);
    if (!weir_list_is_empty(&loop->letters)) {
        letter = WEIR_AROUND(loop->letters.next, weir_letter_t, link);
        weir_list_remove(&letter->link);
    }
    pthread_mutex_unlock(&loop->lock);
    if (letter == NULL)
        return false;
    letter->open(letter);
    return true;
}

void fake_run(weir_loop_t *loop)
{
    while (fake_run_one(loop))
        continue;
}

static weir_timer_t *first_due(weir_loop_t *loop, uint64_t end_ms)
{
    weir_timer_t *first = NULL;

    for (weir_list_t *node = loop->timers.next; node != &loop->timers; node = node->next) {
        weir_timer_t *timer = WEIR_AROUND(node, weir_timer_t, link);
        if (timer->due_at_ms <= end_ms && (first == NULL || timer->due_at_ms < first->due_at_ms))
            first = timer;
    }
    return first;
}

void fake_advance(weir_loop_t *loop, uint32_t ms)
{
    uint64_t end_us = loop->now_us + (uint64_t)ms * 1000;
    weir_timer_t *timer;

    fake_run(loop);
    while ((timer = first_due(loop, end_us / 1000)) != NULL) {
        uint64_t due_us = timer->due_at_ms * 1000;
        if (due_us > loop->now_us) {
            loop->wall_us += due_us - loop->now_us;
            loop->now_us = due_us;
        }
        weir_list_remove(&timer->link);
        timer->on_due(timer);
        fake_run(loop);
    }
    loop->wall_us += end_us - loop->now_us;
    loop->now_us = end_us;
}

uint64_t weir_loop_now_us(const weir_loop_t *loop)
{
    return loop->now_us;
}

uint64_t weir_loop_wall_us(const weir_loop_t *loop)
{
    return loop->wall_us;
}

void weir_loop_random(weir_loop_t *loop, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = loop->dice++;
}

void weir_timer_set(weir_loop_t *loop, weir_timer_t *timer, uint32_t delay_ms, void (*on_due)(weir_timer_t *timer))
{
    weir_timer_cancel(timer);
    timer->due_at_ms = loop->now_us / 1000 + delay_ms;
    timer->on_due = on_due;
    weir_list_append(&loop->timers, &timer->link);
}

void weir_timer_cancel(weir_timer_t *timer)
{
    if (weir_timer_is_set(timer))
        weir_list_remove(&timer->link);
}

bool weir_timer_is_set(const weir_timer_t *timer)
{
    return timer->link.next != NULL && timer->link.next != &timer->link;
}

void weir_loop_post(weir_loop_t *loop, weir_letter_t *letter)
{
    pthread_mutex_lock(&loop->lock);
    weir_list_append(&loop->letters, &letter->link);
    pthread_mutex_unlock(&loop->lock);
}

/* ---- the client's side ---- */

static weir_span_t lower_copy(weir_arena_t *arena, weir_span_t text)
{
    weir_span_t copy = weir_arena_copy(arena, text);
    char *bytes = weir_arena_alloc(arena, text.len + 1);

    for (size_t i = 0; i < copy.len; i++)
        bytes[i] = weir_lower(copy.base[i]);
    return (weir_span_t){bytes, text.len};
}

static void fill_request(weir_exchange_t *x, const weir_request_head_t *head)
{
    weir_request_t *request = &x->request;
    weir_span_t host = {NULL, 0};

    request->method = weir_arena_copy(&x->arena, head->method);
    request->target = weir_arena_copy(&x->arena, head->path);
    request->authority = weir_arena_copy(&x->arena, head->authority);
    if (weir_host_split(request->authority, &host, &request->host_port))
        request->host = lower_copy(&x->arena, host);
    request->scheme = WEIR_SPAN("http");
    request->peer_ip = WEIR_SPAN("10.0.0.9");
    request->peer_port = 1234;
    request->listen_port = 8080;
    request->version = head->minor == 0 ? 10 : 11;
    request->is_head = weir_span_equal(head->method, WEIR_SPAN("HEAD"));
    request->framing = head->framing;
    for (size_t i = 0; i < head->headers.count; i++)
        weir_headers_add(&request->headers, &x->arena, weir_arena_copy(&x->arena, head->headers.at[i].name),
                         weir_arena_copy(&x->arena, head->headers.at[i].value));
}

weir_exchange_t *fake_exchange(weir_loop_t *loop, const weir_plan_t *plan, weir_front_t *front, const char *text)
{
    static const weir_head_limits_t limits = {65536, 65536, 65536, 256, 1 << 20};
    weir_header_t headers[256];
    weir_request_reader_t reader = {0};
    weir_request_head_t head;
    const weir_fault_t *fault = NULL;
    size_t consumed;
    weir_exchange_t *x = weir_exchange_create(plan, loop);

    if (weir_request_head_read(&reader, (weir_span_t){text, strlen(text)}, &limits, headers, &head, &consumed, &fault) !=
        WEIR_HEAD_COMPLETE) {
        fprintf(stderr, "a test's request is refused: %s\n", fault != NULL ? fault->name : "incomplete");
        abort();
    }
    fill_request(x, &head);
    x->journal.start_at_us = loop->now_us;
    x->journal.wall_start_us = loop->wall_us;
    *front = (weir_front_t){.x = x, .loop = loop};
    weir_list_init(&front->letter.link);
    x->front = front;
    return x;
}

/* The response has arrived, or the client is gone: the front and the exchange part. */
static void part(weir_front_t *front)
{
    weir_list_remove(&front->letter.link);
    front->x->front = NULL;
    front->x = NULL;
}

void fake_deliver(weir_front_t *front)
{
    weir_exchange_t *x = front->x;

    void (*then)(weir_exchange_t *) = front->then;

    WEIR_MUST(x != NULL && then != NULL);
    part(front);
    then(x);
}

static void on_delivery(weir_letter_t *letter)
{
    fake_deliver(WEIR_AROUND(letter, weir_front_t, letter));
}

void fake_client_gone(weir_front_t *front, const weir_fault_t *fault)
{
    weir_exchange_t *x = front->x;

    void (*then)(weir_exchange_t *) = front->then;
    bool hears_end;

    if (x == NULL)
        return;
    part(front);
    front->is_gone = true;
    hears_end = weir_pipeline_hears_end(x);
    weir_exchange_client_gone(x, fault);
    if (then != NULL && hears_end)
        then(x);
}

static void write_head(weir_front_t *front, const weir_reply_head_t *head)
{
    char *at = front->head, *end = front->head + sizeof(front->head);

    front->responses++;
    front->status = head->status;
    front->must_close = head->must_close;
    front->framing = head->framing;
    front->content_length = head->content_length;
    for (size_t i = 0; i < head->headers->count; i++) {
        const weir_header_t *field = &head->headers->at[i];
        at += snprintf(at, (size_t)(end - at), "%.*s: %.*s\n", (int)field->name.len, field->name.base, (int)field->value.len,
                       field->value.base == NULL ? "" : field->value.base);
        WEIR_MUST(at < end);
    }
    front->x->has_responded = true;
    front->x->journal.status = head->status;
    /* Invariant 5: at most one response head */
    WEIR_MUST(front->responses == 1);
}

typedef struct late_then {
    weir_letter_t letter;
    weir_exchange_t *x;
    void (*then)(weir_exchange_t *x);
} late_then_t;

static void on_late_then(weir_letter_t *letter)
{
    late_then_t *late = WEIR_AROUND(letter, late_then_t, letter);

    late->then(late->x);
}

void weir_front_reply(weir_exchange_t *x, const weir_reply_head_t *head, weir_span_t body, void (*then)(weir_exchange_t *x))
{
    weir_front_t *front = x->front;
    late_then_t *late;

    fake_note(x->loop, "reply %u\n", head->status);
    if (front == NULL) {
        late = weir_arena_zalloc(&x->arena, sizeof(*late));
        *late = (late_then_t){{.open = on_late_then}, x, then};
        weir_loop_post(x->loop, &late->letter);
        return;
    }
    write_head(front, head);
    snprintf(front->body, sizeof(front->body), "%.*s", (int)body.len, body.base == NULL ? "" : body.base);
    front->then = then;
    front->letter.open = on_delivery;
    if (!front->holds_delivery)
        weir_loop_post(x->loop, &front->letter);
}

void weir_front_interim(weir_exchange_t *x, uint16_t status, const weir_headers_t *headers)
{
    if (x->front == NULL)
        return;
    fake_note(x->loop, "interim %u\n", status);
    for (size_t i = 0; headers != NULL && i < headers->count; i++)
        fake_note(x->loop, "  %.*s: %.*s\n", (int)headers->at[i].name.len, headers->at[i].name.base,
                  (int)headers->at[i].value.len, headers->at[i].value.base);
}

void weir_front_cut(weir_exchange_t *x)
{
    fake_note(x->loop, "cut\n");
    if (x->front == NULL)
        return;
    WEIR_MUST(x->has_responded);
    x->front->is_cut = true;
    part(x->front);
}

void weir_front_finish(weir_exchange_t *x)
{
    if (x->front == NULL)
        return;
    fake_note(x->loop, "finish\n");
    if (x->front->responses == 0)
        x->front->status = 204;
    part(x->front);
}

bool weir_front_is_body_touched(const weir_exchange_t *x)
{
    return x->front != NULL && x->front->is_body_touched;
}

/* ---- the backend's side ---- */

struct weir_dial {
    weir_exchange_t *x;
    void (*then)(weir_exchange_t *x, const weir_fault_t *fault);
    const weir_fault_t *fault;
    bool is_pooled;
    weir_letter_t letter;
};

static void dialled(struct weir_dial *dial, const weir_fault_t *fault)
{
    weir_exchange_t *x = dial->x;

    weir_list_remove(&dial->letter.link);
    x->dial = NULL;
    if (fault == NULL) {
        x->back = calloc(1, sizeof(*x->back));
        WEIR_MUST(x->back != NULL);
        x->back->x = x;
        x->back->is_pooled = dial->is_pooled;
        x->loop->backs++;
        x->journal.connected_at_us = x->loop->now_us;
    }
    dial->then(x, fault);
}

static void on_dialled(weir_letter_t *letter)
{
    struct weir_dial *dial = WEIR_AROUND(letter, struct weir_dial, letter);

    dialled(dial, dial->fault);
}

/* There is no TLS without sockets: whoever makes one gets a name for it. */
weir_backend_tls_t *weir_backend_tls_create(const weir_backend_tls_settings_t *settings, char *problem, size_t problem_bytes)
{
    if (settings->ca_file == NULL || strcmp(settings->ca_file, "/nowhere") != 0)
        return malloc(1);
    snprintf(problem, problem_bytes, "/nowhere cannot be read");
    return NULL;
}

void weir_backend_tls_release(weir_backend_tls_t *tls)
{
    free(tls);
}

void weir_back_connect(weir_exchange_t *x, void (*then)(weir_exchange_t *x, const weir_fault_t *fault))
{
    weir_loop_t *loop = x->loop;
    struct weir_dial *dial = weir_arena_zalloc(&x->arena, sizeof(*dial));
    fake_connect_t how = FAKE_CONNECT_NOW;

    WEIR_MUST(x->back == NULL && x->dial == NULL);
    fake_note(loop, "connect %.*s%s\n", (int)x->target.label.len, x->target.label.base, x->wants_fresh ? " fresh" : "");
    x->journal.connect_start_at_us = loop->now_us;
    x->journal.connects++;
    if (x->target.kind == WEIR_TARGET_BROKEN || x->target.kind == WEIR_TARGET_NONE) {
        then(x, &weir_fault_backend_bad_address);
        return;
    }
    x->dial = dial;
    dial->x = x;
    dial->then = then;
    weir_list_init(&dial->letter.link);
    if (loop->before_connect != NULL)
        loop->before_connect(loop);
    if (loop->connect_at < loop->connect_count) {
        how = loop->connects[loop->connect_at].how;
        dial->fault = loop->connects[loop->connect_at].fault;
        dial->is_pooled = loop->connects[loop->connect_at].is_pooled && !x->wants_fresh;
        loop->connect_at++;
    }
    switch (how) {
    case FAKE_CONNECT_NOW:
        dialled(dial, dial->fault);
        return;
    case FAKE_CONNECT_LATER:
        dial->letter.open = on_dialled;
        weir_loop_post(loop, &dial->letter);
        return;
    case FAKE_CONNECT_HELD:
        return;
    }
}

void fake_connected(weir_exchange_t *x, const weir_fault_t *fault)
{
    WEIR_MUST(x->dial != NULL);
    dialled(x->dial, fault);
}

void weir_back_cancel(weir_exchange_t *x)
{
    fake_note(x->loop, "cancel\n");
    if (x->dial == NULL)
        return;
    weir_list_remove(&x->dial->letter.link);
    x->dial = NULL;
}

void weir_back_release(weir_exchange_t *x)
{
    if (x->back == NULL)
        return;
    fake_note(x->loop, "release\n");
    x->loop->backs--;
    free(x->back);
    x->back = NULL;
}

bool weir_back_opens_websockets(const weir_exchange_t *x)
{
    return x->loop->opens_websockets;
}

bool weir_back_is_untouched(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->is_untouched;
}

bool weir_back_is_stale(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->is_pooled && !x->back->has_answered;
}

/* HTTP/2's fields as lines, so that tests can compare them like a head. */
static size_t write_fields(char *to, const weir_headers_t *fields)
{
    char *at = to;

    for (size_t i = 0; i < fields->count; i++) {
        const weir_header_t *field = &fields->at[i];
        WEIR_MUST((size_t)(at - to) + field->name.len + field->value.len + 4 < FAKE_HEAD_BYTES);
        at += sprintf(at, "%.*s: %.*s\r\n", (int)field->name.len, field->name.base, (int)field->value.len, field->value.base);
    }
    return (size_t)(at - to);
}

void weir_relay_start(weir_exchange_t *x, const weir_backend_head_t *head, weir_framing_t body,
                      const weir_relay_events_t *events)
{
    size_t length = head->text.len;

    WEIR_MUST(x->back != NULL && !x->back->is_relaying && length < FAKE_HEAD_BYTES);
    WEIR_MUST((length == 0) == (x->target.protocol != WEIR_HTTP1));
    fake_note(x->loop, "relay\n");
    if (length != 0)
        memcpy(x->loop->backend_head, head->text.base, length);
    else
        length = write_fields(x->loop->backend_head, &head->fields);
    x->loop->backend_head[length] = '\0';
    x->journal.backend_sent_bytes += length;
    x->journal.head_sent_at_us = x->journal.request_sent_at_us = x->loop->now_us;
    x->back->is_relaying = true;
    x->back->framing = body;
    x->back->events = events;
}

bool fake_respond(weir_exchange_t *x, const char *text)
{
    static const weir_response_limits_t limits = {8192, 524288, 8192, 256, 1 << 20};
    weir_header_t headers[256];
    weir_response_reader_t reader = {0};
    weir_response_head_t head;
    const weir_fault_t *fault = NULL;
    size_t consumed;

    if (x->back == NULL || !x->back->is_relaying)
        return false;
    WEIR_MUST(weir_response_head_read(&reader, (weir_span_t){text, strlen(text)}, &limits, headers, &head, &consumed, &fault) ==
              WEIR_HEAD_COMPLETE);
    x->back->has_answered = true;
    if (head.status >= 200)
        x->journal.first_byte_at_us = x->loop->now_us;
    x->journal.last_byte_at_us = x->loop->now_us;
    x->journal.backend_received_bytes += consumed;
    x->back->events->on_response(x, &head);
    return true;
}

bool fake_relay_end(weir_exchange_t *x, const weir_fault_t *fault)
{
    const weir_relay_events_t *events;

    if (x->back == NULL || !x->back->is_relaying)
        return false;
    events = x->back->events;
    x->back->is_relaying = false;
    if (fault == NULL && x->front != NULL)
        part(x->front);
    events->on_end(x, fault);
    return true;
}

void weir_relay_respond(weir_exchange_t *x, const weir_reply_head_t *head)
{
    fake_note(x->loop, "respond %u\n", head->status);
    if (x->front != NULL)
        write_head(x->front, head);
}

void weir_relay_tunnel(weir_exchange_t *x, const weir_reply_head_t *head)
{
    fake_note(x->loop, "tunnel\n");
    if (x->front != NULL)
        write_head(x->front, head);
}

void weir_relay_stop(weir_exchange_t *x)
{
    if (x->back == NULL || !x->back->is_relaying)
        return;
    fake_note(x->loop, "stop\n");
    x->back->is_relaying = false;
}

/* ---- a plan, a router ---- */

weir_plan_t fake_plan(const weir_router_t *router, weir_shared_t *shared, const weir_stage_t *const *stages)
{
    weir_plan_t plan = {
        .binding = {router, shared},
        .stages = stages != NULL ? stages : weir_stages,
        .connect_timeout_ms = 5000,
        .first_byte_timeout_ms = 30000,
        .idle_timeout_ms = 55000,
        .tunnel_timeout_ms = 55000,
        .backend_idle_timeout_ms = 55000,
        .header_timeout_ms = 60000,
        .router_timeout_ms = 5000,
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
    return plan;
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
    script->picks++;
    (void)weir_checkout_pick(q, script->has_no_service ? NULL : &services[script->picks % 2]);
}

static void answer_lookup(weir_shared_t *script, weir_q_lookup_t *q)
{
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
        return weir_later_(q);
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
};

/* ---- configuration ---- */

struct weir_config {
    weir_config_kind_t kind;
    char *text;
    weir_config_t **keys, **values;
    size_t count;
};

char fake_complaint[512];

static const char *skip(const char *at)
{
    return at + strspn(at, " \n,");
}

static weir_config_t *node_make(weir_config_kind_t kind)
{
    weir_config_t *node = calloc(1, sizeof(*node));

    WEIR_MUST(node != NULL);
    node->kind = kind;
    return node;
}

static weir_config_t *read_scalar(const char **at)
{
    weir_config_t *node = node_make(WEIR_CONFIG_SCALAR);
    const char *start = *at, *end = start;

    if (*start == '"') {
        end = strchr(++start, '"');
        WEIR_MUST(end != NULL);
        *at = end + 1;
    } else {
        while (*end != '\0' && strchr(",{}[]\n", *end) == NULL && !(end[0] == ':' && end[1] == ' '))
            end++;
        *at = end;
    }
    node->text = strndup(start, (size_t)(end - start));
    WEIR_MUST(node->text != NULL);
    return node;
}

static void add_entry(weir_config_t *node, weir_config_t *key, weir_config_t *value)
{
    if ((node->count & (node->count - 1)) == 0) { /* room doubles */
        size_t room = node->count == 0 ? 1 : 2 * node->count;
        node->keys = realloc(node->keys, room * sizeof(*node->keys));
        node->values = realloc(node->values, room * sizeof(*node->values));
        WEIR_MUST(node->keys != NULL && node->values != NULL);
    }
    node->keys[node->count] = key;
    node->values[node->count++] = value;
}

static weir_config_t *read_node(const char **at)
{
    bool is_map = **at == '{';
    weir_config_t *node;

    if (!is_map && **at != '[')
        return read_scalar(at);
    node = node_make(is_map ? WEIR_CONFIG_MAP : WEIR_CONFIG_LIST);
    for (*at = skip(*at + 1); **at != '}' && **at != ']'; *at = skip(*at)) {
        weir_config_t *key = is_map ? read_scalar(at) : NULL;
        WEIR_MUST(**at != '\0' && (!is_map || **at == ':'));
        *at = is_map ? skip(*at + 1) : *at;
        add_entry(node, key, read_node(at));
    }
    (*at)++;
    return node;
}

weir_config_t *fake_config(const char *text)
{
    const char *at = skip(text);

    fake_complaint[0] = '\0';
    return read_node(&at);
}

void fake_config_free(weir_config_t *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++) {
        fake_config_free(node->keys[i]);
        fake_config_free(node->values[i]);
    }
    free(node->keys);
    free(node->values);
    free(node->text);
    free(node);
}

weir_config_kind_t weir_config_kind(const weir_config_t *node)
{
    return node == NULL ? WEIR_CONFIG_NONE : node->kind;
}

const char *weir_config_text(const weir_config_t *node)
{
    return node == NULL ? NULL : node->text;
}

size_t weir_config_count(const weir_config_t *node)
{
    return node == NULL ? 0 : node->count;
}

const weir_config_t *weir_config_at(const weir_config_t *node, size_t index)
{
    return index < weir_config_count(node) ? node->values[index] : NULL;
}

const weir_config_t *weir_config_key(const weir_config_t *node, size_t index)
{
    return index < weir_config_count(node) ? node->keys[index] : NULL;
}

const weir_config_t *weir_config_get(const weir_config_t *node, const char *name)
{
    for (size_t i = 0; weir_config_kind(node) == WEIR_CONFIG_MAP && i < node->count; i++) {
        if (strcmp(node->keys[i]->text, name) == 0)
            return node->values[i];
    }
    return NULL;
}

bool weir_config_wrong(const weir_config_t *node, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_complaint, sizeof(fake_complaint), format, arguments);
    va_end(arguments);
    return false;
}

/* ---- certificates: nobody has one ---- */

const weir_certificate_facts_t *weir_certificate_facts(weir_certificate_t *certificate)
{
    WEIR_MUST(certificate == NULL);
    return NULL;
}

void weir_certificate_release(weir_certificate_t **slot)
{
    WEIR_MUST(*slot == NULL);
}

/* ---- configurations: there is only one, and it stays ---- */

void weir_context_release(struct weir_context *context)
{
    WEIR_MUST(context == NULL);
}
