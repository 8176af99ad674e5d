/* SPDX-License-Identifier: MIT */
#ifndef SITUATIONS_MODEL_H
#define SITUATIONS_MODEL_H
/**
 * @file  Backends that are a model, requests that come by dice, and a clock that is told; who gets a request is the real kit's
 * choice.
 *
 * A backend has workers, and a FIFO in front of them; requests come by themselves (Poisson) and need a time of work that is
 * lognormal. Each of them is a whole exchange: the built-in stages, the router `table`, its ticks by the same clock. What the
 * wire's first-byte timeout would do is an event of the model.
 */
#include <math.h>

#include "situations_events.h"
#include "router/kit/member.h"
#include "router/module.h"
#include "unit.h"
#include "weir_kit.h"

enum { MODEL_BACKENDS = 10, MODEL_CLIENTS = 200, MODEL_COLD = 400, MODEL_LOOK_MS = 100, MODEL_SETTLED_S = 25 };

typedef enum model_mood {
    MODEL_WELL,
    MODEL_SLOW,
    MODEL_FAILS,   /* 500 in 1 ms                 */
    MODEL_IS_BUSY, /* 429 in 1 ms, and Retry-After: 5 */
    MODEL_HANGS,
    MODEL_FAILS_SOMETIMES
} model_mood_t;

typedef struct situation {
    const char *name;
    unsigned backends, workers; /* of each */
    double load;                /* of what all workers can do */
    unsigned slow_count;        /* the first so many need slow_times as long, always */
    double slow_times;
    model_mood_t mood; /* of the first one, or of the first `ill`, while something is wrong */
    unsigned ill;
    double mood_times; /* MODEL_SLOW: so many times as long          */
    double flap_s;     /* not 0: for so long it is wrong, then well for as long */
    bool joins; /* the first one is not there before; it is eight times slower at first, and warm after MODEL_COLD answers */
    double own_failures;  /* the share of 500s that the application makes, everywhere */
    double timeout_s;     /* until the first byte */
    const char *settings; /* of the app, in the configuration; ends in a comma */
} situation_t;

/**
 * Seconds since the start. What comes before `warm` is not counted; something is wrong from `begin` to `end`, and should have
 * been noticed by `later`.
 */
typedef struct model_times {
    double warm, begin, end, last, later;
} model_times_t;

typedef struct model_counts {
    float *latencies_ms; /* of those that were answered well */
    size_t well, room;
    unsigned long all, failed;
    unsigned long all_later, failed_later; /* of those that came behind `later` */
} model_counts_t;

/** What came of it: of all, and of those that came while something was wrong. Runs add up. */
typedef struct model_result {
    model_counts_t always, meanwhile;
    unsigned long quarantines, quarantines_of_well;
    unsigned long sent[MODEL_BACKENDS];
    unsigned long settled, settled_to_first; /* from MODEL_SETTLED_S after `begin` on: all, and to the first one */
} model_result_t;

typedef struct model_backend {
    unsigned busy, served;
    model_request_t *first, **last; /* they wait for a worker */
    const weir_member_t *member;    /* NULL: no request has been there yet */
    uint32_t quarantines;
} model_backend_t;

static struct model {
    const situation_t *situation;
    model_times_t times;
    uint64_t start_us;
    uint64_t dice;
    double gap_s; /* between requests, the mean */
    uint64_t number;
    model_backend_t backends[MODEL_BACKENDS];
    model_request_t *spare;
    weir_plan_t plans[2]; /* before and after the first one joins */
    weir_module_t *modules[2];
    size_t generation;
    model_result_t *result;
} model;

/* ---- dice ---- */

static double model_unit(void)
{
    return (double)(fake_throw(&model.dice) >> 11) * 0x1p-53;
}

static double model_gap_s(void)
{
    return -model.gap_s * log(1 - model_unit());
}

/* Mean 50 ms, sigma 1. */
static double model_work_s(void)
{
    const double length = sqrt(-2 * log(1 - model_unit())), angle = 6.283185307179586 * model_unit();

    return 0.05 * exp(length * cos(angle) - 0.5);
}

/* ---- time ---- */

static double model_now_s(void)
{
    return (double)(w.loop.now_us - model.start_us) / 1e6;
}

