/* SPDX-License-Identifier: MIT */
#include "workers.h"

#include <stdio.h>
#include <strings.h>

#include "alloc.h"
#include "own.h"
#include "wall.h"
#include "worker_token.h"

enum {
    SWITCHING = 101,
    UNAUTHORIZED = 401,
    FORBIDDEN = 403,
    UNKNOWN = 404,
    TAKEN = 409,
    TOO_MANY = 429,
    MS_PER_S = 1000,
    CLAIMED_MOST = 1000
};

/* ---- members ---- */

/* As operators have changed them, where the app is in force. Under the instance's lock nobody replaces them. */
static const kit_worker_settings_t *settings_of(const kit_app_t *app)
{
    const kit_settings_t *in_force = app->set == NULL ? NULL : atomic_load(&app->set->settings);

    return in_force != NULL ? &in_force->workers : &app->settings->workers;
}

typedef struct adding {
    kit_wanted_t *wanted;
    size_t count, configured;
} adding_t;

static bool is_taken(const adding_t *adding, weir_span_t id)
{
    for (size_t i = 0; i < adding->configured; i++)
        if (strlen(adding->wanted[i].id) == id.len && memcmp(adding->wanted[i].id, id.base, id.len) == 0)
            return true;
    return false;
}

static void add_version(kit_wanted_t *wanted, weir_span_t version)
{
    if (version.len == 0)
        return;
    wanted->labels = kit_alloc(1, sizeof(wanted->labels[0]));
    wanted->labels[0] = (kit_label_t){kit_copy("version"), kit_copy_bytes(version.base, version.len)};
    wanted->label_count = 1;
}

/* One that has the id of a configured backend is not heard: that one is meant by all that is said of it. */
static void add(const weir_worker_facts_t *facts, void *context)
{
    adding_t *adding = context;

    if (is_taken(adding, facts->id))
        return;
    adding->wanted = realloc(adding->wanted, (adding->count + 1) * sizeof(adding->wanted[0]));
    if (adding->wanted == NULL)
        abort();
    kit_wanted_t *wanted = &adding->wanted[adding->count++];
    *wanted = (kit_wanted_t){
        .place = {.host = kit_copy_bytes(facts->id.base, facts->id.len),
                  .worker = facts->number,
                  .worker_protocol = facts->protocol},
        .id = kit_copy_bytes(facts->id.base, facts->id.len),
        .has_id = true,
        .weight = facts->weight,
        .capacity = facts->capacity,
        .admin = KIT_UP,
        .check_path = facts->health.len == 0 ? NULL : kit_copy_bytes(facts->health.base, facts->health.len),
    };
    add_version(wanted, facts->version);
}

kit_wanted_t *kit_workers_add(const kit_app_t *app, kit_wanted_t *wanted, size_t *count)
{
    adding_t adding = {wanted, *count, *count};

    if (settings_of(app)->is_off)
        return wanted;
    weir_worker_each((weir_span_t){app->name, strlen(app->name)}, add, &adding);
    *count = adding.count;
    return adding.wanted;
}

/* ---- domains ---- */

static const kit_claimed_t *find_claimed(const kit_instance_t *instance, const char *entry)
{
    const kit_claimed_t *claimed = instance->claimed;

    while (claimed != NULL && strcmp(claimed->entry, entry) != 0)
        claimed = claimed->next;
    return claimed;
}

bool kit_workers_have_claimed(const kit_instance_t *instance, const char *entry, const char *app)
{
    const kit_claimed_t *claimed = find_claimed(instance, entry);

    return claimed != NULL && strcmp(claimed->app, app) == 0;
}

static void note_claimed(kit_instance_t *instance, const char *entry, const char *app)
{
    kit_claimed_t *claimed = (kit_claimed_t *)(uintptr_t)find_claimed(instance, entry);

    if (claimed == NULL) {
        claimed = kit_alloc(1, sizeof(*claimed) + strlen(entry) + 1);
        memcpy(claimed->entry, entry, strlen(entry) + 1);
        claimed->next = instance->claimed;
        instance->claimed = claimed;
    }
    free(claimed->app);
    claimed->app = kit_copy(app);
}

void kit_workers_free(kit_instance_t *instance)
{
    for (kit_claimed_t *claimed = instance->claimed, *next; claimed != NULL; claimed = next) {
        next = claimed->next;
        free(claimed->app);
        free(claimed);
    }
    instance->claimed = NULL;
}

