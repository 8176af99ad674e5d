/* SPDX-License-Identifier: MIT */
/* What the journal tells a router: durations, counts, the outcome, and where the time went. */
#include <stdio.h>

#include "lib/walk/exchange.h"

static const weir_exchange_t *around(const weir_request_t *request)
{
    return WEIR_AROUND(request, weir_exchange_t, request);
}

static const weir_journal_t *journal_of(const weir_request_t *request)
{
    return &around(request)->journal;
}

/* After a retry the latest attempt may be under way, or may have failed: then nothing is connected. */
static uint64_t connected_at_us(const weir_journal_t *journal)
{
    return journal->connected_at_us < journal->connect_start_at_us ? 0 : journal->connected_at_us;
}

static uint64_t end_at_us(const weir_request_t *request)
{
    uint64_t at_us = journal_of(request)->end_at_us;

    return at_us != 0 ? at_us : weir_loop_now_us(around(request)->loop);
}

/* An instant of the monotonic clock by the wall clock of the request's start. */
static uint64_t wall_ms(const weir_journal_t *journal, uint64_t at_us)
{
    return at_us == 0 ? 0 : (journal->wall_start_us + (at_us - journal->start_at_us)) / 1000;
}

/* ---- durations ---- */

uint64_t weir_request_start_ms(const weir_request_t *request)
{
    return journal_of(request)->wall_start_us / 1000;
}

int64_t weir_request_connect_ms(const weir_request_t *request)
{
    const weir_journal_t *journal = journal_of(request);

    return weir_journal_ms(journal->connect_start_at_us, connected_at_us(journal));
}

int64_t weir_request_route_ms(const weir_request_t *request)
{
    const weir_journal_t *journal = journal_of(request);

    return weir_journal_ms(journal->start_at_us, connected_at_us(journal));
}

int64_t weir_request_service_ms(const weir_request_t *request)
{
    return weir_journal_ms(connected_at_us(journal_of(request)), end_at_us(request));
}

int64_t weir_request_total_ms(const weir_request_t *request)
{
    return weir_journal_ms(journal_of(request)->start_at_us, end_at_us(request));
}

int64_t weir_request_start_to_proxy_ms(const weir_request_t *request)
{
    const weir_journal_t *journal = journal_of(request);

    return weir_journal_ms(journal->start_at_us, journal->relay_at_us);
}

int64_t weir_request_send_headers_ms(const weir_request_t *request)
{
    const weir_journal_t *journal = journal_of(request);

    return weir_journal_ms(journal->relay_at_us, journal->head_sent_at_us);
}

int64_t weir_request_request_proxy_ms(const weir_request_t *request)
{
    const weir_journal_t *journal = journal_of(request);

    return weir_journal_ms(journal->head_sent_at_us, journal->request_sent_at_us);
}

int64_t weir_request_response_proxy_ms(const weir_request_t *request)
{
    const weir_journal_t *journal = journal_of(request);

    return weir_journal_ms(journal->first_byte_at_us, journal->last_byte_at_us);
}

uint64_t weir_request_pre_connect_ms(const weir_request_t *request)
{
    return wall_ms(journal_of(request), journal_of(request)->connect_start_at_us);
}

uint64_t weir_request_pre_proxy_ms(const weir_request_t *request)
{
    return wall_ms(journal_of(request), journal_of(request)->relay_at_us);
}

/* ---- counts and the end ---- */

uint32_t weir_request_connects(const weir_request_t *request)
{
    return journal_of(request)->connects;
}

uint16_t weir_request_status(const weir_request_t *request)
{
    return journal_of(request)->status;
}

const weir_fault_t *weir_request_fault(const weir_request_t *request)
{
    return around(request)->fault;
}

uint64_t weir_request_bytes_sent(const weir_request_t *request)
{
    return journal_of(request)->backend_sent_bytes;
}

uint64_t weir_request_bytes_received(const weir_request_t *request)
{
    return journal_of(request)->backend_received_bytes;
}

uint64_t weir_request_body_bytes(const weir_request_t *request)
{
    return journal_of(request)->client_received_bytes;
}

uint64_t weir_request_response_bytes(const weir_request_t *request)
{
    return journal_of(request)->client_sent_bytes;
}

weir_outcome_t weir_request_outcome(const weir_request_t *request)
{
    if (around(request)->fault != NULL)
        return WEIR_ERROR;
    return around(request)->is_relayed ? WEIR_SUCCESSFUL : WEIR_HALTED;
}

/* ---- the report ---- */

enum { EVENTS = 9, ACCEPTED = 0 };

typedef struct event {
    const char *name;
    uint64_t at_us;
    const char *duration; /* what the interval that ends here is called if it has a name of its own */
} event_t;

/* Those that happened, by time. A backend may answer before it has the whole request: hence the sorting. */
static size_t collect(const weir_journal_t *journal, event_t *events)
{
    const event_t all[EVENTS] = {
        {"accepted", journal->start_at_us, "init"},
        {"pre_connect", journal->connect_start_at_us, NULL},
        {"connect_time", connected_at_us(journal), "connect_time"},
        {"pre_proxy", journal->relay_at_us, NULL},
        {"headers_sent", journal->head_sent_at_us, NULL},
        {"last_packet_sent", journal->request_sent_at_us, NULL},
        {"first_packet_recv", journal->first_byte_at_us, NULL},
        {"last_packet_recv", journal->last_byte_at_us, NULL},
        {"responded", journal->end_at_us, NULL},
    };
    size_t count = 0;

    for (size_t i = 0; i < EVENTS; i++) {
        size_t at = count;
        if (all[i].at_us == 0)
            continue;
        for (; at > 0 && events[at - 1].at_us > all[i].at_us; at--)
            events[at] = events[at - 1];
        events[at] = all[i];
        count++;
    }
    return count;
}

typedef struct text {
    char *at;
    size_t left, length;
    bool is_full;
} text_t;

static void append(text_t *text, const char *from, const char *link, const char *to, uint64_t us)
{
    char interval[96];
    int length = snprintf(interval, sizeof(interval), "%s%s%s%s %llu", text->length == 0 ? "" : ", ", from, link, to,
                          (unsigned long long)((us + 500) / 1000));

    if (text->is_full || (size_t)length >= text->left) {
        text->is_full = true;
        return;
    }
    snprintf(text->at, text->left, "%s", interval);
    text->at += length;
    text->left -= (size_t)length;
    text->length += (size_t)length;
}

size_t weir_request_report(const weir_request_t *request, char *buffer, size_t size)
{
    const weir_journal_t *journal = journal_of(request);
    text_t text = {.at = buffer, .left = size};
    event_t events[EVENTS];
    size_t count = collect(journal, events);
    uint64_t begin_us = journal->start_at_us, at_us = begin_us, end_us = end_at_us(request);

    if (size != 0)
        *buffer = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *before = i == ACCEPTED ? "" : events[i - 1].name;
        if (events[i].duration != NULL)
            append(&text, events[i].duration, "", "", events[i].at_us - at_us);
        else
            append(&text, before, "_to_", events[i].name, events[i].at_us - at_us);
        at_us = events[i].at_us;
    }
    if (journal->end_at_us == 0 && count != 0)
        append(&text, events[count - 1].name, "_until", "_end", end_us > at_us ? end_us - at_us : 0);
    append(&text, "total", "", "", end_us - begin_us);
    return text.length;
}
