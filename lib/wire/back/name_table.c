/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/name_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/must.h"
#include "lib/base/weir_digest.h"
#include "lib/base/span.h"

enum { BUCKETS = 1024 };

typedef struct weir_known_name {
    weir_list_t link;   /* in its bucket                              */
    weir_list_t in_use; /* the least recently asked first             */
    weir_list_t asked;  /* questions under way, the oldest first      */
    weir_list_t prompt; /* those of them that are not late            */
    weir_list_t askers; /* of weir_name_question_t: who is to be told */
    uint64_t asked_at_us;
    uint64_t answered_at_us; /* 0: never                              */
    uint64_t refresh_at_us, fresh_until_us;
    uint64_t usable_until_us; /* its addresses, if questions fail     */
    unsigned edition;
    bool is_asked;
    bool is_failing; /* its addresses are older than their TTL, and why is known */
    bool is_absent;  /* it was said that there are none                          */
    size_t count;
    weir_name_address_t *at;
    size_t name_len;
    char name[];
} known_t;

struct weir_name_table {
    weir_name_table_hooks_t hooks;
    weir_list_t buckets[BUCKETS];
    weir_list_t in_use;
    weir_list_t asked;
    weir_list_t prompt;
    size_t count;
    unsigned edition;
    uint64_t key[2];
};

bool weir_name_address_equals(const weir_name_address_t *one, const weir_name_address_t *other)
{
    if (one->any.sa_family != other->any.sa_family)
        return false;
    if (one->any.sa_family == AF_INET)
        return one->v4.sin_addr.s_addr == other->v4.sin_addr.s_addr;
    return memcmp(&one->v6.sin6_addr, &other->v6.sin6_addr, sizeof(one->v6.sin6_addr)) == 0 &&
           one->v6.sin6_scope_id == other->v6.sin6_scope_id;
}

/* ---- life ---- */

struct weir_name_table *weir_name_table_create(const weir_name_table_hooks_t *hooks)
{
    struct weir_name_table *table = calloc(1, sizeof(*table));

    WEIR_MUST(table != NULL);
    table->hooks = *hooks;
    weir_list_init(&table->in_use);
    weir_list_init(&table->asked);
    weir_list_init(&table->prompt);
    for (size_t i = 0; i < BUCKETS; i++)
        weir_list_init(&table->buckets[i]);
    WEIR_MUST(getrandom(table->key, sizeof(table->key), 0) == sizeof(table->key));
    return table;
}

static void forget(struct weir_name_table *table, known_t *known)
{
    if (known->is_asked)
        table->hooks.drop(table->hooks.arg, known);
    while (!weir_list_is_empty(&known->askers)) {
        weir_name_question_t *question = WEIR_AROUND(known->askers.next, weir_name_question_t, link);
        weir_list_remove(&question->link);
        free(question);
    }
    weir_list_remove(&known->link);
    weir_list_remove(&known->in_use);
    weir_list_remove(&known->asked);
    weir_list_remove(&known->prompt);
    table->count--;
    free(known->at);
    free(known);
}

void weir_name_table_destroy(struct weir_name_table **table)
{
    struct weir_name_table *gone = *table;

    *table = NULL;
    while (!weir_list_is_empty(&gone->in_use))
        forget(gone, WEIR_AROUND(gone->in_use.next, known_t, in_use));
    free(gone);
}

/* ---- finding ---- */

/* Names are whoever's who fills the routing table: nobody shall aim at a bucket. */
static weir_list_t *bucket_of(struct weir_name_table *table, weir_span_t name)
{
    char lower[256];
    size_t len = name.len < sizeof(lower) ? name.len : sizeof(lower);

    weir_lower_bytes(lower, name.base, len);
    return &table->buckets[weir_siphash(table->key, (weir_span_t){lower, len}) % BUCKETS];
}

/* False: every name there is waits for its answer. */
static bool make_room(struct weir_name_table *table)
{
    for (weir_list_t *node = table->in_use.next; node != &table->in_use; node = node->next) {
        known_t *known = WEIR_AROUND(node, known_t, in_use);
        if (known->is_asked)
            continue;
        forget(table, known);
        return true;
    }
    return false;
}

static known_t *add(struct weir_name_table *table, weir_list_t *bucket, weir_span_t name)
{
    if (table->count >= WEIR_NAMES_MAX && !make_room(table))
        return NULL;
    known_t *known = calloc(1, sizeof(*known) + name.len + 1);
    WEIR_MUST(known != NULL);
    known->name_len = name.len;
    memcpy(known->name, name.base, name.len);
    weir_list_init(&known->in_use);
    weir_list_init(&known->asked);
    weir_list_init(&known->prompt);
    weir_list_init(&known->askers);
    weir_list_append(bucket, &known->link);
    table->count++;
    return known;
}

