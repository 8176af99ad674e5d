/* SPDX-License-Identifier: MIT */
#include "router/stage_module.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/lasting.h"
#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "router/border.h"

enum { SIZE_MIN = offsetof(weir_stage_t, cancel) };

struct weir_stage_module {
    weir_stage_t stage; /* complete */
    weir_stage_shared_t *shared;
    bool (*configure)(const weir_config_t *config, weir_stage_shared_t **out_shared);
    void (*release)(weir_stage_shared_t *shared);
    bool is_configured;
    weir_object_t *object;
};

static const border_t border = {"stage", "WEIR_STAGE()", "weir_stage_abi", "WEIR_STAGE_ABI", WEIR_STAGE_ABI};

static bool copy_stage(const weir_stage_t *stage, const char *path, weir_stage_t *out, char *error, size_t error_size)
{
    if (!border_copy(&border, path, stage, SIZE_MIN, out, sizeof(*out), error, error_size))
        return false;
    if (out->name == NULL)
        out->name = "unnamed";
    out->name = weir_lasting(out->name);
    return true;
}

weir_stage_module_t *weir_stage_module_open(const char *path, char *error, size_t error_size)
{
    weir_object_t *object = weir_object_open(path, error, error_size);
    weir_stage_module_t *module;
    const weir_stage_t *stage;
    weir_stage_t complete;

    if (object == NULL)
        return NULL;
    stage = weir_object_symbol(object, "weir_stage");
    if (stage == NULL)
        snprintf(error, error_size, "%s: exports no `const weir_stage_t weir_stage`", path);
    if (stage == NULL || !border_is_of_our_time(&border, object, path, error, error_size) ||
        !copy_stage(stage, path, &complete, error, error_size)) {
        weir_object_close(&object);
        return NULL;
    }
    module = calloc(1, sizeof(*module));
    WEIR_MUST(module != NULL);
    module->stage = complete;
    module->object = object;
    weir_object_function(object, "weir_stage_configure", &module->configure);
    weir_object_function(object, "weir_stage_release", &module->release);
    return module;
}

bool weir_stage_module_configure(weir_stage_module_t *module, const weir_config_t *config)
{
    const weir_before_t before = weir_at_work_on(NULL, "stage", module->stage.name, "configure");

    module->is_configured = module->configure == NULL || module->configure(config, &module->shared);
    weir_at_work_back(before);
    return module->is_configured;
}

const weir_stage_t *weir_stage_module_stage(const weir_stage_module_t *module)
{
    return &module->stage;
}

weir_stage_shared_t *weir_stage_module_shared(const weir_stage_module_t *module)
{
    return module->shared;
}

void weir_stage_module_close(weir_stage_module_t **module)
{
    weir_stage_module_t *closing = *module;
    weir_before_t before;

    if (closing == NULL)
        return;
    *module = NULL;
    before = weir_at_work_on(NULL, "stage", closing->stage.name, "release");
    if (closing->is_configured && closing->release != NULL)
        closing->release(closing->shared);
    weir_at_work_back(before);
    weir_object_close(&closing->object);
    free(closing);
}
