/* SPDX-License-Identifier: MIT */
/*
 * A router for tests: it writes down every callback, and does what the request's X-Do header says.
 *
 *   module: record.so
 *   log: FILE                 one line per callback: "<path> <callback> <what it was told>"
 *   backends: [ "127.0.0.1:81", "unix:/path", … ]      tried in this order
 *   keepalive: close | reuse | fresh                    default close
 *
 * Words of X-Do, separated by spaces:
 *   init-refuse lookup-refuse lookup-redirect lookup-null checkout-refuse bad-address      answers
 *   first=N        starts at backend N            own-page    an error page of its own
 *   endless        picks the same backend for ever
 *   deep           feature deep_continue          put         additional headers both ways
 *   name           calls its service by a name    twice       answers every question twice
 *   add            the same, beside what is there: Set-Cookie, Via, and what may not be added
 *   init-respond=N answers the request in init    log         writes its log callback down, and adds fields to the line
 *   journal        terminate writes down all that weir_request.h knows
 *   QUESTION=MS    answers that question (init, lookup, checkout, backend, checkin, page) from a thread, so much later
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "orders.h"
#include "place.h"
#include "say.h"

enum { SERVICES = 16 };

struct weir_service {
    char name[32];
    place_t place;
};
struct weir_group {
    const char *name;
};
struct weir_shared {
    int log;
    weir_keepalive_t keepalive;
    size_t count;
    struct weir_service services[SERVICES];
    pthread_mutex_t mutex;
    pthread_cond_t is_idle;
    size_t threads;
};
struct weir_state {
    weir_shared_t *shared;
    size_t next;
    char path[64];
};

static const weir_fault_t not_today = {"not_today", 503, WEIR_BLAME_ROUTER, "Come again tomorrow."};
static const weir_fault_t no_such_app = {"no_such_app", 404, WEIR_BLAME_ROUTER, NULL};
static const weir_fault_t maintenance = {"maintenance", 503, WEIR_BLAME_ROUTER, "Back soon."};
static const weir_fault_t all_tried = {"all_tried", 502, WEIR_BLAME_ROUTER, NULL};
static struct weir_group the_group = {"main"};

#define say(state, ...) say_to((state)->shared->log, (state)->path, __VA_ARGS__)

/* ── answers, now or later ── */

typedef struct answer {
    weir_answer_t (*give)(const struct answer *answer);
    void *q;
    const void *with;
    const weir_fault_t *fault;
    uint16_t status;
    bool twice;
    int after_ms;
    weir_shared_t *shared;
} answer_t;

static weir_answer_t give_all(const answer_t *answer)
{
    weir_answer_t sealed = answer->give(answer);

    if (answer->twice)
        answer->give(answer);
    return sealed;
}

static void *give_later(void *argument)
{
    answer_t *answer = argument;
    weir_shared_t *shared = answer->shared;

    usleep((useconds_t)answer->after_ms * 1000);
    give_all(answer);
    free(answer);
    pthread_mutex_lock(&shared->mutex);
    shared->threads--;
    pthread_cond_signal(&shared->is_idle);
    pthread_mutex_unlock(&shared->mutex);
    return NULL;
}

/* Weir frees a question when both sides are through with it: the second answer is given from inside the callback only. */
static weir_answer_t give(const weir_request_t *request, weir_state_t *state, const char *question, answer_t answer,
                          weir_answer_t (*promise)(void *))
{
    pthread_t thread;
    answer_t *copy;

    answer.after_ms = told_number(request, question);
    answer.twice = answer.after_ms == 0 && is_told(request, "twice");
    answer.shared = state->shared;
    if (answer.after_ms == 0)
        return give_all(&answer);
    copy = malloc(sizeof(*copy));
    *copy = answer;
    pthread_mutex_lock(&state->shared->mutex);
    state->shared->threads++;
    pthread_mutex_unlock(&state->shared->mutex);
    if (pthread_create(&thread, NULL, give_later, copy) != 0)
        abort();
    pthread_detach(thread);
    return promise(answer.q);
}

