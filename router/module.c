/* SPDX-License-Identifier: MIT */
#include "router/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "router/object.h"

/* The smallest router that can work ends behind the callbacks that are required; the largest we would look into is
 * far beyond any that will be written. */
enum { SIZE_MIN = offsetof(weir_router_t, checkin_service), SIZE_MAX_UNDERSTOOD = 4096 };

struct weir_module {
    weir_router_t router; /* complete */
    weir_shared_t *shared;
    weir_router_configure_t *configure;
    weir_router_release_t *release;
    bool is_configured;
    weir_object_t *object; /* NULL: built in */
    char *origin;
};

/* Of router/builtin/, which knows nothing but the two public headers. */
extern const weir_router_t weir_builtin_table, weir_builtin_stub, weir_builtin_reverse;
extern weir_router_configure_t *const weir_builtin_table_configure, *const weir_builtin_stub_configure,
                                                                        *const weir_builtin_reverse_configure;
extern weir_router_release_t *const weir_builtin_table_release, *const weir_builtin_stub_release,
                                                                    *const weir_builtin_reverse_release;

static const struct {
    const weir_router_t *router;
    weir_router_configure_t *const *configure;
    weir_router_release_t *const *release;
} builtins[] = {
    {&weir_builtin_table, &weir_builtin_table_configure, &weir_builtin_table_release},
    {&weir_builtin_stub, &weir_builtin_stub_configure, &weir_builtin_stub_release},
    {&weir_builtin_reverse, &weir_builtin_reverse_configure, &weir_builtin_reverse_release},
};

/* Whether the members that a newer router has and this proxy does not know are all NULL. */
static bool has_only_known_members(const weir_router_t *router)
{
    const char *bytes = (const char *)router;

    for (size_t i = sizeof(*router); i < router->size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool copy_router(const weir_router_t *router, const char *origin, weir_router_t *out, char *error, size_t error_size)
{
    if (router->size < SIZE_MIN || router->size > SIZE_MAX_UNDERSTOOD) {
        snprintf(error, error_size, "%s: the router's size %zu is not understood (use WEIR_ROUTER())", origin, router->size);
        return false;
    }
    if (!has_only_known_members(router)) {
        snprintf(error, error_size, "%s: the router is newer than this proxy (ABI %d) and needs what it does not know", origin,
                 WEIR_ROUTER_ABI);
        return false;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out, router, router->size < sizeof(*out) ? router->size : sizeof(*out));
    out->size = sizeof(*out);
    if (out->name == NULL)
        out->name = "unnamed";
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
            module->configure = *builtins[i].configure;
            module->release = *builtins[i].release;
        }
        return module;
    }
    snprintf(error, error_size,
             "%s: no built-in router has this name (there are: table, stub, reverse), and it is no path of a .so", name);
    return NULL;
}

/* ISO C knows no way from an object pointer to a function; POSIX wants this one to work. */
static void find_function(const weir_object_t *object, const char *name, void *out_function)
{
    void *symbol = weir_object_symbol(object, name);

    memcpy(out_function, &symbol, sizeof(symbol));
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
    module = module_make(router, path, error, error_size);
    if (module == NULL)
        goto close_object;
    module->object = object;
    find_function(object, "weir_router_configure", &module->configure);
    find_function(object, "weir_router_release", &module->release);
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
    if (module->configure == NULL)
        return true;
    module->is_configured = module->configure(config, &module->shared);
    return module->is_configured;
}

const weir_router_t *weir_module_router(const weir_module_t *module)
{
    return &module->router;
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

    if (closing == NULL)
        return;
    *module = NULL;
    if (closing->is_configured && closing->release != NULL)
        closing->release(closing->shared);
    weir_object_close(&closing->object);
    free(closing->origin);
    free(closing);
}
