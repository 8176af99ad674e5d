/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LOG_TIME_H
#define WEIR_BASE_LOG_TIME_H
/**
 * @file  The time a line of a log begins with: RFC 3339, UTC, with milliseconds and a blank: "2026-11-30T00:15:27.123Z ".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_LOG_TIME_BYTES = 25 /* with the blank; there is no NUL */ };

/**
 * Writes `wall_us`, microseconds since 1970 in the years to 9999, and returns WEIR_LOG_TIME_BYTES. Any thread; each keeps the
 * text of its latest second, so that a line more in it costs three digits.
 */
size_t weir_log_time_write(uint64_t wall_us, char out[static WEIR_LOG_TIME_BYTES]);

/** The same, of which nothing is kept: for a signal handler. */
size_t weir_log_time_write_anew(uint64_t wall_us, char out[static WEIR_LOG_TIME_BYTES]);

/**
 * Whether `fd` leads to systemd's journal, which has a time of its own for each line: JOURNAL_STREAM names its device and
 * inode, as sd-daemon's programs compare them. The environment is read by the first call; any thread, and then a signal
 * handler as well.
 */
bool weir_log_is_journal(int fd);

#endif
