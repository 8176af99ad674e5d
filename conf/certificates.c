/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/certificates: what is shown to clients, and until when it holds. There may be many files to read, which the steward
 * has no time for: a thread does it, one listing at a time.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/process.h"
#include "lib/base/must.h"
#include "weir_span.h"
#include "lib/wire/tls/tls.h"
#include "lib/wire/tls/tls_tell.h"

enum {
    OK = 200,
    BAD_REQUEST = 400,
    UNAVAILABLE = 503,
    LISTED_MOST = 10000,
    NAMES_MOST = 200000, /* of all that are listed */
    READ_MOST = 100000,  /* files, of all directories; 0.2 ms each */
    DAY_S = 86400,
    DAYS_MOST = 100000
};

typedef struct place {
    char *name;
    weir_tls_t *tls; /* held */
} place_t;

static struct {
    pthread_mutex_t lock;
    place_t *places;
    size_t count;
    pthread_t thread;
    bool has_thread; /* to be waited for */
    bool is_listing; /* which it still is */
    atomic_bool is_over;
} present = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void free_places(place_t *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(places[i].name);
        weir_tls_release(&places[i].tls);
    }
    free(places);
}

void conf_certificates_use(const conf_t *conf)
{
    const size_t most = conf == NULL ? 0 : conf->listens.count;
    place_t *places = calloc(most + 1, sizeof(*places)), *before;
    size_t count = 0, count_before;

    WEIR_MUST(places != NULL);
    for (size_t i = 0; i < most; i++)
        if (conf->listens.at[i].tls != NULL)
            places[count++] = (place_t){strdup(conf->listens.at[i].name), weir_tls_hold(conf->listens.at[i].tls)};
    pthread_mutex_lock(&present.lock);
    before = present.places;
    count_before = present.count;
    present.places = conf == NULL ? NULL : places;
    present.count = count;
    atomic_store(&present.is_over, conf == NULL);
    pthread_mutex_unlock(&present.lock);
    free_places(before, count_before);
    if (conf == NULL)
        free(places);
}

/* ---- the document ---- */

typedef struct listing {
    json_t *listed;
    const char *listen;
    int64_t until; /* those that end later are left out; INT64_MAX: none is */
    size_t left_out, unread, name_count, asked_for;
} listing_t;

