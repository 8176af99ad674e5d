/* SPDX-License-Identifier: MIT */
#ifndef FAKE_WIRE_H
#define FAKE_WIRE_H
/**
 * @file  A world without sockets: the second implementation of loop.h, front.h and back.h, and of a router's configuration.
 *
 * Time moves when told. Letters are opened in the order they were posted. Everything the walk asks for is written into
 * loop->text, one word or line each; what the client and the backend get is kept as text.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/walk/back.h"
#include "lib/walk/certificate.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"
#include "lib/walk/probe.h"
#include "lib/walk/steward.h"
#include "weir_admin.h"
#include "weir_request.h"
#include "weir_router.h"

/* ---- the loop ---- */

enum { FAKE_TEXT_BYTES = 16384, FAKE_HEAD_BYTES = 65536, FAKE_SCRIPT = 16 };

typedef enum fake_connect { FAKE_CONNECT_NOW, FAKE_CONNECT_LATER, FAKE_CONNECT_HELD } fake_connect_t;

struct weir_loop {
    uint64_t now_us, wall_us;
    uint64_t blocked_us; /* since the latest tick somebody kept the thread for so long */
    uint8_t dice;        /* the next random byte; counts up */
    uint64_t seed;       /* not 0: dice that fall like dice, from this state on, instead */
    weir_list_t timers, letters;
    pthread_mutex_t lock; /* of letters */
    char text[FAKE_TEXT_BYTES];
    size_t length;
    bool is_quiet; /* writes no text */

    /* What the next connects come to; beyond the script they succeed at once. */
    struct {
        fake_connect_t how;
        const weir_fault_t *fault;
        bool is_pooled;
    } connects[FAKE_SCRIPT];
    size_t connect_count, connect_at;
    void (*before_connect)(weir_loop_t *loop); /* may still write the script, or NULL */
    char backend_head[FAKE_HEAD_BYTES];        /* the latest */
    bool opens_websockets;                     /* HTTP/2 backends know RFC 8441 */
    size_t backs;                              /* connections not yet released */
};

void fake_loop_init(weir_loop_t *loop);
/** Nothing may be left: no letter, no timer, no connection, no exchange. */
void fake_loop_finish(weir_loop_t *loop);
/** Releases what weir_retire() was given: no callback runs. Also done by fake_loop_finish(). */
void fake_release(void);

