/* SPDX-License-Identifier: MIT */
#include "health.h"

#include <math.h>

#include "alloc.h"
#include "check.h"
#include "counts.h"
#include "metrics.h"
#include "queue.h"

enum {
    SECOND_US = 1000000,
    ROW_LEAST = 3,
    CONNECT_ROW = 3,
    SHARE_ANSWERS_LEAST = 20,
    WALKED_MOST = 64,  /* members of an app */
    CLIENTS_LEAST = 3, /* that have seen failures, for them to be the member's fault */
    FEW_CLIENTS = 4,   /* fewer: perhaps there is a proxy in front                   */
    PUSH_BACK_MOST_S = 30,
    TIMES_MOST = 16,
    CONNECT_BASE_MS = 1000,
    CONNECT_LONGEST_MS = 30000,
    CONNECT_HASTE_US = 200000, /* so often while somebody waits */
    TENTHS_OF_JITTER = 4,      /* ±20 % */
};

static const double once_in_a_million = 13.8; /* −ln of that */
static const double share_least = 0.3, share_above_peers = 0.2, share_sigmas = 5, peers_least = 0.01;

/* ---- counting ---- */

static uint64_t bit_of(uint64_t client)
{
    return UINT64_C(1) << client % 64;
}

static void see_client(_Atomic uint64_t *clients, uint64_t client)
{
    if ((atomic_load_explicit(clients, memory_order_relaxed) & bit_of(client)) == 0)
        atomic_fetch_or_explicit(clients, bit_of(client), memory_order_relaxed);
}

static bool has_few_clients(const weir_set_t *set)
{
    const kit_activity_t *activity = kit_activity(set);
    uint64_t seen = activity == NULL ? 0
                                     : atomic_load_explicit(&activity->clients, memory_order_relaxed) |
                                           atomic_load_explicit(&activity->clients_before, memory_order_relaxed);

    return __builtin_popcountll(seen) < FEW_CLIENTS;
}

/* ---- the rules ---- */

unsigned kit_row_most(double share)
{
    double row = ceil(once_in_a_million / -log(share < peers_least ? peers_least : share > 0.99 ? 0.99 : share));

    return row < ROW_LEAST ? ROW_LEAST : (unsigned)row;
}

/* Of the other members: what the application does by itself. */
static double share_of_peers(weir_set_t *set, const weir_member_t *member, kit_sums_t own)
{
    const kit_sums_t peers = kit_sums_of_peers(set, member, own);
    const double share = (peers.failures + 1) / (peers.answers + 10);

    return share < peers_least ? peers_least : share > 1 ? 1 : share;
}

static bool has_too_large_share(const weir_set_t *set, const kit_trouble_t *trouble, kit_sums_t own, double peers)
{
    if (own.answers < SHARE_ANSWERS_LEAST)
        return false;
    double share = own.failures / own.answers, sigma = sqrt(peers * (1 - peers) / own.answers);
    uint64_t clients = atomic_load_explicit(&trouble->failed_clients, memory_order_relaxed) |
                       atomic_load_explicit(&trouble->failed_clients_before, memory_order_relaxed);

    return share >= share_least && share - peers >= share_above_peers && share - peers >= share_sigmas * sigma &&
           (__builtin_popcountll(clients) >= CLIENTS_LEAST || has_few_clients(set));
}

/* ---- quarantine ---- */

static uint64_t length_us(uint32_t base_ms, uint32_t longest_ms, uint32_t times, uint64_t dice)
{
    uint64_t ms = (uint64_t)base_ms << (times < TIMES_MOST ? times : TIMES_MOST);

    ms = ms < longest_ms ? ms : longest_ms;
    return ms * 1000 / 10 * (10 - TENTHS_OF_JITTER / 2) + dice % (ms * 1000 / 10 * TENTHS_OF_JITTER + 1);
}

static bool is_in_quarantine(const weir_member_t *member)
{
    kit_quarantine_t state = (kit_quarantine_t)atomic_load_explicit(&member->quarantine, memory_order_relaxed);

    return state == KIT_FAILING || state == KIT_SILENT || state == KIT_TRIAL;
}

