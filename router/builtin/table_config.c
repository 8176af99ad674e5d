/* SPDX-License-Identifier: MIT */
/* Reads the table router's part of the configuration. Every mistake is told with its file and line; nothing is guessed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

enum { PAGE_BYTES_MAX = 1 << 20 };

static bool read_domains(weir_shared_t *shared, weir_group_t *app, const weir_config_t *node)
{
    for (size_t i = 0; i < builtin_entry_count(node); i++) {
        const weir_config_t *entry = builtin_entry_at(node, i);
        const char *text = weir_config_text(entry);
        const weir_group_t *other;

        if (text == NULL || !domain_is_valid(text))
            return weir_config_wrong(entry, "`%s` is no domain: it is written name, *.name or *, without a port",
                                     text != NULL ? text : "this");
        other = domains_add(&shared->domains, text, app);
        if (other != NULL)
            return weir_config_wrong(entry, "the domain `%s` belongs to the app `%s` already", text, other->name);
    }
    return true;
}

static bool read_backends(weir_group_t *app, const weir_config_t *node, const weir_config_t *tls)
{
    if (!places_read(node, &app->places, &app->service_count) ||
        !places_secure(tls, app->places, app->service_count, &app->tls))
        return false;
    app->services = builtin_alloc(app->service_count, sizeof(*app->services));
    for (size_t i = 0; i < app->service_count; i++)
        app->services[i] = (weir_service_t){app, &app->places[i]};
    return true;
}

static bool read_features(weir_group_t *app, const weir_config_t *node)
{
    static const char *const words[] = {"deep-continue", "peer-port", NULL};

    for (size_t i = 0; i < builtin_entry_count(node); i++) {
        unsigned which;

        if (!weir_config_word_at(builtin_entry_at(node, i), "feature", words, &which))
            return false;
        app->has_deep_continue = app->has_deep_continue || which == 0;
        app->has_peer_port = app->has_peer_port || which == 1;
    }
    return true;
}

/* An idle connection is an idle worker of most FastCGI servers: there it has to be asked for. */
static bool read_keepalive(weir_group_t *app, const weir_config_t *node)
{
    static const char *const words[] = {"none", "default", "new", NULL};
    static const weir_keepalive_t values[] = {WEIR_CLOSE, WEIR_REUSE, WEIR_FRESH};
    unsigned which = app->protocol == WEIR_FASTCGI ? 0 : 1;

    if (!weir_config_word(node, "keepalive", words, &which))
        return false;
    app->keepalive = values[which];
    return true;
}

static bool is_all_https(const weir_group_t *app, bool is_https)
{
    for (size_t i = 0; i < app->service_count; i++)
        if (app->places[i].is_https != is_https)
            return false;
    return true;
}

static bool read_protocol(weir_group_t *app, const weir_config_t *node)
{
    static const char *const words[] = {"http1", "h2c", "h2", "fastcgi", NULL};
    static const weir_protocol_t values[] = {WEIR_HTTP1, WEIR_HTTP2, WEIR_HTTP2, WEIR_FASTCGI};
    const weir_config_t *entry = weir_config_get(node, "protocol");
    unsigned which = 0;

    if (!weir_config_word(node, "protocol", words, &which))
        return false;
    app->protocol = values[which];
    if (which == 1 && !is_all_https(app, false))
        return weir_config_wrong(entry, "protocol h2c is for plain backends; with TLS it is h2");
    if (which == 2 && !is_all_https(app, true))
        return weir_config_wrong(entry, "protocol h2 is for backends that are written https://host; else it is h2c");
    if (which == 3 && !is_all_https(app, false))
        return weir_config_wrong(entry, "protocol fastcgi is for plain backends: nobody speaks it over TLS");
    return scripts_read(node, app->protocol == WEIR_FASTCGI, &app->fastcgi);
}

static bool is_settable(const char *name)
{
    return weir_header_is_settable((weir_span_t){name, strlen(name)}, WEIR_SPAN(""));
}

