/* SPDX-License-Identifier: MIT */
#include "conf/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"

enum { LAST_LINES_MS = 2000, SIGNAL_STATUS = 128 /* and the number, as shells have it */ };

static bool is_there;

/* Buries whoever is dead. Whether somebody is left; the proxy's status, once it is among them. */
static bool bury(pid_t proxy, int *out_status, bool *out_is_over)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != proxy)
            continue;
        *out_is_over = true;
        *out_status = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_STATUS + WTERMSIG(status);
    }
    return pid == 0;
}

/* A terminal tells the whole group: then the proxy knows. */
static void pass_on(const siginfo_t *info, pid_t proxy)
{
    if (info->si_signo != SIGCHLD && info->si_code <= 0)
        kill(proxy, info->si_signo);
}

static void look_after(pid_t proxy, const sigset_t *signals) __attribute__((noreturn));

static void look_after(pid_t proxy, const sigset_t *signals)
{
    uint64_t deadline_ms = UINT64_MAX;
    bool is_over = false;
    int status = 0;

    prctl(PR_SET_NAME, "weir-init");
    (void)close_range(3, ~0U, 0); /* sockets that were handed over are the proxy's to close */
    for (;;) {
        const struct timespec look = {.tv_nsec = 50000000L};
        siginfo_t info;
        const bool is_anybody_left = bury(proxy, &status, &is_over);
        const uint64_t now_ms = weir_clock_monotonic_us() / 1000;

        if (is_over && deadline_ms == UINT64_MAX)
            deadline_ms = now_ms + LAST_LINES_MS;
        if (!is_anybody_left || now_ms >= deadline_ms)
            _exit(status);
        if (sigtimedwait(signals, &info, is_over ? &look : NULL) > 0)
            pass_on(&info, proxy);
    }
}

void conf_init_begin(void)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t signals, before;
    pid_t proxy;

    if (getpid() != 1)
        return;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(&signals, numbers[i]);
    WEIR_MUST(sigprocmask(SIG_BLOCK, &signals, &before) == 0);
    proxy = fork();
    WEIR_MUST(proxy != -1);
    if (proxy > 0)
        look_after(proxy, &signals);
    WEIR_MUST(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    is_there = true;
}

bool conf_init_is_there(void)
{
    return is_there;
}
