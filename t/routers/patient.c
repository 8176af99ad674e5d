/* SPDX-License-Identifier: MIT */
/*
 * A router for tests that keeps questions open until it is told to answer them, and writes down what it hears meanwhile.
 *
 *   module: patient.so
 *   log: FILE            one line per callback: "<path> <callback> <what it was told>"
 *   backend: ADDRESS
 *
 * Words of X-Do, separated by spaces:
 *   keep=QUESTION        init, lookup, checkout, backend, checkin, page: it is promised, and answered when somebody says so
 *   until=MS             promised for so long, then `exhausted` (429); nameless: without a reason
 *   after=US             a thread answers what is kept, so much later
 *   abandoned=here       it is answered in that call; thread: in that call, by another thread; late: by a thread, 20 ms later
 *   refuse               a checkout is refused          respond    init is answered with a response
 *   own                  the page says so               first      what is kept is answered before it is promised
 *   answer=PATH          of another request: what that one has kept is answered now; thread: by another thread
 *   again                a thread answers once more all that was ever kept; the body says how much that was
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "orders.h"
#include "place.h"
#include "say.h"

typedef enum kind { INIT, LOOKUP, CHECKOUT, BACKEND, CHECKIN, PAGE } kind_t;

static const char *const kinds[] = {"init", "lookup", "checkout", "backend", "checkin", "page"};

/* A question that is open, or was. */
typedef struct kept {
    struct kept *next;
    weir_shared_t *shared;
    kind_t kind;
    void *q;
    bool responds, owns;
    unsigned after_us;
    char path[64];
} kept_t;

struct weir_service {
    int unused;
};
struct weir_shared {
    int log;
    place_t backend;
    pthread_mutex_t mutex;
    pthread_cond_t is_idle;
    size_t threads;
    kept_t *kept; /* the latest first */
};
struct weir_state {
    weir_shared_t *shared;
    kept_t *kept;
    bool is_tried;
    char path[64];
};

static const weir_fault_t exhausted = {"exhausted", 429, WEIR_BLAME_ROUTER, "Too many wait."};
static const weir_fault_t maintenance = {"maintenance", 503, WEIR_BLAME_ROUTER, NULL};
static const weir_fault_t all_tried = {"all_tried", 503, WEIR_BLAME_ROUTER, NULL};
static struct weir_service the_service;

/* ── the log ── */

#define say(state, ...) say_to((state)->shared->log, (state)->path, __VA_ARGS__)

/* ── answers ── */

static weir_answer_t give(const kept_t *kept)
{
    switch (kept->kind) {
    case INIT:
        return kept->responds ? weir_init_respond(kept->q, 200, span("from init\n")) : weir_init_done(kept->q);
    case LOOKUP:
        return weir_lookup_found(kept->q, NULL);
    case CHECKOUT:
        return weir_checkout_pick(kept->q, &the_service);
    case BACKEND:
        weir_backend_name(kept->q, span("named"));
        return place_answer(&kept->shared->backend, kept->q);
    case CHECKIN:
        return weir_checkin_done(kept->q);
    case PAGE:
        break;
    }
    if (kept->owns) {
        weir_page_status(kept->q, 418);
        weir_page_body(kept->q, span("a page of its own\n"));
    }
    return weir_page_send(kept->q);
}

static void *give_elsewhere(void *argument)
{
    const kept_t *kept = argument;
    weir_shared_t *shared = kept->shared;

    if (kept->after_us > 0)
        usleep(kept->after_us);
    give(kept);
    pthread_mutex_lock(&shared->mutex);
    shared->threads--;
    pthread_cond_signal(&shared->is_idle);
    pthread_mutex_unlock(&shared->mutex);
    return NULL;
}

static pthread_t start_giving(kept_t *kept)
{
    pthread_t thread;

    pthread_mutex_lock(&kept->shared->mutex);
    kept->shared->threads++;
    pthread_mutex_unlock(&kept->shared->mutex);
    if (pthread_create(&thread, NULL, give_elsewhere, kept) != 0)
        abort();
    return thread;
}

/* ── questions ── */

static weir_answer_t promise(kind_t kind, void *q)
{
    switch (kind) {
    case INIT:
        return weir_later((weir_q_init_t *)q);
    case LOOKUP:
        return weir_later((weir_q_lookup_t *)q);
    case CHECKOUT:
        return weir_later((weir_q_checkout_t *)q);
    case BACKEND:
        return weir_later((weir_q_backend_t *)q);
    case CHECKIN:
        return weir_later((weir_q_checkin_t *)q);
    case PAGE:
        break;
    }
    return weir_later((weir_q_page_t *)q);
}

static weir_answer_t promise_until(kind_t kind, void *q, unsigned ms, const weir_fault_t *fault)
{
    switch (kind) {
    case INIT:
        return weir_later_until((weir_q_init_t *)q, ms, fault);
    case LOOKUP:
        return weir_later_until((weir_q_lookup_t *)q, ms, fault);
    case CHECKOUT:
        return weir_later_until((weir_q_checkout_t *)q, ms, fault);
    case BACKEND:
        return weir_later_until((weir_q_backend_t *)q, ms, fault);
    case CHECKIN:
        return weir_later_until((weir_q_checkin_t *)q, ms, fault);
    case PAGE:
        break;
    }
    return weir_later_until((weir_q_page_t *)q, ms, fault);
}