static void count_worker(const weir_worker_facts_t *facts, void *context)
{
    ++*(size_t *)context;
    (void)facts;
}

bool kit_workers_has(const char *app)
{
    size_t count = 0;

    weir_worker_each((weir_span_t){app, strlen(app)}, count_worker, &count);
    return count > 0;
}

/* Whose the entry is: an app that is there, or whose workers are. NULL: it is to be had. */
static const char *owner_of(const struct weir_kit *kit, const char *entry)
{
    const kit_app_t *app = kit_domains_owner(kit->domains, (weir_span_t){entry, strlen(entry)});
    const kit_claimed_t *claimed = find_claimed(kit->instance, entry);

    if (app == NULL || (claimed != NULL && strcmp(claimed->app, app->name) == 0 && !kit_workers_has(app->name)))
        return NULL;
    return app->name;
}

static void place_domain(struct weir_kit *kit, const char *entry, const char *app)
{
    if (owner_of(kit, entry) != NULL)
        return;
    if (kit_own_place_domain(kit, entry, app))
        note_claimed(kit->instance, entry, app);
}

typedef struct placing {
    char (*entries)[KIT_ENTRY_BYTES];
    size_t count;
} placing_t;

static void collect_domains(const weir_worker_facts_t *facts, void *context)
{
    placing_t *placing = context;

    if (facts->domain_count == 0)
        return;
    placing->entries = realloc(placing->entries, (placing->count + facts->domain_count) * sizeof(placing->entries[0]));
    if (placing->entries == NULL)
        abort();
    for (size_t i = 0; i < facts->domain_count; i++)
        kit_domain_text(facts->domain(facts, i), placing->entries[placing->count++]);
}

static void place_domains(struct weir_kit *kit, const char *app)
{
    placing_t placing = {NULL, 0};

    weir_worker_each((weir_span_t){app, strlen(app)}, collect_domains, &placing);
    for (size_t i = 0; i < placing.count; i++)
        place_domain(kit, placing.entries[i], app);
    free(placing.entries);
}

/* ---- whether one may register ---- */

/* Of an app that has come with a worker. */
static void own_entry(const char *app, char entry[KIT_ENTRY_BYTES])
{
    snprintf(entry, KIT_ENTRY_BYTES, "%.255s.localhost", app);
}

static bool is_welcome(const struct weir_kit *kit, const char *app)
{
    char entry[KIT_ENTRY_BYTES];

    own_entry(app, entry);
    const kit_claimed_t *claimed = find_claimed(kit->instance, entry);
    return claimed != NULL && strcmp(claimed->app, app) == 0;
}

static uint16_t refuse(uint16_t status, char *why, size_t bytes, const char *words)
{
    snprintf(why, bytes, "%s", words);
    return status;
}

static bool is_below(const char *entry, const char *pattern, size_t length)
{
    const size_t entry_length = strlen(entry);

    if (length >= 2 && pattern[0] == '*' && pattern[1] == '.')
        return entry_length > length - 1 && strncasecmp(entry + entry_length - (length - 1), pattern + 1, length - 1) == 0;
    return (length == 1 && pattern[0] == '*') || (entry_length == length && strncasecmp(entry, pattern, length) == 0);
}

/* Whether the list of names has it. */
static bool is_allowed(const char *names, const char *entry)
{
    while (names != NULL && *names != '\0') {
        const size_t length = strcspn(names, " ");
        if (is_below(entry, names, length))
            return true;
        names += length + (names[length] == ' ');
    }
    return false;
}

/* What nobody uses any more is given back, and looked for only when there is no room. */
static bool has_room(const struct weir_kit *kit)
{
    kit_claimed_t **at = &kit->instance->claimed;
    size_t count = 0;

    for (const kit_claimed_t *claimed = *at; claimed != NULL; claimed = claimed->next)
        count++;
    while (count >= CLAIMED_MOST && *at != NULL) {
        kit_claimed_t *claimed = *at;
        if (kit_workers_has(claimed->app)) {
            at = &claimed->next;
            continue;
        }
        const kit_app_t *owner = kit_domains_owner(kit->domains, (weir_span_t){claimed->entry, strlen(claimed->entry)});
        if (owner != NULL && strcmp(owner->name, claimed->app) == 0)
            (void)kit_own_place_domain((struct weir_kit *)(uintptr_t)kit, claimed->entry, NULL);
        *at = claimed->next;
        free(claimed->app);
        free(claimed);
        count--;
    }
    return count < CLAIMED_MOST;
}

