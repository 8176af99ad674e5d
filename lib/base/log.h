/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H
/**
 * @file  The two logs: lines about requests, written by threads of their own, and words to the operator on standard error.
 *
 * Nothing here waits for whoever reads a log. Lines are appended to a bounded buffer: if the reader of the log is slower than
 * the proxy for so long that the buffer (4 MiB a log) is full, lines are dropped, counted, and the count is written as soon as
 * there is room: `at=warning code=log_dropped lines=17`. That it has begun, and what is missing at the end, is said on standard
 * error. All files share one writer; whatever can be stuck (a pipe, a FIFO, a socket, a terminal) has a writer of its own, so
 * that it costs no other log a line.
 */
#include <stdatomic.h>

#include "lib/base/log_time.h"
#include "weir_types.h"

typedef struct weir_access_log weir_access_log_t;

/**
 * Opens a log. "-", /dev/stdout, /dev/stderr and their other names are the descriptor that is open already, whatever it is. Two
 * opens of one path give one log, which stays until both are closed. NULL with errno if the file can't be opened; never waits
 * for a FIFO's reader. Any thread.
 */
weir_access_log_t *weir_access_log_open(const char *path);

/**
 * A log that is written to `fd`, the end of a pipe, which is its own from now on and made non-blocking; `name` says in
 * complaints which one it is, and is copied. Any thread.
 */
weir_access_log_t *weir_access_log_adopt(int fd, const char *name);

/**
 * Closes a log when as many have closed it as have opened it; what is in it is still written, if somebody takes it within two
 * seconds. Any thread; harmless on NULL.
 */
void weir_access_log_close(weir_access_log_t *log);

/** Appends one line (with its newline). Any thread; never blocks on I/O. */
void weir_access_log_write(weir_access_log_t *log, weir_span_t line);

/**
 * The same, with the time in front (lib/base/log_time.h), unless the log is systemd's journal, which has its own. From then on
 * the number of lines that were dropped has it as well.
 */
void weir_access_log_write_timed(weir_access_log_t *log, weir_span_t line);

/**
 * Has every file opened anew, for log rotation, by the log's writer: whoever calls waits for no disk. Lines that are not yet
 * written go into the new file. Any thread but a signal handler.
 */
void weir_access_log_reopen_all(void);

/** Starts the writers; before it lines are kept. Call after fork and after dropping privileges. */
void weir_access_log_start(void);

/**
 * Writes what is left, ends the writers, closes the files. Waits at most `deadline_ms` for readers that do not read; they wait
 * beside each other, so that one costs the others nothing of theirs.
 */
void weir_access_log_stop(uint32_t deadline_ms);

/**
 * In a crash, in a signal handler: writes what the logs hold, waiting at most 100 ms each for a writer or a reader, and keeps
 * everybody else from writing more. Only the process's end may follow.
 */
void weir_access_log_save(void);

/**
 * Opens a file for lines to be added, creating it if need be. Never waits: a FIFO that nobody reads yet takes what fits into
 * it, and after that nothing, at once. Returns a descriptor that is closed on exec, -1 with errno.
 */
int weir_log_open_file(const char *path);

/** 1 or 2 if `path` is another name of standard output or standard error ("-", /dev/stdout, /dev/fd/2, …); else -1. */
int weir_log_standard(const char *path);

/**
 * Another descriptor of what `fd` leads to, closed on exec; -1 with errno. Where that is a pipe or a terminal that may be
 * opened anew, it is non-blocking, whatever others want of `fd`.
 */
int weir_log_descriptor(int fd);

/**
 * From now on a line that standard error has no room for is lost, and counted: the next one that is written is preceded by
 * their number. Until then, and after it is called with false, words wait. A program says so before its loops begin.
 */
void weir_log_never_wait(bool never);

/**
 * Whether words on standard error begin with the time; not so at first. Where they go to systemd's journal they never do. Any
 * thread; the latest call counts, for the whole process.
 */
void weir_log_tell_time(bool tells);

/**
 * What a word that is said now begins with on standard error: writes the time, or nothing. Returns its size. Any thread; in a
 * signal handler, too.
 */
size_t weir_log_put_time(char out[static WEIR_LOG_TIME_BYTES]);

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
