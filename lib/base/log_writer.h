/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LOG_WRITER_H
#define WEIR_BASE_LOG_WRITER_H
/**
 * @file  The threads that write logs, and what a log is for them. Between log.c, log_writer.c and log_save.c only.
 *
 *   caller ─ append under the log's lock ─► filling │ swapped by the writer ► writing ─► write(2), no lock held
 *
 * OWNER    A log belongs to its writer, a writer to the list of them; both are freed by the writer's own thread when nobody has
 *          the log open, or by weir_access_log_stop().
 * THREAD   What is marked (L) is under weir_log_lock, what is marked (l) under the log's lock; locks are taken in this order.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/base/log.h"

enum { WEIR_LOG_BYTES = 4 * 1024 * 1024, WEIR_LOG_LAST_MS = 2000 /* what the reader of a closed log has */ };

/** What stands in a log before the number of lines that were dropped. */
#define WEIR_LOG_CONFESSION "at=warning code=log_dropped lines="

struct weir_log_writer;

struct weir_access_log {
    weir_access_log_t *next; /* (L) of the same writer; new ones come in front */
    struct weir_log_writer *writer;
    char *path;       /* what is opened anew; NULL: a descriptor that was there */
    char *name;       /* for complaints */
    unsigned opens;   /* (L) 0: it ends when it is empty */
    bool is_borrowed; /* standard output or error: not ours to close */
    bool is_journal;  /* systemd's, which knows the time */
    bool has_time;    /* (l) its lines begin with the time */
    pthread_mutex_t lock;
    char *filling;                 /* (l) */
    size_t filling_bytes;          /* (l) */
    size_t writing_bytes;          /* (l) in the writer's hands; both together stay within WEIR_LOG_BYTES */
    uint64_t dropped_lines;        /* (l) */
    bool is_loss_told;             /* (l) on standard error, since the last batch that was written whole */
    bool is_wanted_anew;           /* (l) its file may have been rotated */
    _Atomic uint64_t closed_at_ms; /* monotonic; 0: it is open */
    /* The writer's own: */
    char *writing;
    const char *left; /* of the batch: not yet taken by the kernel */
    size_t left_bytes;
    int fd;
};

typedef struct weir_log_writer {
    struct weir_log_writer *next; /* (L) */
    weir_access_log_t *logs;      /* (L) */
    pthread_cond_t wake;          /* with weir_log_lock */
    pthread_t thread;
    bool has_thread;     /* (L) */
    bool is_common;      /* of all files: stays, and waits for nobody; else it has one log, and ends with it */
    bool is_stopping;    /* (L) its end is awaited by who frees it */
    atomic_bool is_idle; /* it has looked at every log and waits, or is about to look and wait */
} weir_log_writer_t;

extern pthread_mutex_t weir_log_lock;
extern weir_log_writer_t *weir_log_writers; /* (L) */

/** Under weir_log_lock: the writer of a log that can be stuck, or of all others; made if need be, and started if others are. */
weir_log_writer_t *weir_log_writer_for(bool can_be_stuck);

/** Under weir_log_lock: frees a writer that has no log and no thread; not the common one. */
void weir_log_writer_destroy(weir_log_writer_t *writer);

/** Says on standard error that a log loses lines, once until it is written again. Never under the log's lock. */
void weir_log_tell_loss(weir_access_log_t *log, const char *why);

/** Under the log's lock: so many lines are lost. */
void weir_log_drop(weir_access_log_t *log, uint64_t lines);

/** Under the log's lock. Whether no line is missing any more without the log saying so. */
bool weir_log_confess(weir_access_log_t *log);

/** Says what it has lost, closes and frees a log that no list has and no thread. */
void weir_log_destroy(weir_access_log_t *log);

#endif
