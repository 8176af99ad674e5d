/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a configuration: a tree within its limits, or a complaint; nothing leaks. The tree is then walked as modules do.
 */
#include <stdio.h>
#include <string.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "lib/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static size_t nodes_left;

/* The first of its name: directives that add up may stand there more than once. */
static const weir_config_t *first_named(const weir_config_t *map, const char *name)
{
    for (size_t i = 0; i < weir_config_count(map); i++)
        if (strcmp(weir_config_text(weir_config_key(map, i)), name) == 0)
            return weir_config_at(map, i);
    return NULL;
}

static void walk(const weir_config_t *node, size_t depth)
{
    const weir_config_kind_t kind = weir_config_kind(node);

    WEIR_MUST(node != NULL && depth <= CONF_YAML_DEPTH && nodes_left-- > 0);
    WEIR_MUST((kind == WEIR_CONFIG_SCALAR) == (weir_config_text(node) != NULL));
    for (size_t i = 0; i < weir_config_count(node); i++) {
        const weir_config_t *key = weir_config_key(node, i);

        WEIR_MUST((kind == WEIR_CONFIG_MAP) == (key != NULL));
        if (key != NULL) {
            walk(key, depth + 1);
            WEIR_MUST(weir_config_get(node, weir_config_text(key)) == first_named(node, weir_config_text(key)));
        }
        walk(weir_config_at(node, i), depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static FILE *nowhere;
    FILE *real = stderr;
    yoml_t *root;

    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    stderr = nowhere;
    root = conf_yaml_parse((weir_span_t){(const char *)input, length}, "fuzz");
    stderr = real;
    nodes_left = 2 * CONF_YAML_NODES; /* keys that << shares are walked once more */
    if (root != NULL)
        walk(conf_config_of(root), 1);
    conf_yaml_release(&root);
    return 0;
}