static uint16_t judge_domain(const struct weir_kit *kit, const kit_app_t *app, const weir_worker_claim_t *claim,
                             weir_span_t name, char *why, size_t bytes)
{
    const bool is_proven = claim->needs_token || claim->needs_certificate;
    const char *names = app == NULL ? NULL : settings_of(app)->domains;
    char entry[KIT_ENTRY_BYTES];

    if (name.len == 0 || memchr(name.base, '/', name.len) != NULL || kit_domains_problem(name) != NULL)
        return refuse(FORBIDDEN, why, bytes, "Worker-Domains names something that is no domain");
    kit_domain_text(name, entry);
    const char *owner = owner_of(kit, entry);
    if (owner != NULL && (app == NULL || strcmp(owner, app->name) != 0))
        return refuse(TAKEN, why, bytes, "another app has one of these domains");
    const bool may = owner != NULL || is_allowed(names, entry) || (names == NULL && !is_proven);
    if (may && owner == NULL && find_claimed(kit->instance, entry) == NULL && !has_room(kit))
        return refuse(TOO_MANY, why, bytes, "workers have claimed as many domains as they may");
    if (may)
        return SWITCHING;
    return refuse(FORBIDDEN, why, bytes, "the app may not have one of these domains");
}

static uint16_t judge_domains(const struct weir_kit *kit, const kit_app_t *app, const weir_worker_claim_t *claim, char *why,
                              size_t bytes)
{
    uint16_t status = SWITCHING;

    for (size_t i = 0; i < claim->domain_count && status == SWITCHING; i++)
        status = judge_domain(kit, app, claim, claim->domain(claim, i), why, bytes);
    return status;
}

static uint16_t judge_proof(const kit_app_t *app, const weir_worker_claim_t *claim, char *why, size_t bytes)
{
    const char *tokens = app == NULL ? NULL : settings_of(app)->tokens;

    if (claim->needs_certificate && !claim->has_certificate)
        return refuse(FORBIDDEN, why, bytes, "the certificate is not one of this app");
    if (claim->needs_token && !claim->has_token)
        return refuse(UNAUTHORIZED, why, bytes, "a token is needed: Authorization: Bearer TOKEN");
    if (claim->needs_token && !kit_worker_token_is(tokens, claim->token_sha256, kit_wall_ms() / MS_PER_S))
        return refuse(UNAUTHORIZED, why, bytes, "the token is none of this app, or its time is over");
    return SWITCHING;
}

/* Whoever gave it has it no more, and no operator has removed it. */
static bool is_left(const struct weir_kit *kit, const kit_app_t *app)
{
    const struct kit_overlay *overlay = kit_overlay_find(kit->instance, app->name);

    return atomic_load(&app->is_gone) && !kit_app_is_written(kit, app) && (overlay == NULL || overlay->gone == NULL);
}

/* NULL: nobody says anything of it. */
static const kit_app_t *known(const struct weir_kit *kit, weir_span_t name)
{
    const kit_app_t *app = kit_app_find(kit, name);

    return app == NULL || is_left(kit, app) ? NULL : app;
}

static uint16_t judge(const struct weir_kit *kit, const weir_worker_claim_t *claim, char *why, size_t bytes)
{
    const kit_app_t *app = known(kit, claim->app);
    uint16_t status;

    if (app != NULL && (atomic_load(&app->is_gone) || settings_of(app)->is_off))
        return refuse(FORBIDDEN, why, bytes, "the app takes no workers");
    if (app == NULL && !claim->may_create)
        return refuse(UNKNOWN, why, bytes, "no router here knows the app");
    if (app == NULL && !claim->is_again && !has_room(kit))
        return refuse(TOO_MANY, why, bytes, "workers have brought as many apps as they may");
    status = judge_proof(app, claim, why, bytes);
    if (status != SWITCHING || claim->is_again)
        return status;
    if (claim->connections >= (app == NULL ? KIT_WORKER_CONNECTIONS : settings_of(app)->connections_most))
        return refuse(TOO_MANY, why, bytes, "the app has as many connections of workers as it may have");
    return judge_domains(kit, app, claim, why, bytes);
}

