/* SPDX-License-Identifier: MIT */
/*
 * What routing costs: lookups among a million domains, choices, and the memory of apps and members, against their budgets.
 * Linked with what the proxy is made of; no sockets. Prints one Markdown table.
 *
 * Times are CPU time of the thread, the best of TRIES: others use the machine, too. Memory is what malloc has given out, with
 * what it keeps of its own for each piece. Apps are of one, two and three members, a third of them each: what a member costs
 * is half the difference between the first and the last third, what an app costs is the rest.
 *
 * A request here is what the router `table` makes of one by the kit's public functions, questions and answers included:
 * lookup, checkout, backend, answered, checkin, end. `The choice alone` is what of that a simulation of the rules had
 * measured: the pick, its slot, the count of its answer.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "lib/base/clock.h"
#include "lib/wire/loop/grace.h"
#include "lib/wire/loop/loop.h"
#include "router/kit/affinity.h"
#include "router/kit/alloc.h"
#include "router/kit/health.h"
#include "router/kit/instance.h"
#include "router/kit/lease.h"
#include "router/question.h"
#include "weir_retire.h"

enum {
    THIRDS = 3, /* of one member an app, of two, of three */
    PER_THIRD = 33334,
    APPS = THIRDS * PER_THIRD,
    DOMAINS = 1000000,
    NAME_BYTES = 31,
    HOT = 1000,
    SEATS = 16, /* requests of a thread at the same time */
    THREADS_MOST = 2,
    TRIES = 5,
    QUIET_ONE_OF = 256,
    ROUNDS = 1000000,
    COLD_ROUNDS = 200000, /* of what waits for memory */
    TOUCHES = 8,          /* rounds until every member of an app has had a request */
    CHANGE_SECONDS = 3,
};

typedef enum job_kind { LOOKUP, WHOLE, WHOLE_OF_ONE, CHOICE_OF_ONE, ADDITION } job_kind_t;

typedef struct seat {
    weir_exchange_t x;
    weir_lease_t lease;
    weir_header_t headers[4];
    bool is_taken;
} seat_t;

/* A thread that serves. */
typedef struct worker {
    weir_loop_t loop; /* only its clock is looked at */
    weir_grace_reader_t reader;
    uint64_t dice;
    seat_t seats[SEATS];
    job_kind_t kind;
    size_t among; /* the first so many domains */
    long rounds;
    weir_set_t *set;    /* of …_OF_ONE */
    weir_span_t cookie; /* base NULL: requests bring none */
    double ns;          /* of a round */
} worker_t;

static char (*names)[NAME_BYTES + 1];
static weir_kit_t *kits[THIRDS];
static worker_t workers[THREADS_MOST];
static _Atomic bool has_ended;

/* ---- time, dice, memory ---- */

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t roll(uint64_t *dice)
{
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t roll_of(void *dice)
{
    return roll(dice);
}

static size_t below(uint64_t *dice, size_t most)
{
    return (size_t)((roll(dice) >> 32) * most >> 32);
}

static double allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)info.uordblks + (double)info.hblkhd; /* small pieces, and large ones */
}

/* ---- one request ---- */

static void new_request(worker_t *worker, seat_t *seat)
{
    static const char *const fields[][2] = {{"host", "shop.example.net"}, {"user-agent", "bench/1"}, {"accept", "*/*"}};
    const size_t count = sizeof(fields) / sizeof(fields[0]);

    memset(&seat->x.request, 0, sizeof(seat->x.request));
    memset(&seat->lease, 0, sizeof(seat->lease));
    for (size_t i = 0; i < count; i++) {
        const weir_span_t name = {fields[i][0], strlen(fields[i][0])}, value = {fields[i][1], strlen(fields[i][1])};
        seat->headers[i] = (weir_header_t){.name = name, .value = value, .id = weir_header_id(name)};
    }
    if (worker->cookie.base != NULL)
        seat->headers[count] =
            (weir_header_t){.name = WEIR_SPAN("cookie"), .value = worker->cookie, .id = weir_header_id(WEIR_SPAN("cookie"))};
    seat->x.request.headers.at = seat->headers;
    seat->x.request.headers.count = count + (worker->cookie.base != NULL);
    seat->x.loop = &worker->loop;
    seat->x.request.method = WEIR_SPAN("GET");
    seat->x.request.peer_ip = WEIR_SPAN("192.0.2.7");
    seat->x.dice = roll(&worker->dice);
    seat->x.has_dice = true;
}

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "routing: %s\n", what);
    exit(1);
}

