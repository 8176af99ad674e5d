/* SPDX-License-Identifier: MIT */
/* What stands under weir.router: apps, with their domains, backends and settings. Every mistake is told with its place. */
#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "instance.h"
#include "state_keys.h"

enum {
    KEYS_MOST = 96,
    WEIGHT = 100,
    WEIGHT_MOST = 1000,
    TIER_MOST = 9,
    LIMIT_MOST = 1000000,
    LABELS_MOST = 32,
    COMMON_MOST = 16, /* different settings that are looked for again */
    NAME_MOST = 255
};

/* One app, as it is read. */
typedef struct reading {
    weir_kit_t *kit;
    kit_app_t *app;
    const weir_config_t *node, *defaults; /* `defaults` may be NULL */
    bool may_lack_domains;                /* they may stand in a file of their own */
    bool has_domains_elsewhere;           /* those here are somebody else's to read */
    bool is_again;                        /* what the router reads of it was read */
} reading_t;

/* The mapping that says something of a key: the app's own, else the defaults. */
static const weir_config_t *map_with(const reading_t *it, const char *key)
{
    return weir_config_get(it->node, key) != NULL ? it->node : it->defaults;
}

static const weir_config_t *value_of(const reading_t *it, const char *key)
{
    const weir_config_t *map = map_with(it, key);

    return map == NULL ? NULL : weir_config_get(map, key);
}

/* ---- keys ---- */

static size_t add_keys(const char **keys, size_t count, const char *const *more)
{
    for (; more != NULL && *more != NULL; more++) {
        if (count == KEYS_MOST)
            abort();
        keys[count++] = *more;
    }
    return count;
}

typedef enum keys_of { KEYS_OF_APP, KEYS_OF_LINE, KEYS_OF_DEFAULTS } keys_of_t;

static bool has_known_keys(const weir_kit_t *kit, const weir_config_t *node, keys_of_t whose)
{
    static const char *const of_apps[] = {"domains", "backends", NULL};
    static const char *const of_lines[] = {"app", NULL};
    static const char *const of_both[] = {"keepalive", "protocol", "root", "index", "split", "tls", NULL};
    const char *keys[KEYS_MOST + 1];
    size_t count = whose == KEYS_OF_DEFAULTS ? 0 : add_keys(keys, 0, of_apps);

    count = whose == KEYS_OF_LINE ? add_keys(keys, count, of_lines) : count;
    count = add_keys(keys, count, of_both);
    count = add_keys(keys, count, kit->options.app_keys);
    count = add_keys(keys, count, kit_settings_keys);
    keys[count] = NULL;
    return weir_config_keys(node, keys);
}

/* ---- domains ---- */

static bool read_domain(kit_domains_t *domains, kit_app_t *app, const weir_config_t *entry)
{
    const char *text = weir_config_text(entry);
    const weir_span_t span = {text, text == NULL ? 0 : strlen(text)};
    const char *problem = text == NULL ? "is no text" : kit_domains_problem(span);
    bool is_full = false;

    if (problem != NULL)
        return weir_config_wrong(entry, "`%s` is no domain: %s", text != NULL ? text : "this", problem);
    const kit_app_t *other = kit_domains_add(domains, span, app, &is_full);
    if (is_full)
        return weir_config_wrong(entry, "`%s`: one domain has at most %d paths", text, KIT_PREFIXES_MOST);
    return other == NULL || weir_config_wrong(entry, "the domain `%s` belongs to the app `%s` already", text, other->name);
}

static bool read_domains(const reading_t *it)
{
    const weir_config_t *node = weir_config_get(it->node, "domains");

    if ((node == NULL && it->may_lack_domains) || it->has_domains_elsewhere)
        return true;
    if (kit_entry_count(node) == 0 || weir_config_kind(node) == WEIR_CONFIG_MAP)
        return weir_config_wrong(node != NULL ? node : it->node, "the app `%s` needs a list of domains", it->app->name);
    for (size_t i = 0; i < kit_entry_count(node); i++)
        if (!read_domain(it->kit->domains, it->app, kit_entry_at(node, i)))
            return false;
    return true;
}

/* ---- backends ---- */

