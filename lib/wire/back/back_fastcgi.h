/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_FASTCGI_H
#define WEIR_WIRE_BACK_FASTCGI_H
/**
 * @file  The relay with a FastCGI application (lib/http/fastcgi.h), over a connection of back_http1.h.
 *
 *   client ──body──► STDIN records in back->out ──► backend                      (back_fastcgi_up.c)
 *   client ◄─reply── back->in ◄─ STDOUT; the log ◄─ STDERR; END_REQUEST ends it  (back_fastcgi_down.c)
 *
 * One request at a time: its number is always 1. The connection is used again behind an END_REQUEST, if all of the request
 * had been taken. A body without Content-Length is held until it is whole, up to BACK_FASTCGI_HOLD_BYTES, for an
 * application is told its length beforehand; beyond that the request is refused (length_required).
 */
#include "lib/http/cgi_head.h"
#include "lib/http/fastcgi.h"
#include "lib/wire/back/back_http1.h"

enum {
    BACK_FASTCGI_HOLD_BYTES = 1048576,
    BACK_FASTCGI_LINE_BYTES = 1000,   /* of STDERR: one line of the log                           */
    BACK_FASTCGI_ERRORS_BYTES = 8192, /* of one request; what is beyond them is counted, not told */
};

/** One request; in its exchange's arena. */
struct back_fastcgi {
    weir_bytes_t held; /* of a body whose length is not known yet */
    bool is_told;      /* the end of STDIN is on its way          */
    bool has_ended;    /* END_REQUEST has come                    */
    weir_fastcgi_reader_t records;
    weir_cgi_head_reader_t head;
    size_t errors_bytes, line_bytes; /* of STDERR: all of it, and what is in `line` */
    char line[BACK_FASTCGI_LINE_BYTES];
};

/** Sends the head and opens the body. */
void back_fastcgi_start(relay_t *relay, const weir_backend_head_t *head);
/** Neither reads nor writes any more. */
void back_fastcgi_rest(relay_t *relay);
/** What the client could not take goes on. */
void back_fastcgi_on_client_writable(relay_t *relay);

/* ---- between the two files ---- */

/** There is something to be read from the backend. */
void back_fastcgi_on_readable(weir_sock_t *sock);
/** The backend wants nothing more of the request. */
void back_fastcgi_break_up(relay_t *relay);
/** Puts the line of STDERR that has come so far on the log, if there is one. */
void back_fastcgi_tell_errors(relay_t *relay);

static inline back_fastcgi_t *back_fastcgi_of(const relay_t *relay)
{
    return back_http1_of(relay->back)->fastcgi;
}

#endif
