/* SPDX-License-Identifier: MIT */
#include "conf/metrics_apps.h"

#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "lib/base/span.h"

enum { APPS_MOST = 10000 };

/* { top: N } and nothing beside it. */
static bool read_top(const yoml_t *node, uint64_t *out_most)
{
    const yoml_t *key, *value;

    if (node->type != YOML_TYPE_MAPPING || node->data.mapping.size != 1)
        return false;
    key = node->data.mapping.elements[0].key;
    value = node->data.mapping.elements[0].value;
    return key->type == YOML_TYPE_SCALAR && strcmp(key->data.scalar, "top") == 0 && value->type == YOML_TYPE_SCALAR &&
           weir_span_to_u63((weir_span_t){value->data.scalar, strlen(value->data.scalar)}, out_most) && *out_most >= 1 &&
           *out_most <= APPS_MOST;
}

int conf_metrics_apps_read(conf_t *conf, const yoml_t *node)
{
    const char *word = node->type == YOML_TYPE_SCALAR ? node->data.scalar : "";
    uint64_t most = 0;

    if (strcasecmp(word, "ON") == 0)
        most = APPS_MOST;
    else if (strcasecmp(word, "OFF") != 0 && !read_top(node, &most))
        return conf_complain(node, "weir.metrics-apps: must be ON, OFF, or { top: N }, from 1 to %d", APPS_MOST);
    conf->metrics.apps_most = (size_t)most;
    return 0;
}
