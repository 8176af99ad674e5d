/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOOP_H
#define WEIR_WIRE_LOOP_H
/**
 * @file  One thread's event loop: libh2o's, with timers, letters, dice and the memory that its connections share.
 *
 * OWNER    server.c makes one per thread and destroys it after the thread has ended.
 * THREAD   Its own, but for weir_loop_post() and weir_loop_stop().
 */
#include <pthread.h>
#include <stdatomic.h>

#include <h2o.h>

#include "lib/base/metrics.h"
#include "lib/walk/loop.h"
#include "lib/wire/loop/grace.h"
#include "lib/wire/loop/mailbox.h"
#include "lib/wire/loop/settings.h"
#include "lib/wire/loop/spare.h"

enum {
    WEIR_READ_BYTES = 65536,    /* most bytes one read takes, and most held per direction      */
    WEIR_COLLECT_BYTES = 65536, /* responses up to this length are collected before they start */
    WEIR_RANDOM_BYTES = 4096,
};

/** Timers of equal delay, soonest first. */
typedef struct weir_timer_list {
    uint32_t delay_ms;
    weir_list_t timers;
} weir_timer_list_t;

struct weir_resolver;
struct weir_pipes;
struct weir_back_pool;
struct weir_status_counts;

/** What the rooms above keep for each loop. Each on the loop's thread, or when that has ended. */
typedef struct weir_loop_parts {
    void (*open)(weir_loop_t *loop);   /* with the loop                                   */
    void (*use)(weir_loop_t *loop);    /* loop->settings are a newer configuration's      */
    void (*settle)(weir_loop_t *loop); /* nothing is under way any more: backends, names  */
    void (*close)(weir_loop_t *loop);  /* behind the last connection                      */
    bool (*spare)(weir_loop_t *loop);  /* closes an idle descriptor; false: there is none */
} weir_loop_parts_t;

struct weir_loop {
    struct {
        h2o_evloop_t *loop;
        h2o_multithread_queue_t *queue;
        h2o_multithread_receiver_t names; /* addresses from the threads that resolve names */
    } h2o;
    pthread_t thread;
    struct weir_server *server;
    struct weir_context *context;           /* the newest configuration, held; see generation.h */
    const weir_server_settings_t *settings; /* of that                                         */
    weir_list_t contexts;                   /* every configuration that is in use here, oldest first */

    uint64_t now_us;         /* when the present event began               */
    uint64_t wall_offset_us; /* from the monotonic clock to the wall's, at */
    uint64_t offset_at_us;   /* this instant                               */

    weir_timer_list_t **timer_lists; /* one for each delay in use, and some that are empty */
    size_t timer_list_count;

    weir_list_t letters;     /* from this thread */
    weir_mailbox_t *mailbox; /* from other threads */
    weir_bells_t bells;
    h2o_multithread_receiver_t waker;
    void (*on_wish)(weir_loop_t *loop); /* an application turns the loop: a letter or a timer wants a turn. NULL: we do */
    h2o_multithread_message_t wake;     /* to that application's thread; under way while the mailbox is rung */

    uint64_t turns;           /* that it has made             */
    uint64_t exchanges_begun; /* by requests that are ours    */
    weir_grace_reader_t grace;
    struct {
        weir_list_t waiting; /* that could go on, once others have had their turn: tls_start.c's */
        weir_letter_t letter;
        uint64_t turn, spent_us; /* on handshakes, in that turn */
    } handshakes;

    weir_list_t connections; /* of clients; of every front */
    weir_list_t starts;      /* connections on their way to a front: door/start.c's */
    size_t connection_count;
    bool is_draining;
    bool is_cut; /* whatever is left is closed: the drain took too long */
    bool is_stopped;
    weir_loop_t *next_left; /* of those that weir_loop_leave() was given */

