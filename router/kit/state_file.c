/* SPDX-License-Identifier: MIT */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "alloc.h"
#include "metrics.h"
#include "saved.h"
#include "state_read.h"

enum {
    MODE = 0600,
    SUM_BYTES = 10,          /* a blank, eight digits, the end of the line */
    JOURNAL_BYTES = 1 << 20, /* so much is appended before a new file is thought of */
    MS_NS = 1000000,
    S_MS = 1000,
    S_NS = 1000000000,
    BAD_STATUS = 500,
};

typedef struct text {
    char *base;
    size_t length, capacity;
} text_t;

/* An answer that waits. */
typedef struct waiting {
    struct waiting *next;
    weir_admin_held_t *held;
    uint64_t number; /* of the addition that it waits for */
    uint16_t status;
    char *text;
} waiting_t;

struct kit_state_file {
    char *path, *new_path;
    uint32_t sync_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    text_t changes; /* to be appended */
    bool is_whole;  /* they are a file of their own: the changes before are in it */
    bool is_ending;
    uint64_t added, handled; /* numbers of additions */
    bool is_synced;          /* those that were handled last */
    waiting_t *waiting, **last_waiting;
    char trouble[256];
    bool needs_whole;     /* something could not be written: a new file heals that */
    size_t journal_bytes; /* appended since the last new file */
    size_t whole_bytes;   /* of that                          */
    /* ---- the thread's ---- */
    int fd;
    bool is_lost; /* another process has the name now */
};

/* ---- text ---- */

static void append(text_t *text, const char *bytes, size_t length)
{
    if (text->length + length > text->capacity) {
        text->capacity = (text->length + length) * 2;
        text->base = realloc(text->base, text->capacity);
        if (text->base == NULL)
            abort();
    }
    memcpy(text->base + text->length, bytes, length);
    text->length += length;
}

static void append_line(text_t *text, const json_t *document)
{
    char *line = json_dumps(document, JSON_COMPACT), sum[SUM_BYTES + 1];

    if (line == NULL)
        return;
    snprintf(sum, sizeof(sum), " %08lx\n", crc32(0, (const unsigned char *)line, (unsigned)strlen(line)));
    append(text, line, strlen(line));
    append(text, sum, SUM_BYTES);
    free(line);
}

static void append_record(void *text, const json_t *record)
{
    append_line(text, record);
}

/* A file of its own, in the place of all changes before. */
static void write_whole(kit_state_file_t *file, const kit_instance_t *instance)
{
    json_t *first = json_pack("{s:i, s:I}", "weir-state", 1, "seq", (json_int_t)instance->seq);

    file->changes.length = 0;
    append_line(&file->changes, first);
    json_decref(first);
    kit_saved_each(instance, append_record, &file->changes);
    file->is_whole = true;
    file->needs_whole = false;
    file->whole_bytes = file->changes.length;
    file->journal_bytes = 0;
}

/* ---- the disk ---- */

static bool fail(kit_state_file_t *file, const char *what)
{
    pthread_mutex_lock(&file->lock);
    snprintf(file->trouble, sizeof(file->trouble), "state-file %s: %s: %s; what is changed holds, but not over a restart",
             file->path, what, strerror(errno));
    file->needs_whole = true;
    pthread_mutex_unlock(&file->lock);
    kit_metrics_count(KIT_STATE_ERRORS);
    return false;
}

