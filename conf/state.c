/* SPDX-License-Identifier: MIT */
#include "conf/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "conf/notify.h"
#include "conf/state_files.h"
#include "conf/state_inside.h"
#include "conf/state_store.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/scrape.h"
#include "lib/walk/loop.h"
#include "lib/walk/metrics_source.h"
#include "lib/walk/steward.h"

enum { MS_PER_S = 1000, US_PER_S = 1000000, READY_LOOK_MS = 50 };

/* The source: one of them, or none. The main thread alone sets it; whoever looks holds the lock, so that it stays. */
static struct {
    pthread_mutex_t lock;
    conf_state_files_t *files;
    conf_state_store_t *store;
} present = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* When the first state is there. */
static struct {
    weir_letter_t letter;
    weir_timer_t timer;
    uint64_t until_us;
    atomic_bool is_ready;
} first = {.is_ready = true};

static void set(conf_state_files_t *files, conf_state_store_t *store)
{
    pthread_mutex_lock(&present.lock);
    present.files = files;
    present.store = store;
    pthread_mutex_unlock(&present.lock);
}

/* 0 where the clock was set back. */
static double files_age_s(const conf_state_files_facts_t *facts)
{
    const uint64_t now_ms = weir_clock_wall_us() / MS_PER_S;

    return now_ms > facts->read_at_ms ? (double)(now_ms - facts->read_at_ms) / MS_PER_S : 0;
}

/* Since when it is not what the store has. */
static double store_age_s(const state_follow_facts_t *facts)
{
    const uint64_t now_ms = weir_clock_wall_us() / MS_PER_S;

    if (facts->is_following)
        return 0;
    if (facts->is_of_file)
        return now_ms > facts->saved_at_ms ? (double)(now_ms - facts->saved_at_ms) / MS_PER_S : 0;
    return (double)(weir_clock_monotonic_us() - facts->cut_at_us) / US_PER_S;
}

bool conf_state_look(conf_state_view_t *out)
{
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&present.lock);
    out->has_files = present.files != NULL;
    out->has_store = present.store != NULL;
    if (out->has_files)
        conf_state_files_tell(present.files, &out->files);
    if (out->has_store)
        conf_state_store_tell(present.store, &out->store);
    pthread_mutex_unlock(&present.lock);
    out->is_there = out->has_files ? out->files.read_at_ms != 0 : !out->has_store || out->store.has_state;
    out->age_s = out->has_store ? store_age_s(&out->store) : files_age_s(&out->files);
    return out->has_files || out->has_store;
}

bool conf_state_let_go(void)
{
    pthread_mutex_lock(&present.lock);
    const bool is_done = present.files != NULL   ? conf_state_files_accept(present.files)
                         : present.store != NULL ? conf_state_store_accept(present.store)
                                                 : false;
    pthread_mutex_unlock(&present.lock);
    return is_done;
}

void conf_state_each_value(void (*visit)(const state_follow_trouble_t *trouble, void *context), void *context)
{
    pthread_mutex_lock(&present.lock);
    if (present.store != NULL)
        conf_state_store_each(present.store, visit, context);
    pthread_mutex_unlock(&present.lock);
}

/* ---- the first state ---- */

bool conf_state_is_ready(void)
{
    return atomic_load(&first.is_ready);
}

static bool is_there(void)
{
    conf_state_view_t view;

    (void)conf_state_look(&view);
    return view.is_there;
}

static void on_look(weir_timer_t *timer)
{
    weir_loop_t *loop = weir_steward();
    const bool is_late = weir_loop_now_us(loop) >= first.until_us;

    if (!is_there() && !is_late) {
        weir_timer_set(loop, timer, READY_LOOK_MS, on_look);
        return;
    }
    if (!is_there())
        weir_log("state: nothing has come; what the configuration has is served without");
    atomic_store(&first.is_ready, true);
    conf_notify_now("READY=1");
}

static void on_await(weir_letter_t *letter)
{
    weir_timer_set(weir_steward(), &first.timer, READY_LOOK_MS, on_look);
}

