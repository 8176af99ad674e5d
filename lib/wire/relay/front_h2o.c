/* SPDX-License-Identifier: MIT */
/*
 * The client's side on any front: how the walk's words (front.h) become libh2o's.
 *
 *   prepare ─► send … send(is_last) ─► libh2o's filters ─► the front's final ostream ─► disposed: delivered or gone
 */
#include "lib/wire/relay/front.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/status.h"
#include "lib/walk/pipeline.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/relay/relay.h"

enum { SPARE_FIELDS = 4 }; /* that we and libh2o's filters may add without its list growing */

const char weir_front_framing_mark[] = "chunked";

/* ---- the request ---- */

/* Its stock fronts leave out the same. */
struct timeval weir_front_instant(const h2o_req_t *req)
{
    return *h2o_get_timestamp(req->conn->ctx, NULL, NULL);
}

/* As libh2o's memory.c lays pools out: the first block begins with its link to the next one, and each entry has 16 bytes. */
static bool has_one_entry(const h2o_mem_pool_t *pool)
{
    return pool->directs == NULL && pool->chunks != NULL && pool->chunk_offset == 16 &&
           *(void *const *)(const void *)pool->chunks == NULL;
}

void *weir_front_trim_pool(h2o_req_t *req)
{
    void *time = req->processed_at.str;

    if (time == NULL || req->pool.shared_refs == NULL || !has_one_entry(&req->pool))
        return NULL;
    h2o_mem_addref_shared(time);
    h2o_mem_clear_pool(&req->pool);
    return time;
}

h2o_iovec_t weir_front_authority(const weir_context_t *context, weir_span_t named)
{
    const weir_span_t authority = named.len > 0 ? named : context->settings->default_host;

    return h2o_iovec_init(authority.base, authority.len);
}

size_t weir_front_fill_bytes(const weir_headers_t *headers)
{
    size_t bytes = headers->count * (sizeof(h2o_header_t) + sizeof(h2o_iovec_t));

    for (size_t i = 0; i < headers->count; i++)
        bytes += headers->at[i].name.len;
    return bytes;
}

static bool is_elsewhere(weir_header_id_t id)
{
    return id == WEIR_HEADER_HOST || id == WEIR_HEADER_CONTENT_LENGTH || id == WEIR_HEADER_TRANSFER_ENCODING ||
           id == WEIR_HEADER_EXPECT || id == WEIR_HEADER_UPGRADE;
}

void weir_front_fill_headers(h2o_req_t *req, const weir_headers_t *headers, char *room)
{
    h2o_header_t *entries = (h2o_header_t *)(void *)room;
    h2o_iovec_t *names = (h2o_iovec_t *)(void *)(entries + headers->count);
    char *lower = (char *)(names + headers->count);
    size_t count = 0;

    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];
        if (is_elsewhere(field->id))
            continue;
        weir_lower_bytes(lower, field->name.base, field->name.len);
        const h2o_token_t *token = h2o_lookup_token(lower, field->name.len);
        h2o_iovec_t *name = token != NULL ? (h2o_iovec_t *)(uintptr_t)&token->buf : &names[count];
        if (token == NULL) {
            *name = h2o_iovec_init(lower, field->name.len);
            lower += field->name.len;
        }
        entries[count++] = (h2o_header_t){name, field->name.base, h2o_iovec_init(field->value.base, field->value.len)};
    }
    req->headers = (h2o_headers_t){entries, count, headers->count};
}

/* ---- the head ---- */

/* libh2o's word for what nearly every response has, without looking it up; else NULL. */
static const h2o_token_t *common_token(weir_header_id_t id)
{
    switch ((int)id) {
    case WEIR_HEADER_DATE:
        return H2O_TOKEN_DATE;
    case WEIR_HEADER_SERVER:
        return H2O_TOKEN_SERVER;
    case WEIR_HEADER_SET_COOKIE:
        return H2O_TOKEN_SET_COOKIE;
    case WEIR_HEADER_VIA:
        return H2O_TOKEN_VIA;
    default:
        return NULL;
    }
}

static size_t bytes_of(const weir_headers_t *fields)
{
    size_t bytes = 0;

    for (size_t i = 0; i < fields->count; i++)
        bytes += 2 * fields->at[i].name.len + fields->at[i].value.len;
    return bytes;
}

/*
 * Makes the response's fields copies of these, in one piece of the request's pool: the names as sent, and in lower case for
 * libh2o.
 */
