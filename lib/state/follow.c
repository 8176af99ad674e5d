/* SPDX-License-Identifier: MIT */
#include "lib/state/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/follow_private.h"

enum { MS_PER_S = 1000, US_PER_MS = 1000, START_DELAY_PART = 6 };

static char *copy_of(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);

    WEIR_MUST((copy == NULL) == (text == NULL));
    return copy;
}

static char *joined(const char *one, const char *other, const char *third)
{
    char *text = NULL;

    WEIR_MUST(asprintf(&text, "%s%s%s", one, other, third) != -1);
    return text;
}

bool state_follow_key(const state_follow_t *follow, weir_span_t whole, weir_span_t *out)
{
    const size_t length = strlen(follow->root);

    if (whole.len < length || memcmp(whole.base, follow->root, length) != 0)
        return false;
    *out = (weir_span_t){whole.base + length, whole.len - length};
    return true;
}

/* From 0 to `most`: so that a thousand routers do not all come at once. */
uint32_t state_follow_dice(state_follow_t *follow, uint32_t most)
{
    follow->dice = follow->dice * 1664525U + 1013904223U;
    return most == 0 ? 0 : (uint32_t)(((uint64_t)follow->dice * (most + UINT64_C(1))) >> 32);
}

/* ---- what is told ---- */

static void forget_told(state_follow_t *follow)
{
    for (size_t i = 0; i < follow->told_count; i++) {
        free(follow->told[i].key);
        free(follow->told[i].why);
    }
    free(follow->told);
    follow->told = NULL;
    follow->told_count = 0;
}

/* Under the lock. Whoever asks is on a thread that must not wait for a step, which waits for that thread. */
static void copy_troubles(state_follow_t *follow)
{
    const state_troubles_t *troubles = &follow->step.troubles;
    state_names_walk_t walk = {0};

    if (follow->told_refused == troubles->refused && follow->told_troubles == troubles->by_key.count)
        return;
    forget_told(follow);
    follow->told = calloc(STATE_FOLLOW_TOLD_MOST, sizeof(follow->told[0]));
    WEIR_MUST(follow->told != NULL);
    for (const state_trouble_t *trouble;
         follow->told_count < STATE_FOLLOW_TOLD_MOST && (trouble = state_troubles_next(troubles, &walk)) != NULL;)
        follow->told[follow->told_count++] =
            (state_told_t){joined(follow->root, trouble->key, ""), copy_of(trouble->why), trouble->bad, trouble->mod_revision};
    follow->told_refused = troubles->refused;
    follow->told_troubles = troubles->by_key.count;
}

void state_follow_publish(state_follow_t *follow, const char *problem)
{
    state_follow_facts_t *facts = &follow->facts;
    const state_table_t *table = &follow->step.table;

    if (problem != NULL)
        snprintf(facts->problem, sizeof(facts->problem), "%s", problem);
    if (facts->revision != follow->revision)
        facts->changed_at_ms = weir_clock_wall_us() / US_PER_MS;
    snprintf(facts->endpoint, sizeof(facts->endpoint), "%s", weir_etcd_endpoint(follow->etcd));
    facts->cluster_id = follow->cluster_id;
    facts->revision = follow->revision;
    memcpy(facts->counts, table->counts, sizeof(facts->counts));
    memcpy(facts->held, table->absent, sizeof(facts->held));
    memcpy(facts->bad, follow->step.troubles.counts, sizeof(facts->bad));
    facts->refused = follow->step.troubles.refused;
    pthread_mutex_lock(&follow->lock);
    follow->shown = *facts;
    copy_troubles(follow);
    pthread_mutex_unlock(&follow->lock);
}

void state_follow_tell(state_follow_t *follow, state_follow_facts_t *out)
{
    pthread_mutex_lock(&follow->lock);
    *out = follow->shown;
    pthread_mutex_unlock(&follow->lock);
}

void state_follow_each(state_follow_t *follow, void (*visit)(const state_follow_trouble_t *trouble, void *context),
                       void *context)
{
    pthread_mutex_lock(&follow->lock);
    for (size_t i = 0; i < follow->told_count; i++)
        visit(&(state_follow_trouble_t){follow->told[i].key, follow->told[i].why, follow->told[i].bad,
                                        follow->told[i].mod_revision},
              context);
    pthread_mutex_unlock(&follow->lock);
}

/* ---- what others want ---- */

/* Who has rung may have been heard in any call that waits. */
static bool is_wanted(const state_follow_t *follow)
{
    return atomic_load(&follow->is_accepted) || atomic_load(&follow->is_retried);
}

