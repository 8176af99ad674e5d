/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_COMPLAIN_H
#define WEIR_CONF_COMPLAIN_H
/**
 * @file  What is wrong with a configuration, always as "file:line: what" on standard error.
 */
#include <stdarg.h>
#include <stdbool.h>

#include "yoml.h"

/**
 * Forgets what was copied; from now on what this thread says on the C stream stderr is, up to 8 KiB, without times. While it
 * serves.
 */
void conf_complain_copy(void);
/** What was copied; any thread. */
void conf_complain_copied(char *text, size_t bytes);

/** Complains about `line` (from 1) of `file`; 0 leaves the line out. Returns false. */
bool conf_complain_at(const char *file, size_t line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Until it is NULL, this thread's complaints are kept in `text` (`bytes` of it; the first one), with the place in a file. */
void conf_complain_into(char *text, size_t bytes);

/** Complains about `node`. Returns -1, as libh2o's callbacks do. */
int conf_complain(const yoml_t *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conf_complain_va(const yoml_t *node, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/**
 * Complains about a key inside `what` that is none of `known` (NULL at the end), and names the one that was probably meant.
 * Returns -1.
 */
int conf_complain_unknown(const yoml_t *key, const char *what, const char *const *known);

/** Says that `node` is not what somebody may think it is, and that this is no error: "file:line: warning: what". */
void conf_warn(const yoml_t *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Answers what was probably meant by an unknown command, or NULL. */
typedef const char *conf_suggest_t(const char *unknown, void *arg);

/**
 * Until conf_complain_end() the C stream stderr rewrites libh2o's "[file:line] in command x, what" to "file:line: x: what". The
 * file descriptor stays what it is, so that nothing said there gets lost when the process dies. One at a time.
 */
void conf_complain_begin(conf_suggest_t *suggest, void *arg);

/** Returns whether any line had a place since conf_complain_begin(). */
bool conf_complain_end(void);

/**
 * Puts the stream that rewrites in stderr's place for good: begin and end then say only whether the lines of their thread are
 * rewritten, and others may write meanwhile. Before any other thread writes there.
 */
void conf_complain_settle(void);

/** Undoes it when no other thread is left. */
void conf_complain_unsettle(void);

#endif