static bool read_header_map(table_header_t **tail, const weir_config_t *node)
{
    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "headers are a map of names to values");
    for (size_t i = 0; i < weir_config_count(node); i++) {
        const weir_config_t *key = weir_config_key(node, i), *entry = weir_config_at(node, i);
        const char *name = weir_config_text(key), *value = weir_config_text(entry);

        if (name == NULL || !is_settable(name))
            return weir_config_wrong(key, "`%s` is no header that may be set", name != NULL ? name : "this");
        if (value == NULL || strpbrk(value, "\r\n") != NULL)
            return weir_config_wrong(entry, "the value of a header is one line of text");
        *tail = builtin_alloc(1, sizeof(**tail));
        (*tail)->name = builtin_copy(name, strlen(name));
        (*tail)->value = builtin_copy(value, strlen(value));
        tail = &(*tail)->next;
    }
    return true;
}

static bool read_headers(weir_group_t *app, const weir_config_t *node)
{
    static const char *const keys[] = {"to-backend", "to-client", NULL};

    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "headers has the keys to-backend and to-client");
    return weir_config_keys(node, keys) &&
           read_header_map(&app->headers[WEIR_TO_BACKEND], weir_config_get(node, "to-backend")) &&
           read_header_map(&app->headers[WEIR_TO_CLIENT], weir_config_get(node, "to-client"));
}

static bool read_redirect(weir_group_t *app, const weir_config_t *node)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]";
    const char *text = weir_config_text(node);

    if (node == NULL)
        return true;
    if (text == NULL || *text == '\0' || strspn(text, letters) != strlen(text))
        return weir_config_wrong(node, "redirect-to is a domain, with or without a port");
    app->redirect_to = builtin_copy(text, strlen(text));
    return true;
}

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    if (dot != NULL && strcmp(dot, ".json") == 0)
        return "application/json";
    if (dot != NULL && strcmp(dot, ".txt") == 0)
        return "text/plain; charset=utf-8";
    return "text/html; charset=utf-8";
}

static bool read_file(table_page_t *page, const weir_config_t *node)
{
    const char *path = weir_config_text(node);
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    bool is_read;

    if (file == NULL)
        return weir_config_wrong(node, "`%s` cannot be read: %s", path != NULL ? path : "this",
                                 path != NULL ? strerror(errno) : "no path");
    page->body = builtin_alloc(PAGE_BYTES_MAX + 1, 1);
    page->body_bytes = fread(page->body, 1, PAGE_BYTES_MAX + 1, file);
    is_read = !ferror(file);
    fclose(file);
    if (!is_read || page->body_bytes > PAGE_BYTES_MAX)
        return weir_config_wrong(node, "`%s` is no readable file of at most %d bytes", path, PAGE_BYTES_MAX);
    page->body = realloc(page->body, page->body_bytes + 1);
    page->type = type_of(path);
    return page->body != NULL;
}

static bool read_status(table_page_t *page, const weir_config_t *node)
{
    const char *text = weir_config_text(node);

    if (text == NULL || strlen(text) != 3 || strspn(text, "0123456789") != 3 || text[0] < '2' || text[0] > '5')
        return weir_config_wrong(node, "a status is a number from 200 to 599");
    page->status = (uint16_t)strtoul(text, NULL, 10);
    return true;
}

static bool read_page(table_page_t *page, const weir_config_t *node)
{
    static const char *const keys[] = {"status", "file", NULL};
    const weir_config_t *status = weir_config_get(node, "status"), *file = weir_config_get(node, "file");

    if (weir_config_kind(node) != WEIR_CONFIG_MAP || weir_config_count(node) == 0)
        return weir_config_wrong(node, "an error page has a status, a file, or both");
    return weir_config_keys(node, keys) && (status == NULL || read_status(page, status)) &&
           (file == NULL || read_file(page, file));
}

