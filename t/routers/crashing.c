/* SPDX-License-Identifier: MIT */
/*
 * A router that crashes as the request's path says, in checkout_service, and serves /ok by a refusal. Configured with
 * `crash: NAME` it crashes in that function of the module.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir.h>

static volatile int nought;
static const char *volatile nowhere;
static bool crashes_in_start;

static void by_null(void)
{
    *(volatile char *)(uintptr_t)nowhere = 1;
}

static void by_division(void)
{
    nought = 1000 / nought;
}

__attribute__((noinline)) static int deeper(volatile char *above)
{
    volatile char room[4096];

    room[0] = above[0];
    return above[0] == 2 ? 0 : deeper(room) + room[0];
}

static void by_depth(void)
{
    char first = 0;

    nought = deeper(&first);
}

static void *run(void *unused)
{
    by_null();
    return unused;
}

/* On a thread of its own, of which the proxy knows nothing. */
static void elsewhere(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, NULL) == 0)
        pthread_join(thread, NULL);
}

static void by_signal(void)
{
    kill(getpid(), SIGSEGV);
    pause();
}

static const struct {
    const char *path;
    void (*crash)(void);
} ways[] = {
    {"/null", by_null}, {"/division", by_division}, {"/depth", by_depth},
    {"/abort", abort},  {"/elsewhere", elsewhere},  {"/signal", by_signal},
};

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    static const weir_fault_t survived = {"survived", 503, WEIR_BLAME_ROUTER, NULL};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (weir_span_is(weir_request_path(request), ways[i].path))
            ways[i].crash();
    }
    return weir_checkout_refuse(q, &survived);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

static bool is_crash(const weir_config_t *config, const char *where)
{
    const char *text = weir_config_text(weir_config_get(config, "crash"));

    return text != NULL && strcmp(text, where) == 0;
}

static void tick(void *unused)
{
    by_null();
}

static bool crashes_in_ticker;

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    crashes_in_start = is_crash(config, "start");
    crashes_in_ticker = is_crash(config, "ticker");
    if (is_crash(config, "configure"))
        by_null();
    return true;
}

bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance)
{
    if (crashes_in_start)
        by_null();
    if (crashes_in_ticker)
        weir_every(instance, 1, tick, NULL);
    return true;
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("crashing"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                   .service_backend = backend};