/* At most such a share of a tier; of two, one; never the only one. */
static bool has_room(const weir_set_t *set, const weir_member_t *member, const kit_settings_t *settings)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    size_t members = 0, ill = 0, own = 0;

    while (own < kit_view_count(view) && kit_view_member(view, own) != member)
        own++;
    for (size_t i = 0; own < kit_view_count(view) && i < kit_view_count(view); i++) {
        const weir_member_t *other = kit_view_member(view, i);
        if (kit_view_tier(view, i) != kit_view_tier(view, own))
            continue;
        members++;
        ill += other != member && is_in_quarantine(other);
    }
    size_t most = members * settings->quarantine.most_percent / 100;
    if (most == 0 && members == 2 && settings->quarantine.most_percent > 0)
        most = 1;
    return members > 1 && ill < most;
}

static void enter(weir_member_t *member, kit_quarantine_t why, uint64_t us, uint64_t now_us)
{
    kit_trouble_t *trouble = kit_trouble_of(member);

    atomic_store_explicit(&trouble->quarantined_at_us, now_us, memory_order_relaxed);
    if (atomic_load_explicit(&trouble->ill_since_us, memory_order_relaxed) == 0)
        atomic_store_explicit(&trouble->ill_since_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&trouble->quarantine_until_us, now_us + us, memory_order_relaxed);
    atomic_fetch_add_explicit(&trouble->quarantine_times, 1, memory_order_relaxed);
    atomic_store_explicit(&trouble->failures_in_a_row, 0, memory_order_relaxed);
    atomic_store_explicit(&member->has_trial, 0, memory_order_relaxed);
    atomic_store_explicit(&member->quarantine, (uint8_t)why, memory_order_release);
    kit_metrics_count((kit_metric_t)(KIT_QUARANTINES_CONNECT + (int)why - KIT_CONNECT));
}

static void isolate(weir_set_t *set, weir_member_t *member, const kit_settings_t *settings, kit_quarantine_t why,
                    uint64_t now_us, uint64_t dice)
{
    kit_quarantine_t present = (kit_quarantine_t)atomic_load_explicit(&member->quarantine, memory_order_relaxed);

    if (!set->has_ticks || (present != KIT_FREE && present != KIT_TRIAL))
        return; /* nobody would end it; or it is in there already */
    pthread_mutex_t *lock = &kit_activity_of(set)->health_lock;
    pthread_mutex_lock(lock);
    present = (kit_quarantine_t)atomic_load_explicit(&member->quarantine, memory_order_relaxed);
    uint32_t times = atomic_load_explicit(&kit_trouble_of(member)->quarantine_times, memory_order_relaxed);
    const bool is_new = present == KIT_FREE || present == KIT_TRIAL;

    if (is_new && why == KIT_CONNECT)
        enter(member, why, length_us(CONNECT_BASE_MS, CONNECT_LONGEST_MS, times, dice), now_us);
    else if (is_new && (present == KIT_TRIAL || has_room(set, member, settings)))
        enter(member, why, length_us(settings->quarantine.base_ms, settings->quarantine.longest_ms, times, dice), now_us);
    else if (is_new)
        kit_metrics_count(KIT_QUARANTINE_REFUSED);
    const bool has_fallen_ill = atomic_load_explicit(&member->quarantine, memory_order_relaxed) != (uint8_t)present;
    if (has_fallen_ill)
        kit_view_refresh(atomic_load_explicit(&set->view, memory_order_acquire), now_us);
    pthread_mutex_unlock(lock);
    if (has_fallen_ill && kit_queue_count(set) > 0) /* where all are ill, who has waited for it may have another */
        kit_queue_kick(set, now_us, true);
}

static void recover(weir_set_t *set, weir_member_t *member, uint64_t now_us)
{
    pthread_mutex_t *lock = &kit_activity_of(set)->health_lock; /* once: it may be given back meanwhile, but for us */

    pthread_mutex_lock(lock);
    if (atomic_load_explicit(&member->quarantine, memory_order_relaxed) != KIT_FREE) {
        kit_trouble_t *trouble = kit_trouble_of(member);
        atomic_store_explicit(&member->has_trial, 0, memory_order_relaxed);
        atomic_store_explicit(&member->joined_at_us, now_us, memory_order_relaxed);
        if (atomic_load(&member->check) != KIT_CHECK_FAILED)
            atomic_store_explicit(&trouble->ill_since_us, 0, memory_order_relaxed);
        atomic_store_explicit(&trouble->connect_failures_in_a_row, 0, memory_order_relaxed);
        atomic_store_explicit(&trouble->quarantined_at_us, now_us, memory_order_relaxed);
        atomic_store_explicit(&member->quarantine, KIT_FREE, memory_order_release);
        kit_view_refresh(atomic_load_explicit(&set->view, memory_order_acquire), now_us);
    }
    pthread_mutex_unlock(lock);
}