/* The app is to come with it: here, and with no other router. By its name it is found if it says no domain. */
static void welcome(const struct weir_kit *kit, weir_span_t app)
{
    char name[KIT_ENTRY_BYTES], entry[KIT_ENTRY_BYTES];

    snprintf(name, sizeof(name), "%.*s", (int)app.len, app.base);
    own_entry(name, entry);
    note_claimed(kit->instance, entry, name);
}

uint16_t weir_kit_worker(weir_kit_t *kit, const weir_worker_claim_t *claim, char *why, size_t why_bytes)
{
    if (kit->instance == NULL)
        return UNKNOWN;
    pthread_mutex_lock(&kit->instance->lock);
    const uint16_t status = judge(kit, claim, why, why_bytes);
    if (status == SWITCHING && claim->may_create && kit_app_find(kit, claim->app) == NULL)
        welcome(kit, claim->app);
    pthread_mutex_unlock(&kit->instance->lock);
    return status;
}

/* ---- they are others now ---- */

/* An app of which nothing is configured comes with its first worker; it is found by its name, if that says no domain. */
static kit_app_t *make_app(struct weir_kit *kit, const char *name, uint64_t now_us)
{
    char problem[256], entry[KIT_ENTRY_BYTES];
    json_t *document = json_pack("{s:b, s:[]}", "workers", 1, "backends");
    kit_own_t *read = kit_own_read(kit, name, document, problem, sizeof(problem));

    json_decref(document);
    if (read == NULL) {
        weir_instance_log(kit->host, "app %s, of a worker: %s", name, problem);
        return NULL;
    }
    kit_app_t *app = kit_own_take(kit, read, now_us);
    own_entry(name, entry);
    place_domain(kit, entry, name);
    return app;
}

void kit_workers_claim_again(struct weir_kit *kit, const char *entry)
{
    const kit_claimed_t *claimed = find_claimed(kit->instance, entry);

    if (claimed != NULL && kit_workers_has(claimed->app))
        (void)kit_own_place_domain(kit, entry, claimed->app);
}

static void follow(struct weir_kit *kit, const char *name, uint64_t now_us)
{
    kit_app_t *app = kit_app_find(kit, (weir_span_t){name, strlen(name)});

    if (app != NULL && is_left(kit, app))
        app = NULL;
    if (app == NULL && is_welcome(kit, name) && kit_workers_has(name))
        app = make_app(kit, name, now_us);
    if (app == NULL || atomic_load(&app->is_gone))
        return;
    place_domains(kit, app->name);
    kit_app_put_in_force(kit, app, now_us);
}

bool kit_workers_take_over(struct weir_kit *kit, const char *app, uint64_t now_us)
{
    if (!is_welcome(kit, app) || !kit_workers_has(app) || make_app(kit, app, now_us) == NULL)
        return false;
    place_domains(kit, app);
    return true;
}

void weir_kit_workers(weir_kit_t *kit, weir_span_t app)
{
    char *name = kit_copy_bytes(app.base, app.len);

    if (kit->instance != NULL) {
        pthread_mutex_lock(&kit->instance->lock);
        if (kit->instance->started == kit)
            follow(kit, name, weir_instance_now_us(kit->host));
        pthread_mutex_unlock(&kit->instance->lock);
    }
    free(name);
}

/* ---- a configuration begins ---- */

/* Domains of apps that are gone are nobody's. */
static void forget_claims(struct weir_kit *kit)
{
    kit_claimed_t *all = kit->instance->claimed;

    kit->instance->claimed = NULL;
    for (kit_claimed_t *claimed = all, *next; claimed != NULL; claimed = next) {
        next = claimed->next;
        if (kit_workers_has(claimed->app) && owner_of(kit, claimed->entry) == NULL) {
            if (kit_app_find(kit, (weir_span_t){claimed->app, strlen(claimed->app)}) == NULL)
                (void)make_app(kit, claimed->app, weir_instance_now_us(kit->host));
            place_domain(kit, claimed->entry, claimed->app);
        }
        free(claimed->app);
        free(claimed);
    }
}

void kit_workers_begin(struct weir_kit *kit)
{
    if (kit->host != NULL)
        forget_claims(kit);
}
