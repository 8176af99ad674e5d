/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/names.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/crash.h"
#include "lib/base/must.h"
#include "lib/wire/back/name_query.h"

atomic_uint weir_names_edition_now;

static struct {
    pthread_mutex_t life; /* the thread begins and ends under it; taken before the lock */
    pthread_mutex_t lock; /* of all below                                               */
    weir_list_t users;
    weir_list_t questions;
    pthread_t thread;
    int wake_fd;
    bool has_thread, must_end;
    char *servers;           /* NULL: the system's */
    unsigned system_threads; /* for what else it has */
    const void *servers_of;
} names = {.life = PTHREAD_MUTEX_INITIALIZER,
           .lock = PTHREAD_MUTEX_INITIALIZER,
           .users = {&names.users, &names.users},
           .questions = {&names.questions, &names.questions},
           .wake_fd = -1};

/* What the thread has for itself. */
typedef struct desk {
    struct weir_name_table *table;
    struct weir_name_queries *queries;
    int wake_fd;
} desk_t;

static void wake(int fd)
{
    const uint64_t one = 1;

    WEIR_MUST(write(fd, &one, sizeof(one)) == sizeof(one));
}

/* ---- the thread ---- */

static void on_ask(void *arg, struct weir_known_name *known, const char *name)
{
    weir_name_queries_ask(((desk_t *)arg)->queries, name, known);
}

static void on_drop(void *arg, struct weir_known_name *known)
{
    weir_name_queries_drop(((desk_t *)arg)->queries, known);
}

static void on_letter(weir_letter_t *letter)
{
    weir_addresses_t *addresses = WEIR_AROUND(letter, weir_addresses_t, letter);

    addresses->user->on_addresses(addresses->user, addresses);
}

static bool is_user(const weir_names_user_t *user)
{
    for (const weir_list_t *node = names.users.next; node != &names.users; node = node->next)
        if (node == &user->link)
            return true;
    return false;
}

/* Under the lock: who leaves gets no letter afterwards. */
static void on_tell(void *arg, weir_addresses_t *addresses)
{
    addresses->letter.open = on_letter;
    pthread_mutex_lock(&names.lock);
    if (is_user(addresses->user))
        weir_loop_post(addresses->user->loop, &addresses->letter);
    else
        free(addresses);
    pthread_mutex_unlock(&names.lock);
}

static void on_answer(void *arg, void *asker, const weir_name_answer_t *answer)
{
    weir_name_table_answer(((desk_t *)arg)->table, asker, answer, weir_clock_monotonic_us());
}

static void on_hosts_changed(void *arg)
{
    weir_name_table_set_edition(((desk_t *)arg)->table, atomic_fetch_add(&weir_names_edition_now, 1) + 1);
}

static void take_mail(desk_t *desk)
{
    weir_list_t questions;
    uint64_t count;

    (void)!read(desk->wake_fd, &count, sizeof(count));
    weir_list_init(&questions);
    pthread_mutex_lock(&names.lock);
    weir_list_move_all(&questions, &names.questions);
    char *servers = names.servers != NULL ? strdup(names.servers) : NULL;
    unsigned system_threads = names.system_threads;
    weir_name_table_set_edition(desk->table, weir_names_edition()); /* of these servers, not of those that come now */
    pthread_mutex_unlock(&names.lock);
    weir_name_queries_use(desk->queries, servers, system_threads);
    free(servers);
    while (!weir_list_is_empty(&questions)) {
        weir_name_question_t *question = WEIR_AROUND(questions.next, weir_name_question_t, link);
        weir_list_remove(&question->link);
        weir_name_table_question(desk->table, question, weir_clock_monotonic_us());
    }
}

static int wait_ms(const desk_t *desk)
{
    uint64_t due_us = weir_name_table_due_us(desk->table), now_us = weir_clock_monotonic_us();

    if (due_us == 0)
        return -1;
    return due_us > now_us ? (int)((due_us - now_us) / 1000 + 1) : 0;
}

static bool must_end(void)
{
    pthread_mutex_lock(&names.lock);
    bool is_over = names.must_end;
    pthread_mutex_unlock(&names.lock);
    return is_over;
}