static void begin_request(worker_t *worker, seat_t *seat, weir_set_t *set)
{
    new_request(worker, seat);
    ask_question_t *q = ask_question_create(&seat->x, ASK_CHECKOUT, NULL);
    (void)weir_lease_checkout(&seat->lease, set, &seat->x.request, ask_handle(q));
    must(q->answer.service != NULL, "a request was not picked for");
    ask_question_free(q);
    q = ask_question_create(&seat->x, ASK_BACKEND, NULL);
    (void)weir_lease_backend(&seat->lease, &seat->x.request, ask_handle(q));
    ask_question_free(q);
    seat->is_taken = true;
}

static void end_request(seat_t *seat)
{
    const weir_attempt_t attempt = {
        .size = sizeof(attempt), .number = 1, .reach = WEIR_REACH_HEAD, .status = 200, .grpc_status = -1, .head_us = 1000};

    if (!seat->is_taken)
        return;
    seat->is_taken = false;
    weir_lease_answered(&seat->lease, &seat->x.request, &attempt);
    ask_question_t *q = ask_question_create(&seat->x, ASK_CHECKIN, NULL);
    q->phase = WEIR_CONNECTED;
    (void)weir_lease_checkin(&seat->lease, &seat->x.request, ask_handle(q));
    ask_question_free(q);
    weir_lease_end(&seat->lease);
}

static void begin_choice(worker_t *worker, seat_t *seat)
{
    static const kit_asking_t asking = {false, true};
    kit_lease_t *lease = kit_lease_of(&seat->lease);
    kit_why_none_t why;

    memset(lease, 0, sizeof(*lease));
    lease->set = worker->set;
    lease->member = kit_lease_take(lease, &asking, roll_of, &worker->dice, worker->loop.now_us, &why);
    must(lease->member != NULL, "a request was not picked for");
    seat->is_taken = true;
}

static void end_choice(worker_t *worker, seat_t *seat)
{
    kit_lease_t *lease = kit_lease_of(&seat->lease);
    const kit_note_t note = {.result = KIT_RESULT_SUCCESS, .head_us = 1000, .client = 7, .now_us = worker->loop.now_us};

    if (!seat->is_taken)
        return;
    seat->is_taken = false;
    atomic_store_explicit(&lease->member->head_at_us, worker->loop.now_us, memory_order_relaxed);
    kit_note(lease->set, lease->member, atomic_load(&lease->set->settings), &note);
    kit_lease_free(lease->member, KIT_ONE_WAITING);
    kit_lease_free(lease->member, KIT_ONE_IN_FLIGHT);
}

static weir_set_t *find(size_t domain)
{
    return weir_kit_find(kits[0], (weir_span_t){names[domain], NAME_BYTES}, WEIR_SPAN("/"), NULL);
}

/* ---- threads that serve ---- */

static void join(worker_t *worker, uint64_t dice)
{
    worker->dice = dice;
    worker->loop.now_us = weir_clock_monotonic_us();
    worker->loop.wall_offset_us = weir_clock_wall_us() - worker->loop.now_us;
    weir_grace_join(&worker->reader);
}

static void be_quiet(worker_t *worker)
{
    worker->loop.now_us = weir_clock_monotonic_us();
    weir_grace_quiet(&worker->reader);
}

/* What the machine itself takes for one write that all threads share: the yardstick of those below. */
static struct {
    _Alignas(64) _Atomic uint64_t count;
} shared_lines[THIRDS];

static void do_round(worker_t *worker, seat_t *seat)
{
    if (worker->kind == ADDITION) {
        atomic_fetch_add(&shared_lines[below(&worker->dice, THIRDS)].count, 1);
        return;
    }
    const bool is_of_one = worker->kind == WHOLE_OF_ONE || worker->kind == CHOICE_OF_ONE;
    weir_set_t *set = is_of_one ? worker->set : find(below(&worker->dice, worker->among));

    if (worker->kind == LOOKUP) {
        must(set != NULL, "a domain was not found");
        return;
    }
    if (worker->kind == CHOICE_OF_ONE) {
        end_choice(worker, seat);
        begin_choice(worker, seat);
        return;
    }
    end_request(seat);
    begin_request(worker, seat, set);
}

static void end_all(worker_t *worker)
{
    for (size_t i = 0; i < SEATS; i++) {
        if (worker->kind == ADDITION)
            continue;
        if (worker->kind == CHOICE_OF_ONE)
            end_choice(worker, &worker->seats[i]);
        else
            end_request(&worker->seats[i]);
    }
}

