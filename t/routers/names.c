/* SPDX-License-Identifier: MIT */
/*
 * A router for tests of names: what logs call an application and a service.
 *
 *   module: names.so
 *   backends: [ … ]      tried in this order
 *
 * Compiled with -DDESCRIBES it has describe_group and describe_service. Its log has the fields `app` (weir_request_app) and
 * `asked` (how often the two were called for this request). Words of X-Do, separated by spaces:
 *   group=TEXT service=TEXT    what describe_group and describe_service say: "_" is a space, "!" the service's number
 *   app=TEXT name=TEXT         what weir_lookup_name() and weir_backend_name() say; empty without "="
 *   other                      the description has other keys as well
 *   init lookup checkout       refused there          bad    the service has an address that is none
 *   none                       the group is NULL      redirect    to another domain
 */
#include "orders.h"
#include "place.h"

enum { SERVICES = 4 };

struct weir_group {
    const weir_request_t *request;
    unsigned asked;
};
struct weir_service {
    const weir_request_t *request;
    unsigned number;
    unsigned asked;
};
struct weir_shared {
    size_t count;
    place_t places[SERVICES];
};
struct weir_state {
    weir_shared_t *shared;
    size_t next;
    struct weir_group group;
    struct weir_service services[SERVICES];
};

static const weir_fault_t refused = {"refused", 503, WEIR_BLAME_ROUTER, NULL};

#ifdef DESCRIBES
/* ── descriptions ── */

static void describe(const weir_request_t *request, const char *word, unsigned number, weir_description_t *description)
{
    char value[64], text[80];

    if (is_told(request, "other")) {
        weir_describe(description, span("region"), span("north"));
        weir_describe(description, span("Name"), span("wrong"));
        weir_describe(description, span(""), span("wrong"));
    }
    if (told(request, word, value) == NULL)
        return;
    snprintf(text, sizeof(text), "%s", value);
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '_' ? ' ' : *at;
    if (strchr(value, '!') != NULL)
        snprintf(strchr(text, '!'), 16, "%u", number);
    weir_describe(description, span("name"), span(text));
    memset(text, 'x', sizeof(text)); /* it has been copied */
}

static void describe_group(weir_shared_t *shared, const weir_group_t *group, weir_description_t *description)
{
    if (group == NULL) {
        weir_describe(description, span("name"), span("nobody"));
        return;
    }
    ((struct weir_group *)(uintptr_t)group)->asked++;
    describe(group->request, "group", 0, description);
}

static void describe_service(weir_shared_t *shared, const weir_service_t *service, weir_description_t *description)
{
    ((struct weir_service *)(uintptr_t)service)->asked++;
    describe(service->request, "service", service->number, description);
}
#endif

/* ── callbacks ── */

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    state->shared = shared;
    state->group.request = request;
    return is_told(request, "init") ? weir_init_refuse(q, &refused) : weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    char value[64];

    if (told(request, "app", value) != NULL)
        weir_lookup_name(q, span(value));
    if (is_told(request, "lookup"))
        return weir_lookup_refuse(q, &refused);
    if (is_told(request, "redirect"))
        return weir_lookup_redirect(q, span("elsewhere.test"));
    return weir_lookup_found(q, is_told(request, "none") ? NULL : &state->group);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    struct weir_service *service = &state->services[state->next];

    if (is_told(request, "checkout") || state->next == state->shared->count)
        return weir_checkout_refuse(q, &refused);
    service->request = request;
    service->number = (unsigned)state->next++;
    return weir_checkout_pick(q, service);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    char value[64];

    if (told(request, "name", value) != NULL)
        weir_backend_name(q, span(value));
    return is_told(request, "bad") ? weir_backend_at(q, "not an address", 80)
                                   : place_answer(&state->shared->places[service->number], q);
}

static bool retry_request(weir_state_t *state, const weir_request_t *request, weir_service_t *service,
                          const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    return true;
}

static void log_line(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    char text[32];
    weir_span_t app = weir_request_app(request);

    if (app.base != NULL)
        weir_log_field(sink, span("app"), app);
    snprintf(text, sizeof(text), "%u/%u", state->group.asked, state->services[0].asked + state->services[1].asked);
    weir_log_field(sink, span("asked"), span(text));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("names"),
    .state_size = sizeof(weir_state_t),
    .init = init,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .retry_request = retry_request,
    .log = log_line,
#ifdef DESCRIBES
    .describe_group = describe_group,
    .describe_service = describe_service,
#endif
};

/* ── configuration ── */

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    const weir_config_t *backends = weir_config_get(config, "backends");
    weir_shared_t *shared = calloc(1, sizeof(*shared));

    for (size_t i = 0; i < weir_config_count(backends) && i < SERVICES; i++) {
        if (!place_read(weir_config_at(backends, i), backends, &shared->places[shared->count++])) {
            free(shared);
            return false;
        }
    }
    *out_shared = shared;
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    free(shared);
}
