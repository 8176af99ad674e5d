/* SPDX-License-Identifier: MIT */
#include "conf/state_files.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "conf/config_node.h"
#include "conf/state_listing.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/walk/steward.h"

enum {
    LOOK_EVERY_MS = 30000,
    LOOK_AGAIN_MS = 1000, /* while it cannot be watched */
    WINDOW_US = 10000000, /* in which losses are added up       */
    GUARD_LEAST = 100,    /* so many may go within it, whatever */
    GUARD_PART = 5,       /* and a fifth of all                 */
    PUTS_AT_A_TIME = 64,  /* then the steward's others are next */
    WATCHED = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB
};

/* An app that is to be put; `read.json` NULL and no problem: it is gone. */
typedef struct news {
    struct news *next;
    char *app, *path;
    conf_state_read_t read;
} news_t;

struct conf_state_files {
    char *directory;
    int watch_fd, wake_fd;
    pthread_t thread;
    atomic_bool is_ending;
    bool is_watched, has_young, is_holding;
    bool is_direct; /* what is read is put at once: before anybody serves */
    conf_listing_t known;
    uint64_t window_from_us;
    size_t window_base, window_lost;
    pthread_mutex_t putting; /* while one of the news is put */
    pthread_mutex_t lock;    /* for all below                */
    news_t *news, **news_end;
    bool is_posted, is_accepted;
    weir_letter_t letter, end;
    conf_state_files_facts_t facts;
};

/* ---- putting, on the steward ---- */

static void put(conf_state_files_t *files, const news_t *news, bool has_more)
{
    char why[WEIR_STATE_WHY_BYTES];
    const bool is_read = news->read.problem[0] == '\0';
    const weir_state_said_t said = {
        .app = news->app,
        .origin = news->path,
        .json = is_read ? news->read.json : NULL,
        .node = is_read && news->read.node != NULL ? conf_config_of(news->read.node) : NULL,
        .has_more = has_more,
        .problem = is_read ? NULL : news->read.problem,
    };
    const uint64_t changes = weir_state_counts().changes;
    const bool is_fine = weir_state_put(&said, why);

    if (weir_state_counts().changes == changes)
        return; /* it was read again, and is what it was */
    if (!is_fine)
        weir_log("state: app %s of %s is refused, and is as it was: %s", news->app, news->path, why);
    else if (why[0] != '\0')
        weir_log("state: app %s of %s: %s", news->app, news->path, why);
    else if (!files->is_direct)
        weir_log("state: app %s is %s", news->app, said.json == NULL ? "gone" : "as its file says");
}

static void free_news(news_t *news)
{
    conf_state_read_free(&news->read);
    free(news->app);
    free(news->path);
    free(news);
}

static news_t *next_news(conf_state_files_t *files)
{
    pthread_mutex_lock(&files->lock);
    news_t *news = files->news;
    if (news != NULL) {
        files->news = news->next;
        files->news_end = files->news == NULL ? &files->news : files->news_end;
        files->facts.changed_at_ms = weir_clock_wall_us() / 1000;
    } else
        files->is_posted = false;
    pthread_mutex_unlock(&files->lock);
    return news;
}

static bool has_news(conf_state_files_t *files)
{
    pthread_mutex_lock(&files->lock);
    const bool has = files->news != NULL;
    pthread_mutex_unlock(&files->lock);
    return has;
}

/* Under the lock. */
static void post(conf_state_files_t *files)
{
    files->is_posted = true;
    weir_list_init(&files->letter.link);
    weir_loop_post(weir_steward(), &files->letter);
}

/* In the order in which they were read, whoever does it. False: there are no more. */
static bool put_next(conf_state_files_t *files, bool is_last)
{
    pthread_mutex_lock(&files->putting);
    news_t *news = next_news(files);
    if (news != NULL) {
        put(files, news, !is_last && has_news(files));
        free_news(news);
    }
    pthread_mutex_unlock(&files->putting);
    return news != NULL;
}

