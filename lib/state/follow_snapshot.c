/* SPDX-License-Identifier: MIT */
/* All keys at one revision, page by page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/follow_private.h"

typedef struct paging {
    state_follow_t *follow;
    weir_etcd_header_t header; /* of the first page */
    int64_t limit;
    bool is_serializable, has_more;
    size_t seen;
    uint64_t now_us;
    char *next; /* where the next page begins */
    size_t next_length;
} paging_t;

static void on_meta(const weir_etcd_item_t *item, void *context)
{
    state_follow_t *follow = context;

    follow->is_too_new = state_judge_least_reader(item->value) > STATE_READER;
}

/* Whether the keys are for readers such as we are. */
static weir_etcd_status_t read_meta(state_follow_t *follow, bool is_serializable)
{
    char key[STATE_KEY_BYTES];
    weir_etcd_header_t header;
    bool has_more;
    const int length = snprintf(key, sizeof(key), "%smeta", follow->root);

    follow->is_too_new = false;
    return weir_etcd_read(follow->etcd, &(weir_etcd_range_t){.key = {key, (size_t)length}, .is_serializable = is_serializable},
                          on_meta, follow, &header, &has_more);
}

/* The key behind which the next page begins: with a NUL. */
static void note_next(paging_t *it, weir_span_t key)
{
    it->next = realloc(it->next, key.len + 1);
    WEIR_MUST(it->next != NULL);
    memcpy(it->next, key.base, key.len);
    it->next[key.len] = '\0';
    it->next_length = key.len + 1;
}

static void on_item(const weir_etcd_item_t *item, void *context)
{
    paging_t *it = context;
    weir_span_t key;

    note_next(it, item->key);
    it->seen++;
    if (state_follow_key(it->follow, item->key, &key))
        state_step_put(&it->follow->step, &(state_raw_t){key, item->value, item->mod_revision, item->lease != 0}, it->now_us);
}

static weir_etcd_status_t read_page(paging_t *it)
{
    const weir_etcd_range_t range = {
        .key = {it->next, it->next_length},
        .end = {it->follow->end, strlen(it->follow->end)},
        .limit = it->limit,
        .revision = it->header.revision,
        .is_serializable = it->is_serializable,
    };
    weir_etcd_header_t header;
    const weir_etcd_status_t status = weir_etcd_read(it->follow->etcd, &range, on_item, it, &header, &it->has_more);

    if (status == WEIR_ETCD_FINE && it->header.revision == 0)
        it->header = header;
    return status;
}

static weir_etcd_status_t read_pages(paging_t *it)
{
    weir_etcd_status_t status = WEIR_ETCD_FINE;

    for (it->has_more = true; it->has_more;) {
        status = read_page(it);
        if (status == WEIR_ETCD_TOO_LONG && it->limit > 1)
            it->limit /= 2;
        else if (status != WEIR_ETCD_FINE)
            return status;
    }
    return status;
}

/* What the snapshot did not have. */
static void sweep(paging_t *it)
{
    state_step_t *step = &it->follow->step;
    state_object_t **lost = calloc(step->table.objects.count + 1, sizeof(state_object_t *));
    state_names_walk_t walk = {0};
    size_t count = 0;

    WEIR_MUST(lost != NULL);
    for (state_name_t *name; (name = state_names_next(&step->table.objects, &walk)) != NULL;) {
        state_object_t *object = WEIR_AROUND(name, state_object_t, by_key);
        if (object->is_seen)
            continue;
        object->mod_revision = 0; /* if it stays: another cluster counts anew */
        if (!object->is_absent)
            lost[count++] = object;
    }
    if (count > 0)
        state_step_lose(step, lost, count, it->seen == 0, it->now_us);
    free(lost);
    state_troubles_sweep(&step->troubles);
}

static void begin(state_follow_t *follow)
{
    state_names_walk_t walk = {0};

    for (state_name_t *name; (name = state_names_next(&follow->step.table.objects, &walk)) != NULL;)
        WEIR_AROUND(name, state_object_t, by_key)->is_seen = false;
    state_troubles_begin(&follow->step.troubles);
}

static weir_etcd_status_t read_all(paging_t *it)
{
    begin(it->follow);
    note_next(it, (weir_span_t){it->follow->root, strlen(it->follow->root)});
    it->next_length--; /* the root itself: without the NUL */
    const weir_etcd_status_t status = read_pages(it);
    free(it->next);
    it->next = NULL;
    return status;
}

static void take(paging_t *it)
{
    state_follow_t *follow = it->follow;
    const bool is_other = follow->cluster_id != 0 && follow->cluster_id != it->header.cluster_id;

    sweep(it);
    state_step_commit(&follow->step, weir_clock_monotonic_us());
    follow->cluster_id = it->header.cluster_id;
    follow->revision = it->header.revision;
    follow->needs_snapshot = false;
    follow->snapshot_at_us = weir_clock_monotonic_us();
    follow->changes++;
    follow->facts.snapshots++;
    follow->facts.store_revision = follow->revision;
    follow->facts.has_state = true;
    follow->facts.is_of_file = false;
    weir_log("state: %zu keys of %s at revision %lld%s", it->seen, weir_etcd_endpoint(follow->etcd),
             (long long)follow->revision, is_other ? ", of another cluster" : "");
    state_follow_publish(follow, "");
}

static weir_etcd_status_t try_it(state_follow_t *follow, bool is_serializable)
{
    paging_t it = {
        .follow = follow, .limit = WEIR_ETCD_PAGE, .is_serializable = is_serializable, .now_us = weir_clock_monotonic_us()};
    weir_etcd_status_t status = read_meta(follow, is_serializable);

    if (status != WEIR_ETCD_FINE || follow->is_too_new)
        return status;
    status = read_all(&it);
    if (status == WEIR_ETCD_FINE)
        take(&it);
    return status;
}

/* Whoever has nothing takes what a member knows, also without a quorum. Whichever: the others may be gone. */
static weir_etcd_status_t take_from_any(state_follow_t *follow, weir_etcd_status_t status)
{
    const size_t most = weir_etcd_endpoint_count(follow->etcd);

    for (size_t i = 0; i < most && status != WEIR_ETCD_FINE && status != WEIR_ETCD_WOKEN; i++) {
        status = weir_etcd_connect(follow->etcd);
        if (status == WEIR_ETCD_FINE)
            status = try_it(follow, true);
    }
    return status;
}

weir_etcd_status_t state_follow_snapshot(state_follow_t *follow)
{
    const weir_etcd_status_t status = try_it(follow, false);

    if (status == WEIR_ETCD_FINE || status == WEIR_ETCD_DENIED || status == WEIR_ETCD_WOKEN || follow->facts.has_state)
        return status;
    return take_from_any(follow, status);
}
