/* SPDX-License-Identifier: MIT */
/* weir.router and weir.stages: what is loaded from elsewhere. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/config_node.h"
#include "conf/paths.h"
#include "conf/yaml.h"
#include "handlers/stages.h"
#include "router/instance.h"

/* ---- weir.router ---- */

static conf_module_t *remember_module(conf_t *conf, const yoml_t *node, weir_module_t *module)
{
    conf_module_t *known = weir_arena_alloc(&conf->arena, sizeof(*known));

    *known = (conf_module_t){.next = conf->modules, .module = module, .where = conf_where(&conf->arena, node)};
    conf->modules = known;
    conf_node_map_put(&conf->modules_by_node, node, known);
    return known;
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

/* `weir check` shows what the module was given; the document is gone by then. */
static void keep_for_check(conf_t *conf, conf_path_t *path, const yoml_t *node)
{
    conf_made_t *made;

    if (!conf->is_dry || node->type != YOML_TYPE_MAPPING)
        return;
    made = weir_arena_alloc(&conf->arena, sizeof(*made));
    *made = (conf_made_t){.next = conf->made, .node = (yoml_t *)(uintptr_t)node};
    made->node->_refcnt++;
    conf->made = made;
    path->given = node;
}

weir_module_t *conf_module_open(conf_t *conf, const yoml_t *node, conf_path_t *path)
{
    conf_module_t *known = conf_node_map_get(&conf->modules_by_node, node);
    weir_module_t *module;
    const yoml_t *name;
    char error[512];

    if (known != NULL)
        return known->module;
    name = name_of_module(node);
    if (name == NULL)
        return NULL;
    module = weir_module_open(is_file(name->data.scalar) ? conf_beside(conf, name->data.scalar) : name->data.scalar, error,
                              sizeof(error));
    if (module == NULL) {
        conf_complain(name, "weir.router: %s", error);
        return NULL;
    }
    known = remember_module(conf, node, module);
    keep_for_check(conf, path, node);
    known->name = weir_arena_format(&conf->arena, "%s %s", path->host, path->path).base;
    return configure(module, node) ? module : NULL;
}

/* ---- weir.stages ---- */

/* What the mapping of a stage says, or the name alone. */
static const yoml_t *name_of_stage(const yoml_t *node)
{
    const yoml_t *name = node->type == YOML_TYPE_MAPPING ? conf_yaml_get(node, "module") : node;

    if (name != NULL && name->type == YOML_TYPE_SCALAR && name->data.scalar[0] != '\0')
        return name;
    conf_complain(name != NULL ? name : node,
                  "weir.stages: must be the path of a .so file, a mapping with `module: PATH`, or a list of them");
    return NULL;
}

static bool configure_stage(weir_stage_module_t *module, const yoml_t *node)
{
    bool is_fine;

    conf_config_set_place(node);
    is_fine = weir_stage_module_configure(module, node->type == YOML_TYPE_MAPPING ? conf_config_of(node) : NULL);
    conf_config_set_place(NULL);
    return is_fine;
}

static weir_stage_module_t *open_stage(conf_t *conf, const yoml_t *node)
{
    weir_stage_module_t *module = conf_node_map_get(&conf->stages_by_node, node);
    const yoml_t *name;
    conf_stage_t *loaded;
    char error[512];

    if (module != NULL)
        return module;
    name = name_of_stage(node);
    if (name == NULL)
        return NULL;
    module = weir_stage_module_open(conf_beside(conf, name->data.scalar), error, sizeof(error));
    if (module == NULL) {
        conf_complain(name, "weir.stages: %s", error);
        return NULL;
    }
    loaded = weir_arena_alloc(&conf->arena, sizeof(*loaded));
    *loaded = (conf_stage_t){.next = conf->stages, .module = module};
    conf->stages = loaded;
    conf_node_map_put(&conf->stages_by_node, node, module);
    return configure_stage(module, node) ? module : NULL;
}

/* Opens what `node` names into `extra` (room for WEIR_STAGES_MAX). False after a complaint. */
static bool open_extra_stages(conf_t *conf, const yoml_t *node, weir_extra_stage_t *extra, size_t *out_count)
{
    const bool is_list = node->type == YOML_TYPE_SEQUENCE;
    const size_t count = is_list ? node->data.sequence.size : 1;

    if (count > WEIR_STAGES_MAX)
        return conf_complain(node, "weir.stages: too many, at most %d with the built-in ones", WEIR_STAGES_MAX) == 0;
    for (size_t i = 0; i < count; i++) {
        weir_stage_module_t *module = open_stage(conf, is_list ? node->data.sequence.elements[i] : node);
        if (module == NULL)
            return false;
        extra[i] = (weir_extra_stage_t){weir_stage_module_stage(module), weir_stage_module_shared(module)};
    }
    *out_count = count;
    return true;
}

bool conf_stages_open(conf_t *conf, const yoml_t *node, weir_plan_t *plan, size_t *out_extra)
{
    weir_stage_list_t *list = weir_arena_alloc(&conf->arena, sizeof(*list));
    weir_extra_stage_t extra[WEIR_STAGES_MAX];
    char error[256] = "";

    *out_extra = 0;
    if (node != NULL && !open_extra_stages(conf, node, extra, out_extra))
        return false;
    if (!weir_stages_merge(extra, *out_extra, list, error, sizeof(error)))
        return conf_complain(node, "weir.stages: %s", error) == 0;
    weir_stages_fill(plan, list);
    return true;
}

/* ---- starting ---- */

bool conf_modules_start(conf_t *conf)
{
    static _Atomic uint64_t generations; /* that were ever to be used */
    const uint64_t generation = atomic_fetch_add(&generations, 1) + 1;

    weir_waiting_most_set((uint32_t)conf->global->values[CONF_queue_max].number);
    for (conf_module_t *known = conf->modules; known != NULL; known = known->next)
        if (!weir_module_start(known->module, known->name, known->where, generation))
            return false;
    return true;
}
