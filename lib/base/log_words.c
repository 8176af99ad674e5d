/* SPDX-License-Identifier: MIT */
/* Words to the operator, on standard error. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/control.h"
#include "lib/base/log.h"

enum { LINE_BYTES = 4096 /* a pipe that is ready takes so much at once */, LINES_A_SECOND = 10, COUNT_BITS = 8 };

static struct {
    pthread_mutex_t lock; /* nobody waits in it */
    bool is_patient;
    unsigned long long lost;
    atomic_bool tells_time;
} words = {.lock = PTHREAD_MUTEX_INITIALIZER, .is_patient = true};

void weir_log_never_wait(bool never)
{
    pthread_mutex_lock(&words.lock);
    words.is_patient = !never;
    pthread_mutex_unlock(&words.lock);
}

int weir_log_descriptor(int fd)
{
    struct stat what;
    char path[32];
    int other = -1;

    if (fstat(fd, &what) == 0 && (S_ISFIFO(what.st_mode) || S_ISCHR(what.st_mode))) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        other = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    return other != -1 ? other : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

void weir_log_tell_time(bool tells)
{
    if (tells)
        (void)weir_log_is_journal(STDERR_FILENO); /* reads the environment, which a signal handler must not */
    atomic_store(&words.tells_time, tells);
}

size_t weir_log_put_time(char out[static WEIR_LOG_TIME_BYTES])
{
    if (!atomic_load(&words.tells_time) || weir_log_is_journal(STDERR_FILENO))
        return 0;
    return weir_log_time_write_anew(weir_clock_wall_us(), out);
}

/* ---- one line ---- */

/* Under the lock. Threads of ours take turns between the look and the write: where there was room, there is. */
static bool write_line(const char *line, size_t len)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written;

    if (!words.is_patient && (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0))
        return false;
    do
        written = write(STDERR_FILENO, line, len);
    while (written == -1 && errno == EINTR);
    return written != -1;
}

/* Under the lock. */
static bool confess(void)
{
    char line[112];
    size_t len;

    if (words.lost == 0)
        return true;
    len = weir_log_put_time(line);
    len +=
        (size_t)snprintf(line + len, sizeof(line) - len, "weir: %llu lines were lost here, as nobody read them\n", words.lost);
    if (!write_line(line, len))
        return false;
    words.lost = 0;
    return true;
}

static void put_line(const char *line, size_t len)
{
    pthread_mutex_lock(&words.lock);
    if (!confess() || !write_line(line, len))
        words.lost++;
    pthread_mutex_unlock(&words.lock);
}

/* A text that is too long is cut; no escape is. Returns its size. */
static size_t put_escaped(char *to, size_t room, weir_span_t text)
{
    size_t size = 0;

    for (size_t i = 0; i < text.len; i++) {
        const bool is_escaped = weir_is_control(text, i);
        const size_t length = is_escaped ? 4 : 1;

        if (length > room - size)
            break;
        if (is_escaped)
            weir_escape_byte(text.base[i], to + size);
        else
            to[size] = text.base[i];
        size += length;
    }
    return size;
}

/* One write, so that lines of several threads do not mix. A text that is too long is cut before the count. */
static void say(const char *format, va_list arguments, unsigned held_back)
{
    char text[LINE_BYTES], line[LINE_BYTES], count[32] = "";
    size_t count_bytes = 0, total = weir_log_put_time(line);
    int text_bytes = vsnprintf(text, sizeof(text), format, arguments);

    if (text_bytes < 0)
        return;
    if (held_back > 0)
        count_bytes = (size_t)snprintf(count, sizeof(count), " (%u more)", held_back);
    memcpy(line + total, "weir: ", strlen("weir: "));
    total += strlen("weir: ");
    weir_span_t said = {text, (size_t)text_bytes < sizeof(text) ? (size_t)text_bytes : sizeof(text) - 1};
    total += put_escaped(line + total, sizeof(line) - total - count_bytes - 2, said); /* 2: newline and NUL */
    memcpy(line + total, count, count_bytes);
    total += count_bytes;
    line[total++] = '\n';
    put_line(line, total);
}

void weir_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, 0);
    va_end(arguments);
}

/* Whether there is room for another line in this second. The word holds the second, and how many lines it has had. */
static bool may_say(weir_log_limit_t *limit)
{
    const uint64_t count_mask = (UINT64_C(1) << COUNT_BITS) - 1;
    uint64_t before = atomic_load(&limit->lines), second, after;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    second = (uint64_t)now.tv_sec + 1; /* a zeroed word is of no second */
    do {
        const uint64_t count = before >> COUNT_BITS == second ? before & count_mask : 0;

        if (count == LINES_A_SECOND)
            return false;
        after = second << COUNT_BITS | (count + 1);
    } while (!atomic_compare_exchange_weak(&limit->lines, &before, after));
    return true;
}

void weir_log_limited(weir_log_limit_t *limit, const char *format, ...)
{
    va_list arguments;

    if (!may_say(limit)) {
        atomic_fetch_add(&limit->held_back, 1);
        return;
    }
    va_start(arguments, format);
    say(format, arguments, atomic_exchange(&limit->held_back, 0));
    va_end(arguments);
}
