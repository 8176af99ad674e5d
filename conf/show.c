/* SPDX-License-Identifier: MIT */
/* What a module says when it is checked. */
#include <stdarg.h>
#include <stdio.h>

#include "conf/complain.h"
#include "conf/show.h"
#include "yoml.h"

enum { FIRST_INDENT = 6, STEP = 2, KEY_COLUMNS = 39, DEPTH_MOST = 8 };

static const yoml_t *yoml_of(const weir_config_t *node)
{
    return (const yoml_t *)(const void *)node;
}

WEIR_API void weir_show_value(weir_show_t *show, unsigned depth, const char *key, const char *value, const weir_config_t *node)
{
    const int indent = FIRST_INDENT + STEP * (int)(depth < DEPTH_MOST ? depth : DEPTH_MOST);

    if (value == NULL)
        printf("%*s%s\n", indent, "", key);
    else if (node == NULL)
        printf("%*s%-*s %-18s default\n", indent, "", KEY_COLUMNS - indent, key, value);
    else
        printf("%*s%-*s %-18s %s:%zu\n", indent, "", KEY_COLUMNS - indent, key, value, yoml_of(node)->filename,
               yoml_of(node)->line + 1);
    show->lines++;
}

WEIR_API void weir_show_warning(weir_show_t *show, const weir_config_t *node, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (node != NULL)
        conf_warn(yoml_of(node), "%s", text);
    show->warnings++;
}
