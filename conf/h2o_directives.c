/* SPDX-License-Identifier: MIT */
#include "conf/h2o_directives.h"

#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/suggest.h"
#include "conf/units.h"
#include "conf/yaml.h"

const conf_h2o_info_t conf_h2o_directives[] = {
#define H2O(name_, fate_, harmless_, sentence_)                                                                                \
    {.name = name_, .fate = CONF_FATE_##fate_, .harmless = harmless_, .sentence = sentence_},
#include "conf/h2o_directives.def"
#undef H2O
};
const size_t conf_h2o_directive_count = sizeof(conf_h2o_directives) / sizeof(conf_h2o_directives[0]);

const char *conf_fate_name(conf_fate_t fate)
{
    switch (fate) {
    case CONF_FATE_TAKEN:
        return "taken";
    case CONF_FATE_OURS:
        return "re-interpreted";
    case CONF_FATE_IGNORED:
        return "ignored";
    case CONF_FATE_REFUSED:
        break;
    }
    return "refused";
}

static const conf_h2o_info_t *info_of(const char *name)
{
    for (size_t i = 0; i < conf_h2o_directive_count; i++)
        if (strcmp(conf_h2o_directives[i].name, name) == 0)
            return &conf_h2o_directives[i];
    return NULL;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

const char *conf_h2o_which_counts(const char *name)
{
    static const char *const of_listen[] = {"group",          "host", "owner", "permission", "port",
                                            "proxy-protocol", "ssl",  "type",  NULL};
    static const char *const both[] = {"file.custom-handler", "file.dir", "file.file", "hosts", "paths", "redirect", NULL};

    if (is_one_of(name, both) || strchr(name, '/') != NULL) /* a path or a MIME type */
        return "; both count";
    if (is_one_of(name, of_listen))
        return "; the first one counts";
    if (info_of(name) != NULL || conf_directive_named(name) != CONF_DIRECTIVES)
        return strcmp(name, "status") == 0 || strcmp(name, "proxy.reverse.url") == 0 || strcmp(name, "fastcgi.connect") == 0
                   ? ""
                   : "; the last one counts";
    return "";
}

/* ---- URLs to be looked at later ---- */

static void remember_url(conf_t *conf, const yoml_t *node)
{
    conf_inner_url_t *inner;

    if (node == NULL || node->type != YOML_TYPE_SCALAR)
        return;
    inner = weir_arena_alloc(&conf->arena, sizeof(*inner));
    inner->text = weir_arena_copy(&conf->arena, (weir_span_t){node->data.scalar, strlen(node->data.scalar)}).base;
    inner->where = conf_where(&conf->arena, node);
    inner->host = conf->looked_at;
    inner->next = conf->inner_urls;
    conf->inner_urls = inner;
}

static void look_at_error_doc(conf_t *conf, const yoml_t *value)
{
    if (value->type != YOML_TYPE_SEQUENCE) {
        remember_url(conf, conf_yaml_get(value, "url"));
        return;
    }
    for (size_t i = 0; i < value->data.sequence.size; i++)
        remember_url(conf, conf_yaml_get(value->data.sequence.elements[i], "url"));
}

static void look_at_redirect(conf_t *conf, const yoml_t *value)
{
    const yoml_t *internal = conf_yaml_get(value, "internal");

    if (internal != NULL && internal->type == YOML_TYPE_SCALAR && strcasecmp(internal->data.scalar, "YES") == 0)
        remember_url(conf, conf_yaml_get(value, "url"));
}

/* Whether libh2o would find a host for `url` among `hosts`. */
static bool leads_to_one_of(h2o_hostconf_t *const *hosts, const h2o_url_t *url)
{
    const uint16_t scheme_port = url->scheme != NULL ? url->scheme->default_port : 80;
    const uint16_t port = url->_port == 65535 ? scheme_port : url->_port;

    for (h2o_hostconf_t *const *slot = hosts; *slot != NULL; slot++) {
        const h2o_iovec_t host = (*slot)->authority.host;
        const uint16_t host_port = (*slot)->authority.port;
        const bool is_wildcard = host.base[0] == '*';
        const size_t tail = is_wildcard ? host.len - 1 : host.len;

        if (host_port != port && !(host_port == 65535 && port == scheme_port))
            continue;
        if ((is_wildcard ? tail < url->host.len : tail == url->host.len) &&
            strncasecmp(host.base + host.len - tail, url->host.base + url->host.len - tail, tail) == 0)
            return true;
    }
    return false;
}

static bool has_host(h2o_hostconf_t *const *hosts, const char *name)
{
    for (; *hosts != NULL; hosts++)
        if ((*hosts)->authority.hostport.len == strlen(name) &&
            strncasecmp((*hosts)->authority.hostport.base, name, strlen(name)) == 0)
            return true;
    return false;
}

/* Whoever comes in by a host's own listen sees only the hosts that are there. */
static bool is_reachable(const conf_t *conf, const conf_inner_url_t *inner, const h2o_url_t *url)
{
    for (size_t i = 0; i < conf->listens.count; i++) {
        h2o_hostconf_t *const *hosts = conf->listens.more[i].hosts.at;

        if (hosts != NULL && (inner->host == NULL || has_host(hosts, inner->host)) && !leads_to_one_of(hosts, url))
            return false;
    }
    return leads_to_one_of(conf->globalconf.hosts, url);
}

bool conf_h2o_look_at_urls(conf_t *conf)
{
    bool is_fine = true;

    for (const conf_inner_url_t *inner = conf->inner_urls; inner != NULL; inner = inner->next) {
        h2o_url_t url;

        if (h2o_url_parse_relative(inner->text, strlen(inner->text), &url) != 0 || url.authority.base == NULL)
            continue; /* a path; and what is no URL at all libh2o has refused */
        if (!is_reachable(conf, inner, &url))
            is_fine = conf_complain_at(
                inner->where, 0,
                "%s: must lead to a host that is reachable by the same listen: nothing is fetched from elsewhere; give "
                "the other server a path with proxy.reverse.url and name that",
                inner->text);
    }
    return is_fine;
}

/* ---- the look through the document ---- */

static bool is_harmless(const conf_h2o_info_t *info, const yoml_t *value)
{
    bool is_on, is_harmless_on;

    if (info->harmless == NULL || value->type != YOML_TYPE_SCALAR)
        return false;
    if (conf_flag_read(info->harmless, &is_harmless_on) && conf_flag_read(value->data.scalar, &is_on))
        return is_on == is_harmless_on;
    return strcasecmp(value->data.scalar, info->harmless) == 0;
}

static bool is_noted(const conf_t *conf, const conf_h2o_info_t *info)
{
    for (const conf_note_t *note = conf->notes; note != NULL; note = note->next)
        if (note->info == info)
            return true;
    return false;
}

static void note(conf_t *conf, const conf_h2o_info_t *info, const yoml_t *key)
{
    conf_note_t *note;

    if (is_noted(conf, info))
        return;
    note = weir_arena_alloc(&conf->arena, sizeof(*note));
    *note = (conf_note_t){.info = info, .where = conf_where(&conf->arena, key)};
    *conf->notes_end = note;
    conf->notes_end = &note->next;
}

static bool judge(conf_t *conf, const conf_h2o_info_t *info, const yoml_t *key, const yoml_t *value)
{
    if (info->fate == CONF_FATE_REFUSED && !is_harmless(info, value))
        return conf_complain(key, "%s: not possible: %s", info->name, info->sentence) == 0;
    if (info->fate == CONF_FATE_IGNORED && !is_harmless(info, value) && !conf->is_dry)
        conf_warn(key, "%s is ignored: %s", info->name, info->sentence);
    note(conf, info, key);
    return true;
}

/* Whether libh2o would have it there: it complains about the first that it would not, and reads nothing behind it. */
static bool is_command(conf_t *conf, const yoml_t *key, const yoml_t *value, int level)
{
    static const struct {
        int flag;
        const char *name;
    } kinds[] = {[YOML_TYPE_SCALAR] = {H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, "scalar"},
                 [YOML_TYPE_SEQUENCE] = {H2O_CONFIGURATOR_FLAG_EXPECT_SEQUENCE, "sequence"},
                 [YOML_TYPE_MAPPING] = {H2O_CONFIGURATOR_FLAG_EXPECT_MAPPING, "mapping"}};
    const int all_kinds = kinds[0].flag | kinds[1].flag | kinds[2].flag;
    const char *name = key->data.scalar, *meant;
    const h2o_configurator_command_t *command = h2o_configurator_get_command(&conf->globalconf, name);

    if (command == NULL) {
        meant = conf_suggest_command(name, &conf->globalconf);
        return conf_complain(key, "unknown command: %s%s%s%s", name, meant != NULL ? "; did you mean " : "",
                             meant != NULL ? meant : "", meant != NULL ? "?" : "") == 0;
    }
    if ((command->flags & level) == 0)
        return conf_complain(value, "%s: the command cannot be used at this level", name) == 0;
    if ((command->flags & all_kinds) != 0 && (command->flags & kinds[value->type].flag) == 0)
        return conf_complain(value, "%s: argument cannot be a %s", name, kinds[value->type].name) == 0;
    return true;
}

static bool look_at_level(conf_t *conf, yoml_t *level_node, int level);

/* A path may be a list of mappings. */
static bool look_at_path(conf_t *conf, yoml_t *path)
{
    bool is_fine = true;

    if (path->type != YOML_TYPE_SEQUENCE)
        return look_at_level(conf, path, H2O_CONFIGURATOR_FLAG_PATH);
    for (size_t i = 0; i < path->data.sequence.size; i++)
        is_fine = look_at_level(conf, path->data.sequence.elements[i], H2O_CONFIGURATOR_FLAG_PATH) && is_fine;
    return is_fine;
}

static bool look_at_paths(conf_t *conf, const yoml_t *paths)
{
    bool is_fine = true;

    for (size_t i = 0; paths->type == YOML_TYPE_MAPPING && i < paths->data.mapping.size; i++)
        is_fine = look_at_path(conf, paths->data.mapping.elements[i].value) && is_fine;
    return is_fine;
}

static bool look_at_hosts(conf_t *conf, const yoml_t *hosts)
{
    bool is_fine = true;

    for (size_t i = 0; hosts->type == YOML_TYPE_MAPPING && i < hosts->data.mapping.size; i++) {
        const yoml_mapping_element_t *host = &hosts->data.mapping.elements[i];

        conf->looked_at =
            weir_arena_copy(&conf->arena, (weir_span_t){host->key->data.scalar, strlen(host->key->data.scalar)}).base;
        is_fine = look_at_level(conf, host->value, H2O_CONFIGURATOR_FLAG_HOST) && is_fine;
    }
    conf->looked_at = NULL;
    return is_fine;
}

static bool look_at_directive(conf_t *conf, const yoml_t *key, const yoml_t *value)
{
    const conf_h2o_info_t *info = info_of(key->data.scalar);

    if (info == NULL)
        return true;
    if (!judge(conf, info, key, value))
        return false;
    if (strcmp(info->name, "error-doc") == 0)
        look_at_error_doc(conf, value);
    if (strcmp(info->name, "redirect") == 0)
        look_at_redirect(conf, value);
    return true;
}

/* What is below hosts and paths; that it is wrong is no reason to take them out. */
static bool look_below(conf_t *conf, const yoml_t *key, const yoml_t *value)
{
    if (strcmp(key->data.scalar, "hosts") == 0)
        return look_at_hosts(conf, value);
    return strcmp(key->data.scalar, "paths") != 0 || look_at_paths(conf, value);
}

static void take_out(yoml_t *mapping, size_t index)
{
    yoml_mapping_element_t *element = &mapping->data.mapping.elements[index];

    conf_yaml_release(&element->key);
    conf_yaml_release(&element->value);
    mapping->data.mapping.size--;
    memmove(element, element + 1, (mapping->data.mapping.size - index) * sizeof(*element));
}

static bool look_at_level(conf_t *conf, yoml_t *level_node, int level)
{
    bool is_fine = true;

    for (size_t i = 0; level_node->type == YOML_TYPE_MAPPING && i < level_node->data.mapping.size;) {
        const yoml_mapping_element_t element = level_node->data.mapping.elements[i];

        if (is_command(conf, element.key, element.value, level) && look_at_directive(conf, element.key, element.value)) {
            is_fine = look_below(conf, element.key, element.value) && is_fine;
            i++;
        } else {
            is_fine = false;
            take_out(level_node, i);
        }
    }
    return is_fine;
}

bool conf_h2o_look(conf_t *conf, yoml_t *document)
{
    return look_at_level(conf, document, H2O_CONFIGURATOR_FLAG_GLOBAL);
}
