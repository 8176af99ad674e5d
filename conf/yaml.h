/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_YAML_H
#define WEIR_CONF_YAML_H
/**
 * @file  Reads YAML into the tree libh2o understands.
 *
 * Beyond plain YAML: `<<` merges a mapping or a list of mappings (keys that are written out win, then the earlier mapping), and
 * `!file NAME` stands for the document in that file, relative to the file that says it. Of a key given twice
 * both stay, as in h2o: of plain values the last counts, `hosts` and handlers add up. Unless it is a directive that is meant to
 * be repeated (listen, header.add, …) a warning names both lines; below weir.router and weir.stages it is an error. So is a
 * second document. Aliases share nodes. All limits count a
 * document as if its aliases were written out.
 *
 * FAILURE  NULL, after "file:line: what" on standard error.
 */
#include "weir_types.h"
#include "yoml.h"

enum {
    CONF_YAML_DEPTH = 64,
    CONF_YAML_NODES = 1000000,
    CONF_YAML_ANCHORS = 10000,
    CONF_YAML_BYTES = 64 * 1024 * 1024, /* of all files together */
    CONF_YAML_FILES = 16,               /* included in each other */
};

/** Reads the file at `path` and what it includes. */
yoml_t *conf_yaml_load(const char *path);

/** Reads `text`, called `name` in messages. It may not include files. */
yoml_t *conf_yaml_parse(weir_span_t text, const char *name);

/** Gives one reference up and nulls the pointer; harmless on NULL. */
void conf_yaml_release(yoml_t **node);

/** A mapping of the entries of two, which share their nodes; no key may stand in both. */
yoml_t *conf_yaml_join(yoml_t *first, yoml_t *second);

/** Whether no entry of the mapping before this one has the same key. */
bool conf_yaml_is_first(const yoml_t *mapping, size_t index);

/** The value of `name` in a mapping, the first if there are several, or NULL. */
yoml_t *conf_yaml_get(const yoml_t *node, const char *name);

#endif
