/* SPDX-License-Identifier: MIT */
/* A piece of configuration that came while the proxy runs. */
#include <stdio.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/config_node.h"
#include "conf/yaml.h"

/* An anchor would make one node stand in two places, and JSON has none. */
static bool may_be_json(const char *json, size_t length)
{
    return length > 0 && *json == '{' && memchr(json, '&', length) == NULL;
}

WEIR_API bool weir_config_of_text(const char *json, size_t length, bool (*read)(void *context, const weir_config_t *node),
                                  void *context, char *problem, size_t bytes)
{
    bool is_fine = false;

    problem[0] = '\0';
    conf_complain_into(problem, bytes);
    yoml_t *node = may_be_json(json, length) ? conf_yaml_parse((weir_span_t){json, length}, "-") : NULL;
    if (node == NULL || node->type != YOML_TYPE_MAPPING)
        snprintf(problem, bytes, "this is no JSON object");
    else
        is_fine = read(context, conf_config_of(node));
    conf_yaml_release(&node);
    conf_complain_into(NULL, 0);
    return is_fine;
}
