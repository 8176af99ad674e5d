/* SPDX-License-Identifier: MIT */
#include "lib/base/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static _Atomic(const weir_rights_t *) other;

void weir_rights_by(const weir_rights_t *rights)
{
    atomic_store(&other, rights);
}

/* Who is to be asked about what has just failed with errno; NULL: nobody. */
static const weir_rights_t *who_may(void)
{
    return errno == EACCES || errno == EPERM ? atomic_load(&other) : NULL;
}

int weir_rights_read(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const weir_rights_t *asked = fd == -1 ? who_may() : NULL;

    return asked != NULL ? asked->read(path) : fd;
}

int weir_rights_append(const char *path)
{
    const weir_rights_t *asked = who_may();

    return asked != NULL ? asked->append(path) : -1;
}

int weir_rights_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    const int result = bind(fd, address, len);
    /* A socket that overlaps one of root's, from the start, has to be root's, too */
    const bool is_taken = result == -1 && errno == EADDRINUSE;
    const weir_rights_t *asked = is_taken ? atomic_load(&other) : result == -1 ? who_may() : NULL;

    return asked != NULL ? asked->bind(fd, address, len) : result;
}

int weir_rights_remove(const char *path)
{
    const int result = unlink(path);
    const weir_rights_t *asked = result == -1 ? who_may() : NULL;

    return asked != NULL ? asked->remove(path) : result;
}
