/* SPDX-License-Identifier: MIT */
#include "weir_endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "router/target.h"

enum { TEXTS = 6 }; /* at most: a name, a label, a host twice, a name in TLS */

struct weir_endpoint {
    weir_target_t target;
    size_t text_count;
    void *texts[TEXTS];
};

/* Settings of an older size lack what stands behind it. */
static weir_endpoint_settings_t complete(const weir_endpoint_settings_t *given)
{
    weir_endpoint_settings_t settings = {0};

    memcpy(&settings, given, given->size < sizeof(settings) ? given->size : sizeof(settings));
    return settings;
}

static void *alloc(void *of, size_t size)
{
    weir_endpoint_t *endpoint = of;
    void *text = malloc(size);

    WEIR_MUST(text != NULL && endpoint->text_count < TEXTS);
    return endpoint->texts[endpoint->text_count++] = text;
}

static void set_label(weir_endpoint_t *endpoint, const char *name)
{
    const size_t length = strlen(name);

    endpoint->target.label = (weir_span_t){memcpy(alloc(endpoint, length + 1), name, length + 1), length};
    endpoint->target.label_source = WEIR_LABEL_NAMED;
}

static bool read(weir_endpoint_t *endpoint, const weir_endpoint_settings_t *settings)
{
    weir_target_t *target = &endpoint->target;
    const target_memory_t memory = {alloc, endpoint};

    target->protocol = settings->protocol;
    target->tls = settings->tls;
    target->fastcgi = settings->fastcgi;
    if (settings->name != NULL && settings->name[0] != '\0')
        set_label(endpoint, settings->name);
    if (settings->worker != 0)
        target_use_worker(target, settings->worker);
    else if (settings->host != NULL)
        target_read_host(target, settings->host, settings->port, &memory);
    else
        target_read_path(target, settings->path, &memory);
    if (settings->tls != NULL && settings->server_name != NULL) {
        const size_t length = strlen(settings->server_name);
        target->tls_name = (weir_span_t){memcpy(alloc(endpoint, length + 1), settings->server_name, length + 1), length};
    }
    return target->kind != WEIR_TARGET_BROKEN;
}

static bool is_protocol(const weir_endpoint_settings_t *settings, char *problem, size_t problem_bytes)
{
    if ((unsigned)settings->protocol > WEIR_FASTCGI)
        snprintf(problem, problem_bytes, "%d is no protocol that this proxy knows", (int)settings->protocol);
    else if (settings->protocol == WEIR_FASTCGI && settings->tls != NULL)
        snprintf(problem, problem_bytes, "FastCGI is not spoken over TLS");
    else
        return true;
    return false;
}

weir_endpoint_t *weir_endpoint_create(const weir_endpoint_settings_t *given, char *problem, size_t problem_bytes)
{
    const weir_endpoint_settings_t settings = complete(given);
    weir_endpoint_t *endpoint = calloc(1, sizeof(*endpoint));

    WEIR_MUST(endpoint != NULL);
    if (!is_protocol(&settings, problem, problem_bytes)) {
        weir_endpoint_destroy(&endpoint);
        return NULL;
    }
    if (read(endpoint, &settings))
        return endpoint;
    if (settings.host != NULL)
        snprintf(problem, problem_bytes, "`%s` and port %u are no place to connect to", settings.host, settings.port);
    else
        snprintf(problem, problem_bytes, "`%s` is no path of a socket", settings.path != NULL ? settings.path : "");
    weir_endpoint_destroy(&endpoint);
    return NULL;
}

void weir_endpoint_destroy(weir_endpoint_t **endpoint)
{
    weir_endpoint_t *gone = *endpoint;

    if (gone == NULL)
        return;
    *endpoint = NULL;
    for (size_t i = 0; i < gone->text_count; i++)
        free(gone->texts[i]);
    free(gone);
}

weir_span_t weir_endpoint_name(const weir_endpoint_t *endpoint)
{
    return endpoint->target.label;
}

/* The texts are the endpoint's: nothing is copied on a request's way. */
void target_use_endpoint(weir_target_t *target, const weir_endpoint_t *endpoint)
{
    const weir_target_t before = *target;

    *target = endpoint->target;
    if (target->kind != WEIR_TARGET_WORKER) /* of such connections none is made, and none is closed by us */
        target->keepalive = before.keepalive;
    target->path = before.path;
    target->try_timeout_ms = before.try_timeout_ms;
    target->hold_body_bytes = before.hold_body_bytes;
    if (before.label.len == 0 || before.label_source < target->label_source)
        return;
    target->label = before.label;
    target->label_source = before.label_source;
}
