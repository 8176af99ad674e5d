/* SPDX-License-Identifier: MIT */
#include "conf/h2o_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/log_command.h"
#include "conf/yaml.h"
#include "lib/base/list.h"
#include "lib/base/log.h"

/* ---- lines ---- */

typedef struct logger {
    h2o_logger_t super;
    h2o_logconf_t *format;
    weir_access_log_t *log;
} logger_t;

static void log_access(h2o_logger_t *super, h2o_req_t *req)
{
    const logger_t *logger = WEIR_AROUND(super, logger_t, super);
    char buffer[4096], *line;
    size_t length = sizeof(buffer);

    line = h2o_log_request(logger->format, req, &length, buffer);
    weir_access_log_write(logger->log, (weir_span_t){line, length});
    if (line != buffer)
        free(line);
}

/* Those of outer levels first. */
static void register_all(h2o_pathconf_t *pathconf, const conf_h2o_log_t *log)
{
    logger_t *logger;

    if (log == NULL)
        return;
    register_all(pathconf, log->before);
    logger = (logger_t *)(void *)h2o_create_logger(pathconf, sizeof(*logger));
    logger->super.log_access = log_access;
    logger->format = log->format;
    logger->log = log->log;
}

void conf_h2o_log_register(const conf_t *conf, h2o_pathconf_t *pathconf)
{
    if (!conf->is_dry)
        register_all(pathconf, conf->level->h2o_logs);
}

/* ---- the directive ---- */

typedef struct said {
    const yoml_t *path, *format, *escape; /* scalars; NULL: not said, but for the path */
} said_t;

/* False after a complaint. */
static bool read_scalar(const yoml_t *node, const char *key, const yoml_t **out)
{
    *out = conf_yaml_get(node, key);
    if (*out == NULL || (*out)->type == YOML_TYPE_SCALAR)
        return true;
    return conf_complain(*out, "access-log: %s must be a word", key) == 0;
}

static bool read_said(const yoml_t *node, said_t *said)
{
    *said = (said_t){.path = node};
    if (node->type == YOML_TYPE_SCALAR)
        return true;
    if (node->type != YOML_TYPE_MAPPING)
        return conf_complain(node, "access-log: must be a file, `| COMMAND`, or a mapping of path, format and escape") == 0;
    if (!read_scalar(node, "path", &said->path) || !read_scalar(node, "format", &said->format) ||
        !read_scalar(node, "escape", &said->escape))
        return false;
    return said->path != NULL || conf_complain(node, "access-log: there is no path") == 0;
}

/* False after a complaint. */
static bool read_escape(const yoml_t *node, int *out_escape)
{
    *out_escape = H2O_LOGCONF_ESCAPE_APACHE;
    if (node == NULL || strcasecmp(node->data.scalar, "apache") == 0)
        return true;
    *out_escape = H2O_LOGCONF_ESCAPE_JSON;
    return strcasecmp(node->data.scalar, "json") == 0 ||
           conf_complain(node, "access-log: escape: must be apache or json, not %s", node->data.scalar) == 0;
}

/* NULL after a complaint. */
static h2o_logconf_t *compile(const said_t *said)
{
    static const char common[] = "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\"";
    h2o_logconf_t *format;
    char error[256];
    int escape;

    if (!read_escape(said->escape, &escape))
        return NULL;
    format = h2o_logconf_compile(said->format != NULL ? said->format->data.scalar : common, escape, error);
    if (format == NULL)
        conf_complain(said->format != NULL ? said->format : said->path, "access-log: format: %s", error);
    return format;
}

/* NULL after a complaint. */
static weir_access_log_t *open_log(const yoml_t *path)
{
    const char *text = path->data.scalar;
    const int fd = text[0] == '|' ? conf_log_command_start(text + 1) : -1;
    weir_access_log_t *log = NULL;

    if (fd != -1)
        log = weir_access_log_adopt(fd, text);
    else if (text[0] != '|')
        log = weir_access_log_open(text);
    if (log == NULL)
        conf_complain(path, "access-log: %s: %s", text, strerror(errno));
    return log;
}

int conf_h2o_log_read(conf_t *conf, yoml_t *node)
{
    conf_h2o_log_t *made;
    said_t said;

    if (!read_said(node, &said))
        return -1;
    made = weir_arena_zalloc(&conf->arena, sizeof(*made));
    made->format = compile(&said);
    if (made->format == NULL)
        return -1;
    made->next = conf->h2o_logs;
    conf->h2o_logs = made;
    if (!conf->is_dry) {
        made->log = open_log(said.path);
        if (made->log == NULL)
            return -1;
        conf_log_remember(conf, made->log);
    }
    made->before = conf->level->h2o_logs;
    conf->level->h2o_logs = made;
    return 0;
}

void conf_h2o_logs_free(conf_t *conf)
{
    for (conf_h2o_log_t *made = conf->h2o_logs; made != NULL; made = made->next)
        h2o_logconf_dispose(made->format);
    conf->h2o_logs = NULL;
}
