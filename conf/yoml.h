/* SPDX-License-Identifier: MIT */
#ifndef WEIR_YOML_H
#define WEIR_YOML_H
/**
 * @file  The tree of a YAML document in the layout that libh2o's configurators walk; its own yoml.h is not packaged.
 *
 * libh2o counts references and calls free() on nodes and strings: everything here comes from malloc().
 */
#include <stddef.h>

typedef enum yoml_type { YOML_TYPE_SCALAR = 0, YOML_TYPE_SEQUENCE = 1, YOML_TYPE_MAPPING = 2 } yoml_type_t;

typedef struct st_yoml_t yoml_t;

typedef struct yoml_mapping_element {
    yoml_t *key;
    yoml_t *value;
} yoml_mapping_element_t;

typedef struct yoml_sequence {
    size_t size;
    yoml_t *elements[1]; /* as many as size says */
} yoml_sequence_t;

typedef struct yoml_mapping {
    size_t size;
    yoml_mapping_element_t elements[1]; /* as many as size says */
} yoml_mapping_t;

struct st_yoml_t {
    yoml_type_t type;
    char *filename;
    size_t line;   /* from 0 */
    size_t column; /* from 0 */
    char *anchor;
    char *tag;
    size_t _refcnt;
    union {
        char *scalar;
        yoml_sequence_t sequence;
        yoml_mapping_t mapping;
    } data;
};

_Static_assert(sizeof(yoml_type_t) == 4, "libh2o 2.2.5 reads the type as an int");
_Static_assert(offsetof(yoml_t, type) == 0, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, filename) == 8, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, line) == 16, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, column) == 24, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, anchor) == 32, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, tag) == 40, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, _refcnt) == 48, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_t, data) == 56, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_sequence_t, elements) == 8, "libh2o 2.2.5");
_Static_assert(offsetof(yoml_mapping_t, elements) == 8, "libh2o 2.2.5");

#endif
