/* SPDX-License-Identifier: MIT */
#ifndef KIT_QUEUE_WORLD_H
#define KIT_QUEUE_WORLD_H
/**
 * @file  Requests that take, wait for, leave and give back slots of the real kit, without sockets and without a walk: each is a
 * seat, which makes its questions itself and reads their answers when it likes.
 *
 * A question here never leaves the state of a call: whoever answers it, on whichever thread, posts no letter.
 *
 * THREAD   A seat is its worker's. Configurations are put in force by any, one at a time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "lib/base/clock.h"
#include "lib/wire/loop/loop.h"
#include "router/kit/affinity.h"
#include "router/kit/instance.h"
#include "router/kit/lease.h"
#include "router/kit/queue.h"
#include "router/kit/view.h"
#include "router/question.h"

enum {
    WORKERS = 8,
    SEATS = 10, /* of each worker */
    CLIENTS = 24,
    SHAPES = 32, /* configurations; the last has all members, and no limit that anybody meets */
    SHAPE_BYTES = 4096,
    MEMBERS = 4, /* of each app, at most */
};

enum { APP_TIGHT, APP_WHOLE, APP_HELD, APP_PINNED, APP_SHORT, APP_TURN, APPS };

typedef enum seat_state { SEAT_IDLE, SEAT_ASKING, SEAT_LEFT, SEAT_PICKED, SEAT_HEADED } seat_state_t;

typedef struct seat {
    weir_exchange_t x;
    weir_lease_t lease;
    weir_header_t cookie; /* its only header */
    char cookie_text[80];
    ask_question_t *question; /* of a checkout; NULL: none is open */
    seat_state_t state;
    size_t app;
    bool has_waited; /* its checkout was not answered on the spot */
} seat_t;

typedef struct worker {
    weir_loop_t loop; /* only its clock is looked at */
    weir_grace_reader_t reader;
    uint64_t dice;
    seat_t seats[SEATS];
    uint64_t picks, waits, refusals, leavings, left_with_a_pick, applied, quiets, trials;
} worker_t;

static const char *const app_names[APPS] = {"tight", "whole", "held", "pinned", "short", "turn"};
static worker_t workers[WORKERS];
static yoml_t *shapes[SHAPES];
static weir_set_t *sets[APPS];
static weir_kit_t *kit_in_force;
static pthread_mutex_t apply_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t picked_later[APPS]; /* of those who have waited: it was seen by their worker */
static char client_names[CLIENTS][24];
static _Atomic bool is_wrong; /* then everybody ends */
static char wrong[200];       /* the first thing that is */

/* A worker cannot use cmocka's assertions: they leave the thread. */
static inline bool must(bool holds, const char *what, size_t app)
{
    if (!holds && !atomic_exchange(&is_wrong, true))
        snprintf(wrong, sizeof(wrong), "app %s: %s", app_names[app], what);
    return holds;
}

static inline uint64_t roll(uint64_t *dice, uint64_t below)
{
    uint64_t z = *dice += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (z ^ z >> 31) % below;
}

static inline void assert_nothing_is_wrong(void)
{
    if (atomic_load(&is_wrong))
        fail_msg("%s", wrong);
}

/* Of the environment. */
static inline uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

/* ---- configurations ---- */

static inline char *write_members(char *at, uint64_t *dice, bool may_be_none, bool is_whole)
{
    uint64_t which = is_whole ? (1 << MEMBERS) - 1 : roll(dice, 1 << MEMBERS);

    if (which == 0 && !may_be_none)
        which = 1 + roll(dice, (1 << MEMBERS) - 1);
    at += sprintf(at, "    backends: [");
    for (unsigned i = 0; i < MEMBERS; i++)
        if ((which >> i & 1) != 0)
            at += sprintf(at, "%s{ at: \"127.0.0.1:%u\", id: m%u, state: %s }", which >> i << i == which ? "" : ", ", 1000 + i,
                          i, !is_whole && roll(dice, 8) == 0 ? "off" : "up");
    return at + sprintf(at, "]\n");
}

static inline void write_shape(char *at, uint64_t *dice, bool is_whole)
{
    static const char *const settings[APPS] = {
        "balance: round-robin",
        "balance: random\n    queue: { length: 100000, timeout: 3600000, order: fifo }",
        "hold: 3600000\n    release-window: 1",
        "affinity: { patience: 3600000 }\n    drain-timeout: 20",
        "queue: { length: 3, timeout: 3600000 }",
        "balance: hash\n    hash-on: client\n    queue: { length: 100000, timeout: 3600000 }",
    };

    at += sprintf(at, "name: crowd\ndefaults: { queue: { length: 100000, timeout: 3600000 }, quarantine-base: 100, "
                      "quarantine-longest: 100 }\napps:\n");
    for (size_t i = 0; i < APPS; i++) {
        unsigned limit = is_whole ? 1000 : 1 + (unsigned)roll(dice, 3), all = is_whole ? 0 : (unsigned)roll(dice, 7);
        at += sprintf(at, "  %s:\n    domains: [%s]\n    %s\n", app_names[i], app_names[i], settings[i]);
        at += sprintf(at, "    max-requests: %u\n    app-max-requests: %u\n", limit, all);
        at = write_members(at, dice, i == APP_HELD || i == APP_TURN, is_whole);
    }
}

