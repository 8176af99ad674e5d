/* SPDX-License-Identifier: MIT */
/*
 * The table's lock is for who comes and goes, and for the steward. A worker's own lock is for its links, so that a request that
 * looks for one waits for nobody else's.
 */
#include "lib/walk/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "weir_digest.h"
#include "lib/walk/steward.h"

enum { BUCKETS = 1024 };

/* An app whose workers have changed, and whose routers are still to be told. */
typedef struct told_app {
    struct told_app *next;
    char app[WEIR_WORKER_TEXT + 1];
} told_app_t;

static void on_told(weir_letter_t *letter);

static struct {
    pthread_mutex_t lock;
    weir_list_t buckets[BUCKETS]; /* workers by their app; zeroed: none yet */
    size_t count;
    uint64_t last_number;
    told_app_t *changed;
    bool is_posted;
    weir_letter_t letter;
    void (*tell)(const char *app);
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .letter = {.open = on_told}};

static weir_list_t *bucket_of(weir_span_t app)
{
    static const uint64_t key[2] = {0x776f726b, 0x657273}; /* only who may register names apps */
    weir_list_t *bucket = &table.buckets[weir_siphash(key, app) % BUCKETS];

    if (bucket->next == NULL)
        weir_list_init(bucket);
    return bucket;
}

