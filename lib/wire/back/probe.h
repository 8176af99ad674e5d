/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_PROBE_H
#define WEIR_WIRE_PROBE_H
/**
 * @file  Inside of a probe (lib/walk/probe.h): probe.c makes the connection and keeps the time, and one of the probe_*.c, which
 * share this, says what is sent and what the answer means.
 *
 * THREAD   The steward's.
 */
#include "lib/walk/probe.h"
#include "lib/wire/back/back_tls.h"
#include "lib/wire/back/resolver.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/sock/sock.h"

enum { WEIR_PROBE_HEAD_BYTES = 16384, WEIR_PROBE_FIELDS = 100, PROBE_HTTP2_FIELDS = 7, PROBE_ANSWER_BYTES = 64 };

/** What has become of the bytes that were read. */
typedef enum probe_progress { PROBE_MORE, PROBE_DONE } probe_progress_t;

/** A protocol. */
typedef struct probe_ops {
    /** The connection is there: fills `out`. */
    void (*begin)(weir_probing_t *probing);
    /** Bytes have come. DONE: `result` tells what was answered, or what is wrong. May add to `out`. */
    probe_progress_t (*take)(weir_probing_t *probing, weir_span_t bytes);
    /** Frees what begin has made. */
    void (*end)(weir_probing_t *probing);
} probe_ops_t;

extern const probe_ops_t probe_http1_ops, probe_http2_ops, probe_fastcgi_ops;

struct weir_probing {
    weir_loop_t *loop;
    weir_probe_kind_t kind;
    weir_target_t wanted, target; /* `target` has an address in place of a name */
    weir_name_way_t way;
    weir_resolver_wait_t wait;
    bool is_seeking; /* all addresses of the name have failed, and it is asked for again */
    weir_timer_t deadline;
    weir_letter_t start;
    weir_sock_t sock;
    weir_arena_t arena; /* of the texts, and the answer's fields */
    weir_span_t path, host, service;
    const probe_ops_t *ops; /* NULL: nothing is said */
    void *talk;             /* of ops                */
    struct handed *handed;  /* a worker is asked     */
    bool was_heard;         /* the question has gone out */
    bool is_whole;          /* and has said all      */
    weir_bytes_t out, in;
    weir_headers_t headers; /* of the answer */
    weir_span_t *addresses; /* of a name     */
    size_t address_count;
    weir_probe_result_t result;
    uint64_t begun_at_us;
    void (*on_result)(void *context, const weir_probe_result_t *result);
    void *context;
};

/** Has an answer: its head is copied into `headers`. */
void probe_answer(weir_probing_t *probing, const weir_response_head_t *head);
/** Cannot be understood: DONE. */
probe_progress_t probe_fail(weir_probing_t *probing, const weir_fault_t *fault);
/** The probe is over, and gone: its result is told. */
void probe_finish(weir_probing_t *probing, const weir_fault_t *fault);
/** Likewise: who is there cannot be asked now. */
void probe_believe(weir_probing_t *probing);

/* probe_http2_words.c */

/** The fields of the request; how many there are. They borrow from the probe. */
size_t probe_http2_fields(const weir_probing_t *probing, weir_header_t fields[PROBE_HTTP2_FIELDS]);
/** A field of the answer, be it of its head or of its trailers. */
void probe_http2_hear(weir_probing_t *probing, weir_span_t name, weir_span_t value);
/** Appends the body of a question by gRPC. */
void probe_grpc_ask(const weir_probing_t *probing, weir_bytes_t *out);
/** Whether this body of an answer says so. */
bool probe_grpc_is_serving(weir_span_t answer);

/* probe_worker.c */

/** Asks a worker, on one of its connections. */
void probe_worker_begin(weir_probing_t *probing);
/** The deadline has come. */
void probe_worker_expire(weir_probing_t *probing);
/** Lets go of what was asked. */
void probe_worker_end(weir_probing_t *probing);

/** How large a head may be. */
extern const weir_response_limits_t probe_limits;

#endif
