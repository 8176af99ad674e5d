/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_ADMIN_TCP_H
#define WEIR_CONF_ADMIN_TCP_H
/**
 * @file  The keys of weir.admin for the endpoint over TCP.
 *
 * THREAD   The main one.
 */
#include "conf/yaml.h"
#include "lib/admin/admin.h"
#include "lib/base/arena.h"

/** They, with NULL at the end. */
extern const char *const conf_admin_tcp_keys[];

/** Reads the value of one of them. False: it is none of them. A complaint is left in *out_result: -1. */
bool conf_admin_tcp_read(const char *key, const yoml_t *value, weir_arena_t *arena, weir_admin_place_t *place, int *out_result);
/** Whether they go together, and their files can be used. Returns 0, or -1 after a complaint. */
int conf_admin_tcp_check(const yoml_t *node, const weir_admin_place_t *place);
/** Whether both say the same. */
bool conf_admin_tcp_is(const weir_admin_place_t *one, const weir_admin_place_t *other);
/** A copy of what they say, for good; conf_admin_tcp_forget() ends it. */
void conf_admin_tcp_keep(weir_admin_place_t *to, const weir_admin_place_t *from);
void conf_admin_tcp_forget(weir_admin_place_t *place);

#endif
