/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_H
#define WEIR_STATE_H
/**
 * @file  Apps that come from outside the configuration, and change while the proxy runs: from files, or a store that many
 * proxies watch (weir.state, docs/state.md).
 *
 *   a source reads ─► weir_router_state: is it fine? then it holds ─► what was refused stays as it was, and is named
 */
#include "weir_config.h"

WEIR_C_BEGIN

/** A text that many may keep: it is there as long as one of them does. */
typedef struct weir_state_text weir_state_text_t;

/** An app as a source says it. Members are only ever appended. */
typedef struct weir_state_app {
    size_t size;
    weir_span_t name;          /* 1 to 255 bytes, without / and NUL                                            */
    const weir_config_t *said; /* a map as in `apps` of the configuration; NULL: the source knows it no more   */
    const char *origin;        /* where it stands: a file's path, or a key of the store                        */
    bool has_more;             /* others follow at once: what is done once for many may wait for the last        */
    bool is_only_checked;      /* whether it would do; nothing is changed. The router may not be started       */
    weir_state_text_t *text;   /* the same as JSON, for who reads it again later; NULL: there is none             */
} weir_state_app_t;

/**
 * Exported by a router that takes apps of sources: this one is to be so from now on. False: it cannot be, and `why` says in a
 * sentence what is wrong; then the app stays as it was. True with a `why` that is not empty: it is so but for what that says,
 * as a domain that another app has; it will be offered again. Called for each app behind weir_router_start(), before the first
 * request, and then whenever one has changed. All is borrowed for the call. On the thread of tickers, or before the router is
 * in force on another one; never block. Since ABI 7.
 */
WEIR_MODULE bool weir_router_state(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t why_bytes);

/** Held once more, by you, until you let go of it. Any thread; never fails. Since ABI 7. */
WEIR_API weir_state_text_t *weir_state_text_hold(weir_state_text_t *text);
/** Held once less; the last one frees it. Any thread; harmless on NULL. Since ABI 7. */
WEIR_API void weir_state_text_release(weir_state_text_t *text);
/** What it says, with a NUL; borrowed, and stays while it is held. Any thread. NULL of NULL. Since ABI 7. */
WEIR_API const char *weir_state_text_json(const weir_state_text_t *text);

typedef bool weir_router_state_t(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t why_bytes);

WEIR_C_END

#endif
