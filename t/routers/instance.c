/* SPDX-License-Identifier: MIT */
/*
 * A router for tests of what an instance may have of its host: writes its life into `log`, ticks every millisecond, and with
 * `refuses: start` does not start.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir.h>

struct weir_shared {
    char log[256];
    bool refuses_start, is_noisy;
    weir_instance_t *instance;
    weir_ticker_t *ticker, *once;
    _Atomic unsigned ticks, single_ticks;
    pthread_t thread_of_start;
    _Atomic bool is_running, has_once;
};

static const weir_fault_t nothing_here = {"nothing_here", 404, WEIR_BLAME_CLIENT, NULL};

static void say(const weir_shared_t *shared, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int length, log;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    line[length] = '\n';
    log = open(shared->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log < 0 || write(log, line, (size_t)length + 1) < 0)
        abort();
    close(log);
}

static void tick(void *argument)
{
    weir_shared_t *shared = argument;

    atomic_store(&shared->is_running, true);
    shared->ticks++;
    atomic_store(&shared->is_running, false);
}

/* Ends itself in its first run. */
static void tick_once(void *argument)
{
    weir_shared_t *shared = argument;

    if (!atomic_load(&shared->has_once))
        return; /* there is nothing to stop yet */
    shared->single_ticks++;
    weir_ticker_stop(&shared->once);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const known[] = {"module", "log", "refuses", "noisy", NULL};
    weir_shared_t *shared = calloc(1, sizeof(*shared));
    const char *refuses = "";

    *out_shared = shared;
    if (!weir_config_keys(config, known) || !weir_config_path(config, "log", shared->log, sizeof(shared->log)) ||
        !weir_config_string(config, "refuses", &refuses) || !weir_config_flag(config, "noisy", &shared->is_noisy)) {
        free(shared);
        return false;
    }
    shared->refuses_start = strcmp(refuses, "start") == 0;
    say(shared, "configure %s", weir_config_directory());
    return true;
}

bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance)
{
    say(shared, "start %s, %s, generation %llu", weir_instance_name(instance), weir_instance_where(instance),
        (unsigned long long)weir_instance_generation(instance));
    if (shared->refuses_start) {
        weir_instance_log(instance, "the shop is closed");
        return false;
    }
    for (int i = 0; shared->is_noisy && i < 1000; i++)
        weir_instance_log(instance, "line %d", i);
    shared->instance = instance;
    shared->thread_of_start = pthread_self();
    shared->ticker = weir_every(instance, 1, tick, shared);
    shared->once = weir_every(instance, 1, tick_once, shared);
    atomic_store(&shared->has_once, true);
    return true;
}

void weir_router_stop(weir_shared_t *shared)
{
    unsigned ticks = shared->ticks;

    say(shared, "stop %s", atomic_load(&shared->is_running) ? "in a tick" : "in peace");
    for (int i = 0; i < 20; i++)
        usleep(1000);
    say(shared, "%s", ticks == shared->ticks ? "still" : "ticking on");
}

void weir_router_release(weir_shared_t *shared)
{
    say(shared, "release");
    free(shared);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    weir_shared_t *shared = weir_request_shared(request);

    say(shared, "request %s%s%s", shared->instance == NULL ? "before start" : "behind start",
        shared->ticks > 0 ? " ticking" : "", shared->single_ticks == 1 && shared->once == NULL ? " once" : "");
    return weir_lookup_refuse(q, &nothing_here);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_refuse(q, &nothing_here);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("instance"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                   .service_backend = backend};
