/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "conf/yaml.h"
#include "conf/yaml_reader.h"
#include "lib/base/must.h"

conf_anchor_t *conf_anchor_find(conf_reader_t *reader, const char *name)
{
    for (size_t i = reader->anchor_count; i > 0; i--) /* a name may be given anew: the latest counts */
        if (strcmp(reader->anchors[i - 1].name, name) == 0)
            return &reader->anchors[i - 1];
    return NULL;
}

void conf_anchor_remember(conf_reader_t *reader, const char *name, yoml_t *node, size_t nodes, size_t height)
{
    conf_anchor_t *anchor = conf_anchor_find(reader, name);

    if (anchor != NULL) {
        conf_yaml_release(&anchor->node);
    } else {
        reader->anchors = realloc(reader->anchors, (reader->anchor_count + 1) * sizeof(reader->anchors[0]));
        WEIR_MUST(reader->anchors != NULL);
        anchor = &reader->anchors[reader->anchor_count++];
        anchor->name = strdup(name);
        WEIR_MUST(anchor->name != NULL);
    }
    node->_refcnt++;
    anchor->node = node;
    anchor->nodes = nodes;
    anchor->height = height;
}

bool conf_anchor_hand_over(const conf_reader_t *reader, conf_reader_t *includer)
{
    for (size_t i = 0; i < reader->anchor_count; i++) {
        const conf_anchor_t *anchor = &reader->anchors[i];

        if (includer->anchor_count == CONF_YAML_ANCHORS && conf_anchor_find(includer, anchor->name) == NULL)
            return false;
        conf_anchor_remember(includer, anchor->name, anchor->node, anchor->nodes, anchor->height);
    }
    return true;
}

void conf_anchor_forget_all(conf_reader_t *reader)
{
    for (size_t i = 0; i < reader->anchor_count; i++) {
        conf_yaml_release(&reader->anchors[i].node);
        free(reader->anchors[i].name);
    }
    free(reader->anchors);
}
