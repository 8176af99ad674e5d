/* SPDX-License-Identifier: MIT */
/* Reads the table router's part of the configuration. Every mistake is told with its file and line; nothing is guessed. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/kit/alloc.h"
#include "router/kit/place.h"
#include "table.h"

enum { PAGE_BYTES_MAX = 1 << 20 };

static bool read_features(weir_group_t *app, const weir_config_t *node)
{
    static const char *const words[] = {"deep-continue", "peer-port", NULL};

    for (size_t i = 0; i < kit_entry_count(node); i++) {
        unsigned which;

        if (!weir_config_word_at(kit_entry_at(node, i), "feature", words, &which))
            return false;
        app->has_deep_continue = app->has_deep_continue || which == 0;
        app->has_peer_port = app->has_peer_port || which == 1;
    }
    return true;
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
        *tail = kit_alloc(1, sizeof(**tail));
        (*tail)->name = kit_copy(name);
        (*tail)->value = kit_copy(value);
        tail = &(*tail)->next;
    }
    return true;
}

static bool read_headers(table_more_t *more, const weir_config_t *node)
{
    static const char *const keys[] = {"to-backend", "to-client", NULL};

    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "headers has the keys to-backend and to-client");
    return weir_config_keys(node, keys) &&
           read_header_map(&more->headers[WEIR_TO_BACKEND], weir_config_get(node, "to-backend")) &&
           read_header_map(&more->headers[WEIR_TO_CLIENT], weir_config_get(node, "to-client"));
}

static bool read_redirect(table_more_t *more, const weir_config_t *node)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]";
    const char *text = weir_config_text(node);

    if (node == NULL)
        return true;
    if (text == NULL || *text == '\0' || strspn(text, letters) != strlen(text))
        return weir_config_wrong(node, "redirect-to is a domain, with or without a port");
    more->redirect_to = kit_copy(text);
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
    page->body = kit_alloc(PAGE_BYTES_MAX + 1, 1);
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

static bool read_pages(table_more_t *more, const weir_config_t *node)
{
    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "error-pages maps reasons to pages");
    for (size_t i = 0; i < weir_config_count(node); i++) {
        const weir_config_t *key = weir_config_key(node, i);
        const char *reason = weir_config_text(key);
        table_page_t *page;

        if (reason == NULL || *reason == '\0')
            return weir_config_wrong(key, "a reason is a word, as the log's code= tells it");
        page = kit_alloc(1, sizeof(*page));
        page->next = more->pages;
        more->pages = page;
        page->reason = kit_copy(reason);
        if (!read_page(page, weir_config_at(node, i)))
            return false;
    }
    return true;
}

/* ---- an app: what its own mapping says, else what the defaults say ---- */

typedef struct reading {
    const weir_config_t *node, *defaults;
} reading_t;

static const weir_config_t *value_of(const reading_t *it, const char *key)
{
    const weir_config_t *own = weir_config_get(it->node, key);

    return own != NULL || it->defaults == NULL ? own : weir_config_get(it->defaults, key);
}

/* The kit reads it, too, and complains where it is no flag. */
static bool is_blank(const reading_t *it)
{
    const bool is_own = weir_config_get(it->node, "blank") != NULL;
    bool is_on = false;

    (void)weir_config_flag(is_own ? it->node : it->defaults, "blank", &is_on);
    return is_on;
}

/* Likewise: OFF, or something that says how they may come. */
static bool has_workers(const reading_t *it)
{
    const weir_config_t *workers = value_of(it, "workers");
    bool is_on = workers != NULL;

    if (weir_config_kind(workers) == WEIR_CONFIG_SCALAR)
        (void)weir_config_flag(weir_config_get(it->node, "workers") != NULL ? it->node : it->defaults, "workers", &is_on);
    return is_on;
}

static bool has_somewhere_to_go(const weir_group_t *app, const reading_t *it)
{
    const weir_config_t *node = it->node, *backends = weir_config_get(node, "backends");

    const char *target = table_more(app)->redirect_to;

    if (target == NULL && backends == NULL && !is_blank(it) && !has_workers(it))
        return weir_config_wrong(
            node, "the app `%s` has neither backends nor redirect-to; `backends: []` says that they come later", app->name);
    if (target != NULL && kit_entry_count(backends) > 0)
        return weir_config_wrong(node, "the app `%s` has backends and redirect-to, which exclude each other", app->name);
    return true;
}

