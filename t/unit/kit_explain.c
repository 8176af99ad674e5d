/* SPDX-License-Identifier: MIT */
/* What is explained of a request is what becomes of the next one; and explaining it changes nothing. */
#include "kit_queue_world.h"

#include "lib/walk/steward.h"
#include "router/explain.h"
#include "router/kit/explain.h"
#include "weir_span.h"

enum { CASES = 1000, TEXT_BYTES = 8192, CREW = 9, TROUBLES = 5 };

static worker_t *const worker = &workers[0];
static uint64_t dice;

static const char *one_of_words(const char *const *words, size_t count)
{
    return words[roll(&dice, count)];
}

#define ONE_OF(...)                                                                                                            \
    one_of_words((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- a world ---- */

static char *write_settings(char *at)
{
    at += sprintf(at, "name: crowd\napps:\n  pinned:\n    domains: [\"*\"]\n    balance: %s\n    max-requests: %u\n",
                  ONE_OF("best", "best", "least", "round-robin", "random", "hash", "hash"), (unsigned)roll(&dice, 12));
    at += sprintf(at, "    choices: %u\n    panic: %u\n    spill: %s\n", 2 + (unsigned)roll(&dice, 4),
                  (unsigned)(roll(&dice, 2) * 50), ONE_OF("ON", "OFF"));
    if (roll(&dice, 2) == 0)
        at += sprintf(at, "    hash-on: [%s]\n", ONE_OF("client", "path", "host", "header x-user, client"));
    if (roll(&dice, 2) == 0)
        at += sprintf(at, "    hash-bound: %u\n", (unsigned)(101 + roll(&dice, 100)));
    if (roll(&dice, 4) == 0)
        at += sprintf(at, "    app-max-requests: %u\n", (unsigned)roll(&dice, 40));
    if (roll(&dice, 3) == 0)
        at += sprintf(at, "    hold: 3600000\n");
    if (roll(&dice, 2) == 0)
        at += sprintf(at, "    affinity: { strict: %s }\n", ONE_OF("ON", "OFF", "OFF"));
    if (roll(&dice, 6) == 0)
        at += sprintf(at, "    slow-start: 60000\n");
    return at + sprintf(at, "    queue: { length: %u, timeout: 3600000 }\n", (unsigned)roll(&dice, 4));
}

static void write_world(char *at, size_t count)
{
    at = write_settings(at);
    at += sprintf(at, "    backends:\n");
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "      - { at: \"127.0.0.1:%zu\", id: m%zu, weight: %u, tier: %u, state: %s }\n", 1000 + i, i,
                      (unsigned)(roll(&dice, 3) == 0 ? roll(&dice, 1001) : 100), (unsigned)(roll(&dice, 4) == 0),
                      ONE_OF("up", "up", "up", "up", "up", "draining", "off"));
}

/* How a member fares, whatever has led to it. */
static void befall(weir_member_t *member, uint64_t now_us)
{
    const uint64_t in_flight = roll(&dice, 12), waiting = roll(&dice, in_flight + 1);
    static const uint8_t checks[] = {KIT_CHECK_NONE, KIT_CHECK_NONE, KIT_CHECK_PASSED, KIT_CHECK_STARTING, KIT_CHECK_FAILED};

    atomic_store(&member->load, in_flight * KIT_ONE_IN_FLIGHT + waiting * KIT_ONE_WAITING);
    atomic_store(&member->handicap, (uint8_t)roll(&dice, 5));
    atomic_store(&member->check, checks[roll(&dice, sizeof(checks))]);
    atomic_store(&member->is_silent, roll(&dice, 8) == 0);
    if (roll(&dice, 3) != 0)
        return;
    kit_trouble_t *trouble = kit_trouble_of(member);
    atomic_store(&member->quarantine, (uint8_t)roll(&dice, TROUBLES));
    atomic_store(&member->has_trial, roll(&dice, 2) == 0);
    atomic_store(&trouble->quarantined_at_us, now_us - roll(&dice, 20000000));
    atomic_store(&trouble->ill_since_us, now_us - roll(&dice, 20000000));
    atomic_store(&trouble->quarantine_until_us, now_us + roll(&dice, 20000000));
}

static weir_set_t *open_case(uint64_t number)
{
    char text[TEXT_BYTES];

    dice = number * 7919;
    write_world(text, 1 + roll(&dice, CREW));
    read_shape(0, text);
    open_world(number);
    weir_grace_join(&worker->reader);
    weir_set_t *set = sets[APP_PINNED];
    worker->loop.now_us = weir_clock_monotonic_us();
    worker->loop.wall_offset_us = weir_clock_wall_us() - worker->loop.now_us;
    for (size_t i = 0; i < set->member_count; i++)
        befall(set->members[i], worker->loop.now_us);
    kit_view_refresh(atomic_load(&set->view), worker->loop.now_us);
    atomic_store(&set->ticket, roll(&dice, 100));
    if (roll(&dice, 12) == 0)
        weir_set_pause(set, 60000);
    else if (roll(&dice, 20) == 0)
        weir_set_stop(set);
    return set;
}

/* ---- a request ---- */

static bool is_not_first(const weir_member_t *member, void *context)
{
    return weir_member_id(member).base[1] != '0';
}

static void make_request(seat_t *seat, const weir_set_t *set)
{
    new_request_of(worker, seat, APP_PINNED, roll(&dice, CLIENTS));
    seat->x.request.target = roll(&dice, 2) == 0 ? WEIR_SPAN("/a/b?c") : WEIR_SPAN("/");
    seat->x.request.host = WEIR_SPAN("shop.test");
    seat->x.request.method = roll(&dice, 3) == 0 ? WEIR_SPAN("POST") : WEIR_SPAN("GET");
    seat->x.wants_upgrade = roll(&dice, 8) == 0;
    if (atomic_load(&set->ring) != NULL && roll(&dice, 3) != 0)
        bring_a_cookie(worker, seat, roll(&dice, CREW + 1));
    if (roll(&dice, 8) == 0)
        weir_lease_filter(&seat->lease, is_not_first, NULL);
}

/* ---- what explaining must not change ---- */

typedef struct books {
    uint64_t loads[CREW], heards[CREW];
    uint8_t trials[CREW];
    const void *records[CREW], *troubles[CREW], *activity;
    uint64_t ticket, in_flight, waiting, window, repeats;
} books_t;

static books_t books_of(const weir_set_t *set)
{
    const kit_activity_t *activity = kit_activity(set);
    books_t books;

    memset(&books, 0, sizeof(books));
    for (size_t i = 0; i < set->member_count; i++) {
        books.loads[i] = atomic_load(&set->members[i]->load);
        books.heards[i] = atomic_load(&set->members[i]->heard);
        books.trials[i] = atomic_load(&set->members[i]->has_trial);
        books.records[i] = kit_record(set->members[i]);
        books.troubles[i] = kit_trouble(set->members[i]);
    }
    books.activity = activity;
    books.ticket = atomic_load(&set->ticket);
    books.in_flight = atomic_load(&set->in_flight);
    books.waiting = atomic_load(&set->waiting);
    books.window = atomic_load(&set->window);
    for (size_t i = 0; activity != NULL && i < KIT_CELLS; i++)
        books.repeats += atomic_load(&activity->repeats.answers[i]) + atomic_load(&activity->repeats.failures[i]);
    return books;
}

/* ---- the next request, and what was said of it ---- */

typedef struct said {
    char what[16], id[16], reason[32];
} said_t;

/* Every member has a verdict, every one that was not picked a reason, and one at most was picked. */
static void assert_all_are_told(const weir_set_t *set, const json_t *document)
{
    const json_t *members = json_object_get(document, "members");
    size_t picked = 0;

    assert_int_equal(json_array_size(members), set->member_count + set->leaving_count);
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        const bool is_picked = strcmp(json_string_value(json_object_get(member, "verdict")), "picked") == 0;
        picked += is_picked;
        assert_true(is_picked == json_is_null(json_object_get(member, "because")));
    }
    assert_int_equal(picked, json_is_object(json_object_get(document, "pick")));
}

