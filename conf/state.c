/* SPDX-License-Identifier: MIT */
#include "conf/state.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/notify.h"
#include "conf/state_files.h"
#include "conf/units.h"
#include "conf/yaml.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/scrape.h"
#include "lib/walk/loop.h"
#include "lib/walk/metrics_source.h"
#include "lib/walk/steward.h"

enum {
    OK = 200,
    NO_CONTENT = 204,
    NOT_FOUND = 404,
    CONFLICT = 409,
    TOLD_MOST = 1000,
    MS_PER_S = 1000,
    WAIT_MS = 10000,
    READY_LOOK_MS = 50
};

/* The source. The main thread alone sets it; whoever looks holds the lock, so that it stays. */
static struct {
    pthread_mutex_t lock;
    conf_state_files_t *files; /* NULL: there is none */
} present = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* When the first state is there. */
static struct {
    weir_letter_t letter;
    weir_timer_t timer;
    uint64_t until_us;
    atomic_bool is_ready;
} first = {.is_ready = true};

/* ---- the directive ---- */

static int read_place(conf_t *conf, const yoml_t *value)
{
    if (value->type != YOML_TYPE_SCALAR || value->data.scalar[0] == '\0')
        return conf_complain(value, "weir.state: `files` is the name of a directory");
    const char *path = conf_beside(conf, value->data.scalar);
    conf->state_files = weir_arena_copy(&conf->arena, (weir_span_t){path, strlen(path)}).base;
    return 0;
}

static int read_wait(conf_t *conf, const yoml_t *value)
{
    uint64_t ms;

    if (value->type != YOML_TYPE_SCALAR || !conf_number_read(value->data.scalar, CONF_UNIT_MS, 0, INT32_MAX, &ms))
        return conf_complain(value, "weir.state: `wait` is a time: 250ms, 30s, 5m");
    conf->state_wait_ms = (uint32_t)ms;
    return 0;
}

int conf_state_read(conf_t *conf, const yoml_t *node)
{
    static const char *const keys[] = {"files", "wait", NULL};

    conf->state_wait_ms = WAIT_MS;
    if (node->type != YOML_TYPE_MAPPING || conf_yaml_get(node, "files") == NULL)
        return conf_complain(node, "weir.state: must be a mapping with `files`, a directory");
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        if (strcmp(entry->key->data.scalar, "files") == 0 && read_place(conf, entry->value) != 0)
            return -1;
        if (strcmp(entry->key->data.scalar, "wait") == 0 && read_wait(conf, entry->value) != 0)
            return -1;
        if (strcmp(entry->key->data.scalar, "files") != 0 && strcmp(entry->key->data.scalar, "wait") != 0)
            return conf_complain_unknown(entry->key, "weir.state", keys);
    }
    return 0;
}

/* 0 where the clock was set back. */
static double age_s(const conf_state_files_facts_t *facts)
{
    const uint64_t now_ms = weir_clock_wall_us() / MS_PER_S;

    return now_ms > facts->read_at_ms ? (double)(now_ms - facts->read_at_ms) / MS_PER_S : 0;
}

static void set_files(conf_state_files_t *files)
{
    pthread_mutex_lock(&present.lock);
    present.files = files;
    pthread_mutex_unlock(&present.lock);
}

/* False: there is no source. */
static bool look(conf_state_files_facts_t *out)
{
    pthread_mutex_lock(&present.lock);
    const bool is_there = present.files != NULL;
    if (is_there)
        conf_state_files_tell(present.files, out);
    pthread_mutex_unlock(&present.lock);
    return is_there;
}

/* ---- the first state ---- */

bool conf_state_is_ready(void)
{
    return atomic_load(&first.is_ready);
}

static bool is_there(void)
{
    conf_state_files_facts_t facts;

    return !look(&facts) || facts.read_at_ms != 0;
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
    weir_log("state: %s: it is awaited", conf->state_files);
    first.until_us = weir_clock_monotonic_us() + conf->state_wait_ms * UINT64_C(1000);
    atomic_store(&first.is_ready, false);
    post_first(on_await);
}

/* ---- life ---- */