static void model_later(double s, model_what_t what, unsigned backend, model_request_t *request)
{
    model_event_put(
        (model_event_t){w.loop.now_us + (uint64_t)(s * 1e6), what, backend, request, request ? request->number : 0});
}

static void model_pass_to(uint64_t at_us)
{
    fake_advance(&w.loop, (uint32_t)((at_us - w.loop.now_us) / 1000));
    w.loop.wall_us += at_us - w.loop.now_us;
    w.loop.now_us = at_us;
}

static bool model_is_wrong_at(double s)
{
    return s >= model.times.begin && s < model.times.end;
}

static model_mood_t model_mood(unsigned backend)
{
    const situation_t *situation = model.situation;
    double since = model_now_s() - model.times.begin;

    if (backend >= (situation->ill == 0 ? 1 : situation->ill) || !model_is_wrong_at(model_now_s()))
        return MODEL_WELL;
    return situation->flap_s > 0 && fmod(since, 2 * situation->flap_s) >= situation->flap_s ? MODEL_WELL : situation->mood;
}

/* ---- counting ---- */

static void model_count(model_counts_t *counts, const model_request_t *request, bool is_well)
{
    const bool is_later = request->arrived_s >= model.times.later;

    counts->all++;
    counts->failed += !is_well;
    counts->all_later += is_later;
    counts->failed_later += is_later && !is_well;
    if (!is_well)
        return;
    if (counts->well == counts->room) {
        counts->room = 2 * counts->room + 4096;
        counts->latencies_ms = realloc(counts->latencies_ms, counts->room * sizeof(float));
        assert_non_null(counts->latencies_ms);
    }
    counts->latencies_ms[counts->well++] = (float)(1e3 * (model_now_s() - request->arrived_s));
}

static int model_by_size(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;

    return (left > right) - (left < right);
}

static inline double model_percentile(model_counts_t *counts, double share)
{
    if (counts->well == 0)
        return 0;
    qsort(counts->latencies_ms, counts->well, sizeof(float), model_by_size);
    return (double)counts->latencies_ms[(size_t)(share * (double)(counts->well - 1))];
}

static inline double model_percent(unsigned long part, unsigned long all)
{
    return all == 0 ? 0 : 100.0 * (double)part / (double)all;
}

static inline void model_result_free(model_result_t *result)
{
    free(result->always.latencies_ms);
    free(result->meanwhile.latencies_ms);
    result->always.latencies_ms = result->meanwhile.latencies_ms = NULL;
}

/* Quarantines last for seconds; nobody has to look oftener than this. */
static void model_look_at_members(void)
{
    for (unsigned i = 0; i < model.situation->backends; i++) {
        model_backend_t *backend = &model.backends[i];
        const kit_trouble_t *trouble = backend->member == NULL ? NULL : kit_trouble(backend->member);
        uint32_t times = trouble == NULL ? 0 : atomic_load(&trouble->quarantine_times);
        if (times > backend->quarantines) {
            model.result->quarantines += times - backend->quarantines;
            model.result->quarantines_of_well += model_mood(i) == MODEL_WELL ? times - backend->quarantines : 0;
        }
        backend->quarantines = times;
    }
    if (model_now_s() < model.times.last)
        model_later(MODEL_LOOK_MS / 1e3, MODEL_LOOK, 0, NULL);
}

/* ---- a request's way ---- */

static model_request_t *model_request_take(void)
{
    model_request_t *request = model.spare;

    if (request == NULL)
        request = calloc(1, sizeof(*request));
    else
        model.spare = request->next;
    assert_non_null(request);
    return request;
}

/* Both its client and its backend have to be through with it. */
static void model_request_give(model_request_t *request)
{
    if (request->is_open || request->is_at_backend)
        return;
    request->next = model.spare;
    request->number = 0;
    model.spare = request;
}

static void model_begin_work(model_request_t *request)
{
    const situation_t *situation = model.situation;
    model_backend_t *backend = &model.backends[request->backend];
    double times = request->backend < situation->slow_count ? situation->slow_times : 1;

    if (situation->joins && request->backend == 0 && backend->served < MODEL_COLD)
        times *= 8 - 7.0 * backend->served / MODEL_COLD;
    if (model_mood(request->backend) == MODEL_SLOW)
        times *= situation->mood_times;
    backend->busy++;
    model_later(request->work_s * times, MODEL_DONE, request->backend, request);
}