static kept_t *keep(weir_state_t *state, const weir_request_t *request, const kept_t *like)
{
    kept_t *kept = malloc(sizeof(*kept));

    *kept = *like;
    kept->after_us = (unsigned)told_number(request, "after");
    snprintf(kept->path, sizeof(kept->path), "%s", state->path);
    pthread_mutex_lock(&kept->shared->mutex);
    kept->next = kept->shared->kept;
    kept->shared->kept = kept;
    pthread_mutex_unlock(&kept->shared->mutex);
    return state->kept = kept;
}

static weir_answer_t answer(weir_state_t *state, const weir_request_t *request, kind_t kind, void *q)
{
    const kept_t now = {.shared = state->shared,
                        .kind = kind,
                        .q = q,
                        .responds = is_told(request, "respond"),
                        .owns = is_told(request, "own")};
    const weir_fault_t *fault = is_told(request, "nameless") ? NULL : &exhausted;
    char value[64];
    kept_t *kept;

    if (told(request, "keep", value) == NULL || strcmp(value, kinds[kind]) != 0)
        return give(&now);
    kept = keep(state, request, &now);
    if (is_told(request, "after"))
        pthread_detach(start_giving(kept));
    if (is_told(request, "first"))
        give(kept);
    return is_told(request, "until") ? promise_until(kind, q, (unsigned)told_number(request, "until"), fault)
                                     : promise(kind, q);
}

/* ── what other requests are told to do with it ── */

static kept_t *find(weir_shared_t *shared, const char *path)
{
    kept_t *kept;

    pthread_mutex_lock(&shared->mutex);
    for (kept = shared->kept; kept != NULL && strcmp(kept->path, path) != 0;)
        kept = kept->next;
    pthread_mutex_unlock(&shared->mutex);
    return kept;
}

static weir_answer_t answer_another(const weir_request_t *request, weir_shared_t *shared, const char *path, weir_q_init_t *q)
{
    kept_t *kept = find(shared, path);

    if (kept == NULL)
        return weir_init_respond(q, 404, span(path));
    if (is_told(request, "thread"))
        pthread_join(start_giving(kept), NULL);
    else
        give(kept);
    return weir_init_respond(q, 200, span(path));
}

static weir_answer_t answer_again(weir_shared_t *shared, weir_q_init_t *q)
{
    char text[32];
    unsigned count = 0;

    for (kept_t *kept = shared->kept; kept != NULL; kept = kept->next, count++) {
        kept->after_us = 0;
        pthread_join(start_giving(kept), NULL);
    }
    snprintf(text, sizeof(text), "%u", count);
    return weir_init_respond(q, 200, span(text));
}

/* ── callbacks ── */

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    weir_span_t path = weir_request_path(request);
    char value[64];

    state->shared = shared;
    snprintf(state->path, sizeof(state->path), "%.*s", (int)path.len, path.base);
    if (told(request, "answer", value) != NULL)
        return answer_another(request, shared, value, q);
    if (is_told(request, "again"))
        return answer_again(shared, q);
    say(state, "init");
    return answer(state, request, INIT, q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    say(state, "lookup");
    return answer(state, request, LOOKUP, q);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    say(state, "checkout");
    if (is_told(request, "refuse") || state->is_tried)
        return weir_checkout_refuse(q, state->is_tried ? &all_tried : &maintenance);
    state->is_tried = true;
    return answer(state, request, CHECKOUT, q);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    say(state, "backend");
    return answer(state, request, BACKEND, q);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    static const char *const phases[] = {"lookup", "checkout", "connecting", "connected"};

    say(state, "checkin %s %s %s", service == &the_service ? "service" : "-", phases[weir_checkin_phase(q)],
        name_of(weir_checkin_fault(q)));
    return answer(state, request, CHECKIN, q);
}

static weir_answer_t error_page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    say(state, "page %s", fault->name);
    return answer(state, request, PAGE, q);
}

static void abandoned(weir_state_t *state, const weir_request_t *request, weir_gone_t why)
{
    static const char *const whys[] = {"client", "deadline", "shutdown"};
    char how[64];

    say(state, "abandoned %s", whys[why]);
    if (told(request, "abandoned", how) == NULL)
        return;
    if (strcmp(how, "here") == 0)
        give(state->kept);
    if (strcmp(how, "thread") == 0)
        pthread_join(start_giving(state->kept), NULL);
    if (strcmp(how, "late") == 0) {
        state->kept->after_us = 20000;
        pthread_detach(start_giving(state->kept));
    }
}

static void terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    say(state, "terminate %s %u", name_of(fault), weir_request_status(request));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("patient"),       .state_size = sizeof(weir_state_t), .init = init,
    .lookup_domain_name = lookup, .checkout_service = checkout,       .service_backend = backend,
    .checkin_service = checkin,   .error_page = error_page,           .abandoned = abandoned,
    .terminate = terminate,
};

/* ── configuration ── */

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    const char *log = weir_config_text(weir_config_get(config, "log"));
    weir_shared_t *shared = calloc(1, sizeof(*shared));

    if (!place_read(weir_config_get(config, "backend"), config, &shared->backend)) {
        free(shared);
        return false;
    }
    shared->log = log == NULL ? -1 : open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (shared->log < 0) {
        free(shared);
        return weir_config_wrong(config, "log: needs a file that can be written");
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
    while (shared->kept != NULL) {
        kept_t *gone = shared->kept;
        shared->kept = gone->next;
        free(gone);
    }
    close(shared->log);
    free(shared);
}
