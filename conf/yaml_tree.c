/* SPDX-License-Identifier: MIT */
/*
 * A recursive descent over libyaml's events; the depth limit bounds the recursion.
 *
 * An anchor is known only when its node is complete, so that no node can contain itself. Every anchor remembers how many nodes
 * stand below it and how deep: an alias costs that again, which keeps alias bombs away from those who walk the tree.
 */
#include "conf/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/h2o_directives.h"
#include "conf/yaml_node.h"
#include "conf/yaml_reader.h"
#include "lib/base/must.h"

static yoml_t *read_node(conf_reader_t *reader, yaml_event_t *event, size_t depth);

static conf_place_t place_of(const conf_reader_t *reader, const yaml_event_t *event)
{
    return (conf_place_t){reader->file, event->start_mark.line, event->start_mark.column};
}

static yoml_t *refuse(const conf_reader_t *reader, const yaml_event_t *event, const char *what)
{
    conf_complain_at(reader->file, event->start_mark.line + 1, "%s", what);
    return NULL;
}

/* Bytes that are no UTF-8 are reported by offset only. */
static size_t line_of_problem(const conf_reader_t *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line = 1;

    if (parser->error != YAML_READER_ERROR)
        return parser->problem_mark.line + 1;
    for (size_t i = 0; i < parser->problem_offset && i < reader->text.len; i++)
        line += reader->text.base[i] == '\n';
    return line;
}

/* Whether the line, from 1, is indented with a tab. */
static bool has_tab_in_front(const conf_reader_t *reader, size_t line)
{
    const char *at = reader->text.base, *end = at + reader->text.len;

    for (; line > 1 && at < end; at++)
        line -= *at == '\n';
    while (at < end && *at == ' ')
        at++;
    return at < end && *at == '\t';
}

static bool next_event(conf_reader_t *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event) == 1)
        return true;
    if (reader->parser.error == YAML_SCANNER_ERROR && has_tab_in_front(reader, line_of_problem(reader)))
        return conf_complain_at(reader->file, line_of_problem(reader), "there is a tab in front; YAML is indented with spaces");
    return conf_complain_at(reader->file, line_of_problem(reader), "%s%s%s",
                            reader->parser.context != NULL ? reader->parser.context : "",
                            reader->parser.context != NULL ? ": " : "",
                            reader->parser.problem != NULL ? reader->parser.problem : "this is no YAML");
}

/* Pays for `nodes` nodes that reach down to level `depth`. */
static bool may_grow(conf_reader_t *reader, const yaml_event_t *event, size_t nodes, size_t depth)
{
    if (depth > CONF_YAML_DEPTH)
        return refuse(reader, event, "nested too deeply (at most 64 levels)") != NULL;
    if (nodes > reader->budget->nodes)
        return refuse(reader, event, "too large (at most 1000000 nodes, aliases written out)") != NULL;
    reader->budget->nodes -= nodes;
    if (depth > reader->deepest)
        reader->deepest = depth;
    return true;
}

static yoml_t *read_alias(conf_reader_t *reader, const yaml_event_t *event, size_t depth)
{
    conf_anchor_t *anchor = conf_anchor_find(reader, (const char *)event->data.alias.anchor);

    if (anchor == NULL)
        return refuse(reader, event, "this alias has no anchor before it");
    if (!may_grow(reader, event, anchor->nodes, depth + anchor->height))
        return NULL;
    anchor->node->_refcnt++;
    return anchor->node;
}

/* ---- nodes ---- */

static yoml_t *read_include(conf_reader_t *reader, const yaml_event_t *event, size_t depth)
{
    const char *name = (const char *)event->data.scalar.value;
    const char *slash = strrchr(reader->file, '/');
    yoml_t *where, *node;
    char *path;
    int len;

    if (!reader->may_include)
        return refuse(reader, event, "!file is not possible here");
    len = asprintf(&path, "%.*s%s", name[0] != '/' && slash != NULL ? (int)(slash - reader->file + 1) : 0, reader->file, name);
    WEIR_MUST(len != -1);
    where = conf_node_scalar(place_of(reader, event), (weir_span_t){name, strlen(name)});
    node = conf_reader_include(reader, path, where, depth);
    conf_yaml_release(&where);
    free(path);
    return node;
}