static void tell_metrics(weir_metrics_source_t *of, weir_metric_sink_t *sink)
{
    const weir_state_counts_t counts = weir_state_counts();
    conf_state_files_facts_t facts;

    if (!look(&facts))
        return;
    weir_scrape_put(sink, WEIR_METRIC_ID_state_entries, NULL, NULL, (double)counts.apps);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_troubles, "reason", "refused", (double)counts.refused);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_troubles, "reason", "conflict", (double)counts.conflicts);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_troubles, "reason", "held_back", (double)facts.held_back);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_said, "result", "taken", (double)(counts.changes - counts.refusals));
    weir_scrape_put(sink, WEIR_METRIC_ID_state_said, "result", "refused", (double)counts.refusals);
    if (facts.read_at_ms != 0)
        weir_scrape_put(sink, WEIR_METRIC_ID_state_age, NULL, NULL, age_s(&facts));
}

static weir_metrics_source_t source = {.name = "weir.state", .tell = tell_metrics};

void conf_state_begin(const conf_t *conf)
{
    weir_list_init(&source.link);
    weir_metrics_source_add(&source);
    if (conf->state_files != NULL)
        set_files(conf_state_files_start(conf->state_files, NULL));
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
}

void conf_state_use(const conf_t *conf)
{
    conf_state_files_t *files = present.files;
    conf_state_files_facts_t facts;

    if (conf->state_files != NULL && look(&facts) && strcmp(facts.directory, conf->state_files) == 0)
        return;
    set_files(NULL);
    if (conf->state_files == NULL)
        conf_state_files_leave(&files);
    else
        set_files(conf_state_files_start(conf->state_files, &files));
}

void conf_state_end(void)
{
    conf_state_files_t *files = present.files;

    weir_metrics_source_remove(&source);
    if (!atomic_load(&first.is_ready))
        post_first(on_await_end);
    set_files(NULL);
    conf_state_files_stop(&files);
}

void conf_state_forget(void)
{
    weir_state_forget();
}

/* ---- what is told ---- */

/* What the system calls something need not be text. */
static json_t *text_of(const char *text)
{
    json_t *json = json_string(text);

    return json != NULL ? json : json_string("a name that is no UTF-8");
}

static void tell_trouble(const weir_state_facts_t *facts, void *context)
{
    json_t *list = context;

    if (facts->problem == NULL || json_array_size(list) >= TOLD_MOST)
        return;
    json_array_append_new(list,
                          json_pack("{s:s, s:o, s:o, s:b, s:b}", "app", facts->app, "origin", text_of(facts->origin), "problem",
                                    text_of(facts->problem), "refused", facts->is_refused, "holds", facts->holds));
}

static json_t *files_document(const conf_state_files_facts_t *of)
{
    const conf_state_files_facts_t facts = *of;

    return json_pack("{s:s, s:o, s:I, s:I, s:f, s:o, s:o}", "kind", "files", "place", text_of(facts.directory), "entries",
                     (json_int_t)facts.files, "held_back", (json_int_t)facts.held_back, "age_seconds", age_s(&facts),
                     "changed_at_ms", facts.changed_at_ms == 0 ? json_null() : json_integer((json_int_t)facts.changed_at_ms),
                     "problem", facts.problem[0] == '\0' ? json_null() : text_of(facts.problem));
}

void conf_state_answer(weir_admin_call_t *call)
{
    const weir_state_counts_t counts = weir_state_counts();
    json_t *sources = json_array(), *trouble = json_array();
    conf_state_files_facts_t facts;

    if (look(&facts))
        json_array_append_new(sources, files_document(&facts));
    weir_state_each(tell_trouble, trouble);
    json_t *document = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "sources", sources, "apps", (json_int_t)counts.apps,
                                 "refused", (json_int_t)counts.refused, "conflicts", (json_int_t)counts.conflicts, "changes",
                                 (json_int_t)counts.changes, "refusals", (json_int_t)counts.refusals, "trouble", trouble);
    char *text = json_dumps(document, JSON_COMPACT);
    WEIR_MUST(text != NULL);
    json_decref(document);
    weir_admin_answer(call, OK, text, strlen(text));
    free(text);
}

void conf_state_accept(weir_admin_call_t *call)
{
    pthread_mutex_lock(&present.lock);
    const bool is_there = present.files != NULL, is_done = is_there && conf_state_files_accept(present.files);
    pthread_mutex_unlock(&present.lock);
    if (is_done)
        weir_admin_answer(call, NO_CONTENT, NULL, 0);
    else
        weir_admin_problem(call, is_there ? CONFLICT : NOT_FOUND, "no-source", NULL,
                           is_there ? "nothing is held back" : "there is no weir.state");
}