static json_t *time_of(int64_t at)
{
    const time_t seconds = (time_t)at;
    struct tm parts;
    char text[32];

    if (gmtime_r(&seconds, &parts) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return json_null();
    return json_string(text);
}

static json_t *names_of(const weir_tls_told_t *told)
{
    json_t *names = json_array();

    for (size_t i = 0; i < told->name_count; i++)
        json_array_append_new(names, json_string(told->names[i]));
    return names;
}

static void add(const weir_tls_told_t *told, void *of)
{
    listing_t *listing = of;
    const int64_t left_s = told->ends_at_s - (int64_t)time(NULL);

    if (told->ends_at_s > listing->until)
        return;
    if (json_array_size(listing->listed) == LISTED_MOST || listing->name_count + told->name_count > NAMES_MOST) {
        listing->left_out++;
        return;
    }
    listing->name_count += told->name_count;
    json_array_append_new(listing->listed,
                          json_pack("{s:s, s:o, s:s, s:o, s:I, s:s}", "listen", listing->listen, "names", names_of(told),
                                    "file", told->file, "not_after", time_of(told->ends_at_s), "days_left",
                                    (json_int_t)(left_s >= 0 ? left_s / DAY_S : -1 - (-1 - left_s) / DAY_S), "ocsp",
                                    told->has_staple ? "stapled" : "none"));
}

static bool goes_on(void *of)
{
    listing_t *listing = of;

    return !atomic_load(&present.is_over) && listing->asked_for++ < READ_MOST;
}

/* ---- the thread ---- */

typedef struct job {
    weir_admin_held_t *held;
    place_t *places;
    size_t count;
    int64_t until;
} job_t;

static job_t *job_of(int64_t until)
{
    job_t *job = calloc(1, sizeof(*job));

    WEIR_MUST(job != NULL);
    job->until = until;
    job->count = present.count;
    job->places = calloc(job->count + 1, sizeof(job->places[0]));
    WEIR_MUST(job->places != NULL);
    for (size_t i = 0; i < job->count; i++)
        job->places[i] = (place_t){strdup(present.places[i].name), weir_tls_hold(present.places[i].tls)};
    return job;
}

static void list(const job_t *job, listing_t *listing)
{
    const weir_tls_telling_t telling = {add, goes_on, listing};

    for (size_t i = 0; i < job->count; i++) {
        listing->listen = job->places[i].name;
        weir_tls_tell(job->places[i].tls, add, listing);
    }
    for (size_t i = 0; i < job->count; i++) {
        listing->listen = job->places[i].name;
        listing->unread += weir_tls_tell_directory(job->places[i].tls, READ_MOST, &telling);
    }
}

static char *text_of(const job_t *job)
{
    listing_t listing = {.listed = json_array(), .until = job->until};

    list(job, &listing);
    json_t *document = json_pack("{s:o, s:I, s:I}", "certificates", listing.listed, "left_out", (json_int_t)listing.left_out,
                                 "unread", (json_int_t)listing.unread);
    char *text = json_dumps(document, JSON_COMPACT);
    WEIR_MUST(text != NULL);
    json_decref(document);
    return text;
}

static void *run(void *of)
{
    job_t *job = of;
    char *text = text_of(job);

    pthread_mutex_lock(&present.lock);
    present.is_listing = false; /* before whoever is answered asks again */
    pthread_mutex_unlock(&present.lock);
    if (!atomic_load(&present.is_over))
        weir_admin_held_answer(&job->held, OK, text, strlen(text));
    else
        weir_admin_held_problem(&job->held, UNAVAILABLE, "draining", "the proxy ends");
    free(text);
    free_places(job->places, job->count);
    free(job);
    return NULL;
}

/* Under the lock. Whoever is joined has only its answer to send. */
static void begin(weir_admin_call_t *call, int64_t until)
{
    job_t *job = job_of(until);

    if (present.has_thread)
        pthread_join(present.thread, NULL);
    job->held = weir_admin_hold(call);
    present.has_thread = pthread_create(&present.thread, NULL, run, job) == 0;
    present.is_listing = present.has_thread;
    if (present.has_thread)
        return;
    weir_admin_held_problem(&job->held, UNAVAILABLE, "busy", "there is no thread for it");
    free_places(job->places, job->count);
    free(job);
}

void conf_certificates_end(void)
{
    pthread_mutex_lock(&present.lock);
    const bool has_thread = present.has_thread;
    present.has_thread = false;
    atomic_store(&present.is_over, true);
    pthread_mutex_unlock(&present.lock);
    if (has_thread)
        pthread_join(present.thread, NULL);
}

void conf_certificates_answer(weir_admin_call_t *call)
{
    const weir_span_t text = weir_admin_parameter(call, "expires_in");
    uint64_t days = 0;

    if (text.base != NULL && (!weir_span_to_number(text, &days) || days > DAYS_MOST)) {
        weir_admin_problem(call, BAD_REQUEST, "malformed", NULL, "expires_in: must be a number of days, to %d", DAYS_MOST);
        return;
    }
    pthread_mutex_lock(&present.lock);
    if (atomic_load(&present.is_over))
        weir_admin_problem(call, UNAVAILABLE, "draining", NULL, "the proxy ends");
    else if (present.is_listing)
        weir_admin_problem(call, UNAVAILABLE, "busy", NULL, "others are being told; ask again");
    else
        begin(call, text.base == NULL ? INT64_MAX : (int64_t)time(NULL) + (int64_t)days * DAY_S);
    pthread_mutex_unlock(&present.lock);
}
