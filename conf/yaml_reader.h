/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_YAML_READER_H
#define WEIR_CONF_YAML_READER_H
/**
 * @file  One YAML document while it is read; shared by yaml.c (files), yaml_tree.c (nodes) and yaml_anchor.c.
 */
#include <sys/types.h>
#include <yaml.h>

#include "weir_types.h"
#include "yoml.h"

typedef struct conf_anchor {
    char *name;
    yoml_t *node; /* one reference */
    size_t nodes, height;
} conf_anchor_t;

/** What the limits are about: one for a file with all that it includes. */
typedef struct conf_yaml_budget {
    size_t nodes, bytes;
} conf_yaml_budget_t;

typedef struct conf_reader {
    yaml_parser_t parser;
    weir_span_t text;
    const char *file;
    const struct conf_reader *includer; /* NULL: the outermost */
    bool may_include;
    bool is_of_module;      /* inside weir.router or weir.stages                      */
    bool has_ambiguous_key; /* one stands twice where that is an error; it was told */
    dev_t device;
    ino_t inode;
    conf_yaml_budget_t *budget;
    size_t depth;   /* the level at which its root stands */
    size_t deepest; /* the level reached so far below the node that is being read */
    conf_anchor_t *anchors;
    size_t anchor_count;
} conf_reader_t;

/** The latest anchor of this name, or NULL. */
conf_anchor_t *conf_anchor_find(conf_reader_t *reader, const char *name);
/** Names `node`, which has so many nodes below and itself, and reaches so many levels down. Takes a reference of its own. */
void conf_anchor_remember(conf_reader_t *reader, const char *name, yoml_t *node, size_t nodes, size_t height);
/** Makes the anchors of a file known behind it, in the one that includes it. False if that would have too many. */
bool conf_anchor_hand_over(const conf_reader_t *reader, conf_reader_t *includer);
void conf_anchor_forget_all(conf_reader_t *reader);

/** Reads the document; NULL after a complaint. deepest then says how deep it goes; the anchors stay. */
yoml_t *conf_reader_run(conf_reader_t *reader);

/** Reads the document at `path`, whose root stands at level `depth`; `where` says so in `includer`. */
yoml_t *conf_reader_include(conf_reader_t *includer, const char *path, const yoml_t *where, size_t depth);

#endif