static bool read_labels(const weir_config_t *node, kit_wanted_t *wanted)
{
    const size_t count = weir_config_count(node);

    if (node == NULL)
        return true;
    if (weir_config_kind(node) != WEIR_CONFIG_MAP || count > LABELS_MOST)
        return weir_config_wrong(node, "labels are a map of at most %d names to values", LABELS_MOST);
    wanted->labels = kit_alloc(count, sizeof(wanted->labels[0]));
    for (size_t i = 0; i < count; i++) {
        const char *name = weir_config_text(weir_config_key(node, i)), *value = weir_config_text(weir_config_at(node, i));
        if (name == NULL || value == NULL)
            return weir_config_wrong(node, "a label is a name and a value");
        wanted->labels[i] = (kit_label_t){kit_copy(name), kit_copy(value)};
        wanted->label_count++;
    }
    return true;
}

static bool read_text(const weir_config_t *node, const char *key, char **out)
{
    const char *text = NULL;

    if (weir_config_get(node, key) == NULL)
        return true;
    if (!weir_config_string(node, key, &text))
        return false;
    if (*text == '\0' || strlen(text) > NAME_MOST)
        return weir_config_wrong(weir_config_get(node, key), "%s has 1 to %d characters", key, NAME_MOST);
    *out = kit_copy(text);
    return true;
}

static bool read_numbers(const weir_config_t *node, kit_wanted_t *wanted)
{
    static const char *const states[] = {"up", "draining", "off", NULL}; /* in the order of kit_admin_t */
    uint64_t weight = WEIGHT, tier = 0, limit = 0;
    unsigned state = 0;

    if (!weir_config_number(node, "weight", 0, WEIGHT_MOST, &weight) ||
        !weir_config_number(node, "tier", 0, TIER_MOST, &tier) ||
        !weir_config_number(node, "max-requests", 0, LIMIT_MOST, &limit) || !weir_config_word(node, "state", states, &state))
        return false;
    wanted->weight = (uint32_t)weight;
    wanted->tier = (uint8_t)tier;
    wanted->request_limit = (uint32_t)limit;
    wanted->admin = (kit_admin_t)state;
    return true;
}

static bool read_details(const weir_config_t *node, kit_wanted_t *wanted)
{
    static const char *const keys[] = {"at", "id", "weight", "tier", "zone", "max-requests", "labels", "state", NULL};

    return weir_config_keys(node, keys) && read_text(node, "id", &wanted->id) && read_text(node, "zone", &wanted->zone) &&
           read_numbers(node, wanted) && read_labels(weir_config_get(node, "labels"), wanted);
}

static void lower(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
}

static char *lower_copy(const char *text)
{
    char *copy = kit_copy(text);

    lower(copy);
    return copy;
}

/* Behind "dns:" stands what the place of a name is elsewhere. */
static bool read_at(const weir_config_t *node, kit_wanted_t *wanted)
{
    static const char prefix[] = "dns:";
    const char *text = weir_config_text(node);
    const size_t length = sizeof(prefix) - 1;

    if (text == NULL || strncmp(text, prefix, length) != 0)
        return place_read(node, &wanted->place);
    if (!place_read_text(node, text + length, &wanted->place))
        return false;
    wanted->is_name = true;
    lower(wanted->place.host);
    return (wanted->place.port != 0 && strspn(wanted->place.host, "0123456789.[]:") < strlen(wanted->place.host) &&
            wanted->place.host[0] != '[') ||
           weir_config_wrong(node, "`%s`: behind dns: stand a name and a port", text);
}

bool kit_wanted_read(const weir_config_t *node, kit_wanted_t *wanted)
{
    const bool is_map = weir_config_kind(node) == WEIR_CONFIG_MAP;
    const weir_config_t *at = is_map ? weir_config_get(node, "at") : node;

    *wanted = (kit_wanted_t){.weight = WEIGHT, .admin = KIT_UP};
    if (at == NULL)
        return weir_config_wrong(node, "a backend needs `at`, its address");
    if (!read_at(at, wanted) || (is_map && !read_details(node, wanted)))
        return false;
    wanted->has_id = wanted->id != NULL;
    if (!wanted->has_id)
        wanted->id = lower_copy(weir_config_text(at));
    return true;
}

static bool is_id_taken(const kit_app_t *app, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(app->wanted[i].id, id) == 0)
            return true;
    return false;
}

/* Who writes an address twice wants it to have twice the share. */
static void set_own_id(const kit_app_t *app, size_t count, kit_wanted_t *wanted)
{
    for (unsigned number = 2; is_id_taken(app, count, wanted->id); number++) {
        char *id = kit_alloc(strlen(wanted->id) + 16, 1);
        const char *hash = strchr(wanted->id, '#');
        snprintf(id, strlen(wanted->id) + 16, "%.*s#%u", (int)(hash == NULL ? strlen(wanted->id) : (size_t)(hash - wanted->id)),
                 wanted->id, number);
        free(wanted->id);
        wanted->id = id;
    }
}