static void *run(void *arg)
{
    desk_t *desk = arg;
    const weir_name_table_hooks_t table_hooks = {on_ask, on_drop, on_tell, desk};
    const weir_name_query_hooks_t query_hooks = {on_answer, on_hosts_changed, desk};

    weir_crash_thread_begin();
    desk->table = weir_name_table_create(&table_hooks);
    desk->queries = weir_name_queries_create(&query_hooks);
    while (!must_end()) {
        take_mail(desk);
        weir_name_queries_turn(desk->queries, desk->wake_fd, wait_ms(desk));
        weir_name_table_tick(desk->table, weir_clock_monotonic_us());
    }
    weir_name_table_destroy(&desk->table);
    weir_name_queries_destroy(&desk->queries);
    free(desk);
    weir_crash_thread_end();
    return NULL;
}

/* Signals are for others. */
static void start(void)
{
    sigset_t all, before;
    desk_t *desk = calloc(1, sizeof(*desk));

    WEIR_MUST(desk != NULL);
    desk->wake_fd = names.wake_fd;
    names.must_end = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    WEIR_MUST(pthread_create(&names.thread, NULL, run, desk) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    names.has_thread = true;
}

/* ---- users ---- */

/* What waking takes is there before the first question: descriptors may have run out by then. */
void weir_names_join(weir_names_user_t *user)
{
    pthread_mutex_lock(&names.life);
    pthread_mutex_lock(&names.lock);
    if (names.wake_fd == -1)
        names.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    WEIR_MUST(names.wake_fd != -1);
    weir_list_init(&user->link);
    weir_list_append(&names.users, &user->link);
    pthread_mutex_unlock(&names.lock);
    pthread_mutex_unlock(&names.life);
}

static void drop_questions(void)
{
    while (!weir_list_is_empty(&names.questions)) {
        weir_name_question_t *question = WEIR_AROUND(names.questions.next, weir_name_question_t, link);
        weir_list_remove(&question->link);
        free(question);
    }
}

/* Nobody asks any more, and nobody may come meanwhile. */
static void end_thread(void)
{
    if (names.has_thread) {
        wake(names.wake_fd);
        pthread_join(names.thread, NULL);
    }
    pthread_mutex_lock(&names.lock);
    names.has_thread = false;
    close(names.wake_fd);
    names.wake_fd = -1;
    drop_questions();
    free(names.servers);
    names.servers = NULL;
    names.servers_of = NULL;
    pthread_mutex_unlock(&names.lock);
}

void weir_names_leave(weir_names_user_t *user)
{
    pthread_mutex_lock(&names.life);
    pthread_mutex_lock(&names.lock);
    bool was_there = !weir_list_is_empty(&user->link);
    weir_list_remove(&user->link);
    bool was_last = was_there && weir_list_is_empty(&names.users);
    names.must_end = was_last;
    pthread_mutex_unlock(&names.lock);
    if (was_last)
        end_thread();
    pthread_mutex_unlock(&names.life);
}

void weir_names_ask(weir_names_user_t *user, weir_span_t name, uint64_t doubts_us)
{
    weir_name_question_t *question = malloc(sizeof(*question) + name.len + 1);

    WEIR_MUST(question != NULL);
    question->user = user;
    question->doubts_us = doubts_us;
    question->name_len = name.len;
    memcpy(question->name, name.base, name.len);
    question->name[name.len] = '\0';
    weir_list_init(&question->link);
    pthread_mutex_lock(&names.lock);
    if (!names.has_thread)
        start();
    weir_list_append(&names.questions, &question->link);
    wake(names.wake_fd);
    pthread_mutex_unlock(&names.lock);
}

void weir_names_use(const char *servers, unsigned system_threads, const void *of)
{
    pthread_mutex_lock(&names.lock);
    if (names.servers_of != of) {
        free(names.servers);
        names.servers = servers != NULL ? strdup(servers) : NULL;
        names.system_threads = system_threads;
        names.servers_of = of;
        atomic_fetch_add(&weir_names_edition_now, 1);
    }
    pthread_mutex_unlock(&names.lock);
}
