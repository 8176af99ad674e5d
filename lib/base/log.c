/* SPDX-License-Identifier: MIT */
/* The side of those who open logs and write to them. */
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log_writer.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"

static void *must_have(void *memory)
{
    WEIR_MUST(memory != NULL);
    return memory;
}

/* ---- descriptors ---- */

int weir_log_standard(const char *path)
{
    static const struct {
        const char *name;
        int fd;
    } names[] = {
        {"-", STDOUT_FILENO},
        {"/dev/stdout", STDOUT_FILENO},
        {"/dev/stderr", STDERR_FILENO},
        {"/dev/fd/1", STDOUT_FILENO},
        {"/dev/fd/2", STDERR_FILENO},
        {"/proc/self/fd/1", STDOUT_FILENO},
        {"/proc/self/fd/2", STDERR_FILENO},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].name, path) == 0)
            return names[i].fd;
    return -1;
}

int weir_log_open_file(const char *path)
{
    const int flags = O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct stat what;
    int fd = -1;

    /* Whoever opens a FIFO for both waits for nobody, and its lines wait for a reader, also when it is opened anew. */
    if (stat(path, &what) == 0 && S_ISFIFO(what.st_mode))
        fd = open(path, O_RDWR | flags);
    if (fd == -1)
        fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    return fd != -1 ? fd : weir_rights_append(path);
}

static bool can_be_stuck(int fd)
{
    struct stat what;

    return fstat(fd, &what) != 0 || !S_ISREG(what.st_mode);
}

/* ---- logs ---- */

static weir_access_log_t *find_log(const char *path, int standard_fd)
{
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL; writer = writer->next)
        for (weir_access_log_t *log = writer->logs; log != NULL; log = log->next)
            if (standard_fd != -1 ? log->is_borrowed && log->fd == standard_fd
                                  : log->path != NULL && strcmp(log->path, path) == 0)
                return log;
    return NULL;
}

/* Under weir_log_lock. */
static weir_access_log_t *create_log(int fd, const char *name)
{
    weir_access_log_t *log = must_have(calloc(1, sizeof(*log)));

    log->name = must_have(strdup(name));
    WEIR_MUST(pthread_mutex_init(&log->lock, NULL) == 0);
    log->filling = must_have(malloc(WEIR_LOG_BYTES)); /* pages that are never reached cost nothing */
    log->writing = must_have(malloc(WEIR_LOG_BYTES));
    log->fd = fd;
    log->is_journal = weir_log_is_journal(fd);
    log->opens = 1;
    log->writer = weir_log_writer_for(can_be_stuck(fd));
    log->next = log->writer->logs;
    log->writer->logs = log;
    return log;
}

/* Under weir_log_lock. */
static weir_access_log_t *open_anew(const char *path, int standard_fd)
{
    int fd = standard_fd != -1 ? standard_fd : weir_log_open_file(path);
    weir_access_log_t *log;

    if (fd == -1)
        return NULL;
    log = create_log(fd, standard_fd == STDOUT_FILENO ? "standard output" : path);
    log->is_borrowed = standard_fd != -1;
    if (!log->is_borrowed)
        log->path = must_have(strdup(path));
    return log;
}

weir_access_log_t *weir_access_log_open(const char *path)
{
    const int standard_fd = weir_log_standard(path);
    weir_access_log_t *log;

    pthread_mutex_lock(&weir_log_lock);
    log = find_log(path, standard_fd);
    if (log == NULL)
        log = open_anew(path, standard_fd);
    else if (log->opens++ == 0)
        atomic_store(&log->closed_at_ms, 0);
    pthread_mutex_unlock(&weir_log_lock);
    return log;
}

weir_access_log_t *weir_access_log_adopt(int fd, const char *name)
{
    weir_access_log_t *log;

    WEIR_MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    pthread_mutex_lock(&weir_log_lock);
    log = create_log(fd, name);
    pthread_mutex_unlock(&weir_log_lock);
    return log;
}

/* Under weir_log_lock: of a log that no thread looks after. */
static void drop_log(weir_access_log_t *log)
{
    weir_access_log_t **at = &log->writer->logs;

    while (*at != log)
        at = &(*at)->next;
    *at = log->next;
    if (!log->writer->is_common)
        weir_log_writer_destroy(log->writer);
    weir_log_destroy(log);
}