static void on_news(weir_letter_t *letter)
{
    conf_state_files_t *files = WEIR_AROUND(letter, conf_state_files_t, letter);

    for (int i = 0; i < PUTS_AT_A_TIME; i++)
        if (!put_next(files, i + 1 == PUTS_AT_A_TIME))
            return;
    pthread_mutex_lock(&files->lock);
    if (!atomic_load(&files->is_ending))
        post(files);
    pthread_mutex_unlock(&files->lock);
}

/* Takes `read` over; NULL: it is gone. */
static void tell(conf_state_files_t *files, const char *app, const char *file, conf_state_read_t *read)
{
    const size_t bytes = strlen(files->directory) + strlen(file) + 2;
    news_t *news = calloc(1, sizeof(*news));

    WEIR_MUST(news != NULL);
    news->app = strdup(app);
    news->path = malloc(bytes);
    WEIR_MUST(news->app != NULL && news->path != NULL);
    snprintf(news->path, bytes, "%s/%s", files->directory, file);
    if (read != NULL)
        news->read = *read;
    if (files->is_direct) {
        put(files, news, false);
        free_news(news);
        return;
    }
    pthread_mutex_lock(&files->lock);
    *files->news_end = news;
    files->news_end = &news->next;
    if (!files->is_posted)
        post(files);
    pthread_mutex_unlock(&files->lock);
}

/* ---- what has changed ---- */

static void set_problem(conf_state_files_t *files, const char *what)
{
    pthread_mutex_lock(&files->lock);
    const bool is_new = strcmp(files->facts.problem, what) != 0;
    snprintf(files->facts.problem, sizeof(files->facts.problem), "%s", what);
    pthread_mutex_unlock(&files->lock);
    if (is_new)
        weir_log("state: %s: %s", files->directory, what[0] == '\0' ? "can be read again" : what);
}

static void read_and_tell(conf_state_files_t *files, const conf_listed_t *known)
{
    char path[4096];
    conf_state_read_t read;

    snprintf(path, sizeof(path), "%s/%s", files->directory, known->file);
    (void)conf_state_file_read(path, &read);
    tell(files, known->app, known->file, &read);
}

/* A second file of one app says nothing; which of them counts is not a matter of which was written last. */
static void complain_of_second(conf_state_files_t *files, const conf_listed_t *known)
{
    weir_log("state: %s/%s says nothing: another file is the app's", files->directory, known->file);
}

/* So many go that a mistake is likelier than a wish. What is held back stays so until it is there again, or may go. */
static bool is_many(conf_state_files_t *files, size_t lost)
{
    const uint64_t now_us = weir_clock_monotonic_us();

    if (files->window_from_us == 0 || now_us - files->window_from_us > WINDOW_US) {
        files->window_from_us = now_us;
        files->window_base = files->known.count;
        files->window_lost = 0;
    }
    const size_t all_lost = files->window_lost + lost;
    return lost > 0 && (files->is_holding || (all_lost > GUARD_LEAST && all_lost > files->window_base / GUARD_PART));
}

static bool is_held_back(conf_state_files_t *files, size_t lost)
{
    const bool is_too_many = is_many(files, lost);

    pthread_mutex_lock(&files->lock);
    const bool is_accepted = files->is_accepted;
    files->is_accepted = false;
    files->is_holding = is_too_many && !is_accepted;
    files->facts.held_back = files->is_holding ? lost : 0;
    pthread_mutex_unlock(&files->lock);
    if (is_accepted)
        files->window_from_us = 0;
    else if (!files->is_holding)
        files->window_lost += lost;
    return files->is_holding;
}