static bool read_backends(const reading_t *it)
{
    const weir_config_t *node = weir_config_get(it->node, "backends");
    const size_t count = kit_entry_count(node);

    if (weir_config_kind(node) == WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "backends are a list");
    it->app->wanted = kit_alloc(count, sizeof(it->app->wanted[0]));
    for (size_t i = 0; i < count; i++) {
        kit_wanted_t *wanted = &it->app->wanted[i];
        it->app->wanted_count++;
        if (!kit_wanted_read(kit_entry_at(node, i), wanted))
            return false;
        if (wanted->has_id && is_id_taken(it->app, i, wanted->id))
            return weir_config_wrong(kit_entry_at(node, i), "the app `%s` has a backend `%s` already", it->app->name,
                                     wanted->id);
        set_own_id(it->app, i, wanted);
    }
    return true;
}

/* ---- how they are spoken to ---- */

static bool read_tls(const reading_t *it)
{
    const kit_app_t *app = it->app;
    place_t *places = kit_alloc(app->wanted_count, sizeof(places[0]));
    bool has_https = false;

    for (size_t i = 0; i < app->wanted_count; i++) {
        places[i] = app->wanted[i].place;
        has_https = has_https || places[i].is_https;
    }
    /* What the defaults say of TLS is for those apps that have any. */
    const weir_config_t *own = weir_config_get(it->node, "tls");
    bool is_read =
        places_secure(own != NULL || has_https ? value_of(it, "tls") : NULL, places, app->wanted_count, &app->manner->tls);
    free(places);
    return is_read;
}

static bool is_all_https(const kit_app_t *app, bool is_https)
{
    for (size_t i = 0; i < app->wanted_count; i++)
        if (app->wanted[i].place.is_https != is_https)
            return false;
    return true;
}

static bool read_protocol(const reading_t *it)
{
    static const char *const words[] = {"http1", "h2c", "h2", "fastcgi", NULL};
    static const weir_protocol_t values[] = {WEIR_HTTP1, WEIR_HTTP2, WEIR_HTTP2, WEIR_FASTCGI};
    const weir_config_t *entry = value_of(it, "protocol");
    unsigned which = 0;

    if (!weir_config_word(map_with(it, "protocol"), "protocol", words, &which))
        return false;
    it->app->manner->protocol = values[which];
    if (which == 1 && !is_all_https(it->app, false))
        return weir_config_wrong(entry, "protocol h2c is for plain backends; with TLS it is h2");
    if (which == 2 && !is_all_https(it->app, true))
        return weir_config_wrong(entry, "protocol h2 is for backends that are written https://host; else it is h2c");
    if (which == 3 && !is_all_https(it->app, false))
        return weir_config_wrong(entry, "protocol fastcgi is for plain backends: nobody speaks it over TLS");
    return scripts_read(it->node, it->app->manner->protocol == WEIR_FASTCGI, &it->app->manner->fastcgi);
}

/* An idle connection is an idle worker of most FastCGI servers: there it has to be asked for. */
static bool read_keepalive(const reading_t *it)
{
    static const char *const words[] = {"none", "default", "new", NULL};
    static const weir_keepalive_t values[] = {WEIR_CLOSE, WEIR_REUSE, WEIR_FRESH};
    unsigned which = it->app->manner->protocol == WEIR_FASTCGI ? 0 : 1;

    if (!weir_config_word(map_with(it, "keepalive"), "keepalive", words, &which))
        return false;
    it->app->manner->keepalive = values[which];
    return true;
}

/* ---- affinity ---- */

static bool read_keys(const reading_t *it)
{
    const char *path = it->app->settings->affinity.key_file;
    char problem[512];
    kit_keys_t keys;

    if (!it->app->settings->affinity.is_on || path == NULL)
        return true;
    if (!kit_keys_read(path, &keys, problem, sizeof(problem)))
        return weir_config_wrong(value_of(it, "affinity"), "key-file: %s", problem);
    kit_keys_wipe(&keys);
    return true;
}

/* ---- health ---- */

static bool is_check_possible(const reading_t *it)
{
    const bool is_http2 =
        it->app->manner->protocol == WEIR_HTTP2 || (it->app->wanted_count == 0 && it->app->settings->workers.is_on);

    return it->app->settings->health.kind != KIT_HEALTH_GRPC || is_http2 ||
           weir_config_wrong(value_of(it, "health"), "health: grpc is for backends with protocol h2 or h2c, and workers");
}

/* ---- an app ---- */

