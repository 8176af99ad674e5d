/* SPDX-License-Identifier: MIT */
/*
 *   caller ─ append under the log's lock ─► filling │ swapped by the writer ► writing ─► write(2), no lock held
 *
 * The writer sleeps 20 ms between two rounds, so that under load one write takes many lines; after a round that found nothing
 * it is idle and waits on a condition, which only an append to an empty log signals. After a large batch it does not sleep.
 */
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/must.h"

enum { LOG_BYTES = 4 * 1024 * 1024, BATCH_PAUSE_MS = 20 };

struct weir_access_log {
    weir_access_log_t *next;
    char *path;     /* NULL: standard output */
    unsigned opens; /* under the writer's lock; 0: it ends when it is empty */
    pthread_mutex_t lock;
    char *filling;
    size_t filling_bytes;
    size_t writing_bytes; /* in the writer's hands; both together stay within LOG_BYTES */
    uint64_t dropped_lines;
    int next_fd; /* reopened; -1: none */
    /* The writer's own: */
    char *writing;
    int fd;
};

static struct {
    pthread_mutex_t lock; /* logs, and the fields below */
    pthread_cond_t wake;
    weir_access_log_t *logs;
    pthread_t thread;
    bool has_thread;
    bool is_stopping;
    atomic_bool is_idle; /* the writer has looked at every log and waits, or is about to look and wait */
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *must_have(void *memory)
{
    WEIR_MUST(memory != NULL);
    return memory;
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static weir_access_log_t *find_log(const char *path)
{
    weir_access_log_t *log = writer.logs;

    while (log != NULL && !(path == NULL ? log->path == NULL : log->path != NULL && strcmp(log->path, path) == 0))
        log = log->next;
    return log;
}

static weir_access_log_t *create_log(const char *path, int fd)
{
    weir_access_log_t *log = must_have(calloc(1, sizeof(*log)));

    log->path = path != NULL ? must_have(strdup(path)) : NULL;
    WEIR_MUST(pthread_mutex_init(&log->lock, NULL) == 0);
    log->filling = must_have(malloc(LOG_BYTES)); /* pages that are never reached cost nothing */
    log->writing = must_have(malloc(LOG_BYTES));
    log->next_fd = -1;
    log->fd = fd;
    return log;
}

weir_access_log_t *weir_access_log_open(const char *path)
{
    const char *file = strcmp(path, "-") == 0 ? NULL : path;
    weir_access_log_t *log;

    pthread_mutex_lock(&writer.lock);
    log = find_log(file);
    if (log == NULL) {
        int fd = file == NULL ? STDOUT_FILENO : open_file(file);

        if (fd != -1) {
            log = create_log(file, fd);
            log->next = writer.logs;
            writer.logs = log;
        }
    }
    if (log != NULL)
        log->opens++;
    pthread_mutex_unlock(&writer.lock);
    return log;
}

void weir_access_log_close(weir_access_log_t *log)
{
    if (log == NULL)
        return;
    pthread_mutex_lock(&writer.lock);
    WEIR_MUST(log->opens > 0);
    if (--log->opens == 0)
        pthread_cond_signal(&writer.wake); /* who writes what is left, and frees it */
    pthread_mutex_unlock(&writer.lock);
}

/* Under the log's lock. */
static bool append(weir_access_log_t *log, const char *line, size_t len)
{
    if (len > LOG_BYTES - log->filling_bytes - log->writing_bytes)
        return false;
    memcpy(log->filling + log->filling_bytes, line, len);
    log->filling_bytes += len;
    return true;
}

/* Under the log's lock. Whether no line is missing any more without the log saying so. */
static bool confess_drops(weir_access_log_t *log)
{
    char line[80];
    int len;

    if (log->dropped_lines == 0)
        return true;
    len = snprintf(line, sizeof(line), "at=warning code=log_dropped lines=%llu\n", (unsigned long long)log->dropped_lines);
    if (!append(log, line, (size_t)len))
        return false;
    log->dropped_lines = 0;
    return true;
}

void weir_access_log_write(weir_access_log_t *log, weir_span_t line)
{
    bool was_empty;

    pthread_mutex_lock(&log->lock);
    was_empty = log->filling_bytes == 0;
    if (!confess_drops(log) || !append(log, line.base, line.len))
        log->dropped_lines++;
    pthread_mutex_unlock(&log->lock);

    /* The writer sets is_idle before its last look under the log's lock: either it sees this line or we see the flag. */
    if (was_empty && atomic_load(&writer.is_idle)) {
        pthread_mutex_lock(&writer.lock);
        pthread_cond_signal(&writer.wake);
        pthread_mutex_unlock(&writer.lock);
    }
}

static void reopen(weir_access_log_t *log)
{
    int fd = log->path != NULL ? open_file(log->path) : -1;

    if (log->path == NULL)
        return;
    if (fd == -1) {
        weir_log("%s: %s; going on with the file that is open", log->path, strerror(errno));
        return;
    }
    pthread_mutex_lock(&log->lock);
    if (log->next_fd != -1)
        close(log->next_fd);
    log->next_fd = fd;
    pthread_mutex_unlock(&log->lock);
}

void weir_access_log_reopen_all(void)
{
    pthread_mutex_lock(&writer.lock);
    for (weir_access_log_t *log = writer.logs; log != NULL; log = log->next)
        reopen(log);
    pthread_mutex_unlock(&writer.lock);
}

/* ---- the writer ---- */

/* The only place where stop() may cut the thread off: no lock is held here. */
static ssize_t write_cancellable(int fd, const char *bytes, size_t len)
{
    int before;
    ssize_t written;

    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    written = write(fd, bytes, len);
    if (written == -1 && errno == EAGAIN) { /* somebody made our standard output non-blocking */
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        poll(&ready, 1, -1);
        errno = EINTR;
    }
    pthread_setcancelstate(before, NULL);
    return written;
}

/* Returns how many lines could not be written: the disk is full, or the reader of a pipe is gone. */
static uint64_t write_all(int fd, const char *bytes, size_t len)
{
    uint64_t lost = 0;

    while (len > 0) {
        ssize_t written = write_cancellable(fd, bytes, len);
        if (written == -1 && errno == EINTR)
            continue;
        if (written == -1)
            break;
        bytes += written;
        len -= (size_t)written;
    }
    for (size_t i = 0; i < len; i++)
        lost += bytes[i] == '\n';
    return lost;
}

/* Takes what is there from the callers. Returns its size. */
static size_t take(weir_access_log_t *log)
{
    char *full;

    pthread_mutex_lock(&log->lock);
    confess_drops(log);
    full = log->filling;
    log->filling = log->writing;
    log->writing = full;
    log->writing_bytes = log->filling_bytes;
    log->filling_bytes = 0;
    if (log->next_fd != -1) {
        close(log->fd);
        log->fd = log->next_fd;
        log->next_fd = -1;
    }
    pthread_mutex_unlock(&log->lock);
    return log->writing_bytes;
}

/* Returns how many bytes were written; 0 if not all could be: such a log is not worth a busy writer. */
static size_t drain(weir_access_log_t *log)
{
    size_t len = take(log);
    uint64_t lost = write_all(log->fd, log->writing, len);

    pthread_mutex_lock(&log->lock);
    log->writing_bytes = 0;
    log->dropped_lines += lost;
    pthread_mutex_unlock(&log->lock);
    return lost == 0 ? len : 0;
}

/* Returns the size of the largest batch. */
static size_t drain_all(void)
{
    size_t largest = 0;

    pthread_mutex_lock(&writer.lock);
    weir_access_log_t *log = writer.logs;
    pthread_mutex_unlock(&writer.lock);
    for (; log != NULL; log = log->next) { /* others only ever add logs, in front */
        size_t len = drain(log);
        largest = len > largest ? len : largest;
    }
    return largest;
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};

    nanosleep(&pause, NULL);
}

/* Under the writer's lock. */
static bool is_anything_left(void)
{
    bool is_left = false;

    for (weir_access_log_t *log = writer.logs; log != NULL && !is_left; log = log->next) {
        pthread_mutex_lock(&log->lock);
        is_left = log->filling_bytes > 0 || log->next_fd != -1 || log->opens == 0;
        pthread_mutex_unlock(&log->lock);
    }
    return is_left;
}

/* Returns false when it is time to end. */
static bool wait_for_lines(void)
{
    bool may_go_on;

    pthread_mutex_lock(&writer.lock);
    atomic_store(&writer.is_idle, true);
    while (!writer.is_stopping && !is_anything_left())
        pthread_cond_wait(&writer.wake, &writer.lock);
    atomic_store(&writer.is_idle, false);
    may_go_on = !writer.is_stopping;
    pthread_mutex_unlock(&writer.lock);
    return may_go_on;
}

static void destroy_log(weir_access_log_t *log)
{
    if (log->next_fd != -1)
        close(log->next_fd);
    if (log->path != NULL)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log->filling);
    free(log->writing);
    free(log->path);
    free(log);
}

