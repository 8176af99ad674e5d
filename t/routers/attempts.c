/* SPDX-License-Identifier: MIT */
/*
 * A router for tests that makes several attempts with a request, and writes down how each of them went.
 *
 *   module: attempts.so
 *   log: FILE               one line per callback: "<path> <callback> <what it was told>"; an attempt is written as key=value
 *   backends: [ "127.0.0.1:81", "h2:127.0.0.1:82", … ]      HTTP/1, HTTP/2; tried in this order, each once
 *   keepalive: close | reuse | fresh                         default close
 *
 * Words of X-Do, separated by spaces:
 *   retries=N   retry_request says true so often       again     it always says true
 *   first=N     starts at backend N                    hold=N    holds so many bytes of the request's body
 *   second=N    then goes to backend N
 *   try=MS      a time for each attempt                hold1=N   holds them at the first attempt only
 *   deep        feature deep_continue                  fetch     the response's X-Fetch is looked at in retry_request
 *   only=N      retries only after the status N        refuse    a checkout is refused
 *   toN=PATH    backend N is asked for PATH            round     backends are tried again from the first
 *   QUESTION=MS answers that question (checkout, backend, checkin) from a thread, so much later
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "orders.h"
#include "place.h"
#include "say.h"

enum { SERVICES = 16 };

struct weir_service {
    char name[8];
    place_t place;
    weir_protocol_t protocol;
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
    size_t next, picks;
    int retries;
    char path[64];
};

static const weir_fault_t all_tried = {"all_tried", 503, WEIR_BLAME_ROUTER, NULL};
static const weir_fault_t maintenance = {"maintenance", 503, WEIR_BLAME_ROUTER, NULL};

/* ── the log ── */

#define say(state, ...) say_to((state)->shared->log, (state)->path, __VA_ARGS__)

static const char *text_of(const weir_attempt_t *a, char text[300])
{
    static const char *const reaches[] = {"none", "connected", "sent", "interim", "head", "body", "whole"};

    if (a == NULL)
        return "-";
    snprintf(text, 300,
             "number=%u reach=%s status=%u grpc=%d reused=%d untouched=%d may=%d idempotent=%d connect=%llu head=%llu "
             "whole=%llu sent=%llu received=%llu",
             a->number, reaches[a->reach], a->status, a->grpc_status, a->was_reused, a->is_untouched, a->may_repeat,
             a->is_idempotent, (unsigned long long)a->connect_us, (unsigned long long)a->head_us,
             (unsigned long long)a->whole_us, (unsigned long long)a->sent_bytes, (unsigned long long)a->received_bytes);
    return text;
}

/* ── answers, now or later ── */

typedef struct answer {
    weir_answer_t (*give)(const struct answer *answer);
    void *q;
    weir_service_t *with;
    const weir_fault_t *fault;
    int after_ms;
    weir_shared_t *shared;
} answer_t;

static weir_answer_t give_checkout(const answer_t *a)
{
    return a->fault != NULL ? weir_checkout_refuse(a->q, a->fault) : weir_checkout_pick(a->q, a->with);
}

static weir_answer_t give_backend(const answer_t *a)
{
    return place_answer(&a->with->place, a->q);
}

static weir_answer_t give_checkin(const answer_t *a)
{
    return weir_checkin_done(a->q);
}

static void *give_later(void *argument)
{
    answer_t *answer = argument;
    weir_shared_t *shared = answer->shared;

    usleep((useconds_t)answer->after_ms * 1000);
    answer->give(answer);
    free(answer);
    pthread_mutex_lock(&shared->mutex);
    shared->threads--;
    pthread_cond_signal(&shared->is_idle);
    pthread_mutex_unlock(&shared->mutex);
    return NULL;
}

/* True: a thread will answer, and the question is to be promised. */
static bool is_later(const weir_request_t *request, weir_shared_t *shared, const char *question, answer_t answer)
{
    pthread_t thread;
    answer_t *copy;

    if (!is_told(request, question))
        return false;
    answer.after_ms = told_number(request, question);
    answer.shared = shared;
    copy = malloc(sizeof(*copy));
    *copy = answer;
    pthread_mutex_lock(&shared->mutex);
    shared->threads++;
    pthread_mutex_unlock(&shared->mutex);
    if (pthread_create(&thread, NULL, give_later, copy) != 0)
        abort();
    pthread_detach(thread);
    return true;
}

