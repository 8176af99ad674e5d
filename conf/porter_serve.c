/* SPDX-License-Identifier: MIT */
/* The porter's side. Whoever asks may be in somebody else's hands: nothing of a request is believed. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/porter_wire.h"
#include "conf/upgrade.h"
#include "lib/base/must.h"
#include "lib/walk/address.h"
#include "lib/wire/door/inherited.h"

typedef struct porter {
    int fd;
    const char *file;
    int errors_fd; /* a successor's standard error */
    bool is_read;  /* the configuration, since the proxy has read it */
    conf_handed_t handed[WEIR_INHERITED_MOST];
    size_t handed_count;
    pid_t successor; /* 0: none */
} porter_t;

typedef struct task {
    porter_t *porter;
    porter_request_t request;
    int fds[PORTER_FDS];
    size_t fd_count;
    porter_answer_t answer;
    int out_fd; /* -1: none */
} task_t;

static void fail(task_t *task, int error)
{
    task->answer.error = error != 0 ? error : EACCES;
}

/* Whether the path is named for this, and where it leads to. */
static bool may(task_t *task, conf_right_t right, char out_path[static 4096], bool *out_is_open)
{
    if (conf_rules_name(right, task->request.path, task->answer.problem) &&
        conf_rules_resolve(task->request.path, out_path, out_is_open, task->answer.problem))
        return true;
    fail(task, errno);
    return false;
}

static void do_read(task_t *task)
{
    char path[4096];

    if (!may(task, CONF_RIGHT_READ, path, NULL))
        return;
    task->out_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (task->out_fd == -1)
        fail(task, errno);
}

/* As weir_log_open_file(), but what the path leads to was looked at already. */
static int open_log(const char *path)
{
    const int flags = O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
    struct stat what;

    if (lstat(path, &what) == 0 && S_ISFIFO(what.st_mode))
        return open(path, O_RDWR | flags);
    return open(path, O_WRONLY | O_CREAT | flags, 0644);
}

/* In a folder of `user`'s: what root has made there at the start, and nobody can have put there from elsewhere. */
static int open_own_log(const char *path, char problem[static CONF_PROBLEM_BYTES])
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    struct stat what;

    if (fd == -1 || (fstat(fd, &what) == 0 && S_ISREG(what.st_mode) && what.st_uid == geteuid() && what.st_nlink == 1))
        return fd;
    close(fd);
    snprintf(problem, CONF_PROBLEM_BYTES, "`user` may write to the folder, and this is no file of root's own");
    errno = EPERM;
    return -1;
}

static void do_append(task_t *task)
{
    char path[4096];
    bool is_open;

    if (!may(task, CONF_RIGHT_APPEND, path, &is_open))
        return;
    task->out_fd = is_open ? open_own_log(path, task->answer.problem) : open_log(path);
    if (task->out_fd == -1)
        fail(task, errno);
}

static void do_bind(task_t *task)
{
    const struct sockaddr *address = (const struct sockaddr *)&task->request.address;
    int domain = AF_UNSPEC;
    socklen_t len = sizeof(domain);

    if (task->fd_count != 1 || getsockopt(task->fds[0], SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
        (domain != AF_INET && domain != AF_INET6) || address->sa_family != domain ||
        task->request.address_len > sizeof(task->request.address)) {
        fail(task, EINVAL);
        return;
    }
    if (!conf_rules_name_port(weir_address_port(address))) {
        snprintf(task->answer.problem, sizeof(task->answer.problem), "the configuration does not name the port");
        fail(task, EACCES);
        return;
    }
    /* Sockets that overlap, as one of root's from the start may do, must have one owner */
    if (fchown(task->fds[0], geteuid(), (gid_t)-1) != 0 || bind(task->fds[0], address, task->request.address_len) != 0)
        fail(task, errno);
}

static void do_remove(task_t *task)
{
    char path[4096];

    if (may(task, CONF_RIGHT_REMOVE, path, NULL) && unlink(path) != 0)
        fail(task, errno);
}

static void do_renew(task_t *task)
{
    if (task->request.is_set)
        conf_rules_settle();
    task->porter->is_read = false;
}

static void do_hand(task_t *task)
{
    porter_t *porter = task->porter;

    for (size_t i = 0; i < task->fd_count && porter->handed_count < WEIR_INHERITED_MOST; i++) {
        porter->handed[porter->handed_count++] = (conf_handed_t){.fd = task->fds[i], .is_foreign = task->request.is_foreign[i]};
        task->fds[i] = -1;
    }
}

static void do_start(task_t *task)
{
    porter_t *porter = task->porter;
    pid_t pid = 0;

    if (task->fd_count == 1)
        fail(task, conf_upgrade_start(porter->handed, porter->handed_count, task->fds[0], porter->errors_fd, &pid));
    if (pid != 0)
        task->answer.error = 0;
    task->answer.number = porter->successor = pid;
    for (size_t i = 0; i < porter->handed_count; i++)
        close(porter->handed[i].fd);
    porter->handed_count = 0;
}

static void do_wait(task_t *task)
{
    if (task->porter->successor == 0)
        return;
    task->answer.number = conf_upgrade_reap(task->porter->successor, task->request.is_set);
    task->porter->successor = 0;
}

static void (*const wishes[])(task_t *task) = {
    [PORTER_READ] = do_read,   [PORTER_APPEND] = do_append, [PORTER_BIND] = do_bind,   [PORTER_REMOVE] = do_remove,
    [PORTER_RENEW] = do_renew, [PORTER_HAND] = do_hand,     [PORTER_START] = do_start, [PORTER_WAIT] = do_wait,
};

static bool needs_rules(porter_wish_t wish)
{
    return wish <= PORTER_REMOVE;
}

static bool read_rules(task_t *task)
{
    porter_t *porter = task->porter;

    if (!needs_rules(task->request.wish) || porter->is_read)
        return true;
    porter->is_read = conf_rules_load(porter->file, task->answer.problem);
    if (!porter->is_read)
        fail(task, errno);
    return porter->is_read;
}

static void answer(task_t *task)
{
    task->request.path[sizeof(task->request.path) - 1] = '\0';
    if ((unsigned)task->request.wish >= sizeof(wishes) / sizeof(wishes[0]))
        fail(task, EINVAL);
    else if (read_rules(task))
        wishes[task->request.wish](task);
    (void)porter_send(task->porter->fd, &task->answer, sizeof(task->answer), &task->out_fd, task->out_fd != -1 ? 1 : 0);
    if (task->out_fd != -1)
        close(task->out_fd);
    for (size_t i = 0; i < task->fd_count; i++)
        if (task->fds[i] != -1)
            close(task->fds[i]);
}

void porter_serve(int fd, const char *file, int errors_fd)
{
    porter_t *porter = calloc(1, sizeof(*porter));
    task_t *task = calloc(1, sizeof(*task));

    WEIR_MUST(porter != NULL && task != NULL);
    porter->fd = fd;
    porter->file = file;
    porter->errors_fd = errors_fd;
    for (;;) {
        memset(task, 0, sizeof(*task));
        task->porter = porter;
        task->out_fd = -1;
        if (!porter_receive(fd, &task->request, sizeof(task->request), task->fds, &task->fd_count))
            _exit(0);
        answer(task);
        if (task->request.wish ==
            PORTER_RENEW) /* beside the proxy, which reads it as well; if it goes wrong, once more when asked */
            porter->is_read = conf_rules_load(file, task->answer.problem);
    }
}
