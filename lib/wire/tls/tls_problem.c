/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_problem.h"

#include <stdio.h>

#include <openssl/err.h>

bool weir_tls_explain(char problem[static WEIR_TLS_PROBLEM_BYTES], const char *what, const char *about)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (reason != NULL)
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s %s: %s", what, about, reason);
    else
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s %s", what, about);
    ERR_clear_error();
    return false;
}
