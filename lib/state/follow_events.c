/* SPDX-License-Identifier: MIT */
/* What a watch says, applied a revision at a time. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/follow_private.h"
#include "weir_span.h"

void state_follow_forget_events(state_follow_t *follow)
{
    for (size_t i = 0; i < follow->event_count; i++)
        free(follow->events[i].bytes);
    follow->event_count = 0;
}

/* A revision may come in several pieces. */
static void keep(state_follow_t *follow, const weir_etcd_event_t *event)
{
    const weir_span_t key = event->item.key, value = event->is_removal ? (weir_span_t){"", 0} : event->item.value;
    char *bytes = malloc(key.len + value.len + 1);

    if (follow->event_count == follow->event_room) {
        follow->event_room = follow->event_room == 0 ? 64 : 2 * follow->event_room;
        follow->events = realloc(follow->events, follow->event_room * sizeof(follow->events[0]));
    }
    WEIR_MUST(bytes != NULL && follow->events != NULL);
    memcpy(bytes, key.base, key.len);
    if (value.len > 0)
        memcpy(bytes + key.len, value.base, value.len);
    follow->events[follow->event_count++] =
        (state_event_t){bytes, key.len, value.len, event->item.mod_revision, event->is_removal, event->item.lease != 0};
}

static bool is_for_newer(const state_follow_t *follow, const state_event_t *event, weir_span_t key)
{
    return weir_span_is(key, "meta") && !event->is_removal &&
           state_judge_least_reader((weir_span_t){event->bytes + event->key_length, event->value_length}) > STATE_READER;
}

/* False: the keys are for newer readers. `lost` has room for all events. */
static bool apply_one(state_follow_t *follow, const state_event_t *event, state_object_t **lost, size_t *lost_count)
{
    const weir_span_t value = {event->bytes + event->key_length, event->value_length};
    weir_span_t key;

    if (!state_follow_key(follow, (weir_span_t){event->bytes, event->key_length}, &key))
        return true;
    state_object_t *object = state_table_find(&follow->step.table, key);
    if (is_for_newer(follow, event, key))
        return false;
    if (object != NULL && object->mod_revision >= event->mod_revision)
        return true; /* it was applied before the connection was cut */
    follow->facts.events++;
    if (!event->is_removal) {
        state_step_put(&follow->step, &(state_raw_t){key, value, event->mod_revision, event->has_lease},
                       weir_clock_monotonic_us());
        return true;
    }
    state_troubles_drop(&follow->step.troubles, key);
    if (object != NULL && !object->is_absent) {
        object->mod_revision = event->mod_revision;
        lost[(*lost_count)++] = object;
    }
    return true;
}

/* One revision is one step. */
static bool apply_revision(state_follow_t *follow, size_t from, size_t to)
{
    state_object_t **lost = calloc(to - from, sizeof(state_object_t *));
    const uint64_t now_us = weir_clock_monotonic_us();
    size_t lost_count = 0;
    bool is_fine = true;

    WEIR_MUST(lost != NULL);
    for (size_t i = from; i < to && is_fine; i++)
        is_fine = apply_one(follow, &follow->events[i], lost, &lost_count);
    if (lost_count > 0)
        state_step_lose(&follow->step, lost, lost_count, false, now_us);
    free(lost);
    state_step_commit(&follow->step, now_us);
    if (!is_fine)
        return false;
    follow->revision = follow->events[from].mod_revision;
    follow->changes++;
    return true;
}

static bool apply_all(state_follow_t *follow)
{
    bool is_fine = true;

    for (size_t from = 0, to; from < follow->event_count && is_fine; from = to) {
        for (to = from + 1; to < follow->event_count && follow->events[to].mod_revision == follow->events[from].mod_revision;
             to++)
            ;
        is_fine = apply_revision(follow, from, to);
    }
    state_follow_forget_events(follow);
    if (is_fine)
        return true;
    weir_log("state: %smeta is for newer readers: what is there stays as it is", follow->root);
    follow->is_too_new = follow->needs_snapshot = true;
    return false;
}

static void on_nothing(const weir_etcd_item_t *item, void *context)
{
    (void)item;
    (void)context;
}

/*
 * A member that has just lost its leader may be behind what another one has told us. What all of them have agreed on is not.
 * Fine: *out_header is of that.
 */
static weir_etcd_status_t ask_all(state_follow_t *follow, weir_etcd_header_t *out_header)
{
    const weir_etcd_range_t range = {.key = {follow->root, strlen(follow->root)}, .has_no_values = true};
    bool has_more;

    return weir_etcd_read(follow->etcd, &range, on_nothing, NULL, out_header, &has_more);
}

/* The watch is there. False: it is of no use, since the store is not what it was, or does not say what it is. */
static bool on_created(state_follow_t *follow, weir_etcd_header_t header)
{
    const bool is_behind = header.cluster_id == follow->cluster_id && header.revision < follow->revision;

    if (is_behind && ask_all(follow, &header) != WEIR_ETCD_FINE)
        return false;
    if (header.cluster_id == follow->cluster_id && header.revision >= follow->revision) {
        follow->backoff_ms = 0;
        follow->facts.store_revision = header.revision;
        state_follow_publish(follow, "");
        return true;
    }
    weir_log("state: the store is %s: all of it is read anew",
             header.cluster_id != follow->cluster_id ? "another cluster" : "older than it was");
    follow->needs_snapshot = true;
    return false;
}

static bool on_cancelled(state_follow_t *follow, const weir_etcd_news_t *news)
{
    if (news->compact_revision > 0) {
        weir_log("state: what has happened since revision %lld is no more in the store: all of it is read anew",
                 (long long)follow->revision);
        follow->needs_snapshot = true;
    } else
        state_follow_publish(follow, news->reason);
    return false;
}

bool state_follow_news(state_follow_t *follow, const weir_etcd_news_t *news)
{
    const int64_t before = follow->revision;

    if (news->is_cancelled)
        return on_cancelled(follow, news);
    if (news->is_created)
        return on_created(follow, news->header);
    for (size_t i = 0; i < news->event_count; i++)
        keep(follow, &news->events[i]);
    if (news->has_more)
        return true;
    if (!apply_all(follow))
        return false;
    /* Only that is progress: behind what has events, or is the first answer, others may follow. */
    if (news->event_count == 0 && news->header.revision > follow->revision)
        follow->revision = news->header.revision;
    follow->facts.store_revision = news->header.revision;
    if (follow->revision != before)
        state_follow_publish(follow, "");
    return true;
}
