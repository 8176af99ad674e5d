/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_KIT_SETTINGS_H
#define WEIR_T_KIT_SETTINGS_H
/**
 * @file  Settings of an app, read of a YAML text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "conf_capture.h"
#include "router/kit/settings.h"
#include "unit.h"

/** Reads `text` over what stands there; *out_said, which the caller frees, is what was said of it. */
static inline bool read_over(const char *text, kit_settings_t *over, char **out_said)
{
    yoml_t *root = conf_yaml_parse((weir_span_t){text, strlen(text)}, "t.yaml");
    capture_t capture;
    bool is_read;

    assert_non_null(root);
    conf_config_set_place(root);
    capture_begin(&capture, &stderr);
    is_read = kit_settings_read(conf_config_of(root), over);
    *out_said = capture_end(&capture);
    conf_config_set_place(NULL);
    conf_yaml_release(&root);
    return is_read;
}

#endif
