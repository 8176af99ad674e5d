/* SPDX-License-Identifier: MIT */
/*
 * The toy whose checkout is answered later, from a thread of its own: the shape of every router that asks a store elsewhere.
 *
 *   weir.router: { module: ./slow_router.so, delay-ms: 20 }
 *
 * Each checkout becomes a job. The worker answers it when it is due; the proxy serves other requests meanwhile.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <weir.h>

struct weir_service {
    const char *ip;
    uint16_t port;
};
typedef struct job {
    struct job *next;
    weir_q_checkout_t *question;
    weir_state_t *state; /* ours until the question is answered */
    unsigned first;      /* which server to try first */
    struct timespec due;
} job_t;
struct weir_shared {
    pthread_t worker;
    pthread_mutex_t lock; /* of the three below */
    pthread_cond_t changed;
    job_t *oldest, **end;
    bool is_ending;
    unsigned delay_ms;
};
struct weir_state {
    weir_shared_t *shared;
    bool tried[2];
    job_t job; /* one question is open at a time: one job is enough */
};
static struct weir_service servers[2] = {{"127.0.0.1", 8081}, {"127.0.0.1", 8082}};
static const weir_fault_t all_blocked = {"all_blocked", 502, WEIR_BLAME_ROUTER, "No backend could be connected to."};

/* ---- the worker ---- */

static void answer(job_t *job)
{
    weir_q_checkout_t *question = job->question;
    bool *tried = job->state->tried;
    unsigned pick = tried[job->first] ? !job->first : job->first;

    if (tried[pick]) {
        weir_checkout_refuse(question, &all_blocked);
        return;
    }
    tried[pick] = true;
    weir_checkout_pick(question, &servers[pick]); /* from here on the state and the job are not ours */
}

static job_t *take(weir_shared_t *shared)
{
    job_t *job;

    pthread_mutex_lock(&shared->lock);
    while (shared->oldest == NULL && !shared->is_ending)
        pthread_cond_wait(&shared->changed, &shared->lock);
    job = shared->oldest;
    if (job != NULL) {
        shared->oldest = job->next;
        if (shared->oldest == NULL)
            shared->end = &shared->oldest;
    }
    pthread_mutex_unlock(&shared->lock);
    return job;
}

static void *work(void *arg)
{
    job_t *job;

    while ((job = take(arg)) != NULL) { /* every delay is the same: the oldest job is due first */
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &job->due, NULL) == EINTR)
            ;
        answer(job);
    }
    return NULL;
}

/* ---- the callbacks: on the request's thread, and never blocking ---- */

static weir_answer_t init(weir_state_t *s, const weir_request_t *r, weir_shared_t *shared, weir_q_init_t *q)
{
    (void)r;
    s->shared = shared;
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    (void)s, (void)r, (void)domain;
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    weir_shared_t *shared = s->shared;
    job_t *job = &s->job;

    (void)g;
    *job = (job_t){.question = q, .state = s, .first = weir_random(r) % 2};
    clock_gettime(CLOCK_MONOTONIC, &job->due);
    job->due.tv_sec += shared->delay_ms / 1000;
    job->due.tv_nsec += shared->delay_ms % 1000 * 1000000L;
    if (job->due.tv_nsec >= 1000000000L) {
        job->due.tv_sec++;
        job->due.tv_nsec -= 1000000000L;
    }

    pthread_mutex_lock(&shared->lock);
    *shared->end = job;
    shared->end = &job->next;
    pthread_cond_signal(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    return weir_later(q);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    (void)s, (void)r;
    return weir_backend_at(q, service->ip, service->port);
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("slow"), /* size, name */
    .state_size = sizeof(weir_state_t),
    .init = init,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};

/* ---- start and end ---- */

static bool read_delay(const weir_config_t *config, unsigned *out_ms)
{
    const weir_config_t *node = weir_config_get(config, "delay-ms");
    const char *text = weir_config_text(node);
    char *end;
    unsigned long value;

    *out_ms = 20;
    if (weir_config_kind(node) == WEIR_CONFIG_NONE)
        return true;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return weir_config_wrong(node, "delay-ms: a number of milliseconds is expected");
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value > 60000)
        return weir_config_wrong(node, "delay-ms: a number from 0 to 60000 is expected, not \"%s\"", text);
    *out_ms = (unsigned)value;
    return true;
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    weir_shared_t *shared;
    unsigned delay_ms;

    if (!read_delay(config, &delay_ms))
        return false;
    shared = calloc(1, sizeof(*shared));
    if (shared == NULL)
        return weir_config_wrong(config, "no memory");
    shared->delay_ms = delay_ms;
    shared->end = &shared->oldest;
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->changed, NULL);
    if (pthread_create(&shared->worker, NULL, work, shared) != 0) {
        free(shared);
        return weir_config_wrong(config, "the worker thread cannot be started");
    }
    *out_shared = shared;
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->is_ending = true;
    pthread_cond_signal(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    pthread_join(shared->worker, NULL);
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}
