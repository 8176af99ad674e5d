/* SPDX-License-Identifier: MIT */
#include "conf/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void notify(const char *state, int flags)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = name != NULL ? strlen(name) : 0;
    int fd;

    if (len < 2 || len >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract one: its length counts */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags, (struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == -1)
        (void)fd; /* whoever listens will notice that nothing came */
    close(fd);
}

void conf_notify(const char *state)
{
    notify(state, 0);
}

void conf_notify_now(const char *state)
{
    notify(state, MSG_DONTWAIT);
}