/* NULL: there is no room for another one. */
static known_t *find(struct weir_name_table *table, weir_span_t name)
{
    weir_list_t *bucket = bucket_of(table, name);

    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        known_t *known = WEIR_AROUND(node, known_t, link);
        if (weir_equal_nocase((weir_span_t){known->name, known->name_len}, name))
            return known;
    }
    return add(table, bucket, name);
}

/* ---- telling ---- */

static weir_addresses_t *copy_of(const known_t *known, size_t count)
{
    size_t at_bytes = count * sizeof(known->at[0]);
    weir_addresses_t *copy = calloc(1, sizeof(*copy) + at_bytes + known->name_len + 1);

    WEIR_MUST(copy != NULL);
    weir_list_init(&copy->letter.link);
    copy->answered_at_us = known->answered_at_us;
    copy->refresh_at_us = known->refresh_at_us;
    copy->fresh_until_us = known->fresh_until_us;
    copy->edition = known->edition;
    copy->holders = 1;
    copy->count = count;
    if (count > 0)
        memcpy(copy->at, known->at, at_bytes);
    char *name = (char *)copy->at + at_bytes;
    memcpy(name, known->name, known->name_len);
    copy->name = (weir_span_t){name, known->name_len};
    return copy;
}

static void tell(struct weir_name_table *table, const known_t *known, weir_name_question_t *question)
{
    weir_addresses_t *copy = copy_of(known, known->count);

    copy->user = question->user;
    free(question);
    table->hooks.tell(table->hooks.arg, copy);
}

static void tell_all(struct weir_name_table *table, known_t *known)
{
    while (!weir_list_is_empty(&known->askers)) {
        weir_name_question_t *question = WEIR_AROUND(known->askers.next, weir_name_question_t, link);
        weir_list_remove(&question->link);
        tell(table, known, question);
    }
}

/* Nobody knows this name, and nobody is asked: too many wait. */
static void tell_no_room(struct weir_name_table *table, weir_name_question_t *question, uint64_t now_us)
{
    size_t name_len = question->name_len;
    known_t *nobody = calloc(1, sizeof(*nobody) + name_len + 1);

    WEIR_MUST(nobody != NULL);
    nobody->answered_at_us = now_us;
    nobody->refresh_at_us = nobody->fresh_until_us = now_us + (uint64_t)WEIR_NAME_FAILED_MS * 1000;
    nobody->edition = table->edition;
    nobody->name_len = name_len;
    memcpy(nobody->name, question->name, name_len);
    tell(table, nobody, question);
    free(nobody);
}

/* ---- answers ---- */

/* Asked for again in the last quarter, so that a name in use never has to be waited for. */
static void set_times(struct weir_name_table *table, known_t *known, uint64_t now_us, uint64_t fresh_ms)
{
    known->refresh_at_us = now_us + fresh_ms * 750;
    known->fresh_until_us = now_us + fresh_ms * 1000;
    known->edition = table->edition;
}

static bool holds(const weir_name_address_t *at, size_t count, const weir_name_address_t *address)
{
    for (size_t i = 0; i < count; i++)
        if (weir_name_address_equals(&at[i], address))
            return true;
    return false;
}

static void keep(struct weir_name_table *table, known_t *known, const weir_name_answer_t *answer, uint64_t now_us)
{
    uint64_t ttl_ms = answer->ttl_ms < WEIR_NAME_TTL_MOST_MS ? answer->ttl_ms : WEIR_NAME_TTL_MOST_MS;
    size_t most = answer->count < WEIR_NAME_ADDRESSES_MAX ? answer->count : WEIR_NAME_ADDRESSES_MAX;

    free(known->at);
    known->count = 0;
    known->at = calloc(most, sizeof(known->at[0]));
    WEIR_MUST(known->at != NULL);
    for (size_t i = 0; i < answer->count && known->count < most; i++)
        if (!holds(known->at, known->count, &answer->at[i]))
            known->at[known->count++] = answer->at[i];
    set_times(table, known, now_us, ttl_ms > WEIR_NAME_TTL_LEAST_MS ? ttl_ms : WEIR_NAME_TTL_LEAST_MS);
    known->usable_until_us = known->fresh_until_us + (uint64_t)WEIR_NAME_STALE_MS * 1000;
    known->is_failing = known->is_absent = false;
}

/* The old addresses serve on for a while: a name server in trouble must not take the backends with it. */
static void keep_failing(struct weir_name_table *table, known_t *known, uint64_t now_us)
{
    known->is_failing = true;
    if (now_us >= known->usable_until_us)
        known->count = 0;
    set_times(table, known, now_us, WEIR_NAME_FAILED_MS);
}

