/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_CERTIFICATE_H
#define WEIR_WALK_CERTIFICATE_H
/**
 * @file  The certificate that a client has shown, and what is read in it when somebody asks. Implemented by lib/wire and
 * t/unit/fake_*.c.
 *
 * OWNER    Shared, by count: the client's connection holds it, and each of its exchanges. What was read lives as long.
 * THREAD   Any.
 */
#include "weir_request.h"

typedef struct weir_certificate weir_certificate_t;

typedef struct weir_certificate_name {
    weir_client_name_t kind;
    weir_span_t text;
} weir_certificate_name_t;

/** base is NULL where there is nothing, or what there is breaks a limit. */
typedef struct weir_certificate_facts {
    weir_span_t subject, issuer, serial, sha256;
    uint64_t not_after_ms;
    const weir_certificate_name_t *names;
    size_t name_count;
} weir_certificate_facts_t;

/** Reads it, the first time. Borrowed from the certificate. */
const weir_certificate_facts_t *weir_certificate_facts(weir_certificate_t *certificate);

/** Lets go of it and nulls the pointer; harmless on NULL. */
void weir_certificate_release(weir_certificate_t **slot);

#endif