static inline void read_shape(size_t index, const char *text)
{
    shapes[index] = conf_yaml_parse((weir_span_t){text, strlen(text)}, "shape.yaml");
    assert_non_null(shapes[index]);
}

static inline void make_shapes(uint64_t dice)
{
    char text[SHAPE_BYTES];

    for (size_t i = 0; i < SHAPES; i++) {
        write_shape(text, &dice, i + 1 == SHAPES);
        read_shape(i, text);
    }
}

/* As a reload does: what is new is put in force, then what was before lets go. */
static inline void apply(size_t shape)
{
    pthread_mutex_lock(&apply_lock);
    weir_kit_t *before = kit_in_force, *kit = weir_kit_open(conf_config_of(shapes[shape]), NULL);
    if (must(kit != NULL, "its configuration is refused", 0)) {
        weir_kit_start(kit, NULL);
        for (size_t i = 0; i < APPS; i++)
            if (sets[i] != NULL)
                atomic_store(&sets[i]->has_ticks, true); /* there are, though the kit does not know of them */
        kit_in_force = kit;
        weir_kit_stop(before);
        weir_kit_close(&before);
    }
    pthread_mutex_unlock(&apply_lock);
}

/* The first of the shapes, which have been read, is in force. */
static inline void open_world(uint64_t seed)
{
    assert_null(kit_in_force); /* a test that fails leaves its world behind */
    atomic_store(&is_wrong, false);
    for (size_t i = 0; i < CLIENTS; i++)
        snprintf(client_names[i], sizeof(client_names[i]), "10.0.%zu.7", i);
    kit_in_force = weir_kit_open(conf_config_of(shapes[0]), NULL);
    assert_non_null(kit_in_force);
    weir_kit_start(kit_in_force, NULL);
    for (size_t i = 0; i < APPS; i++) {
        sets[i] = weir_kit_set(kit_in_force, (weir_span_t){app_names[i], strlen(app_names[i])}, NULL);
        atomic_store(&picked_later[i], 0);
    }
    memset(workers, 0, sizeof(workers));
    for (size_t i = 0; i < WORKERS; i++)
        workers[i].dice = seed * WORKERS + i;
}

static inline void close_world(void)
{
    weir_kit_stop(kit_in_force);
    weir_kit_close(&kit_in_force);
    for (size_t i = 0; i < SHAPES; i++)
        if (shapes[i] != NULL)
            conf_yaml_release(&shapes[i]);
}

/* ---- what a request does ---- */

static inline bool is_of_even_id(const weir_member_t *member, void *context)
{
    return (weir_member_id(member).base[1] - '0') % 2 == 0;
}

/* `cookie`: as it stands in the request; borrowed until that ends. */
static inline void bring(seat_t *seat, weir_span_t cookie)
{
    seat->cookie = (weir_header_t){.name = WEIR_SPAN("cookie"), .value = cookie, .id = weir_header_id(WEIR_SPAN("cookie"))};
    seat->x.request.headers.at = &seat->cookie;
    seat->x.request.headers.count = 1;
}

/* A browser that has been with that member, which may exist no more. */
static inline void bring_a_cookie(worker_t *worker, seat_t *seat, uint64_t number)
{
    const kit_keys_t *keys = kit_ring_keys(atomic_load(&sets[seat->app]->ring));
    const char id[] = {'m', (char)('0' + number), '\0'};
    const weir_span_t app = weir_set_name(sets[seat->app]);
    const kit_pin_t pin = {.member = kit_affinity_member(keys, app, (weir_span_t){id, 2}),
                           .session_key = 1 + roll(&worker->dice, 1000),
                           .issued_s = weir_loop_wall_us(&worker->loop) / 1000000};
    char value[KIT_AFFINITY_TEXT_BYTES + 1];

    (void)must(kit_affinity_write(keys, app, &pin, value), "no key signs", seat->app);
    const int length = snprintf(seat->cookie_text, sizeof(seat->cookie_text), "weir-affinity=%s", value);
    bring(seat, (weir_span_t){seat->cookie_text, (size_t)length});
}

static inline void new_request_of(worker_t *worker, seat_t *seat, size_t app, size_t client_number)
{
    const char *client = client_names[client_number];

    memset(&seat->x.request, 0, sizeof(seat->x.request));
    memset(&seat->lease, 0, sizeof(seat->lease));
    seat->app = app;
    seat->x.loop = &worker->loop;
    seat->x.request.method = WEIR_SPAN("GET");
    seat->x.request.peer_ip = (weir_span_t){client, strlen(client)};
    seat->x.dice = worker->dice;
    seat->x.has_dice = true;
}