static bool is_ours_or_plain(const char *tag)
{
    return tag == NULL || strcmp(tag, "!") == 0 || strncmp(tag, "tag:yaml.org,2002:", 18) == 0;
}

static yoml_t *read_scalar(conf_reader_t *reader, const yaml_event_t *event, size_t depth)
{
    const char *tag = (const char *)event->data.scalar.tag;
    weir_span_t text = {(const char *)event->data.scalar.value, event->data.scalar.length};

    if (memchr(text.base, '\0', text.len) != NULL)
        return refuse(reader, event, "a NUL character is not allowed");
    if (tag != NULL && strcmp(tag, "!file") == 0)
        return read_include(reader, event, depth);
    if (!is_ours_or_plain(tag))
        return refuse(reader, event, "unknown tag (only !file is known)");
    return conf_node_scalar(place_of(reader, event), text);
}

static yoml_t *read_list(conf_reader_t *reader, const yaml_event_t *start, size_t depth)
{
    yoml_t *list = conf_node_list(place_of(reader, start));
    yaml_event_t event;

    for (;;) {
        yoml_t *item;
        bool is_end;

        if (!next_event(reader, &event))
            break;
        is_end = event.type == YAML_SEQUENCE_END_EVENT;
        item = is_end ? NULL : read_node(reader, &event, depth + 1);
        yaml_event_delete(&event);
        if (is_end)
            return list;
        if (item == NULL)
            break;
        list = conf_node_list_add(list, item);
    }
    conf_yaml_release(&list);
    return NULL;
}

static bool is_merge_key(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           event->data.scalar.tag == NULL && strcmp((const char *)event->data.scalar.value, "<<") == 0;
}

static yoml_t *read_key(conf_reader_t *reader, yaml_event_t *event, size_t depth)
{
    yoml_t *key = NULL;

    if (event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT)
        key = read_node(reader, event, depth);
    else
        return refuse(reader, event, "a key must be a scalar");
    if (key != NULL && key->type != YOML_TYPE_SCALAR) {
        conf_yaml_release(&key);
        refuse(reader, event, "a key must be a scalar");
    }
    return key;
}

static yoml_t *read_next_node(conf_reader_t *reader, size_t depth)
{
    yaml_event_t event;
    yoml_t *node;

    if (!next_event(reader, &event))
        return NULL;
    node = read_node(reader, &event, depth);
    yaml_event_delete(&event);
    return node;
}

static yoml_t *read_value(conf_reader_t *reader, const yoml_t *key, size_t depth)
{
    const bool was_of_module = reader->is_of_module;
    yoml_t *value;

    if (strcmp(key->data.scalar, "weir.router") == 0 || strcmp(key->data.scalar, "weir.stages") == 0)
        reader->is_of_module = true;
    value = read_next_node(reader, depth);
    reader->is_of_module = was_of_module;
    return value;
}

/* Reads a key and its value and adds them. */
static bool read_entry(conf_reader_t *reader, yaml_event_t *event, size_t depth, conf_entries_t *entries)
{
    yoml_t *key = read_key(reader, event, depth);
    yoml_t *value = key != NULL ? read_value(reader, key, depth) : NULL;
    bool is_fine = value != NULL;

    if (is_fine && !is_merge_key(event)) {
        conf_entries_add(entries, key, value, false);
        return true;
    }
    if (is_fine && !conf_entries_merge(entries, value))
        is_fine = refuse(reader, event, "<< takes a mapping or a list of mappings") != NULL;
    conf_yaml_release(&key);
    conf_yaml_release(&value);
    return is_fine;
}

