/* SPDX-License-Identifier: MIT */
/* weir.router and weir.stages: what is loaded from elsewhere. */
#include <string.h>

#include "conf/complain.h"
#include "conf/config_node.h"
#include "conf/paths.h"
#include "conf/yaml.h"
#include "handlers/stages.h"
#include "lib/walk/exchange.h"

/* ---- weir.router ---- */

static weir_module_t *find_module(const conf_t *conf, const yoml_t *node)
{
    for (const conf_module_t *known = conf->modules; known != NULL; known = known->next)
        if (known->node == node)
            return known->module;
    return NULL;
}

static void remember_module(conf_t *conf, const yoml_t *node, weir_module_t *module)
{
    conf_module_t *known = weir_arena_alloc(&conf->arena, sizeof(*known));

    *known = (conf_module_t){.next = conf->modules, .node = node, .module = module};
    conf->modules = known;
}

static const yoml_t *name_of_module(const yoml_t *node)
{
    const yoml_t *name = node->type == YOML_TYPE_MAPPING ? conf_yaml_get(node, "module") : node;

    if (name != NULL && name->type == YOML_TYPE_SCALAR && name->data.scalar[0] != '\0')
        return name;
    conf_complain(name != NULL ? name : node, "weir.router: must be a module's name, or a mapping with `module: NAME`");
    return NULL;
}

static bool is_file(const char *name)
{
    const size_t len = strlen(name);

    return strchr(name, '/') != NULL || (len >= 3 && strcmp(name + len - 3, ".so") == 0);
}

static bool configure(weir_module_t *module, const yoml_t *node)
{
    bool is_fine;

    conf_config_set_place(node);
    is_fine = weir_module_configure(module, node->type == YOML_TYPE_MAPPING ? conf_config_of(node) : NULL);
    conf_config_set_place(NULL);
    return is_fine;
}

weir_module_t *conf_module_open(conf_t *conf, const yoml_t *node)
{
    weir_module_t *module = find_module(conf, node);
    const yoml_t *name;
    char error[512];

    if (module != NULL)
        return module;
    name = name_of_module(node);
    if (name == NULL)
        return NULL;
    module = weir_module_open(is_file(name->data.scalar) ? conf_beside(conf, name->data.scalar) : name->data.scalar, error,
                              sizeof(error));
    if (module == NULL) {
        conf_complain(name, "weir.router: %s", error);
        return NULL;
    }
    remember_module(conf, node, module);
    return configure(module, node) ? module : NULL;
}

/* ---- weir.stages ---- */

static const weir_stage_t *open_stage(conf_t *conf, const yoml_t *node)
{
    conf_object_t *object;
    const weir_stage_t *stage;
    weir_object_t *loaded;
    char error[512];

    if (node->type != YOML_TYPE_SCALAR) {
        conf_complain(node, "weir.stages: must be the path of a .so file, or a list of them");
        return NULL;
    }
    loaded = weir_object_open(conf_beside(conf, node->data.scalar), error, sizeof(error));
    if (loaded == NULL) {
        conf_complain(node, "weir.stages: %s", error);
        return NULL;
    }
    object = weir_arena_alloc(&conf->arena, sizeof(*object));
    *object = (conf_object_t){.next = conf->objects, .object = loaded};
    conf->objects = object;
    stage = weir_object_symbol(loaded, "weir_stage");
    if (stage == NULL)
        conf_complain(node, "weir.stages: %s exports no `const weir_stage_t weir_stage`", node->data.scalar);
    return stage;
}

/* Opens what `node` names into `extra` (room for WEIR_STAGES_MAX). False after a complaint. */
static bool open_extra_stages(conf_t *conf, const yoml_t *node, const weir_stage_t **extra, size_t *out_count)
{
    const bool is_list = node->type == YOML_TYPE_SEQUENCE;
    const size_t count = is_list ? node->data.sequence.size : 1;

    if (count > WEIR_STAGES_MAX)
        return conf_complain(node, "weir.stages: too many, at most %d with the built-in ones", WEIR_STAGES_MAX) == 0;
    for (size_t i = 0; i < count; i++) {
        extra[i] = open_stage(conf, is_list ? node->data.sequence.elements[i] : node);
        if (extra[i] == NULL)
            return false;
    }
    *out_count = count;
    return true;
}

const weir_stage_t *const *conf_stages_open(conf_t *conf, const yoml_t *node, size_t *out_count, size_t *out_extra)
{
    const weir_stage_t **merged = weir_arena_zalloc(&conf->arena, (WEIR_STAGES_MAX + 1) * sizeof(merged[0]));
    const weir_stage_t *extra[WEIR_STAGES_MAX];
    char error[256] = "";

    *out_extra = 0;
    if (node != NULL && !open_extra_stages(conf, node, extra, out_extra))
        return NULL;
    *out_count = weir_stages_merge(extra, *out_extra, merged, error, sizeof(error));
    if (*out_count > 0)
        return merged;
    if (node != NULL)
        conf_complain(node, "weir.stages: %s", error);
    else
        conf_complain_at(conf->file, 0, "weir.stages: %s", error);
    return NULL;
}
