/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <strings.h>

#include "alloc.h"

enum { HTTPS_PORT = 443, PATH_BYTES = 107, HOST_BYTES = 255 };

size_t kit_entry_count(const weir_config_t *node)
{
    return weir_config_kind(node) == WEIR_CONFIG_SCALAR ? 1 : weir_config_count(node);
}

const weir_config_t *kit_entry_at(const weir_config_t *node, size_t index)
{
    return weir_config_kind(node) == WEIR_CONFIG_SCALAR ? node : weir_config_at(node, index);
}

/* 1 … 65535, digits only; 0 if it is anything else. */
static uint16_t port_of(const char *digits)
{
    unsigned port = 0;

    if (*digits == '\0' || strlen(digits) > 5)
        return 0;
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9')
            return 0;
        port = port * 10 + (unsigned)(*digits - '0');
    }
    return port > 65535 ? 0 : (uint16_t)port;
}

static bool is_host(const char *host, size_t length)
{
    if (length == 0 || length > HOST_BYTES)
        return false;
    if (host[0] == '[')
        return length > 2 && host[length - 1] == ']' && strspn(host + 1, "0123456789abcdefABCDEF:.") == length - 2;
    return strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._") == length;
}

/* "https://host", with or without a port, without a path. */
static bool read_url(const weir_config_t *node, const char *text, place_t *out)
{
    const char *host = text + sizeof("https://") - 1, *colon = strrchr(host, ':');
    size_t length = strlen(host);

    out->is_https = true;
    out->port = HTTPS_PORT;
    if (length > 0 && host[length - 1] == '/')
        length--;
    if (colon != NULL && strpbrk(colon, "]/") != NULL && strpbrk(colon, "]/") != host + length)
        colon = NULL;
    if (colon != NULL) {
        char *digits = kit_copy_bytes(colon + 1, (size_t)(host + length - colon - 1));
        out->port = port_of(digits);
        free(digits);
        length = (size_t)(colon - host);
    }
    if (!is_host(host, length))
        return weir_config_wrong(node, "`%s` is no backend: behind :// stand a host and perhaps a port, and nothing else",
                                 text);
    if (out->port == 0)
        return weir_config_wrong(node, "`%s`: a port is a number from 1 to 65535", text);
    out->host = kit_copy_bytes(host, length);
    return true;
}

bool place_read(const weir_config_t *node, place_t *out)
{
    const char *text = weir_config_text(node);

    *out = (place_t){0};
    if (text == NULL)
        return weir_config_wrong(node, "a backend is written host:port, [v6]:port, https://host or unix:/path");
    return place_read_text(node, text, out);
}

bool place_read_text(const weir_config_t *node, const char *text, place_t *out)
{
    const char *colon;

    *out = (place_t){0};
    if (strncasecmp(text, "https://", 8) == 0)
        return read_url(node, text, out);
    if (strncmp(text, "unix:", 5) == 0) {
        if (text[5] == '\0' || strlen(text + 5) > PATH_BYTES)
            return weir_config_wrong(node, "`%s`: the path of a socket has 1 to %d bytes", text, PATH_BYTES);
        out->host = kit_copy(text + 5);
        return true;
    }
    colon = strrchr(text, ':');
    if (colon == NULL || !is_host(text, (size_t)(colon - text)))
        return weir_config_wrong(node, "`%s` is no backend: it is written host:port, [v6]:port, https://host or unix:/path",
                                 text);
    out->port = port_of(colon + 1);
    if (out->port == 0)
        return weir_config_wrong(node, "`%s`: a port is a number from 1 to 65535", text);
    out->host = kit_copy_bytes(text, (size_t)(colon - text));
    return true;
}

bool places_read(const weir_config_t *node, place_t **out_places, size_t *out_count)
{
    size_t count = kit_entry_count(node);
    place_t *places;

    if (weir_config_kind(node) == WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "backends are a list");
    *out_places = places = kit_alloc(count, sizeof(*places));
    *out_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!place_read(kit_entry_at(node, i), &places[i]))
            return false;
    }
    return true;
}

static bool read_tls(const weir_config_t *node, weir_backend_tls_settings_t *out)
{
    static const char *const keys[] = {"ca-file", "certificate-file", "key-file", "server-name", "verify", NULL};
    bool is_verified = true;

    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_MAP)
        return weir_config_wrong(node, "tls is a map of settings");
    if (!weir_config_keys(node, keys) || !weir_config_flag(node, keys[4], &is_verified))
        return false;
    out->is_unverified = !is_verified;
    out->ca_file = weir_config_text(weir_config_get(node, keys[0]));
    out->certificate_file = weir_config_text(weir_config_get(node, keys[1]));
    out->key_file = weir_config_text(weir_config_get(node, keys[2]));
    out->server_name = weir_config_text(weir_config_get(node, keys[3]));
    return (out->certificate_file == NULL) == (out->key_file == NULL) ||
           weir_config_wrong(node, "tls: certificate-file and key-file need each other");
}

bool places_secure(const weir_config_t *node, place_t *places, size_t count, weir_backend_tls_t **out_tls)
{
    weir_backend_tls_settings_t settings = {.size = sizeof(settings)};
    char problem[512];
    size_t secure = 0;

    *out_tls = NULL;
    for (size_t i = 0; i < count; i++)
        secure += places[i].is_https;
    if (secure == 0)
        return node == NULL || weir_config_wrong(node, "tls is for backends that are written https://host");
    if (!read_tls(node, &settings))
        return false;
    *out_tls = weir_backend_tls_create(&settings, problem, sizeof(problem));
    if (*out_tls == NULL)
        return weir_config_wrong(node, "tls: %s", problem);
    for (size_t i = 0; i < count; i++)
        places[i].tls = places[i].is_https ? *out_tls : NULL;
    return true;
}

weir_answer_t place_answer(const place_t *place, weir_q_backend_t *q)
{
    weir_backend_use_tls(q, place->tls);
    if (place->port == 0)
        return weir_backend_at_path(q, place->host);
    return weir_backend_at(q, place->host, place->port);
}

void places_free(place_t *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(places[i].host);
    free(places);
}