static void copy_fields(h2o_req_t *req, const weir_headers_t *fields, bool is_canonical)
{
    size_t capacity = fields->count + SPARE_FIELDS;
    h2o_header_t *entries =
        h2o_mem_alloc_pool(&req->pool, capacity * (sizeof(*entries) + sizeof(h2o_iovec_t)) + bytes_of(fields));
    h2o_iovec_t *names = (h2o_iovec_t *)(entries + capacity);
    char *at = (char *)(names + capacity);

    for (size_t i = 0; i < fields->count; i++) {
        const weir_header_t *field = &fields->at[i];
        weir_span_t name = field->name, value = field->value;
        char *sent = at, *lower = sent + name.len, *copy = lower + name.len;
        if (is_canonical)
            weir_header_canonical_case(name, sent);
        else
            (void)weir_append(sent, name);
        at = weir_append(copy, value);
        const h2o_token_t *token = common_token(field->id);
        if (token == NULL) {
            weir_lower_bytes(lower, name.base, name.len);
            names[i] = h2o_iovec_init(lower, name.len);
            token = h2o_lookup_token(lower, name.len);
        }
        /* h2o_add_header() and its kin would reserve and copy once more */
        entries[i] =
            (h2o_header_t){token != NULL ? (h2o_iovec_t *)&token->buf : &names[i], sent, h2o_iovec_init(copy, value.len)};
    }
    req->res.headers = (h2o_headers_t){entries, fields->count, capacity};
}

static void leave_out_what_libh2o_writes(h2o_res_t *res)
{
    size_t count = 0;

    for (size_t i = 0; i < res->headers.size; i++) {
        const h2o_iovec_t *name = res->headers.entries[i].name;
        if (name != &H2O_TOKEN_DATE->buf && name != &H2O_TOKEN_SERVER->buf && name != &H2O_TOKEN_CONNECTION->buf)
            res->headers.entries[count++] = res->headers.entries[i];
    }
    res->headers.size = count;
}

static void mark_as_chunked(weir_front_t *front)
{
    h2o_req_t *req = front->req;

    req->res.content_length = SIZE_MAX;
    if (front->ops->foreign_send == NULL)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_TRANSFER_ENCODING, NULL, weir_front_framing_mark, 7);
}

void weir_front_frame_in_chunks(h2o_req_t *req)
{
    const h2o_ostream_t *last = req->_ostr_top;

    req->res.content_length = SIZE_MAX;
    while (last->next != NULL)
        last = last->next;
    if (last->stop == weir_front_takes_at_once && h2o_find_header(&req->res.headers, H2O_TOKEN_TRANSFER_ENCODING, -1) == -1)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_TRANSFER_ENCODING, NULL, weir_front_framing_mark, 7);
}

void weir_front_chunk(weir_front_t *front)
{
    const h2o_req_t *req = front->req;

    if (!front->is_started && req->version == 0x101 && req->res.content_length != SIZE_MAX)
        mark_as_chunked(front);
}

void weir_front_prepare(weir_front_t *front, const weir_reply_head_t *head)
{
    h2o_req_t *req = front->req;
    weir_span_t reason = head->reason;
    const char *registered = weir_status_reason(head->status);

    req->res.status = head->status;
    bool is_registered = reason.len == 0 || h2o_memis(reason.base, reason.len, registered, strlen(registered));
    req->res.reason = is_registered ? registered : h2o_strdup(&req->pool, reason.base, reason.len).base;
    copy_fields(req, head->headers, front->x->plan->has_canonical_case);
    switch (head->framing.kind) {
    case WEIR_FRAMING_NONE:
        req->res.content_length = head->content_length == UINT64_MAX ? SIZE_MAX : head->content_length;
        break;
    case WEIR_FRAMING_LENGTH:
        req->res.content_length = head->framing.length_bytes;
        break;
    case WEIR_FRAMING_CHUNKED:
    case WEIR_FRAMING_UNTIL_CLOSE:
        mark_as_chunked(front);
        break;
    }
    if (front->ops->foreign_send != NULL)
        leave_out_what_libh2o_writes(&req->res);
    front->must_close = head->must_close;
    if (head->must_close)
        req->http1_is_persistent = 0;
}

/* ---- what h2o's access-log can print of ours ---- */

static void set_env(h2o_req_t *req, weir_span_t name, weir_span_t value)
{
    h2o_iovec_t *slot = h2o_req_getenv(req, name.base, name.len, 1);

    *slot = h2o_strdup(&req->pool, value.base, value.len);
}