/* ── callbacks ── */

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    weir_span_t path = weir_request_path(request);

    state->shared = shared;
    state->next = (size_t)told_number(request, "first");
    state->retries = told_number(request, "retries");
    snprintf(state->path, sizeof(state->path), "%.*s", (int)path.len, path.base);
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    answer_t answer = {.give = give_checkout, .q = q};
    weir_shared_t *shared = state->shared;

    say(state, "checkout");
    if (is_told(request, "round") && state->next >= shared->count)
        state->next = (size_t)told_number(request, "first");
    if (is_told(request, "refuse"))
        answer.fault = &maintenance;
    else if (state->next >= shared->count)
        answer.fault = &all_tried;
    else
        answer.with = &shared->services[state->next++];
    if (state->picks++ == 0 && is_told(request, "second"))
        state->next = (size_t)told_number(request, "second");
    return is_later(request, shared, "checkout", answer) ? weir_later(q) : give_checkout(&answer);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    const answer_t answer = {.give = give_backend, .q = q, .with = service};
    char word[8], path[64];

    say(state, "backend %s", service->name);
    snprintf(word, sizeof(word), "to%s", service->name + 1);
    if (told(request, word, path) != NULL)
        weir_backend_target(q, span(path));
    weir_backend_keepalive(q, state->shared->keepalive);
    weir_backend_protocol(q, service->protocol);
    weir_backend_try_timeout(q, (uint32_t)told_number(request, "try"));
    weir_backend_hold_body(q, (size_t)told_number(request, "hold"));
    if (state->picks == 1 && is_told(request, "hold1"))
        weir_backend_hold_body(q, (size_t)told_number(request, "hold1"));
    return is_later(request, state->shared, "backend", answer) ? weir_later(q) : give_backend(&answer);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    static const char *const phases[] = {"lookup", "checkout", "connecting", "connected"};
    char text[300];

    say(state, "checkin %s %s %s %s", service == NULL ? "-" : service->name, phases[weir_checkin_phase(q)],
        name_of(weir_checkin_fault(q)), text_of(weir_checkin_attempt(q), text));
    return is_later(request, state->shared, "checkin", (answer_t){.give = give_checkin, .q = q}) ? weir_later(q)
                                                                                                 : weir_checkin_done(q);
}

static weir_answer_t error_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    say(state, "page %s", fault->name);
    return weir_page_send(q);
}

static bool feature(weir_state_t *state, const weir_request_t *request, weir_feature_t which)
{
    return which == WEIR_DEEP_CONTINUE && is_told(request, "deep");
}

static void answered(weir_state_t *state, const weir_request_t *request, weir_service_t *service, const weir_attempt_t *attempt)
{
    char text[300];

    say(state, "answered %s %s", service->name, text_of(attempt, text));
}

static bool retry_request(weir_state_t *state, const weir_request_t *request, weir_service_t *service,
                          const weir_fault_t *fault, const weir_attempt_t *attempt)
{
    const bool is_another = is_told(request, "only") && attempt->status != told_number(request, "only");
    bool is_wanted = is_told(request, "again") || state->retries > 0;
    char text[300];

    if (is_another)
        is_wanted = false;
    else if (is_wanted)
        state->retries--;
    say(state, "retry %s %s %s %s", service->name, is_wanted ? "yes" : "no", name_of(fault), text_of(attempt, text));
    if (is_told(request, "fetch")) {
        const weir_span_t value = weir_request_response_header(request, span("X-Fetch"));
        say(state, "fetched %.*s", (int)value.len, value.base == NULL ? "" : value.base);
    }
    return is_wanted;
}

static void abandoned(weir_state_t *state, const weir_request_t *request, weir_gone_t why)
{
    static const char *const whys[] = {"client", "deadline", "shutdown"};

    say(state, "abandoned %s", whys[why]);
}

static void terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    say(state, "terminate %s %u backend=%u body=%llu response=%llu connects=%u", name_of(fault), weir_request_status(request),
        weir_request_backend_status(request), (unsigned long long)weir_request_body_bytes(request),
        (unsigned long long)weir_request_response_bytes(request), weir_request_connects(request));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("attempts"),      .state_size = sizeof(weir_state_t), .init = init,
    .lookup_domain_name = lookup, .checkout_service = checkout,       .service_backend = backend,
    .checkin_service = checkin,   .error_page = error_page,           .feature = feature,
    .answered = answered,         .retry_request = retry_request,     .abandoned = abandoned,
    .terminate = terminate,
};

/* ── configuration ── */

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const keepalives[] = {"close", "reuse", "fresh", NULL};
    const weir_config_t *backends = weir_config_get(config, "backends");
    weir_shared_t *shared = calloc(1, sizeof(*shared));
    const char *log = NULL;
    unsigned keepalive = WEIR_CLOSE;
    bool is_right = weir_config_string(config, "log", &log) && weir_config_word(config, "keepalive", keepalives, &keepalive);

    shared->keepalive = (weir_keepalive_t)keepalive;
    for (size_t i = 0; is_right && i < weir_config_count(backends) && i < SERVICES; i++) {
        struct weir_service *service = &shared->services[shared->count++];
        const weir_config_t *node = weir_config_at(backends, i);

        snprintf(service->name, sizeof(service->name), "s%zu", i);
        is_right = place_read(node, backends, &service->place);
        if (is_right && strncmp(service->place.host, "h2:", 3) == 0) {
            memmove(service->place.host, service->place.host + 3, strlen(service->place.host + 3) + 1);
            service->protocol = WEIR_HTTP2;
        }
    }
    if (is_right && log != NULL)
        shared->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (!is_right || shared->log <= 0) {
        free(shared);
        return is_right ? weir_config_wrong(config, "log: needs a file that can be written") : false;
    }
    pthread_mutex_init(&shared->mutex, NULL);
    pthread_cond_init(&shared->is_idle, NULL);
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
