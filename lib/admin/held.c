/* SPDX-License-Identifier: MIT */
/* Calls that are answered later, and answers that come by and by. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/admin/call.h"
#include "lib/base/must.h"
#include "lib/walk/steward.h"

enum { UNAVAILABLE = 503, OK = 200, SILENCE_MS = 15000, BEHIND_BYTES = 4 << 20 };

/* The steward's, but for the answer, which is whoever's gives it, until the letter is opened. */
struct weir_admin_held {
    h2o_req_t *req; /* NULL: the client has gone */
    admin_open_t *open;
    weir_letter_t letter;
    uint16_t status;
    const char *type;
    char *body;
    size_t bytes;
};

typedef struct text {
    char *base;
    size_t length, capacity;
} text_t;

struct weir_admin_stream {
    h2o_generator_t super;
    h2o_req_t *req;
    admin_open_t *open;
    void (*on_gone)(void *context);
    void *context;
    weir_timer_t silence;
    text_t waiting, on_its_way;
    bool is_sending, is_ending;
    bool is_slow;         /* what is on its way has not been taken for SILENCE_MS */
    atomic_bool is_over;  /* its owner has ended it, or is told that nobody reads any more */
    bool has_ended;       /* and has been heard, or told; the steward's */
    weir_letter_t letter; /* of the owner's end */
};

/* ---- later ---- */

weir_admin_held_t *weir_admin_hold(weir_admin_call_t *call)
{
    weir_admin_held_t *held = calloc(1, sizeof(*held));

    WEIR_MUST(held != NULL && !call->is_answered);
    call->is_answered = true;
    if (call->is_inner)
        return held; /* nobody waits so long */
    held->req = call->req;
    held->open = call->open;
    call->open->held = held;
    return held;
}

static void on_answer(weir_letter_t *letter)
{
    weir_admin_held_t *held = WEIR_AROUND(letter, weir_admin_held_t, letter);

    if (held->req != NULL) {
        held->open->held = NULL;
        admin_request_respond(held->req, held->status, held->type, held->body, held->bytes);
    }
    free(held->body);
    free(held);
}

static void send_answer(weir_admin_held_t **slot, uint16_t status, const char *type, char *body, size_t bytes)
{
    weir_admin_held_t *held = *slot;

    *slot = NULL;
    held->status = status;
    held->type = type;
    held->body = body;
    held->bytes = bytes;
    held->letter.open = on_answer;
    weir_list_init(&held->letter.link);
    weir_loop_post(weir_steward(), &held->letter);
}

void weir_admin_held_answer(weir_admin_held_t **held, uint16_t status, const char *json, size_t bytes)
{
    send_answer(held, status, "application/json", json == NULL ? NULL : strndup(json, bytes), json == NULL ? 0 : bytes);
}

void weir_admin_held_problem(weir_admin_held_t **held, uint16_t status, const char *type, const char *detail)
{
    char *text = admin_problem_text(status, type, NULL, detail);

    send_answer(held, status, "application/problem+json", text, text == NULL ? 0 : strlen(text));
}

/* ---- by and by ---- */

static void append(text_t *text, const char *bytes, size_t length)
{
    if (text->length + length > text->capacity) {
        text->capacity = (text->length + length) * 2;
        text->base = realloc(text->base, text->capacity);
        WEIR_MUST(text->base != NULL);
    }
    memcpy(text->base + text->length, bytes, length);
    text->length += length;
}

static void free_stream(weir_admin_stream_t *stream)
{
    weir_timer_cancel(&stream->silence);
    free(stream->waiting.base);
    free(stream->on_its_way.base);
    free(stream);
}

static void on_silence(weir_timer_t *timer);

static void flush(weir_admin_stream_t *stream)
{
    const text_t empty = stream->on_its_way;

    if (stream->is_sending || stream->waiting.length == 0)
        return;
    stream->on_its_way = stream->waiting;
    stream->waiting = empty;
    stream->waiting.length = 0;
    stream->is_sending = true;
    stream->is_slow = false;
    weir_timer_set(weir_steward(), &stream->silence, SILENCE_MS, on_silence);
    h2o_iovec_t bytes = {stream->on_its_way.base, stream->on_its_way.length};
    h2o_send(stream->req, &bytes, 1, H2O_SEND_STATE_IN_PROGRESS);
}