static void set_env_ms(h2o_req_t *req, weir_span_t name, int64_t ms)
{
    char digits[20];

    if (ms >= 0)
        set_env(req, name, weir_span_of_u64((uint64_t)ms, digits));
}

/* What it says already takes no more of the request's pool, however often one asks. */
static void note(h2o_req_t *req, weir_span_t name, weir_span_t value)
{
    const h2o_iovec_t *said = h2o_req_getenv(req, name.base, name.len, 0);

    if (said == NULL ? value.len > 0 : !h2o_memis(said->base, said->len, value.base, value.len))
        set_env(req, name, value);
}

static void note_backend(weir_exchange_t *x)
{
    if (x->front == NULL)
        return;
    note(x->front->req, WEIR_SPAN("weir.app"), x->app);
    note(x->front->req, WEIR_SPAN("weir.backend"), x->has_service ? x->target.label : WEIR_SPAN(""));
}

static void tell_loggers(weir_front_t *front)
{
    h2o_req_t *req = front->req;
    const weir_exchange_t *x = front->x;

    if (req->pathconf->loggers.size == 0)
        return;
    note_backend(front->x);
    set_env_ms(req, WEIR_SPAN("weir.connect-time"), weir_request_connect_ms(&x->request));
    set_env_ms(req, WEIR_SPAN("weir.route-time"), weir_request_route_ms(&x->request));
    if (x->request.id.len != 0)
        set_env(req, WEIR_SPAN("weir.request-id"), x->request.id);
    if (x->fault != NULL)
        set_env(req, WEIR_SPAN("weir.reason"), (weir_span_t){x->fault->name, strlen(x->fault->name)});
}

void weir_front_note_backends(void)
{
    weir_exchange_each(note_backend);
}

/* ---- sending ---- */

void weir_front_takes_at_once(h2o_ostream_t *ostream, h2o_req_t *req)
{
}

bool weir_front_is_taken_at_once(const h2o_ostream_t *ostream)
{
    while (ostream != NULL && ostream->stop == weir_front_takes_at_once)
        ostream = ostream->next;
    return ostream == NULL;
}

static void start(weir_front_t *front)
{
    front->is_started = true;
    front->x->has_responded = true;
    front->x->journal.status = (uint16_t)front->req->res.status;
    tell_loggers(front);
    h2o_start_response(front->req, &front->generator);
    front->is_direct = front->ops->foreign_send == NULL && front->req->_ostr_top->next == NULL;
}

/* libh2o's filters may keep the pieces until they proceed: they get a copy that lives so long. */
static h2o_iovec_t hold(weir_front_t *front, const h2o_iovec_t *pieces, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    free(front->held);
    front->held = malloc(total + 1);
    WEIR_MUST(front->held != NULL);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(front->held + at, pieces[i].base, pieces[i].len);
        at += pieces[i].len;
    }
    return h2o_iovec_init(front->held, total);
}

bool weir_front_send(weir_front_t *front, h2o_iovec_t *pieces, size_t count, bool is_last)
{
    if (!front->is_started)
        start(front);
    if (front->is_stopped || front->is_complete)
        return false;
    front->is_complete = is_last;
    for (size_t i = 0; i < count; i++)
        front->x->journal.client_sent_bytes += pieces[i].len;
    h2o_send_state_t state = is_last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS;
    if (front->is_direct) {
        h2o_send(front->req, pieces, count, state);
        return !is_last && front->ops->is_writable(front->req);
    }
    if (weir_front_is_taken_at_once(front->req->_ostr_top)) {
        h2o_send(front->req, pieces, count, state);
        return false;
    }
    h2o_iovec_t held = hold(front, pieces, count);
    if (front->ops->foreign_send != NULL) {
        front->ops->foreign_send(front->req, held, is_last);
        return false;
    }
    h2o_send(front->req, &held, held.len == 0 ? 0 : 1, state);
    return false;
}

/* libh2o wants more: only where its filters stand between. */
static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    weir_front_t *front = (weir_front_t *)(void *)generator;

    if (front->ops->foreign_proceed != NULL && front->ops->foreign_proceed(req))
        return;
    if (front->relay != NULL)
        relay_on_client_writable(front->relay);
}

/* libh2o does not want the rest: the request is being disposed of, or an error document takes its place. */
static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    ((weir_front_t *)(void *)generator)->is_stopped = true;
}

/* ---- the walk's words ---- */

/* Nobody is there to be served: then() is owed all the same, from the loop. */
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

