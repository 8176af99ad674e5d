/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_ROUTERS_STUCK_H
#define WEIR_T_ROUTERS_STUCK_H
/**
 * @file  What modules have in common that keep their thread: in the function that X-Stuck names, until the file GATE is
 * there, which they remove, or for half a minute.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir.h>

enum { STUCK_LOOK_US = 2000, STUCK_LOOKS = 15000 };

static void stuck_if(const weir_request_t *request, const char *where)
{
    const weir_span_t wanted = weir_request_header(request, WEIR_SPAN("X-Stuck"));

    if (wanted.len != strlen(where) || memcmp(wanted.base, where, wanted.len) != 0)
        return;
    for (int i = 0; i < STUCK_LOOKS && unlink(GATE) != 0; i++)
        usleep(STUCK_LOOK_US);
}

#endif