static said_t explain(seat_t *seat, weir_set_t *set)
{
    weir_explain_t sink = {0};
    weir_lease_t lease = seat->lease;
    const uint64_t before = seat->x.dice;
    const books_t books = books_of(set);
    books_t behind;
    said_t said = {0};

    weir_lease_explain(&lease, set, &seat->x.request, &sink);
    behind = books_of(set);
    assert_memory_equal(&books, &behind, sizeof(books));
    seat->x.dice = before;
    assert_string_equal(sink.unknown, "");
    json_t *document = json_loads(sink.json, 0, NULL);
    assert_non_null(document);
    const json_t *outcome = json_object_get(document, "outcome"), *pick = json_object_get(document, "pick");
    const char *reason = json_string_value(json_object_get(outcome, "reason"));
    const char *id = json_string_value(json_object_get(pick, "id"));
    snprintf(said.what, sizeof(said.what), "%s", json_string_value(json_object_get(outcome, "what")));
    snprintf(said.id, sizeof(said.id), "%s", id == NULL ? "" : id);
    snprintf(said.reason, sizeof(said.reason), "%s", reason == NULL ? "" : reason);
    assert_all_are_told(set, document);
    json_decref(document);
    weir_explain_end(&sink);
    return said;
}

/* One that waits is "queue" whatever it waits for. */
static said_t checkout(seat_t *seat)
{
    said_t said = {0};

    check_out(seat);
    if (!is_answered(seat)) {
        snprintf(said.what, sizeof(said.what), "queue");
        return said;
    }
    const kit_lease_t *lease = kit_lease_of(&seat->lease);
    if (seat->question->answer.fault != NULL) {
        snprintf(said.what, sizeof(said.what), "refuse");
        snprintf(said.reason, sizeof(said.reason), "%s", seat->question->answer.fault->name);
        return said;
    }
    snprintf(said.what, sizeof(said.what), "pick");
    snprintf(said.id, sizeof(said.id), "%s", lease->member->id);
    return said;
}

