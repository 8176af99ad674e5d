/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_ROUTERS_PLACE_H
#define WEIR_T_ROUTERS_PLACE_H
/** @file  Where a backend of a test's router lives: read from its configuration, told to the proxy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir.h>

/* What a module may export besides its table. */
bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared);
void weir_router_release(weir_shared_t *shared);

typedef struct place {
    char host[128];
    uint16_t port; /* 0: host is the path of a socket */
} place_t;

/** Reads "host:port" or "unix:/path". False after a complaint about `node`, or about `parent` if that is NULL. */
static inline bool place_read(const weir_config_t *node, const weir_config_t *parent, place_t *out)
{
    const char *text = weir_config_text(node), *colon = text == NULL ? NULL : strrchr(text, ':');

    if (colon == NULL)
        return weir_config_wrong(node != NULL ? node : parent, "a backend is host:port or unix:path");
    if (strncmp(text, "unix:", 5) == 0) {
        snprintf(out->host, sizeof(out->host), "%s", text + 5);
        out->port = 0;
        return true;
    }
    snprintf(out->host, sizeof(out->host), "%.*s", (int)(colon - text), text);
    out->port = (uint16_t)atoi(colon + 1);
    return true;
}

static inline weir_answer_t place_answer(const place_t *place, weir_q_backend_t *q)
{
    return place->port == 0 ? weir_backend_at_path(q, place->host) : weir_backend_at(q, place->host, place->port);
}

#endif