void kit_health_connected(weir_set_t *set, weir_member_t *member, bool is_connected, uint64_t now_us, uint64_t dice)
{
    kit_trouble_t *trouble = kit_trouble_of(member);
    const uint32_t times = atomic_load_explicit(&trouble->quarantine_times, memory_order_relaxed);

    if (atomic_load_explicit(&member->quarantine, memory_order_relaxed) != KIT_CONNECT)
        return;
    if (is_connected) {
        recover(set, member, now_us);
        kit_queue_kick(set, now_us, false);
        return;
    }
    atomic_store_explicit(&trouble->quarantine_until_us, now_us + length_us(CONNECT_BASE_MS, CONNECT_LONGEST_MS, times, dice),
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&trouble->quarantine_times, 1, memory_order_relaxed);
}

/* ---- attempts ---- */

static void note_success(weir_set_t *set, weir_member_t *member, const kit_note_t *note)
{
    kit_trouble_t *trouble = kit_trouble(member);

    kit_count_success(member, note->head_us);
    if (trouble != NULL && atomic_load_explicit(&trouble->failures_in_a_row, memory_order_relaxed) != 0)
        atomic_store_explicit(&trouble->failures_in_a_row, 0, memory_order_relaxed);
    if (trouble != NULL && atomic_load_explicit(&trouble->connect_failures_in_a_row, memory_order_relaxed) != 0)
        atomic_store_explicit(&trouble->connect_failures_in_a_row, 0, memory_order_relaxed);
    /* A trial's answer counts, though it came too late for us to wait for it. */
    const uint8_t state = atomic_load_explicit(&member->quarantine, memory_order_relaxed);
    if (state == KIT_TRIAL || (note->is_trial && state != KIT_FREE))
        recover(set, member, note->now_us);
}

/* One client with a broken URL must not take a member away. */
static bool lengthens_row(const weir_set_t *set, kit_trouble_t *trouble, const kit_note_t *note)
{
    uint32_t client = (uint32_t)(note->client >> 16 & 0xffff) | 0x10000;

    if (!note->has_status)
        return true;
    return atomic_exchange_explicit(&trouble->failed_client, client, memory_order_relaxed) != client || has_few_clients(set);
}

static void note_failure(weir_set_t *set, weir_member_t *member, const kit_settings_t *settings, const kit_note_t *note)
{
    kit_trouble_t *trouble = kit_trouble_of(member);
    kit_sums_t own = kit_sums_of(member);
    double peers = share_of_peers(set, member, own);
    uint32_t row = atomic_load_explicit(&trouble->failures_in_a_row, memory_order_relaxed);

    see_client(&trouble->failed_clients, note->client);
    if (lengthens_row(set, trouble, note))
        row = atomic_fetch_add_explicit(&trouble->failures_in_a_row, 1, memory_order_relaxed) + 1;
    if (!settings->quarantine.is_on)
        return;
    if (row >= kit_row_most(peers) || has_too_large_share(set, trouble, own, peers) ||
        atomic_load_explicit(&member->quarantine, memory_order_relaxed) == KIT_TRIAL)
        isolate(set, member, settings, KIT_FAILING, note->now_us, note->dice);
}

void kit_note(weir_set_t *set, weir_member_t *member, const kit_settings_t *settings, const kit_note_t *note)
{
    const bool is_failure = note->result == KIT_RESULT_FAILURE || note->result == KIT_RESULT_NO_CONNECTION;

    see_client(&kit_activity_of(set)->clients, note->client);
    if (note->result == KIT_RESULT_NOTHING)
        return;
    if (!is_failure) {
        note_success(set, member, note);
        return;
    }
    kit_trouble_t *trouble = kit_trouble_of(member);
    kit_count_failure(trouble, note->now_us);
    if (note->result == KIT_RESULT_FAILURE) {
        note_failure(set, member, settings, note);
        return;
    }
    if (atomic_load_explicit(&member->address, memory_order_acquire)->worker != 0)
        return; /* nobody could try to connect to it, and when it has left that is known */
    uint32_t row = atomic_fetch_add_explicit(&trouble->connect_failures_in_a_row, 1, memory_order_relaxed) + 1;
    if (settings->quarantine.is_on &&
        (row >= CONNECT_ROW || atomic_load_explicit(&member->quarantine, memory_order_relaxed) == KIT_TRIAL))
        isolate(set, member, settings, KIT_CONNECT, note->now_us, note->dice);
}

