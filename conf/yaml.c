/* SPDX-License-Identifier: MIT */
#include "conf/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/yaml_reader.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"

/* Complains where the file is asked for, or about the file itself if nobody includes it. */
static void complain_about_file(const char *path, const yoml_t *where, const char *what)
{
    if (where != NULL)
        conf_complain(where, "%s: %s", path, what);
    else
        conf_complain_at(path, 0, "%s", what);
}

/* Reads all of `fd` into malloc()ed memory. Returns a sentence on failure. */
static const char *read_all(int fd, size_t limit_bytes, char **out_text, size_t *out_len)
{
    size_t capacity = 16384, len = 0;
    ssize_t got;

    *out_text = malloc(capacity);
    WEIR_MUST(*out_text != NULL);
    while ((got = read(fd, *out_text + len, capacity - len)) != 0) {
        if (got == -1 && errno != EINTR)
            return strerror(errno);
        len += got > 0 ? (size_t)got : 0;
        if (len > limit_bytes)
            return "too large (at most 64 MiB)";
        if (len == capacity) {
            capacity *= 2;
            *out_text = realloc(*out_text, capacity);
            WEIR_MUST(*out_text != NULL);
        }
    }
    *out_len = len;
    return NULL;
}

static yoml_t *run_reader(conf_reader_t *reader)
{
    yoml_t *root;

    WEIR_MUST(yaml_parser_initialize(&reader->parser) == 1);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)reader->text.base, reader->text.len);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    root = conf_reader_run(reader);
    yaml_parser_delete(&reader->parser);
    return root;
}

/* Whether the file is already being read, by its includer or further out. */
static bool is_cycle(const conf_reader_t *reader)
{
    for (const conf_reader_t *outer = reader->includer; outer != NULL; outer = outer->includer)
        if (outer->device == reader->device && outer->inode == reader->inode)
            return true;
    return false;
}

static size_t include_count(const conf_reader_t *reader)
{
    size_t count = 0;

    for (; reader != NULL; reader = reader->includer)
        count++;
    return count;
}

/* Fills reader->text from the file it is about. Returns a sentence on failure. */
static const char *open_and_read(conf_reader_t *reader, char **out_text)
{
    int fd = weir_rights_read(reader->file);
    const char *problem = NULL;
    struct stat status;

    if (fd == -1)
        return strerror(errno);
    if (fstat(fd, &status) == 0) {
        reader->device = status.st_dev;
        reader->inode = status.st_ino;
    }
    if (is_cycle(reader))
        problem = "the file includes itself";
    else if (include_count(reader) > CONF_YAML_FILES)
        problem = "files include each other too deeply (at most 16)";
    else
        problem = read_all(fd, reader->budget->bytes, out_text, &reader->text.len);
    close(fd);
    return problem;
}

static yoml_t *load_file(conf_reader_t *reader, const yoml_t *where)
{
    char *text = NULL;
    const char *problem = open_and_read(reader, &text);
    yoml_t *root = NULL;

    if (problem != NULL) {
        complain_about_file(reader->file, where, problem);
    } else {
        reader->text.base = text;
        reader->budget->bytes -= reader->text.len;
        root = run_reader(reader);
    }
    free(text);
    return root;
}

yoml_t *conf_reader_include(conf_reader_t *includer, const char *path, const yoml_t *where, size_t depth)
{
    conf_reader_t reader = {.file = path,
                            .includer = includer,
                            .may_include = true,
                            .is_of_module = includer->is_of_module,
                            .budget = includer->budget,
                            .depth = depth,
                            .deepest = depth};
    yoml_t *root = load_file(&reader, where);

    if (root != NULL && !conf_anchor_hand_over(&reader, includer)) {
        conf_complain(where, "%s: too many anchors (at most 10000)", path);
        conf_yaml_release(&root);
    }
    conf_anchor_forget_all(&reader);
    if (reader.deepest > includer->deepest)
        includer->deepest = reader.deepest;
    return root;
}

yoml_t *conf_yaml_load(const char *path)
{
    conf_yaml_budget_t budget = {.nodes = CONF_YAML_NODES, .bytes = CONF_YAML_BYTES};
    conf_reader_t reader = {.file = path, .may_include = true, .budget = &budget, .depth = 1};

    yoml_t *root = load_file(&reader, NULL);

    conf_anchor_forget_all(&reader);
    return root;
}

yoml_t *conf_yaml_parse(weir_span_t text, const char *name)
{
    conf_yaml_budget_t budget = {.nodes = CONF_YAML_NODES, .bytes = CONF_YAML_BYTES};
    conf_reader_t reader = {.text = text, .file = name, .budget = &budget, .depth = 1};

    yoml_t *root = run_reader(&reader);

    conf_anchor_forget_all(&reader);
    return root;
}
