/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/name_system.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/crash.h"
#include "lib/base/list.h"
#include "lib/base/must.h"
#include "lib/wire/back/file_stamp.h"

enum { FILE_MAX = 65536 };

typedef struct job {
    weir_list_t link;
    void *asker;
    struct addrinfo *found;
    int error;
    char name[];
} job_t;

struct weir_name_system {
    pthread_mutex_t lock; /* of all but what is the owner's */
    pthread_cond_t wake;
    weir_list_t waiting; /* jobs */
    weir_list_t done;
    size_t holders; /* the owner and the threads */
    size_t threads, idle;
    bool is_over; /* nobody wants to know any more */
    int done_fd;
    /* the owner's */
    weir_file_stamp_t stamp;
    bool is_wanted;
};

/* ---- nsswitch.conf ---- */

/* Whether one line, up to its end or a comment, is "hosts:" with a module that c-ares does not stand in for. */
static bool line_has_modules(const char *line)
{
    static const char name[] = "hosts:", blanks[] = " \t\r";

    line += strspn(line, blanks);
    if (strncmp(line, name, sizeof(name) - 1) != 0)
        return false;
    line += sizeof(name) - 1;
    while (*(line += strspn(line, blanks)) != '\0') {
        size_t len = line[0] == '[' ? strcspn(line, "]") + 1 : strcspn(line, " \t\r[");
        bool is_ours = (len == 5 && memcmp(line, "files", 5) == 0) || (len == 3 && memcmp(line, "dns", 3) == 0);
        if (line[0] != '[' && !is_ours)
            return true;
        if (len > strlen(line))
            return false;
        line += len;
    }
    return false;
}

bool weir_name_system_has_modules(const char *text)
{
    char line[512];

    while (*text != '\0') {
        size_t whole = strcspn(text, "\n"), len = strcspn(text, "#\n");
        if (len < sizeof(line)) {
            memcpy(line, text, len);
            line[len] = '\0';
            if (line_has_modules(line))
                return true;
        }
        text += whole + (text[whole] != '\0');
    }
    return false;
}

static bool read_switch(void)
{
    int fd = open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = calloc(1, FILE_MAX + 1);
    bool has_modules = false;

    WEIR_MUST(text != NULL);
    if (fd != -1 && read(fd, text, FILE_MAX) > 0)
        has_modules = weir_name_system_has_modules(text);
    if (fd != -1)
        close(fd);
    free(text);
    return has_modules;
}

bool weir_name_system_is_wanted(struct weir_name_system *system)
{
    if (weir_file_has_changed("/etc/nsswitch.conf", &system->stamp))
        system->is_wanted = read_switch();
    return system->is_wanted;
}

/* ---- threads ---- */

static void free_job(job_t *job)
{
    if (job->found != NULL)
        freeaddrinfo(job->found);
    free(job);
}

static void free_jobs(weir_list_t *jobs)
{
    while (!weir_list_is_empty(jobs)) {
        job_t *job = WEIR_AROUND(jobs->next, job_t, link);
        weir_list_remove(&job->link);
        free_job(job);
    }
}

/* With the lock, which is gone then. */
static void let_go(struct weir_name_system *system)
{
    bool is_last = --system->holders == 0;

    pthread_mutex_unlock(&system->lock);
    if (!is_last)
        return;
    free_jobs(&system->done);
    close(system->done_fd);
    pthread_cond_destroy(&system->wake);
    pthread_mutex_destroy(&system->lock);
    free(system);
}

static void find_out(job_t *job)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    job->error = getaddrinfo(job->name, NULL, &hints, &job->found);
    if (job->error != 0)
        job->found = NULL;
}

static void *run(void *arg)
{
    struct weir_name_system *system = arg;
    const uint64_t one = 1;

    weir_crash_thread_begin();
    pthread_mutex_lock(&system->lock);
    while (!system->is_over) {
        if (weir_list_is_empty(&system->waiting)) {
            system->idle++;
            pthread_cond_wait(&system->wake, &system->lock);
            system->idle--;
            continue;
        }
        job_t *job = WEIR_AROUND(system->waiting.next, job_t, link);
        weir_list_remove(&job->link);
        pthread_mutex_unlock(&system->lock);
        find_out(job);
        pthread_mutex_lock(&system->lock);
        weir_list_append(&system->done, &job->link);
        WEIR_MUST(write(system->done_fd, &one, sizeof(one)) == sizeof(one));
    }
    weir_crash_thread_end();
    let_go(system);
    return NULL;
}

/* With the lock. Signals are for others. A thread that cannot be made is not missed if there is another. */
static void add_thread(struct weir_name_system *system)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, run, system) == 0) {
        WEIR_MUST(pthread_detach(thread) == 0);
        system->threads++;
        system->holders++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- life ---- */

struct weir_name_system *weir_name_system_create(void)
{
    struct weir_name_system *system = calloc(1, sizeof(*system));

    WEIR_MUST(system != NULL);
    system->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (system->done_fd == -1) {
        free(system);
        return NULL;
    }
    pthread_mutex_init(&system->lock, NULL);
    pthread_cond_init(&system->wake, NULL);
    weir_list_init(&system->waiting);
    weir_list_init(&system->done);
    system->holders = 1;
    return system;
}

void weir_name_system_destroy(struct weir_name_system **system)
{
    struct weir_name_system *gone = *system;

    if (gone == NULL)
        return;
    *system = NULL;
    pthread_mutex_lock(&gone->lock);
    gone->is_over = true;
    free_jobs(&gone->waiting);
    pthread_cond_broadcast(&gone->wake);
    let_go(gone);
}

/* ---- names ---- */

void weir_name_system_ask(struct weir_name_system *system, const char *name, void *asker, unsigned most_threads)
{
    size_t bytes = strlen(name) + 1;
    job_t *job = calloc(1, sizeof(*job) + bytes);

    WEIR_MUST(job != NULL);
    job->asker = asker;
    memcpy(job->name, name, bytes);
    weir_list_init(&job->link);
    pthread_mutex_lock(&system->lock);
    weir_list_append(&system->waiting, &job->link);
    if (system->idle == 0 && system->threads < most_threads)
        add_thread(system);
    pthread_cond_signal(&system->wake);
    pthread_mutex_unlock(&system->lock);
}

bool weir_name_system_drop(struct weir_name_system *system, void *asker)
{
    job_t *dropped = NULL;

    pthread_mutex_lock(&system->lock);
    for (weir_list_t *node = system->waiting.next; node != &system->waiting && dropped == NULL; node = node->next)
        if (WEIR_AROUND(node, job_t, link)->asker == asker)
            dropped = WEIR_AROUND(node, job_t, link);
    if (dropped != NULL)
        weir_list_remove(&dropped->link);
    pthread_mutex_unlock(&system->lock);
    if (dropped != NULL)
        free_job(dropped);
    return dropped != NULL;
}

int weir_name_system_fd(const struct weir_name_system *system)
{
    return system->done_fd;
}

void *weir_name_system_take(struct weir_name_system *system, struct addrinfo **out_found, int *out_error)
{
    job_t *job = NULL;
    uint64_t count;

    pthread_mutex_lock(&system->lock);
    if (!weir_list_is_empty(&system->done)) {
        job = WEIR_AROUND(system->done.next, job_t, link);
        weir_list_remove(&job->link);
    } else {
        (void)!read(system->done_fd, &count, sizeof(count));
    }
    pthread_mutex_unlock(&system->lock);
    if (job == NULL)
        return NULL;
    void *asker = job->asker;
    *out_found = job->found;
    *out_error = job->error;
    free(job);
    return asker;
}