static bool read_extra(const reading_t *it)
{
    const weir_kit_options_t *options = &it->kit->options;
    const weir_span_t name = {it->app->name, strlen(it->app->name)};

    void *extra = NULL;
    const bool is_fine = options->read_app == NULL || options->read_app(options->context, name, it->node, it->defaults, &extra);

    atomic_init(&it->app->extra, extra);
    return is_fine;
}

static bool has_what_it_needs(const reading_t *it)
{
    const weir_kit_options_t *options = &it->kit->options;
    const bool needs_none = options->needs_no_backends != NULL && options->needs_no_backends(atomic_load(&it->app->extra));

    if (needs_none && it->app->wanted_count > 0)
        return weir_config_wrong(it->node, "the app `%s` has backends, and something that excludes them", it->app->name);
    return needs_none || it->app->settings->is_blank || it->app->wanted_count > 0 || it->app->settings->workers.is_on ||
           weir_config_get(it->node, "backends") != NULL ||
           weir_config_wrong(it->node, "the app `%s` has no backends; `backends: []` says that they come later", it->app->name);
}

/* Every setting is looked at, whatever is wrong with the others; the protocol depends on the backends. */
static bool read_all(const reading_t *it)
{
    const bool has_domains = read_domains(it);
    const bool has_backends = read_backends(it) && read_tls(it) && read_protocol(it), has_keepalive = read_keepalive(it);
    const bool has_settings = kit_settings_read(it->defaults, it->app->settings) &&
                              kit_settings_read(it->node, it->app->settings) && read_keys(it) && is_check_possible(it);
    const bool has_extra = it->is_again || read_extra(it);

    return has_domains && has_backends && has_keepalive && has_settings && has_extra && (it->is_again || has_what_it_needs(it));
}

bool kit_read_own(weir_kit_t *kit, kit_app_t *app, const weir_config_t *node, const weir_config_t *defaults)
{
    app->settings = kit_settings_create();
    app->manner = kit_manner_create();
    return has_known_keys(kit, node, KEYS_OF_APP) && read_all(&(reading_t){kit, app, node, defaults, true, true, false});
}

bool kit_read_again(const weir_kit_t *kit, kit_app_t *app, const weir_config_t *node, const weir_config_t *defaults)
{
    app->settings = kit_settings_create();
    app->manner = kit_manner_create();
    return read_all(&(reading_t){(weir_kit_t *)(uintptr_t)kit, app, node, defaults, true, true, true});
}

/* What the whole router's mapping says, while its apps are read. */
typedef struct whole {
    weir_kit_t *kit;
    const weir_config_t *config, *defaults;
    kit_settings_t *common[COMMON_MOST]; /* the different ones last seen; apps hold them */
    size_t common_count;
} whole_t;

/* Of a hundred thousand apps most say the same, or one of a few things: then it is kept once. */
static void share_settings(whole_t *whole, kit_app_t *app)
{
    for (size_t i = 0; i < COMMON_MOST && whole->common[i] != NULL; i++) {
        if (!kit_settings_equal(whole->common[i], app->settings))
            continue;
        kit_settings_release(app->settings);
        app->settings = kit_settings_hold(whole->common[i]);
        return;
    }
    whole->common[whole->common_count++ % COMMON_MOST] = app->settings; /* as long as the app: beyond the reading */
}

static bool read_app(whole_t *whole, const weir_config_t *key, const weir_config_t *node, keys_of_t whose)
{
    weir_kit_t *kit = whole->kit;
    const char *name = weir_config_text(key);

    if (name == NULL || *name == '\0' || strlen(name) > NAME_MOST || strchr(name, '/') != NULL)
        return weir_config_wrong(key, "the name of an app is a word of 1 to %d characters, without /", NAME_MOST);
    if (weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(key, "the app `%s` has no settings", name);
    if (!has_known_keys(kit, node, whose))
        return false;
    kit_app_t *app = &kit->apps[kit->app_count++];
    app->name = kit_copy(name);
    app->settings = kit_settings_create();
    app->manner = kit_manner_create();
    if (!read_all(&(reading_t){kit, app, node, whole->defaults, weir_config_get(whole->config, "domains-file") != NULL, false,
                               false}))
        return false;
    share_settings(whole, app);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(kit_app_t *const *)a)->name, (*(kit_app_t *const *)b)->name);
}