typedef struct one_of {
    uint64_t left;
    const weir_member_t *member;
} one_of_t;

static inline bool look_for_one(const weir_member_t *member, void *context)
{
    one_of_t *one = context;

    one->member = member;
    return one->left-- > 0;
}

/* Whoever that is, it may be gone before the request is served. */
static inline void prefer_anybody(worker_t *worker, seat_t *seat)
{
    one_of_t one = {.left = roll(&worker->dice, MEMBERS)};
    weir_member_facts_t facts = {.size = sizeof(facts)};

    weir_set_members(sets[seat->app], look_for_one, &one);
    if (one.member == NULL)
        return;
    weir_member_facts(one.member, &facts);
    (void)must(facts.waiting <= facts.in_flight, "more wait than there are", seat->app);
    weir_lease_prefer(&seat->lease, one.member);
}

static inline void new_request(worker_t *worker, seat_t *seat)
{
    new_request_of(worker, seat, roll(&worker->dice, APPS), roll(&worker->dice, CLIENTS));
    if (seat->app == APP_PINNED && roll(&worker->dice, 4) != 0)
        bring_a_cookie(worker, seat, roll(&worker->dice, MEMBERS + 1));
    else if (seat->app != APP_WHOLE && roll(&worker->dice, 8) == 0)
        weir_lease_filter(&seat->lease, is_of_even_id, NULL);
    if (roll(&worker->dice, 4) == 0)
        prefer_anybody(worker, seat);
}

static inline void check_in(seat_t *seat, weir_phase_t phase, const weir_fault_t *fault)
{
    ask_question_t *q = ask_question_create(&seat->x, ASK_CHECKIN, NULL);

    q->phase = phase;
    q->about = fault;
    (void)weir_lease_checkin(&seat->lease, &seat->x.request, ask_handle(q));
    (void)must(atomic_load(&q->state) == ASK_ANSWERED, "a check-in is not answered", seat->app);
    ask_question_free(q);
}

static inline void end_request(seat_t *seat)
{
    weir_lease_end(&seat->lease);
    seat->state = SEAT_IDLE;
}

/* Its answer may come from any thread, at any time from now on: it is read by look_for_answer(). */
static inline void check_out(seat_t *seat)
{
    seat->question = ask_question_create(&seat->x, ASK_CHECKOUT, NULL);
    seat->state = SEAT_ASKING;
    (void)weir_lease_checkout(&seat->lease, sets[seat->app], &seat->x.request, ask_handle(seat->question));
    seat->has_waited = atomic_load_explicit(&seat->question->state, memory_order_acquire) != ASK_ANSWERED;
}

static inline void take_answer(worker_t *worker, seat_t *seat)
{
    const weir_service_t *service = seat->question->answer.service;
    const bool has_left = seat->state == SEAT_LEFT;

    (void)must((service == NULL) != (seat->question->answer.fault == NULL), "neither picked nor refused", seat->app);
    (void)must((const void *)service == kit_lease_of(&seat->lease)->member, "another member was counted", seat->app);
    ask_question_free(seat->question);
    seat->question = NULL;
    worker->picks += service != NULL;
    worker->refusals += service == NULL;
    worker->waits += seat->has_waited;
    worker->trials += service != NULL && kit_lease_of(&seat->lease)->is_trial;
    worker->left_with_a_pick += has_left && service != NULL;
    if (service != NULL && seat->has_waited)
        atomic_fetch_add(&picked_later[seat->app], 1);
    seat->state = SEAT_PICKED;
    if (service != NULL && !has_left)
        return;
    check_in(seat, WEIR_CHECKOUT, has_left ? &weir_fault_client_closed : &weir_fault_backend_refused);
    end_request(seat);
}

static inline bool is_answered(const seat_t *seat)
{
    return atomic_load_explicit(&seat->question->state, memory_order_acquire) == ASK_ANSWERED;
}

static inline void leave_queue(worker_t *worker, seat_t *seat)
{
    worker->leavings++;
    seat->state = SEAT_LEFT;
    weir_lease_abandoned(&seat->lease, &seat->x.request);
}

static inline void send_request(seat_t *seat)
{
    ask_question_t *q = ask_question_create(&seat->x, ASK_BACKEND, NULL);

    (void)weir_lease_backend(&seat->lease, &seat->x.request, ask_handle(q));
    (void)must(atomic_load(&q->state) == ASK_ANSWERED, "a pick has no address", seat->app);
    ask_question_free(q);
}

static inline void get_head(seat_t *seat, uint16_t status)
{
    const weir_attempt_t attempt = {
        .size = sizeof(attempt), .number = 1, .reach = WEIR_REACH_HEAD, .status = status, .grpc_status = -1, .head_us = 1000};

    weir_lease_answered(&seat->lease, &seat->x.request, &attempt);
    seat->state = SEAT_HEADED;
}

#endif
