/* SPDX-License-Identifier: MIT */
#include "lib/walk/desk.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/walk/exchange.h"
#include "lib/walk/told.h"

/* Nobody's exchange. */
#define NOBODY ((const weir_exchange_t *)(const void *)&weir_desk)

__thread weir_desk_t weir_desk;

static atomic_bool keeps_flights;

static void note(const char *kind, const char *name, const char *callback)
{
    weir_desk_book_t *book = weir_desk.book;
    weir_flight_event_t *event;
    unsigned events;

    if (book == NULL)
        return;
    events = atomic_load_explicit(&book->events, memory_order_relaxed);
    event = &book->flight[events % WEIR_FLIGHT_EVENTS];
    atomic_store_explicit(&event->at_us, weir_clock_monotonic_us(), memory_order_relaxed);
    atomic_store_explicit(&event->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&event->name, name, memory_order_release);
    atomic_store_explicit(&event->callback, callback, memory_order_relaxed);
    atomic_store_explicit(&book->events, events + 1, memory_order_release);
}

/* Ids are short, and memcpy() of a length that is not known beforehand costs more than all the rest. */
static void show_id(weir_span_t id)
{
    const size_t most = WEIR_DESK_ID_BYTES - 1, len = id.len < most ? id.len : most, whole = len / 8;
    const char *at = id.base;
    char rest[8] = {0};
    uint64_t word;

    for (size_t i = 0; i < whole; i++, at += 8) {
        memcpy(&word, at, 8);
        atomic_store_explicit(&weir_desk.id[i], word, memory_order_relaxed);
    }
    if ((len & 4) != 0)
        memcpy(rest, at, 4);
    if ((len & 2) != 0)
        memcpy(rest + (len & 4), at + (len & 4), 2);
    if ((len & 1) != 0)
        rest[len & 6] = at[len & 6];
    memcpy(&word, rest, 8);
    atomic_store_explicit(&weir_desk.id[whole], word, memory_order_relaxed);
}

static weir_desk_call_t *latest(void)
{
    return weir_desk_call(&weir_desk, atomic_load_explicit(&weir_desk.at_bytes, memory_order_relaxed));
}

void weir_desk_show(const weir_exchange_t *x)
{
    const bool keeps = atomic_load_explicit(&keeps_flights, memory_order_relaxed);

    weir_desk.known = keeps ? NOBODY : x; /* nobody's: each call comes by here, and is noted */
    if (x != NULL) {
        show_id(x->request.id);
        atomic_store_explicit(&weir_desk.shown, x, memory_order_relaxed);
    }
    if (__builtin_expect(keeps, 0))
        note(latest()->kind, latest()->name, latest()->callback);
}

void weir_desk_keep_flights(bool keep)
{
    atomic_store_explicit(&keeps_flights, keep, memory_order_relaxed);
}

void weir_desk_note(const char *what)
{
    if (atomic_load_explicit(&keeps_flights, memory_order_relaxed))
        note(NULL, NULL, what);
}

void weir_desk_note_end(void)
{
    if (atomic_load_explicit(&keeps_flights, memory_order_relaxed))
        note(latest()->kind, latest()->name, "the end");
}

static void tell_event(const weir_flight_event_t *event, uint64_t now_us, int fd)
{
    const uint64_t at_us = atomic_load_explicit(&event->at_us, memory_order_relaxed);
    weir_told_t line = {.length = 0};

    weir_told_number(&line, "weir:   -", at_us < now_us ? now_us - at_us : 0);
    weir_told_text(&line, "us ");
    weir_told_text(&line, atomic_load_explicit(&event->callback, memory_order_relaxed));
    if (atomic_load_explicit(&event->kind, memory_order_relaxed) != NULL) {
        weir_told_text(&line, " of ");
        weir_told_text(&line, atomic_load_explicit(&event->kind, memory_order_relaxed));
        weir_told_text(&line, " ");
        weir_told_text(&line, atomic_load_explicit(&event->name, memory_order_acquire));
    }
    weir_told_end(&line, fd);
}

void weir_desk_tell_flight(const weir_desk_t *desk, uint64_t now_us, int fd)
{
    const weir_desk_book_t *book = desk->book;
    const unsigned events = book != NULL ? atomic_load_explicit(&book->events, memory_order_acquire) : 0;
    unsigned i = events > WEIR_FLIGHT_EVENTS ? events - WEIR_FLIGHT_EVENTS : 0;
    weir_told_t line = {.length = 0};

    if (events == 0)
        return;
    weir_told_number(&line, "weir: flight of loop ", book->number);
    weir_told_number(&line, ": what it began last, of ", events);
    weir_told_end(&line, fd);
    for (; i < events; i++)
        tell_event(&book->flight[i % WEIR_FLIGHT_EVENTS], now_us, fd);
}