#define PROMISE(kind)                                                                                                          \
    static weir_answer_t promise_##kind(void *q)                                                                               \
    {                                                                                                                          \
        return weir_later((weir_q_##kind##_t *)q);                                                                             \
    }
PROMISE(init)
PROMISE(lookup)
PROMISE(checkout)
PROMISE(backend)
PROMISE(checkin)
PROMISE(page)

static weir_answer_t give_init(const answer_t *a)
{
    return a->fault != NULL ? weir_init_refuse(a->q, a->fault) : weir_init_done(a->q);
}

static weir_answer_t give_response(const answer_t *a)
{
    weir_init_header(a->q, span("X-Init"), span("yes"));
    weir_init_header(a->q, span("Transfer-Encoding"), span("chunked"));
    return weir_init_respond(a->q, a->status, span("from init\n"));
}

static weir_answer_t give_lookup(const answer_t *a)
{
    return a->fault != NULL ? weir_lookup_refuse(a->q, a->fault) : weir_lookup_found(a->q, (weir_group_t *)a->with);
}

static weir_answer_t give_redirect(const answer_t *a)
{
    return weir_lookup_redirect(a->q, span("new.test"));
}

static weir_answer_t give_checkout(const answer_t *a)
{
    return a->fault != NULL ? weir_checkout_refuse(a->q, a->fault) : weir_checkout_pick(a->q, (weir_service_t *)a->with);
}

static weir_answer_t give_backend(const answer_t *a)
{
    const weir_service_t *service = a->with;

    if (service == NULL)
        return weir_backend_at(a->q, "not an address", 80);
    return place_answer(&service->place, a->q);
}

static weir_answer_t give_checkin(const answer_t *a)
{
    return weir_checkin_done(a->q);
}

static weir_answer_t give_page(const answer_t *a)
{
    return weir_page_send(a->q);
}

/* ── the nine questions ── */

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    weir_span_t path = weir_request_path(request);
    const weir_fault_t *fault = is_told(request, "init-refuse") ? &not_today : NULL;

    state->shared = shared;
    state->next = (size_t)told_number(request, "first");
    snprintf(state->path, sizeof(state->path), "%.*s", (int)path.len, path.base);
    say(state, "init");
    if (is_told(request, "init-respond"))
        return give(request, state, "init",
                    (answer_t){.give = give_response, .q = q, .status = (uint16_t)told_number(request, "init-respond")},
                    promise_init);
    return give(request, state, "init", (answer_t){.give = give_init, .q = q, .fault = fault}, promise_init);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    answer_t answer = {.give = give_lookup, .q = q, .with = &the_group};

    say(state, "lookup_domain_name %.*s", (int)domain.len, domain.base);
    if (is_told(request, "lookup-refuse"))
        answer.fault = &no_such_app;
    if (is_told(request, "lookup-null"))
        answer.with = NULL;
    if (is_told(request, "lookup-redirect"))
        answer.give = give_redirect;
    return give(request, state, "lookup", answer, promise_lookup);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    answer_t answer = {.give = give_checkout, .q = q};

    say(state, "checkout_service %s", group == NULL ? "-" : group->name);
    if (is_told(request, "checkout-refuse"))
        answer.fault = &maintenance;
    else if (state->next < state->shared->count)
        answer.with = &state->shared->services[is_told(request, "endless") ? state->next : state->next++];
    else
        answer.fault = &all_tried;
    return give(request, state, "checkout", answer, promise_checkout);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    answer_t answer = {.give = give_backend, .q = q, .with = service};

    say(state, "service_backend %s", service->name);
    weir_backend_keepalive(q, state->shared->keepalive);
    if (is_told(request, "name"))
        weir_backend_name(q, span("web.1"));
    if (is_told(request, "bad-address"))
        answer.with = NULL;
    return give(request, state, "backend", answer, promise_backend);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    static const char *const phases[] = {"lookup", "checkout", "connecting", "connected"};
    const weir_group_t *group = weir_checkin_group(q);

    say(state, "checkin_service %s %s %s %s", group == NULL ? "-" : group->name, service == NULL ? "-" : service->name,
        phases[weir_checkin_phase(q)], name_of(weir_checkin_fault(q)));
    return give(request, state, "checkin", (answer_t){.give = give_checkin, .q = q}, promise_checkin);
}

static weir_answer_t error_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    say(state, "error_page %s %s", fault->name, weir_page_group(q) == NULL ? "-" : weir_page_group(q)->name);
    if (is_told(request, "own-page")) {
        weir_page_status(q, 418);
        weir_page_header(q, span("X-Page"), span("own"));
        weir_page_header(q, span("Content-Length"), span("3"));
        weir_page_header(q, span("Bad Name"), span("x"));
        weir_page_body(q, span("a page of its own\n"));
    }
    return give(request, state, "page", (answer_t){.give = give_page, .q = q}, promise_page);
}

static bool feature(weir_state_t *state, const weir_request_t *request, weir_feature_t which)
{
    say(state, "feature %s", which == WEIR_DEEP_CONTINUE ? "deep_continue" : which == WEIR_PEER_PORT ? "peer_port" : "?");
    return which == WEIR_DEEP_CONTINUE && is_told(request, "deep");
}

static void add_headers(weir_header_sink_t *sink)
{
    weir_header_add(sink, span("Set-Cookie"), span("of=router"));
    weir_header_add(sink, span("Set-Cookie"), span("and=another"));
    weir_header_add(sink, span("via"), span("1.1 router"));
    weir_header_add(sink, span("Host"), span("two.test"));
    weir_header_add(sink, span("Content-Length"), span("1"));
    weir_header_add(sink, span("Transfer-Encoding"), span("chunked"));
    weir_header_add(sink, span("Connection"), span("Set-Cookie"));
    weir_header_add(sink, span("Bad Name"), span("x"));
    weir_header_add(sink, span("X-Split"), span("a\r\nX-Forged: b"));
}