void weir_access_log_close(weir_access_log_t *log)
{
    if (log == NULL)
        return;
    pthread_mutex_lock(&weir_log_lock);
    WEIR_MUST(log->opens > 0);
    if (--log->opens == 0) {
        atomic_store(&log->closed_at_ms, weir_clock_monotonic_us() / 1000);
        if (log->writer->has_thread)
            pthread_cond_signal(&log->writer->wake); /* who writes what is left, and frees it */
        else
            drop_log(log);
    }
    pthread_mutex_unlock(&weir_log_lock);
}

/* Under the log's lock. */
static bool fits(const weir_access_log_t *log, size_t len)
{
    return len <= WEIR_LOG_BYTES - log->filling_bytes - log->writing_bytes;
}

static void put(weir_access_log_t *log, const char *line, size_t len)
{
    memcpy(log->filling + log->filling_bytes, line, len);
    log->filling_bytes += len;
}

bool weir_log_confess(weir_access_log_t *log)
{
    char line[112];
    size_t len = 0;

    if (log->dropped_lines == 0)
        return true;
    if (log->has_time)
        len = weir_log_time_write(weir_clock_wall_us(), line);
    len += (size_t)snprintf(line + len, sizeof(line) - len, WEIR_LOG_CONFESSION "%" PRIu64 "\n", log->dropped_lines);
    if (!fits(log, len))
        return false;
    put(log, line, len);
    log->dropped_lines = 0;
    return true;
}

void weir_log_tell_loss(weir_access_log_t *log, const char *why)
{
    static weir_log_limit_t limit;
    bool is_told;

    pthread_mutex_lock(&log->lock);
    is_told = log->is_loss_told;
    log->is_loss_told = true;
    pthread_mutex_unlock(&log->lock);
    if (!is_told)
        weir_log_limited(&limit, "%s: %s; lines are lost", log->name, why);
}

void weir_log_drop(weir_access_log_t *log, uint64_t lines)
{
    log->dropped_lines += lines;
    if (lines > 0)
        weir_metrics_add(WEIR_CELL_log_dropped, lines);
}

static void write_behind(weir_access_log_t *log, weir_span_t time, weir_span_t line)
{
    bool was_empty, has_room;

    pthread_mutex_lock(&log->lock);
    was_empty = log->filling_bytes == 0;
    log->has_time = log->has_time || time.len > 0;
    has_room = weir_log_confess(log) && fits(log, time.len + line.len);
    if (has_room) {
        put(log, time.base, time.len);
        put(log, line.base, line.len);
    } else
        weir_log_drop(log, 1);
    pthread_mutex_unlock(&log->lock);

    if (!has_room)
        weir_log_tell_loss(log, "nobody reads it fast enough");
    /* The writer sets is_idle before its last look under the log's lock: either it sees this line or we see the flag. */
    if (was_empty && atomic_load(&log->writer->is_idle)) {
        pthread_mutex_lock(&weir_log_lock);
        pthread_cond_signal(&log->writer->wake);
        pthread_mutex_unlock(&weir_log_lock);
    }
}

void weir_access_log_write(weir_access_log_t *log, weir_span_t line)
{
    write_behind(log, WEIR_SPAN(""), line);
}

void weir_access_log_write_timed(weir_access_log_t *log, weir_span_t line)
{
    char time[WEIR_LOG_TIME_BYTES];

    write_behind(log, (weir_span_t){time, log->is_journal ? 0 : weir_log_time_write(weir_clock_wall_us(), time)}, line);
}

/* Under weir_log_lock. The writer opens the file: a disk, or whoever has the rights, may let one wait. */
static void want_anew(weir_access_log_t *log)
{
    pthread_mutex_lock(&log->lock);
    log->is_wanted_anew = log->path != NULL && log->opens > 0; /* what a reload has left is not made anew */
    pthread_mutex_unlock(&log->lock);
    pthread_cond_signal(&log->writer->wake); /* what was rotated is let go of now, not with the next line */
}

void weir_access_log_reopen_all(void)
{
    pthread_mutex_lock(&weir_log_lock);
    for (weir_log_writer_t *writer = weir_log_writers; writer != NULL; writer = writer->next)
        for (weir_access_log_t *log = writer->logs; log != NULL; log = log->next)
            want_anew(log);
    pthread_mutex_unlock(&weir_log_lock);
}

void weir_log_destroy(weir_access_log_t *log)
{
    if (log->dropped_lines != 0)
        weir_log("%s: %" PRIu64 " lines were lost", log->name, log->dropped_lines);
    if (!log->is_borrowed)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log->filling);
    free(log->writing);
    free(log->path);
    free(log->name);
    free(log);
}
