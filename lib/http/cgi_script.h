/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_CGI_SCRIPT_H
#define WEIR_HTTP_CGI_SCRIPT_H
/**
 * @file  What a path means to a CGI application: which script, and what is left for it (RFC 3875 §3.3). Pure: nobody looks
 * at a disk, which may be another machine's.
 */
#include "lib/base/arena.h"
#include "lib/base/fault.h"

/** All of them in the arena they were made in. */
typedef struct weir_cgi_script {
    weir_span_t name;      /* SCRIPT_NAME: "/a/b.php"                                            */
    weir_span_t path_info; /* PATH_INFO: what stands behind it, "/c/d"; may be empty              */
    weir_span_t query;     /* QUERY_STRING, as sent                                               */
} weir_cgi_script_t;

/**
 * Decodes the path of `target` and divides it. suffix empty: it is path_info, all of it. Else the script is all up to the
 * end of the first segment that ends with `suffix` and is more than that: what follows cannot make another file of it. A
 * path that has no such segment is for the script `/index`, without path_info. Fault: bad_script_path, of a path with a
 * NUL or a segment "." or ".." in its decoded form, or of a target that is no path.
 */
WEIR_CHECKED const weir_fault_t *weir_cgi_script_find(weir_arena_t *arena, weir_span_t target, weir_span_t suffix,
                                                      weir_span_t index, weir_cgi_script_t *out);

/**
 * Writes the name of the CGI variable of a header field (RFC 3875 §4.1.18) into `out`, which has room for name.len + 5
 * bytes: HTTP_X_FOO of X-Foo. False for those that become none: one with a character that is neither letter, digit nor
 * "-", since X_Foo and X-Foo would be one variable, and Proxy, which programs take for a setting of theirs.
 */
bool weir_cgi_variable_of(weir_span_t name, char *out);

#endif