static void heed(state_follow_t *follow)
{
    const uint64_t now_us = weir_clock_monotonic_us();
    size_t gone = 0;

    if (atomic_exchange(&follow->is_accepted, false)) {
        gone = state_step_accept(&follow->step);
        follow->changes++;
        weir_log("state: %zu keys that were held back are gone", gone);
    }
    if (atomic_exchange(&follow->is_retried, false))
        state_step_retry(&follow->step, now_us);
    state_step_commit(&follow->step, now_us);
    state_follow_publish(follow, NULL);
}

/* ---- the file ---- */

static bool begin_saving(state_follow_t *follow)
{
    const state_saved_head_t head = {follow->cluster_id, follow->revision, weir_clock_wall_us() / US_PER_MS};

    follow->changes = 0;
    follow->saved_revision = follow->revision;
    return state_saving_begin(&follow->saving, follow->snapshot_file, &follow->step, &head);
}

static void tell_saving(state_follow_t *follow)
{
    state_saving_end(&follow->saving);
    if (follow->saving.has_failed)
        weir_log("state: %s", follow->saving.problem);
    else if (follow->saving.head.saved_at_ms != 0)
        follow->facts.saved_at_ms = follow->saving.head.saved_at_ms;
    follow->saving.has_failed = false;
}

/* True: it wants to go on at once. */
static bool save(state_follow_t *follow, uint64_t now_us)
{
    if (follow->snapshot_file == NULL || follow->revision == 0)
        return false;
    if (state_saving_go_on(&follow->saving, &follow->step))
        return true;
    if (state_saving_is_over(&follow->saving)) {
        tell_saving(follow);
        state_follow_publish(follow, NULL);
    }
    if (follow->changes == 0 || now_us < follow->save_due_us || follow->saving.fd != 0)
        return false;
    follow->save_due_us = now_us + (uint64_t)follow->save_ms * US_PER_MS;
    return begin_saving(follow);
}

static void save_now(state_follow_t *follow)
{
    if (follow->snapshot_file != NULL && follow->revision != 0 && (follow->changes > 0 || follow->saving.fd != 0)) {
        const bool is_begun = begin_saving(follow);
        while (is_begun && state_saving_go_on(&follow->saving, &follow->step))
            ;
    }
    tell_saving(follow);
}

void state_follow_load(state_follow_t *follow)
{
    char problem[STATE_SAVED_PROBLEM_BYTES];
    state_saved_head_t head;

    if (follow->snapshot_file == NULL)
        return;
    if (!state_saved_load(follow->snapshot_file, &follow->step, &head, problem)) {
        if (problem[0] != '\0')
            weir_log("state: %s: it is not used", problem);
        return;
    }
    state_step_commit(&follow->step, weir_clock_monotonic_us());
    follow->cluster_id = head.cluster_id;
    follow->revision = head.revision;
    follow->facts.has_state = follow->facts.is_of_file = true;
    follow->facts.saved_at_ms = head.saved_at_ms;
    weir_log("state: %zu keys of %s, of revision %lld", follow->step.table.objects.count, follow->snapshot_file,
             (long long)head.revision);
    state_follow_publish(follow, NULL);
    follow->facts.changed_at_ms = 0;
}

/* ---- following ---- */

/* How long to wait until it is tried again. */
static uint32_t fall_back(state_follow_t *follow, weir_etcd_status_t status)
{
    const bool is_slow = status == WEIR_ETCD_DENIED || follow->is_too_new;
    const uint32_t most = is_slow ? STATE_SLOW_MS : follow->backoff_ms;

    if (status == WEIR_ETCD_WOKEN)
        return 0;
    follow->backoff_ms = follow->backoff_ms == 0 ? STATE_BACKOFF_LEAST_MS : 2 * follow->backoff_ms;
    if (follow->backoff_ms > STATE_BACKOFF_MOST_MS)
        follow->backoff_ms = STATE_BACKOFF_MOST_MS;
    return most - state_follow_dice(follow, most / 2);
}

/* Of whichever member: those of a cluster that is gone are tried in turn, and all say the same. */
static const char *reason_of(const char *problem)
{
    const char *end = strchr(problem, ' ');
    const char *colon = end == NULL ? NULL : memchr(problem, ':', (size_t)(end - problem));

    return colon == NULL || (colon[1] < '0' || colon[1] > '9') ? problem : end;
}

