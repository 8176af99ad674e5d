/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H
/**
 * @file  The two logs: lines about requests, written by a thread of their own, and words to the operator on standard error.
 *
 * Lines are appended to a bounded buffer and never block the caller: if the reader of the log is slower than the proxy for so
 * long that the buffer (4 MiB a log) is full, lines are dropped, counted, and the count is written as soon as there is room:
 * `at=warning code=log_dropped lines=17`.
 */
#include <stdatomic.h>

#include "weir_types.h"

typedef struct weir_access_log weir_access_log_t;

/**
 * Opens a log: "-" is standard output. Two opens of one path give one log, which stays until both are closed. NULL with errno
 * if the file can't be opened. Any thread.
 */
weir_access_log_t *weir_access_log_open(const char *path);

/** Closes a log when as many have closed it as have opened it; what is in it is still written. Any thread; harmless on NULL. */
void weir_access_log_close(weir_access_log_t *log);

/** Appends one line (with its newline). Any thread; never blocks on I/O. */
void weir_access_log_write(weir_access_log_t *log, weir_span_t line);

/** Opens every file anew, for log rotation. Any thread but a signal handler. */
void weir_access_log_reopen_all(void);

/** Starts the writer thread; before it lines are kept. Call after fork and after dropping privileges. */
void weir_access_log_start(void);

/** Writes what is left (waiting at most `deadline_ms` for a reader that does not read), ends the thread, closes the files. */
void weir_access_log_stop(uint32_t deadline_ms);

/**
 * In a crash, in a signal handler: writes what the logs hold, waiting at most 100 ms each for a writer or a reader, and keeps
 * everybody else from writing more. Only the process's end may follow.
 */
void weir_access_log_save(void);

/** One line on standard error: "weir: text". Any thread; for start-up, shutdown and faults outside requests. */
void weir_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** How often lines of one kind were said lately; static and zeroed, shared by all threads. */
typedef struct weir_log_limit {
    _Atomic uint64_t lines;
    _Atomic unsigned held_back;
} weir_log_limit_t;

/**
 * The same for what a client or a module can provoke: at most ten lines of a kind a second. The first of another second says
 * how many were held back: "… (17 more)".
 */
void weir_log_limited(weir_log_limit_t *limit, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
