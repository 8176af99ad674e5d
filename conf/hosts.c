/* SPDX-License-Identifier: MIT */
#include "conf/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "lib/base/must.h"

enum { FIRST_CAPACITY = 8 };

void conf_host_list_add(conf_host_list_t *list, h2o_hostconf_t *host)
{
    if (list->count + 1 >= list->capacity) {
        list->capacity = list->capacity == 0 ? FIRST_CAPACITY : 2 * list->capacity;
        list->at = realloc(list->at, list->capacity * sizeof(list->at[0]));
        WEIR_MUST(list->at != NULL);
    }
    list->at[list->count++] = host;
    list->at[list->count] = NULL;
}

/* Has libh2o read one entry of `hosts` as if it were the only one that ever was. */
static int read_host(conf_t *conf, h2o_configurator_command_t *command, h2o_configurator_context_t *context,
                     const yoml_t *hosts, size_t index)
{
    h2o_globalconf_t *globalconf = context->globalconf;
    conf_host_list_t alone = {0};
    yoml_t one = *hosts;
    int result;

    one.data.mapping.size = 1;
    one.data.mapping.elements[0] = hosts->data.mapping.elements[index];
    conf_host_list_add(&alone, NULL);
    globalconf->hosts = alone.at;
    result = conf->hosts_callback(command, context, &one);
    if (globalconf->hosts[0] != NULL) {
        const conf_host_t *last = conf->hosts_last;
        conf_host_t *host = weir_arena_alloc(&conf->arena, sizeof(*host));

        *host = (conf_host_t){.before = last,
                              .hostconf = globalconf->hosts[0],
                              .where = conf_where(&conf->arena, one.data.mapping.elements[0].key)};
        conf->hosts_last = host;
        conf_host_list_add(&conf->hosts, globalconf->hosts[0]);
    }
    free(globalconf->hosts);
    globalconf->hosts = NULL;
    return result;
}

int conf_hosts_read(conf_t *conf, h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    int result = 0;

    if (node->type != YOML_TYPE_MAPPING || node->data.mapping.size == 0)
        return conf->hosts_callback(command, context, node);
    if (conf->hosts.at == NULL)
        conf->hosts = (conf_host_list_t){.at = context->globalconf->hosts, .capacity = 1};
    for (size_t i = 0; result == 0 && i < node->data.mapping.size; i++)
        result = read_host(conf, command, context, node, i);
    context->globalconf->hosts = conf->hosts.at;
    return result;
}

static int by_name(const void *a, const void *b)
{
    const conf_host_t *one = *(const conf_host_t *const *)a, *other = *(const conf_host_t *const *)b;
    const int order = strcmp(one->hostconf->authority.host.base, other->hostconf->authority.host.base);

    if (order != 0)
        return order;
    return (int)one->hostconf->authority.port - (int)other->hostconf->authority.port;
}

bool conf_hosts_differ(const conf_t *conf)
{
    const conf_host_t **sorted = malloc((conf->hosts.count + 1) * sizeof(sorted[0]));
    size_t i = conf->hosts.count;
    bool is_fine = true;

    WEIR_MUST(sorted != NULL);
    for (const conf_host_t *host = conf->hosts_last; host != NULL; host = host->before)
        sorted[--i] = host;
    qsort(sorted, conf->hosts.count, sizeof(sorted[0]), by_name);
    for (i = 1; i < conf->hosts.count; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            is_fine = conf_complain_at(sorted[i]->where, 0, "hosts: %s is here and at %s",
                                       sorted[i]->hostconf->authority.hostport.base, sorted[i - 1]->where);
    free(sorted);
    return is_fine;
}
