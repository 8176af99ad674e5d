/* SPDX-License-Identifier: MIT */
/* Reads the reverse router's part of the configuration. */
#include <stdlib.h>
#include <string.h>

#include "reverse.h"

enum { SOCKET_BYTES = 107 };

static const char *const verbs[] = {[REVERSE_ADD] = "add",
                                    [REVERSE_APPEND] = "append",
                                    [REVERSE_MERGE] = "merge",
                                    [REVERSE_SET] = "set",
                                    [REVERSE_SETIFEMPTY] = "setifempty",
                                    [REVERSE_UNSET] = "unset",
                                    NULL};

static bool read_place(weir_shared_t *shared, const weir_config_t *node)
{
    const url_t *url = &shared->url;
    weir_span_t path = url_socket(url->host);
    place_t *place = &shared->service.place;

    if (path.base != NULL && (path.len == 0 || path.len > SOCKET_BYTES))
        return weir_config_wrong(node, "`%s`: the path of a socket has 1 to %d bytes", shared->text, SOCKET_BYTES);
    if (path.base != NULL) {
        *place = (place_t){.host = kit_copy_bytes(path.base, path.len), .is_https = url->is_https};
        shared->host = WEIR_SPAN("localhost");
        return true;
    }
    *place = (place_t){.host = kit_copy_bytes(url->host.base, url->host.len), .port = url->port, .is_https = url->is_https};
    shared->host = url->authority;
    return true;
}

static bool has_only_graphs(const char *text)
{
    while (*text > ' ' && *text < 0x7f)
        text++;
    return *text == '\0';
}

static bool read_url(weir_shared_t *shared, const weir_config_t *config, const weir_config_t *node)
{
    const char *text = weir_config_text(node);

    if (text == NULL)
        return weir_config_wrong(node != NULL ? node : config, "the router `reverse` needs a url");
    shared->text = kit_copy(text);
    if (!has_only_graphs(text) || !url_read((weir_span_t){shared->text, strlen(text)}, &shared->url))
        return weir_config_wrong(node, "`%s` is no URL: it is written http://host:port/path or http://[unix:/socket]/path",
                                 text);
    return read_place(shared, node);
}

static bool read_keepalive(const weir_config_t *config, weir_keepalive_t *out)
{
    static const char *const words[] = {"none", "default", "new", NULL};
    static const weir_keepalive_t values[] = {WEIR_CLOSE, WEIR_REUSE, WEIR_FRESH};
    unsigned which = weir_config_get(config, "fastcgi") != NULL ? 0 : 1;

    if (!weir_config_word(config, "keepalive", words, &which))
        return false;
    *out = values[which];
    return true;
}

static bool verb_of(const weir_config_t *key, reverse_verb_t *out)
{
    unsigned which;

    if (!weir_config_word_at(key, "change of a header", verbs, &which))
        return false;
    *out = (reverse_verb_t)which;
    return true;
}

/* Makes "Name: value", or "Name" alone for unset, a change. The text is the change's. */
static bool read_change(reverse_change_t *change, const weir_config_t *node)
{
    static const char spaces[] = " \t";
    const char *text = weir_config_text(node);
    char *name = kit_copy_bytes(text != NULL ? text : "", text != NULL ? strlen(text) : 0), *value = name + strcspn(name, ":");
    bool has_value = *value == ':';

    change->name = (weir_span_t){name, (size_t)(value - name)};
    value += has_value;
    value += strspn(value, spaces);
    change->value = (weir_span_t){value, strlen(value)};
    while (change->value.len > 0 && strchr(spaces, value[change->value.len - 1]) != NULL)
        change->value.len--;
    if (!weir_header_is_settable(change->name, WEIR_SPAN("")) || has_value == (change->verb == REVERSE_UNSET) ||
        strpbrk(value, "\r\n") != NULL)
        return weir_config_wrong(node, "`%s` is not the %s of a header that may be changed", text != NULL ? text : "this",
                                 change->verb == REVERSE_UNSET ? "name" : "`name: value`");
    return true;
}

static bool read_headers(weir_shared_t *shared, const weir_config_t *node)
{
    reverse_change_t **tail = &shared->changes;

    for (size_t i = 0; i < kit_entry_count(node); i++) {
        const weir_config_t *entry = kit_entry_at(node, i);
        reverse_change_t *change;

        if (weir_config_kind(entry) != WEIR_CONFIG_MAP || weir_config_count(entry) != 1)
            return weir_config_wrong(entry, "headers are a list of changes like `set: \"name: value\"`");
        *tail = change = kit_alloc(1, sizeof(*change));
        tail = &change->next;
        if (!verb_of(weir_config_key(entry, 0), &change->verb) || !read_change(change, weir_config_at(entry, 0)))
            return false;
    }
    return true;
}

/* ---- FastCGI ---- */

static bool read_root(weir_shared_t *shared, const weir_config_t *node)
{
    const char *text = weir_config_text(node);

    if (node == NULL)
        return true;
    if (text == NULL || *text == '\0')
        return weir_config_wrong(node, "document-root: must be the path of a folder");
    shared->fastcgi.root = (weir_span_t){kit_copy(text), strlen(text)};
    return true;
}

static bool read_fastcgi(weir_shared_t *shared, const weir_config_t *config)
{
    static const char *const keys[] = {"module", "fastcgi", "document-root", "send-delegated-uri", "keepalive", NULL};
    const weir_config_t *node = weir_config_get(config, "fastcgi");

    shared->is_fastcgi = true;
    shared->fastcgi = (weir_fastcgi_t){.size = sizeof(shared->fastcgi)};
    if (!weir_config_keys(config, keys) || !place_read(node, &shared->service.place))
        return false;
    if (shared->service.place.is_https)
        return weir_config_wrong(node, "FastCGI is not spoken over TLS");
    return read_root(shared, weir_config_get(config, "document-root")) &&
           weir_config_flag(config, "send-delegated-uri", &shared->fastcgi.is_delegated) &&
           read_keepalive(config, &shared->keepalive);
}

static bool read_reverse(weir_shared_t *shared, const weir_config_t *config)
{
    static const char *const keys[] = {"module", "url", "fastcgi", "preserve-host", "keepalive", "headers", "tls", NULL};

    return weir_config_keys(config, keys) && read_url(shared, config, weir_config_get(config, "url")) &&
           places_secure(weir_config_get(config, "tls"), &shared->service.place, 1, &shared->tls) &&
           weir_config_flag(config, "preserve-host", &shared->preserves_host) && read_keepalive(config, &shared->keepalive) &&
           read_headers(shared, weir_config_get(config, "headers"));
}

bool reverse_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    const bool is_fastcgi = weir_config_get(config, "fastcgi") != NULL;
    weir_shared_t *shared = kit_alloc(1, sizeof(*shared));

    if (!(is_fastcgi ? read_fastcgi(shared, config) : read_reverse(shared, config))) {
        reverse_release(shared);
        return false;
    }
    *out_shared = shared;
    return true;
}
