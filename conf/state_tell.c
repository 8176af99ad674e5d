/* SPDX-License-Identifier: MIT */
/* How the source of apps fares, for those who ask. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/state_inside.h"
#include "lib/base/must.h"
#include "lib/base/scrape.h"

enum { OK = 200, NO_CONTENT = 204, NOT_FOUND = 404, CONFLICT = 409, TOLD_MOST = 1000, ID_BYTES = 20 };

/* ---- metrics ---- */

static size_t held_of(const state_follow_facts_t *facts)
{
    size_t held = 0;

    for (int kind = 0; kind < STATE_KINDS; kind++)
        held += facts->held[kind];
    return held;
}

static void tell_store(const state_follow_facts_t *facts, weir_metric_sink_t *sink)
{
    for (int kind = STATE_APP; kind <= STATE_DOMAIN; kind++)
        weir_scrape_put(sink, WEIR_METRIC_ID_state_keys, "kind", state_kind_words[kind], (double)facts->counts[kind]);
    for (int bad = 0; bad < STATE_BADS; bad++)
        weir_scrape_put(sink, WEIR_METRIC_ID_state_rejected_values, "reason", state_bad_words[bad], (double)facts->bad[bad]);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_revision, NULL, NULL, (double)facts->revision);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_following, NULL, NULL, facts->is_following);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_snapshots, NULL, NULL, (double)facts->snapshots);
}

void conf_state_tell_metrics(weir_metrics_source_t *of, weir_metric_sink_t *sink)
{
    const weir_state_counts_t counts = weir_state_counts();
    conf_state_view_t view;

    if (!conf_state_look(&view))
        return;
    const size_t held = view.has_store ? held_of(&view.store) : view.files.held_back;
    weir_scrape_put(sink, WEIR_METRIC_ID_state_entries, NULL, NULL, (double)counts.apps);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_troubles, "reason", "refused", (double)counts.refused);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_troubles, "reason", "conflict", (double)counts.conflicts);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_troubles, "reason", "held_back", (double)held);
    weir_scrape_put(sink, WEIR_METRIC_ID_state_said, "result", "taken", (double)(counts.changes - counts.refusals));
    weir_scrape_put(sink, WEIR_METRIC_ID_state_said, "result", "refused", (double)counts.refusals);
    if (view.is_there)
        weir_scrape_put(sink, WEIR_METRIC_ID_state_age, NULL, NULL, view.age_s);
    if (view.has_store)
        tell_store(&view.store, sink);
}

/* ---- the document ---- */

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

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : text_of(text);
}

static json_t *time_or_null(uint64_t ms)
{
    return ms == 0 ? json_null() : json_integer((json_int_t)ms);
}

static json_t *files_document(const conf_state_view_t *view)
{
    const conf_state_files_facts_t *facts = &view->files;

    return json_pack("{s:s, s:o, s:I, s:I, s:f, s:o, s:o}", "kind", "files", "place", text_of(facts->directory), "entries",
                     (json_int_t)facts->files, "held_back", (json_int_t)facts->held_back, "age_seconds", view->age_s,
                     "changed_at_ms", time_or_null(facts->changed_at_ms), "problem", text_or_null(facts->problem));
}

static json_t *store_document(const conf_state_view_t *view)
{
    const state_follow_facts_t *facts = &view->store;
    const int64_t lag = facts->store_revision > facts->revision ? facts->store_revision - facts->revision : 0;
    json_t *keys = json_object(), *held = json_object();
    char cluster[ID_BYTES];

    snprintf(cluster, sizeof(cluster), "%016llx", (unsigned long long)facts->cluster_id);
    for (int kind = 0; kind < STATE_KINDS; kind++) {
        json_object_set_new(keys, state_kind_words[kind], json_integer((json_int_t)facts->counts[kind]));
        json_object_set_new(held, state_kind_words[kind], json_integer((json_int_t)facts->held[kind]));
    }
    return json_pack("{s:s, s:o, s:I, s:I, s:f, s:o, s:o, s:b, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "kind",
                     "etcd", "place", text_of(facts->endpoint), "entries", (json_int_t)(facts->counts[STATE_APP]), "held_back",
                     (json_int_t)held_of(facts), "age_seconds", view->age_s, "changed_at_ms",
                     time_or_null(facts->changed_at_ms), "problem", text_or_null(facts->problem), "following",
                     facts->is_following, "of_file", facts->is_of_file, "cluster", cluster, "revision",
                     (json_int_t)facts->revision, "lag", (json_int_t)lag, "snapshots", (json_int_t)facts->snapshots, "events",
                     (json_int_t)facts->events, "refused_values", (json_int_t)facts->refused, "keys", keys, "held_keys", held,
                     "saved_at_ms", time_or_null(facts->saved_at_ms));
}

static void tell_value(const state_follow_trouble_t *trouble, void *context)
{
    json_array_append_new(context, json_pack("{s:o, s:s, s:o, s:I}", "key", text_of(trouble->key), "reason",
                                             state_bad_words[trouble->bad], "problem", text_of(trouble->why), "revision",
                                             (json_int_t)trouble->mod_revision));
}

void conf_state_answer(weir_admin_call_t *call)
{
    const weir_state_counts_t counts = weir_state_counts();
    json_t *sources = json_array(), *trouble = json_array(), *values = json_array();
    conf_state_view_t view;

    if (conf_state_look(&view))
        json_array_append_new(sources, view.has_store ? store_document(&view) : files_document(&view));
    conf_state_each_value(tell_value, values);
    weir_state_each(tell_trouble, trouble);
    json_t *document =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "sources", sources, "apps", (json_int_t)counts.apps, "refused",
                  (json_int_t)counts.refused, "conflicts", (json_int_t)counts.conflicts, "changes", (json_int_t)counts.changes,
                  "refusals", (json_int_t)counts.refusals, "trouble", trouble, "values", values);
    char *text = json_dumps(document, JSON_COMPACT);
    WEIR_MUST(text != NULL);
    json_decref(document);
    weir_admin_answer(call, OK, text, strlen(text));
    free(text);
}

void conf_state_accept(weir_admin_call_t *call)
{
    conf_state_view_t view;
    const bool has_source = conf_state_look(&view);

    if (has_source && conf_state_let_go())
        weir_admin_answer(call, NO_CONTENT, NULL, 0);
    else
        weir_admin_problem(call, has_source ? CONFLICT : NOT_FOUND, "no-source", NULL,
                           has_source ? "nothing is held back" : "there is no weir.state");
}
