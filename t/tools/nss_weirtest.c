/* SPDX-License-Identifier: MIT */
/*
 * A module of nsswitch.conf, "weirtest": alive.weirtest is 127.0.1.1, sleeps.weirtest takes a minute, nothing else exists.
 * Each question is a line in the file that WEIRTEST_LOG names.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *name)
{
    const char *path = getenv("WEIRTEST_LOG");
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd == -1)
        return;
    dprintf(fd, "%s\n", name);
    close(fd);
}

enum nss_status _nss_weirtest_gethostbyname4_r(const char *name, struct gaih_addrtuple **out_first, char *buffer, size_t bytes,
                                               int *out_errno, int *out_h_errno, int32_t *out_ttl)
{
    struct gaih_addrtuple *at = *out_first != NULL ? *out_first : (struct gaih_addrtuple *)(void *)buffer;

    note(name);
    if (strcmp(name, "sleeps.weirtest") == 0)
        sleep(60);
    *out_errno = ENOENT;
    *out_h_errno = HOST_NOT_FOUND;
    if (strcmp(name, "alive.weirtest") != 0)
        return NSS_STATUS_NOTFOUND;
    *at = (struct gaih_addrtuple){.next = *out_first != NULL ? at->next : NULL, .name = (char *)name, .family = AF_INET};
    inet_pton(AF_INET, "127.0.1.1", at->addr);
    *out_first = at;
    *out_errno = *out_h_errno = 0;
    return NSS_STATUS_SUCCESS;
}