void kit_note_pushed_back(weir_member_t *member, uint64_t now_us, uint32_t seconds)
{
    uint32_t most = seconds < PUSH_BACK_MOST_S ? seconds : PUSH_BACK_MOST_S;

    atomic_store_explicit(&kit_trouble_of(member)->pushed_back_until_us, now_us + (uint64_t)most * SECOND_US,
                          memory_order_relaxed);
}

/* ---- ticks ---- */

enum {
    SILENCE_LEAST_US = 100000,
    ILL_SILENCE_US = 2000000,
    ILL_SILENCE_TIMES = 40,
    ILL_WAITING = 3,
    WELL_US = 60000000,
    HANDICAP_MOST = 4,
    MEMBERS_MOST = 65536,
    FAILURE_TIMES = 16
};
static const float known_least = 1;

/* How long it has said nothing, though somebody waits. */
static uint64_t silence_us(const weir_member_t *member, uint64_t now_us)
{
    uint64_t head_at = atomic_load_explicit(&member->head_at_us, memory_order_relaxed),
             since = atomic_load_explicit(&member->waiting_since_us, memory_order_relaxed);

    since = since > head_at ? since : head_at;
    if (kit_waiting(atomic_load_explicit(&member->load, memory_order_relaxed)) == 0 || since == 0 || now_us <= since)
        return 0;
    return now_us - since > SILENCE_LEAST_US ? now_us - since : 0;
}

