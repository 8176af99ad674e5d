/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HEROKU_CODE_H
#define WEIR_HTTP_HEROKU_CODE_H
/**
 * @file  How Heroku's router calls what a request ended by: H12, H13, … Pure. Any thread.
 *
 * Reasons are known by their names, for routers have some of their own. Codes and descriptions are those of Heroku's
 * "Error Codes" (devcenter.heroku.com/articles/error-codes); a reason that is not in the table is H99.
 */
#include "lib/base/fault.h"

typedef struct weir_heroku_code {
    const char *code; /* "H12" */
    const char *desc; /* "Request timeout" */
} weir_heroku_code_t;

/**
 * Never NULL. `has_begun`: a byte of a response had come, which is the difference between H12 and H15, H13 and H18.
 * `cause`: why the last attempt failed, or NULL: if that was a connect, it says more than that no backend is left.
 */
const weir_heroku_code_t *weir_heroku_code(const weir_fault_t *fault, const weir_fault_t *cause, bool has_begun);

/** The same of a request whose app was found: where there is nothing to be found all the same (not_found), the app is blank. */
const weir_heroku_code_t *weir_heroku_code_of_app(const weir_fault_t *fault, const weir_fault_t *cause, bool has_begun);

/** The names in the table, in its order; NULL beyond the last one. For documentation and tests. */
const char *weir_heroku_name(size_t index);

#endif
