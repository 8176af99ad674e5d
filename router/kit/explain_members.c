/* SPDX-License-Identifier: MIT */
/* What is told of each member, and of the browser that may be pinned to one. */
#include <string.h>

#include "affinity.h"
#include "affinity_cookie.h"
#include "alloc.h"
#include "document.h"
#include "explain.h"
#include "pin.h"
#include "queue.h"
#include "weir_span.h"

enum { MS_PER_S = 1000, US_PER_MS = 1000, EIGHTHS = 8 };

/* ---- members ---- */

/* Where a member stands in the view, to be looked up: there may be many of them. */
typedef struct seat {
    const weir_member_t *member;
    kit_because_t because;
} seat_t;

typedef struct seats {
    seat_t *at;
    size_t count;
} seats_t;

static int by_member(const void *left, const void *right)
{
    const uintptr_t a = (uintptr_t)((const seat_t *)left)->member, b = (uintptr_t)((const seat_t *)right)->member;

    return (a > b) - (a < b);
}

static seats_t places_of(const kit_explained_t *it)
{
    const kit_view_t *view = it->look.view;
    seats_t places = {.count = kit_view_count(view)};

    places.at = kit_alloc(places.count + 1, sizeof(places.at[0]));
    for (size_t i = 0; i < places.count; i++)
        places.at[i] = (seat_t){kit_view_member(view, i), it->look.because[i]};
    qsort(places.at, places.count, sizeof(places.at[0]), by_member);
    return places;
}

/* NULL: it is not in the view. */
static const seat_t *find(const seats_t *places, const weir_member_t *member)
{
    return bsearch(&(seat_t){.member = member}, places->at, places->count, sizeof(places->at[0]), by_member);
}

/* Members that take no requests, or have no weight, are in no view. */
static const char *why_outside(const weir_member_t *member)
{
    const uint8_t admin = atomic_load(&member->admin);

    if (admin == KIT_DRAINING)
        return kit_because_word(KIT_IS_DRAINING);
    return kit_because_word(admin == KIT_UP && atomic_load(&member->weight) == 0 ? KIT_IS_WEIGHTLESS : KIT_IS_OFF);
}

/* One that would do, of a request that does not look at all, or finds no slot of its app. */
static const char *why_idle(const kit_explained_t *it, const weir_set_t *set)
{
    if (it->turn == KIT_TURN_PAUSES || atomic_load(&set->course) != KIT_RUNNING)
        return "paused";
    if (kit_queue_is_window_full(set))
        return "window";
    if (it->look.is_app_full)
        return kit_because_word(KIT_IS_FULL);
    return it->turn == KIT_TURN_QUEUES || it->turn == KIT_TURN_HOLDS ? "queue" : kit_because_word(KIT_IS_NOT_DRAWN);
}

static bool is_waited_for(const kit_explained_t *it, const weir_member_t *member)
{
    return it->lease->pinned == member && it->turn == KIT_TURN_QUEUES;
}

/* *out_verdict: what became of it. */
static const char *because_of(const kit_explained_t *it, const seats_t *places, const weir_set_t *set,
                              const weir_member_t *member, const char **out_verdict)
{
    const seat_t *place = find(places, member);

    *out_verdict = "skipped";
    if (member == it->look.pick.member) {
        *out_verdict = "picked";
        return NULL;
    }
    if (is_waited_for(it, member)) {
        *out_verdict = "waited-for";
        return kit_because_word(KIT_IS_FULL);
    }
    if (place == NULL)
        return why_outside(member);
    const kit_because_t because = place->because;
    if (because >= KIT_IS_SPARE || because == KIT_IS_FINE)
        *out_verdict = because == KIT_IS_DEARER && it->look.pick.member != NULL ? "compared" : "passed";
    if (it->look.pick.member == NULL && (because >= KIT_IS_SPARE || because == KIT_IS_FINE))
        return why_idle(it, set);
    return kit_because_word(because);
}

