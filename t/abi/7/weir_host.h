/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HOST_H
#define WEIR_HOST_H 
#include "weir_admin.h"
#include "weir_config.h"
#include "weir_digest.h"
#include "weir_metric.h"
#include "weir_probe.h"
#include "weir_retire.h"
#include "weir_router.h"
#include "weir_types.h"
WEIR_C_BEGIN
WEIR_MODULE extern const int weir_router_abi;
WEIR_MODULE extern const weir_router_t weir_router;
WEIR_MODULE bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared);
WEIR_MODULE bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance);
WEIR_MODULE void weir_router_stop(weir_shared_t *shared);
WEIR_MODULE void weir_router_release(weir_shared_t *shared);
typedef struct weir_show weir_show_t;
WEIR_MODULE void weir_router_show(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *show);
WEIR_MODULE bool weir_router_admin(weir_shared_t *shared, weir_admin_call_t *call);
WEIR_MODULE void weir_router_metrics(const weir_shared_t *shared, weir_metric_sink_t *sink);
typedef bool weir_router_configure_t(const weir_config_t *config, weir_shared_t **out_shared);
typedef bool weir_router_start_t(weir_shared_t *shared, weir_instance_t *instance);
typedef void weir_router_stop_t(weir_shared_t *shared);
typedef void weir_router_release_t(weir_shared_t *shared);
typedef bool weir_router_admin_t(weir_shared_t *shared, weir_admin_call_t *call);
typedef void weir_router_show_t(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *show);
typedef void weir_router_metrics_t(const weir_shared_t *shared, weir_metric_sink_t *sink);
WEIR_API void weir_show_value(weir_show_t *show, unsigned depth, const char *key, const char *value, const weir_config_t *node);
WEIR_API void weir_show_warning(weir_show_t *show, const weir_config_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
WEIR_API const char *weir_instance_name(const weir_instance_t *instance);
WEIR_API const char *weir_instance_where(const weir_instance_t *instance);
WEIR_API uint64_t weir_instance_generation(const weir_instance_t *instance);
WEIR_API void weir_instance_log(weir_instance_t *instance, const char *format, ...) __attribute__((format(printf, 2, 3)));
WEIR_API uint64_t weir_instance_now_us(const weir_instance_t *instance);
WEIR_API bool weir_waiting_begin(void);
WEIR_API bool weir_waiting_may(void);
WEIR_API void weir_waiting_end(void);
WEIR_API void weir_service_cut(const weir_service_t *service);
typedef struct weir_ticker weir_ticker_t;
WEIR_API weir_ticker_t *weir_every(weir_instance_t *instance, uint32_t ms, void (*run)(void *argument), void *argument);
WEIR_API void weir_ticker_stop(weir_ticker_t **ticker);
WEIR_API bool weir_probe_start(weir_instance_t *instance, const weir_probe_settings_t *settings,
                               void (*on_result)(void *context, const weir_probe_result_t *result), void *context);
WEIR_API weir_span_t weir_probe_header(const weir_probe_result_t *result, weir_span_t name);
WEIR_API bool weir_probe_address(const weir_probe_result_t *result, size_t index, char text[WEIR_PROBE_ADDRESS_BYTES]);
WEIR_C_END
#endif
