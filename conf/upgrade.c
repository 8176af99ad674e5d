/* SPDX-License-Identifier: MIT */
#include "conf/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/init.h"
#include "conf/metrics_endpoint.h"
#include "conf/porter.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/walk/address.h"
#include "lib/wire/door/inherited.h"

enum { WAIT_MS = 60000, SOCKETS_BYTES = 120 * 1024 /* the kernel takes 128 KiB a variable */ };

static const char ready_variable[] = "WEIR_UPGRADE";

static struct {
    char *program; /* NULL: not known */
    char **argv;   /* the process's   */
    sigset_t signals;
    int ready_fd; /* to the predecessor; -1: there is none */
    int give_up_fd;
    _Atomic pid_t successor;
} known = {.ready_fd = -1, .give_up_fd = -1};

/* ---- how we were started ---- */

static char *must_have(char *memory)
{
    WEIR_MUST(memory != NULL);
    return memory;
}

static char *join(const char *folder, size_t len, const char *name)
{
    char *path;

    WEIR_MUST(asprintf(&path, "%.*s/%s", (int)len, folder, name) != -1);
    return path;
}

/* Where the shell has found it. NULL: nowhere. */
static char *search(const char *name)
{
    for (const char *at = getenv("PATH"); at != NULL; at = strchr(at, ':') != NULL ? strchr(at, ':') + 1 : NULL) {
        char *path = join(at, strcspn(at, ":"), name);
        if (path[0] == '/' && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/* By its name, not as what that leads to: a link to the newest version is meant to be followed again. */
static char *find_program(const char *name)
{
    char here[4096], *path;
    ssize_t len;

    if (name[0] == '/')
        return must_have(strdup(name));
    if (strchr(name, '/') != NULL && getcwd(here, sizeof(here)) != NULL)
        return join(here, strlen(here), name);
    path = search(name);
    if (path != NULL)
        return path;
    len = readlink("/proc/self/exe", here, sizeof(here) - 1);
    return len > 0 ? must_have(strndup(here, (size_t)len)) : NULL;
}

void conf_upgrade_know(char **argv)
{
    conf_upgrade_forget();
    known.argv = argv;
    known.program = find_program(argv[0]);
    known.give_up_fd = eventfd(0, EFD_CLOEXEC);
    WEIR_MUST(known.give_up_fd != -1);
    pthread_sigmask(SIG_SETMASK, NULL, &known.signals);
}

void conf_upgrade_forget(void)
{
    free(known.program);
    known.program = NULL;
    if (known.give_up_fd != -1)
        close(known.give_up_fd);
    if (known.ready_fd != -1)
        close(known.ready_fd);
    known.give_up_fd = known.ready_fd = -1;
}

/* ---- the successor's side ---- */

void conf_upgrade_read(void)
{
    const char *text = getenv(ready_variable);
    char *end;
    long fd = text != NULL ? strtol(text, &end, 10) : -1;

    unsetenv(ready_variable);
    if (fd >= 3 && fd <= INT32_MAX && *end == '\0' && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
        known.ready_fd = (int)fd;
}

bool conf_upgrade_is_awaited(void)
{
    return known.ready_fd != -1;
}

bool conf_upgrade_tell(void)
{
    const int fd = known.ready_fd;
    bool is_awaited = true;

    if (fd == -1)
        return true;
    known.ready_fd = -1;
    is_awaited = write(fd, "1", 1) == 1;
    close(fd);
    return is_awaited;
}

/* ---- the predecessor's ---- */

/* One entry of "80=7;unix:/run/weir.sock=8;…". Returns its length. */
static size_t name_socket(char *text, size_t size, const conf_handed_t *handed)
{
    weir_address_t address = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof(address);
    int written;

    (void)getsockname(handed->fd, &address.any, &len);
    if (address.any.sa_family == AF_UNIX)
        written = snprintf(text, size, "%s%s=%d;", handed->is_foreign ? "" : "unix:", address.path.sun_path, handed->fd);
    else
        written = snprintf(text, size, "%u=%d;", weir_address_port(&address.any), handed->fd);
    return (size_t)written;
}

/* The variable with all of them; NULL if they are too many. To be freed. */
static char *name_sockets(const conf_handed_t *sockets, size_t count)
{
    static const char variable[] = "SERVER_STARTER_PORT=";
    char *text = must_have(malloc(SOCKETS_BYTES));
    size_t len = sizeof(variable) - 1;

    memcpy(text, variable, sizeof(variable));
    for (size_t i = 0; i < count && len < SOCKETS_BYTES; i++)
        len += name_socket(text + len, SOCKETS_BYTES - len, &sockets[i]);
    if (len < SOCKETS_BYTES)
        return text;
    free(text);
    return NULL;
}

/* The process's own environment, and two variables more. To be freed, not what is in it. */
static char **make_environment(char *sockets, char *ready)
{
    size_t count = 0;
    char **all;

    while (environ[count] != NULL)
        count++;
    all = calloc(count + 3, sizeof(*all));
    WEIR_MUST(all != NULL);
    memcpy(all, environ, count * sizeof(*all));
    all[count] = sockets;
    all[count + 1] = ready;
    return all;
}

/* A descriptor that is made a copy of itself is not closed on exec. Returns 0, or what errno would be. */
static int start(const conf_handed_t *sockets, size_t count, int ready_fd, int errors_fd, char **environment, pid_t *out_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t defaults;
    int error;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    WEIR_MUST(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&how) == 0 &&
              posix_spawnattr_setsigmask(&how, &known.signals) == 0 && posix_spawnattr_setsigdefault(&how, &defaults) == 0 &&
              posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0 &&
              posix_spawn_file_actions_adddup2(&files, errors_fd, STDERR_FILENO) == 0 &&
              posix_spawn_file_actions_adddup2(&files, ready_fd, ready_fd) == 0);
    for (size_t i = 0; i < count; i++)
        WEIR_MUST(posix_spawn_file_actions_adddup2(&files, sockets[i].fd, sockets[i].fd) == 0);
    error = posix_spawn(out_pid, known.program, &files, &how, known.argv, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return error;
}

int conf_upgrade_start(const conf_handed_t *sockets, size_t count, int ready_fd, int errors_fd, pid_t *out_pid)
{
    char *names = name_sockets(sockets, count), **environment, ready[32];
    int error;

    if (names == NULL)
        return E2BIG;
    snprintf(ready, sizeof(ready), "%s=%d", ready_variable, ready_fd);
    environment = make_environment(names, ready);
    error = start(sockets, count, ready_fd, errors_fd, environment, out_pid);
    free(environment);
    free(names);
    return error;
}

int conf_upgrade_reap(pid_t pid, bool must_kill)
{
    int status = 0;

    if (must_kill)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    return status;
}

static void say_end(pid_t pid, bool must_kill)
{
    const int status = conf_porter_is_used() ? conf_porter_end_successor(must_kill) : conf_upgrade_reap(pid, must_kill);

    if (WIFSIGNALED(status))
        weir_log("upgrade: the successor was killed by signal %d before it served", WTERMSIG(status));
    else
        weir_log("upgrade: the successor has ended with status %d before it served", WEXITSTATUS(status));
}

/* A successor that is given up finds that nobody waits for it, and ends. */
static bool wait_until_it_serves(int ready_fd, pid_t pid)
{
    struct pollfd either[] = {{.fd = ready_fd, .events = POLLIN}, {.fd = known.give_up_fd, .events = POLLIN}};
    int ready_count;
    char byte;

    do
        ready_count = poll(either, 2, WAIT_MS);
    while (ready_count == -1 && errno == EINTR);
    if (either[0].revents != 0 && read(ready_fd, &byte, 1) == 1)
        return true;
    if (either[0].revents != 0) {
        say_end(pid, false);
        return false;
    }
    weir_log("upgrade: %s",
             ready_count == 0 ? "the successor does not serve after a minute" : "given up: the proxy is told to end");
    if (ready_count == 0)
        say_end(pid, true);
    return false;
}

static bool fail(int error)
{
    weir_log("upgrade: %s cannot be started: %s", known.program != NULL ? known.program : "the program", strerror(error));
    return false;
}

/* Here, or by who has the rights that a start needs. Returns 0, or what errno would be. */
static int start_successor(const weir_handed_t *sockets, size_t count, int ready_fd, int errors_fd, pid_t *out_pid)
{
    conf_handed_t *handed = calloc(count + 1, sizeof(*handed));
    const int metrics_fd = conf_metrics_endpoint_fd();
    int error;

    WEIR_MUST(handed != NULL);
    for (size_t i = 0; i < count; i++)
        handed[i] = (conf_handed_t){.fd = sockets[i].fd, .is_foreign = weir_inherited_is_foreign(sockets[i].listen)};
    if (metrics_fd != -1)
        handed[count++] = (conf_handed_t){.fd = metrics_fd};
    error = conf_porter_is_used() ? conf_porter_start_successor(handed, count, ready_fd, out_pid)
                                  : conf_upgrade_start(handed, count, ready_fd, errors_fd, out_pid);
    free(handed);
    return error;
}

bool conf_upgrade(const weir_handed_t *sockets, size_t count, int errors_fd)
{
    int ends[2];
    pid_t pid = 0;

    if (conf_init_is_there()) {
        weir_log("upgrade: not below process 1, which ends with this one, and everything else with it");
        return false;
    }
    if (known.program == NULL || pipe2(ends, O_CLOEXEC) == -1)
        return fail(known.program == NULL ? ENOENT : errno);
    const int error = start_successor(sockets, count, ends[1], errors_fd, &pid);
    close(ends[1]);
    atomic_store(&known.successor, pid);
    const bool serves = error == 0 ? wait_until_it_serves(ends[0], pid) : fail(error);
    close(ends[0]);
    return serves;
}

void conf_upgrade_give_up(void)
{
    (void)eventfd_write(known.give_up_fd, 1);
}

pid_t conf_upgrade_successor(void)
{
    return atomic_load(&known.successor);
}
