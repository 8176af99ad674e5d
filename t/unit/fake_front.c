/* SPDX-License-Identifier: MIT */
/* The fake world: the client's side. */
#include "fake_wire.h"

#include "lib/http/host.h"

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
void fake_part(weir_front_t *front)
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
    fake_part(front);
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
    fake_part(front);
    front->is_gone = true;
    hears_end = weir_pipeline_hears_end(x);
    weir_exchange_client_gone(x, fault);
    if (then != NULL && hears_end)
        then(x);
}

void fake_write_head(weir_front_t *front, const weir_reply_head_t *head)
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
    fake_write_head(front, head);
    snprintf(front->body, sizeof(front->body), "%.*s", (int)body.len, body.base == NULL ? "" : body.base);
    front->then = then;
    front->letter.open = on_delivery;
    if (!front->holds_delivery)
        weir_loop_post(x->loop, &front->letter);
}

bool weir_front_interim(weir_exchange_t *x, uint16_t status, const weir_headers_t *headers)
{
    if (x->front == NULL)
        return true;
    fake_note(x->loop, "interim %u\n", status);
    for (size_t i = 0; headers != NULL && i < headers->count; i++)
        fake_note(x->loop, "  %.*s: %.*s\n", (int)headers->at[i].name.len, headers->at[i].name.base,
                  (int)headers->at[i].value.len, headers->at[i].value.base);
    return true;
}

void weir_front_cut(weir_exchange_t *x)
{
    fake_note(x->loop, "cut\n");
    if (x->front == NULL)
        return;
    WEIR_MUST(x->has_responded);
    x->front->is_cut = true;
    fake_part(x->front);
}

void weir_front_finish(weir_exchange_t *x)
{
    if (x->front == NULL)
        return;
    fake_note(x->loop, "finish\n");
    if (x->front->responses == 0)
        x->front->status = 204;
    fake_part(x->front);
}

bool weir_front_is_body_touched(const weir_exchange_t *x)
{
    return x->front != NULL && x->front->is_body_touched;
}
