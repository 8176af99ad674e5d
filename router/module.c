/* SPDX-License-Identifier: MIT */
#include "router/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/lasting.h"
#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "lib/walk/metrics_source.h"
#include "router/border.h"
#include "router/admin.h"
#include "router/explain.h"
#include "router/instance.h"
#include "router/state.h"
#include "router/workers.h"

enum { SIZE_MIN = offsetof(weir_router_t, checkin_service) }; /* the smallest that can work ends behind what is required */

struct weir_module {
    weir_router_t router; /* complete */
    weir_shared_t *shared;
    weir_router_configure_t *configure;
    weir_router_start_t *start;
    weir_router_stop_t *stop;
    weir_router_release_t *release;
    weir_router_show_t *show;
    weir_router_admin_t *admin;
    weir_administered_t administered;
    char *given_name; /* `name` of its configuration, or NULL */
    weir_router_metrics_t *metrics;
    weir_router_explain_t *explain; /* NULL: it has none */
    weir_router_worker_t *worker;   /* likewise */
    weir_router_workers_t *workers;
    weir_worker_host_t worker_host;
    weir_router_state_t *state;
    weir_state_host_t state_host;
    weir_metrics_source_t source;
    bool is_built_in, is_configured, is_started;
    weir_instance_t instance;
    weir_object_t *object; /* NULL: built in */
    char *origin;
};

/* Of router/builtin/, which knows nothing but public headers, and the kit. */
extern const weir_router_t weir_builtin_table, weir_builtin_stub, weir_builtin_reverse;
extern weir_router_configure_t *const weir_builtin_table_configure, *const weir_builtin_stub_configure,
                                                                        *const weir_builtin_reverse_configure;
extern weir_router_start_t *const weir_builtin_table_start;
extern weir_router_show_t *const weir_builtin_table_show;
extern weir_router_admin_t *const weir_builtin_table_admin;
extern weir_router_metrics_t *const weir_builtin_table_metrics;
extern weir_router_explain_t *const weir_builtin_table_explain;
extern weir_router_worker_t *const weir_builtin_table_worker;
extern weir_router_workers_t *const weir_builtin_table_workers;
extern weir_router_state_t *const weir_builtin_table_state;
extern weir_router_stop_t *const weir_builtin_table_stop;
extern weir_router_release_t *const weir_builtin_table_release, *const weir_builtin_stub_release,
                                                                    *const weir_builtin_reverse_release;

static const struct {
    const weir_router_t *router;
    weir_router_configure_t *const *configure;
    weir_router_release_t *const *release;
    weir_router_start_t *const *start; /* NULL: none */
    weir_router_stop_t *const *stop;
    weir_router_show_t *const *show;
    weir_router_admin_t *const *admin;
    weir_router_metrics_t *const *metrics;
    weir_router_explain_t *const *explain;
    weir_router_worker_t *const *worker;
    weir_router_workers_t *const *workers;
    weir_router_state_t *const *state;
} builtins[] = {
    {&weir_builtin_table, &weir_builtin_table_configure, &weir_builtin_table_release, &weir_builtin_table_start,
     &weir_builtin_table_stop, &weir_builtin_table_show, &weir_builtin_table_admin, &weir_builtin_table_metrics,
     &weir_builtin_table_explain, &weir_builtin_table_worker, &weir_builtin_table_workers, &weir_builtin_table_state},
    {&weir_builtin_stub, &weir_builtin_stub_configure, &weir_builtin_stub_release, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL},
    {&weir_builtin_reverse, &weir_builtin_reverse_configure, &weir_builtin_reverse_release, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL},
};

static const border_t border = {"router", "WEIR_ROUTER()", "weir_router_abi", "WEIR_ROUTER_ABI", WEIR_ROUTER_ABI};

static bool copy_router(const weir_router_t *router, const char *origin, weir_router_t *out, char *error, size_t error_size)
{
    if (!border_copy(&border, origin, router, SIZE_MIN, out, sizeof(*out), error, error_size))
        return false;
    if (out->name == NULL)
        out->name = "unnamed";
    out->name = weir_lasting(out->name);
    if (out->lookup_domain_name == NULL || out->checkout_service == NULL || out->service_backend == NULL) {
        snprintf(error, error_size, "%s: the router %s lacks %s, which is required", origin, out->name,
                 out->lookup_domain_name == NULL ? "lookup_domain_name"
                 : out->checkout_service == NULL ? "checkout_service"
                                                 : "service_backend");
        return false;
    }
    return true;
}

