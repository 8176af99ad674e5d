/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_H
#define WEIR_ADMIN_H
/**
 * @file  Calls of operators and their programs, over the admin endpoint (weir.admin): what a router is asked and answers.
 *
 * A call is an HTTP request to /v1/routers/NAME/… that came over the admin endpoint, its body whole. Documents are JSON
 * (RFC 8259), errors are problems (RFC 9457).
 *
 * OWNER    The host. Everything is borrowed until the router's weir_router_admin() returns; it has answered by then.
 * THREAD   The host's own, which serves no request: be short, as in a ticker.
 */
#include "weir_types.h"

WEIR_C_BEGIN

typedef struct weir_admin_call weir_admin_call_t;

/** Who calls. */
typedef struct weir_admin_caller {
    size_t size;
    int64_t uid, gid, pid; /* as the kernel knows them of a unix socket; -1: of others */
    const char *address;   /* of who has come over TCP, with the port: "192.0.2.1:4711"; NULL: of others */
    const char *name;      /* by what that one was let in: "token deploy", "certificate CN=ops"; NULL: of others */
} weir_admin_caller_t;

/** "GET", "PATCH", … */
WEIR_API weir_span_t weir_admin_method(const weir_admin_call_t *call);
/** A segment of the path behind the router's name, decoded; base NULL behind the last one. */
WEIR_API weir_span_t weir_admin_segment(const weir_admin_call_t *call, size_t index);
/** A parameter of the query, decoded; base NULL: it is not there. */
WEIR_API weir_span_t weir_admin_parameter(const weir_admin_call_t *call, const char *name);
/** A field of the head (name in lower case); base NULL: it is not there. */
WEIR_API weir_span_t weir_admin_field(const weir_admin_call_t *call, const char *name);
/** 8 MiB at most; followed by a NUL. */
WEIR_API weir_span_t weir_admin_body(const weir_admin_call_t *call);
/** Never NULL. */
WEIR_API const weir_admin_caller_t *weir_admin_caller(const weir_admin_call_t *call);

/** Adds a field to the answer; copied. Before it. */
WEIR_API void weir_admin_add(weir_admin_call_t *call, const char *name, const char *value);
/** Answers with a document (copied; NULL and 0: none, for 204). Once. */
WEIR_API void weir_admin_answer(weir_admin_call_t *call, uint16_t status, const char *json, size_t bytes);
/**
 * Answers with a problem: `type` is the last word of its URN ("unknown-app"), `pointer` (RFC 6901; NULL: none) says where in
 * the body the trouble is, `format` what it is. Once.
 */
WEIR_API void weir_admin_problem(weir_admin_call_t *call, uint16_t status, const char *type, const char *pointer,
                                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ── Later: a call whose answer takes its time, or never ends. ── */

typedef struct weir_admin_held weir_admin_held_t;

/**
 * The call is not answered when weir_router_admin() returns (true), but by weir_admin_held_answer(). Fields that have been
 * added go along. Never NULL. Once for a call; the call itself is not touched any more then. At most as many are held as there
 * are connections. When the client goes, or the endpoint ends, nothing more is sent, and weir_admin_held_answer() still frees.
 */
WEIR_API weir_admin_held_t *weir_admin_hold(weir_admin_call_t *call);
/** Answers with a document (copied), frees and nulls. Any thread. */
WEIR_API void weir_admin_held_answer(weir_admin_held_t **held, uint16_t status, const char *json, size_t bytes);
/** The same with a problem, as weir_admin_problem() has it. */
WEIR_API void weir_admin_held_problem(weir_admin_held_t **held, uint16_t status, const char *type, const char *detail);

typedef struct weir_admin_stream weir_admin_stream_t;

/**
 * Answers with 200 and lines (`type`, a literal: "application/x-ndjson") that come by and by; a blank line is sent when there
 * was none for 15 s, so that nobody who has gone is kept. on_gone(context) is called once, on the host's thread, when nobody
 * reads any more; the stream is freed when it returns. Never NULL.
 */
WEIR_API weir_admin_stream_t *weir_admin_stream(weir_admin_call_t *call, const char *type, void (*on_gone)(void *context),
                                                void *context);
/**
 * Sends, or keeps what the client does not take yet: who is more than 4 MiB behind, or takes nothing for half a minute, is cut.
 * On the host's thread.
 */
WEIR_API void weir_admin_stream_write(weir_admin_stream_t *stream, const char *bytes, size_t length);
/**
 * It ends well; nulls. True: on_gone will not be called. False: it is being called, on the host's thread, or there was no
 * stream. Any thread.
 */
WEIR_API bool weir_admin_stream_end(weir_admin_stream_t **stream);

WEIR_C_END

#endif
