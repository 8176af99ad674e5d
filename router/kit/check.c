/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "alloc.h"
#include "health.h"
#include "instance.h"
#include "queue.h"
#include "weir_span.h"

enum {
    MS_US = 1000,
    STARTS_MOST = 100, /* in a tick: a thousand a second                    */
    CONNECT_TIMEOUT_MS = 5000,
    PERCENT_MOST = 200,
    TENTHS_OF_JITTER = 2, /* ±10 % */
    AS_CONFIGURED = 100,
};

/* One that is under way. */
typedef struct kit_probe {
    struct kit_probe *next;
    struct weir_kit *kit;  /* whose instance runs it                    */
    weir_member_t *member; /* NULL: it is gone                          */
    weir_set_t *set;
    kit_address_t *address; /* held */
    bool is_connect;
} kit_probe_t;

/* ---- probes ---- */

static void unlink_probe(kit_instance_t *instance, kit_probe_t *probe)
{
    kit_probe_t **at = &instance->probes;

    while (*at != probe)
        at = &(*at)->next;
    *at = probe->next;
    if (probe->member == NULL)
        return;
    if (probe->is_connect)
        kit_trouble_of(probe->member)->connecting = NULL;
    else if (probe->member->checker != NULL)
        probe->member->checker->probe = NULL;
}

static void destroy_probe(kit_probe_t *probe)
{
    kit_address_release(probe->address);
    free(probe);
}

static void on_result(void *of, const weir_probe_result_t *result);

/* As the app says; who names a path itself is asked there. */
static kit_health_settings_t health_of(const kit_checker_t *checker)
{
    kit_health_settings_t health = ((const kit_settings_t *)atomic_load(&checker->set->settings))->health;

    if (checker->path != NULL) {
        health.kind = KIT_HEALTH_HTTP;
        health.http_path = checker->path;
    }
    return health;
}

/* Of a connection only. */
static weir_probe_settings_t connect_settings(void)
{
    return (weir_probe_settings_t){
        .size = sizeof(weir_probe_settings_t), .kind = WEIR_PROBE_CONNECT, .timeout_ms = CONNECT_TIMEOUT_MS};
}

static weir_probe_settings_t check_settings(const kit_health_settings_t *health)
{
    return (weir_probe_settings_t){.size = sizeof(weir_probe_settings_t),
                                   .kind = health->kind == KIT_HEALTH_HTTP   ? WEIR_PROBE_HTTP
                                           : health->kind == KIT_HEALTH_GRPC ? WEIR_PROBE_GRPC
                                                                             : WEIR_PROBE_CONNECT,
                                   .port = (uint16_t)health->port,
                                   .timeout_ms = health->timeout_ms,
                                   .path = health->http_path,
                                   .service = health->grpc_service,
                                   .host = health->host};
}

/* NULL: too many are under way, or the instance ends. */
static kit_probe_t *start(weir_set_t *set, weir_member_t *member, weir_probe_settings_t settings, bool is_connect)
{
    kit_instance_t *instance = set->instance;
    struct weir_kit *kit = instance->started;

    if (kit == NULL || kit->host == NULL)
        return NULL;
    kit_probe_t *probe = kit_alloc(1, sizeof(*probe));
    *probe = (kit_probe_t){.next = instance->probes,
                           .kit = kit,
                           .member = member,
                           .set = set,
                           .address = kit_address_hold(atomic_load(&member->address)),
                           .is_connect = is_connect};
    settings.endpoint = probe->address->endpoint;
    if (!weir_probe_start(kit->host, &settings, on_result, probe)) {
        destroy_probe(probe);
        return NULL;
    }
    instance->probes = probe;
    return probe;
}

void kit_check_connect(weir_set_t *set, weir_member_t *member)
{
    kit_trouble_t *trouble = kit_trouble_of(member);

    if (trouble->connecting == NULL)
        trouble->connecting = start(set, member, connect_settings(), true);
}

