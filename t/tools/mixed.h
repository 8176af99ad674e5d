/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOLS_MIXED_H
#define WEIR_TOOLS_MIXED_H
/**
 * @file  What request N of mixed.c is, and the bytes of its bodies: all of it follows from the seed and N.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

typedef enum side { SIDE_REQUEST, SIDE_RESPONSE } side_t;
typedef enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED } framing_t; /* a response's NONE: until the close */

/** How a backend misbehaves. */
typedef enum fault {
    FAULT_NONE,
    FAULT_SURPLUS,   /* sends a second response */
    FAULT_EARLY,     /* answers before it has read the body */
    FAULT_EARLY_END, /* the same, and ends its side */
    FAULT_STORM,     /* many interim responses */
    FAULT_FLOOD,     /* too many of them */
    FAULT_LEAVE,     /* closes behind its response without a word: the next request finds a dead connection */
    FAULT_CLOSE,     /* closes without a response */
    FAULT_RESET,
    FAULT_SILENCE,
    FAULT_BAD_HEAD,
    FAULT_BAD_CHUNK,
    FAULT_TRUNCATE, /* closes in the middle of its response */
    FAULT_TRUNCATE_RESET,
    FAULT_STALL,   /* goes silent in the middle of its response */
    FAULT_REFUSED, /* is not there */
} fault_t;

typedef struct plan {
    const char *method, *host;
    fault_t fault;
    framing_t request_framing, response_framing;
    uint64_t request_bytes, response_bytes, tunnel_bytes, salt;
    unsigned status, interims;
    bool is_old, closes, upgrades, expects, waits, has_trailer;
} plan_t;

static uint64_t mixed_seed;

/** splitmix64 */
static inline uint64_t mix(uint64_t x)
{
    x += mixed_seed * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* ---- bodies ---- */

static inline uint64_t content_word(uint64_t id, side_t side, uint64_t index)
{
    return mix(id << 24 ^ index << 1 ^ (uint64_t)side);
}

static inline void content_fill(char *at, uint64_t id, side_t side, uint64_t from, uint64_t count)
{
    uint64_t word = content_word(id, side, from / 8);

    for (uint64_t i = from; i < from + count; i++) {
        if (i % 8 == 0)
            word = content_word(id, side, i / 8);
        *at++ = (char)(word >> 8 * (i % 8));
    }
}

static inline bool content_matches(const char *at, uint64_t id, side_t side, uint64_t from, uint64_t count)
{
    uint64_t word = content_word(id, side, from / 8);

    for (uint64_t i = from; i < from + count; i++) {
        if (i % 8 == 0)
            word = content_word(id, side, i / 8);
        if (*at++ != (char)(word >> 8 * (i % 8)))
            return false;
    }
    return true;
}

/* ---- plans ---- */

/** Faults in a thousand requests; the rest is fine. */
static const struct {
    fault_t fault;
    unsigned share;
} shares[] = {
    {FAULT_SURPLUS, 30},   {FAULT_EARLY, 20},    {FAULT_EARLY_END, 20}, {FAULT_STORM, 30},          {FAULT_FLOOD, 5},
    {FAULT_LEAVE, 40},     {FAULT_CLOSE, 20},    {FAULT_RESET, 20},     {FAULT_SILENCE, 3},         {FAULT_BAD_HEAD, 10},
    {FAULT_BAD_CHUNK, 20}, {FAULT_TRUNCATE, 20}, {FAULT_STALL, 3},      {FAULT_TRUNCATE_RESET, 20}, {FAULT_REFUSED, 20},
};

static inline fault_t pick_fault(uint64_t dice)
{
    unsigned at = (unsigned)(dice % 1000);

    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        if (at < shares[i].share)
            return shares[i].fault;
        at -= shares[i].share;
    }
    return FAULT_NONE;
}

/** Mostly small; some around 64 KiB, where bodies begin to be streamed; a few large. */
static inline uint64_t pick_bytes(uint64_t dice)
{
    switch (dice & 31) {
    case 0:
    case 1:
        return 65534 + (dice >> 8) % 5;
    case 2:
        return (dice >> 8) % 400000;
    case 3:
    case 4:
    case 5:
        return (dice >> 8) % 20000;
    default:
        return (dice >> 8) % 900;
    }
}

static inline bool plan_has_body(const plan_t *plan)
{
    return strcmp(plan->method, "HEAD") != 0 && plan->status != 204 && plan->status != 304;
}

static inline bool plan_is_early(const plan_t *plan)
{
    return plan->fault == FAULT_EARLY || plan->fault == FAULT_EARLY_END;
}

/** Whether the client gets the backend's answer in spite of it. */
static inline bool is_answer_fault(fault_t fault)
{
    return fault <= FAULT_STORM || fault == FAULT_LEAVE;
}