/* rounds 0: until has_ended. */
static void *serve(void *of)
{
    worker_t *worker = of;
    long made = 0;

    join(worker, (uint64_t)(worker - workers + 1) * 12345);
    const double start = cpu_seconds();
    for (; worker->rounds == 0 ? !atomic_load(&has_ended) : made < worker->rounds; made++) {
        do_round(worker, &worker->seats[made % SEATS]);
        if (made % QUIET_ONE_OF == 0)
            be_quiet(worker);
    }
    worker->ns = 1e9 * (cpu_seconds() - start) / (double)made;
    end_all(worker);
    weir_grace_part(&worker->reader);
    return NULL;
}

static double run_once(const worker_t *job, int threads)
{
    pthread_t ids[THREADS_MOST];
    double ns = 0;

    for (int i = 0; i < threads; i++) {
        workers[i].kind = job->kind;
        workers[i].among = job->among;
        workers[i].rounds = job->rounds;
        workers[i].set = job->set;
        workers[i].cookie = job->cookie;
        must(pthread_create(&ids[i], NULL, serve, &workers[i]) == 0, "no thread");
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        ns += workers[i].ns / threads;
    }
    return ns;
}

/* Nanoseconds of a round. */
static double measure(const worker_t *job, int threads)
{
    double best = run_once(job, threads);

    for (int i = 1; i < TRIES; i++) {
        const double ns = run_once(job, threads);
        best = ns < best ? ns : best;
    }
    return best;
}

static double measure_among(job_kind_t kind, size_t among)
{
    const long rounds = kind == WHOLE && among == DOMAINS ? COLD_ROUNDS : ROUNDS;

    return measure(&(worker_t){.kind = kind, .among = among, .rounds = rounds}, 1);
}

static double measure_one(job_kind_t kind, weir_set_t *set, int threads, weir_span_t cookie)
{
    return measure(&(worker_t){.kind = kind, .set = set, .rounds = ROUNDS, .cookie = cookie}, threads);
}

/* ---- apps ---- */

static yoml_t *describe(size_t third)
{
    size_t bytes = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &bytes);

    fprintf(out, "apps:\n");
    for (size_t i = 0; i < PER_THIRD; i++) {
        fprintf(out, "  app-%05zu: { domains: [d%05zu.test], backends: [", i, i);
        for (size_t k = 0; k <= third; k++)
            fprintf(out, "%s\"10.%zu.%02zu.%03zu:8080\"", k == 0 ? "" : ", ", k, 10 + i / 900, 100 + i % 900 % 150);
        fprintf(out, "] }\n");
    }
    fclose(out);
    yoml_t *node = conf_yaml_parse((weir_span_t){text, bytes}, "routing.yaml");
    free(text);
    must(node != NULL, "its configuration cannot be read");
    return node;
}

/* What a third of the apps costs, and with it each app and each of its members. */
typedef struct costs {
    double of_third[THIRDS];
    double member, app;
} costs_t;

static void work_out(costs_t *costs)
{
    costs->member = (costs->of_third[THIRDS - 1] - costs->of_third[0]) / (THIRDS - 1) / PER_THIRD;
    costs->app = costs->of_third[0] / PER_THIRD - costs->member;
}

/* `configured`: what is kept of the configuration; `idle`: what there is besides, once it is in force. */
static void start_apps(costs_t *configured, costs_t *idle)
{
    for (size_t i = 0; i < THIRDS; i++) {
        yoml_t *node = describe(i);
        const double before = allocated();
        kits[i] = weir_kit_open(conf_config_of(node), NULL);
        must(kits[i] != NULL, "its configuration is refused");
        const double opened = allocated();
        weir_kit_start(kits[i], NULL);
        idle->of_third[i] = allocated() - opened;
        configured->of_third[i] = opened - before - (double)kit_domains_memory_bytes(kits[i]->domains);
        conf_yaml_release(&node);
    }
    work_out(configured);
    work_out(idle);
}

static double address_bytes(void)
{
    const kit_address_t *some = atomic_load(&kits[0]->apps[0].set->members[0]->address);
    place_t place = {.host = some->host, .port = some->port};
    char problem[256];
    kit_address_t **all = kit_alloc(PER_THIRD, sizeof(all[0]));
    const double before = allocated();

    for (size_t i = 0; i < PER_THIRD; i++)
        all[i] = kit_address_create(NULL, &place, NULL, some->manner, problem, sizeof(problem));
    const double bytes = (allocated() - before) / PER_THIRD;
    for (size_t i = 0; i < PER_THIRD; i++)
        kit_address_release(all[i]);
    free(all);
    return bytes;
}

static void touch(worker_t *worker, weir_set_t *set)
{
    for (int i = 0; i < TOUCHES; i++) {
        for (size_t k = 0; k < set->member_count; k++)
            begin_request(worker, &worker->seats[k], set);
        for (size_t k = 0; k < set->member_count; k++)
            end_request(&worker->seats[k]);
    }
}

