/* SPDX-License-Identifier: MIT */
/* The proxy's side. */
#include "conf/porter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/porter_wire.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"

enum { ANSWER_S = 5 /* a disk may be slow */ };

static struct {
    pthread_mutex_t lock;
    int fd; /* -1: there is none */
    pid_t pid;
    bool is_used;
} porter = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* ---- asking ---- */

/* Under the lock. False if it has not answered: then it is not asked again, for its answer might come to another question. */
static bool exchange(const porter_request_t *request, const int *fds, size_t fd_count, porter_answer_t *out_answer, int *out_fd)
{
    int got[PORTER_FDS];
    size_t count = 0;

    *out_fd = -1;
    if (porter.fd == -1 || !porter_send(porter.fd, request, sizeof(*request), fds, fd_count) ||
        !porter_receive(porter.fd, out_answer, sizeof(*out_answer), got, &count)) {
        if (porter.fd != -1) {
            weir_log("porter: it does not answer, and is not asked any more");
            close(porter.fd);
        }
        porter.fd = -1;
        return false;
    }
    if (count > 0)
        *out_fd = got[0];
    return true;
}

/* Returns what came of it: 0, or -1 with errno. */
static int ask(const porter_request_t *request, const int *fds, size_t fd_count, int *out_number, int *out_fd)
{
    porter_answer_t answer = {.error = EPIPE};

    pthread_mutex_lock(&porter.lock);
    const bool is_answered = exchange(request, fds, fd_count, &answer, out_fd);
    pthread_mutex_unlock(&porter.lock);
    answer.problem[sizeof(answer.problem) - 1] = '\0';
    if (is_answered && answer.problem[0] != '\0')
        weir_log("porter: %s%s%s", request->path, request->path[0] != '\0' ? ": " : "", answer.problem);
    if (out_number != NULL)
        *out_number = answer.number;
    errno = answer.error;
    return answer.error == 0 ? 0 : -1;
}

static int ask_about_file(porter_wish_t wish, const char *path, int *out_fd)
{
    porter_request_t request = {.wish = wish};

    if (strlen(path) >= sizeof(request.path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(request.path, path, strlen(path));
    return ask(&request, NULL, 0, NULL, out_fd);
}

static int ask_to_read(const char *path)
{
    int fd;

    return ask_about_file(PORTER_READ, path, &fd) == 0 ? fd : -1;
}

static int ask_to_append(const char *path)
{
    int fd;

    return ask_about_file(PORTER_APPEND, path, &fd) == 0 ? fd : -1;
}

static int ask_to_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    porter_request_t request = {.wish = PORTER_BIND, .address_len = len};
    int none;

    memcpy(&request.address, address, len);
    return ask(&request, &fd, 1, NULL, &none);
}

static int ask_to_remove(const char *path)
{
    int none;

    return ask_about_file(PORTER_REMOVE, path, &none);
}

void conf_porter_read_again(bool is_last_in_use)
{
    const porter_request_t request = {.wish = PORTER_RENEW, .is_set = is_last_in_use};
    int none;

    if (porter.is_used)
        (void)ask(&request, NULL, 0, NULL, &none);
}

/* ---- a successor ---- */

static int hand(const conf_handed_t *sockets, size_t count)
{
    porter_request_t request = {.wish = PORTER_HAND};
    int fds[PORTER_FDS], none;

    for (size_t i = 0; i < count; i++) {
        fds[i] = sockets[i].fd;
        request.is_foreign[i] = sockets[i].is_foreign;
    }
    return ask(&request, fds, count, NULL, &none);
}

int conf_porter_start_successor(const conf_handed_t *sockets, size_t count, int ready_fd, pid_t *out_pid)
{
    const porter_request_t request = {.wish = PORTER_START};
    int none;

    for (size_t i = 0; i < count; i += PORTER_FDS)
        if (hand(sockets + i, count - i < PORTER_FDS ? count - i : PORTER_FDS) != 0)
            return errno;
    return ask(&request, &ready_fd, 1, out_pid, &none) == 0 ? 0 : errno;
}

int conf_porter_end_successor(bool must_kill)
{
    const porter_request_t request = {.wish = PORTER_WAIT, .is_set = must_kill};
    int status = 0, none;

    (void)ask(&request, NULL, 0, &status, &none);
    return status;
}

/* ---- life ---- */

static void become_porter(int fd, const char *file)
{
    /* Sockets that were handed over, the pipe of a predecessor: who waits for their end must not wait for ours */
    (void)((fd > 3 && close_range(3, (unsigned)fd - 1, 0) == -1) || close_range((unsigned)fd + 1, ~0U, 0) == -1);
    const int errors_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct rlimit files;

    /* What is wrong with a configuration the proxy says itself. */
    if (nowhere == -1 || dup2(nowhere, STDERR_FILENO) == -1)
        _exit(1);
    close(nowhere);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a successor's sockets pass through here */
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_NAME, "weir-porter");
    porter_serve(fd, file, errors_fd);
}

void conf_porter_begin(const char *file)
{
    const struct timeval patience = {.tv_sec = ANSWER_S};
    int ends[2];

    if (geteuid() != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    porter.pid = fork();
    if (porter.pid == 0) {
        close(ends[0]);
        become_porter(ends[1], file);
    }
    close(ends[1]);
    if (porter.pid == -1) {
        close(ends[0]);
        return;
    }
    WEIR_MUST(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
              setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    porter.fd = ends[0];
}

void conf_porter_use(void)
{
    static const weir_rights_t rights = {
        .read = ask_to_read, .append = ask_to_append, .bind = ask_to_bind, .remove = ask_to_remove};

    porter.is_used = porter.fd != -1;
    conf_porter_read_again(false);
    if (porter.is_used)
        weir_rights_by(&rights);
}

bool conf_porter_is_used(void)
{
    pthread_mutex_lock(&porter.lock);
    const bool is_used = porter.is_used && porter.fd != -1;
    pthread_mutex_unlock(&porter.lock);
    return is_used;
}

void conf_porter_end(void)
{
    const bool is_idle = !porter.is_used;

    weir_rights_by(NULL);
    porter.is_used = false;
    if (porter.fd == -1)
        return;
    close(porter.fd);
    porter.fd = -1;
    if (is_idle) /* else the process is at its end, and one that hangs on a disk must not hold it */
        (void)waitpid(porter.pid, NULL, 0);
}
