/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SPLICE_H
#define WEIR_WIRE_SPLICE_H
/**
 * @file  Pipes through which long bodies pass from socket to socket without being copied (splice(2)).
 *
 * What a user's pipes hold in all is limited (/proc/sys/fs/pipe-user-pages-soft, 64 MiB): beyond it new ones have a page or
 * two.
 *
 * OWNER    One set of pipes per loop; a taken pipe is its taker's until given back.
 * THREAD   The loop's.
 */
#include <sys/types.h>

#include "lib/base/list.h"
#include "weir_types.h"

enum {
    WEIR_SPLICE_MIN_BYTES = 65536, /* shorter rests are copied: a pipe costs more than it saves */
    WEIR_PIPE_BYTES = 1048576,     /* asked of the kernel for the first pipes of a loop;        */
    WEIR_PIPES_LARGE = 8,          /* so many,                                                  */
    WEIR_PIPE_LESS_BYTES = 262144, /* then this,                                                */
    WEIR_PIPES_MANY = 32,          /* and from here on what any pipe has (64 KiB)               */
    WEIR_PIPE_LEAST_BYTES = 65536, /* smaller ones are worth less than copying                  */
    WEIR_PIPES_IDLE_MAX = 32,      /* kept per loop                                             */
};

typedef struct weir_pipe {
    weir_list_t link;
    int in, out;
    size_t held_bytes;
} weir_pipe_t;

struct weir_pipes;

struct weir_pipes *weir_pipes_create(void);

/** Closes the idle ones, frees and nulls. */
void weir_pipes_destroy(struct weir_pipes **pipes);

/**
 * An empty pipe, or NULL if there are no descriptors left, or the kernel has only tiny pipes for this user any more: copy
 * instead. It is asked again when a pipe was given back, or after a while.
 */
weir_pipe_t *weir_pipe_take(struct weir_pipes *pipes);

/** Takes `*giving` back and nulls it; one that still holds bytes is closed. Harmless on NULL. */
void weir_pipe_give(struct weir_pipes *pipes, weir_pipe_t **giving);

/**
 * Moves at most `most_bytes` from the socket `fd` into the pipe: how many, or WEIR_SOCK_END, _BLOCKED (also: the pipe is full),
 * _BROKEN.
 */
ssize_t weir_pipe_fill(weir_pipe_t *pipe, int fd, size_t most_bytes);

/** Moves what the socket `fd` takes out of the pipe: how many, or WEIR_SOCK_BLOCKED or _BROKEN. */
ssize_t weir_pipe_drain(weir_pipe_t *pipe, int fd);

#endif
