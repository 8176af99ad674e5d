/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_DESCRIBE_H
#define WEIR_ROUTER_DESCRIBE_H
/**
 * @file  What a router says of its groups and services: describe_group, describe_service. Private to router/.
 */
#include "router/ask.h"

struct weir_description {
    weir_arena_t *arena; /* where what is said is copied to */
    weir_span_t name;
};

/** The name of the group that a lookup has found, in x->arena; base NULL if the router says none. */
weir_span_t ask_name_of_group(weir_exchange_t *x, const weir_group_t *group);

/** The name of a service, likewise. */
weir_span_t ask_name_of_service(weir_exchange_t *x, const weir_service_t *service);

#endif