static void end_checkout(seat_t *seat)
{
    if (!is_answered(seat))
        leave_queue(worker, seat);
    assert_true(is_answered(seat));
    const bool is_pick = seat->question->answer.service != NULL && seat->state == SEAT_ASKING;
    take_answer(worker, seat);
    if (is_pick) {
        get_head(seat, 200);
        check_in(seat, WEIR_CONNECTED, NULL);
        end_request(seat);
    }
    assert_nothing_is_wrong();
}

static const char *first_of(const char *what)
{
    return strcmp(what, "hold") == 0 || strcmp(what, "pause") == 0 ? "queue" : what;
}

static void assert_same(uint64_t number, const said_t *said, const said_t *got)
{
    if (strcmp(first_of(said->what), got->what) != 0 || strcmp(said->id, got->id) != 0 ||
        strcmp(said->reason, got->reason) != 0)
        fail_msg("case %llu: said %s %s %s, got %s %s %s", (unsigned long long)number, said->what, said->id, said->reason,
                 got->what, got->id, got->reason);
}

static size_t seen_picks, seen_waits, seen_refusals, seen_behind_others;

static void look_at_case(uint64_t number)
{
    weir_set_t *set = open_case(number);
    seat_t *seat = &worker->seats[0], *other = &worker->seats[1];

    make_request(other, set);
    check_out(other); /* which may wait, and then does so before those who are explained */
    for (size_t i = 0; i < 3; i++) {
        make_request(seat, set);
        const said_t said = explain(seat, set), got = checkout(seat);
        assert_same(number, &said, &got);
        seen_picks += got.id[0] != '\0';
        seen_refusals += got.reason[0] != '\0';
        seen_waits += strcmp(got.what, "queue") == 0;
        seen_behind_others += atomic_load(&set->waiting) > (uint32_t)!is_answered(seat);
        end_checkout(seat);
    }
    end_checkout(other);
    for (size_t i = 0; i < set->member_count; i++)
        atomic_store(&set->members[i]->load, 0);
    close_world();
    weir_grace_part(&worker->reader);
}

static void what_is_said_comes(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= CASES; i++)
        look_at_case(i);
    assert_true(seen_picks > CASES && seen_waits > CASES / 10 && seen_refusals > CASES / 10);
    assert_true(seen_behind_others > CASES / 10);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