/* What routers and stages read is not h2o's: there is no telling what was meant. */
static void on_twice(const yoml_t *earlier, const yoml_t *later, void *arg)
{
    conf_reader_t *reader = arg;
    const char *name = later->data.scalar;

    if (!reader->is_of_module)
        conf_warn(later, "%s stands on line %zu already%s", name, earlier->line + 1, conf_h2o_which_counts(name));
    else
        conf_complain(later, "%s stands on line %zu already", name, earlier->line + 1);
    reader->has_ambiguous_key = reader->has_ambiguous_key || reader->is_of_module;
}

static yoml_t *read_map(conf_reader_t *reader, const yaml_event_t *start, size_t depth)
{
    conf_entries_t entries = {0};
    yaml_event_t event;
    bool is_end = false;

    while (next_event(reader, &event)) {
        is_end = event.type == YAML_MAPPING_END_EVENT;
        bool may_go_on = !is_end && read_entry(reader, &event, depth + 1, &entries);
        yaml_event_delete(&event);
        if (!may_go_on)
            break;
    }
    if (is_end)
        conf_entries_settle(&entries, on_twice, reader);
    if (is_end && !reader->has_ambiguous_key)
        return conf_node_map(place_of(reader, start), &entries);
    conf_entries_finish(&entries);
    return NULL;
}

static yoml_t *read_tree(conf_reader_t *reader, yaml_event_t *event, size_t depth, const char **out_anchor)
{
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        *out_anchor = (const char *)event->data.scalar.anchor;
        return read_scalar(reader, event, depth);
    case YAML_SEQUENCE_START_EVENT:
        *out_anchor = (const char *)event->data.sequence_start.anchor;
        if (!is_ours_or_plain((const char *)event->data.sequence_start.tag))
            return refuse(reader, event, "unknown tag (!file takes a scalar)");
        return read_list(reader, event, depth);
    case YAML_MAPPING_START_EVENT:
        *out_anchor = (const char *)event->data.mapping_start.anchor;
        if (!is_ours_or_plain((const char *)event->data.mapping_start.tag))
            return refuse(reader, event, "unknown tag (!file takes a scalar)");
        return read_map(reader, event, depth);
    default:
        return refuse(reader, event, "something is missing here");
    }
}

static yoml_t *read_node(conf_reader_t *reader, yaml_event_t *event, size_t depth)
{
    const size_t left = reader->budget->nodes, deepest = reader->deepest;
    const char *anchor = NULL;
    yoml_t *node;

    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, depth);
    reader->deepest = 0;
    if (!may_grow(reader, event, 1, depth))
        return NULL;
    node = read_tree(reader, event, depth, &anchor);
    if (node != NULL && anchor != NULL && reader->anchor_count == CONF_YAML_ANCHORS) {
        conf_yaml_release(&node);
        refuse(reader, event, "too many anchors (at most 10000)");
    }
    if (node != NULL && anchor != NULL)
        conf_anchor_remember(reader, anchor, node, left - reader->budget->nodes, reader->deepest - depth);
    if (deepest > reader->deepest)
        reader->deepest = deepest;
    return node;
}

/* The next event must be of this type and means nothing more. */
static bool expect_event(conf_reader_t *reader, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event;
    bool is_it;

    if (!next_event(reader, &event))
        return false;
    is_it = event.type == type;
    if (!is_it)
        refuse(reader, &event, otherwise);
    yaml_event_delete(&event);
    return is_it;
}

yoml_t *conf_reader_run(conf_reader_t *reader)
{
    yoml_t *root = NULL;

    if (expect_event(reader, YAML_STREAM_START_EVENT, "this is no YAML") &&
        expect_event(reader, YAML_DOCUMENT_START_EVENT, "the file is empty"))
        root = read_next_node(reader, reader->depth);
    if (root != NULL && (!expect_event(reader, YAML_DOCUMENT_END_EVENT, "this is no YAML") ||
                         !expect_event(reader, YAML_STREAM_END_EVENT, "only one document is allowed")))
        conf_yaml_release(&root);
    return root;
}
