/* SPDX-License-Identifier: MIT */
#include "conf/config_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/yaml.h"
#include "lib/base/log.h"

static const yoml_t *place_of_nothing;

const weir_config_t *conf_config_of(const yoml_t *node)
{
    return (const weir_config_t *)(const void *)node;
}

void conf_config_set_place(const yoml_t *place)
{
    place_of_nothing = place;
}

static const yoml_t *yoml_of(const weir_config_t *node)
{
    return (const yoml_t *)(const void *)node;
}

WEIR_API weir_config_kind_t weir_config_kind(const weir_config_t *node)
{
    if (node == NULL)
        return WEIR_CONFIG_NONE;
    switch (yoml_of(node)->type) {
    case YOML_TYPE_SCALAR:
        return WEIR_CONFIG_SCALAR;
    case YOML_TYPE_SEQUENCE:
        return WEIR_CONFIG_LIST;
    case YOML_TYPE_MAPPING:
        return WEIR_CONFIG_MAP;
    }
    return WEIR_CONFIG_NONE;
}

WEIR_API const char *weir_config_text(const weir_config_t *node)
{
    return weir_config_kind(node) == WEIR_CONFIG_SCALAR ? yoml_of(node)->data.scalar : NULL;
}

WEIR_API size_t weir_config_count(const weir_config_t *node)
{
    switch (weir_config_kind(node)) {
    case WEIR_CONFIG_LIST:
        return yoml_of(node)->data.sequence.size;
    case WEIR_CONFIG_MAP:
        return yoml_of(node)->data.mapping.size;
    case WEIR_CONFIG_NONE:
    case WEIR_CONFIG_SCALAR:
        break;
    }
    return 0;
}

WEIR_API const weir_config_t *weir_config_at(const weir_config_t *node, size_t index)
{
    if (index >= weir_config_count(node))
        return NULL;
    if (weir_config_kind(node) == WEIR_CONFIG_LIST)
        return conf_config_of(yoml_of(node)->data.sequence.elements[index]);
    return conf_config_of(yoml_of(node)->data.mapping.elements[index].value);
}

WEIR_API const weir_config_t *weir_config_key(const weir_config_t *node, size_t index)
{
    if (weir_config_kind(node) != WEIR_CONFIG_MAP || index >= weir_config_count(node))
        return NULL;
    return conf_config_of(yoml_of(node)->data.mapping.elements[index].key);
}

WEIR_API const weir_config_t *weir_config_get(const weir_config_t *node, const char *name)
{
    return node != NULL ? conf_config_of(conf_yaml_get(yoml_of(node), name)) : NULL;
}

WEIR_API const char *weir_config_directory(void)
{
    static __thread char directory[4096];
    const char *file = place_of_nothing != NULL ? place_of_nothing->filename : NULL;
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;

    if (slash == NULL || (size_t)(slash - file) >= sizeof(directory))
        return ".";
    memcpy(directory, file, (size_t)(slash - file));
    directory[slash - file] = '\0';
    return slash == file ? "/" : directory;
}

WEIR_API bool weir_config_wrong(const weir_config_t *node, const char *format, ...)
{
    const yoml_t *place = node != NULL ? yoml_of(node) : place_of_nothing;
    va_list arguments;

    va_start(arguments, format);
    if (place != NULL) {
        conf_complain_va(place, format, arguments);
    } else {
        char text[1024];
        vsnprintf(text, sizeof(text), format, arguments);
        weir_log("%s", text);
    }
    va_end(arguments);
    return false;
}