    const weir_loop_parts_t *parts;
    struct weir_back_pool *pool;
    struct back_http2_pool *back_http2; /* connections to backends */
    struct weir_resolver *resolver;
    struct weir_pipes *pipes;
    struct weir_status_counts *status_counts; /* of requests that have ended; NULL: of none yet, or nobody asks */
    struct weir_compressors *compressors;     /* NULL until a response is compressed; gzip.c's */

    struct front_http2_shared *front_http2;
    weir_spare_t front_http1_streams;
    char *scratch; /* a block (bytes.h), for one read at a time */
    char *head;    /* for one response head at a time           */
    size_t head_capacity;
    weir_header_t *request_headers;  /* request_header_capacity entries          */
    size_t request_header_capacity;  /* settings->head_limits.count or more      */
    weir_header_t *response_headers; /* WEIR_RESPONSE_HEADERS entries            */

    uint8_t random[WEIR_RANDOM_BYTES];
    size_t random_left;
};

enum { WEIR_RESPONSE_HEADERS = 1001 };

/** Makes a loop without a configuration. Call on the thread that will run it. */
weir_loop_t *weir_loop_create(struct weir_server *server, const weir_loop_parts_t *parts);

/**
 * Makes a loop in an application's, which turns it: on_wish is called, on the loop's thread, whenever weir_loop_attend() is to
 * be called soon. On that thread.
 */
weir_loop_t *weir_loop_create_in(h2o_context_t *h2o, struct weir_server *server, const weir_loop_parts_t *parts,
                                 void (*on_wish)(weir_loop_t *loop));

/** Opens letters and runs timers. Returns in how many milliseconds it wants to be called again at the latest. */
int32_t weir_loop_attend(weir_loop_t *loop);

/**
 * Makes `context`, which is held for it, the newest configuration; lets go of the one before. On the loop's thread, between
 * events.
 */
void weir_loop_use(weir_loop_t *loop, struct weir_context *context);

/** One turn: sockets (waiting for them at most `most_ms`), mailbox, letters, timers. */
void weir_loop_turn(weir_loop_t *loop, int32_t most_ms);

/** Runs until weir_loop_stop(). */
void weir_loop_run(weir_loop_t *loop);

/** Makes weir_loop_run() return after the present turn. On the loop's thread. */
void weir_loop_stop(weir_loop_t *loop);

/**
 * Shows timers, of each delay the one that was set first of all first and `most` at most, until `look` has returned true, which
 * is returned. `look` may cancel the one that it is shown, and no other.
 */
bool weir_loop_look_at_timers(weir_loop_t *loop, size_t most, bool (*look)(weir_timer_t *timer));

/** Takes back a letter that was posted to this loop; harmless if it has been opened. On the loop's thread. */
void weir_loop_take_back(weir_loop_t *loop, weir_letter_t *letter);

/**
 * Takes what is still under way to a loop that has stopped, once, and lets go of backends and names. Before its contexts are
 * disposed of.
 */
void weir_loop_settle(weir_loop_t *loop);

/**
 * Frees a settled loop and nulls the pointer. No connection, exchange, timer or configuration may be left. On its thread, or on
 * any other once that has ended.
 */
void weir_loop_destroy(weir_loop_t **loop);

/**
 * In its place at the end of the process, while an exchange still waits for its router: the answer may come from a thread of
 * the router's at any time, and is posted here. The loop is never freed, and does not run again.
 */
void weir_loop_leave(weir_loop_t **loop);

/** A client's connection was accepted for this loop, on whose thread this is. */
static inline void weir_loop_connection_opened(weir_loop_t *loop)
{
    atomic_fetch_add(&loop->server->connections, 1);
    weir_metrics_add(WEIR_CELL_client_opened, 1);
}

/** A client's connection of this loop has been closed and freed. */
static inline void weir_loop_connection_closed(weir_loop_t *loop)
{
    atomic_fetch_sub(&loop->server->connections, 1);
    weir_metrics_add(WEIR_CELL_client_closed, 1);
}

/** Frees what is kept for reuse by the thread that calls: the last thing it does with loops and their memory. */
void weir_loop_forget_thread(void);

#endif
