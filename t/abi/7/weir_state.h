/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_H
#define WEIR_STATE_H 
#include "weir_config.h"
WEIR_C_BEGIN
typedef struct weir_state_text weir_state_text_t;
typedef struct weir_state_app {
    size_t size;
    weir_span_t name;
    const weir_config_t *said;
    const char *origin;
    bool has_more;
    bool is_only_checked;
    weir_state_text_t *text;
} weir_state_app_t;
WEIR_MODULE bool weir_router_state(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t why_bytes);
WEIR_API weir_state_text_t *weir_state_text_hold(weir_state_text_t *text);
WEIR_API void weir_state_text_release(weir_state_text_t *text);
WEIR_API const char *weir_state_text_json(const weir_state_text_t *text);
typedef bool weir_router_state_t(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t why_bytes);
WEIR_C_END
#endif
