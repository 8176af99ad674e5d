/* SPDX-License-Identifier: MIT */
#include "conf/admin_wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/wire/tls/tls_caller.h"

enum { MS_OF_S = 1000, US_OF_MS = 1000, LINE_BYTES = 512, NET_LOOPBACK = 127 };

_Static_assert((int)CONF_WIRE_PROBLEM_BYTES == (int)WEIR_TLS_PROBLEM_BYTES, "one is handed to the other");

conf_admin_credentials_t conf_admin_credentials;

const char **conf_admin_credential(const char *option)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"--token-file", &conf_admin_credentials.token_file},
        {"--ca-file", &conf_admin_credentials.ca_file},
        {"--certificate-file", &conf_admin_credentials.certificate_file},
        {"--key-file", &conf_admin_credentials.key_file},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].name, option) == 0)
            return options[i].value;
    return NULL;
}

static bool say(conf_admin_wire_t *wire, const char *what, const char *why)
{
    snprintf(wire->why, sizeof(wire->why), "%s: %s", what, why);
    return false;
}

static bool connect_to(conf_admin_wire_t *wire, const struct sockaddr *address, socklen_t bytes, unsigned wait_ms)
{
    const struct timeval wait = {.tv_sec = wait_ms / MS_OF_S, .tv_usec = (suseconds_t)(wait_ms % MS_OF_S) * US_OF_MS};
    int error;

    wire->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd == -1)
        return false;
    (void)setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(wire->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(wire->fd, address, bytes) == 0)
        return true;
    error = errno;
    close(wire->fd);
    wire->fd = -1;
    errno = error;
    return false;
}

static bool open_path(conf_admin_wire_t *wire, const char *path, unsigned wait_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return say(wire, path, "this is too long for the name of a socket");
    memcpy(address.sun_path, path, strlen(path));
    snprintf(wire->host, sizeof(wire->host), "weir");
    return connect_to(wire, (struct sockaddr *)&address, sizeof(address), wait_ms) || say(wire, path, strerror(errno));
}

/* ---- over TCP ---- */

typedef struct url {
    bool is_https;
    char host[256], port[8];
} url_t;

/* False: it is none. */
static bool read_url(const char *text, url_t *out)
{
    char copy[256], *host = copy, *end, *port;

    out->is_https = strncmp(text, "https://", 8) == 0;
    text += out->is_https ? 8 : 7;
    const size_t length = strcspn(text, "/?#");
    if (length == 0 || length >= sizeof(copy) || strcmp(text + length, text[length] == '/' ? "/" : "") != 0)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    end = *host == '[' ? strchr(host, ']') : host + strcspn(host, ":");
    if (end == NULL || end == host)
        return false;
    port = *end == ']' ? end + 1 : end;
    if (*port != ':' && *port != '\0')
        return false;
    snprintf(out->port, sizeof(out->port), "%.5s", *port == ':' ? port + 1 : out->is_https ? "443" : "80");
    *end = '\0';
    snprintf(out->host, sizeof(out->host), "%s", *host == '[' ? host + 1 : host);
    return true;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == NET_LOOPBACK;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* The first line that is one; behind its name. */
static bool read_token(conf_admin_wire_t *wire)
{
    const char *path =
        conf_admin_credentials.token_file != NULL ? conf_admin_credentials.token_file : getenv("WEIR_ADMIN_TOKEN_FILE");
    char line[LINE_BYTES], *text = NULL;
    FILE *file = path == NULL ? NULL : fopen(path, "re");

    if (path == NULL)
        return true;
    if (file == NULL)
        return say(wire, path, strerror(errno));
    do {
        text = fgets(line, sizeof(line), file);
        text = text == NULL ? NULL : text + strspn(text, " \t\r\n");
    } while (text != NULL && (*text == '#' || *text == '\0'));
    (void)fclose(file);
    const char *colon = text == NULL ? NULL : strchr(text, ':');
    const char *token = colon == NULL ? text : colon + 1 + strspn(colon + 1, " \t");
    const size_t length = token == NULL ? 0 : strcspn(token, " \t\r\n");
    if (length == 0 || length >= sizeof(wire->token))
        return say(wire, path, "there is no token in it");
    memcpy(wire->token, token, length);
    wire->token[length] = '\0';
    return true;
}

static bool shake_hands(conf_admin_wire_t *wire, const url_t *url)
{
    const weir_tls_caller_settings_t settings = {
        .server_name = url->host,
        .ca_file = conf_admin_credentials.ca_file,
        .certificate_file = conf_admin_credentials.certificate_file,
        .key_file = conf_admin_credentials.key_file,
    };

    wire->tls = weir_tls_caller_open(wire->fd, &settings, wire->why);
    return wire->tls != NULL;
}

static bool open_url(conf_admin_wire_t *wire, const char *where, unsigned wait_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool is_open = false, is_near = false;
    url_t url;
    int error;

    if (!read_url(where, &url))
        return say(wire, where, "where the endpoint is: http://127.0.0.1:9101, https://weir-1.example:9101");
    snprintf(wire->host, sizeof(wire->host), strchr(url.host, ':') != NULL ? "[%.240s]:%s" : "%.240s:%s", url.host, url.port);
    if (!read_token(wire))
        return false;
    error = getaddrinfo(url.host, url.port, &hints, &found);
    if (error != 0)
        return say(wire, where, gai_strerror(error));
    for (const struct addrinfo *one = found; one != NULL && !is_open; one = one->ai_next) {
        is_open = connect_to(wire, one->ai_addr, one->ai_addrlen, wait_ms);
        is_near = is_loopback(one->ai_addr);
        error = errno;
    }
    freeaddrinfo(found);
    if (!is_open)
        return say(wire, where, strerror(error));
    if (url.is_https)
        return shake_hands(wire, &url);
    return is_near || wire->token[0] == '\0' || say(wire, where, "a token is sent to others by https:// only");
}

/* ---- the calls ---- */

bool conf_admin_wire_open(conf_admin_wire_t *wire, const char *where, unsigned wait_ms)
{
    const bool is_url = strncmp(where, "http://", 7) == 0 || strncmp(where, "https://", 8) == 0;

    *wire = (conf_admin_wire_t){.fd = -1};
    if (is_url ? open_url(wire, where, wait_ms) : open_path(wire, where, wait_ms))
        return true;
    conf_admin_wire_close(wire);
    return false;
}

bool conf_admin_wire_send(conf_admin_wire_t *wire, const char *bytes, size_t count)
{
    if (wire->tls != NULL)
        return weir_tls_caller_send(wire->tls, bytes, count);
    while (count > 0) {
        const ssize_t sent = send(wire->fd, bytes, count, MSG_NOSIGNAL);
        if (sent == -1 && errno != EINTR)
            return false;
        if (sent == -1)
            continue;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

ssize_t conf_admin_wire_receive(conf_admin_wire_t *wire, char *bytes, size_t count)
{
    ssize_t got;

    if (wire->tls != NULL)
        return weir_tls_caller_receive(wire->tls, bytes, count, wire->why);
    do
        got = recv(wire->fd, bytes, count, 0);
    while (got == -1 && errno == EINTR);
    return got;
}

void conf_admin_wire_close(conf_admin_wire_t *wire)
{
    weir_tls_caller_close(&wire->tls);
    if (wire->fd != -1)
        close(wire->fd);
    wire->fd = -1;
    explicit_bzero(wire->token, sizeof(wire->token));
}