static weir_span_t span_of(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static weir_worker_t *worker_at(const weir_list_t *node)
{
    return WEIR_AROUND(node, weir_worker_t, in_table);
}

static weir_link_t *link_at(const weir_list_t *node)
{
    return WEIR_AROUND(node, weir_link_t, in_worker);
}

/* ---- telling ---- */

void weir_workers_on_change(void (*tell)(const char *app))
{
    pthread_mutex_lock(&table.lock);
    table.tell = tell;
    pthread_mutex_unlock(&table.lock);
}

static void on_told(weir_letter_t *letter)
{
    pthread_mutex_lock(&table.lock);
    told_app_t *changed = table.changed;
    void (*tell)(const char *app) = table.tell;
    table.changed = NULL;
    table.is_posted = false;
    pthread_mutex_unlock(&table.lock);
    for (told_app_t *next; changed != NULL; changed = next) {
        next = changed->next;
        if (tell != NULL)
            tell(changed->app);
        free(changed);
    }
}

/* Under the table's lock. An app that is in the list already is told once. */
static void note_change(const char *app)
{
    told_app_t *noted = table.changed;

    while (noted != NULL && strcmp(noted->app, app) != 0)
        noted = noted->next;
    if (noted != NULL || table.tell == NULL)
        return;
    noted = calloc(1, sizeof(*noted));
    WEIR_MUST(noted != NULL);
    memcpy(noted->app, app, strlen(app) + 1);
    noted->next = table.changed;
    table.changed = noted;
    if (table.is_posted)
        return;
    table.is_posted = true;
    weir_list_init(&table.letter.link);
    weir_loop_post(weir_steward(), &table.letter);
}

/* ---- workers ---- */

void weir_worker_words_finish(weir_worker_words_t *words)
{
    free(words->domains);
    words->domains = NULL;
    words->domain_count = 0;
}

static weir_worker_t *find(const weir_list_t *bucket, const char *app, const char *id)
{
    for (const weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        weir_worker_t *worker = worker_at(node);
        if (strcmp(worker->app, app) == 0 && strcmp(worker->id, id) == 0)
            return worker;
    }
    return NULL;
}

static weir_worker_t *make(weir_list_t *bucket, const weir_link_t *link)
{
    weir_worker_t *worker = calloc(1, sizeof(*worker));

    WEIR_MUST(worker != NULL && pthread_mutex_init(&worker->lock, NULL) == 0);
    memcpy(worker->app, link->words.app, sizeof(worker->app));
    memcpy(worker->id, link->words.id, sizeof(worker->id));
    worker->protocol = link->words.protocol;
    worker->number = ++table.last_number;
    worker->joined_at_us = weir_clock_monotonic_us();
    weir_list_init(&worker->links);
    weir_list_append(bucket, &worker->in_table);
    table.count++;
    return worker;
}

/* Under the table's lock, when its last link has gone: it cannot be found any more. */
static void unlist(weir_worker_t *worker)
{
    weir_list_remove(&worker->in_table);
    table.count--;
}

static weir_worker_t *hold(weir_worker_t *worker)
{
    atomic_fetch_add_explicit(&worker->holders, 1, memory_order_relaxed);
    return worker;
}

void weir_worker_release(weir_worker_t *worker)
{
    if (worker == NULL || atomic_fetch_sub_explicit(&worker->holders, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

weir_worker_t *weir_worker_hold(uint64_t number)
{
    weir_worker_t *found = NULL;

    pthread_mutex_lock(&table.lock);
    for (size_t i = 0; table.count > 0 && i < BUCKETS && found == NULL; i++)
        for (weir_list_t *node = table.buckets[i].next; node != NULL && node != &table.buckets[i]; node = node->next)
            if (worker_at(node)->number == number)
                found = hold(worker_at(node));
    pthread_mutex_unlock(&table.lock);
    return found;
}

/* ---- links ---- */

/* One that says no id is a worker of its own, as it comes; under an id that nobody has. */
static void name_link(const weir_list_t *bucket, weir_link_t *link)
{
    static uint64_t names;

    do
        snprintf(link->words.id, sizeof(link->words.id), "worker-%llu", (unsigned long long)++names);
    while (find(bucket, link->words.app, link->words.id) != NULL);
}

void weir_workers_enter(weir_link_t *link)
{
    static uint64_t sessions;

    pthread_mutex_lock(&table.lock);
    sessions++;
    snprintf(link->session, sizeof(link->session), "s%08llu", (unsigned long long)sessions);
    weir_list_t *bucket = bucket_of(span_of(link->words.app));
    weir_worker_t *worker = !link->words.has_id ? NULL : find(bucket, link->words.app, link->words.id);
    if (!link->words.has_id || (worker != NULL && worker->protocol != link->words.protocol)) {
        name_link(bucket, link); /* who speaks another protocol than those of its name is another worker */
        worker = NULL;
    }
    if (worker == NULL)
        worker = make(bucket, link);
    link->worker = hold(worker);
    weir_list_init(&link->letter.link);
    pthread_mutex_lock(&worker->lock);
    weir_list_append(&worker->links, &link->in_worker);
    worker->link_count++;
    pthread_mutex_unlock(&worker->lock);
    note_change(worker->app);
    pthread_mutex_unlock(&table.lock);
}

void weir_link_can(weir_link_t *link, uint32_t capacity)
{
    weir_worker_t *worker = link->worker;

    if (worker == NULL || link->capacity == capacity) /* its loop alone writes it */
        return;
    pthread_mutex_lock(&table.lock);
    pthread_mutex_lock(&worker->lock);
    link->capacity = capacity;
    pthread_mutex_unlock(&worker->lock);
    note_change(worker->app);
    pthread_mutex_unlock(&table.lock);
}

bool weir_link_move(weir_link_t *link, weir_loop_t *to)
{
    weir_worker_t *worker = link->worker;

    pthread_mutex_lock(&worker->lock);
    const bool may = !link->is_dismissed;
    if (may)
        link->loop = to;
    pthread_mutex_unlock(&worker->lock);
    return may;
}

void weir_link_leave(weir_link_t *link)
{
    weir_worker_t *worker = link->worker;

    if (worker == NULL)
        return;
    pthread_mutex_lock(&table.lock);
    pthread_mutex_lock(&worker->lock);
    weir_list_remove(&link->in_worker);
    link->capacity = 0;
    const bool is_last = --worker->link_count == 0;
    pthread_mutex_unlock(&worker->lock);
    if (is_last)
        unlist(worker);
    note_change(worker->app);
    link->worker = NULL;
    pthread_mutex_unlock(&table.lock);
    weir_worker_release(worker);
}

size_t weir_workers_count(const char *app)
{
    size_t count = 0;

    pthread_mutex_lock(&table.lock);
    const weir_list_t *bucket = bucket_of(span_of(app));
    for (const weir_list_t *node = bucket->next; node != bucket; node = node->next)
        if (strcmp(worker_at(node)->app, app) == 0)
            count += worker_at(node)->link_count;
    pthread_mutex_unlock(&table.lock);
    return count;
}

weir_loop_t *weir_worker_loop(weir_worker_t *worker, const weir_loop_t *but_for, bool *out_has_any)
{
    weir_loop_t *found = NULL;
    int64_t best = 0; /* free places, in 2^16ths of all; less than none where some wait for one */

    *out_has_any = false;
    pthread_mutex_lock(&worker->lock);
    for (weir_list_t *node = worker->links.next; node != &worker->links; node = node->next) {
        const weir_link_t *link = link_at(node);
        const int64_t in_use = atomic_load_explicit(&link->in_use, memory_order_relaxed);
        *out_has_any = true;
        if (link->capacity == 0 || link->loop == but_for)
            continue;
        const int64_t room = (link->capacity - in_use) * 65536 / link->capacity;
        if (found != NULL && room <= best)
            continue;
        best = room;
        found = link->loop;
    }
    pthread_mutex_unlock(&worker->lock);
    return found;
}

/* ---- addresses ---- */

socklen_t weir_worker_address(uint64_t number, weir_address_t *out_address)
{
    memset(&out_address->v6, 0, sizeof(out_address->v6));
    out_address->any.sa_family = WEIR_WORKER_ADDRESS_FAMILY;
    memcpy(&out_address->v6.sin6_addr, &number, sizeof(number));
    return sizeof(out_address->v6);
}

uint64_t weir_worker_number(const struct sockaddr *address, socklen_t length)
{
    uint64_t number = 0;

    if (address->sa_family == WEIR_WORKER_ADDRESS_FAMILY && length == sizeof(struct sockaddr_in6))
        memcpy(&number, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, sizeof(number));
    return number;
}

/* ---- for routers ---- */

static weir_span_t domain_of_facts(const weir_worker_facts_t *facts, size_t index)
{
    const weir_worker_words_t *words = facts->of;

    return span_of(words->domains[index]);
}

/* Under both locks. The newest of its connections speaks for it. */
static weir_worker_facts_t facts_of(const weir_worker_t *worker)
{
    const weir_link_t *newest = link_at(worker->links.prev);
    weir_worker_facts_t facts = {
        .size = sizeof(facts),
        .number = worker->number,
        .app = span_of(worker->app),
        .id = span_of(worker->id),
        .version = span_of(newest->words.version),
        .health = span_of(newest->words.health),
        .peer = span_of(newest->words.peer),
        .protocol = worker->protocol,
        .weight = newest->words.weight,
        .connections = worker->link_count,
        .joined_at_us = worker->joined_at_us,
        .domain_count = newest->words.domain_count,
        .domain = domain_of_facts,
        .of = &newest->words,
    };

    for (const weir_list_t *node = worker->links.next; node != &worker->links; node = node->next)
        facts.capacity += link_at(node)->capacity;
    return facts;
}

static void visit_bucket(const weir_list_t *bucket, weir_span_t app, void (*visit)(const weir_worker_facts_t *, void *),
                         void *context)
{
    for (const weir_list_t *node = bucket->next; node != NULL && node != bucket; node = node->next) {
        weir_worker_t *worker = worker_at(node);
        if (app.base != NULL && (strlen(worker->app) != app.len || memcmp(worker->app, app.base, app.len) != 0))
            continue;
        pthread_mutex_lock(&worker->lock);
        const weir_worker_facts_t facts = facts_of(worker);
        visit(&facts, context);
        pthread_mutex_unlock(&worker->lock);
    }
}

void weir_worker_each(weir_span_t app, void (*visit)(const weir_worker_facts_t *facts, void *context), void *context)
{
    pthread_mutex_lock(&table.lock);
    if (table.count > 0 && app.base != NULL)
        visit_bucket(bucket_of(app), app, visit, context);
    for (size_t i = 0; table.count > 0 && app.base == NULL && i < BUCKETS; i++)
        visit_bucket(&table.buckets[i], app, visit, context);
    pthread_mutex_unlock(&table.lock);
}

size_t weir_worker_count(void)
{
    pthread_mutex_lock(&table.lock);
    const size_t count = table.count;
    pthread_mutex_unlock(&table.lock);
    return count;
}

/* ---- sending away ---- */

static void on_dismissed(weir_letter_t *letter)
{
    weir_link_t *link = WEIR_AROUND(letter, weir_link_t, letter);

    link->dismiss(link, link->why);
}

/* Under both locks: its loop takes the letter back before it goes. */
static void dismiss(weir_link_t *link, const char *why)
{
    if (link->is_dismissed)
        return;
    link->is_dismissed = true;
    link->why = why;
    link->letter.open = on_dismissed;
    weir_loop_post(link->loop, &link->letter);
}

/* Whose connection it was; it may have gone meanwhile. */
typedef struct reviewed {
    struct reviewed *next;
    weir_worker_words_t words;
    char session[WEIR_WORKER_SESSION_BYTES];
    const char *why;
} reviewed_t;

static void copy_words(const weir_worker_words_t *from, weir_worker_words_t *to)
{
    *to = *from;
    to->domains = NULL;
    if (from->domain_count == 0)
        return;
    to->domains = malloc(from->domain_count * sizeof(*to->domains));
    WEIR_MUST(to->domains != NULL);
    memcpy(to->domains, from->domains, from->domain_count * sizeof(*to->domains));
}

static void each_link(void (*visit)(weir_link_t *link, void *context), void *context)
{
    pthread_mutex_lock(&table.lock);
    for (size_t i = 0; table.count > 0 && i < BUCKETS; i++)
        for (weir_list_t *node = table.buckets[i].next; node != NULL && node != &table.buckets[i]; node = node->next) {
            weir_worker_t *worker = worker_at(node);
            pthread_mutex_lock(&worker->lock);
            for (weir_list_t *at = worker->links.next; at != &worker->links; at = at->next)
                visit(link_at(at), context);
            pthread_mutex_unlock(&worker->lock);
        }
    pthread_mutex_unlock(&table.lock);
}

static void collect(weir_link_t *link, void *context)
{
    reviewed_t **list = context, *one;

    if (link->is_dismissed)
        return;
    one = malloc(sizeof(*one));
    WEIR_MUST(one != NULL);
    copy_words(&link->words, &one->words);
    memcpy(one->session, link->session, sizeof(one->session));
    one->next = *list;
    *list = one;
}

static void dismiss_if_judged(weir_link_t *link, void *context)
{
    for (const reviewed_t *one = context; one != NULL; one = one->next)
        if (strcmp(one->session, link->session) == 0)
            dismiss(link, one->why);
}

/* Judges are asked without a lock: they have locks of their own, and ask for workers under them. */
void weir_workers_review(const char *(*judge)(const weir_worker_words_t *words))
{
    reviewed_t *all = NULL, *bad = NULL;

    each_link(collect, &all);
    for (reviewed_t *one = all, *next; one != NULL; one = next) {
        next = one->next;
        one->why = judge(&one->words);
        weir_worker_words_finish(&one->words);
        if (one->why == NULL) {
            free(one);
            continue;
        }
        one->next = bad;
        bad = one;
    }
    if (bad != NULL)
        each_link(dismiss_if_judged, bad);
    for (reviewed_t *next; bad != NULL; bad = next) {
        next = bad->next;
        free(bad);
    }
}

static void dismiss_one(weir_link_t *link, void *why)
{
    dismiss(link, why);
}

void weir_workers_dismiss_all(const char *why)
{
    each_link(dismiss_one, (void *)(uintptr_t)why);
}
