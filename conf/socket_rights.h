/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_SOCKET_RIGHTS_H
#define WEIR_CONF_SOCKET_RIGHTS_H
/**
 * @file  `owner`, `group` and `permission` of a unix socket. Each returns 0, or -1 after a complaint.
 */
#include <sys/types.h>

#include "yoml.h"

/** The group becomes the user's if it is (gid_t)-1 yet. */
int conf_socket_owner(const yoml_t *value, uid_t *out_owner, gid_t *group);
int conf_socket_group(const yoml_t *value, gid_t *out_group);
/** An octal number, as "0660". */
int conf_socket_permission(const yoml_t *value, mode_t *out_permission);

#endif
