/* SPDX-License-Identifier: MIT */
#include "router/workers.h"

#include <stdio.h>
#include <string.h>

#include "lib/walk/at_work.h"

enum { SWITCHING = 101, NOT_FOUND = 404 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list_t known = {&known, &known};

void weir_worker_host_enter(weir_worker_host_t *one, const weir_worker_host_t *what)
{
    *one = *what;
    if (what->worker == NULL)
        return;
    weir_list_init(&one->link);
    pthread_mutex_lock(&lock);
    weir_list_prepend(&known, &one->link);
    pthread_mutex_unlock(&lock);
}

void weir_worker_host_leave(weir_worker_host_t *one)
{
    if (one->worker == NULL)
        return;
    pthread_mutex_lock(&lock);
    weir_list_remove(&one->link);
    pthread_mutex_unlock(&lock);
    one->worker = NULL;
}

static weir_worker_host_t *of(const weir_list_t *node)
{
    return WEIR_AROUND(node, weir_worker_host_t, link);
}

/* Whether a newer one has its name. */
static bool is_replaced(const weir_worker_host_t *one)
{
    for (weir_list_t *node = known.next; node != &one->link; node = node->next)
        if (strcmp(of(node)->name, one->name) == 0)
            return true;
    return false;
}

/* ---- whether it may ---- */

static weir_span_t span_of(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static weir_span_t domain_of_claim(const weir_worker_claim_t *claim, size_t index)
{
    const weir_worker_words_t *words = claim->of;

    return span_of(words->domains[index]);
}

static weir_worker_claim_t claim_of(const weir_worker_words_t *words, bool is_again)
{
    weir_worker_claim_t claim = {
        .size = sizeof(claim),
        .app = span_of(words->app),
        .id = span_of(words->id),
        .version = span_of(words->version),
        .weight = words->weight,
        .connections = (uint32_t)weir_workers_count(words->app),
        .domain_count = words->domain_count,
        .domain = domain_of_claim,
        .needs_token = words->needs_token,
        .has_token = words->has_token,
        .needs_certificate = words->needs_certificate,
        .has_certificate = words->has_certificate,
        .is_again = is_again,
        .of = words,
    };

    memcpy(claim.token_sha256, words->token_sha256, sizeof(claim.token_sha256));
    return claim;
}

/* The first that knows the app, in the order of the configuration: the oldest of the newest. */
static uint16_t ask_all(const weir_worker_claim_t *claim, char why[WEIR_WORKER_WHY_BYTES])
{
    uint16_t status = NOT_FOUND;

    snprintf(why, WEIR_WORKER_WHY_BYTES, "no router here knows the app");
    pthread_mutex_lock(&lock);
    for (weir_list_t *node = known.prev; node != &known && status == NOT_FOUND; node = node->prev) {
        const weir_worker_host_t *one = of(node);
        if (is_replaced(one))
            continue;
        const weir_before_t before = weir_at_work_on(NULL, "router", one->router, "worker");
        status = one->worker(one->shared, claim, why, WEIR_WORKER_WHY_BYTES);
        weir_at_work_back(before);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

uint16_t weir_worker_judge(const weir_worker_words_t *words, char why[WEIR_WORKER_WHY_BYTES])
{
    weir_worker_claim_t claim = claim_of(words, false);
    uint16_t status = ask_all(&claim, why);

    if (status != NOT_FOUND || !words->may_create)
        return status;
    claim.may_create = true;
    return ask_all(&claim, why);
}

const char *weir_worker_judge_again(const weir_worker_words_t *words)
{
    char why[WEIR_WORKER_WHY_BYTES];
    weir_worker_claim_t claim = claim_of(words, true);

    claim.may_create = words->may_create;
    return ask_all(&claim, why) == SWITCHING ? NULL : "not welcome any more";
}

void weir_worker_tell(const char *app)
{
    pthread_mutex_lock(&lock);
    for (weir_list_t *node = known.prev; node != &known; node = node->prev) {
        const weir_worker_host_t *one = of(node);
        if (is_replaced(one) || one->workers == NULL)
            continue;
        const weir_before_t before = weir_at_work_on(NULL, "router", one->router, "workers");
        one->workers(one->shared, span_of(app));
        weir_at_work_back(before);
    }
    pthread_mutex_unlock(&lock);
}