static weir_module_t *module_make(const weir_router_t *router, const char *origin, char *error, size_t error_size)
{
    weir_router_t complete;
    weir_module_t *module;

    if (!copy_router(router, origin, &complete, error, error_size))
        return NULL;
    module = calloc(1, sizeof(*module));
    WEIR_MUST(module != NULL);
    module->router = complete;
    module->origin = strdup(origin);
    WEIR_MUST(module->origin != NULL);
    return module;
}

static weir_module_t *open_builtin(const char *name, char *error, size_t error_size)
{
    for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
        weir_module_t *module;

        if (strcmp(name, builtins[i].router->name) != 0)
            continue;
        module = module_make(builtins[i].router, "built-in", error, error_size);
        if (module != NULL) {
            module->is_built_in = true;
            module->configure = *builtins[i].configure;
            module->release = *builtins[i].release;
            module->start = builtins[i].start == NULL ? NULL : *builtins[i].start;
            module->stop = builtins[i].stop == NULL ? NULL : *builtins[i].stop;
            module->show = builtins[i].show == NULL ? NULL : *builtins[i].show;
            module->admin = builtins[i].admin == NULL ? NULL : *builtins[i].admin;
            module->metrics = builtins[i].metrics == NULL ? NULL : *builtins[i].metrics;
            module->explain = builtins[i].explain == NULL ? NULL : *builtins[i].explain;
            module->worker = builtins[i].worker == NULL ? NULL : *builtins[i].worker;
            module->workers = builtins[i].workers == NULL ? NULL : *builtins[i].workers;
            module->state = builtins[i].state == NULL ? NULL : *builtins[i].state;
        }
        return module;
    }
    snprintf(error, error_size,
             "%s: no built-in router has this name (there are: table, stub, reverse), and it is no path of a .so", name);
    return NULL;
}

static weir_module_t *open_path(const char *path, char *error, size_t error_size)
{
    weir_object_t *object = weir_object_open(path, error, error_size);
    const weir_router_t *router;
    weir_module_t *module;

    if (object == NULL)
        return NULL;
    router = weir_object_symbol(object, "weir_router");
    if (router == NULL) {
        snprintf(error, error_size, "%s: exports no symbol weir_router (const weir_router_t)", path);
        goto close_object;
    }
    if (!border_is_of_our_time(&border, object, path, error, error_size))
        goto close_object;
    module = module_make(router, path, error, error_size);
    if (module == NULL)
        goto close_object;
    module->object = object;
    weir_object_function(object, "weir_router_configure", &module->configure);
    weir_object_function(object, "weir_router_start", &module->start);
    weir_object_function(object, "weir_router_stop", &module->stop);
    weir_object_function(object, "weir_router_release", &module->release);
    weir_object_function(object, "weir_router_show", &module->show);
    weir_object_function(object, "weir_router_admin", &module->admin);
    weir_object_function(object, "weir_router_metrics", &module->metrics);
    weir_object_function(object, "weir_router_explain", &module->explain);
    weir_object_function(object, "weir_router_worker", &module->worker);
    weir_object_function(object, "weir_router_workers", &module->workers);
    weir_object_function(object, "weir_router_state", &module->state);
    return module;

close_object:
    weir_object_close(&object);
    return NULL;
}

weir_module_t *weir_module_open(const char *name, char *error, size_t error_size)
{
    size_t length = strlen(name);

    if (strchr(name, '/') != NULL || (length > 3 && strcmp(name + length - 3, ".so") == 0))
        return open_path(name, error, error_size);
    return open_builtin(name, error, error_size);
}

weir_module_t *weir_module_of(const weir_router_t *router, weir_shared_t *shared, char *error, size_t error_size)
{
    weir_module_t *module = module_make(router, "built-in", error, error_size);

    if (module != NULL)
        module->shared = shared;
    return module;
}

bool weir_module_configure(weir_module_t *module, const weir_config_t *config)
{
    weir_before_t before;

    if (module->configure == NULL)
        return true;
    const char *name = config == NULL ? NULL : weir_config_text(weir_config_get(config, "name"));
    if (name != NULL && module->given_name == NULL)
        module->given_name = strdup(name);
    before = weir_at_work_on(NULL, "router", module->router.name, "configure");
    module->is_configured = module->configure(config, &module->shared);
    weir_at_work_back(before);
    return module->is_configured;
}

/* ---- while it runs ---- */