/** Whether a proxy may send it again over another connection. */
static inline bool plan_is_repeatable(const plan_t *plan)
{
    return strcmp(plan->method, "POST") != 0 && plan->request_framing == FRAMING_NONE;
}

static inline void pick_response(plan_t *plan, uint64_t dice)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 201, 404, 500, 204, 304, 299, 200, 200, 200, 200, 200, 200};
    bool is_cut = plan->fault == FAULT_BAD_CHUNK || plan->fault == FAULT_TRUNCATE || plan->fault == FAULT_STALL ||
                  plan->fault == FAULT_TRUNCATE_RESET;

    plan->status = is_cut ? 200 : statuses[dice >> 8 & 15];
    plan->response_framing = (framing_t)((dice >> 12) % 5 % 3);
    if (plan->fault == FAULT_BAD_CHUNK)
        plan->response_framing = FRAMING_CHUNKED;
    if (plan->response_framing == FRAMING_NONE && (is_cut || plan->fault == FAULT_SURPLUS))
        plan->response_framing = FRAMING_LENGTH;
    plan->response_bytes = pick_bytes(dice >> 16) + (is_cut ? 1 : 0);
    if (plan->fault == FAULT_SURPLUS)
        plan->response_bytes %= 2000;
    plan->has_trailer = (dice >> 60 & 1) != 0;
    if (plan->fault == FAULT_STORM)
        plan->interims = 1 + (unsigned)((dice >> 50) % 60);
    if (plan->fault == FAULT_FLOOD)
        plan->interims = 65 + (unsigned)((dice >> 50) % 100);
}

static inline void pick_request(plan_t *plan, uint64_t dice)
{
    bool is_cut = plan->fault >= FAULT_BAD_CHUNK && plan->fault <= FAULT_STALL;
    unsigned kind = (unsigned)(dice % 10);

    plan->method = kind == 0 && !is_cut && plan->fault != FAULT_SURPLUS ? "HEAD" : kind < 6 ? "GET" : "POST";
    if (kind == 6)
        plan->method = "PUT";
    plan->is_old = (dice >> 8) % 12 == 0;
    if (kind >= 6 && (dice >> 12 & 3) != 0)
        plan->request_framing = (dice >> 16 & 1) != 0 && !plan->is_old ? FRAMING_CHUNKED : FRAMING_LENGTH;
    if (plan->request_framing != FRAMING_NONE)
        plan->request_bytes = pick_bytes(dice >> 20);
    plan->closes = (dice >> 56 & 15) == 0;
    plan->expects = plan->request_framing != FRAMING_NONE && !plan->is_old && (dice >> 60 & 3) == 0;
}

static inline void pick_host(plan_t *plan, uint64_t dice)
{
    static const char *const hosts[] = {"plain", "plain", "plain", "retry", "none", "deep", "deep", "plain"};

    plan->host = hosts[dice & 7];
    if (plan->fault == FAULT_REFUSED)
        plan->host = "dead";
    if (plan->fault == FAULT_LEAVE)
        plan->host = "stale";
    if (plan->fault == FAULT_SILENCE || plan->fault == FAULT_STALL)
        plan->host = "quiet";
}

static inline plan_t plan_of(uint64_t id)
{
    plan_t plan = {.fault = pick_fault(mix(id * 5 + 1)), .salt = mix(id * 5)};

    pick_request(&plan, mix(id * 5 + 2));
    pick_response(&plan, mix(id * 5 + 3));
    pick_host(&plan, mix(id * 5 + 4));
    if (plan.fault == FAULT_NONE && plan.request_framing == FRAMING_NONE && strcmp(plan.method, "GET") == 0 &&
        (plan.salt & 31) == 0) {
        plan.upgrades = true;
        plan.closes = plan.is_old = false;
        plan.status = 101;
        plan.tunnel_bytes = 1 + pick_bytes(plan.salt >> 8);
    }
    /* Somebody who waits for a 100 that is not to come would wait for ever: an early answer takes its place. */
    plan.waits = plan.expects && (plan.salt >> 6 & 1) != 0;
    return plan;
}

static inline void plan_print(const plan_t *plan, FILE *file)
{
    static const char *const faults[] = {"fine",      "surplus",         "early", "early end", "storm",    "flood",
                                         "leave",     "close",           "reset", "silence",   "bad head", "bad chunk",
                                         "truncated", "truncated reset", "stall", "refused"};
    static const char *const framings[] = {"none", "length", "chunked"};

    fprintf(file, "%s %s%s%s%s%s, body %s %" PRIu64 ", response %u %s %" PRIu64 ", %s", plan->method, plan->host,
            plan->is_old ? " 1.0" : "", plan->closes ? " close" : "",
            plan->expects ? plan->waits ? " expects, waits" : " expects" : "", plan->upgrades ? " upgrades" : "",
            framings[plan->request_framing], plan->request_bytes, plan->status, framings[plan->response_framing],
            plan->response_bytes, faults[plan->fault]);
}

#endif
