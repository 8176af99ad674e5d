/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_ADMIN_H
#define WEIR_CONF_ADMIN_H
/**
 * @file  weir.admin: where the admin endpoint is, and what answers there.
 *
 * THREAD   The main one.
 */
#include "conf/yaml.h"
#include "lib/admin/admin.h"
#include "lib/base/arena.h"

/** Reads the directive. Returns 0, or -1 after a complaint. */
int conf_admin_read(const yoml_t *node, weir_arena_t *arena, weir_admin_place_t *out_place);

/** Opens it, if there is to be one: while the process has its rights. False after a complaint. */
bool conf_admin_bind(const weir_admin_place_t *place);
/** Serves. Harmless without one. */
void conf_admin_start(void);
/** Whether it is there. */
bool conf_admin_is(const weir_admin_place_t *place);
/** A successor serves: nobody else comes here over TCP. Harmless without one. */
void conf_admin_retire(void);
/** The process ends. A successor has taken the name of the socket by then, or it goes. Harmless without one. */
void conf_admin_stop(void);

#endif
