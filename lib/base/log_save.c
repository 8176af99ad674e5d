/* SPDX-License-Identifier: MIT */
/* What becomes of the logs in a crash: inside a signal handler, whoever holds which lock. */
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log_writer.h"

enum { SAVE_TRIES = 100, SAVE_PIECE = 4096 /* a pipe that is ready takes so much and does not block */ };

/*
 * The lock, with the writer's batch out of the way; it is never given back. To try is an atomic instruction, and waits for
 * nobody: also not for this thread, should it have crashed with the lock in its hands.
 */
static bool seize(weir_access_log_t *log)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < SAVE_TRIES; i++) {
        if (pthread_mutex_trylock(&log->lock) == 0) {
            if (log->writing_bytes == 0)
                return true;
            pthread_mutex_unlock(&log->lock);
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static void save(weir_access_log_t *log)
{
    const char *bytes = log->filling;
    size_t left = log->filling_bytes;

    while (left > 0) {
        struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
        ssize_t written = poll(&ready, 1, SAVE_TRIES) == 1 ? write(log->fd, bytes, left < SAVE_PIECE ? left : SAVE_PIECE) : -1;

        if (written <= 0)
            return;
        bytes += written;
        left -= (size_t)written;
    }
}

void weir_access_log_save(void)
{
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL; writer = writer->next)
        for (weir_access_log_t *log = writer->logs; log != NULL; log = log->next)
            if (seize(log))
                save(log);
}