static bool write_all(int fd, const char *at, size_t left)
{
    while (left > 0) {
        const ssize_t done = write(fd, at, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        left -= (size_t)done;
    }
    return true;
}

static bool sync_directory(const char *path)
{
    char *copy = kit_copy(path), *slash = strrchr(copy, '/');

    slash[slash == copy ? 1 : 0] = '\0';
    const int fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_done = fd != -1 && fsync(fd) == 0;
    if (fd != -1)
        close(fd);
    free(copy);
    return is_done;
}

/* Whether the name is still of what we have written. */
static bool is_ours(const kit_state_file_t *file)
{
    struct stat named, open_one;

    if (file->fd == -1)
        return true;
    return stat(file->path, &named) == 0 && fstat(file->fd, &open_one) == 0 && named.st_ino == open_one.st_ino &&
           named.st_dev == open_one.st_dev;
}

static bool write_new(kit_state_file_t *file, const text_t *text)
{
    const int fd = open(file->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE);

    if (fd == -1)
        return fail(file, "cannot be written");
    const bool is_written = write_all(fd, text->base, text->length) && fsync(fd) == 0;
    if (!is_written || rename(file->new_path, file->path) != 0) {
        (void)fail(file, "cannot be written");
        close(fd);
        (void)unlink(file->new_path);
        return false;
    }
    if (file->fd != -1)
        close(file->fd);
    file->fd = fd;
    return sync_directory(file->path) || fail(file, "its directory cannot be synced");
}

static bool write_more(kit_state_file_t *file, const text_t *text)
{
    if (file->fd == -1)
        return false; /* which was told; a new file will be tried */
    return (write_all(file->fd, text->base, text->length) && fdatasync(file->fd) == 0) || fail(file, "cannot be written");
}

static bool write_out(kit_state_file_t *file, const text_t *text, bool is_whole)
{
    if (!file->is_lost && !is_ours(file)) {
        file->is_lost = true;
        errno = EBUSY;
        (void)fail(file, "another process has it now");
    }
    if (file->is_lost)
        return false;
    return is_whole ? write_new(file, text) : write_more(file, text);
}

/* ---- the thread ---- */

static void answer(waiting_t *waiting, bool is_synced)
{
    if (is_synced)
        weir_admin_held_answer(&waiting->held, waiting->status, waiting->text, strlen(waiting->text));
    else
        weir_admin_held_problem(&waiting->held, BAD_STATUS, "not-saved",
                                "it holds, but could not be written to the state file");
    free(waiting->text);
    free(waiting);
}

static void answer_until(kit_state_file_t *file, uint64_t number, bool is_synced)
{
    waiting_t *waiting;

    pthread_mutex_lock(&file->lock);
    while ((waiting = file->waiting) != NULL && waiting->number <= number) {
        file->waiting = waiting->next;
        if (file->waiting == NULL)
            file->last_waiting = &file->waiting;
        pthread_mutex_unlock(&file->lock);
        answer(waiting, is_synced);
        pthread_mutex_lock(&file->lock);
    }
    pthread_mutex_unlock(&file->lock);
}

/* Those who come in this time are synced together. */
static void gather(kit_state_file_t *file)
{
    struct timespec until;

    if (file->sync_ms == 0)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(file->sync_ms % S_MS) * MS_NS;
    until.tv_sec += file->sync_ms / S_MS + until.tv_nsec / S_NS;
    until.tv_nsec %= S_NS;
    while (!file->is_ending && pthread_cond_timedwait(&file->has_work, &file->lock, &until) == 0) {
    }
}

/* Who comes to wait for them from now on answers for himself. */
static void note_handled(kit_state_file_t *file, uint64_t number, bool is_synced)
{
    pthread_mutex_lock(&file->lock);
    file->handled = number;
    file->is_synced = is_synced;
    pthread_mutex_unlock(&file->lock);
}

static void *run(void *of)
{
    kit_state_file_t *file = of;
    text_t text = {0};

    pthread_mutex_lock(&file->lock);
    for (;;) {
        while (file->changes.length == 0 && !file->is_ending)
            pthread_cond_wait(&file->has_work, &file->lock);
        if (file->changes.length == 0)
            break;
        gather(file);
        const text_t mine = file->changes;
        const uint64_t number = file->added;
        const bool is_whole = file->is_whole;
        file->changes = text;
        file->changes.length = 0;
        file->is_whole = false;
        pthread_mutex_unlock(&file->lock);
        const bool is_synced = write_out(file, &mine, is_whole);
        note_handled(file, number, is_synced);
        answer_until(file, number, is_synced);
        text = mine;
        pthread_mutex_lock(&file->lock);
    }
    pthread_mutex_unlock(&file->lock);
    free(text.base);
    return NULL;
}

/* ---- life ---- */

static void destroy(kit_state_file_t *file)
{
    if (file->fd != -1)
        close(file->fd);
    pthread_mutex_destroy(&file->lock);
    pthread_cond_destroy(&file->has_work);
    free(file->changes.base);
    free(file->new_path);
    free(file->path);
    free(file);
}

static char *name_with(const char *path, const char *end)
{
    const size_t bytes = strlen(path) + strlen(end) + 1;
    char *name = kit_alloc(bytes, 1);

    snprintf(name, bytes, "%s%s", path, end);
    return name;
}

kit_state_file_t *kit_state_file_open(const char *path, uint32_t sync_ms, kit_instance_t *instance, bool is_first,
                                      kit_state_found_t *found)
{
    kit_state_file_t *file;

    memset(found, 0, sizeof(*found));
    const bool is_read = !is_first || kit_state_read(path, instance, found);
    kit_metrics_count_many(KIT_STATE_ERRORS, is_read ? found->skipped + found->is_torn : 1);
    if (!is_read)
        return NULL;
    file = kit_alloc(1, sizeof(*file));
    file->path = kit_copy(path);
    file->new_path = name_with(path, ".new");
    file->sync_ms = sync_ms;
    file->fd = -1;
    file->last_waiting = &file->waiting;
    if (pthread_mutex_init(&file->lock, NULL) != 0 || pthread_cond_init(&file->has_work, NULL) != 0)
        abort();
    write_whole(file, instance);
    if (!write_out(file, &file->changes, true)) {
        snprintf(found->problem, sizeof(found->problem), "%s", file->trouble);
        destroy(file);
        return NULL;
    }
    file->changes.length = 0;
    file->is_whole = false;
    if (pthread_create(&file->thread, NULL, run, file) != 0)
        abort();
    return file;
}

const char *kit_state_file_path(const kit_state_file_t *file)
{
    return file->path;
}

static bool is_outgrown(const kit_state_file_t *file)
{
    return file->needs_whole || file->journal_bytes > JOURNAL_BYTES + file->whole_bytes;
}

void kit_state_file_add(kit_state_file_t *file, const kit_instance_t *instance, json_t *record)
{
    pthread_mutex_lock(&file->lock);
    const size_t before = file->changes.length;
    if (is_outgrown(file))
        write_whole(file, instance);
    else
        append_line(&file->changes, record);
    if (!file->is_whole)
        file->journal_bytes += file->changes.length - before;
    file->added++;
    pthread_cond_signal(&file->has_work);
    pthread_mutex_unlock(&file->lock);
    json_decref(record);
}

bool kit_state_file_is_strict(const kit_state_file_t *file)
{
    return file->sync_ms == 0;
}

uint64_t kit_state_file_number(kit_state_file_t *file)
{
    pthread_mutex_lock(&file->lock);
    const uint64_t number = file->added;
    pthread_mutex_unlock(&file->lock);
    return number;
}

bool kit_state_file_has_handled(kit_state_file_t *file, uint64_t number)
{
    pthread_mutex_lock(&file->lock);
    const bool has_handled = file->handled >= number;
    pthread_mutex_unlock(&file->lock);
    return has_handled;
}

void kit_state_file_answers(kit_state_file_t *file, weir_admin_held_t **held, uint16_t status, const char *text)
{
    waiting_t *waiting = kit_alloc(1, sizeof(*waiting));

    *waiting = (waiting_t){.held = *held, .status = status, .text = kit_copy(text == NULL ? "" : text)};
    *held = NULL;
    pthread_mutex_lock(&file->lock);
    waiting->number = file->added;
    *file->last_waiting = waiting;
    file->last_waiting = &waiting->next;
    const uint64_t number = waiting->number;
    const bool is_handled = file->handled >= number, is_synced = file->is_synced;
    pthread_mutex_unlock(&file->lock);
    if (is_handled)
        answer_until(file, number, is_synced);
}

bool kit_state_file_trouble(kit_state_file_t *file, char *text, size_t bytes)
{
    pthread_mutex_lock(&file->lock);
    const bool is_there = file->trouble[0] != '\0';
    snprintf(text, bytes, "%s", file->trouble);
    file->trouble[0] = '\0';
    pthread_mutex_unlock(&file->lock);
    return is_there;
}

void kit_state_file_close(kit_state_file_t **slot)
{
    kit_state_file_t *file = *slot;

    if (file == NULL)
        return;
    *slot = NULL;
    pthread_mutex_lock(&file->lock);
    file->is_ending = true;
    pthread_cond_signal(&file->has_work);
    pthread_mutex_unlock(&file->lock);
    pthread_join(file->thread, NULL);
    answer_until(file, UINT64_MAX, false);
    destroy(file);
}