static void tell_metrics(weir_metrics_source_t *source, weir_metric_sink_t *sink)
{
    weir_module_t *module = WEIR_AROUND(source, weir_module_t, source);
    const weir_before_t before = weir_at_work_on(NULL, "router", module->router.name, "metrics");

    module->metrics(module->shared, sink);
    weir_at_work_back(before);
}

static void offer_metrics(weir_module_t *module)
{
    if (module->metrics == NULL)
        return;
    module->source =
        (weir_metrics_source_t){.name = module->instance.name, .generation = module->instance.generation, .tell = tell_metrics};
    weir_list_init(&module->source.link);
    weir_metrics_source_add(&module->source);
}

bool weir_module_start(weir_module_t *module, const char *name, const char *where, uint64_t generation)
{
    weir_before_t before;

    weir_instance_begin(&module->instance, module->router.name, name, where, generation);
    before = weir_at_work_on(NULL, "router", module->router.name, "start");
    module->is_started = module->start == NULL || module->start(module->shared, &module->instance);
    weir_at_work_back(before);
    if (!module->is_started) {
        weir_instance_log(&module->instance, "could not be started");
        return false;
    }
    weir_administered_enter(&module->administered, module->given_name, &module->instance, &module->router, module->admin,
                            module->shared);
    offer_metrics(module);
    weir_worker_host_enter(&module->worker_host, &(weir_worker_host_t){.name = weir_module_name(module),
                                                                       .router = module->router.name,
                                                                       .worker = module->worker,
                                                                       .workers = module->workers,
                                                                       .shared = module->shared});
    weir_state_host_enter(&module->state_host, &(weir_state_host_t){.name = weir_module_name(module),
                                                                    .router = module->router.name,
                                                                    .state = module->state,
                                                                    .shared = module->shared});
    return true;
}

void weir_module_show(const weir_module_t *module, const weir_config_t *config, weir_show_t *show)
{
    weir_before_t before;

    if (module->show == NULL)
        return;
    before = weir_at_work_on(NULL, "router", module->router.name, "show");
    module->show(module->shared, config, show);
    weir_at_work_back(before);
}

bool weir_module_state(const weir_module_t *module, const weir_state_app_t *app, char why[WEIR_STATE_WHY_BYTES])
{
    weir_before_t before;

    why[0] = '\0';
    if (module->state == NULL)
        return true;
    before = weir_at_work_on(NULL, "router", module->router.name, "state");
    const bool is_fine = module->state(module->shared, app, why, WEIR_STATE_WHY_BYTES);
    weir_at_work_back(before);
    return is_fine;
}

bool weir_module_explain(const weir_module_t *module, const weir_request_t *request, weir_explain_t *explain)
{
    weir_before_t before;

    if (module->explain == NULL)
        return false;
    before = weir_at_work_on(NULL, "router", module->router.name, "explain");
    module->explain(module->shared, request, explain);
    weir_at_work_back(before);
    return true;
}

const weir_instance_t *weir_module_instance(const weir_module_t *module)
{
    return &module->instance;
}

const char *weir_module_name(const weir_module_t *module)
{
    return module->given_name != NULL ? module->given_name : weir_instance_name(&module->instance);
}

const weir_router_t *weir_module_router(const weir_module_t *module)
{
    return &module->router;
}

bool weir_module_is_built_in(const weir_module_t *module)
{
    return module->is_built_in;
}

weir_shared_t *weir_module_shared(const weir_module_t *module)
{
    return module->shared;
}

const char *weir_module_origin(const weir_module_t *module)
{
    return module->origin;
}

void weir_module_close(weir_module_t **module)
{
    weir_module_t *closing = *module;
    weir_before_t before;

    if (closing == NULL)
        return;
    *module = NULL;
    weir_state_host_leave(&closing->state_host);
    weir_worker_host_leave(&closing->worker_host);
    weir_administered_leave(&closing->administered);
    weir_metrics_source_remove(&closing->source);
    if (closing->instance.name != NULL)
        weir_instance_still(&closing->instance);
    before = weir_at_work_on(NULL, "router", closing->router.name, "stop");
    if (closing->is_started && closing->stop != NULL)
        closing->stop(closing->shared);
    weir_at_work_on(NULL, "router", closing->router.name, "release");
    if (closing->is_configured && closing->release != NULL)
        closing->release(closing->shared);
    weir_at_work_back(before);
    weir_instance_end(&closing->instance);
    weir_object_close(&closing->object);
    free(closing->origin);
    free(closing->given_name);
    free(closing);
}
