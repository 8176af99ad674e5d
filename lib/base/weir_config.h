/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H
/**
 * @file  The configuration of a router or a stage: a node of the YAML that stands beside `module`, and what is read of it.
 *
 * MEMORY   Nodes and texts are borrowed until configure returns: copy what you keep.
 * THREAD   The one that configure was called on.
 * FAILURE  Whatever is wrong is said on standard error as "file:line: what"; then the function returns false.
 */
#include "weir_types.h"

WEIR_C_BEGIN

typedef struct weir_config weir_config_t;
typedef enum weir_config_kind {
    WEIR_CONFIG_NONE = 0,
    WEIR_CONFIG_SCALAR = 1,
    WEIR_CONFIG_LIST = 2,
    WEIR_CONFIG_MAP = 3,
} weir_config_kind_t;

/* ── Node by node. Every function takes NULL as a node of kind NONE. ── */

WEIR_API weir_config_kind_t weir_config_kind(const weir_config_t *node);
/** The text of a scalar, else NULL. */
WEIR_API const char *weir_config_text(const weir_config_t *node);
/** How many entries a list or map has, else 0. */
WEIR_API size_t weir_config_count(const weir_config_t *node);
/** Entry `index` of a list, or the value of entry `index` of a map; NULL if there is none. */
WEIR_API const weir_config_t *weir_config_at(const weir_config_t *node, size_t index);
/** The key of entry `index` of a map; NULL if there is none. */
WEIR_API const weir_config_t *weir_config_key(const weir_config_t *node, size_t index);
/** The value of `name` in a map; NULL if there is none. */
WEIR_API const weir_config_t *weir_config_get(const weir_config_t *node, const char *name);
/** Complains about `node`: "file:line: text" on standard error. Returns false, for `return weir_config_wrong(…)`. */
WEIR_API bool weir_config_wrong(const weir_config_t *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The directory of the file that configure was called for, "/etc/weir", "." */
WEIR_API const char *weir_config_directory(void);

/* ── Entry by entry. Where `map` has no entry `key`, the output stays as it is: put the default there before. ── */

/** Whether each key of `map` is one of `known` (NULL at the end); else it says which is not, and what was probably meant. */
WEIR_API bool weir_config_keys(const weir_config_t *map, const char *const *known);
/** A text, borrowed. */
WEIR_API bool weir_config_string(const weir_config_t *map, const char *key, const char **out_text);
/** One of `words` (NULL at the end), letters of either case being equal; *out_index is its place among them. */
WEIR_API bool weir_config_word(const weir_config_t *map, const char *key, const char *const *words, unsigned *out_index);
/** The same of a node itself: an entry of a list, a key. `what` is what the complaint calls it: "feature". */
WEIR_API bool weir_config_word_at(const weir_config_t *node, const char *what, const char *const *words, unsigned *out_index);
/** ON or OFF; yes, no, true and false mean the same. */
WEIR_API bool weir_config_flag(const weir_config_t *map, const char *key, bool *out_is_on);
/** A whole number from `least` to `most` (2^63-1 or less), in decimal digits. */
WEIR_API bool weir_config_number(const weir_config_t *map, const char *key, uint64_t least, uint64_t most,
                                 uint64_t *out_number);
/** A duration from `least_ms` to `most_ms`: digits alone are ms, and "5s", "10m", "2h", "250ms" say their unit. */
WEIR_API bool weir_config_duration_ms(const weir_config_t *map, const char *key, uint32_t least_ms, uint32_t most_ms,
                                      uint32_t *out_ms);
/**
 * A path, written into `buffer` (`size` bytes): absolute as it stands, else below weir_config_directory(). One that does not
 * fit is wrong.
 */
WEIR_API bool weir_config_path(const weir_config_t *map, const char *key, char *buffer, size_t size);

/*
 * ── Line by line: of a file that map[key] names each line is a JSON object; blank lines, and those that begin with #, are
 * passed over. ──
 */

/** How many lines it has, or a few more; 0 if there is no such key. False after a complaint: it cannot be read. Since ABI 7. */
WEIR_API bool weir_config_line_count(const weir_config_t *map, const char *key, size_t *out_count);
/**
 * Calls each(context, line) for every line, a map that is borrowed for the call; mistakes in it have the file's line. A line
 * has 1 MiB at most. False after a complaint, or if `each` has returned false of any: all others are shown all the same. Since
 * ABI 7.
 */
WEIR_API bool weir_config_each_line(const weir_config_t *map, const char *key,
                                    bool (*each)(void *context, const weir_config_t *line), void *context);

/**
 * Calls read(context, node) with a JSON object in a text of its own, as an operator sends it (a key that stands twice is
 * refused); the node is borrowed. What is wrong with it stands in `problem` (`bytes` of it, one sentence without a place)
 * instead of on standard error. False then, or if `read` has returned false. Any thread. Since ABI 7.
 */
WEIR_API bool weir_config_of_text(const char *json, size_t length, bool (*read)(void *context, const weir_config_t *node),
                                  void *context, char *problem, size_t bytes);

WEIR_C_END

#endif
