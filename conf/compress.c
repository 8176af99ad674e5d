/* SPDX-License-Identifier: MIT */
#include "conf/compress.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "lib/base/span.h"
#include "lib/wire/local/compress.h"

enum { DEFAULT_LEVEL = 1, DEFAULT_LEAST_BYTES = 100 };

static conf_compress_t *compress_of(h2o_configurator_context_t *context)
{
    return &conf_of(context->globalconf)->level->compress;
}

static bool is_word(const yoml_t *node, const char *word)
{
    return node->type == YOML_TYPE_SCALAR && strcasecmp(node->data.scalar, word) == 0;
}

/* OFF, ON or a whole number from `least` to `most`. */
static bool read_level(const yoml_t *node, uint64_t least, uint64_t most, int *out_level)
{
    uint64_t number = DEFAULT_LEVEL;

    if (is_word(node, "OFF"))
        number = 0;
    else if (!is_word(node, "ON") && (node->type != YOML_TYPE_SCALAR ||
                                      !weir_span_to_u63((weir_span_t){node->data.scalar, strlen(node->data.scalar)}, &number) ||
                                      number < least || number > most))
        return false;
    *out_level = (int)number;
    return true;
}

static int read_codings(conf_compress_t *compress, const yoml_t *node)
{
    for (size_t i = 0; i < node->data.sequence.size; i++) {
        const yoml_t *coding = node->data.sequence.elements[i];
        if (is_word(coding, "gzip"))
            compress->gzip_level = DEFAULT_LEVEL;
        else if (!is_word(coding, "br"))
            return conf_complain(coding, "compress: elements must be gzip or br");
    }
    return 0;
}

static int read_levels(conf_compress_t *compress, const yoml_t *node)
{
    int ignored;

    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_t *key = node->data.mapping.elements[i].key, *value = node->data.mapping.elements[i].value;
        if (is_word(key, "gzip")) {
            if (!read_level(value, 1, 9, &compress->gzip_level))
                return conf_complain(value, "compress: gzip must be OFF, ON or a whole number from 1 to 9");
        } else if (is_word(key, "br")) {
            if (!read_level(value, 0, 11, &ignored))
                return conf_complain(value, "compress: br must be OFF, ON or a whole number from 0 to 11");
        } else {
            return conf_complain(key, "compress: keys must be gzip or br");
        }
    }
    return 0;
}

static int on_compress(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_compress_t *compress = compress_of(context);

    compress->gzip_level = is_word(node, "ON") ? DEFAULT_LEVEL : 0;
    if (node->type == YOML_TYPE_SEQUENCE)
        return read_codings(compress, node);
    if (node->type == YOML_TYPE_MAPPING)
        return read_levels(compress, node);
    if (!is_word(node, "ON") && !is_word(node, "OFF"))
        return conf_complain(node, "compress: must be OFF, ON, a list of codings or a mapping of codings to levels");
    return 0;
}

static int on_gzip(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    const int word = (int)h2o_configurator_get_one_of(command, node, "OFF,ON");

    compress_of(context)->gzip_level = word == 1 ? DEFAULT_LEVEL : 0;
    return word == -1 ? -1 : 0;
}

static int on_minimum(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    compress_of(context)->least_bytes = strtoull(node->data.scalar, NULL, 10); /* guard.c has looked at it */
    return 0;
}

static int on_exit_level(h2o_configurator_t *configurator, h2o_configurator_context_t *context, yoml_t *node)
{
    const conf_compress_t *compress = compress_of(context);

    if (context->pathconf != NULL && compress->gzip_level > 0)
        weir_compress_register(context->pathconf, compress->gzip_level, compress->least_bytes);
    return 0;
}

void conf_compress_register(conf_t *conf)
{
    h2o_configurator_t *configurator = h2o_configurator_create(&conf->globalconf, sizeof(*configurator));

    configurator->exit = on_exit_level;
    conf->level->compress = (conf_compress_t){.least_bytes = DEFAULT_LEAST_BYTES};
    h2o_configurator_define_command(configurator, "compress", H2O_CONFIGURATOR_FLAG_ALL_LEVELS, on_compress);
    h2o_configurator_define_command(configurator, "compress-minimum-size",
                                    H2O_CONFIGURATOR_FLAG_ALL_LEVELS | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, on_minimum);
    h2o_configurator_define_command(configurator, "gzip",
                                    H2O_CONFIGURATOR_FLAG_ALL_LEVELS | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, on_gzip);
}
