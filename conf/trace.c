/* SPDX-License-Identifier: MIT */
#include "conf/trace.h"

#include <string.h>

#include "conf/complain.h"
#include "conf/units.h"
#include "lib/base/span.h"
#include "lib/http/trace_context.h"
#include "router/builtin/url.h"

enum { QUEUE_DEFAULT = 10000, QUEUE_MOST = 1000000, URL_BYTES = 1024, SERVICE_BYTES = 255 };

/* What a map says of the receiver. */
typedef struct receiver {
    const yoml_t *export, *ca_file; /* NULL: not said */
    const char *service;
    uint64_t queue;
} receiver_t;

/* Digits with at most one point among them, whatever the locale. */
static bool read_decimal(const char *text, double *out)
{
    double number = 0, unit = 1;
    bool is_fraction = false;
    size_t digits = 0;

    for (; *text != '\0'; text++) {
        if (*text == '.' && !is_fraction) {
            is_fraction = true;
            continue;
        }
        if (*text < '0' || *text > '9')
            return false;
        digits++;
        unit = is_fraction ? unit / 10 : unit;
        number = is_fraction ? number + unit * (*text - '0') : number * 10 + (*text - '0');
    }
    *out = number;
    return digits > 0;
}

static int read_sample(conf_trace_level_t *trace, const yoml_t *value)
{
    double share;

    if (!read_decimal(value->data.scalar, &share) || share > 1)
        return conf_complain(value, "weir.trace: `sample` must be a number from 0 to 1, as 0.01");
    trace->share = (uint64_t)(share * (double)WEIR_TRACE_SHARE_ALL);
    return 0;
}

static int read_queue(receiver_t *receiver, const yoml_t *value)
{
    if (conf_number_read(value->data.scalar, CONF_UNIT_NONE, 1, QUEUE_MOST, &receiver->queue))
        return 0;
    return conf_complain(value, "weir.trace: `queue` must be a whole number from 1 to %d", QUEUE_MOST);
}

static bool is_printable(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at >= 0x20 && *at != 0x7f)
        at++;
    return *at == '\0' && at != (const unsigned char *)text;
}

static int read_service(receiver_t *receiver, const yoml_t *value)
{
    if (!is_printable(value->data.scalar) || strlen(value->data.scalar) > SERVICE_BYTES)
        return conf_complain(value, "weir.trace: `service` must be a text of at most %d bytes", SERVICE_BYTES);
    receiver->service = value->data.scalar;
    return 0;
}

static int read_key(const char *key, const yoml_t *value, conf_trace_level_t *trace, receiver_t *receiver)
{
    if (strcmp(key, "sample") == 0)
        return read_sample(trace, value);
    if (strcmp(key, "queue") == 0)
        return read_queue(receiver, value);
    if (strcmp(key, "service") == 0)
        return read_service(receiver, value);
    if (strcmp(key, "ca-file") == 0)
        receiver->ca_file = value;
    else
        receiver->export = value;
    return 0;
}

/* ---- the receiver ---- */

/* It goes into the head of each message as it is. */
static bool read_url(const char *text, url_t *out)
{
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f || *at == '#' || *at == '@' || *at == '\\')
            return false;
    return strlen(text) <= URL_BYTES && url_read((weir_span_t){text, strlen(text)}, out) && url_socket(out->host).base == NULL;
}

static int make_receiver(conf_t *conf, const receiver_t *said)
{
    const char *text = said->export->data.scalar;
    char problem[512];
    url_t url;

    if (!read_url(text, &url))
        return conf_complain(said->export, "weir.trace: `export` must be a URL: http://host:4318/v1/traces, or https://");
    if (said->ca_file != NULL && !url.is_https)
        return conf_complain(said->ca_file, "weir.trace: `ca-file` is for https:// alone");
    const weir_trace_receiver_settings_t settings = {
        .url = text,
        .host = url.host,
        .authority = url.authority,
        .path = url.path,
        .port = url.port,
        .is_https = url.is_https,
        .ca_file = said->ca_file != NULL ? conf_beside(conf, said->ca_file->data.scalar) : NULL,
        .service = said->service,
        .queue_most = (size_t)said->queue,
    };
    weir_trace_receiver_release(&conf->trace_receiver);
    conf->trace_receiver = weir_trace_receiver_create(&settings, problem, sizeof(problem));
    if (conf->trace_receiver == NULL)
        return conf_complain(said->export, "weir.trace: %s", problem);
    return 0;
}

/* ---- the directive ---- */

static int read_map(conf_t *conf, bool is_global, const yoml_t *node)
{
    static const char *const keys[] = {"sample", "export", "queue", "service", "ca-file", NULL};
    receiver_t receiver = {.service = "weir", .queue = QUEUE_DEFAULT};

    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        const char *key = entry->key->type == YOML_TYPE_SCALAR ? entry->key->data.scalar : "";
        size_t k = 0;
        while (keys[k] != NULL && strcmp(keys[k], key) != 0)
            k++;
        if (keys[k] == NULL)
            return conf_complain_unknown(entry->key, "weir.trace", keys);
        if (k > 0 && !is_global)
            return conf_complain(entry->key, "weir.trace: `%s` can be said at the global level only", key);
        if (entry->value->type != YOML_TYPE_SCALAR || entry->value->data.scalar[0] == '\0')
            return conf_complain(entry->value, "weir.trace: `%s` must be a word", key);
        if (read_key(key, entry->value, &conf->level->trace, &receiver) != 0)
            return -1;
    }
    conf->level->trace.is_on = true;
    if (receiver.export == NULL && receiver.ca_file != NULL)
        return conf_complain(receiver.ca_file, "weir.trace: `ca-file` without `export`");
    return receiver.export != NULL ? make_receiver(conf, &receiver) : 0;
}

int conf_trace_read(conf_t *conf, bool is_global, const yoml_t *node)
{
    conf_value_t *value = &conf->level->values[CONF_trace];

    if (node->type == YOML_TYPE_MAPPING) {
        if (read_map(conf, is_global, node) != 0)
            return -1;
    } else if (node->type != YOML_TYPE_SCALAR || !conf_flag_read(node->data.scalar, &conf->level->trace.is_on)) {
        return conf_complain(node,
                             "weir.trace: must be ON, OFF, or a map of `sample`, `export`, `queue`, `service`, `ca-file`");
    }
    value->text = !conf->level->trace.is_on ? "OFF"
                                            : weir_arena_format(&conf->arena, "ON, sample %g",
                                                                (double)conf->level->trace.share / (double)WEIR_TRACE_SHARE_ALL)
                                                  .base;
    value->where = conf_where(&conf->arena, node);
    return 0;
}

void conf_trace_plan(const conf_t *conf, weir_plan_t *plan)
{
    plan->has_trace = conf->level->trace.is_on;
    plan->trace_share = conf->level->trace.share;
    plan->exports_traces = plan->has_trace && conf->trace_receiver != NULL;
}

void conf_trace_begin(const conf_t *conf)
{
    weir_trace_export_begin(conf->trace_receiver);
}
