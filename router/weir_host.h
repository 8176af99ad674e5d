/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HOST_H
#define WEIR_HOST_H
/**
 * @file  What a loadable router exports beside its weir_router_t, and what it may have of the process it runs in.
 *
 *   loaded ─ configure ─┬─ start ─ (requests, ticks) ─ stop ─ release ─ unloaded
 *                       └─ release                     configure alone: `weir check`, or a configuration that is refused
 *
 * A program that gives its router to weir_serve() or weir_register() has none of these; it sees to its data by itself.
 */
#include "weir_admin.h"
#include "weir_config.h"
#include "weir_digest.h"
#include "weir_metric.h"
#include "weir_probe.h"
#include "weir_retire.h"
#include "weir_router.h"
#include "weir_types.h"

WEIR_C_BEGIN

/* ── What a module exports: the first two; the others if it needs them. ── */

/**
 * const int weir_router_abi = WEIR_ROUTER_ABI;   which functions it may call. Without it the module is one of ABI 4 or older.
 */
WEIR_MODULE extern const int weir_router_abi;
WEIR_MODULE extern const weir_router_t weir_router;

/**
 * Called once for each instance, on a thread that serves no request, with the mapping under weir.router (the key `module`
 * included), or with a node of kind NONE in the short form. It reads, and starts nothing: `weir check` calls it, too. May set
 * *out_shared. False after weir_config_wrong(): the proxy does not start, or a reload leaves all as it is.
 */
WEIR_MODULE bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared);
/**
 * Called once before the instance's first request, when the configuration will be used: addresses are bound, and the process is
 * the user it will be. The place for threads and tickers. `instance` stays until release. False: as above; say why by
 * weir_instance_log().
 */
WEIR_MODULE bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance);
/** Called once after the last request, if start was. No thread of the module's may be left when it returns. */
WEIR_MODULE void weir_router_stop(weir_shared_t *shared);
/** Called once, last, with what configure has set; then the module is unloaded. */
WEIR_MODULE void weir_router_release(weir_shared_t *shared);

/** `weir check` prints; see weir_router_show(). */
typedef struct weir_show weir_show_t;
/**
 * Called by `weir check` behind configure, with the same `config`: says what holds, by weir_show_value(), and what the operator
 * should know. Since ABI 7.
 */
WEIR_MODULE void weir_router_show(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *show);

/**
 * Called for each request to the admin endpoint that is for this instance: answers it (weir_admin.h). False: there is nothing
 * at this path. Between start and stop, on the thread of tickers. Since ABI 7.
 */
WEIR_MODULE bool weir_router_admin(weir_shared_t *shared, weir_admin_call_t *call);
/**
 * Called when somebody reads the proxy's metrics, between start and stop, on a thread that serves no request and is shared by
 * all: adds what the router counts, by weir_metric_add(). Of several configurations that have it at one place only the newest
 * is asked. Since ABI 7.
 */
WEIR_MODULE void weir_router_metrics(const weir_shared_t *shared, weir_metric_sink_t *sink);

typedef bool weir_router_configure_t(const weir_config_t *config, weir_shared_t **out_shared);
typedef bool weir_router_start_t(weir_shared_t *shared, weir_instance_t *instance);
typedef void weir_router_stop_t(weir_shared_t *shared);
typedef void weir_router_release_t(weir_shared_t *shared);
typedef bool weir_router_admin_t(weir_shared_t *shared, weir_admin_call_t *call);
typedef void weir_router_show_t(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *show);

typedef void weir_router_metrics_t(const weir_shared_t *shared, weir_metric_sink_t *sink);

/** A line of its output: so deep (0 … 8), a key, its value (NULL: a heading), and where `node` stands; NULL: "default". */
WEIR_API void weir_show_value(weir_show_t *show, unsigned depth, const char *key, const char *value, const weir_config_t *node);
/** "file:line: warning: …" on standard error; the configuration is fine all the same. */
WEIR_API void weir_show_warning(weir_show_t *show, const weir_config_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ── What an instance may ask of its host; any thread. ── */

/**
 * Where it stands: "HOST PATH", as "default /". The same over reloads; metrics and state are told apart by it. NUL-terminated.
 */
WEIR_API const char *weir_instance_name(const weir_instance_t *instance);
/** Where that is written: "file:line". */
WEIR_API const char *weir_instance_where(const weir_instance_t *instance);
/** The generation of the configuration that it belongs to: 1 at the start, one more with each reload that was read. */
WEIR_API uint64_t weir_instance_generation(const weir_instance_t *instance);
/**
 * One line on standard error, with the router's name in front: at most ten a second, further ones are counted. Never blocks
 * long.
 */
WEIR_API void weir_instance_log(weir_instance_t *instance, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * The present in microseconds, on the clock of weir_now_us(): in ticks, start and stop, where there is no request to ask. NULL:
 * of a program's own router.
 */
WEIR_API uint64_t weir_instance_now_us(const weir_instance_t *instance);

/**
 * For routers that let requests wait: counts one more of the process, of whichever router. False: `weir.queue-max` of them wait
 * already; refuse it. Any thread; never blocks. Since ABI 7.
 */
WEIR_API bool weir_waiting_begin(void);
/** Whether that would be true now: for explanations. Any thread; never blocks. Since ABI 7. */
WEIR_API bool weir_waiting_may(void);
/** It waits no more: once for each weir_waiting_begin() that was true. */
WEIR_API void weir_waiting_end(void);

/**
 * Takes a service away from all requests that have been sent there, soon: who has no response yet gets `backend_cut`, or may be
 * sent elsewhere by retry_request; responses and tunnels are cut. Requests that are still connecting go on. A service is an
 * address, which is compared with and not looked at: nobody else's may be equal. Any thread; never blocks. Since ABI 7.
 */
WEIR_API void weir_service_cut(const weir_service_t *service);

typedef struct weir_ticker weir_ticker_t;
/**
 * Has run(argument) called every `ms` milliseconds (1 … 86400000) on a thread of the host's that serves no request and is
 * shared by all: be short. Ends with weir_ticker_stop(), and before weir_router_stop() at the latest; it may be stopped there
 * all the same. Never NULL. The first call may come before this has returned, so before you have the ticker.
 */
WEIR_API weir_ticker_t *weir_every(weir_instance_t *instance, uint32_t ms, void (*run)(void *argument), void *argument);
/** Ends it, frees and nulls; when it returns, run is not running and will not. May be called in run. Harmless on NULL. */
WEIR_API void weir_ticker_stop(weir_ticker_t **ticker);

/**
 * Begins a probe (weir_probe.h). Only in a ticker's run or in on_result, which runs once on the same thread, later, and not any
 * more when weir_router_stop() is called: what was under way has ended then without a result. False: a hundred are under way in
 * the process already, the instance stops, or this is another thread; try again later. Since ABI 7.
 */
WEIR_API bool weir_probe_start(weir_instance_t *instance, const weir_probe_settings_t *settings,
                               void (*on_result)(void *context, const weir_probe_result_t *result), void *context);
/**
 * A field of the answer (name in lower case; the first of several). Only in on_result, and of its result; base NULL: there is
 * none. Borrowed until on_result returns.
 */
WEIR_API weir_span_t weir_probe_header(const weir_probe_result_t *result, weir_span_t name);
/**
 * Of WEIR_PROBE_NAME: the address at `index`, as "10.0.0.1" or "[::1]"; they are in no particular order. False: there are no
 * more. Only in on_result.
 */
WEIR_API bool weir_probe_address(const weir_probe_result_t *result, size_t index, char text[WEIR_PROBE_ADDRESS_BYTES]);

WEIR_C_END

#endif