/* It does not follow, and why. */
static void lose_store(state_follow_t *follow, const char *problem)
{
    state_follow_facts_t *facts = &follow->facts;
    char before[STATE_FOLLOW_PROBLEM_BYTES];

    snprintf(before, sizeof(before), "%s", facts->problem);
    if (facts->is_following || facts->cut_at_us == 0)
        facts->cut_at_us = weir_clock_monotonic_us();
    facts->is_following = false;
    state_follow_publish(follow, follow->is_too_new ? "the keys are for newer readers" : problem);
    if (strcmp(reason_of(before), reason_of(facts->problem)) != 0 && facts->problem[0] != '\0')
        weir_log("state: %s%s", facts->problem, facts->has_state ? "; what is known is served" : "");
}

static void find_store(state_follow_t *follow)
{
    state_follow_facts_t *facts = &follow->facts;

    if (facts->problem[0] != '\0')
        weir_log("state: %s is followed again", weir_etcd_endpoint(follow->etcd));
    facts->is_following = true;
    facts->is_of_file = false;
    facts->cut_at_us = 0;
    facts->reconnects++;
    state_follow_publish(follow, "");
}

static uint32_t turn_ms(state_follow_t *follow)
{
    const bool has_more = save(follow, weir_clock_monotonic_us());

    return has_more ? 0 : STATE_TURN_MS;
}

/* Until it ends. The status says why. */
static weir_etcd_status_t watch(state_follow_t *follow)
{
    weir_etcd_status_t status = weir_etcd_watch(follow->etcd, (weir_span_t){follow->root, strlen(follow->root)},
                                                (weir_span_t){follow->end, strlen(follow->end)}, follow->revision + 1);
    bool is_followed = status == WEIR_ETCD_FINE;

    state_follow_forget_events(follow);
    while (is_followed && !atomic_load(&follow->is_ending)) {
        weir_etcd_news_t news;
        if (is_wanted(follow))
            heed(follow);
        status = weir_etcd_watch_next(follow->etcd, turn_ms(follow), &news);
        if (status == WEIR_ETCD_FINE) {
            is_followed = state_follow_news(follow, &news);
            if (is_followed && news.is_created)
                find_store(follow);
        } else
            is_followed = status == WEIR_ETCD_NOTHING || status == WEIR_ETCD_WOKEN;
        if (is_followed && follow->facts.is_following)
            state_follow_keep_node(follow, weir_clock_monotonic_us());
    }
    weir_etcd_watch_end(follow->etcd);
    return status;
}

/* Before all is read anew: not sooner than so long after the last time, and not all routers at once. */
static uint32_t snapshot_delay_ms(state_follow_t *follow)
{
    const uint64_t now_us = weir_clock_monotonic_us(), since_ms = (now_us - follow->snapshot_at_us) / US_PER_MS;

    if (!follow->facts.has_state)
        return 0;
    const uint32_t jitter_ms = state_follow_dice(follow, follow->resync_ms / START_DELAY_PART);
    if (follow->snapshot_at_us == 0 || since_ms >= follow->resync_ms)
        return jitter_ms;
    return follow->resync_ms - (uint32_t)since_ms + jitter_ms;
}

/* As long as nobody wants anything that may end what is waited for. */
static void rest(state_follow_t *follow, uint32_t ms)
{
    const uint64_t until_us = weir_clock_monotonic_us() + (uint64_t)ms * US_PER_MS;

    for (uint64_t now_us; !atomic_load(&follow->is_ending) && (now_us = weir_clock_monotonic_us()) < until_us;) {
        const uint32_t left_ms = (uint32_t)((until_us - now_us) / US_PER_MS) + 1, turn = turn_ms(follow);
        const bool is_retried = atomic_load(&follow->is_retried);
        if (is_wanted(follow))
            heed(follow);
        if (is_retried)
            return;
        (void)weir_etcd_sleep(follow->etcd, left_ms < turn ? left_ms : turn);
    }
}

/* Connected, and with a snapshot if one is needed; then it follows until that ends. */
static weir_etcd_status_t follow_once(state_follow_t *follow)
{
    weir_etcd_status_t status = weir_etcd_connect(follow->etcd);

    if (status != WEIR_ETCD_FINE)
        return status;
    if (follow->revision == 0)
        follow->needs_snapshot = true;
    if (follow->needs_snapshot)
        status = state_follow_snapshot(follow);
    if (status != WEIR_ETCD_FINE)
        return status;
    return follow->is_too_new ? WEIR_ETCD_FAILED : watch(follow);
}

