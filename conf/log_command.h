/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_LOG_COMMAND_H
#define WEIR_CONF_LOG_COMMAND_H
/**
 * @file  Commands that read a log: `| COMMAND` of access-log and error-log.
 *
 * Each is a child of this process until it ends of its own accord, which is asked of it by the end of its standard input alone.
 * A thread waits for it, by its pid: children of anybody else's in this process are none of its business.
 *
 * OWNER    The process.
 * THREAD   begin and end: the main one. Any may start.
 */

/** Until end: what commands say on their standard error goes to `errors_fd` (borrowed), whatever becomes of ours. */
void conf_log_commands_begin(int errors_fd);

/** Ends the waiting; commands that still run go on. */
void conf_log_commands_end(void);

/**
 * Starts `/bin/sh -c command`. Returns the writing end of the pipe that is its standard input, the caller's to close, closed
 * on exec and non-blocking; -1 and errno on failure. One that ends other than well is said in the log.
 */
int conf_log_command_start(const char *command);

/**
 * Has standard error lead to what `fd` leads to. Should that be a command's pipe and the command end, standard error goes to
 * `fallback_fd` (borrowed until end) from then on, where it is said.
 */
void conf_log_errors_to(int fd, int fallback_fd);

#endif
