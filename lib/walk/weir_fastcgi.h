/* SPDX-License-Identifier: MIT */
#ifndef WEIR_FASTCGI_H
#define WEIR_FASTCGI_H
/**
 * @file  FastCGI with backends: what a request's path means to an application. A router names it in weir_backend_use_fastcgi().
 */
#include "weir_types.h"

/**
 * Where an application has its scripts. Members are only ever appended. Since ABI 6.
 *
 * The path of a request, decoded, names a script up to the end of its first segment that ends with `suffix`; what follows is
 * PATH_INFO. If there is no such segment the script is `index`. Nobody looks whether it is there: the application does.
 */
struct weir_fastcgi {
    size_t size;        /* sizeof(weir_fastcgi_t)                                                           */
    weir_span_t root;   /* the folder of the documents, as the application sees it, without "/" at its end:
                           DOCUMENT_ROOT. Empty: none                                                       */
    weir_span_t suffix; /* ".php". Empty: there are no scripts, the whole path is PATH_INFO                 */
    weir_span_t index;  /* "index.php": below `root`                                                        */
    bool is_delegated;  /* REQUEST_URI tells of an internal redirect; else it is what the client has sent   */
};

#endif
