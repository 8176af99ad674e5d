/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_H
#define WEIR_ADMIN_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef struct weir_admin_call weir_admin_call_t;
typedef struct weir_admin_caller {
    size_t size;
    int64_t uid, gid, pid;
    const char *address;
    const char *name;
} weir_admin_caller_t;
WEIR_API weir_span_t weir_admin_method(const weir_admin_call_t *call);
WEIR_API weir_span_t weir_admin_segment(const weir_admin_call_t *call, size_t index);
WEIR_API weir_span_t weir_admin_parameter(const weir_admin_call_t *call, const char *name);
WEIR_API weir_span_t weir_admin_field(const weir_admin_call_t *call, const char *name);
WEIR_API weir_span_t weir_admin_body(const weir_admin_call_t *call);
WEIR_API const weir_admin_caller_t *weir_admin_caller(const weir_admin_call_t *call);
WEIR_API void weir_admin_add(weir_admin_call_t *call, const char *name, const char *value);
WEIR_API void weir_admin_answer(weir_admin_call_t *call, uint16_t status, const char *json, size_t bytes);
WEIR_API void weir_admin_problem(weir_admin_call_t *call, uint16_t status, const char *type, const char *pointer,
                                 const char *format, ...) __attribute__((format(printf, 5, 6)));
typedef struct weir_admin_held weir_admin_held_t;
WEIR_API weir_admin_held_t *weir_admin_hold(weir_admin_call_t *call);
WEIR_API void weir_admin_held_answer(weir_admin_held_t **held, uint16_t status, const char *json, size_t bytes);
WEIR_API void weir_admin_held_problem(weir_admin_held_t **held, uint16_t status, const char *type, const char *detail);
typedef struct weir_admin_stream weir_admin_stream_t;
WEIR_API weir_admin_stream_t *weir_admin_stream(weir_admin_call_t *call, const char *type, void (*on_gone)(void *context),
                                                void *context);
WEIR_API void weir_admin_stream_write(weir_admin_stream_t *stream, const char *bytes, size_t length);
WEIR_API bool weir_admin_stream_end(weir_admin_stream_t **stream);
WEIR_C_END
#endif
