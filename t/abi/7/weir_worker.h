/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef struct weir_worker_claim {
    size_t size;
    weir_span_t app;
    weir_span_t id;
    weir_span_t version;
    uint32_t weight;
    uint32_t connections;
    size_t domain_count;
    weir_span_t (*domain)(const struct weir_worker_claim *claim, size_t index);
    bool needs_token;
    bool has_token;
    bool needs_certificate;
    bool has_certificate;
    bool may_create;
    bool is_again;
    uint8_t token_sha256[32];
    const void *of;
} weir_worker_claim_t;
typedef struct weir_worker_facts {
    size_t size;
    uint64_t number;
    weir_span_t app, id, version, health, peer;
    weir_protocol_t protocol;
    uint32_t weight;
    uint32_t connections;
    uint32_t capacity;
    uint64_t joined_at_us;
    size_t domain_count;
    weir_span_t (*domain)(const struct weir_worker_facts *facts, size_t index);
    const void *of;
} weir_worker_facts_t;
WEIR_MODULE uint16_t weir_router_worker(weir_shared_t *shared, const weir_worker_claim_t *claim, char *why, size_t why_bytes);
WEIR_MODULE void weir_router_workers(weir_shared_t *shared, weir_span_t app);
typedef uint16_t weir_router_worker_t(weir_shared_t *shared, const weir_worker_claim_t *claim, char *why, size_t why_bytes);
typedef void weir_router_workers_t(weir_shared_t *shared, weir_span_t app);
WEIR_API void weir_worker_each(weir_span_t app, void (*visit)(const weir_worker_facts_t *facts, void *context), void *context);
WEIR_API size_t weir_worker_count(void);
WEIR_C_END
#endif
