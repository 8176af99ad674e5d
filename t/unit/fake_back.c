/* SPDX-License-Identifier: MIT */
/* The fake world: the backend's side. */
#include "fake_wire.h"

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

bool weir_back_is_reused(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->is_pooled;
}

bool weir_relay_holds_body(const weir_exchange_t *x)
{
    return !weir_front_is_body_touched(x) || (x->back != NULL && x->back->holds_body);
}

bool weir_relay_has_whole_body(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->has_whole_body;
}

weir_relay_side_t weir_relay_waits_for(const weir_exchange_t *x)
{
    return x->back != NULL ? x->back->waits_for : WEIR_RELAY_NOBODY;
}

uint64_t weir_relay_moved_bytes(const weir_exchange_t *x)
{
    return x->journal.client_received_bytes + x->journal.client_sent_bytes;
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
    WEIR_MUST((length == 0) == (x->target.protocol == WEIR_HTTP2));
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
        fake_part(x->front);
    events->on_end(x, fault);
    return true;
}

void weir_relay_respond(weir_exchange_t *x, const weir_reply_head_t *head)
{
    fake_note(x->loop, "respond %u\n", head->status);
    if (x->front != NULL)
        fake_write_head(x->front, head);
}

void weir_relay_tunnel(weir_exchange_t *x, const weir_reply_head_t *head)
{
    fake_note(x->loop, "tunnel\n");
    if (x->front != NULL)
        fake_write_head(x->front, head);
}

void weir_relay_stop(weir_exchange_t *x)
{
    if (x->back == NULL || !x->back->is_relaying)
        return;
    fake_note(x->loop, "stop\n");
    x->back->is_relaying = false;
}

/* ---- probes ---- */

weir_probing_t *fake_probes;

weir_probing_t *weir_probing_begin(const weir_probe_settings_t *settings, const weir_target_t *target,
                                   void (*on_result)(void *context, const weir_probe_result_t *result), void *context)
{
    weir_probing_t *probing = calloc(1, sizeof(*probing)), **at = &fake_probes;

    WEIR_MUST(probing != NULL);
    probing->settings = *settings;
    snprintf(probing->label, sizeof(probing->label), "%.*s", (int)target->label.len, target->label.base);
    probing->on_result = on_result;
    probing->context = context;
    while (*at != NULL)
        at = &(*at)->next;
    *at = probing;
    return probing;
}

void weir_probing_cancel(weir_probing_t **slot)
{
    weir_probing_t *probing = *slot, **at = &fake_probes;

    *slot = NULL;
    if (probing == NULL)
        return;
    while (*at != probing)
        at = &(*at)->next;
    *at = probing->next;
    free(probing);
}

weir_span_t weir_probing_header(const weir_probing_t *probing, weir_span_t name)
{
    const weir_header_t *field = weir_headers_find_name(&probing->headers, name);

    return field != NULL ? field->value : (weir_span_t){NULL, 0};
}

weir_span_t weir_probing_address(const weir_probing_t *probing, size_t index)
{
    for (size_t i = 0; probing->addresses != NULL && probing->addresses[i] != NULL; i++)
        if (i == index)
            return (weir_span_t){probing->addresses[i], strlen(probing->addresses[i])};
    return (weir_span_t){NULL, 0};
}

static void fake_probe_end(const weir_probe_result_t *result, const char *const *addresses)
{
    weir_probing_t *probing = fake_probes;

    WEIR_MUST(probing != NULL);
    fake_probes = probing->next;
    probing->addresses = addresses;
    probing->on_result(probing->context, result);
    free(probing);
}

void fake_probe_addresses(const char *const *addresses, uint32_t fresh_ms)
{
    fake_probe_end(&(weir_probe_result_t){.size = sizeof(weir_probe_result_t), .grpc_status = -1, .fresh_ms = fresh_ms},
                   addresses);
}

void fake_probe_answer(uint16_t status, const weir_fault_t *fault)
{
    const weir_probe_result_t result = {
        .size = sizeof(result), .fault = fault, .status = status, .grpc_status = -1, .is_serving = fault == NULL};

    fake_probe_end(&result, NULL);
}
