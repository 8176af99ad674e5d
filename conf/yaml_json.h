/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_YAML_JSON_H
#define WEIR_CONF_YAML_JSON_H
/**
 * @file  YAML as JSON: what comes in either is kept, and written, as the one.
 */
#include <jansson.h>

#include "yoml.h"

/** The caller's. Scalars are strings, as routers read them. Complains about what is no text, or stands there twice. */
json_t *conf_yaml_json(const yoml_t *node);

#endif
