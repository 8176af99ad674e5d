/* SPDX-License-Identifier: MIT */
#include "conf/socket_rights.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "conf/complain.h"

int conf_socket_owner(const yoml_t *value, uid_t *out_owner, gid_t *group)
{
    const struct passwd *user = getpwnam(value->data.scalar);

    if (user == NULL)
        return conf_complain(value, "there is no user %s", value->data.scalar);
    *out_owner = user->pw_uid;
    if (*group == (gid_t)-1)
        *group = user->pw_gid;
    return 0;
}

int conf_socket_group(const yoml_t *value, gid_t *out_group)
{
    const struct group *group = getgrnam(value->data.scalar);

    if (group == NULL)
        return conf_complain(value, "there is no group %s", value->data.scalar);
    *out_group = group->gr_gid;
    return 0;
}

int conf_socket_permission(const yoml_t *value, mode_t *out_permission)
{
    char *end;
    unsigned long mode = strtoul(value->data.scalar, &end, 8);

    if (value->data.scalar[0] < '0' || value->data.scalar[0] > '7' || *end != '\0' || mode == 0 || mode > 07777)
        return conf_complain(value, "permission must be an octal number");
    *out_permission = (mode_t)mode;
    return 0;
}
