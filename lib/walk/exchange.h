/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_EXCHANGE_H
#define WEIR_WALK_EXCHANGE_H
/**
 * @file  One request and everything it meets on its way. The fields below are the only place where stages meet.
 *
 * OWNER    The pipeline: created by a front (lib/wire), destroyed by the pipeline when the last stage has been left.
 * THREAD   Its loop's.
 * MEMORY   Lies in its own arena; nothing in it points into memory of h2o. It may outlive its client and its connection.
 */
#include <stdatomic.h>

#include "lib/base/arena.h"
#include "lib/base/fault.h"
#include "lib/http/cgi_script.h"
#include "lib/http/proxy_header.h"
#include "lib/walk/address.h"
#include "lib/walk/journal.h"
#include "lib/walk/loop.h"
#include "lib/walk/plan.h"
#include "weir_fastcgi.h"
#include "weir_request.h"
#include "weir_stage.h"

typedef struct weir_front weir_front_t; /* the client's side: lib/wire's, see front.h */
typedef struct weir_back weir_back_t;   /* the backend's side: lib/wire's, see back.h */
struct ask_question;                    /* router/ask.c's */

enum { WEIR_STAGES_MAX = 32 };

struct weir_request {
    weir_span_t method;
    weir_span_t target; /* path and query, or "*" */
    /* target, authority and host as the client has sent them, before internal redirects */
    struct {
        weir_span_t target, authority, host;
    } asked;
    weir_span_t below;     /* the end of target that lies below plan->mount */
    weir_span_t authority; /* as sent: the target's, if it names one, else Host */
    weir_span_t host;      /* lower-case, no port; base NULL: authority cannot be split */
    weir_span_t scheme;
    weir_span_t id;
    weir_span_t peer_ip;
    weir_span_t proxy_ip; /* the trusted proxy that peer_ip is the word of; base NULL: it is the connection's own */
    uint16_t peer_port;
    uint16_t listen_port; /* where the client came in; a PROXY header's destination */
    int32_t host_port;    /* named in Host, or -1 */
    uint8_t version;      /* 10, 11, 20 */
    bool is_head;
    bool is_proxied;                      /* the peer is a PROXY header's source */
    const weir_proxy_tlvs_t *proxy_tlvs;  /* what else that header said, in the arena; NULL: nothing */
    struct weir_certificate *certificate; /* the client's, held; NULL: it has shown none: certificate.h */
    weir_framing_t framing;
    weir_cgi_script_t script; /* found on the disk, for a FastCGI application; name empty: none was looked for */
    weir_span_t script_file;  /* where it lies; only with it                                                  */
    size_t head_bytes;        /* of the head as received; 0 if the front does not know */
    weir_headers_t headers;   /* as received; 70 works on a copy */
};

typedef enum weir_target_kind {
    WEIR_TARGET_NONE,
    WEIR_TARGET_ADDRESS,
    WEIR_TARGET_NAME,
    WEIR_TARGET_WORKER, /* who dials us: its address is its number, workers.h */
    WEIR_TARGET_BROKEN
} weir_target_kind_t;

/** Who has said what logs call a service: the later one counts. */
typedef enum weir_label_source { WEIR_LABEL_ADDRESS, WEIR_LABEL_DESCRIBED, WEIR_LABEL_NAMED } weir_label_source_t;

/** Where a service lives, and how its connection is to be treated. */
typedef struct weir_target {
    weir_target_kind_t kind;
    weir_keepalive_t keepalive;
    weir_protocol_t protocol;
    uint16_t port;         /* of a NAME */
    socklen_t address_len; /* of an ADDRESS or a WORKER */
    weir_address_t address;
    weir_span_t name;  /* of a NAME: NUL-terminated, in the arena              */
    weir_span_t label; /* what logs call the service: its name or its address  */
    weir_label_source_t label_source;
    weir_span_t path;              /* what is asked of it in place of the request's target; base NULL: nothing else */
    weir_backend_tls_t *tls;       /* NULL: plain. The router's                            */
    uint32_t try_timeout_ms;       /* from the pick to the response's head; 0: no limit of its own */
    size_t hold_body_bytes;        /* of the request's body, kept to be sent again; 0: none       */
    const weir_fastcgi_t *fastcgi; /* with WEIR_FASTCGI; NULL: no scripts. The router's      */
    weir_span_t tls_name;          /* the host as the router named it: NUL-terminated, in the arena; with tls only */
} weir_target_t;

