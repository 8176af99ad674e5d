/* SPDX-License-Identifier: MIT */
#include "conf/files.h"

#include <string.h>

#include "conf/complain.h"

static const char *const default_index[] = {"index.html", "index.htm", "index.txt", NULL};

static weir_files_options_t *options_of(h2o_configurator_context_t *context)
{
    return &conf_of(context->globalconf)->level->files;
}

/* file.custom-handler stands before it, wherever it is written; what they are run by is known when the path is left. */
static weir_files_options_t *options_with_scripts(h2o_configurator_context_t *context)
{
    conf_t *conf = conf_of(context->globalconf);
    conf_level_t *level = conf->level;

    if (level->customs != NULL && level->scripts == NULL)
        level->scripts = weir_arena_zalloc(&conf->arena, sizeof(*level->scripts));
    level->files.scripts = level->scripts;
    return &level->files;
}

static int on_dir(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    weir_files_register_dir(context->pathconf, node->data.scalar, options_with_scripts(context), *context->mimemap);
    return 0;
}

static int on_file(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    weir_files_register_file(context->pathconf, node->data.scalar, options_with_scripts(context), *context->mimemap);
    return 0;
}

static int on_index(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    weir_arena_t *arena = &conf_of(context->globalconf)->arena;
    const size_t count = node->data.sequence.size;
    const char **names = weir_arena_alloc(arena, (count + 1) * sizeof(names[0]));

    for (size_t i = 0; i < count; i++) {
        const yoml_t *name = node->data.sequence.elements[i];
        if (name->type != YOML_TYPE_SCALAR)
            return conf_complain(name, "file.index: must be a list of names");
        names[i] = weir_arena_copy(arena, (weir_span_t){name->data.scalar, strlen(name->data.scalar)}).base;
    }
    names[count] = NULL;
    options_of(context)->index = names;
    return 0;
}

/* Returns which of the words it is, or -1 after a complaint. */
static int read_word(h2o_configurator_command_t *command, yoml_t *node, const char *words)
{
    return (int)h2o_configurator_get_one_of(command, node, words);
}

static int on_etag(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    const int word = read_word(command, node, "OFF,ON");

    options_of(context)->has_etag = word == 1;
    return word == -1 ? -1 : 0;
}

static int on_listing(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    const int word = read_word(command, node, "OFF,ON");

    options_of(context)->has_listing = word == 1;
    return word == -1 ? -1 : 0;
}

static int on_compressed(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    const int word = read_word(command, node, "OFF,ON,gunzip");

    options_of(context)->has_compressed = word >= 1;
    options_of(context)->has_gunzip = word == 2;
    return word == -1 ? -1 : 0;
}

void conf_files_register(conf_t *conf)
{
    enum {
        SCALAR = H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
        HERE = H2O_CONFIGURATOR_FLAG_PATH | H2O_CONFIGURATOR_FLAG_DEFERRED, /* behind what the path says of its files */
        ANYWHERE = H2O_CONFIGURATOR_FLAG_ALL_LEVELS & ~H2O_CONFIGURATOR_FLAG_EXTENSION,
    };
    h2o_configurator_t *configurator = h2o_configurator_create(&conf->globalconf, sizeof(*configurator));

    conf->level->files = (weir_files_options_t){.index = default_index, .has_etag = true};
    h2o_configurator_define_command(configurator, "file.dir", HERE | SCALAR, on_dir);
    h2o_configurator_define_command(configurator, "file.file", HERE | SCALAR, on_file);
    h2o_configurator_define_command(configurator, "file.index", ANYWHERE | H2O_CONFIGURATOR_FLAG_EXPECT_SEQUENCE, on_index);
    h2o_configurator_define_command(configurator, "file.etag", ANYWHERE | SCALAR, on_etag);
    h2o_configurator_define_command(configurator, "file.send-compressed", ANYWHERE | SCALAR, on_compressed);
    h2o_configurator_define_command(configurator, "file.send-gzip", ANYWHERE | SCALAR, on_compressed);
    h2o_configurator_define_command(configurator, "file.dirlisting", ANYWHERE | SCALAR, on_listing);
}