/* ---- when ---- */

static bool is_ill(const weir_member_t *member)
{
    const uint8_t check = atomic_load(&member->check);

    return atomic_load(&member->quarantine) != KIT_FREE || check == KIT_CHECK_FAILED || check == KIT_CHECK_STARTING;
}

static uint64_t interval_us(const kit_checker_t *checker, uint64_t now_us)
{
    const kit_health_settings_t health = health_of(checker);
    const bool is_believed = atomic_load(&checker->member->check) == KIT_CHECK_PASSED;
    uint32_t ms = health.interval_ms;

    if (kit_since(now_us, checker->set->used_at_us) >= KIT_CHECK_IDLE_US && checker->has_spoken)
        ms = health.idle_interval_ms;
    else if (is_ill(checker->member) || checker->was_fine != is_believed)
        ms = health.fast_interval_ms;
    return (uint64_t)ms * MS_US;
}

static void set_due(kit_checker_t *checker, uint64_t at_us)
{
    kit_due_set(&checker->set->instance->checks, &checker->due, at_us);
}

void kit_check_end(struct weir_kit *kit)
{
    kit_probe_t *next;

    for (kit_probe_t *probe = kit->instance->probes; probe != NULL; probe = next) {
        next = probe->next;
        if (probe->kit != kit)
            continue;
        unlink_probe(kit->instance, probe);
        if (probe->member != NULL && !probe->is_connect && probe->member->checker != NULL)
            set_due(probe->member->checker, 0);
        destroy_probe(probe);
    }
}

/* ±10 %, but for the first: from then on those that were started together are not asked together. */
static uint64_t jittered_us(uint64_t us, uint64_t dice, bool is_first)
{
    const uint64_t spread_us = is_first ? us : us / 10 * TENTHS_OF_JITTER;

    return us - (is_first ? us : spread_us / 2) + (spread_us == 0 ? 0 : dice % spread_us);
}

static void set_next(kit_checker_t *checker, uint64_t now_us, uint64_t dice, bool is_first)
{
    set_due(checker, now_us + jittered_us(interval_us(checker, now_us), dice, is_first));
}

void kit_check_hurry(weir_member_t *member, uint64_t now_us)
{
    kit_checker_t *checker = member->checker;

    if (checker == NULL || checker->probe != NULL)
        return;
    const uint64_t soon_us = now_us + interval_us(checker, now_us);
    if (checker->due.at_us > soon_us)
        set_due(checker, soon_us);
}

void kit_check_wake(weir_set_t *set, uint64_t now_us, uint64_t dice)
{
    for (size_t i = 0; i < set->member_count; i++) {
        kit_checker_t *checker = set->members[i]->checker;
        if (checker == NULL || checker->probe != NULL)
            continue;
        const uint64_t most_us = interval_us(checker, now_us);
        if (checker->due.at_us > now_us + most_us)
            set_next(checker, now_us, dice + i * UINT64_C(0x9e3779b97f4a7c15), true);
    }
}

void kit_check_tick(kit_instance_t *instance, uint64_t now_us)
{
    kit_due_t *due;

    for (int i = 0; i < STARTS_MOST && (due = kit_due_first(&instance->checks, now_us)) != NULL; i++) {
        kit_checker_t *checker = (kit_checker_t *)(void *)due;
        const kit_health_settings_t health = health_of(checker);
        checker->probe = start(checker->set, checker->member, check_settings(&health), false);
        if (checker->probe == NULL)
            return; /* it stays due */
        kit_due_clear(&instance->checks, due);
    }
}

/* ---- checkers ---- */

