/* SPDX-License-Identifier: MIT */
#include "conf/custom.h"

#include <string.h>

#include "conf/complain.h"
#include "conf/fastcgi.h"
#include "conf/paths.h"
#include "conf/yaml.h"
#include "lib/base/must.h"
#include "lib/wire/front/handler.h"

/* ---- reading ---- */

static bool is_extension(const yoml_t *node)
{
    const char *text = node->type == YOML_TYPE_SCALAR ? node->data.scalar : "";

    return (text[0] == '.' && text[1] != '\0' && strchr(text, '/') == NULL) ||
           conf_complain(node, "file.custom-handler: an extension is written .php") == 0;
}

static bool has_extensions(const yoml_t *node)
{
    const yoml_t *extension = conf_yaml_get(node, "extension");

    if (extension == NULL)
        return conf_complain(node, "file.custom-handler: needs an extension") == 0;
    if (extension->type != YOML_TYPE_SEQUENCE)
        return is_extension(extension);
    for (size_t i = 0; i < extension->data.sequence.size; i++)
        if (!is_extension(extension->data.sequence.elements[i]))
            return false;
    return true;
}

static bool is_known(const yoml_t *key)
{
    const char *name = key->data.scalar;

    if (strcmp(name, "extension") == 0)
        return true;
    if (strncmp(name, "fastcgi.", 8) == 0 && conf_directive_named(name) != CONF_DIRECTIVES)
        return true;
    return conf_complain(key,
                         "file.custom-handler: %s: not possible: what is run here is run by fastcgi.connect, with other "
                         "fastcgi.* beside it; let systemd start PHP-FPM, or spawn-fcgi another application, and name its "
                         "socket",
                         name) == 0;
}

int conf_custom_read(conf_t *conf, yoml_t *node)
{
    conf_custom_t *custom = weir_arena_alloc(&conf->arena, sizeof(*custom));

    if (node->type != YOML_TYPE_MAPPING)
        return conf_complain(node, "file.custom-handler: must be a mapping of extension and fastcgi.connect");
    for (size_t i = 0; i < node->data.mapping.size; i++)
        if (!is_known(node->data.mapping.elements[i].key))
            return -1;
    if (!has_extensions(node))
        return -1;
    if (conf_yaml_get(node, "fastcgi.connect") == NULL)
        return conf_complain(node, "file.custom-handler: needs a fastcgi.connect");
    *custom = (conf_custom_t){.before = conf->level->customs, .node = node};
    conf->level->customs = custom;
    return 0;
}

/* ---- the plan of each ---- */

static bool read_values(conf_t *conf, const yoml_t *node)
{
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        const conf_directive_t directive = conf_directive_named(entry->key->data.scalar);

        if (directive != CONF_DIRECTIVES &&
            conf_value_read(directive, entry->value, &conf->arena, &conf->level->values[directive]) != 0)
            return false;
    }
    return true;
}

/* As the values of conf->level say. NULL after a complaint. */
static const weir_plan_t *open_plan(conf_t *conf, conf_path_t *path)
{
    weir_plan_t *plan;
    const yoml_t *router;
    weir_module_t *module;
    size_t extra;

    conf_fastcgi_settle(conf);
    plan = conf_plan_create(conf);
    router = conf_fastcgi_router(conf);
    if (plan == NULL || router == NULL)
        return NULL;
    conf_fastcgi_fill(conf, plan);
    plan->mount = (weir_span_t){path->path, strlen(path->path)};
    module = conf_module_open(conf, router, path);
    if (module == NULL || !conf_stages_open(conf, conf->level->values[CONF_stages].node, plan, &extra))
        return NULL;
    plan->binding = (weir_binding_t){weir_module_router(module), weir_module_shared(module), weir_module_is_built_in(module)};
    conf_head_limits_widen(&conf->head_limits, &plan->head_limits);
    return plan;
}

static void add_script(conf_t *conf, weir_files_scripts_t *scripts, const yoml_t *extension, const weir_plan_t *plan)
{
    const weir_files_script_t **end = &scripts->first;
    weir_files_script_t *script = weir_arena_alloc(&conf->arena, sizeof(*script));
    const weir_span_t text = {extension->data.scalar, strlen(extension->data.scalar)};

    while (*end != NULL)
        end = (const weir_files_script_t **)(uintptr_t) & (*end)->next;
    *script = (weir_files_script_t){.extension = weir_arena_copy(&conf->arena, text).base, .plan = plan};
    *end = script;
}

static bool open_custom(conf_t *conf, conf_path_t *path, const conf_custom_t *custom)
{
    const yoml_t *extension = conf_yaml_get(custom->node, "extension");
    weir_files_scripts_t *scripts = conf->level->scripts;
    const weir_plan_t *plan;

    conf->level[1] = conf->level[0];
    conf->level++;
    plan = read_values(conf, custom->node) ? open_plan(conf, path) : NULL;
    conf->level--;
    if (plan == NULL)
        return false;
    if (extension->type != YOML_TYPE_SEQUENCE)
        add_script(conf, scripts, extension, plan);
    for (size_t i = 0; extension->type == YOML_TYPE_SEQUENCE && i < extension->data.sequence.size; i++)
        add_script(conf, scripts, extension->data.sequence.elements[i], plan);
    return true;
}

bool conf_custom_open(conf_t *conf, conf_path_t *path)
{
    if (conf->level->scripts == NULL)
        return true;
    WEIR_MUST(conf->level + 1 < conf->levels + H2O_CONFIGURATOR_NUM_LEVELS + 1);
    conf->level->scripts->run = weir_handler_run_script;
    for (const conf_custom_t *custom = conf->level->customs; custom != NULL; custom = custom->before)
        if (!open_custom(conf, path, custom))
            return false;
    return true;
}