/* Every member gets requests; *tick_ns: of the tick behind that, for each member. */
static void use_apps(costs_t *in_use, double *tick_ns)
{
    worker_t *worker = &workers[0];
    double tick_seconds = 0;

    join(worker, 42);
    for (size_t i = 0; i < THIRDS; i++) {
        const double before = allocated();
        for (size_t k = 0; k < PER_THIRD; k++)
            touch(worker, kits[i]->apps[k].set);
        kit_tick(kits[i]);
        const double start = cpu_seconds();
        kit_tick(kits[i]);
        tick_seconds += cpu_seconds() - start;
        in_use->of_third[i] = allocated() - before;
    }
    weir_grace_part(&worker->reader);
    work_out(in_use);
    *tick_ns = 1e9 * tick_seconds / (PER_THIRD * (1 + 2 + 3));
}

/* ---- domains ---- */

static double make_domains(void)
{
    kit_domains_t *domains = kit_domains_create(weir_retire);
    bool is_full;

    names = kit_alloc(DOMAINS, sizeof(names[0]));
    for (size_t i = 0; i < DOMAINS; i++) {
        const unsigned number = (unsigned)(i * UINT64_C(2654435761) % 0xfffffff);
        const int length = snprintf(names[i], sizeof(names[i]), "shop-%09x.apps.example.net", number);
        must(length == NAME_BYTES, "a name has another length");
    }
    const double start = cpu_seconds();
    for (size_t i = 0; i < DOMAINS; i++) {
        kit_app_t *app = &kits[i % THIRDS]->apps[i / THIRDS % PER_THIRD];
        must(kit_domains_add(domains, (weir_span_t){names[i], NAME_BYTES}, app, &is_full) == NULL, "a name is there twice");
    }
    const double seconds = cpu_seconds() - start;
    kit_domains_destroy(&kits[0]->domains);
    kits[0]->domains = domains;
    return seconds;
}

/* ---- affinity ---- */

static void set_affinity(weir_set_t *set, const kit_app_t *app, bool is_on)
{
    kit_settings_t *settings = kit_alloc(1, sizeof(*settings));
    char problem[256];
    kit_ring_t *ring = kit_ring_find(&set->instance->rings, NULL, problem, sizeof(problem));

    must(ring != NULL, problem);
    kit_settings_copy(app->settings, settings);
    settings->affinity.is_on = is_on;
    pthread_mutex_lock(&set->instance->lock);
    kit_set_apply(set, settings, is_on ? ring : NULL, app->manner, app->wanted, app->wanted_count, NULL,
                  weir_clock_monotonic_us());
    pthread_mutex_unlock(&set->instance->lock);
}

/* Nanoseconds that a request with a good cookie takes longer than the same one where nobody looks at it. */
static double measure_affinity(void)
{
    const kit_app_t *app = &kits[THIRDS - 1]->apps[1];
    static char text[128];
    char value[KIT_AFFINITY_TEXT_BYTES + 1];

    set_affinity(app->set, app, true);
    const kit_keys_t *keys = kit_ring_keys(atomic_load(&app->set->ring));
    const weir_span_t name = weir_set_name(app->set);
    const kit_pin_t pin = {.member = kit_affinity_member(keys, name, weir_member_id(app->set->members[0])),
                           .session_key = 77,
                           .issued_s = weir_clock_wall_us() / 1000000};
    must(kit_affinity_write(keys, name, &pin, value), "no key signs");
    const int length = snprintf(text, sizeof(text), "theme=dark; weir-affinity=%s", value);
    const weir_span_t cookie = {text, (size_t)length};
    const double with = measure_one(WHOLE_OF_ONE, app->set, 1, cookie);
    must(kit_lease_of(&workers[0].seats[0].lease)->pin_state == KIT_PIN_KEPT, "the cookie is not believed");
    set_affinity(app->set, app, false);
    return with - measure_one(WHOLE_OF_ONE, app->set, 1, cookie);
}

/* ---- changes ---- */

static void change(const weir_kit_t *kit, const kit_app_t *app, uint32_t weight)
{
    kit_wanted_t wanted[THIRDS];

    for (size_t i = 0; i < app->wanted_count; i++) {
        wanted[i] = app->wanted[i];
        wanted[i].weight = weight + (uint32_t)i;
    }
    pthread_mutex_lock(&kit->instance->lock);
    kit_set_apply(app->set, kit_settings_hold(app->settings), NULL, app->manner, wanted, app->wanted_count, NULL,
                  weir_clock_monotonic_us());
    pthread_mutex_unlock(&kit->instance->lock);
}