static void note_absence(known_t *known, uint64_t now_us)
{
    uint64_t until_us = now_us + (uint64_t)WEIR_NAME_ABSENT_MS * 1000;

    if (!known->is_absent && until_us < known->usable_until_us)
        known->usable_until_us = until_us;
    known->is_absent = true;
}

void weir_name_table_answer(struct weir_name_table *table, known_t *known, const weir_name_answer_t *answer, uint64_t now_us)
{
    WEIR_MUST(known->is_asked);
    known->is_asked = false;
    weir_list_remove(&known->asked);
    weir_list_remove(&known->prompt);
    known->answered_at_us = now_us;
    if (answer->outcome == WEIR_NAME_ABSENT)
        note_absence(known, now_us);
    if (answer->outcome == WEIR_NAME_FOUND && answer->count > 0)
        keep(table, known, answer, now_us);
    else
        keep_failing(table, known, now_us);
    tell_all(table, known);
}

/* ---- questions ---- */

static void start(struct weir_name_table *table, known_t *known, uint64_t now_us)
{
    if (known->is_asked)
        return;
    known->is_asked = true;
    known->asked_at_us = now_us;
    weir_list_append(&table->asked, &known->asked);
    weir_list_append(&table->prompt, &known->prompt);
    table->hooks.ask(table->hooks.arg, known, known->name);
}

/* Whether what is known answers it. */
static bool is_answered(const struct weir_name_table *table, const known_t *known, const weir_name_question_t *question,
                        uint64_t now_us)
{
    bool is_trusted = question->doubts_us == 0 || known->answered_at_us > question->doubts_us ||
                      now_us < known->answered_at_us + (uint64_t)WEIR_NAME_DOUBT_MS * 1000;

    return known->answered_at_us != 0 && known->edition == table->edition && now_us < known->refresh_at_us && is_trusted;
}

static bool has_old_addresses(const known_t *known, uint64_t now_us)
{
    return known->count > 0 && now_us < known->usable_until_us;
}

/* Who can do without the answer does. */
static void go_on_without(struct weir_name_table *table, known_t *known, uint64_t now_us)
{
    if (weir_list_is_empty(&known->askers) || !has_old_addresses(known, now_us))
        return;
    keep_failing(table, known, now_us);
    tell_all(table, known);
}

void weir_name_table_question(struct weir_name_table *table, weir_name_question_t *question, uint64_t now_us)
{
    known_t *known = find(table, (weir_span_t){question->name, question->name_len});

    if (known == NULL) {
        tell_no_room(table, question, now_us);
        return;
    }
    weir_list_remove(&known->in_use);
    weir_list_append(&table->in_use, &known->in_use);
    if (!known->is_asked && is_answered(table, known, question, now_us)) {
        tell(table, known, question);
        return;
    }
    weir_list_append(&known->askers, &question->link);
    start(table, known, now_us);
    /* It has failed a moment ago, so nobody waits for it again; a failure of yesterday says nothing */
    if (known->is_asked && known->is_failing && now_us < known->fresh_until_us)
        go_on_without(table, known, now_us);
}

void weir_name_table_tick(struct weir_name_table *table, uint64_t now_us)
{
    static const weir_name_answer_t none = {.outcome = WEIR_NAME_FAILED};

    while (!weir_list_is_empty(&table->prompt)) {
        known_t *known = WEIR_AROUND(table->prompt.next, known_t, prompt);
        if (now_us < known->asked_at_us + (uint64_t)WEIR_NAME_LATE_MS * 1000)
            break;
        weir_list_remove(&known->prompt);
        go_on_without(table, known, now_us);
    }
    while (!weir_list_is_empty(&table->asked)) {
        known_t *known = WEIR_AROUND(table->asked.next, known_t, asked);
        if (now_us < known->asked_at_us + (uint64_t)WEIR_NAME_QUESTION_MS * 1000)
            break;
        table->hooks.drop(table->hooks.arg, known);
        weir_name_table_answer(table, known, &none, now_us);
    }
}

uint64_t weir_name_table_due_us(const struct weir_name_table *table)
{
    uint64_t due_us = 0;

    if (!weir_list_is_empty(&table->asked))
        due_us = WEIR_AROUND(table->asked.next, known_t, asked)->asked_at_us + (uint64_t)WEIR_NAME_QUESTION_MS * 1000;
    if (weir_list_is_empty(&table->prompt))
        return due_us;
    uint64_t late_us = WEIR_AROUND(table->prompt.next, known_t, prompt)->asked_at_us + (uint64_t)WEIR_NAME_LATE_MS * 1000;
    return due_us == 0 || late_us < due_us ? late_us : due_us;
}

void weir_name_table_set_edition(struct weir_name_table *table, unsigned edition)
{
    table->edition = edition;
}
