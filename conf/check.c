/* SPDX-License-Identifier: MIT */
/* weir check: what a configuration comes to, and where each value comes from. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/config_node.h"
#include "conf/h2o_directives.h"
#include "conf/show.h"
#include "conf/state.h"
#include "conf/verbs.h"
#include "conf/yaml.h"
#include "lib/http/network.h"

enum { KEY_COLUMNS = 39 }; /* values of routers stand where those of directives do */

static void print_proxy_protocol(const weir_listen_t *listen)
{
    char text[WEIR_NETWORK_TEXT];

    if (!listen->has_proxy_protocol)
        return;
    printf("  proxy-protocol%s", listen->trusted_count > 0 ? " from" : "");
    for (size_t i = 0; i < listen->trusted_count; i++)
        printf(" %s", weir_network_write(&listen->trusted[i], text));
}

/* Where it is another than the global level's, which is told there. */
static void print_limit(const conf_t *conf, const char *name, uint32_t limit, conf_directive_t directive)
{
    if (limit != conf->global->values[directive].number)
        printf("  %s %" PRIu32, name, limit);
}

static void print_listen(const conf_t *conf, const weir_listen_t *listen)
{
    printf("listen %-24s %s", listen->name, listen->where);
    print_proxy_protocol(listen);
    print_limit(conf, "max-client-connections", listen->max_client_connections, CONF_max_client_connections);
    print_limit(conf, "max-connections-per-client", listen->max_connections_per_client, CONF_max_connections_per_client);
    if (listen->hosts != conf->globalconf.hosts) {
        printf("  only");
        for (h2o_hostconf_t **host = listen->hosts; *host != NULL; host++)
            printf(" %.*s", (int)(*host)->authority.hostport.len, (*host)->authority.hostport.base);
    }
    putchar('\n');
}

static void print_value(const char *indent, const conf_level_t *level, conf_directive_t directive)
{
    const conf_directive_info_t *info = &conf_directives[directive];
    const conf_value_t *value = &level->values[directive];
    const char *text = value->text;

    if (info->type == CONF_TYPE_FLAG)
        text = value->number == 1 ? "ON" : "OFF";
    printf("%s%-34s %-18s %s\n", indent, info->name, text != NULL ? text : "none",
           value->where != NULL ? value->where : "default");
}

static void print_global(const conf_t *conf)
{
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        if (conf_directives[i].levels == CONF_LEVELS_GLOBAL && i != CONF_num_threads)
            print_value("", conf->global, i);
    if (conf->metrics_place.text != NULL)
        printf("%-34s %-18s %s\n", conf_directives[CONF_metrics].name, conf->metrics_place.text,
               conf->metrics_place.listen.where);
    if (conf->global->values[CONF_num_threads].text != NULL)
        print_value("", conf->global, CONF_num_threads);
    else
        printf("%-34s %-18u %s\n", conf_directives[CONF_num_threads].name, conf_threads(conf), "default");
}

static void print_body_limit(uint64_t bytes)
{
    if (bytes == UINT64_MAX)
        printf("    %-34s %-18s default\n", "limit-request-body", "none");
    else
        printf("    %-34s %-18" PRIu64 " (global)\n", "limit-request-body", bytes);
}

/* h2o's proxy.* and fastcgi.* mean something only beside proxy.reverse.url, and fastcgi.connect. */
static bool is_about(const conf_path_t *path, conf_directive_t directive)
{
    const char *name = conf_directives[directive].name;

    return (path->reverse != NULL || strncmp(name, "proxy.", 6) != 0) &&
           (path->is_fastcgi || strncmp(name, "fastcgi.", 8) != 0);
}

/* YAML of its own has a value where its reader says one in a word. */
static bool is_told(const conf_level_t *level, conf_directive_t directive)
{
    return conf_directives[directive].type != CONF_TYPE_NODE || level->values[directive].text != NULL;
}

static void print_given(const yoml_t *node, int indent);

static void print_entry(const char *key, const yoml_t *value, int indent)
{
    if (value->type != YOML_TYPE_SCALAR) {
        printf("%*s%s\n", indent, "", key);
        print_given(value, indent + 2);
    } else {
        printf("%*s%-*s %-18s %s:%zu\n", indent, "", KEY_COLUMNS - indent, key, value->data.scalar, value->filename,
               value->line + 1);
    }
}

/* What a router was given, with aliases, `<<` and `!file` written out. */
static void print_given(const yoml_t *node, int indent)
{
    for (size_t i = 0; node->type == YOML_TYPE_MAPPING && i < node->data.mapping.size; i++)
        if (strcmp(node->data.mapping.elements[i].key->data.scalar, "module") != 0)
            print_entry(node->data.mapping.elements[i].key->data.scalar, node->data.mapping.elements[i].value, indent);
    for (size_t i = 0; node->type == YOML_TYPE_SEQUENCE && i < node->data.sequence.size; i++)
        print_entry("-", node->data.sequence.elements[i], indent);
}

static void print_plan(const conf_path_t *path)
{
    const weir_plan_t *plan = path->plan;

    printf("    router  %s (%s), ABI %d\n", plan->binding.router->name, weir_module_origin(path->module), WEIR_ROUTER_ABI);
    if (path->given != NULL) {
        weir_show_t show = {0, 0};
        print_given(path->given, 6);
        weir_module_show(path->module, conf_config_of(path->given), &show);
    }
    printf("    stages ");
    for (size_t i = 0; i < plan->stage_count; i++)
        printf(" %02u %s%s", plan->stages[i]->number, plan->stages[i]->name, i + 1 < plan->stage_count ? "," : "");
    if (path->extra_stages > 0)
        printf("  (%zu from %s)", path->extra_stages, path->level->values[CONF_stages].where);
    putchar('\n');
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        if (conf_directives[i].levels == CONF_LEVELS_ANYWHERE && is_told(path->level, i) && is_about(path, i))
            print_value("    ", path->level, i);
    print_body_limit(plan->max_body_bytes);
}

static void print_path(const conf_path_t *path)
{
    printf("host %s path %s\n", path->host, path->path);
    if (path->plan != NULL)
        print_plan(path);
    else
        printf("    libh2o's own handlers: %zu\n", path->handlers);
}

static void print_notes(const conf_t *conf)
{
    puts("directives of h2o");
    for (const conf_note_t *note = conf->notes; note != NULL; note = note->next)
        printf("  %-14s %-32s %-18s%s%s\n", conf_fate_name(note->info->fate), note->info->name, note->where,
               note->info->sentence[0] != '\0' ? "  " : "", note->info->sentence);
}

static void print_all(const conf_t *conf)
{
    printf("%s: fine\n", conf->file);
    for (size_t i = 0; i < conf->listens.count; i++)
        print_listen(conf, &conf->listens.at[i]);
    print_global(conf);
    for (const conf_path_t *path = conf->paths; path != NULL; path = path->next)
        print_path(path);
    print_notes(conf);
}

/* A file that is refused has its complaints on standard error; what becomes of its other directives is told all the same. */
int conf_verb_check(const char *file)
{
    yoml_t *document = conf_yaml_load(file);
    bool is_fine;
    conf_t *conf;

    if (document == NULL)
        return EXIT_START_UP;
    conf = conf_create(file, true);
    is_fine = conf_apply(conf, &document) && conf_state_check(conf);
    if (is_fine)
        print_all(conf);
    else if (conf->notes != NULL)
        print_notes(conf);
    conf_destroy(&conf);
    weir_arena_forget_blocks();
    return is_fine ? EXIT_FINE : EXIT_START_UP;
}