static void note_more(weir_group_t *app, const table_more_t *more)
{
    if (more->headers[WEIR_TO_BACKEND] == NULL && more->headers[WEIR_TO_CLIENT] == NULL && more->redirect_to == NULL &&
        more->pages == NULL)
        return;
    app->more = kit_alloc(1, sizeof(*app->more));
    *app->more = *more;
}

static bool read_app(void *context, weir_span_t name, const weir_config_t *node, const weir_config_t *defaults,
                     void **out_extra)
{
    const reading_t it = {node, defaults};
    const size_t bytes = offsetof(weir_group_t, name) + name.len + 1; /* a proxy may have many */
    weir_group_t *app = kit_alloc(1, bytes < sizeof(*app) ? sizeof(*app) : bytes);
    table_more_t more = {0};

    *out_extra = app;
    memcpy(app->name, name.base, name.len);
    const bool has_features = read_features(app, value_of(&it, "features"));
    const bool has_headers = read_headers(&more, value_of(&it, "headers"));
    const bool has_redirect = read_redirect(&more, weir_config_get(node, "redirect-to"));
    const bool has_pages = read_pages(&more, value_of(&it, "error-pages"));

    note_more(app, &more);

    return has_features && has_headers && has_redirect && has_pages && has_somewhere_to_go(app, &it);
}

/* ---- two of one app ---- */

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool are_same_headers(const table_header_t *a, const table_header_t *b)
{
    for (; a != NULL && b != NULL; a = a->next, b = b->next)
        if (strcmp(a->name, b->name) != 0 || strcmp(a->value, b->value) != 0)
            return false;
    return a == b;
}

static bool is_same_page(const table_page_t *a, const table_page_t *b)
{
    const bool has_body = a->body != NULL && b->body != NULL;

    return a->status == b->status && a->body_bytes == b->body_bytes && has_body == (a->body != NULL || b->body != NULL) &&
           (!has_body || memcmp(a->body, b->body, a->body_bytes) == 0) && is_same_text(a->type, b->type) &&
           strcmp(a->reason, b->reason) == 0;
}

static bool are_same_pages(const table_page_t *a, const table_page_t *b)
{
    for (; a != NULL && b != NULL; a = a->next, b = b->next)
        if (!is_same_page(a, b))
            return false;
    return a == b;
}

static bool is_same_app(const void *extra, const void *other)
{
    const weir_group_t *a = extra, *b = other;
    const table_more_t *of_a = table_more(a), *of_b = table_more(b);

    return strcmp(a->name, b->name) == 0 && a->has_deep_continue == b->has_deep_continue &&
           a->has_peer_port == b->has_peer_port && is_same_text(of_a->redirect_to, of_b->redirect_to) &&
           are_same_headers(of_a->headers[WEIR_TO_BACKEND], of_b->headers[WEIR_TO_BACKEND]) &&
           are_same_headers(of_a->headers[WEIR_TO_CLIENT], of_b->headers[WEIR_TO_CLIENT]) &&
           are_same_pages(of_a->pages, of_b->pages);
}

static bool is_redirect(const void *extra)
{
    const weir_group_t *app = extra;

    return app != NULL && table_more(app)->redirect_to != NULL;
}

bool table_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const app_keys[] = {"features", "headers", "redirect-to", "error-pages", NULL};
    const weir_kit_options_t options = {
        .size = sizeof(options),
        .app_keys = app_keys,
        .read_app = read_app,
        .free_app = table_free_app,
        .needs_no_backends = is_redirect,
        .is_same_app = is_same_app,
    };
    weir_kit_t *kit = weir_kit_open(config, &options);

    if (kit == NULL)
        return false;
    *out_shared = kit_alloc(1, sizeof(**out_shared));
    (*out_shared)->kit = kit;
    return true;
}
