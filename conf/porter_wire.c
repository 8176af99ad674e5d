/* SPDX-License-Identifier: MIT */
#include "conf/porter_wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool porter_send(int fd, const void *packet, size_t len, const int *fds, size_t fd_count)
{
    char control[CMSG_SPACE(PORTER_FDS * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)packet, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t sent;

    if (fd_count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent == -1 && errno == EINTR);
    return sent == (ssize_t)len;
}

bool porter_receive(int fd, void *packet, size_t len, int fds[static PORTER_FDS], size_t *out_count)
{
    char control[CMSG_SPACE(PORTER_FDS * sizeof(int))] __attribute__((aligned(8)));
    struct iovec piece = {.iov_base = packet, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t got;

    *out_count = 0;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got == -1 && errno == EINTR);
    if (got <= 0)
        return false;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        *out_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), *out_count * sizeof(int));
    }
    if (got == (ssize_t)len && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return true;
    for (size_t i = 0; i < *out_count; i++)
        close(fds[i]);
    *out_count = 0;
    errno = EPROTO;
    return false;
}