static void model_enqueue(model_request_t *request)
{
    model_backend_t *backend = &model.backends[request->backend];

    request->is_at_backend = true;
    if (backend->busy < model.situation->workers) {
        model_begin_work(request);
        return;
    }
    request->next = NULL;
    *backend->last = request;
    backend->last = &request->next;
}

/* Those whose connection has ended meanwhile are not begun. */
static void model_free_worker(model_backend_t *backend)
{
    backend->busy--;
    backend->served++;
    while (backend->first != NULL && backend->busy < model.situation->workers) {
        model_request_t *next = backend->first;
        backend->first = next->next;
        if (backend->first == NULL)
            backend->last = &backend->first;
        if (next->is_open) {
            model_begin_work(next);
            continue;
        }
        next->is_at_backend = false;
        model_request_give(next);
    }
}

static void model_end(model_request_t *request, bool is_well)
{
    request->is_open = false;
    if (request->arrived_s >= model.times.warm)
        model_count(&model.result->always, request, is_well);
    if (model_is_wrong_at(request->arrived_s))
        model_count(&model.result->meanwhile, request, is_well);
    model_request_give(request);
}

static void model_answer(model_request_t *request, uint16_t status)
{
    static const char failure[] = "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n",
                      busy[] = "HTTP/1.1 429 Oh\r\nContent-Length: 2\r\nRetry-After: 5\r\n\r\n";

    assert_true(fake_respond(request->x, status == 200 ? OK_HEAD : status == 500 ? failure : busy));
    assert_true(fake_relay_end(request->x, NULL));
    fake_run(&w.loop);
    assert_int_equal(request->front.status, status);
    model_end(request, status == 200);
}

static void model_give_up(model_request_t *request)
{
    assert_true(fake_relay_end(request->x, &weir_fault_backend_timeout));
    fake_run(&w.loop);
    assert_int_equal(request->front.status, weir_fault_backend_timeout.status);
    model_end(request, false);
}

static void model_on_done(unsigned at, model_request_t *request)
{
    const model_mood_t mood = model_mood(at);
    const bool is_failure =
        model_unit() < model.situation->own_failures || (mood == MODEL_FAILS_SOMETIMES && model_unit() < 0.4);

    WEIR_MUST(request != NULL);
    request->is_at_backend = false;
    model_free_worker(&model.backends[at]);
    if (request->is_open)
        model_answer(request, is_failure ? 500 : 200);
    else
        model_request_give(request);
}

static void model_send(model_request_t *request)
{
    const weir_member_t *member = (const void *)request->x->service;

    request->backend = (unsigned)strtoul(weir_member_id(member).base + 1, NULL, 10);
    assert_true(request->backend < model.situation->backends);
    model.backends[request->backend].member = member;
    model.result->sent[request->backend]++;
    if (model_now_s() >= model.times.begin + MODEL_SETTLED_S) {
        model.result->settled++;
        model.result->settled_to_first += request->backend == 0;
    }
    switch (model_mood(request->backend)) {
    case MODEL_FAILS:
    case MODEL_IS_BUSY:
        model_later(0.001, MODEL_FAILED, request->backend, request);
        break;
    case MODEL_HANGS:
        break;
    case MODEL_WELL:
    case MODEL_SLOW:
    case MODEL_FAILS_SOMETIMES:
        model_enqueue(request);
    }
    model_later(model.situation->timeout_s, MODEL_TIMEOUT, request->backend, request);
}

static void model_on_arrival(void)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static char clients[MODEL_CLIENTS][16];
    model_request_t *request = model_request_take();
    char *client = clients[fake_throw(&model.dice) % MODEL_CLIENTS];

    snprintf(client, sizeof(clients[0]), "10.1.0.%d", (int)((client - clients[0]) / (long)sizeof(clients[0])));
    request->number = ++model.number;
    request->arrived_s = model_now_s();
    request->work_s = model_work_s();
    request->is_open = true;
    request->x = fake_exchange(&w.loop, &model.plans[model.generation], &request->front, head);
    request->x->request.peer_ip = (weir_span_t){client, strlen(client)};
    weir_exchange_start(request->x);
    fake_run(&w.loop);
    if (request->front.responses == 0)
        model_send(request);
    else
        model_end(request, false); /* nobody would have it */
    if (model_now_s() < model.times.last)
        model_later(model_gap_s(), MODEL_ARRIVAL, 0, NULL);
}

