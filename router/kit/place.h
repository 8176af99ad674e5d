/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_PLACE_H
#define WEIR_KIT_PLACE_H
/**
 * @file  Where a backend lives, as configuration says it: "host:port", "[v6]:port", "https://host:port", "unix:/path".
 *
 * Behind "dns:" (only where that is said) stands a name, with "https://" or not, of which each address is a place of its own.
 */
#include "weir_host.h"

typedef struct place {
    char *host;    /* or the path of a socket */
    uint16_t port; /* 0: it is a path         */
    bool is_https;
    char *server_name;       /* of an address of "dns:https://…": who it must be; NULL: `host`. Borrowed */
    weir_backend_tls_t *tls; /* borrowed; NULL: plain */
    uint64_t worker;         /* the number of one that has dialled in, `host` is its id then; 0: none. See workers.h */
    weir_protocol_t worker_protocol;
} place_t;

/** Reads one place. False after a complaint about `node`; then nothing needs to be freed. */
bool place_read(const weir_config_t *node, place_t *out);

/** The same of a text that stands in `node`. */
bool place_read_text(const weir_config_t *node, const char *text, place_t *out);

/** Reads a list of them, or a single one. places_free() also what a false return left. */
bool places_read(const weir_config_t *node, place_t **out_places, size_t *out_count);

/**
 * Gives those of the places that are https their TLS: as the map `node` (NULL: the defaults) says. *out_tls is to be released
 * behind the places; NULL if there are none of that kind. False after a complaint.
 */
bool places_secure(const weir_config_t *node, place_t *places, size_t count, weir_backend_tls_t **out_tls);

/** Answers with this place. */
weir_answer_t place_answer(const place_t *place, weir_q_backend_t *q);

void places_free(place_t *places, size_t count);

/** A node's list entry `index`, or the node itself if it is a single value. */
const weir_config_t *kit_entry_at(const weir_config_t *node, size_t index);
/** How many entries a list has; 1 for a single value. */
size_t kit_entry_count(const weir_config_t *node);

#endif
