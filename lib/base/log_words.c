/* SPDX-License-Identifier: MIT */
/* Words to the operator, on standard error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"

enum { LINE_BYTES = 4096, LINES_A_SECOND = 10, COUNT_BITS = 8 };

/* One write, so that lines of several threads do not mix. A text that is too long is cut before the count. */
static void say(const char *format, va_list arguments, unsigned held_back)
{
    char line[LINE_BYTES] = "weir: ", count[32] = "";
    const size_t prefix = strlen(line);
    size_t count_bytes = 0, room, total;
    int text;

    if (held_back > 0)
        count_bytes = (size_t)snprintf(count, sizeof(count), " (%u more)", held_back);
    room = sizeof(line) - 1 - count_bytes; /* 1: a newline in place of the NUL */
    text = vsnprintf(line + prefix, room - prefix, format, arguments);
    if (text < 0)
        return;
    total = prefix + (size_t)text < room ? prefix + (size_t)text : room - 1;
    memcpy(line + total, count, count_bytes);
    total += count_bytes;
    line[total++] = '\n';
    if (write(STDERR_FILENO, line, total) == -1)
        return;
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
