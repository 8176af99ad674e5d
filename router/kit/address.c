/* SPDX-License-Identifier: MIT */
#include "address.h"

#include "alloc.h"

kit_manner_t *kit_manner_create(void)
{
    kit_manner_t *manner = kit_alloc(1, sizeof(*manner));

    atomic_init(&manner->holders, 1);
    return manner;
}

kit_manner_t *kit_manner_hold(kit_manner_t *manner)
{
    atomic_fetch_add_explicit(&manner->holders, 1, memory_order_relaxed);
    return manner;
}

bool kit_manner_is_as(const kit_manner_t *one, const kit_manner_t *other)
{
    return one->protocol == other->protocol && one->keepalive == other->keepalive && one->tls == NULL && other->tls == NULL &&
           one->protocol != WEIR_FASTCGI;
}

void kit_manner_release(void *of)
{
    kit_manner_t *manner = of;

    if (manner == NULL || atomic_fetch_sub_explicit(&manner->holders, 1, memory_order_acq_rel) > 1)
        return;
    weir_backend_tls_release(manner->tls);
    scripts_finish(&manner->fastcgi);
    free(manner);
}

kit_address_t *kit_address_create(const struct weir_member *of, const place_t *place, const char *name, kit_manner_t *manner,
                                  char *problem, size_t problem_bytes)
{
    kit_address_t *address = kit_alloc(1, sizeof(*address));
    const bool is_path = place->port == 0 && place->worker == 0;
    const weir_protocol_t protocol = place->worker != 0 ? place->worker_protocol : manner->protocol;
    const weir_endpoint_settings_t settings = {
        .size = sizeof(settings),
        .host = is_path ? NULL : place->host,
        .path = is_path ? place->host : NULL,
        .port = place->port,
        .name = name,
        .protocol = protocol,
        .tls = place->is_https ? manner->tls : NULL,
        .fastcgi = protocol == WEIR_FASTCGI ? &manner->fastcgi : NULL,
        .server_name = place->server_name,
        .worker = place->worker,
    };

    atomic_init(&address->holders, 1);
    address->of = of;
    address->manner = kit_manner_hold(manner);
    address->host = kit_copy(place->host);
    address->name = kit_copy(name);
    address->server_name = kit_copy(place->server_name);
    address->port = place->port;
    address->worker = place->worker;
    address->protocol = protocol;
    address->is_https = place->is_https;
    address->endpoint = weir_endpoint_create(&settings, problem, problem_bytes);
    if (address->endpoint != NULL)
        return address;
    kit_address_release(address);
    return NULL;
}

kit_address_t *kit_address_hold(kit_address_t *address)
{
    atomic_fetch_add_explicit(&address->holders, 1, memory_order_relaxed);
    return address;
}

void kit_address_release(void *of)
{
    kit_address_t *address = of;

    if (address == NULL || atomic_fetch_sub_explicit(&address->holders, 1, memory_order_acq_rel) > 1)
        return;
    weir_endpoint_destroy(&address->endpoint);
    kit_manner_release(address->manner);
    free(address->host);
    free(address->name);
    free(address->server_name);
    free(address);
}

bool kit_address_is_as(const kit_address_t *address, const place_t *place, const char *name, const kit_manner_t *manner)
{
    return address->manner == manner && kit_address_is_at(address, place) && kit_is_same_text(address->name, name) &&
           kit_is_same_text(address->server_name, place->server_name);
}

bool kit_address_is_at(const kit_address_t *address, const place_t *place)
{
    return address->worker == place->worker && address->port == place->port && address->is_https == place->is_https &&
           strcmp(address->host, place->host) == 0;
}
