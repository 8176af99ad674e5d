/* SPDX-License-Identifier: MIT */
#include "conf/top_fetch.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "conf/admin_client.h"
#include "lib/base/must.h"

enum { REFUSED_FROM = 400 };

/* The thread may still wait for an answer when the program ends: it is never freed. */
struct top_fetch {
    const char *socket;
    pthread_mutex_t lock;
    pthread_cond_t is_wanted;
    int fd; /* of events: one for each piece of news */
    char top[TOP_TARGET_BYTES], members[TOP_TARGET_BYTES];
    bool is_asking, has_news;
    top_news_t news;
};

bool top_get(const char *socket, const char *target, json_t **out_document, char problem[static TOP_PROBLEM_BYTES])
{
    conf_admin_answer_t answer;

    *out_document = NULL;
    problem[0] = '\0';
    if (!conf_admin_call(socket, "GET", target, NULL, &answer, problem, TOP_PROBLEM_BYTES))
        return false;
    if (answer.status < REFUSED_FROM && answer.document != NULL) {
        *out_document = answer.document;
        return true;
    }
    const char *detail = json_string_value(json_object_get(answer.document, "detail"));
    snprintf(problem, TOP_PROBLEM_BYTES, "%s: %s", socket, detail != NULL ? detail : "it was refused");
    json_decref(answer.document);
    return false;
}

static void *run(void *of)
{
    top_fetch_t *fetch = of;
    char top[TOP_TARGET_BYTES], members[TOP_TARGET_BYTES], unused[TOP_PROBLEM_BYTES];

    for (;;) {
        top_news_t news = {.top = NULL};
        pthread_mutex_lock(&fetch->lock);
        while (!fetch->is_asking || fetch->has_news)
            pthread_cond_wait(&fetch->is_wanted, &fetch->lock);
        memcpy(top, fetch->top, sizeof(top));
        memcpy(members, fetch->members, sizeof(members));
        pthread_mutex_unlock(&fetch->lock);
        if (top_get(fetch->socket, top, &news.top, news.problem) && members[0] != '\0')
            (void)top_get(fetch->socket, members, &news.members, unused);
        pthread_mutex_lock(&fetch->lock);
        fetch->news = news;
        fetch->has_news = true;
        pthread_mutex_unlock(&fetch->lock);
        WEIR_MUST(eventfd_write(fetch->fd, 1) == 0);
    }
    return NULL;
}

/* Signals are for the main thread. */
top_fetch_t *top_fetch_begin(const char *socket)
{
    top_fetch_t *fetch = calloc(1, sizeof(*fetch));
    sigset_t all, before;
    pthread_t thread;

    WEIR_MUST(fetch != NULL && pthread_mutex_init(&fetch->lock, NULL) == 0);
    WEIR_MUST(pthread_cond_init(&fetch->is_wanted, NULL) == 0);
    fetch->socket = socket;
    fetch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    WEIR_MUST(fetch->fd != -1);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    WEIR_MUST(pthread_create(&thread, NULL, run, fetch) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_detach(thread);
    return fetch;
}

void top_fetch_ask(top_fetch_t *fetch, const char *top, const char *members)
{
    pthread_mutex_lock(&fetch->lock);
    if (!fetch->is_asking) {
        snprintf(fetch->top, sizeof(fetch->top), "%s", top);
        snprintf(fetch->members, sizeof(fetch->members), "%s", members);
        fetch->is_asking = true;
        pthread_cond_signal(&fetch->is_wanted);
    }
    pthread_mutex_unlock(&fetch->lock);
}

int top_fetch_fd(const top_fetch_t *fetch)
{
    return fetch->fd;
}

bool top_fetch_take(top_fetch_t *fetch, top_news_t *out_news)
{
    eventfd_t unused;

    pthread_mutex_lock(&fetch->lock);
    const bool has_news = fetch->has_news;
    if (has_news) {
        *out_news = fetch->news;
        fetch->has_news = fetch->is_asking = false;
    }
    pthread_mutex_unlock(&fetch->lock);
    (void)eventfd_read(fetch->fd, &unused);
    return has_news;
}