static void on_await_end(weir_letter_t *letter)
{
    weir_timer_cancel(&first.timer);
}

static void post_first(void (*open)(weir_letter_t *letter))
{
    first.letter.open = open;
    weir_list_init(&first.letter.link);
    weir_loop_post(weir_steward(), &first.letter);
}

void conf_state_await_ready(const conf_t *conf)
{
    if (is_there()) {
        conf_notify("READY=1");
        return;
    }
    weir_log("state: %s: it is awaited", conf->state_files != NULL ? conf->state_files : "etcd");
    first.until_us = weir_clock_monotonic_us() + conf->state_wait_ms * UINT64_C(1000);
    atomic_store(&first.is_ready, false);
    post_first(on_await);
}

/* ---- life ---- */

static weir_metrics_source_t source = {.name = "weir.state", .tell = conf_state_tell_metrics};

static conf_state_store_t *start_store(const conf_etcd_t *etcd)
{
    char problem[STATE_FOLLOW_PROBLEM_BYTES] = "";
    conf_state_store_t *store = conf_state_store_start(etcd, problem);

    if (store == NULL)
        weir_log("state: %s", problem);
    return store;
}

void conf_state_begin(const conf_t *conf)
{
    weir_list_init(&source.link);
    weir_metrics_source_add(&source);
    if (conf->state_files != NULL)
        set(conf_state_files_start(conf->state_files, NULL), NULL);
    else if (conf->state_etcd != NULL)
        set(NULL, start_store(conf->state_etcd));
}

static void say(const weir_state_facts_t *facts, void *context)
{
    if (facts->problem != NULL)
        weir_log("state: app %s of %s%s: %s", facts->app, facts->origin,
                 !facts->is_refused ? ""
                 : facts->holds     ? " stays as it was"
                                    : " is not taken",
                 facts->problem);
}

void conf_state_started(void)
{
    weir_state_each(say, NULL);
    if (present.store != NULL)
        conf_state_store_retry(present.store);
}

static void use_files(const conf_t *conf)
{
    conf_state_files_t *files = present.files;
    conf_state_store_t *store = present.store;
    conf_state_view_t view;

    if (conf_state_look(&view) && view.has_files && strcmp(view.files.directory, conf->state_files) == 0)
        return;
    set(NULL, NULL);
    conf_state_store_leave(&store);
    set(conf_state_files_start(conf->state_files, &files), NULL);
}

/* What the store is now may be asked for while it changes: it is not shown meanwhile. */
static void use_store(const conf_t *conf)
{
    conf_state_files_t *files = present.files;
    conf_state_store_t *store = present.store;
    char problem[STATE_FOLLOW_PROBLEM_BYTES] = "";

    if (store != NULL && conf_state_store_is_as(store, conf->state_etcd)) {
        conf_state_store_retry(store);
        return;
    }
    set(NULL, NULL);
    conf_state_files_leave(&files);
    if (store == NULL)
        store = start_store(conf->state_etcd);
    else if (!conf_state_store_change(store, conf->state_etcd, problem))
        weir_log("state: %s", problem);
    set(NULL, store);
}

void conf_state_use(const conf_t *conf)
{
    conf_state_files_t *files = present.files;
    conf_state_store_t *store = present.store;

    if (conf->state_files != NULL) {
        use_files(conf);
        return;
    }
    if (conf->state_etcd != NULL) {
        use_store(conf);
        return;
    }
    set(NULL, NULL);
    conf_state_files_leave(&files);
    conf_state_store_leave(&store);
}

void conf_state_end(void)
{
    conf_state_files_t *files = present.files;
    conf_state_store_t *store = present.store;

    weir_metrics_source_remove(&source);
    if (!atomic_load(&first.is_ready))
        post_first(on_await_end);
    set(NULL, NULL);
    conf_state_files_stop(&files);
    conf_state_store_stop(&store);
}

void conf_state_forget(void)
{
    weir_state_forget();
}
