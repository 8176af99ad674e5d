/* SPDX-License-Identifier: MIT */
/*
 * The router of the kit, for tests of what an operator may say of an app: a line in the file `orders` ("pause APP MS",
 * "resume APP MS", "stop APP") is done within a moment, and `told` says how many requests each app has and how many wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir_kit.h>
#include <weir_span.h>

enum { APPS = 2 };

struct weir_shared {
    weir_kit_t *kit;
    char orders[256], told[256];
    weir_ticker_t *ticker;
};

struct weir_state {
    weir_set_t *app;
    weir_lease_t lease;
};

static const weir_fault_t not_found = {"not_found", 404, WEIR_BLAME_CLIENT, NULL};
static const char *const names[APPS] = {"one", "two"};

static void obey(weir_shared_t *shared, const char *line)
{
    char word[16], app[16];
    unsigned ms = 0;

    if (sscanf(line, "%15s %15s %u", word, app, &ms) < 2)
        return;
    weir_set_t *set = weir_kit_set(shared->kit, (weir_span_t){app, strlen(app)}, NULL);
    if (strcmp(word, "pause") == 0)
        weir_set_pause(set, ms);
    else if (strcmp(word, "resume") == 0)
        weir_set_resume(set, ms);
    else
        weir_set_stop(set);
}

static void tell(weir_shared_t *shared)
{
    char other[300];
    FILE *out;

    snprintf(other, sizeof(other), "%s.new", shared->told);
    out = fopen(other, "w");
    for (int i = 0; out != NULL && i < APPS; i++) {
        const weir_set_t *set = weir_kit_set(shared->kit, (weir_span_t){names[i], strlen(names[i])}, NULL);
        if (set != NULL)
            fprintf(out, "%s %u %u\n", names[i], (unsigned)weir_set_in_flight(set), (unsigned)weir_set_waiting(set));
    }
    if (out == NULL || fclose(out) != 0 || rename(other, shared->told) != 0)
        abort();
}

static void tick(void *of)
{
    weir_shared_t *shared = of;
    char line[64] = "";
    FILE *orders = fopen(shared->orders, "r");

    tell(shared);
    if (orders == NULL)
        return;
    if (fgets(line, sizeof(line), orders) != NULL)
        obey(shared, line);
    fclose(orders);
    unlink(shared->orders);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const keys[] = {"orders", "told", NULL};
    const weir_kit_options_t options = {.size = sizeof(options), .router_keys = keys};
    weir_shared_t *shared = calloc(1, sizeof(*shared));

    *out_shared = shared;
    shared->kit = weir_kit_open(config, &options);
    return shared->kit != NULL && weir_config_path(config, "orders", shared->orders, sizeof(shared->orders)) &&
           weir_config_path(config, "told", shared->told, sizeof(shared->told));
}

bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance)
{
    weir_kit_start(shared->kit, instance);
    shared->ticker = weir_every(instance, 5, tick, shared);
    return true;
}

void weir_router_stop(weir_shared_t *shared)
{
    weir_ticker_stop(&shared->ticker);
    weir_kit_stop(shared->kit);
}

void weir_router_release(weir_shared_t *shared)
{
    weir_kit_close(&shared->kit);
    free(shared);
}

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    s->app = weir_kit_find(((weir_shared_t *)weir_request_shared(r))->kit, domain, weir_request_path(r), NULL);
    return s->app == NULL ? weir_lookup_refuse(q, &not_found) : weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    (void)group;
    return weir_lease_checkout(&s->lease, s->app, r, q);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *b, weir_q_backend_t *q)
{
    (void)b;
    return weir_lease_backend(&s->lease, r, q);
}

static weir_answer_t checkin(weir_state_t *s, const weir_request_t *r, weir_service_t *b, weir_q_checkin_t *q)
{
    (void)b;
    return weir_lease_checkin(&s->lease, r, q);
}

static void answered(weir_state_t *s, const weir_request_t *r, weir_service_t *b, const weir_attempt_t *attempt)
{
    (void)b;
    weir_lease_answered(&s->lease, r, attempt);
}

static void abandoned(weir_state_t *s, const weir_request_t *r, weir_gone_t why)
{
    (void)why;
    weir_lease_abandoned(&s->lease, r);
}

static void log_line(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    (void)r, (void)fault;
    weir_lease_log(&s->lease, sink);
}

static void terminate(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault)
{
    (void)r, (void)fault;
    weir_lease_end(&s->lease);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
const weir_router_t weir_router = {
    WEIR_ROUTER("pausing"),
    .state_size = sizeof(weir_state_t),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .checkin_service = checkin,
    .answered = answered,
    .abandoned = abandoned,
    .log = log_line,
    .terminate = terminate,
};