/* ---- configurations ---- */

static void model_configure(size_t generation, unsigned first)
{
    char text[2000], error[200] = "", *at = text;

    at += sprintf(at, "{apps: {a: {domains: [\"*\"], %sbackends: [", model.situation->settings);
    for (unsigned i = first; i < model.situation->backends; i++)
        at += sprintf(at, "{at: \"10.0.0.%u:80\", id: b%u},", i, i);
    sprintf(at, "]}}}");
    weir_config_t *config = fake_config(text);
    model.modules[generation] = weir_module_open("table", error, sizeof(error));
    assert_string_equal(error, "");
    if (!weir_module_configure(model.modules[generation], config))
        fail_msg("%s", fake_complaint);
    fake_config_free(config);
    assert_true(weir_module_start(model.modules[generation], "default /", "test:1", generation + 1));
    model.plans[generation] = w.plan;
    model.plans[generation].binding.router = weir_module_router(model.modules[generation]);
    model.plans[generation].binding.shared = weir_module_shared(model.modules[generation]);
    model.generation = generation;
}

/* ---- a run ---- */

static void model_open(const situation_t *situation, const model_times_t *times, uint64_t seed, model_result_t *result)
{
    const unsigned there = situation->joins ? situation->backends - 1 : situation->backends;
    double workers = 0;

    memset(&model, 0, sizeof(model));
    world_open(NULL);
    w.loop.is_quiet = true;
    w.loop.seed = seed;
    fake_steward = &w.loop;
    model.situation = situation;
    model.times = *times;
    model.start_us = w.loop.now_us;
    model.dice = seed * 1000003;
    model.result = result;
    for (unsigned i = 0; i < situation->backends; i++)
        model.backends[i].last = &model.backends[i].first;
    for (unsigned i = 0; i < there; i++)
        workers += situation->workers / (i < situation->slow_count ? situation->slow_times : 1);
    model.gap_s = 0.05 / (situation->load * workers);
    model_configure(0, situation->joins ? 1 : 0);
    model_later(model_gap_s(), MODEL_ARRIVAL, 0, NULL);
    model_later(MODEL_LOOK_MS / 1e3, MODEL_LOOK, 0, NULL);
    if (situation->joins)
        model_later(times->begin, MODEL_JOINED, 0, NULL);
}

static void model_close(void)
{
    weir_books_t books;

    weir_module_close(&model.modules[0]);
    weir_module_close(&model.modules[1]);
    model_events_free();
    while (model.spare != NULL) {
        model_request_t *request = model.spare;
        model.spare = request->next;
        free(request);
    }
    books = weir_exchange_books();
    assert_true(books.begun == books.ended && books.picks == books.checkins);
    fake_loop_finish(&w.loop);
}

static void model_on_event(const model_event_t *event)
{
    const bool is_for_it = event->request != NULL && event->request->number == event->number && event->request->is_open;

    switch (event->what) {
    case MODEL_ARRIVAL:
        model_on_arrival();
        break;
    case MODEL_DONE:
        model_on_done(event->backend, event->request);
        break;
    case MODEL_FAILED:
        if (is_for_it)
            model_answer(event->request, model_mood(event->backend) == MODEL_IS_BUSY ? 429 : 500);
        break;
    case MODEL_TIMEOUT:
        if (is_for_it)
            model_give_up(event->request);
        break;
    case MODEL_JOINED:
        model_configure(1, 0);
        break;
    case MODEL_LOOK:
        model_look_at_members();
        break;
    }
}

/** One run, until its last request has ended; adds to `result`. */
static inline void model_run(const situation_t *situation, const model_times_t *times, uint64_t seed, model_result_t *result)
{
    model_event_t event;

    model_open(situation, times, seed, result);
    while (model_event_take(&event)) {
        model_pass_to(event.at_us);
        model_on_event(&event);
    }
    model_close();
}

#endif