static void *run(void *arg)
{
    state_follow_t *follow = arg;

    while (!atomic_load(&follow->is_ending)) {
        if (follow->needs_snapshot)
            rest(follow, snapshot_delay_ms(follow));
        if (atomic_load(&follow->is_ending))
            break;
        const weir_etcd_status_t status = follow_once(follow);
        if (status == WEIR_ETCD_WOKEN)
            heed(follow);
        if (atomic_load(&follow->is_ending))
            break;
        lose_store(follow, status == WEIR_ETCD_FINE || status == WEIR_ETCD_WOKEN ? NULL : weir_etcd_problem(follow->etcd));
        rest(follow, fall_back(follow, status));
    }
    state_follow_end_node(follow);
    save_now(follow);
    return NULL;
}

/* ---- its life ---- */

state_follow_t *state_follow_create(const state_follow_settings_t *settings, state_apply_t *apply, void *context,
                                    char problem[static STATE_FOLLOW_PROBLEM_BYTES])
{
    char sentence[WEIR_ETCD_PROBLEM_BYTES];
    weir_etcd_t *etcd = weir_etcd_create(&settings->store, sentence);
    state_follow_t *follow = etcd == NULL ? NULL : calloc(1, sizeof(*follow));

    if (etcd == NULL) {
        snprintf(problem, STATE_FOLLOW_PROBLEM_BYTES, "%s", sentence);
        return NULL;
    }
    WEIR_MUST(follow != NULL && pthread_mutex_init(&follow->lock, NULL) == 0);
    WEIR_MUST(getrandom(&follow->dice, sizeof(follow->dice), 0) == sizeof(follow->dice));
    follow->etcd = etcd;
    follow->root = joined(settings->prefix, "/v1/", "");
    follow->end = joined(settings->prefix, "/v10", "");
    follow->snapshot_file = copy_of(settings->snapshot_file);
    follow->node_key = settings->node == NULL ? NULL : joined(settings->prefix, "/v1-status/nodes/", settings->node);
    follow->address = copy_of(settings->address);
    follow->resync_ms = settings->resync_ms;
    follow->save_ms = settings->save_ms;
    follow->node_revision = -1;
    follow->facts.cut_at_us = weir_clock_monotonic_us();
    state_step_init(&follow->step, follow->root, apply, context);
    state_follow_publish(follow, "");
    return follow;
}

void state_follow_start(state_follow_t *follow)
{
    WEIR_MUST(pthread_create(&follow->thread, NULL, run, follow) == 0);
    follow->is_started = true;
}

void state_follow_stop(state_follow_t *follow)
{
    atomic_store(&follow->is_ending, true);
    weir_etcd_wake(follow->etcd);
    if (follow->is_started)
        pthread_join(follow->thread, NULL);
    follow->is_started = false;
}

void state_follow_withdraw(state_follow_t *follow)
{
    state_step_withdraw(&follow->step);
}

void state_follow_inherit(state_follow_t *follow, state_follow_t *other, bool is_same_place)
{
    const state_step_t empty = follow->step;

    follow->step = other->step;
    weir_list_init(&follow->step.table.dirty);
    weir_list_move_all(&follow->step.table.dirty, &other->step.table.dirty);
    follow->step.prefix = follow->root;
    other->step = empty;
    weir_list_init(&other->step.table.dirty);
    follow->cluster_id = is_same_place ? other->cluster_id : 0;
    follow->revision = other->revision;
    follow->needs_snapshot = !is_same_place || other->needs_snapshot;
    follow->changes = 1; /* the file may be another one */
    follow->facts.has_state = other->facts.has_state;
    follow->facts.is_of_file = other->facts.is_of_file;
    state_follow_publish(follow, NULL);
}

void state_follow_destroy(state_follow_t **slot)
{
    state_follow_t *follow = *slot;

    *slot = NULL;
    if (follow == NULL)
        return;
    state_follow_forget_events(follow);
    forget_told(follow);
    state_step_dispose(&follow->step);
    weir_etcd_destroy(&follow->etcd);
    pthread_mutex_destroy(&follow->lock);
    free(follow->events);
    free(follow->root);
    free(follow->end);
    free(follow->snapshot_file);
    free(follow->node_key);
    free(follow->address);
    free(follow);
}

bool state_follow_accept(state_follow_t *follow)
{
    state_follow_facts_t facts;
    size_t held = 0;

    state_follow_tell(follow, &facts);
    for (int kind = 0; kind < STATE_KINDS; kind++)
        held += facts.held[kind];
    if (held == 0)
        return false;
    atomic_store(&follow->is_accepted, true);
    weir_etcd_wake(follow->etcd);
    return true;
}

void state_follow_retry(state_follow_t *follow)
{
    atomic_store(&follow->is_retried, true);
    weir_etcd_wake(follow->etcd);
}