static void follow(conf_state_files_t *files, const conf_listing_t *now, bool is_held, conf_listing_t *kept)
{
    size_t i = 0, k = 0;

    while (conf_listing_first(&files->known, &i) != NULL || conf_listing_first(now, &k) != NULL) {
        const conf_listed_t *before = conf_listing_first(&files->known, &i), *present = conf_listing_first(now, &k);
        const int order = conf_listed_order(before, present);
        if (order < 0 && is_held)
            conf_listing_keep(kept, before);
        else if (order < 0)
            tell(files, before->app, before->file, NULL);
        else if (order > 0 || !conf_listed_is_same(before, present))
            read_and_tell(files, present);
        i += order <= 0;
        k += order >= 0;
    }
}

static void look(conf_state_files_t *files)
{
    conf_listing_t now, kept = {0};
    const char *trouble = conf_listing_read(files->directory, &now, &files->has_young);

    if (trouble != NULL) {
        set_problem(files, trouble);
        return;
    }
    const size_t lost = conf_listing_lost(&files->known, &now);
    const bool is_held = is_held_back(files, lost);
    char problem[128] = "";
    if (is_held)
        snprintf(problem, sizeof(problem), "%zu of %zu apps are not there any more, and stay until it is said that they may go",
                 lost, files->known.count);
    set_problem(files, problem);
    follow(files, &now, is_held, &kept);
    for (size_t i = 0; i < now.count; i++)
        if (now.at[i].is_second && files->is_direct)
            complain_of_second(files, &now.at[i]);
    for (size_t i = 0; i < kept.count; i++)
        conf_listing_keep(&now, &kept.at[i]);
    conf_listing_free(&kept);
    if (is_held)
        conf_listing_sort(&now);
    conf_listing_free(&files->known);
    files->known = now;
    pthread_mutex_lock(&files->lock);
    files->facts.files = now.count;
    files->facts.read_at_ms = weir_clock_wall_us() / 1000;
    pthread_mutex_unlock(&files->lock);
}

/* ---- the thread ---- */

/* What has happened is not looked at, but that something has. A directory that was replaced is watched anew. */
static void watch(conf_state_files_t *files)
{
    files->is_watched =
        files->watch_fd != -1 && inotify_add_watch(files->watch_fd, files->directory, WATCHED | IN_ONLYDIR) != -1;
}

/* Whether it says anything of a file of an app, or of the directory. */
static bool is_of_app(const struct inotify_event *event)
{
    char app[WEIR_STATE_NAME_MOST + 1];

    return event->len == 0 || conf_state_file_app(event->name, app);
}

static bool has_changed(int fd)
{
    char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool has = false;
    ssize_t count;

    while ((count = read(fd, bytes, sizeof(bytes))) > 0)
        for (const char *at = bytes; at < bytes + count;) {
            const struct inotify_event *event = (const void *)at;
            has = has || is_of_app(event);
            at += sizeof(*event) + event->len;
        }
    return has;
}

static int wait_ms(const conf_state_files_t *files)
{
    return files->has_young ? 2 * CONF_LISTING_YOUNG_MS : files->is_watched ? LOOK_EVERY_MS : LOOK_AGAIN_MS;
}

static void *run(void *arg)
{
    conf_state_files_t *files = arg;
    uint64_t wakes;
    struct pollfd fds[] = {{files->wake_fd, POLLIN, 0}, {files->watch_fd, POLLIN, 0}};

    while (!atomic_load(&files->is_ending)) {
        const int count = poll(fds, files->watch_fd == -1 ? 1 : 2, wait_ms(files));
        const bool is_woken = read(files->wake_fd, &wakes, sizeof(wakes)) > 0;
        const bool is_told = files->watch_fd != -1 && has_changed(files->watch_fd);
        if (atomic_load(&files->is_ending) || !(count <= 0 || is_woken || is_told))
            continue;
        watch(files);
        look(files);
    }
    return NULL;
}

static void wake(const conf_state_files_t *files)
{
    const uint64_t one = 1;

    (void)!write(files->wake_fd, &one, sizeof(one));
}