/* libh2o tells nothing of a generator that has said its last. */
static void finish(weir_admin_stream_t *stream)
{
    h2o_req_t *req = stream->req;

    stream->open->stream = NULL;
    free_stream(stream);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    weir_admin_stream_t *stream = (weir_admin_stream_t *)(void *)generator;

    stream->is_sending = false;
    flush(stream);
    if (stream->has_ended && !stream->is_sending)
        finish(stream);
}

/* The connection has gone. */
static void stop(h2o_generator_t *generator, h2o_req_t *req)
{
    weir_admin_stream_t *stream = (weir_admin_stream_t *)(void *)generator;

    stream->open->stream = NULL;
    stream->req = NULL;
    weir_timer_cancel(&stream->silence);
    if (stream->has_ended || !atomic_exchange(&stream->is_over, true)) {
        if (!stream->has_ended)
            stream->on_gone(stream->context);
        free_stream(stream);
    }
}

/* What is on its way fails now, and stop() comes of it. */
static void cut(weir_admin_stream_t *stream)
{
    stream->is_ending = true;
    (void)shutdown(h2o_socket_get_fd(stream->req->conn->callbacks->get_socket(stream->req->conn)), SHUT_RDWR);
}

/* Since the last that was sent: either there was nothing more, or it is not taken. */
static void on_silence(weir_timer_t *timer)
{
    weir_admin_stream_t *stream = WEIR_AROUND(timer, weir_admin_stream_t, silence);

    if (!stream->is_sending) {
        weir_admin_stream_write(stream, "\n", 1);
        return;
    }
    if (stream->is_slow) {
        cut(stream);
        return;
    }
    stream->is_slow = true;
    weir_timer_set(weir_steward(), &stream->silence, SILENCE_MS, on_silence);
}

weir_admin_stream_t *weir_admin_stream(weir_admin_call_t *call, const char *type, void (*on_gone)(void *context), void *context)
{
    weir_admin_stream_t *stream = calloc(1, sizeof(*stream));
    h2o_req_t *req = call->req;

    WEIR_MUST(stream != NULL && !call->is_answered);
    call->is_answered = true;
    if (call->is_inner)
        return stream; /* nobody reads it */
    *stream =
        (weir_admin_stream_t){.super = {proceed, stop}, .req = req, .open = call->open, .on_gone = on_gone, .context = context};
    call->open->stream = stream;
    req->res.status = OK;
    req->res.reason = "OK";
    weir_admin_add(call, "content-type", type);
    weir_admin_add(call, "cache-control", "no-store");
    h2o_start_response(req, &stream->super);
    weir_admin_stream_write(stream, "\n", 1); /* with which the head goes */
    return stream;
}

void weir_admin_stream_write(weir_admin_stream_t *stream, const char *bytes, size_t length)
{
    if (stream->is_ending || stream->req == NULL)
        return;
    append(&stream->waiting, bytes, length);
    flush(stream);
    if (stream->waiting.length > BEHIND_BYTES)
        cut(stream);
}

static void end_now(weir_admin_stream_t *stream)
{
    stream->has_ended = true;
    stream->is_ending = true;
    if (stream->req == NULL)
        free_stream(stream);
    else if (!stream->is_sending)
        finish(stream);
}

static void on_end(weir_letter_t *letter)
{
    end_now(WEIR_AROUND(letter, weir_admin_stream_t, letter));
}

bool weir_admin_stream_end(weir_admin_stream_t **slot)
{
    weir_admin_stream_t *stream = *slot;

    *slot = NULL;
    if (stream == NULL || atomic_exchange(&stream->is_over, true))
        return false;
    if (weir_steward_is_here()) {
        end_now(stream);
        return true;
    }
    stream->letter.open = on_end;
    weir_list_init(&stream->letter.link);
    weir_loop_post(weir_steward(), &stream->letter);
    return true;
}

/* ---- its connection, or the endpoint, is at its end ---- */

void admin_open_cut(admin_open_t *open)
{
    static const char gone[] = "{}";
    weir_admin_held_t *held = open->held;
    weir_admin_stream_t *stream = open->stream;

    if (held != NULL) {
        h2o_req_t *req = held->req;
        open->held = NULL;
        held->req = NULL;
        admin_request_respond(req, UNAVAILABLE, "application/json", gone, sizeof(gone) - 1);
    }
    if (stream == NULL || atomic_exchange(&stream->is_over, true))
        return; /* there is none, or it is about to end */
    stream->on_gone(stream->context);
    end_now(stream);
}

void admin_open_forget(admin_open_t *open)
{
    if (open->held != NULL)
        open->held->req = NULL;
    open->held = NULL;
}
