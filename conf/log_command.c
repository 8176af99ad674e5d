/* SPDX-License-Identifier: MIT */
#include "conf/log_command.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/must.h"

typedef struct command {
    weir_list_t link;
    pid_t pid;
    pthread_t thread;
    bool is_awaited; /* its thread, by conf_log_commands_end(), which frees it */
    struct stat pipe;
    char *text;
} command_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list_t running = {&running, &running};
static int stderr_fd = STDERR_FILENO, fallback_fd = STDERR_FILENO;

static void destroy(command_t *command)
{
    weir_list_remove(&command->link);
    free(command->text);
    free(command);
}

/* Under the lock. Whether it has been reading what goes to standard error. */
static bool is_error_log(const command_t *command)
{
    struct stat now;

    return fstat(STDERR_FILENO, &now) == 0 && now.st_dev == command->pipe.st_dev && now.st_ino == command->pipe.st_ino;
}

/* Under the lock. */
static void say_how_it_ended(const command_t *command, int status)
{
    if (is_error_log(command)) {
        dup2(fallback_fd, STDERR_FILENO);
        weir_log("error-log: its command has ended; what it was told goes here until the next reload");
    }
    if (WIFSIGNALED(status))
        weir_log("log command `%s` was killed by signal %d", command->text, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        weir_log("log command `%s` has ended with status %d", command->text, WEXITSTATUS(status));
}

/* It may be cancelled as long as it waits. */
static void *wait_for_end(void *arg)
{
    command_t *command = arg;
    int status = 0;
    pid_t pid;

    do
        pid = waitpid(command->pid, &status, 0);
    while (pid == -1 && errno == EINTR);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&lock);
    if (pid != -1) /* an application that waits for all its children has been faster */
        say_how_it_ended(command, status);
    if (!command->is_awaited) {
        pthread_detach(command->thread);
        destroy(command);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Returns 0, or what errno would be: then nobody waits for it. */
static int watch(pid_t pid, const char *text, int pipe_fd)
{
    command_t *command = calloc(1, sizeof(*command));

    WEIR_MUST(command != NULL);
    command->pid = pid;
    command->text = strdup(text);
    WEIR_MUST(command->text != NULL && fstat(pipe_fd, &command->pipe) == 0);
    pthread_mutex_lock(&lock);
    weir_list_append(&running, &command->link);
    int error = pthread_create(&command->thread, NULL, wait_for_end, command);
    if (error != 0)
        destroy(command);
    pthread_mutex_unlock(&lock);
    return error;
}

/* Returns 0, or what errno would be. */
static int spawn(const char *text, int input_fd, pid_t *out_pid)
{
    char shell[] = "/bin/sh", option[] = "-c", *command = strdup(text), *const argv[] = {shell, option, command, NULL};
    posix_spawn_file_actions_t files;
    int error;

    WEIR_MUST(command != NULL && posix_spawn_file_actions_init(&files) == 0 &&
              posix_spawn_file_actions_adddup2(&files, input_fd, STDIN_FILENO) == 0 &&
              posix_spawn_file_actions_adddup2(&files, stderr_fd, STDERR_FILENO) == 0);
    error = posix_spawn(out_pid, shell, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    free(command);
    return error;
}

int conf_log_command_start(const char *command)
{
    int ends[2], error;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) == -1)
        return -1;
    fcntl(ends[1], F_SETFL, O_NONBLOCK); /* its own: the reading end stays as commands expect it */
    error = spawn(command, ends[0], &pid);
    close(ends[0]);
    if (error == 0 && (error = watch(pid, command, ends[1])) != 0) {
        kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    if (error != 0) {
        close(ends[1]);
        errno = error;
        return -1;
    }
    return ends[1];
}

void conf_log_commands_begin(int errors_fd)
{
    stderr_fd = errors_fd;
}

void conf_log_errors_to(int fd, int fallback)
{
    pthread_mutex_lock(&lock);
    fallback_fd = fallback;
    dup2(fd, STDERR_FILENO);
    pthread_mutex_unlock(&lock);
}

void conf_log_commands_end(void)
{
    pthread_mutex_lock(&lock);
    while (!weir_list_is_empty(&running)) {
        command_t *command = WEIR_AROUND(running.next, command_t, link);

        command->is_awaited = true;
        pthread_cancel(command->thread);
        pthread_mutex_unlock(&lock);
        pthread_join(command->thread, NULL);
        pthread_mutex_lock(&lock);
        destroy(command);
    }
    pthread_mutex_unlock(&lock);
    stderr_fd = fallback_fd = STDERR_FILENO;
}