/** What weir_steward() gives: set it where tickers are wanted. */
extern weir_loop_t *fake_steward;
/** The next number of the dice whose state this is (SplitMix64). */
uint64_t fake_throw(uint64_t *state);
/** Opens letters until there are none. */
void fake_run(weir_loop_t *loop);
/** Opens the oldest letter. False if there is none. */
bool fake_run_one(weir_loop_t *loop);
/** Lets time pass; due timers and letters run. */
void fake_advance(weir_loop_t *loop, uint32_t ms);
/** Lets time pass; due timers run while the letters that have been posted, by another thread just now, are still closed. */
void fake_advance_past_letters(weir_loop_t *loop, uint32_t ms);
void fake_note(weir_loop_t *loop, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- probes: those under way, the oldest first; one is answered when told ---- */

struct weir_probing {
    weir_probing_t *next;
    weir_probe_settings_t settings; /* its texts are the router's, and may be gone */
    char label[64];                 /* of its target */
    void (*on_result)(void *context, const weir_probe_result_t *result);
    void *context;
    weir_headers_t headers;       /* of the answer; borrowed */
    const char *const *addresses; /* of a name; borrowed, NULL at the end */
};

extern weir_probing_t *fake_probes;
/** The oldest one, about a name, is over: it has these addresses, for so long. */
void fake_probe_addresses(const char *const *addresses, uint32_t fresh_ms);
/** The oldest one is over: `fault` NULL and a status, or a fault. */
void fake_probe_answer(uint16_t status, const weir_fault_t *fault);

/* ---- the client's side ---- */

struct weir_front {
    weir_exchange_t *x;
    weir_loop_t *loop;
    void (*then)(weir_exchange_t *x);
    weir_letter_t letter;
    bool is_body_touched;
    bool holds_delivery; /* a reply stays on its way until fake_deliver() */
    unsigned responses;  /* heads */
    bool is_cut, is_gone, must_close;
    uint16_t status;
    weir_framing_t framing;
    uint64_t content_length;
    char head[FAKE_HEAD_BYTES]; /* "Name: value\n" … */
    char body[4096];
};

/** An exchange for a request as it stands on the wire, from 10.0.0.9:1234 to port 8080. */
weir_exchange_t *fake_exchange(weir_loop_t *loop, const weir_plan_t *plan, weir_front_t *front, const char *head);
/** The reply that is on its way has arrived. */
void fake_deliver(weir_front_t *front);
void fake_client_gone(weir_front_t *front, const weir_fault_t *fault);

/* For fake_back.c: the front and its exchange know nothing of each other any more; a response head goes out. */
void fake_part(weir_front_t *front);
void fake_write_head(weir_front_t *front, const weir_reply_head_t *head);

/* ---- the backend's side ---- */

struct weir_back {
    weir_exchange_t *x;
    bool is_pooled, has_answered, is_relaying;
    bool is_untouched;   /* what weir_back_is_untouched() says */
    bool holds_body;     /* what weir_relay_holds_body() says of a body that was touched */
    bool has_whole_body; /* what weir_relay_has_whole_body() says */
    weir_relay_side_t waits_for;
    const weir_relay_events_t *events;
    weir_framing_t framing;
};

/** The connect that is held comes to its end. */
void fake_connected(weir_exchange_t *x, const weir_fault_t *fault);
/** The backend sends a response head. False if nobody relays any more. */
bool fake_respond(weir_exchange_t *x, const char *head);
/** The relay is over: delivered, or a fault. False if none is under way. */
bool fake_relay_end(weir_exchange_t *x, const weir_fault_t *fault);

/* ---- a plan, a router ---- */

typedef enum fake_kind { FAKE_INIT, FAKE_LOOKUP, FAKE_CHECKOUT, FAKE_BACKEND, FAKE_CHECKIN, FAKE_PAGE, FAKE_KINDS } fake_kind_t;
typedef enum fake_how { FAKE_NOW, FAKE_LATER, FAKE_TWICE, FAKE_FORGET } fake_how_t;

struct weir_service {
    const char *host;
    uint16_t port;
};

/** A router by script; weir_shared_t is its script and its diary. */
struct weir_shared {
    fake_how_t how[FAKE_KINDS];
    const weir_fault_t *fault[FAKE_KINDS]; /* refuses with it */
    bool refuses[FAKE_KINDS];              /* refuses, also with NULL */
    const char *redirect, *unix_path, *name, *target, *page_body;
    uint16_t page_status;
    uint16_t init_status; /* not 0: init answers the request itself */
    weir_keepalive_t keepalive;
    weir_protocol_t protocol;
    bool has_deep_continue, has_peer_port, has_no_service, has_log_fields, adds_headers;
    unsigned services_max;        /* beyond it checkout refuses with fake_exhausted; 0: without end */
    uint32_t wait_ms[FAKE_KINDS]; /* of FAKE_LATER: weir_later_until(); 0: weir_later() */
    const weir_fault_t *overdue;  /* then                                               */
    const char *app;              /* weir_lookup_name()                                 */
    bool answers_when_abandoned;  /* in that call                                       */
    bool answers_meanwhile;       /* what FAKE_LATER promises, before the call returns  */
    unsigned retries;             /* how often retry_request still says yes             */
    unsigned times_again;         /* how often checkout still says weir_checkout_again() */
    uint32_t again_ms;            /* and in how long                                    */
    size_t hold_body_bytes;
    uint32_t try_timeout_ms;
    bool describes;
    unsigned group_descriptions;

    void *question; /* the one that is open, of this kind */
    fake_kind_t kind;
    unsigned asked[FAKE_KINDS], picks, checkins, empty_checkins, logs, terminates, inside;
    bool has_answered_all; /* init has: no other callback may follow */
    weir_phase_t phase;    /* of the latest check-in */
    const weir_fault_t *checkin_fault, *last_fault;
    weir_outcome_t outcome;                                  /* at terminate */
    bool is_answering;                                       /* an answer function is on the stack of this thread */
    void (*before)(weir_shared_t *script, fake_kind_t kind); /* a question is about to be asked, or NULL */
    unsigned last_checkins;                                  /* those that are not about a failed connect */
    unsigned abandoned, answered, retry_questions, retried;
    weir_gone_t gone;             /* of the latest abandoned                */
    weir_attempt_t answered_with; /* the attempt that answered was told of  */
    weir_attempt_t retry_of;      /* retry_request                          */
    weir_attempt_t checked_in;    /* the latest check-in with a service     */
    const weir_fault_t *retry_fault;
};

extern const weir_router_t fake_router;
extern const weir_fault_t fake_exhausted, fake_fault;

/** Answers the open question. False if none is open. */
bool fake_answer(weir_shared_t *script);

/** A plan with the defaults of the documentation. `stages` NULL: the built-in ones. */
weir_plan_t fake_plan(const weir_router_t *router, weir_shared_t *shared, const weir_stage_t *const *stages);
/** Puts `count` stages of a user's between the built-in ones of `plan`; until the next call. */
void fake_stages(weir_plan_t *plan, const weir_stage_t *const *extra, size_t count);

/* ---- configuration, written in YAML's flow style: {a: [b, c], d: "e f"} ---- */

weir_config_t *fake_config(const char *text);
void fake_config_free(weir_config_t *config);
/** What was last complained about, or "". */
extern char fake_complaint[512];

/* ---- the admin endpoint ---- */

/** A call, and what it was answered. */
struct weir_admin_call {
    const char *method, *segments[8], *body, *if_match; /* NULL behind the last segment */
    uint16_t status;                                    /* 0: not yet                    */
    char *answer;                                       /* the document, or of a problem its type */
    char tag[32];
    const char *parameter, *parameter_value; /* of the query; NULL: there is none */
    char *lines;                             /* of a stream */
};
void fake_call_free(weir_admin_call_t *call);

#endif