static void call_late(weir_exchange_t *x, void (*then)(weir_exchange_t *x))
{
    late_then_t *late = weir_arena_zalloc(&x->arena, sizeof(*late));

    weir_list_init(&late->letter.link);
    late->letter.open = on_late_then;
    late->x = x;
    late->then = then;
    weir_loop_post(x->loop, &late->letter);
}

void weir_front_reply(weir_exchange_t *x, const weir_reply_head_t *head, weir_span_t body, void (*then)(weir_exchange_t *x))
{
    weir_front_t *front = x->front;

    if (front == NULL) {
        call_late(x, then);
        return;
    }
    WEIR_MUST(!front->is_started);
    front->ops->body_close(front->req);
    weir_reply_head_t whole = *head;
    whole.framing = (weir_framing_t){WEIR_FRAMING_NONE, 0};
    whole.content_length = weir_status_has_body(head->status) ? body.len : UINT64_MAX;
    weir_front_prepare(front, &whole);
    front->then = then;
    bool is_silent = x->request.is_head || !weir_status_has_body(head->status);
    h2o_iovec_t piece = h2o_iovec_init(body.base, body.len);
    (void)weir_front_send(front, &piece, is_silent || body.len == 0 ? 0 : 1, true);
}

bool weir_front_interim(weir_exchange_t *x, uint16_t status, const weir_headers_t *headers)
{
    weir_front_t *front = x->front;

    if (front == NULL || x->request.version < 11 || front->is_started)
        return true;
    if (front->relay != NULL && !relay_may_interim(front->relay))
        return false;
    const size_t left_bytes = front->ops->interim(front->req, status, headers);
    if (front->relay != NULL && left_bytes > 0)
        relay_on_interim_left(front->relay, left_bytes);
    return true;
}

static void forget(weir_front_t *front)
{
    if (front->x == NULL)
        return;
    front->ops->body_close(front->req);
    front->x->front = NULL;
    front->x = NULL;
    front->relay = NULL;
    front->then = NULL;
}

void weir_front_cut(weir_exchange_t *x)
{
    weir_front_t *front = x->front;

    if (front == NULL)
        return;
    if (front->req->pathconf->loggers.size != 0)
        tell_loggers(front);
    front->ops->cut(front->req);
    forget(front);
}

bool weir_front_is_body_touched(const weir_exchange_t *x)
{
    return x->front != NULL && x->front->ops->is_body_touched(x->front->req);
}

void weir_front_finish(weir_exchange_t *x)
{
    weir_front_t *front = x->front;

    if (front == NULL)
        return;
    if (!front->is_started) {
        /* Vegur answers a pipeline that halted without a response with an empty 204 */
        const weir_headers_t none = {0};
        const weir_reply_head_t head = {.status = 204, .headers = &none, .content_length = UINT64_MAX};
        front->ops->body_close(front->req);
        weir_front_prepare(front, &head);
        (void)weir_front_send(front, NULL, 0, true);
    } else if (!front->is_complete) {
        front->ops->cut(front->req);
    }
    forget(front);
}

/* ---- the end of a request ---- */

void weir_front_on_disposed(weir_front_t *front)
{
    free(front->held);
    front->held = NULL;
    weir_front_let_go(front);
}

void weir_front_let_go(weir_front_t *front)
{
    weir_exchange_t *x = front->x;

    if (x == NULL)
        return;
    void (*then)(weir_exchange_t *) = front->then;
    struct relay *relay = front->relay;
    const weir_fault_t *fault = front->ops->why_gone(front->req);
    if (fault == NULL && !front->is_complete && !front->is_stopped)
        fault = &weir_fault_client_closed;
    if (fault == &weir_fault_client_closed && front->loop->is_cut)
        fault = &weir_fault_shutting_down; /* it was us who closed */
    x->front = NULL;
    front->x = NULL;
    front->relay = NULL;
    bool is_owed = weir_pipeline_hears_end(x);
    if (fault == NULL && relay != NULL)
        relay_on_delivered(relay);
    else if (fault == NULL && then != NULL)
        then(x);
    else if (fault != NULL) {
        weir_exchange_client_gone(x, fault);
        if (then != NULL && is_owed)
            then(x);
    }
}

void weir_front_attach(weir_exchange_t *x, h2o_req_t *req, const weir_front_ops_t *ops)
{
    weir_front_t *front = ops->attach(req);

    *front = (weir_front_t){.generator = {on_proceed, on_stop}, .req = req, .ops = ops, .x = x, .loop = x->loop};
    x->front = front;
}
