/* SPDX-License-Identifier: MIT */
/* One file of a source of state. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/state_files.h"
#include "conf/yaml.h"
#include "conf/yaml_json.h"
#include "lib/base/must.h"

/* As all that names apps elsewhere is: UTF-8 (RFC 8259). */
static bool is_text(const char *name)
{
    json_t *text = json_string(name);
    const bool is = text != NULL;

    json_decref(text);
    return is;
}

bool conf_state_file_app(const char *name, char app[WEIR_STATE_NAME_MOST + 1])
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    const size_t length = strlen(name);

    if (name[0] == '.' || !is_text(name))
        return false;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        const size_t ending = strlen(endings[i]);
        if (length <= ending || length - ending > WEIR_STATE_NAME_MOST || strcmp(name + length - ending, endings[i]) != 0)
            continue;
        memcpy(app, name, length - ending);
        app[length - ending] = '\0';
        return true;
    }
    return false;
}

/* ---- its bytes ---- */

static bool fail(conf_state_read_t *out, const char *path, const char *what)
{
    snprintf(out->problem, sizeof(out->problem), "%s: %s", path, what);
    return false;
}

static bool read_bytes(int fd, size_t size, char *bytes)
{
    size_t have = 0;
    ssize_t count;

    while (have < size && (count = read(fd, bytes + have, size - have)) > 0)
        have += (size_t)count;
    return have == size;
}

/* NULL: it says why. The file may be anybody's who may write into the directory: a FIFO must not hold the thread up. */
static char *load(const char *path, size_t *out_size, conf_state_read_t *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat facts;
    char *bytes = NULL;

    if (fd == -1 || fstat(fd, &facts) == -1)
        (void)fail(out, path, strerror(errno));
    else if (!S_ISREG(facts.st_mode))
        (void)fail(out, path, "this is no file");
    else if (facts.st_size > CONF_STATE_FILE_BYTES)
        (void)fail(out, path, "a file of an app has 1 MiB at most");
    else {
        bytes = malloc((size_t)facts.st_size + 1);
        WEIR_MUST(bytes != NULL);
        *out_size = (size_t)facts.st_size;
        if (!read_bytes(fd, *out_size, bytes)) {
            (void)fail(out, path, "it was written while it was read");
            free(bytes);
            bytes = NULL;
        }
    }
    if (fd != -1)
        close(fd);
    return bytes;
}

/* ---- as JSON, which is kept ---- */

static void read_node(const char *path, weir_span_t text, conf_state_read_t *out)
{
    out->node = conf_yaml_parse(text, path);
    if (out->node == NULL)
        return;
    if (out->node->type != YOML_TYPE_MAPPING) {
        (void)conf_complain(out->node, "an app is a map of settings, as in `apps`");
        return;
    }
    json_t *json = conf_yaml_json(out->node);
    out->json = json_dumps(json, JSON_COMPACT);
    WEIR_MUST(out->json != NULL);
    json_decref(json);
}

bool conf_state_file_read(const char *path, conf_state_read_t *out)
{
    size_t size = 0;

    memset(out, 0, sizeof(*out));
    char *bytes = load(path, &size, out);
    if (bytes == NULL)
        return false;
    conf_complain_into(out->problem, sizeof(out->problem));
    read_node(path, (weir_span_t){bytes, size}, out);
    conf_complain_into(NULL, 0);
    free(bytes);
    return out->problem[0] == '\0';
}

void conf_state_read_free(conf_state_read_t *read)
{
    conf_yaml_release(&read->node);
    free(read->json);
    read->json = NULL;
}