void kit_check_forget(weir_member_t *member)
{
    kit_checker_t *checker = member->checker;
    kit_trouble_t *trouble = kit_trouble(member);

    if (trouble != NULL && trouble->connecting != NULL) {
        trouble->connecting->member = NULL;
        trouble->connecting = NULL;
    }
    if (checker == NULL)
        return;
    if (checker->probe != NULL)
        checker->probe->member = NULL;
    kit_due_clear(&checker->set->instance->checks, &checker->due);
    member->checker = NULL;
    free(checker->path);
    free(checker);
}

static void take_away(weir_member_t *member)
{
    kit_check_forget(member);
    atomic_store(&member->check, KIT_CHECK_NONE);
}

static void set_path(kit_checker_t *checker, const char *path)
{
    if (kit_is_same_text(checker->path, path))
        return;
    free(checker->path);
    checker->path = path == NULL ? NULL : kit_copy(path);
}

void kit_check_follow(weir_set_t *set, const kit_settings_t *settings, weir_member_t *member, const char *path,
                      bool takes_at_once, uint64_t now_us)
{
    const bool has_check = settings->health.kind != KIT_HEALTH_NONE || path != NULL;

    if (!has_check || !atomic_load(&set->has_ticks)) {
        take_away(member);
        return;
    }
    if (!takes_at_once)
        atomic_store(&member->check, KIT_CHECK_STARTING);
    if (member->checker == NULL) {
        member->checker = kit_alloc(1, sizeof(*member->checker));
        *member->checker = (kit_checker_t){.member = member, .set = set, .percent = AS_CONFIGURED};
        set_due(member->checker, now_us);
    }
    set_path(member->checker, path);
}

bool kit_check_allows_trial(const weir_member_t *member)
{
    return member->checker == NULL || member->checker->passed_at_us > kit_quarantined_at_us(member);
}

/* ---- what a result means ---- */

static bool is_fine(const kit_health_settings_t *health, const weir_probe_result_t *result)
{
    if (result->fault != NULL || result->is_believed)
        return result->fault == NULL;
    if (health->kind == KIT_HEALTH_HTTP)
        return kit_status_has(&health->expect, result->status);
    return health->kind != KIT_HEALTH_GRPC || result->is_serving;
}

static void tell(const kit_probe_t *probe, const weir_probe_result_t *result, const char *what)
{
    const char *app = probe->set->name, *id = probe->member->id;

    if (result->fault != NULL)
        weir_instance_log(probe->kit->host, "app %s: backend %s %s its check: %s", app, id, what, result->fault->name);
    else if (result->status != 0)
        weir_instance_log(probe->kit->host, "app %s: backend %s %s its check: status %u", app, id, what, result->status);
    else
        weir_instance_log(probe->kit->host, "app %s: backend %s %s its check", app, id, what);
}

static void change(weir_set_t *set, weir_member_t *member, kit_check_t check, uint64_t now_us)
{
    const uint8_t before = atomic_exchange(&member->check, (uint8_t)check);

    if (check == KIT_CHECK_FAILED && kit_ill_since_us(member) == 0)
        atomic_store(&kit_trouble_of(member)->ill_since_us, now_us);
    if (check == KIT_CHECK_PASSED && kit_ill_since_us(member) != 0 && atomic_load(&member->quarantine) == KIT_FREE)
        atomic_store(&kit_trouble_of(member)->ill_since_us, 0);
    if (check == KIT_CHECK_PASSED && before == KIT_CHECK_FAILED)
        atomic_store(&member->joined_at_us, now_us);
    kit_view_refresh(atomic_load(&set->view), now_us);
    kit_look_at(set); /* most of them may fail now, which is told */
    if (check == KIT_CHECK_FAILED)
        kit_queue_unpin(set, now_us);
    kit_queue_kick(set, now_us, false); /* of a failure: so many may have failed that none is believed any more */
}

