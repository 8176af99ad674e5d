/* SPDX-License-Identifier: MIT */
/*
 * A writer sleeps 20 ms between two rounds, so that under load one write takes many lines; after a round that found nothing it
 * is idle and waits on a condition, which only an append to an empty log signals. After a large batch it does not sleep.
 */
#include "lib/base/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/base/span.h"

enum { BATCH_PAUSE_MS = 20, LOOK_MS = 500 };

pthread_mutex_t weir_log_lock = PTHREAD_MUTEX_INITIALIZER;
weir_log_writer_t *weir_log_writers;
static bool is_started;

/* ---- writing ---- */

/* Whether the log was closed so long ago that nobody can be expected to read it any more. */
static bool is_given_up(weir_access_log_t *log)
{
    const uint64_t closed_at_ms = atomic_load(&log->closed_at_ms);

    return closed_at_ms != 0 && weir_clock_monotonic_us() / 1000 >= closed_at_ms + WEIR_LOG_LAST_MS;
}

/*
 * The only place where stop() may cut the thread off: no lock is held here. Standard output may be a pipe that others made
 * blocking and wait for, too: then it is the write that waits. Returns -1 with EINTR to be called again.
 */
static ssize_t write_cancellable(weir_access_log_t *log, const char *bytes, size_t len)
{
    int before, error;
    ssize_t written;

    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    written = write(log->fd, bytes, len);
    error = errno;
    if (written == -1 && error == EAGAIN && !log->writer->is_common && !is_given_up(log)) {
        struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
        poll(&ready, 1, LOOK_MS);
        error = EINTR;
    }
    pthread_setcancelstate(before, NULL);
    errno = error;
    return written;
}

/* A line stands for one, and for those that a log had confessed by it. */
static uint64_t worth(const char *bytes, size_t len)
{
    const weir_span_t confession = WEIR_SPAN(WEIR_LOG_CONFESSION);
    const bool has_time = len > WEIR_LOG_TIME_BYTES && bytes[WEIR_LOG_TIME_BYTES - 2] == 'Z';
    const weir_span_t line = {bytes + (has_time ? WEIR_LOG_TIME_BYTES : 0), len - (has_time ? WEIR_LOG_TIME_BYTES : 0)};
    uint64_t confessed;

    if (!weir_span_starts_with(line, confession) ||
        !weir_span_to_u63((weir_span_t){line.base + confession.len, line.len - confession.len}, &confessed))
        return 1;
    return confessed;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    const char *const end = bytes + len, *newline;
    uint64_t lines = 0;

    while (bytes < end && (newline = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
        lines += worth(bytes, (size_t)(newline - bytes));
        bytes = newline + 1;
    }
    return lines;
}

/* A file that was rotated is left for the one that has its name now. */
static void turn_over(weir_access_log_t *log)
{
    bool is_wanted;
    int fd;

    pthread_mutex_lock(&log->lock);
    is_wanted = log->is_wanted_anew;
    log->is_wanted_anew = false;
    pthread_mutex_unlock(&log->lock);
    if (!is_wanted)
        return;
    fd = weir_log_open_file(log->path);
    if (fd == -1) {
        weir_log("%s: %s; going on with the file that is open", log->path, strerror(errno));
        return;
    }
    close(log->fd);
    log->fd = fd;
}

/* Returns 0, or errno where nothing more can be written: the disk is full, or the reader of a pipe is gone. */
static int write_batch(weir_access_log_t *log)
{
    while (log->left_bytes > 0) {
        ssize_t written = write_cancellable(log, log->left, log->left_bytes);
        if (written == -1 && errno == EINTR) {
            turn_over(log);
            continue;
        }
        if (written == -1)
            return errno;
        log->left += written;
        log->left_bytes -= (size_t)written;
    }
    return 0;
}

/* What is left of it is lost. */
static void end_batch(weir_access_log_t *log)
{
    pthread_mutex_lock(&log->lock);
    log->writing_bytes = 0;
    weir_log_drop(log, count_lines(log->left, log->left_bytes));
    log->is_loss_told = log->is_loss_told && log->left_bytes > 0;
    pthread_mutex_unlock(&log->lock);
    log->left_bytes = 0;
}

/* Takes what is there from the callers. Returns its size. */
static size_t take(weir_access_log_t *log)
{
    char *full;

    pthread_mutex_lock(&log->lock);
    weir_log_confess(log);
    full = log->filling;
    log->filling = log->writing;
    log->writing = full;
    log->writing_bytes = log->filling_bytes;
    log->filling_bytes = 0;
    pthread_mutex_unlock(&log->lock);
    return log->writing_bytes;
}

/* Returns how many bytes were written; 0 if not all could be: such a log is not worth a busy writer. */
static size_t drain(weir_access_log_t *log)
{
    const size_t len = take(log);
    int error;

    turn_over(log);
    log->left = log->writing;
    log->left_bytes = len;
    error = write_batch(log); /* a thread that is cut off in there leaves the rest to destroy_all() */
    end_batch(log);
    if (error != 0)
        weir_log_tell_loss(log, error == EAGAIN ? "nobody reads it" : strerror(error));
    return error == 0 ? len : 0;
}

/* Returns the size of the largest batch. */
static size_t drain_all(weir_log_writer_t *writer)
{
    size_t largest = 0;

    pthread_mutex_lock(&weir_log_lock);
    weir_access_log_t *log = writer->logs;
    pthread_mutex_unlock(&weir_log_lock);
    for (; log != NULL; log = log->next) { /* others only ever add logs, in front */
        size_t len = drain(log);
        largest = len > largest ? len : largest;
    }
    return largest;
}

/* ---- a writer's life ---- */

/* Under weir_log_lock. */
static bool is_anything_left(const weir_log_writer_t *writer)
{
    bool is_left = false;

    for (weir_access_log_t *log = writer->logs; log != NULL && !is_left; log = log->next) {
        pthread_mutex_lock(&log->lock);
        is_left = log->filling_bytes > 0 || log->is_wanted_anew || log->opens == 0;
        pthread_mutex_unlock(&log->lock);
    }
    return is_left;
}

/* Returns false when it is time to end. */
static bool wait_for_lines(weir_log_writer_t *writer)
{
    bool may_go_on;

    pthread_mutex_lock(&weir_log_lock);
    atomic_store(&writer->is_idle, true);
    while (!writer->is_stopping && !is_anything_left(writer))
        pthread_cond_wait(&writer->wake, &weir_log_lock);
    atomic_store(&writer->is_idle, false);
    may_go_on = !writer->is_stopping;
    pthread_mutex_unlock(&weir_log_lock);
    return may_go_on;
}

void weir_log_writer_destroy(weir_log_writer_t *writer)
{
    weir_log_writer_t **at = &weir_log_writers;

    while (*at != writer)
        at = &(*at)->next;
    *at = writer->next;
    pthread_cond_destroy(&writer->wake);
    free(writer);
}

/*
 * Frees the logs that nobody has open. They are empty: this follows a round that found nothing. Returns true if the writer has
 * gone with them.
 */
static bool forget_closed(weir_log_writer_t *writer)
{
    bool is_over;

    pthread_mutex_lock(&weir_log_lock);
    weir_access_log_t **at = &writer->logs;
    while (*at != NULL) {
        weir_access_log_t *log = *at;
        if (log->opens > 0 || log->filling_bytes > 0) {
            at = &log->next;
            continue;
        }
        *at = log->next;
        weir_log_destroy(log);
    }
    is_over = writer->logs == NULL && !writer->is_common && !writer->is_stopping;
    if (is_over) {
        pthread_detach(writer->thread);
        weir_log_writer_destroy(writer);
    }
    pthread_mutex_unlock(&weir_log_lock);
    return is_over;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};

    nanosleep(&pause, NULL);
}