/* ---- life ---- */

static void on_end(weir_letter_t *letter)
{
    conf_state_files_t *files = WEIR_AROUND(letter, conf_state_files_t, end);

    for (news_t *news; (news = next_news(files)) != NULL;)
        free_news(news);
    conf_listing_free(&files->known);
    close(files->wake_fd);
    if (files->watch_fd != -1)
        close(files->watch_fd);
    pthread_mutex_destroy(&files->lock);
    pthread_mutex_destroy(&files->putting);
    free(files->directory);
    free(files);
}

/* Nothing is read any more. */
static void stop_thread(conf_state_files_t *files)
{
    pthread_mutex_lock(&files->lock);
    atomic_store(&files->is_ending, true);
    pthread_mutex_unlock(&files->lock);
    wake(files);
    pthread_join(files->thread, NULL);
}

/* What it has read, and nobody has put yet: before somebody else says something. */
static void settle(conf_state_files_t *files)
{
    while (put_next(files, false))
        ;
}

/* Behind the letter that may be under way. */
static void post_end(conf_state_files_t *files)
{
    files->end.open = on_end;
    weir_list_init(&files->end.link);
    weir_loop_post(weir_steward(), &files->end);
}

/* What another one had, as if it had been known here: what is not there goes, the rest is read anew. */
static void inherit(conf_state_files_t *files, conf_state_files_t *other)
{
    files->known = other->known;
    other->known = (conf_listing_t){0};
    for (size_t i = 0; i < files->known.count; i++)
        files->known.at[i].stamp = (conf_stamp_t){0};
}

static conf_state_files_t *create(const char *directory)
{
    conf_state_files_t *files = calloc(1, sizeof(*files));

    WEIR_MUST(files != NULL && pthread_mutex_init(&files->lock, NULL) == 0 && pthread_mutex_init(&files->putting, NULL) == 0);
    files->directory = strdup(directory);
    files->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    WEIR_MUST(files->directory != NULL && files->wake_fd != -1);
    files->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK); /* -1: it is looked at every now and then */
    files->news_end = &files->news;
    files->letter.open = on_news;
    files->facts.directory = files->directory;
    return files;
}

conf_state_files_t *conf_state_files_start(const char *directory, conf_state_files_t **before)
{
    conf_state_files_t *files = create(directory), *other = before == NULL ? NULL : *before;

    if (other != NULL) {
        *before = NULL;
        stop_thread(other);
        settle(other);
        inherit(files, other);
        post_end(other);
    }
    watch(files);
    files->is_direct = true;
    look(files);
    files->is_direct = false;
    WEIR_MUST(pthread_create(&files->thread, NULL, run, files) == 0);
    return files;
}

void conf_state_files_stop(conf_state_files_t **slot)
{
    conf_state_files_t *files = *slot;

    if (files == NULL)
        return;
    *slot = NULL;
    stop_thread(files);
    post_end(files);
}

void conf_state_files_leave(conf_state_files_t **slot)
{
    conf_state_files_t *files = *slot;

    if (files == NULL)
        return;
    *slot = NULL;
    stop_thread(files);
    settle(files);
    files->is_direct = true;
    for (size_t i = 0; i < files->known.count; i++)
        if (!files->known.at[i].is_second)
            tell(files, files->known.at[i].app, files->known.at[i].file, NULL);
    post_end(files);
}

bool conf_state_files_accept(conf_state_files_t *files)
{
    pthread_mutex_lock(&files->lock);
    files->is_accepted = files->facts.held_back > 0;
    const bool is_accepted = files->is_accepted;
    pthread_mutex_unlock(&files->lock);
    wake(files);
    return is_accepted;
}

void conf_state_files_tell(conf_state_files_t *files, conf_state_files_facts_t *out)
{
    pthread_mutex_lock(&files->lock);
    *out = files->facts;
    pthread_mutex_unlock(&files->lock);
}