static json_t *document_of(const kit_explained_t *it, const seats_t *places, const weir_set_t *set, const weir_member_t *member,
                           uint64_t now_us)
{
    static const char *const states[] = {"up", "draining", "off"};
    weir_member_facts_t facts = {.size = sizeof(facts)};
    const char *verdict, *because = because_of(it, places, set, member, &verdict);
    const bool has_cost = strcmp(verdict, "skipped") != 0;

    weir_member_facts(member, &facts);
    const double cost = (double)kit_cost_eighths(member, 0, it->asking.is_upgrade) / EIGHTHS;
    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:o, s:s, s:o, s:o}", "id", member->id, "tier",
                     (int)facts.tier, "weight", (int)facts.weight, "state", states[facts.state], "health",
                     kit_document_health(member), "in_flight", (int)facts.in_flight, "tunnels", (int)facts.tunnels,
                     "max_requests", (int)facts.max_requests, "handicap", (int)facts.handicap, "cost",
                     has_cost ? json_real(cost) : json_null(), "verdict", verdict, "because",
                     because == NULL ? json_null() : json_string(because), "until", kit_document_until(member, now_us));
}

json_t *kit_explain_members(const kit_explained_t *it, const weir_set_t *set, const weir_request_t *request)
{
    const uint64_t now_us = weir_now_us(request);
    const seats_t places = places_of(it);
    json_t *list = json_array();

    for (size_t i = 0; i < set->member_count; i++)
        json_array_append_new(list, document_of(it, &places, set, set->members[i], now_us));
    for (size_t i = 0; i < set->leaving_count; i++)
        json_array_append_new(list, document_of(it, &places, set, set->leaving[i], now_us));
    free(places.at);
    return list;
}

/* ---- affinity ---- */

static const char *fault_word(kit_pin_fault_t fault)
{
    static const char *const words[] = {"valid", "absent", "malformed", "unknown-key", "forged", "too-old"};

    return words[fault];
}

/* How long others only stand in for it; null: it is well, or has been ill for too long. */
static json_t *grace_left(const kit_explained_t *it, const weir_member_t *member, uint64_t now_us)
{
    const uint64_t since_us = member == NULL ? 0 : kit_ill_since_us(member), gone_ms = kit_since(now_us, since_us) / US_PER_MS;
    const uint64_t grace_ms = it->settings->affinity.grace_ms;

    return since_us == 0 || gone_ms >= grace_ms ? json_null() : json_integer((json_int_t)(grace_ms - gone_ms));
}

static void add_pin(json_t *document, const kit_explained_t *it, const weir_set_t *set, const kit_pin_t *pin,
                    const weir_request_t *request)
{
    const weir_member_t *member = kit_pin_member(set, pin);
    const uint64_t now_s = weir_wall_ms(request) / MS_PER_S;

    json_object_set_new(document, "key", json_integer(pin->key));
    json_object_set_new(document, "age_s", json_integer(now_s > pin->issued_s ? (json_int_t)(now_s - pin->issued_s) : 0));
    json_object_set_new(document, "member", member == NULL ? json_null() : json_string(member->id));
    json_object_set_new(document, "health", member == NULL ? json_null() : json_string(kit_document_health(member)));
    json_object_set_new(document, "grace_left_ms", grace_left(it, member, weir_now_us(request)));
}

/* The cookie as it would be set, but for its value; null: none would be. */
static json_t *cookie_of(const kit_explained_t *it, const weir_request_t *request)
{
    const bool is_https = weir_span_is(weir_request_scheme(request), "https");
    char text[KIT_COOKIE_BYTES];

    if (it->look.pick.member == NULL || !kit_pin_wants_cookie(it->lease, it->settings, request))
        return json_null();
    (void)kit_cookie_write(&it->settings->affinity.cookie, "...", is_https, text);
    return json_string(text);
}

json_t *kit_explain_affinity(const kit_explained_t *it, const weir_set_t *set, const weir_request_t *request)
{
    const kit_ring_t *ring = atomic_load_explicit(&set->ring, memory_order_acquire);
    const char *verdict = kit_pin_word(it->lease);
    kit_pin_t pin;

    if (!it->settings->affinity.is_on || ring == NULL)
        return json_null();
    const kit_pin_fault_t fault = kit_pin_read(it->lease, it->settings, ring, request, &pin);
    json_t *document = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", it->settings->affinity.cookie.name, "cookie",
                                 fault_word(fault), "strict", it->settings->affinity.is_strict, "verdict",
                                 verdict == NULL ? "new" : verdict, "set_cookie", cookie_of(it, request));
    if (fault == KIT_PIN_FINE)
        add_pin(document, it, set, &pin, request);
    return document;
}
