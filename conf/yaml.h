/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_YAML_H
#define WEIR_CONF_YAML_H
/**
 * @file  Reads YAML into the tree libh2o understands.
 *
 * Beyond plain YAML: `<<` merges a mapping or a list of mappings (keys that are written out win, then the earlier mapping), and
 * `!file NAME` stands for the document in that file, relative to the file that says it. A key given twice is an error unless it
 * is a directive that adds up (listen, header.add, …), and so is a second document. Aliases share nodes. All limits count a
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

/** The value of `name` in a mapping, or NULL. */
yoml_t *conf_yaml_get(const yoml_t *node, const char *name);

#endif