/* Frees the logs that nobody has open. They are empty: this follows a round that found nothing. */
static void forget_closed(void)
{
    pthread_mutex_lock(&writer.lock);
    weir_access_log_t **at = &writer.logs;
    while (*at != NULL) {
        weir_access_log_t *log = *at;
        if (log->opens > 0 || log->filling_bytes > 0) {
            at = &log->next;
            continue;
        }
        *at = log->next;
        destroy_log(log);
    }
    pthread_mutex_unlock(&writer.lock);
}

static void *run(void *unused)
{
    size_t largest;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    while (wait_for_lines()) {
        while ((largest = drain_all()) > 0)
            if (largest < LOG_BYTES / 4)
                pause_ms(BATCH_PAUSE_MS);
        forget_closed();
    }
    while (drain_all() > 0)
        ;
    return unused;
}

void weir_access_log_start(void)
{
    pthread_mutex_lock(&writer.lock);
    if (!writer.has_thread) {
        writer.is_stopping = false;
        WEIR_MUST(pthread_create(&writer.thread, NULL, run, NULL) == 0);
        writer.has_thread = true;
    }
    pthread_mutex_unlock(&writer.lock);
}

static void end_thread(uint32_t deadline_ms)
{
    struct timespec deadline;

    pthread_mutex_lock(&writer.lock);
    writer.is_stopping = true;
    pthread_cond_signal(&writer.wake);
    pthread_mutex_unlock(&writer.lock);

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += deadline_ms / 1000;
    deadline.tv_nsec += (long)(deadline_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    if (pthread_timedjoin_np(writer.thread, NULL, &deadline) != 0) {
        pthread_cancel(writer.thread);
        pthread_join(writer.thread, NULL);
    }
    writer.has_thread = false;
    atomic_store(&writer.is_idle, false);
}

void weir_access_log_stop(uint32_t deadline_ms)
{
    if (writer.has_thread)
        end_thread(deadline_ms);
    while (writer.logs != NULL) {
        weir_access_log_t *log = writer.logs;
        writer.logs = log->next;
        destroy_log(log);
    }
}

/* ---- in a crash ---- */

enum { SAVE_TRIES = 100, SAVE_PIECE = 4096 /* a pipe that is ready takes so much and does not block */ };

/*
 * The lock, with the writer's batch out of the way; it is never given back. To try is an atomic instruction, and waits for
 * nobody: also not for this thread, should it have crashed with the lock in its hands.
 */
static bool seize(weir_access_log_t *log)
{
    for (int i = 0; i < SAVE_TRIES; i++) {
        if (pthread_mutex_trylock(&log->lock) == 0) {
            if (log->writing_bytes == 0)
                return true;
            pthread_mutex_unlock(&log->lock);
        }
        pause_ms(1);
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
    for (weir_access_log_t *log = writer.logs; log != NULL; log = log->next) {
        if (seize(log))
            save(log);
    }
}
