/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef struct weir_config weir_config_t;
typedef enum weir_config_kind {
    WEIR_CONFIG_NONE = 0,
    WEIR_CONFIG_SCALAR = 1,
    WEIR_CONFIG_LIST = 2,
    WEIR_CONFIG_MAP = 3,
} weir_config_kind_t;
WEIR_API weir_config_kind_t weir_config_kind(const weir_config_t *node);
WEIR_API const char *weir_config_text(const weir_config_t *node);
WEIR_API size_t weir_config_count(const weir_config_t *node);
WEIR_API const weir_config_t *weir_config_at(const weir_config_t *node, size_t index);
WEIR_API const weir_config_t *weir_config_key(const weir_config_t *node, size_t index);
WEIR_API const weir_config_t *weir_config_get(const weir_config_t *node, const char *name);
WEIR_API bool weir_config_wrong(const weir_config_t *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
WEIR_API const char *weir_config_directory(void);
WEIR_API bool weir_config_keys(const weir_config_t *map, const char *const *known);
WEIR_API bool weir_config_string(const weir_config_t *map, const char *key, const char **out_text);
WEIR_API bool weir_config_word(const weir_config_t *map, const char *key, const char *const *words, unsigned *out_index);
WEIR_API bool weir_config_word_at(const weir_config_t *node, const char *what, const char *const *words, unsigned *out_index);
WEIR_API bool weir_config_flag(const weir_config_t *map, const char *key, bool *out_is_on);
WEIR_API bool weir_config_number(const weir_config_t *map, const char *key, uint64_t least, uint64_t most,
                                 uint64_t *out_number);
WEIR_API bool weir_config_duration_ms(const weir_config_t *map, const char *key, uint32_t least_ms, uint32_t most_ms,
                                      uint32_t *out_ms);
WEIR_API bool weir_config_path(const weir_config_t *map, const char *key, char *buffer, size_t size);
WEIR_API bool weir_config_line_count(const weir_config_t *map, const char *key, size_t *out_count);
WEIR_API bool weir_config_each_line(const weir_config_t *map, const char *key,
                                    bool (*each)(void *context, const weir_config_t *line), void *context);
WEIR_API bool weir_config_of_text(const char *json, size_t length, bool (*read)(void *context, const weir_config_t *node),
                                  void *context, char *problem, size_t bytes);
WEIR_C_END
#endif
