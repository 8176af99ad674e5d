/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_ADMIN_CLIENT_H
#define WEIR_CONF_ADMIN_CLIENT_H
/**
 * @file  One call to the admin endpoint of a process that runs. Blocks, a minute at most.
 */
#include <stdbool.h>

#include <jansson.h>

typedef struct conf_admin_answer {
    unsigned status;
    json_t *document; /* NULL: there is none */
} conf_admin_answer_t;

/**
 * Sends `body` (NULL: none) to `where`, a socket's path or a URL (admin_wire.h). False: nobody answers there, or what answers
 * is no admin endpoint; the reason stands in `problem`. The document of the answer is the caller's.
 */
bool conf_admin_call(const char *where, const char *method, const char *target, const json_t *body, conf_admin_answer_t *out,
                     char *problem, size_t problem_bytes);

/**
 * GET of a stream: on_line(context) is called with each line that is not blank (NUL-terminated, borrowed) as it comes, until it
 * returns false or the stream ends. With a status of 400 or more *out has the answer instead. False: as conf_admin_call().
 */
bool conf_admin_follow(const char *path, const char *target, bool (*on_line)(void *context, const char *line), void *context,
                       conf_admin_answer_t *out, char *problem, size_t problem_bytes);

/** conf_admin_call() by GET for what is no document: *out_text, NUL-terminated, is the caller's. */
bool conf_admin_fetch(const char *path, const char *target, unsigned *out_status, char **out_text, char *problem,
                      size_t problem_bytes);

/** How long is waited from now on for each piece of an answer; a minute unless told. */
void conf_admin_wait(unsigned ms);

#endif
