/* SPDX-License-Identifier: MIT */
#include "pin.h"

#include "affinity.h"
#include "alloc.h"
#include "weir_span.h"

enum { MS_PER_S = 1000, US_PER_MS = 1000 };

/* ---- members by their secret ids ---- */

static int by_id(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void add(kit_pins_t *pins, const kit_keys_t *keys, weir_span_t app, weir_member_t *const *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pins->at[pins->count].id = kit_affinity_member(keys, app, weir_member_id(members[i]));
        pins->at[pins->count++].member = members[i];
    }
}

kit_pins_t *kit_pins_create(const kit_keys_t *keys, weir_span_t app, weir_member_t *const *members, size_t count,
                            weir_member_t *const *leaving, size_t leaving_count)
{
    kit_pins_t *pins = kit_alloc(1, sizeof(*pins) + (count + leaving_count) * sizeof(pins->at[0]));

    add(pins, keys, app, members, count);
    add(pins, keys, app, leaving, leaving_count);
    qsort(pins->at, pins->count, sizeof(pins->at[0]), by_id);
    return pins;
}

static weir_member_t *member_of(const kit_pins_t *pins, uint64_t id)
{
    size_t low = 0, high = pins == NULL ? 0 : pins->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pins->at[middle].id == id)
            return pins->at[middle].member;
        if (pins->at[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- where it leads ---- */

/* A trial is for those first who want this member anyway. */
static bool is_ill(const weir_member_t *member)
{
    const uint8_t check = atomic_load_explicit(&member->check, memory_order_relaxed),
                  quarantine = atomic_load_explicit(&member->quarantine, memory_order_relaxed);

    return (quarantine != KIT_FREE && quarantine != KIT_TRIAL) || check == KIT_CHECK_FAILED || check == KIT_CHECK_STARTING;
}

static bool is_ill_for_long(const weir_member_t *member, const kit_settings_t *settings, uint64_t now_us)
{
    const uint64_t since = kit_ill_since_us(member);

    return since != 0 && kit_since(now_us, since) >= (uint64_t)settings->affinity.grace_ms * US_PER_MS;
}

static bool has_tried(const kit_lease_t *lease, const weir_member_t *member)
{
    for (size_t i = 0; i < lease->tried_count; i++)
        if (kit_lease_tried(lease, i) == member)
            return true;
    return false;
}

/* In which moment of a drain that lasts a session leaves is a matter of its key, so that all its requests leave together. */
static bool has_left(const kit_lease_t *lease, const weir_member_t *member, uint64_t now_us)
{
    const kit_trouble_t *trouble = kit_trouble(member);
    const uint64_t ramp_ms = trouble == NULL ? 0 : atomic_load_explicit(&trouble->ramp_ms, memory_order_acquire);

    if (ramp_ms == 0 || atomic_load_explicit(&member->admin, memory_order_relaxed) != KIT_DRAINING)
        return false;
    const uint64_t from_us = atomic_load_explicit(&trouble->ramp_from_us, memory_order_relaxed);
    const uint64_t share_us = ramp_ms * US_PER_MS * (lease->session_key >> 48) >> 16;
    return kit_since(now_us, from_us) >= share_us;
}

/* Which member, and what becomes of the pin where it is another. */
static void follow(kit_lease_t *lease, const kit_settings_t *settings, weir_member_t *member, uint64_t now_us)
{
    const bool may_be_had = member != NULL && atomic_load_explicit(&member->admin, memory_order_relaxed) != KIT_OFF &&
                            !has_left(lease, member, now_us);

    lease->has_session = true;
    lease->pinned = NULL;
    lease->pin_state = KIT_PIN_MOVED;
    if (!may_be_had)
        return;
    if (!is_ill(member) && !has_tried(lease, member)) {
        lease->pinned = member;
        lease->pin_state = KIT_PIN_KEPT;
    } else if (!is_ill_for_long(member, settings, now_us)) {
        lease->pin_state = KIT_PIN_BORROWED;
    }
}

kit_pin_fault_t kit_pin_read(const kit_lease_t *lease, const kit_settings_t *settings, const kit_ring_t *ring,
                             const weir_request_t *request, kit_pin_t *out)
{
    const kit_cookie_t *cookie = &settings->affinity.cookie;

    return kit_affinity_find(kit_ring_keys(ring), weir_set_name(lease->set), weir_request_header(request, WEIR_SPAN("cookie")),
                             (weir_span_t){cookie->name, strlen(cookie->name)}, weir_wall_ms(request) / MS_PER_S,
                             cookie->max_age_s, out);
}

weir_member_t *kit_pin_member(const weir_set_t *set, const kit_pin_t *pin)
{
    return member_of(atomic_load_explicit(&set->pins, memory_order_acquire), pin->member);
}

void kit_pin_look(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request)
{
    const kit_ring_t *ring = atomic_load_explicit(&lease->set->ring, memory_order_acquire);
    kit_pin_t pin;

    lease->pinned = NULL;
    if (!settings->affinity.is_on || ring == NULL)
        return;
    const kit_pin_fault_t fault = kit_pin_read(lease, settings, ring, request, &pin);
    if (fault != KIT_PIN_FINE) {
        lease->is_pin_invalid = fault != KIT_PIN_ABSENT;
        lease->pin_state = KIT_PIN_NEW;
        lease->session_key = lease->session_key != 0 ? lease->session_key : weir_random(request);
        return;
    }
    lease->session_key = pin.session_key;
    lease->pin_issued_s = pin.issued_s;
    follow(lease, settings, kit_pin_member(lease->set, &pin), weir_now_us(request));
}

bool kit_pin_leads_nowhere(const kit_lease_t *lease)
{
    return lease->pinned != NULL &&
           (atomic_load(&lease->pinned->admin) == KIT_OFF || is_ill(lease->pinned)); /* seq_cst: see kit_queue_unpin() */
}

bool kit_pin_let_go(kit_lease_t *lease, const kit_settings_t *settings)
{
    if (settings->affinity.is_strict)
        return false;
    if (lease->pinned != NULL)
        lease->pin_state = KIT_PIN_BORROWED;
    lease->pinned = NULL;
    return true;
}

/* ---- the cookie of the answer ---- */

static bool sets_cookie(const weir_request_t *request, const char *name)
{
    const weir_span_t wanted = {name, strlen(name)};
    weir_span_t field, value;

    for (size_t i = 0; weir_request_response_header_at(request, i, &field, &value); i++) {
        if (!weir_span_equal_nocase(field, WEIR_SPAN("set-cookie")))
            continue;
        if (weir_span_starts_with(value, wanted) && value.len > wanted.len && value.base[wanted.len] == '=')
            return true;
    }
    return false;
}

static bool has_word(weir_span_t list, weir_span_t word)
{
    for (size_t i = 0; i + word.len <= list.len; i++)
        if (weir_span_equal_nocase((weir_span_t){list.base + i, word.len}, word))
            return true;
    return false;
}

/* A shared cache would pin everybody to one member. */
static bool is_for_all(const weir_request_t *request)
{
    weir_span_t field, value;

    for (size_t i = 0; weir_request_response_header_at(request, i, &field, &value); i++)
        if (weir_span_equal_nocase(field, WEIR_SPAN("cache-control")) &&
            (has_word(value, WEIR_SPAN("public")) || has_word(value, WEIR_SPAN("s-maxage"))))
            return true;
    return false;
}

static bool is_old(const kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request)
{
    const uint64_t now_s = weir_wall_ms(request) / MS_PER_S, most_s = settings->affinity.cookie.max_age_s;

    return most_s != 0 && now_s > lease->pin_issued_s && now_s - lease->pin_issued_s > most_s / 2;
}

bool kit_pin_wants_cookie(const kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request)
{
    const bool is_new = lease->pin_state == KIT_PIN_NEW || lease->pin_state == KIT_PIN_MOVED;

    return settings->affinity.is_on && (is_new || (lease->pin_state == KIT_PIN_KEPT && is_old(lease, settings, request)));
}

void kit_pin_answered(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request)
{
    lease->writes_pin = kit_pin_wants_cookie(lease, settings, request) &&
                        !sets_cookie(request, settings->affinity.cookie.name) && !is_for_all(request);
}

void kit_pin_write(kit_lease_t *lease, const weir_request_t *request, weir_header_sink_t *sink)
{
    const kit_ring_t *ring = atomic_load_explicit(&lease->set->ring, memory_order_acquire);
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);
    char value[KIT_AFFINITY_TEXT_BYTES + 1], header[KIT_COOKIE_BYTES];
    const weir_span_t app = weir_set_name(lease->set);

    if (!lease->writes_pin || lease->member == NULL || ring == NULL)
        return;
    const kit_keys_t *keys = kit_ring_keys(ring);
    const kit_pin_t pin = {.member = kit_affinity_member(keys, app, weir_member_id(lease->member)),
                           .session_key = lease->session_key,
                           .issued_s = weir_wall_ms(request) / MS_PER_S};
    if (!kit_affinity_write(keys, app, &pin, value))
        return; /* every key has ended */
    const bool is_https = weir_span_is(weir_request_scheme(request), "https");
    size_t length = kit_cookie_write(&settings->affinity.cookie, value, is_https, header);
    if (length > 0)
        weir_header_add(sink, WEIR_SPAN("Set-Cookie"), (weir_span_t){header, length});
}

const char *kit_pin_word(const kit_lease_t *lease)
{
    switch (lease->pin_state) {
    case KIT_PIN_NONE:
        break;
    case KIT_PIN_KEPT:
        return "kept";
    case KIT_PIN_NEW:
        return lease->is_pin_invalid ? "invalid" : "new";
    case KIT_PIN_MOVED:
        return "moved";
    case KIT_PIN_BORROWED:
        return "borrowed";
    }
    return NULL;
}