static void additional_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    say(state, "additional_headers %s", way == WEIR_TO_BACKEND ? "to_backend" : "to_client");
    if (is_told(request, "add"))
        add_headers(sink);
    if (!is_told(request, "put"))
        return;
    weir_header_put(sink, span("X-Put"), span(way == WEIR_TO_BACKEND ? "to-backend" : "to-client"));
    weir_header_put(sink, span("via"), span("1.1 router"));
    weir_header_put(sink, span("Content-Length"), span("1"));
    weir_header_put(sink, span("Connection"), span("X-Put"));
}

static const char *const outcomes[] = {"halted", "successful", "error"};

static void say_journal(const weir_state_t *state, const weir_request_t *r)
{
    char report[400], headers[200] = "";
    size_t length = 0;
    weir_span_t name, value;

    say(state,
        "journal status=%u outcome=%s fault=%s route=%lld connect=%lld service=%lld total=%lld send_headers=%lld "
        "request_proxy=%lld response_proxy=%lld start_to_proxy=%lld sent=%llu received=%llu body=%llu response=%llu "
        "connects=%u listen=%u",
        weir_request_status(r), outcomes[weir_request_outcome(r)], name_of(weir_request_fault(r)),
        (long long)weir_request_route_ms(r), (long long)weir_request_connect_ms(r), (long long)weir_request_service_ms(r),
        (long long)weir_request_total_ms(r), (long long)weir_request_send_headers_ms(r),
        (long long)weir_request_request_proxy_ms(r), (long long)weir_request_response_proxy_ms(r),
        (long long)weir_request_start_to_proxy_ms(r), (unsigned long long)weir_request_bytes_sent(r),
        (unsigned long long)weir_request_bytes_received(r), (unsigned long long)weir_request_body_bytes(r),
        (unsigned long long)weir_request_response_bytes(r), weir_request_connects(r), weir_request_listen_port(r));
    weir_request_report(r, report, sizeof(report));
    say(state, "report %s", report);
    for (size_t i = 0; weir_request_response_header_at(r, i, &name, &value) && length < sizeof(headers); i++)
        length += (size_t)snprintf(headers + length, sizeof(headers) - length, " %.*s=%.*s", (int)name.len, name.base,
                                   (int)value.len, value.base);
    say(state, "headers%s", headers);
}

static void log_line(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    if (!is_told(request, "log"))
        return;
    say(state, "log %s %s", name_of(fault), outcomes[weir_request_outcome(request)]);
    weir_log_field(sink, span("shop"), span("a \"b\""));
    weir_log_field(sink, span("bad name"), span("x"));
    weir_log_field(sink, span("n"), span("1"));
}

static void terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    if (is_told(request, "journal"))
        say_journal(state, request);
    say(state, "terminate %s %u", name_of(fault), weir_request_status(request));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("record"),
                                   .state_size = sizeof(weir_state_t),
                                   .init = init,
                                   .lookup_domain_name = lookup,
                                   .checkout_service = checkout,
                                   .service_backend = backend,
                                   .checkin_service = checkin,
                                   .error_page = error_page,
                                   .feature = feature,
                                   .additional_headers = additional_headers,
                                   .terminate = terminate,
                                   .log = log_line};

/* ── configuration ── */

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    const weir_config_t *backends = weir_config_get(config, "backends");
    const char *log = weir_config_text(weir_config_get(config, "log"));
    const char *keepalive = weir_config_text(weir_config_get(config, "keepalive"));
    weir_shared_t *shared = calloc(1, sizeof(*shared));

    shared->log = log == NULL ? -1 : open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (shared->log < 0) {
        free(shared);
        return weir_config_wrong(config, "log: needs a file that can be written");
    }
    shared->keepalive = keepalive == NULL   ? WEIR_CLOSE
                        : *keepalive == 'r' ? WEIR_REUSE
                        : *keepalive == 'f' ? WEIR_FRESH
                                            : WEIR_CLOSE;
    pthread_mutex_init(&shared->mutex, NULL);
    pthread_cond_init(&shared->is_idle, NULL);
    for (size_t i = 0; i < weir_config_count(backends) && i < SERVICES; i++) {
        struct weir_service *service = &shared->services[shared->count++];
        snprintf(service->name, sizeof(service->name), "s%zu", i);
        if (!place_read(weir_config_at(backends, i), backends, &service->place)) {
            close(shared->log);
            free(shared);
            return false;
        }
    }
    *out_shared = shared;
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    pthread_mutex_lock(&shared->mutex);
    while (shared->threads > 0)
        pthread_cond_wait(&shared->is_idle, &shared->mutex);
    pthread_mutex_unlock(&shared->mutex);
    usleep(1000); /* the last thread is on its way out of our code */
    close(shared->log);
    free(shared);
}
