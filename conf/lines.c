/* SPDX-License-Identifier: MIT */
/* Files with a JSON object in each line, where a tree of all would be too large: one line is in memory at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/config_node.h"
#include "conf/yaml.h"
#include "lib/base/rights.h"

enum { LINE_BYTES_MOST = 1 << 20, PATH_BYTES = 4096, COUNT_BYTES = 65536 };

/* NULL after a complaint, or if no file is named; `path` tells which. */
static FILE *open_named(const weir_config_t *map, const char *key, char path[PATH_BYTES], bool *out_is_fine)
{
    FILE *file;
    int fd;

    path[0] = '\0';
    *out_is_fine = weir_config_path(map, key, path, PATH_BYTES);
    if (!*out_is_fine || path[0] == '\0')
        return NULL;
    fd = weir_rights_read(path);
    file = fd == -1 ? NULL : fdopen(fd, "r");
    if (file == NULL && fd != -1)
        close(fd);
    if (file == NULL)
        *out_is_fine = weir_config_wrong(weir_config_get(map, key), "%s: %s: %s", key, path, strerror(errno));
    return file;
}

WEIR_API bool weir_config_line_count(const weir_config_t *map, const char *key, size_t *out_count)
{
    char path[PATH_BYTES], bytes[COUNT_BYTES];
    bool is_fine;
    FILE *file = open_named(map, key, path, &is_fine);

    *out_count = 0;
    if (file == NULL)
        return is_fine;
    for (size_t count; (count = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        for (const char *at = bytes, *end = bytes + count; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
            ++*out_count;
    ++*out_count; /* the last one may have no end */
    is_fine = ferror(file) == 0 || weir_config_wrong(weir_config_get(map, key), "%s: %s: %s", key, path, strerror(errno));
    fclose(file);
    return is_fine;
}

/* Its nodes were read as a document of one line. */
static void move_to(yoml_t *node, size_t line)
{
    node->line += line;
    for (size_t i = 0; node->type == YOML_TYPE_MAPPING && i < node->data.mapping.size; i++) {
        move_to(node->data.mapping.elements[i].key, line);
        move_to(node->data.mapping.elements[i].value, line);
    }
    for (size_t i = 0; node->type == YOML_TYPE_SEQUENCE && i < node->data.sequence.size; i++)
        move_to(node->data.sequence.elements[i], line);
}

/* An anchor would make one node stand in two places, and JSON has none. */
static bool is_json_object(weir_span_t text)
{
    return text.len > 0 && text.base[0] == '{' && memchr(text.base, '&', text.len) == NULL;
}

static bool show_line(const char *path, size_t line, weir_span_t text, bool (*each)(void *, const weir_config_t *),
                      void *context)
{
    yoml_t *node;
    bool is_fine;

    if (!is_json_object(text))
        return conf_complain_at(path, line + 1, "each line is a JSON object: {\"app\": …}");
    node = conf_yaml_parse(text, path);
    if (node == NULL || node->type != YOML_TYPE_MAPPING) {
        conf_yaml_release(&node);
        return conf_complain_at(path, line + 1, "this is no JSON object");
    }
    move_to(node, line);
    is_fine = each(context, conf_config_of(node));
    conf_yaml_release(&node);
    return is_fine;
}

static weir_span_t trimmed(const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r' || text[length - 1] == ' '))
        length--;
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    return (weir_span_t){text, length};
}

WEIR_API bool weir_config_each_line(const weir_config_t *map, const char *key,
                                    bool (*each)(void *context, const weir_config_t *line), void *context)
{
    char path[PATH_BYTES], *text = NULL;
    size_t capacity = 0;
    bool is_fine;
    FILE *file = open_named(map, key, path, &is_fine);
    ssize_t length;

    for (size_t line = 0; file != NULL && (length = getline(&text, &capacity, file)) > 0; line++) {
        const weir_span_t span = trimmed(text, (size_t)length);
        if (span.len == 0 || span.base[0] == '#')
            continue;
        if (span.len > LINE_BYTES_MOST)
            is_fine = conf_complain_at(path, line + 1, "a line has at most %d bytes", LINE_BYTES_MOST);
        else
            is_fine = show_line(path, line, span, each, context) && is_fine;
    }
    free(text);
    if (file != NULL)
        fclose(file);
    return is_fine;
}