static void pass(const kit_probe_t *probe, kit_checker_t *checker, const kit_health_settings_t *health,
                 const weir_probe_result_t *result, uint64_t now_us)
{
    const kit_check_t present = (kit_check_t)atomic_load(&probe->member->check);

    checker->passed_at_us = now_us;
    checker->failures = 0;
    if (present == KIT_CHECK_PASSED || (present == KIT_CHECK_FAILED && ++checker->passes < health->rise))
        return;
    change(probe->set, probe->member, KIT_CHECK_PASSED, now_us);
    if (present == KIT_CHECK_FAILED)
        tell(probe, result, "passes");
}

static void fail(const kit_probe_t *probe, kit_checker_t *checker, const kit_health_settings_t *health,
                 const weir_probe_result_t *result, uint64_t now_us)
{
    checker->passes = 0;
    if (atomic_load(&probe->member->check) == KIT_CHECK_FAILED || ++checker->failures < health->fall)
        return;
    change(probe->set, probe->member, KIT_CHECK_FAILED, now_us);
    tell(probe, result, "fails");
}

/* What the backend says of itself, as HAProxy's agent-check does. */
static void listen_to_agent(const kit_probe_t *probe, kit_checker_t *checker, const weir_probe_result_t *result,
                            uint64_t now_us)
{
    const weir_span_t weight = weir_probe_header(result, WEIR_SPAN("weir-weight"));
    const bool drains = weir_span_is(weir_probe_header(result, WEIR_SPAN("weir-drain")), "1");
    uint64_t percent = AS_CONFIGURED;

    if (weight.base != NULL && (!weir_span_to_number(weight, &percent) || percent > PERCENT_MOST))
        percent = AS_CONFIGURED;
    if (percent == checker->percent && drains == checker->drains)
        return;
    checker->percent = (uint16_t)percent;
    checker->drains = drains;
    weir_instance_log(probe->kit->host, "app %s: backend %s says of itself: weight %u %%%s", probe->set->name,
                      probe->member->id, (unsigned)percent, drains ? ", draining" : "");
    kit_set_heed(probe->set, probe->member, now_us);
}

static void note_check(const kit_probe_t *probe, const weir_probe_result_t *result, uint64_t now_us)
{
    kit_checker_t *checker = probe->member->checker;
    const kit_health_settings_t health = health_of(checker);
    const bool is_first = !checker->has_spoken;

    if (result->is_believed && atomic_load(&probe->member->check) != KIT_CHECK_STARTING) {
        set_next(checker, now_us, kit_dice(probe->set->instance), false); /* nothing new is known */
        return;
    }
    checker->has_spoken = true;
    checker->was_fine = is_fine(&health, result);
    checker->result_at_us = now_us;
    checker->duration_us = result->duration_us;
    checker->fault = result->fault;
    checker->status = result->status;
    if (checker->was_fine)
        pass(probe, checker, &health, result, now_us);
    else
        fail(probe, checker, &health, result, now_us);
    if (health.has_agent && result->fault == NULL && !result->is_believed)
        listen_to_agent(probe, checker, result, now_us);
    set_next(checker, now_us, kit_dice(probe->set->instance), is_first && checker->was_fine);
}

static void on_result(void *of, const weir_probe_result_t *result)
{
    kit_probe_t *probe = of;
    struct weir_kit *kit = probe->kit;
    kit_instance_t *instance = kit->instance;
    const uint64_t now_us = weir_instance_now_us(kit->host);

    pthread_mutex_lock(&instance->lock);
    unlink_probe(instance, probe);
    /* Of an address that it has left nothing is learnt. */
    const bool is_current = probe->member != NULL && atomic_load(&probe->member->address) == probe->address;
    if (is_current && probe->is_connect)
        kit_health_connected(probe->set, probe->member, result->fault == NULL, now_us, kit_dice(instance));
    else if (is_current && probe->member->checker != NULL)
        note_check(probe, result, now_us);
    else if (probe->member != NULL && probe->member->checker != NULL && !probe->is_connect)
        set_due(probe->member->checker, now_us);
    pthread_mutex_unlock(&instance->lock);
    destroy_probe(probe);
}