/** What is noted of the dealings with one service; see weir_attempt.h. */
typedef struct weir_attempt_notes {
    uint64_t picked_at_us, head_at_us;                                      /* 0: there was none */
    uint64_t sent_before_bytes, received_before_bytes, client_before_bytes; /* the journal's sums at the pick */
    uint16_t status;                                                        /* the backend's; 0: none yet    */
    int16_t grpc_status;                                                    /* -1: none                      */
    bool has_interim, was_reused;
    bool is_told; /* its span is in the queue, or there is to be none: trace.h */
} weir_attempt_notes_t;

typedef enum weir_decision {
    WEIR_UNDECIDED,
    WEIR_DECIDED_NEXT,
    WEIR_DECIDED_BACK,
    WEIR_DECIDED_REFUSE,
    WEIR_DECIDED_DONE,
} weir_decision_t;

/** The pipeline's own notes; nobody else writes them. */
typedef struct weir_walk {
    size_t at; /* index of the current stage */
    size_t back_to;
    uint8_t entered[2 * WEIR_STAGES_MAX]; /* indices, oldest first */
    size_t depth;
    void **memory; /* of each stage of the plan, or NULL: it has had none yet */
    weir_decision_t decision;
    bool is_running;                   /* a stage's enter is on the stack           */
    bool is_waiting;                   /* the current stage has been entered        */
    bool is_posted;                    /* the resume letter is under way            */
    bool is_replying;                  /* weir_reply() has spoken; its verdict follows when the reply is out */
    bool is_over;                      /* only letters, or a verdict that is owed, are awaited */
    bool owes;                         /* a stage whose time was up has not spoken yet: */
    size_t owing;                      /* its index, */
    uint32_t owing_turn;               /* and the turn in which it was entered    */
    uint32_t backs;                    /* how often the walk has gone back        */
    const void *home;                  /* the loop's thread                       */
    _Atomic uint32_t turn;             /* grows whenever a stage begins: which wait a letter is for */
    _Atomic uint32_t posts;            /* letters of weir_exchange_post() that are under way */
    uint32_t passed_begin, passed_end; /* invariant 1 */
    weir_letter_t resume;
    weir_timer_t timer; /* of a stage that waits */
} weir_walk_t;

struct weir_exchange {
    weir_request_t request;
    const weir_plan_t *plan;
    const weir_binding_t *binding; /* the router that answers for it */
    weir_loop_t *loop;
    struct weir_context *context; /* the configuration that the plan belongs to, held until the end; set by lib/wire */
    weir_arena_t arena;
    void *memory; /* what the request's spans lie in, if not in the arena: counted.h, held */
    weir_journal_t journal;
    weir_walk_t walk;

    weir_front_t *front;         /* NULL once the client is gone or its response is complete; set by lib/wire */
    weir_back_t *back;           /* NULL without a connection; set by lib/wire           */
    struct weir_dial *dial;      /* a connect under way, or NULL; lib/wire's            */
    struct held_body *held_body; /* a body that may have to be sent again, or NULL; lib/wire's */

