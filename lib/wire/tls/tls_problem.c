/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_problem.h"

#include <stdio.h>

#include <openssl/err.h>

#include "lib/base/rights.h"

BIO *weir_tls_open_file(const char *path)
{
    const int fd = weir_rights_read(path);
    FILE *file = fd != -1 ? fdopen(fd, "r") : NULL;

    return file != NULL ? BIO_new_fp(file, BIO_CLOSE) : NULL;
}

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