static double mean_of(const weir_member_t *member)
{
    const kit_record_t *record = kit_record(member);

    return record != NULL && record->answers >= known_least ? record->head_us / record->answers : 0;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The lower median of the known means of a tier; 0: none is known. */
static double middle_of(const kit_view_t *view, unsigned tier, double *means)
{
    size_t known = 0;

    for (size_t i = 0; i < kit_view_count(view) && known < MEMBERS_MOST; i++)
        if (kit_view_tier(view, i) == tier && mean_of(kit_view_member(view, i)) > 0)
            means[known++] = mean_of(kit_view_member(view, i));
    if (known == 0)
        return 0;
    qsort(means, known, sizeof(means[0]), by_size);
    return means[(known - 1) / 2];
}

static unsigned handicap_of(const weir_member_t *member, const kit_settings_t *settings, double middle, uint64_t silence,
                            uint64_t now_us)
{
    const kit_record_t *record = kit_record(member);
    const kit_trouble_t *trouble = kit_trouble(member);
    double mean = mean_of(member), answers = record->answers, failed = trouble == NULL ? 0 : trouble->tick.failed;
    uint64_t joined = atomic_load_explicit(&member->joined_at_us, memory_order_relaxed);
    unsigned most = joined != 0 && kit_since(now_us, joined) < (uint64_t)settings->warm_up_ms * 1000 ? 1 : HANDICAP_MOST;

    if (trouble != NULL && atomic_load_explicit(&trouble->pushed_back_until_us, memory_order_relaxed) > now_us)
        return HANDICAP_MOST;
    if (middle == 0)
        return 0;
    double ratio = (mean > (double)silence ? mean : (double)silence) / middle;
    if (answers + failed > 0)
        ratio = (ratio * answers + FAILURE_TIMES * failed) / (answers + failed);
    double steps = ratio >= 1 ? floor(log2(ratio)) : 0;
    return steps >= most ? most : (unsigned)steps;
}

/* Sooner while somebody waits. */
static void try_to_connect(weir_set_t *set, weir_member_t *member, uint64_t now_us)
{
    kit_trouble_t *trouble = kit_trouble_of(member);
    const bool is_due = now_us >= atomic_load_explicit(&trouble->quarantine_until_us, memory_order_relaxed),
               is_wanted = kit_queue_count(set) > 0 && kit_since(now_us, trouble->tick.connect_tried_at_us) >= CONNECT_HASTE_US;

    if (!is_due && !is_wanted)
        return;
    trouble->tick.connect_tried_at_us = now_us;
    kit_check_connect(set, member);
}

/* True if it may take requests again. */
static bool end_quarantine(weir_set_t *set, weir_member_t *member, const kit_settings_t *settings, uint64_t now_us,
                           uint64_t dice)
{
    kit_trouble_t *trouble = kit_trouble(member);
    kit_quarantine_t state = (kit_quarantine_t)atomic_load_explicit(&member->quarantine, memory_order_acquire);

    if (trouble == NULL || state == KIT_FREE)
        return false;
    if (state == KIT_TRIAL && atomic_load_explicit(&member->has_trial, memory_order_relaxed) != 0 &&
        now_us > atomic_load_explicit(&trouble->trial_at_us, memory_order_relaxed) + ILL_SILENCE_US)
        isolate(set, member, settings, KIT_SILENT, now_us, dice);
    if (state == KIT_CONNECT)
        try_to_connect(set, member, now_us);
    if (state == KIT_TRIAL || state == KIT_CONNECT)
        return false;
    kit_check_hurry(member, now_us);
    if (now_us < atomic_load_explicit(&trouble->quarantine_until_us, memory_order_relaxed) || !kit_check_allows_trial(member))
        return false;
    pthread_mutex_t *lock = &kit_activity_of(set)->health_lock;
    pthread_mutex_lock(lock);
    atomic_store_explicit(&member->has_trial, 0, memory_order_relaxed);
    atomic_store_explicit(&trouble->quarantined_at_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&member->quarantine, KIT_TRIAL, memory_order_release);
    kit_view_refresh(atomic_load_explicit(&set->view, memory_order_acquire), now_us);
    pthread_mutex_unlock(lock);
    return true;
}

static void forgive(weir_member_t *member, uint64_t now_us)
{
    kit_trouble_t *trouble = kit_trouble(member);

    if (trouble == NULL)
        return;
    if (atomic_load_explicit(&member->quarantine, memory_order_relaxed) != KIT_FREE || trouble->tick.well_since_us == 0)
        trouble->tick.well_since_us = now_us;
    if (kit_since(now_us, trouble->tick.well_since_us) < WELL_US)
        return;
    trouble->tick.well_since_us = now_us;
    uint32_t times = atomic_load_explicit(&trouble->quarantine_times, memory_order_relaxed);
    if (times > 0)
        atomic_fetch_sub_explicit(&trouble->quarantine_times, 1, memory_order_relaxed);
}

static bool has_anybody_answered(const kit_view_t *view, const weir_member_t *but, uint64_t now_us)
{
    for (size_t i = 0; i < kit_view_count(view); i++) {
        const weir_member_t *member = kit_view_member(view, i);
        if (member != but && atomic_load_explicit(&member->head_at_us, memory_order_relaxed) + ILL_SILENCE_US > now_us)
            return true;
    }
    return false;
}

static bool look_at(weir_set_t *set, const kit_view_t *view, weir_member_t *member, double middle, uint64_t now_us,
                    uint64_t dice)
{
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    uint64_t silence = silence_us(member, now_us);
    unsigned waiting = kit_waiting(atomic_load_explicit(&member->load, memory_order_relaxed));
    unsigned handicap = handicap_of(member, settings, middle, silence, now_us);
    const double ill = ILL_SILENCE_TIMES * middle > ILL_SILENCE_US ? ILL_SILENCE_TIMES * middle : ILL_SILENCE_US;

    atomic_store_explicit(&member->is_silent, middle > 0 && (double)silence > 2 * middle, memory_order_relaxed);
    atomic_store_explicit(&member->handicap, (uint8_t)handicap, memory_order_relaxed);
    if (settings->quarantine.is_on && waiting >= ILL_WAITING && (double)silence > ill &&
        has_anybody_answered(view, member, now_us))
        isolate(set, member, settings, KIT_SILENT, now_us, dice);
    forgive(member, now_us);
    return end_quarantine(set, member, settings, now_us, dice);
}

/* Of those who have had no request there is nothing to be found out. */
static bool look_at_all(weir_set_t *set, const kit_view_t *view, double *means, uint64_t now_us, uint64_t dice)
{
    unsigned tier = UINT32_MAX;
    double middle = 0;
    bool has_more = false;

    for (size_t i = 0; i < kit_view_count(view); i++) { /* they stand in order of their tiers */
        weir_member_t *member = kit_view_member(view, i);
        if (kit_record(member) == NULL)
            continue;
        if (kit_view_tier(view, i) != tier)
            middle = middle_of(view, tier = kit_view_tier(view, i), means);
        has_more = look_at(set, view, member, middle, now_us, dice + i * UINT64_C(0x9e3779b97f4a7c15)) || has_more;
    }
    return has_more;
}

bool kit_health_tick(weir_set_t *set, uint64_t now_us, uint64_t dice)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    const size_t count = kit_view_count(view);
    double *means = kit_alloc(count, sizeof(means[0]));

    kit_counts_tick(set, view, now_us);
    bool has_more = look_at_all(set, view, means, now_us, dice);
    free(means);
    kit_view_refresh(view, now_us);
    return has_more;
}