    weir_state_t *state;     /* the router's, zeroed; set by 00                          */
    weir_group_t *group;     /* set by 20                                                */
    bool has_group;          /* a lookup succeeded, whatever the group's pointer         */
    weir_service_t *service; /* picked by 50 and not yet checked in: one check-in is owed */
    bool has_service;
    bool was_connected;           /* to the picked service; set by 60: the phase of its check-in */
    weir_attempt_notes_t attempt; /* of the picked service; attempt.c reads them               */
    weir_span_t app;              /* how the router calls the group; base NULL: it has not said    */
    weir_target_t target;         /* set by 50                                                */
    bool wants_fresh;             /* 70 found a pooled connection dead: 60 dials anew         */
    bool wants_upgrade;           /* set by 40                                                */
    bool is_upgrading;            /* set by 70: and the picked backend is asked for it        */
    bool wants_continue;          /* set by 30: the expectation is still to be met (deep)     */
    bool owes_continue;           /* set by 30: a 100 goes out when a service is picked        */
    bool has_continued;           /* a 100 went to the client                                 */
    bool has_passed_continue;     /* so did a backend's; set by 70                             */
    bool has_passed_interim;      /* so did another interim response; set by 70                */
    const weir_fault_t *cause;    /* why the latest attempt that failed did; NULL: none has. Set by weir_attempt_fail() */
    const weir_fault_t *fault;    /* why it ended, NULL if well; set by weir_refuse() or a cut */
    bool has_responded;  /* a response head is under way to the client: from here only a cut; set by front.h's implementation */
    bool is_client_gone; /* set by weir_exchange_client_gone()                       */
    bool is_shut_down;   /* the proxy ends, and waits no longer                       */
    bool is_logged;      /* its line is in the access log; set by 80 or 90 */
    bool has_page;       /* what it gets is our page; set by 75                       */
    bool is_cut;         /* the response could not be completed; set by 70           */
    bool is_relayed;     /* the backend's response went out whole, or its tunnel has ended; set by 70 */
    struct trace *trace; /* with plan->has_trace; NULL: nobody has asked for it yet; lib/walk/trace.c's */
    struct weir_recent_try *tries;      /* those before the present one, newest first, or NULL; recent.c's */
    struct weir_app_counts *app_counts; /* of the group, with plan->counts_apps; NULL: it is not counted; set by 20 */
    uint64_t looked_up_at_us;           /* set by 20 when the group is found; 0: not yet */
    bool is_tunnel;                     /* a 101 has joined both connections; set by 70  */
    bool is_counted;                    /* in the metrics; set where its line is written */
    bool is_noted;                      /* among the recent ones; recent.c's             */
    bool is_explained;                  /* nobody has sent it: explained.h               */
    bool is_router_done;                /* init has answered the request: the router hears nothing more; router/ask.c's */

    uint64_t dice; /* the state of the router's dice: weir_random() */
    bool has_dice;
    weir_headers_t reply_headers;           /* of a stage's own answer; stage.c's        */
    weir_headers_t refusal_headers;         /* what a stage adds to its refusal's page   */
    const weir_headers_t *response_lent;    /* the backend's, while 70 holds its head; response.c's */
    const weir_headers_t *response_headers; /* a copy of them with names in lower case, or NULL  */

    struct ask_question *question;       /* the open one, or NULL; router/ask.c's */
    void (*on_idle)(weir_exchange_t *x); /* waits for the open question; router/ask.c's */
    void (*on_cut)(weir_exchange_t *x);  /* its service is taken away from it; NULL: it cannot be, now. 70's */
    void (*on_gone)(weir_exchange_t *x); /* the client is gone, or the proxy ends: who hears of it in place of a stage's cancel;
                                            NULL: nobody; router/ask.c's */
    weir_list_t link;                    /* of this thread's */
};

/**
 * Makes an exchange with its arena; the caller fills in request (spans copied into x->arena) and front, stamps
 * journal.wall_start_us and start_at_us, and calls weir_exchange_start(). Never fails.
 */
weir_exchange_t *weir_exchange_create(const weir_plan_t *plan, weir_loop_t *loop);

/** Starts the walk at the first stage. The exchange may be gone when this returns. */
void weir_exchange_start(weir_exchange_t *x);

/**
 * Tells that the client is gone (reset, or its connection had to be closed) before its response was complete: cancels the
 * stage that waits and jumps to 80, or lets a stage from 75 on finish. x->front must be NULL already. Called from
 * the loop, never from inside a stage's enter. Harmless the second time. If no status went to the client, the log shows the
 * fault's.
 */
void weir_exchange_client_gone(weir_exchange_t *x, const weir_fault_t *fault);

/** The proxy ends: whoever still holds a question of this thread's exchanges is told that nobody waits. */
void weir_exchange_shut_down_all(void);

/** Takes this service away from every exchange of this thread that has been sent there: compared with, and not looked at. */
void weir_exchange_cut_all(const weir_service_t *service);

/** Calls `each` for every exchange of this thread, the oldest first. None may end meanwhile. */
void weir_exchange_each(void (*each)(weir_exchange_t *x));

/** How many exchanges exist on this thread; 0 at a clean exit. */
size_t weir_exchange_count(void);

/** Sums over all threads since start: services picked and checked in, exchanges begun and ended. Equal at a clean exit. */
typedef struct weir_books {
    uint64_t picks, checkins, begun, ended;
} weir_books_t;
weir_books_t weir_exchange_books(void);

/** This thread's page of them, which outlives the thread. */
typedef struct weir_books_page weir_books_page_t;
const weir_books_page_t *weir_exchange_books_here(void);
/** What stands in a page. Any thread. */
weir_books_t weir_exchange_books_of(const weir_books_page_t *page);

#endif
