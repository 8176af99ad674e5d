/* SPDX-License-Identifier: MIT */
#include "conf/top_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/must.h"

enum { USUAL_COLUMNS = 80, USUAL_ROWS = 24, SIGNALS = 8 };

/* Another screen, no cursor, lines are cut and not wrapped; and back. */
static const char enter_orders[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
static const char leave_orders[] = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

static struct {
    struct termios before;
    volatile sig_atomic_t is_taken;
    int told[2]; /* a byte for each signal */
} terminal = {.told = {-1, -1}};

static const int told_signals[] = {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT};
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

bool top_terminal_is_there(void)
{
    const char *kind = getenv("TERM");

    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && kind != NULL && strcmp(kind, "dumb") != 0;
}

/* ---- taking it and giving it back ---- */

/* In a signal handler, too. */
static void write_orders(const char *orders, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t written = write(STDOUT_FILENO, orders, bytes);
        if (written == -1 && errno != EINTR)
            return;
        orders += written > 0 ? written : 0;
        bytes -= written > 0 ? (size_t)written : 0;
    }
}

static bool take(void)
{
    struct termios raw = terminal.before;

    cfmakeraw(&raw);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0)
        return false;
    terminal.is_taken = 1;
    write_orders(enter_orders, sizeof(enter_orders) - 1);
    return true;
}

static void give_back(void)
{
    if (!terminal.is_taken)
        return;
    terminal.is_taken = 0;
    write_orders(leave_orders, sizeof(leave_orders) - 1);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
}

static void on_told(int number)
{
    const int error = errno;
    const unsigned char byte = (unsigned char)number;

    if (write(terminal.told[1], &byte, 1) == -1) /* it is full of them: nobody needs one more */
        errno = error;
    errno = error;
}

/* The handler is gone by then: what comes next is what would have come without it. */
static void on_crash(int number)
{
    give_back();
    (void)raise(number);
}

static void catch_signals(void)
{
    struct sigaction told = {.sa_handler = on_told, .sa_flags = SA_RESTART};
    struct sigaction crash = {.sa_handler = on_crash, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};

    for (size_t i = 0; i < sizeof(told_signals) / sizeof(told_signals[0]); i++)
        (void)sigaction(told_signals[i], &told, NULL);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++)
        (void)sigaction(crash_signals[i], &crash, NULL);
}

bool top_terminal_begin(void)
{
    if (tcgetattr(STDIN_FILENO, &terminal.before) != 0)
        return false;
    WEIR_MUST(pipe2(terminal.told, O_CLOEXEC | O_NONBLOCK) == 0);
    catch_signals();
    (void)atexit(give_back);
    return take();
}

void top_terminal_end(void)
{
    give_back();
}

void top_terminal_size(size_t *out_columns, size_t *out_rows)
{
    struct winsize size = {0};

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *out_columns = size.ws_col > 0 ? size.ws_col : USUAL_COLUMNS;
    *out_rows = size.ws_row > 0 ? size.ws_row : USUAL_ROWS;
}

void top_terminal_suspend(void)
{
    give_back();
    (void)raise(SIGSTOP);
    (void)take();
}

void top_terminal_die(int number)
{
    give_back();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    _exit(128 + number);
}

/* ---- waiting ---- */

static void note(top_terminal_events_t *events, int number)
{
    if (number == SIGWINCH) {
        events->is_resized = true;
    } else if (number == SIGTSTP) {
        top_terminal_suspend();
        events->is_continued = true;
    } else if (number == SIGCONT) { /* it was stopped by others, who may have used the terminal */
        terminal.is_taken = 0;
        events->is_continued = take();
    } else {
        events->signal = number;
    }
}

top_terminal_events_t top_terminal_wait(int news_fd, int timeout_ms)
{
    struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {terminal.told[0], POLLIN, 0}, {news_fd, POLLIN, 0}};
    top_terminal_events_t events = {.signal = 0};
    unsigned char numbers[SIGNALS];

    if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) < 0)
        return events; /* a signal: its byte is there the next time */
    events.has_keys = fds[0].revents != 0;
    events.has_news = fds[2].revents != 0;
    const ssize_t count = fds[1].revents != 0 ? read(terminal.told[0], numbers, sizeof(numbers)) : 0;
    for (ssize_t i = 0; i < count; i++)
        note(&events, numbers[i]);
    return events;
}
