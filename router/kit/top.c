/* SPDX-License-Identifier: MIT */
#include "top.h"

#include "alloc.h"
#include "counts.h"
#include "own.h"
#include "queue.h"
#include "watch.h"
#include "weir_span.h"

enum { ALL_MOST = 1000 /* apps, of which all are looked at, used or not */, US_PER_MS = 1000, FIRST_ROWS = 64 };

/* An app's health, by what an operator or its members' health says: UP to OFF, then the words of weir_member_health_t. */
enum { UP, DRAINING, OFF, TRIAL, STARTING, CHECK, CONNECT, FAILING, SILENT, STATES };

typedef struct row {
    const weir_set_t *set;
    uint64_t in_flight, tunnels, waiting;
    kit_sums_t sums; /* of the last ten seconds */
    double head_ms;  /* 0: it is not known      */
    uint32_t members[STATES];
    double rank; /* the larger the earlier */
} row_t;

typedef struct rows {
    row_t *at;
    size_t count, capacity;
} rows_t;

/* ---- one app ---- */

static unsigned state_of(const weir_member_facts_t *facts)
{
    if (facts->state != WEIR_MEMBER_UP)
        return facts->state == WEIR_MEMBER_DRAINING ? DRAINING : OFF;
    return facts->health == WEIR_MEMBER_WELL ? UP : TRIAL + facts->health - WEIR_MEMBER_TRIAL;
}

static void add_members(row_t *row, weir_member_t *const *members, size_t count, bool are_leaving)
{
    double head_us = 0, answers = 0;

    for (size_t i = 0; i < count; i++) {
        weir_member_facts_t facts = {.size = sizeof(facts)};
        const kit_record_t *record = kit_record(members[i]);
        weir_member_facts(members[i], &facts);
        row->members[are_leaving ? DRAINING : state_of(&facts)]++;
        row->in_flight += facts.in_flight;
        row->tunnels += facts.tunnels;
        if (record == NULL)
            continue;
        const kit_sums_t sums = kit_sums_of(members[i]);
        row->sums.answers += sums.answers;
        row->sums.failures += sums.failures;
        head_us += (double)record->head_us;
        answers += (double)record->answers;
    }
    if (!are_leaving && answers >= 1)
        row->head_ms = head_us / answers / US_PER_MS;
}

static double rank_of(const row_t *row, kit_top_order_t order)
{
    switch (order) {
    case KIT_TOP_REQUESTS:
        return row->sums.answers;
    case KIT_TOP_ERRORS:
        return row->sums.failures;
    case KIT_TOP_QUEUE:
        return (double)row->waiting;
    case KIT_TOP_LATENCY:
        return row->head_ms;
    }
    return 0;
}

static row_t row_of(const weir_set_t *set, kit_top_order_t order)
{
    row_t row = {.set = set, .waiting = kit_queue_count(set)};

    add_members(&row, set->members, set->member_count, false);
    add_members(&row, set->leaving, set->leaving_count, true);
    row.rank = rank_of(&row, order);
    return row;
}

/* ---- all that are looked at ---- */

static void add_row(rows_t *rows, const weir_set_t *set, kit_top_order_t order)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity * 2 + FIRST_ROWS;
        rows->at = realloc(rows->at, rows->capacity * sizeof(rows->at[0]));
        if (rows->at == NULL)
            abort();
    }
    rows->at[rows->count++] = row_of(set, order);
}

/* An app that has an activity is visited by ticks, or rests: from its first request on, until ten minutes without one. */
static void collect(const struct weir_kit *kit, kit_top_order_t order, rows_t *rows)
{
    const kit_instance_t *instance = kit->instance;
    const kit_apps_t *apps = kit_apps(kit);

    if (apps->count <= ALL_MOST) {
        for (size_t i = 0; i < apps->count; i++)
            if (apps->at[i]->set != NULL && !atomic_load(&apps->at[i]->is_gone))
                add_row(rows, apps->at[i]->set, order);
        return;
    }
    for (const weir_set_t *set = instance->used; set != NULL; set = set->next_used)
        if (kit_activity(set) != NULL) /* ticks visit it as it was put in force just now, too */
            add_row(rows, set, order);
    for (size_t i = 0; i < instance->rests.count; i++) {
        const kit_due_t *due = instance->rests.at[i];
        add_row(rows, ((const kit_activity_t *)(const void *)((const char *)due - offsetof(kit_activity_t, rest)))->set, order);
    }
}

static int by_rank(const void *a, const void *b)
{
    const row_t *one = a, *other = b;

    if (one->rank != other->rank)
        return one->rank > other->rank ? -1 : 1;
    if (one->sums.answers != other->sums.answers)
        return one->sums.answers > other->sums.answers ? -1 : 1;
    return strcmp(one->set->name, other->set->name);
}

/* ---- the document ---- */

static json_t *members_of(const row_t *row)
{
    static const char *const words[STATES] = {"up",    "draining", "off",     "trial", "starting",
                                              "check", "connect",  "failing", "silent"};
    json_t *object = json_object();

    for (unsigned i = 0; i < STATES; i++)
        if (row->members[i] > 0)
            json_object_set_new(object, words[i], json_integer(row->members[i]));
    return object;
}

static json_t *document_of(const row_t *row)
{
    static const char *const courses[] = {"up", "paused", "stopped"};
    const kit_activity_t *activity = kit_activity(row->set);
    const uint64_t retries = activity == NULL ? 0 : atomic_load_explicit(&activity->retries, memory_order_relaxed);

    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "app", row->set->name, "state",
                     courses[atomic_load(&row->set->course)], "in_flight", (json_int_t)row->in_flight, "tunnels",
                     (json_int_t)row->tunnels, "waiting", (json_int_t)row->waiting, "requests",
                     (json_int_t)(activity == NULL ? 0 : activity->requests), "failures",
                     (json_int_t)(activity == NULL ? 0 : activity->failures), "retries", (json_int_t)retries, "answers_10s",
                     (json_int_t)row->sums.answers, "failures_10s", (json_int_t)row->sums.failures, "head_ms",
                     (double)(int64_t)(row->head_ms * 10 + 0.5) / 10, "members", members_of(row));
}

bool kit_top_order_read(weir_span_t word, kit_top_order_t *out_order)
{
    static const char *const words[] = {"requests", "errors", "queue", "latency"};

    *out_order = KIT_TOP_REQUESTS;
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (word.base != NULL && !weir_span_is(word, words[i]))
            continue;
        *out_order = (kit_top_order_t)i;
        return true;
    }
    return false;
}

json_t *kit_top_document(const struct weir_kit *kit, kit_top_order_t order, size_t limit)
{
    json_t *list = json_array();
    rows_t rows = {NULL, 0, 0};
    uint64_t waiting = 0;

    collect(kit, order, &rows);
    if (rows.count > 0)
        qsort(rows.at, rows.count, sizeof(rows.at[0]), by_rank);
    for (size_t i = 0; i < rows.count; i++) {
        waiting += rows.at[i].waiting;
        if (i < limit)
            json_array_append_new(list, document_of(&rows.at[i]));
    }
    free(rows.at);
    return json_pack("{s:I, s:I, s:I, s:o, s:o}", "total", (json_int_t)kit_apps(kit)->count, "looked_at",
                     (json_int_t)rows.count, "waiting", (json_int_t)waiting, "apps", list, "changes",
                     kit_watch_latest(kit->instance));
}