static bool read_pages(weir_group_t *app, const weir_config_t *node)
{
    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "error-pages maps reasons to pages");
    for (size_t i = 0; i < weir_config_count(node); i++) {
        const weir_config_t *key = weir_config_key(node, i);
        const char *reason = weir_config_text(key);
        table_page_t *page;

        if (reason == NULL || *reason == '\0')
            return weir_config_wrong(key, "a reason is a word, as the log's code= tells it");
        page = builtin_alloc(1, sizeof(*page));
        page->next = app->pages;
        app->pages = page;
        page->reason = builtin_copy(reason, strlen(reason));
        if (!read_page(page, weir_config_at(node, i)))
            return false;
    }
    return true;
}

/* Every setting is looked at, whatever is wrong with the others; protocol depends on the backends. */
static bool read_settings(weir_shared_t *shared, weir_group_t *app, const weir_config_t *node)
{
    const bool has_domains = read_domains(shared, app, weir_config_get(node, "domains"));
    const bool has_backends =
        read_backends(app, weir_config_get(node, "backends"), weir_config_get(node, "tls")) && read_protocol(app, node);
    const bool has_features = read_features(app, weir_config_get(node, "features"));
    const bool has_keepalive = read_keepalive(app, node);
    const bool has_headers = read_headers(app, weir_config_get(node, "headers"));
    const bool has_redirect = read_redirect(app, weir_config_get(node, "redirect-to"));
    const bool has_pages = read_pages(app, weir_config_get(node, "error-pages"));

    return has_domains && has_backends && has_features && has_keepalive && has_headers && has_redirect && has_pages;
}

static bool read_app(weir_shared_t *shared, weir_group_t *app, const weir_config_t *key, const weir_config_t *node)
{
    static const char *const keys[] = {"domains", "backends", "features", "keepalive",   "protocol",    "root", "index",
                                       "split",   "tls",      "headers",  "redirect-to", "error-pages", NULL};
    const weir_config_t *domains = weir_config_get(node, "domains");

    if (weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(key, "the app `%s` has no settings", app->name);
    if (!weir_config_keys(node, keys))
        return false;
    if (builtin_entry_count(domains) == 0 || weir_config_kind(domains) == WEIR_CONFIG_MAP)
        return weir_config_wrong(domains != NULL ? domains : key, "the app `%s` needs a list of domains", app->name);
    if (!read_settings(shared, app, node))
        return false;
    if (app->redirect_to == NULL && app->service_count == 0)
        return weir_config_wrong(key, "the app `%s` has neither backends nor redirect-to", app->name);
    if (app->redirect_to != NULL && app->service_count != 0)
        return weir_config_wrong(key, "the app `%s` has backends and redirect-to, which exclude each other", app->name);
    return true;
}

static bool read_apps(weir_shared_t *shared, const weir_config_t *node)
{
    bool is_fine = true; /* whatever is wrong with one, the others are looked at */

    for (size_t i = 0; i < weir_config_count(node); i++) {
        const weir_config_t *key = weir_config_key(node, i);
        const char *name = weir_config_text(key);
        weir_group_t *app;

        if (name == NULL)
            return weir_config_wrong(key, "the name of an app is a word");
        app = builtin_alloc(1, sizeof(*app));
        app->next = shared->apps;
        shared->apps = app;
        app->name = builtin_copy(name, strlen(name));
        is_fine = read_app(shared, app, key, weir_config_at(node, i)) && is_fine;
    }
    return is_fine;
}

bool table_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const keys[] = {"module", "apps", NULL};
    const weir_config_t *apps = weir_config_get(config, "apps");
    weir_shared_t *shared;

    if (!weir_config_keys(config, keys))
        return false;
    if (weir_config_kind(apps) != WEIR_CONFIG_MAP || weir_config_count(apps) == 0)
        return weir_config_wrong(apps != NULL ? apps : config, "the router `table` needs a map of apps");
    shared = builtin_alloc(1, sizeof(*shared));
    if (!read_apps(shared, apps)) {
        table_release(shared);
        return false;
    }
    *out_shared = shared;
    return true;
}
