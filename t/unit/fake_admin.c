/* SPDX-License-Identifier: MIT */
/* The fake world: a call to the admin endpoint, and what was answered. */
#include <stdarg.h>

#include "fake_wire.h"

void fake_call_free(weir_admin_call_t *call)
{
    free(call->answer);
    free(call->lines);
    call->answer = NULL;
    call->lines = NULL;
    call->status = 0;
}

weir_span_t weir_admin_method(const weir_admin_call_t *call)
{
    return (weir_span_t){call->method, strlen(call->method)};
}

weir_span_t weir_admin_segment(const weir_admin_call_t *call, size_t index)
{
    for (size_t i = 0; i <= index; i++)
        if (call->segments[i] == NULL)
            return (weir_span_t){NULL, 0};
    return (weir_span_t){call->segments[index], strlen(call->segments[index])};
}

weir_span_t weir_admin_parameter(const weir_admin_call_t *call, const char *name)
{
    const bool is_it = call->parameter != NULL && strcmp(name, call->parameter) == 0;

    return (weir_span_t){is_it ? call->parameter_value : NULL, is_it ? strlen(call->parameter_value) : 0};
}

weir_span_t weir_admin_field(const weir_admin_call_t *call, const char *name)
{
    const bool is_it = call->if_match != NULL && strcmp(name, "if-match") == 0;

    return (weir_span_t){is_it ? call->if_match : NULL, is_it ? strlen(call->if_match) : 0};
}

weir_span_t weir_admin_body(const weir_admin_call_t *call)
{
    return (weir_span_t){call->body == NULL ? "" : call->body, call->body == NULL ? 0 : strlen(call->body)};
}

const weir_admin_caller_t *weir_admin_caller(const weir_admin_call_t *call)
{
    static const weir_admin_caller_t caller = {.size = sizeof(caller), .uid = 7, .gid = 7, .pid = 77};

    return &caller;
}

void weir_admin_add(weir_admin_call_t *call, const char *name, const char *value)
{
    if (strcmp(name, "ETag") == 0)
        snprintf(call->tag, sizeof(call->tag), "%s", value);
}

void weir_admin_answer(weir_admin_call_t *call, uint16_t status, const char *json, size_t bytes)
{
    WEIR_MUST(call->status == 0);
    call->status = status;
    call->answer = strndup(json == NULL ? "" : json, bytes);
}

void weir_admin_problem(weir_admin_call_t *call, uint16_t status, const char *type, const char *pointer, const char *format,
                        ...)
{
    WEIR_MUST(call->status == 0);
    call->status = status;
    call->answer = strdup(type);
}

/* ---- later ---- */

struct weir_admin_held {
    weir_admin_call_t *call;
};

weir_admin_held_t *weir_admin_hold(weir_admin_call_t *call)
{
    weir_admin_held_t *held = calloc(1, sizeof(*held));

    WEIR_MUST(held != NULL);
    held->call = call;
    return held;
}

void weir_admin_held_answer(weir_admin_held_t **held, uint16_t status, const char *json, size_t bytes)
{
    weir_admin_answer((*held)->call, status, json, bytes);
    free(*held);
    *held = NULL;
}

void weir_admin_held_problem(weir_admin_held_t **held, uint16_t status, const char *type, const char *detail)
{
    weir_admin_problem((*held)->call, status, type, NULL, "%s", detail);
    free(*held);
    *held = NULL;
}

struct weir_admin_stream {
    weir_admin_call_t *call;
};

weir_admin_stream_t *weir_admin_stream(weir_admin_call_t *call, const char *type, void (*on_gone)(void *context), void *context)
{
    weir_admin_stream_t *stream = calloc(1, sizeof(*stream));

    WEIR_MUST(stream != NULL && call->status == 0);
    call->status = 200;
    call->lines = strdup("");
    stream->call = call;
    return stream;
}

void weir_admin_stream_write(weir_admin_stream_t *stream, const char *bytes, size_t length)
{
    char **lines = &stream->call->lines;

    *lines = realloc(*lines, strlen(*lines) + length + 1);
    WEIR_MUST(*lines != NULL);
    strncat(*lines, bytes, length);
}

bool weir_admin_stream_end(weir_admin_stream_t **stream)
{
    const bool was_there = *stream != NULL;

    free(*stream);
    *stream = NULL;
    return was_there;
}