/* False if two have the same name. */
static bool sort_apps(const whole_t *whole)
{
    weir_kit_t *kit = whole->kit;
    kit_apps_t *apps = kit_alloc(1, sizeof(*apps) + kit->app_count * sizeof(apps->at[0]));

    apps->count = kit->app_count;
    for (size_t i = 0; i < kit->app_count; i++)
        apps->at[i] = &kit->apps[i];
    qsort(apps->at, apps->count, sizeof(apps->at[0]), by_name);
    atomic_store(&kit->by_name, apps);
    for (size_t i = 1; i < apps->count; i++)
        if (strcmp(apps->at[i - 1]->name, apps->at[i]->name) == 0)
            return weir_config_wrong(weir_config_get(whole->config, "apps-file"), "the app `%s` is there twice",
                                     apps->at[i]->name);
    return true;
}

static bool read_app_line(void *of, const weir_config_t *line)
{
    const weir_config_t *name = weir_config_get(line, "app");

    if (name == NULL)
        return weir_config_wrong(line, "an app has a name: {\"app\": …}");
    return read_app(of, name, line, KEYS_OF_LINE);
}

static bool read_domain_line(void *of, const weir_config_t *line)
{
    static const char *const keys[] = {"domain", "app", NULL};
    const whole_t *whole = of;
    const weir_config_t *domain = weir_config_get(line, "domain"), *app = weir_config_get(line, "app");
    const char *name = weir_config_text(app);

    if (!weir_config_keys(line, keys))
        return false;
    if (domain == NULL || name == NULL)
        return weir_config_wrong(line, "a domain belongs to an app: {\"domain\": …, \"app\": …}");
    kit_app_t *found = kit_app_find(whole->kit, (weir_span_t){name, strlen(name)});
    return found == NULL ? weir_config_wrong(app, "there is no app `%s`", name)
                         : read_domain(whole->kit->domains, found, domain);
}

/* Whatever is wrong with one, the others are looked at. */
static bool read_apps(whole_t *whole)
{
    const weir_config_t *apps = weir_config_get(whole->config, "apps");
    const bool has_file = weir_config_get(whole->config, "apps-file") != NULL || whole->kit->takes_state;
    weir_kit_t *kit = whole->kit;
    bool is_fine = true;
    size_t lines;

    if ((apps != NULL || !has_file) && (weir_config_kind(apps) != WEIR_CONFIG_MAP || weir_config_count(apps) == 0))
        return weir_config_wrong(apps != NULL ? apps : whole->config, "the router needs a map of apps");
    if (!weir_config_line_count(whole->config, "apps-file", &lines))
        return false;
    kit->apps = kit_alloc(weir_config_count(apps) + lines, sizeof(kit->apps[0]));
    for (size_t i = 0; i < weir_config_count(apps); i++)
        is_fine = read_app(whole, weir_config_key(apps, i), weir_config_at(apps, i), KEYS_OF_APP) && is_fine;
    is_fine = weir_config_each_line(whole->config, "apps-file", read_app_line, whole) && is_fine;
    is_fine = sort_apps(whole) && is_fine;
    return weir_config_each_line(whole->config, "domains-file", read_domain_line, whole) && is_fine;
}

static void note_defaults(weir_kit_t *kit)
{
    json_t *around = kit->defaults == NULL ? NULL : json_pack("{s:O}", "defaults", kit->defaults);

    kit->defaults_text = around == NULL ? kit_copy("{}") : json_dumps(around, JSON_COMPACT);
    json_decref(around);
}

bool kit_read(weir_kit_t *kit, const weir_config_t *config)
{
    static const char *const own[] = {"module",       "name",       "zone",       "defaults", "apps", "apps-file",
                                      "domains-file", "state-file", "state-sync", "state",    NULL};
    const weir_config_t *defaults = weir_config_get(config, "defaults");
    const char *keys[KEYS_MOST + 1];
    size_t count = add_keys(keys, 0, own);

    count = add_keys(keys, count, kit->options.router_keys);
    keys[count] = NULL;
    if (!weir_config_keys(config, keys) || !read_text(config, "name", &kit->name) || !read_text(config, "zone", &kit->zone))
        return false;
    if (!kit_state_keys_read(config, kit) || !weir_config_flag(config, "state", &kit->takes_state))
        return false;
    if (defaults != NULL && weir_config_kind(defaults) != WEIR_CONFIG_MAP)
        return weir_config_wrong(defaults, "defaults are a map of settings for all apps");
    kit->defaults = defaults == NULL ? NULL : kit_config_json(defaults);
    note_defaults(kit);
    return (defaults == NULL || has_known_keys(kit, defaults, KEYS_OF_DEFAULTS)) &&
           read_apps(&(whole_t){.kit = kit, .config = config, .defaults = defaults});
}