static void *run(void *arg)
{
    weir_log_writer_t *writer = arg;
    size_t largest;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    while (wait_for_lines(writer)) {
        while ((largest = drain_all(writer)) > 0)
            if (largest < WEIR_LOG_BYTES / 4)
                pause_ms(BATCH_PAUSE_MS);
        if (forget_closed(writer))
            return NULL;
    }
    while (drain_all(writer) > 0)
        ;
    return NULL;
}

/* Under weir_log_lock. */
static void start(weir_log_writer_t *writer)
{
    if (writer->has_thread)
        return;
    writer->is_stopping = false;
    WEIR_MUST(pthread_create(&writer->thread, NULL, run, writer) == 0);
    writer->has_thread = true;
}

static weir_log_writer_t *create_writer(bool is_common)
{
    weir_log_writer_t *writer = calloc(1, sizeof(*writer));

    WEIR_MUST(writer != NULL && pthread_cond_init(&writer->wake, NULL) == 0);
    writer->is_common = is_common;
    writer->next = weir_log_writers;
    weir_log_writers = writer;
    if (is_started)
        start(writer);
    return writer;
}

weir_log_writer_t *weir_log_writer_for(bool can_be_stuck)
{
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL && !can_be_stuck; writer = writer->next)
        if (writer->is_common)
            return writer;
    return create_writer(!can_be_stuck);
}

void weir_access_log_start(void)
{
    pthread_mutex_lock(&weir_log_lock);
    is_started = true;
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL; writer = writer->next)
        start(writer);
    pthread_mutex_unlock(&weir_log_lock);
}

static struct timespec wall_clock_in(uint32_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Those that are not done by then are cut off. */
static void join(weir_log_writer_t *writer, const struct timespec *deadline)
{
    if (!writer->has_thread)
        return;
    if (pthread_timedjoin_np(writer->thread, NULL, deadline) != 0) {
        pthread_cancel(writer->thread);
        pthread_join(writer->thread, NULL);
    }
    writer->has_thread = false;
}

/* Nobody opens, closes or writes any more, and threads that were awaited are gone: no lock is needed. */
static void destroy_all(void)
{
    while (weir_log_writers != NULL) {
        weir_log_writer_t *writer = weir_log_writers;

        while (writer->logs != NULL) {
            weir_access_log_t *log = writer->logs;
            writer->logs = log->next;
            log->dropped_lines += count_lines(log->left, log->left_bytes) + count_lines(log->filling, log->filling_bytes);
            weir_log_destroy(log);
        }
        weir_log_writer_destroy(writer);
    }
}

void weir_access_log_stop(uint32_t deadline_ms)
{
    const struct timespec deadline = wall_clock_in(deadline_ms);

    pthread_mutex_lock(&weir_log_lock);
    is_started = false;
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL; writer = writer->next) {
        writer->is_stopping = true;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&weir_log_lock);
    /* From here on no writer takes itself off the list. */
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL; writer = writer->next)
        join(writer, &deadline);
    destroy_all();
}
