/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_DIRECTIVES_H
#define WEIR_CONF_DIRECTIVES_H
/**
 * @file  The table of directives, and values of them.
 */
#include "lib/base/arena.h"
#include "yoml.h"

typedef enum conf_directive {
#define DIRECTIVE(id_, name_, type_, default_, least_, most_, levels_, vegur_, sentence_) CONF_##id_,
#include "conf/directives.def"
#undef DIRECTIVE
    CONF_DIRECTIVES
} conf_directive_t;

typedef enum conf_type {
    CONF_TYPE_MS,
    CONF_TYPE_BYTES,
    CONF_TYPE_COUNT,
    CONF_TYPE_TOKEN,
    CONF_TYPE_TEXT,
    CONF_TYPE_PATH,
    CONF_TYPE_FLAG,
    CONF_TYPE_CASE,
    CONF_TYPE_STRICTNESS,
    CONF_TYPE_CODES,
    CONF_TYPE_HOST,
    CONF_TYPE_NODE,
} conf_type_t;

typedef enum conf_levels {
    CONF_LEVELS_GLOBAL,
    CONF_LEVELS_HOSTS,
    CONF_LEVELS_ANYWHERE,
    CONF_LEVELS_PATHS,
    CONF_LEVELS_ENDS,
} conf_levels_t;

typedef struct conf_directive_info {
    const char *name;
    conf_type_t type;
    const char *initial; /* the default; NULL: none */
    uint64_t least, most;
    conf_levels_t levels;
    const char *vegur;
    const char *sentence;
} conf_directive_info_t;

extern const conf_directive_info_t conf_directives[CONF_DIRECTIVES];

/** What a directive came to at some level. */
typedef struct conf_value {
    const char *text;  /* as written; NULL: none              */
    uint64_t number;   /* of MS, BYTES, COUNT; 1 for ON and the second of two words */
    const char *where; /* "file:line"; NULL: the default      */
    yoml_t *node;      /* of NODE, borrowed                   */
} conf_value_t;

/** The directive called `name`, or CONF_DIRECTIVES. */
conf_directive_t conf_directive_named(const char *name);

/** Fills `values` (CONF_DIRECTIVES of them) with the defaults. */
void conf_values_default(conf_value_t *values);

/** Reads `node` as a value of `directive`. Returns 0, or -1 after a complaint. Strings are copied to `arena`. */
int conf_value_read(conf_directive_t directive, yoml_t *node, weir_arena_t *arena, conf_value_t *out_value);

/** "file:line" of `node`, in `arena`. */
const char *conf_where(weir_arena_t *arena, const yoml_t *node);

#endif
