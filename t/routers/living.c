/* SPDX-License-Identifier: MIT */
/*
 * A router for tests of reloading: tells its VERSION, and writes down how its instances live.
 *
 *   module: living.so
 *   log: FILE           lines "VERSION configure|checkin PATH|terminate PATH|release …|unload"
 *   backend: ADDRESS
 */
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "place.h"

#ifdef DECLARE
DECLARE
#endif

struct weir_shared {
    place_t backend;
};
struct weir_state {
    weir_shared_t *shared;
    char path[32];
};

static char log_path[256]; /* opened for each line: what stays loaded must not keep a descriptor */
static int instances;      /* a static variable: each load has its own */
static int configured;

static void say(const char *format, ...)
{
    char line[256];
    int at = snprintf(line, sizeof(line), "%s ", VERSION), more, log_fd;
    va_list arguments;

    va_start(arguments, format);
    more = vsnprintf(line + at, sizeof(line) - (size_t)at - 1, format, arguments);
    va_end(arguments);
    line[at + more] = '\n';
    log_fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log_fd == -1)
        return;
    if (write(log_fd, line, (size_t)(at + more) + 1) == -1)
        perror(log_path);
    close(log_fd);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    weir_shared_t *shared;

#ifdef CONFIGURE_MS
    fprintf(stderr, "configuring\n");
    usleep(CONFIGURE_MS * 1000);
#endif
    snprintf(log_path, sizeof(log_path), "%s", weir_config_text(weir_config_get(config, "log")));
    *out_shared = shared = calloc(1, sizeof(*shared));
    if (!place_read(weir_config_get(config, "backend"), config, &shared->backend)) {
        free(shared);
        return false;
    }
    instances++;
    configured++;
    say("configure");
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    say("release instances=%d statics=%d", instances, configured);
    instances--;
    free(shared);
}

__attribute__((destructor)) static void unload(void)
{
    say("unload");
}

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    weir_span_t target = weir_request_target(request);

    state->shared = shared;
    snprintf(state->path, sizeof(state->path), "%.*s", (int)target.len, target.base);
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return place_answer(&state->shared->backend, q);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    if (weir_checkin_phase(q) == WEIR_CONNECTED)
        say("checkin %s", state->path);
    return weir_checkin_done(q);
}

static void additional_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    const char *version = VERSION;

    if (way == WEIR_TO_CLIENT)
        weir_header_put(sink, WEIR_SPAN("X-Version"), (weir_span_t){version, strlen(version)});
}

static void terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    say("terminate %s", state->path);
}

WEIR_API extern const weir_router_t weir_router;
const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("living"),
    .state_size = sizeof(weir_state_t),
    .init = init,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .checkin_service = checkin,
    .additional_headers = additional_headers,
    .terminate = terminate,
};
