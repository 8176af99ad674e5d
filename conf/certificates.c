/* SPDX-License-Identifier: MIT */
/* GET /v1/certificates: what is shown to clients, and until when it holds. */
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/process.h"
#include "lib/base/must.h"
#include "weir_span.h"
#include "lib/wire/tls/tls.h"
#include "lib/wire/tls/tls_tell.h"

enum { OK = 200, BAD_REQUEST = 400, LISTED_MOST = 1000, DAY_S = 86400, DAYS_MOST = 100000 };

typedef struct place {
    char *name;
    weir_tls_t *tls; /* held */
} place_t;

static struct {
    pthread_mutex_t lock;
    place_t *places;
    size_t count;
} present = {.lock = PTHREAD_MUTEX_INITIALIZER};

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
    pthread_mutex_unlock(&present.lock);
    for (size_t i = 0; i < count_before; i++) {
        free(before[i].name);
        weir_tls_release(&before[i].tls);
    }
    free(before);
    if (conf == NULL)
        free(places);
}

/* ---- the document ---- */

typedef struct listing {
    json_t *listed;
    const char *listen;
    int64_t until; /* those that end later are left out; INT64_MAX: none is */
    size_t left_out;
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
    if (json_array_size(listing->listed) == LISTED_MOST) {
        listing->left_out++;
        return;
    }
    json_array_append_new(listing->listed,
                          json_pack("{s:s, s:o, s:s, s:o, s:I, s:s}", "listen", listing->listen, "names", names_of(told),
                                    "file", told->file, "not_after", time_of(told->ends_at_s), "days_left",
                                    (json_int_t)(left_s >= 0 ? left_s / DAY_S : -1 - (-1 - left_s) / DAY_S), "ocsp",
                                    told->has_staple ? "stapled" : "none"));
}

static void answer(weir_admin_call_t *call, int64_t until)
{
    listing_t listing = {.listed = json_array(), .until = until};

    pthread_mutex_lock(&present.lock);
    for (size_t i = 0; i < present.count; i++) {
        listing.listen = present.places[i].name;
        weir_tls_tell(present.places[i].tls, add, &listing);
    }
    pthread_mutex_unlock(&present.lock);
    json_t *document = json_pack("{s:o, s:I}", "certificates", listing.listed, "left_out", (json_int_t)listing.left_out);
    char *text = json_dumps(document, JSON_COMPACT);
    WEIR_MUST(text != NULL);
    weir_admin_answer(call, OK, text, strlen(text));
    free(text);
    json_decref(document);
}

void conf_certificates_answer(weir_admin_call_t *call)
{
    const weir_span_t text = weir_admin_parameter(call, "expires_in");
    uint64_t days = 0;

    if (text.base != NULL && (!weir_span_to_number(text, &days) || days > DAYS_MOST))
        weir_admin_problem(call, BAD_REQUEST, "malformed", NULL, "expires_in: must be a number of days, to %d", DAYS_MOST);
    else
        answer(call, text.base == NULL ? INT64_MAX : (int64_t)time(NULL) + (int64_t)days * DAY_S);
}
