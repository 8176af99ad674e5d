/* SPDX-License-Identifier: MIT */
#include "lib/wire/sock/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/wire/sock/sock.h"

enum { SKIPS = 256 };

struct weir_pipes {
    weir_list_t idle;
    size_t idle_count;
    size_t count;   /* of all that are open */
    unsigned skips; /* how often the kernel need not be asked: it had none that were worth it */
};

struct weir_pipes *weir_pipes_create(void)
{
    struct weir_pipes *pipes = calloc(1, sizeof(*pipes));

    WEIR_MUST(pipes != NULL);
    weir_list_init(&pipes->idle);
    return pipes;
}

static void close_pipe(struct weir_pipes *pipes, weir_pipe_t *pipe)
{
    pipes->count--;
    close(pipe->in);
    close(pipe->out);
    free(pipe);
}

void weir_pipes_destroy(struct weir_pipes **pipes)
{
    struct weir_pipes *gone = *pipes;

    if (gone == NULL)
        return;
    *pipes = NULL;
    while (!weir_list_is_empty(&gone->idle)) {
        weir_pipe_t *pipe = WEIR_AROUND(gone->idle.next, weir_pipe_t, link);
        weir_list_remove(&pipe->link);
        close_pipe(gone, pipe);
    }
    free(gone);
}

/* A full quota leaves a pipe as it is, and those that are made then are tiny. */
static bool is_worth_it(const struct weir_pipes *pipes, int end)
{
    if (pipes->count < WEIR_PIPES_MANY)
        (void)fcntl(end, F_SETPIPE_SZ, pipes->count < WEIR_PIPES_LARGE ? WEIR_PIPE_BYTES : WEIR_PIPE_LESS_BYTES);
    return fcntl(end, F_GETPIPE_SZ) >= WEIR_PIPE_LEAST_BYTES;
}

/* False: neither end is open. */
static bool open_ends(struct weir_pipes *pipes, int ends[static 2])
{
    if (pipes->skips > 0) {
        pipes->skips--;
        return false;
    }
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    if (is_worth_it(pipes, ends[1]))
        return true;
    pipes->skips = SKIPS;
    close(ends[0]);
    close(ends[1]);
    return false;
}

weir_pipe_t *weir_pipe_take(struct weir_pipes *pipes)
{
    if (!weir_list_is_empty(&pipes->idle)) {
        weir_pipe_t *pipe = WEIR_AROUND(pipes->idle.next, weir_pipe_t, link);
        weir_list_remove(&pipe->link);
        pipes->idle_count--;
        return pipe;
    }
    int ends[2];
    if (!open_ends(pipes, ends))
        return NULL;
    pipes->count++;
    weir_pipe_t *pipe = calloc(1, sizeof(*pipe));
    WEIR_MUST(pipe != NULL);
    weir_list_init(&pipe->link);
    pipe->out = ends[0];
    pipe->in = ends[1];
    return pipe;
}

void weir_pipe_give(struct weir_pipes *pipes, weir_pipe_t **giving)
{
    weir_pipe_t *pipe = *giving;

    if (pipe == NULL)
        return;
    *giving = NULL;
    pipes->skips = 0;
    if (pipe->held_bytes > 0 || pipes->idle_count >= WEIR_PIPES_IDLE_MAX) {
        close_pipe(pipes, pipe);
        return;
    }
    weir_list_prepend(&pipes->idle, &pipe->link);
    pipes->idle_count++;
}

static ssize_t move(int from, int to, size_t most_bytes)
{
    ssize_t moved;

    do {
        moved = splice(from, NULL, to, NULL, most_bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    } while (moved == -1 && errno == EINTR);
    if (moved >= 0)
        return moved;
    return errno == EAGAIN ? WEIR_SOCK_BLOCKED : WEIR_SOCK_BROKEN;
}

ssize_t weir_pipe_fill(weir_pipe_t *pipe, int fd, size_t most_bytes)
{
    ssize_t moved = move(fd, pipe->in, most_bytes);

    if (moved > 0)
        pipe->held_bytes += (size_t)moved;
    return moved;
}

/* Without SPLICE_F_MORE: it would keep back the end of what there is until more comes, which may be long. */
ssize_t weir_pipe_drain(weir_pipe_t *pipe, int fd)
{
    ssize_t moved = move(pipe->out, fd, pipe->held_bytes);

    if (moved > 0)
        pipe->held_bytes -= (size_t)moved;
    return moved;
}