/* Changes in a second of CPU time, while another thread serves; *out_ns: a request of that. */
static double measure_changes(double *out_ns)
{
    pthread_t id;
    uint64_t dice = 7;
    long made = 0;
    double start, seconds;

    atomic_store(&has_ended, false);
    workers[0].kind = WHOLE;
    workers[0].among = DOMAINS;
    workers[0].rounds = 0;
    workers[0].cookie = (weir_span_t){NULL, 0};
    must(pthread_create(&id, NULL, serve, &workers[0]) == 0, "no thread");
    start = cpu_seconds();
    do {
        const weir_kit_t *kit = kits[below(&dice, THIRDS)];
        change(kit, &kit->apps[below(&dice, PER_THIRD)], 50 + (uint32_t)below(&dice, 50));
        if (++made % QUIET_ONE_OF == 0)
            (void)weir_grace_release();
        seconds = cpu_seconds() - start;
    } while (seconds < CHANGE_SECONDS);
    atomic_store(&has_ended, true);
    pthread_join(id, NULL);
    *out_ns = workers[0].ns;
    return (double)made / seconds;
}

/* ---- the table ---- */

/* budget 0: there is none, it is told beside the others. `is_least`: the budget is what must be reached. */
static void row(const char *thing, double budget, const char *unit, double measured, bool is_least)
{
    printf("| %s | ", thing);
    if (budget > 0)
        printf("%s %.10g %s | %.*f %s | %.2f |\n", is_least ? "≥" : "≤", budget, unit, measured < 10 ? 2 : 0, measured, unit,
               measured / budget);
    else
        printf("– | %.*f %s | |\n", measured < 10 ? 2 : 0, measured, unit);
}

static void print_times(double built_seconds)
{
    const weir_span_t none = {NULL, 0};
    weir_set_t *one = kits[THIRDS - 1]->apps[0].set;
    double serving_ns;

    row("build of 1,000,000 domains", 3, "s", built_seconds, false);
    row("lookup among 1,000,000", 0, "ns", measure_among(LOOKUP, DOMAINS), false);
    row("lookup among 1,000", 0, "ns", measure_among(LOOKUP, HOT), false);
    row("lookup + checkout + check-in, uniform among 1,000,000", 1000, "ns", measure_among(WHOLE, DOMAINS), false);
    row("the same among 1,000", 0, "ns", measure_among(WHOLE, HOT), false);
    row("checkout + check-in of one app, a thread", 0, "ns", measure_one(WHOLE_OF_ONE, one, 1, none), false);
    row("the same, 2 threads", 0, "ns", measure_one(WHOLE_OF_ONE, one, 2, none), false);
    row("one addition to one of three lines, 2 threads", 0, "ns", measure_one(ADDITION, NULL, 2, none), false);
    row("the choice alone, a thread", 0, "ns", measure_one(CHOICE_OF_ONE, one, 1, none), false);
    row("the choice alone, 2 threads", 60, "ns", measure_one(CHOICE_OF_ONE, one, 2, none), false);
    row("affinity check, besides", 500, "ns", measure_affinity(), false);
    row("changes of an app's members a second, while serving", 10000, "/s", measure_changes(&serving_ns), true);
    row("lookup + checkout + check-in meanwhile", 0, "ns", serving_ns, false);
}

int main(void)
{
    costs_t configured, idle, in_use;
    double tick_ns, built_seconds;

    mallopt(M_ARENA_MAX, 1);
    start_apps(&configured, &idle);
    const double address = address_bytes();
    use_apps(&in_use, &tick_ns);
    built_seconds = make_domains();
    printf("%d apps of one to three members, %d domains of %d bytes.\n\n", APPS, DOMAINS, NAME_BYTES);
    printf("| thing | budget | measured | measured / budget |\n|---|---|---|---|\n");
    row("a domain", 72, "B", (double)kit_domains_memory_bytes(kits[0]->domains) / DOMAINS, false);
    row("app idle, with its name of 9 bytes", 192, "B", idle.app, false);
    row("member idle, without its address", 160, "B", idle.member - address, false);
    row("address of a member", 0, "B", address, false);
    row("app in use, besides", 512, "B", in_use.app, false);
    row("member in use, besides", 128, "B", in_use.member, false);
    row("what is kept of an app's configuration", 0, "B", configured.app, false);
    row("what is kept of a member's", 0, "B", configured.member, false);
    row("tick, for each member in use", 0, "ns", tick_ns, false);
    print_times(built_seconds);
    return 0;
}
