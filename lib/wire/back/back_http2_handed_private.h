/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_HTTP2_HANDED_PRIVATE_H
#define WEIR_WIRE_BACK_HTTP2_HANDED_PRIVATE_H
/**
 * @file  What the two halves of a stream share: back_http2_handed.c (the boxes), back_http2_twin.c (the near half),
 * back_http2_agent.c (the far one).
 */
#include "lib/wire/back/back_http2_handed.h"

/* A head under way to the near half. */
typedef struct handed_head {
    struct handed_head *next;
    back_http2_block_t block;
    bool is_last;
} handed_head_t;

/* What has come of the far half, taken out of the box. */
typedef struct handed_news {
    handed_head_t *heads;
    weir_bytes_t body;
    back_http2_block_t trailers;
    bool has_trailers, has_ended, is_lost, is_untouched, is_head_sent;
    const weir_fault_t *lost;
    size_t taken, received, sent;
} handed_news_t;

struct handed {
    _Atomic uint32_t holders;
    weir_loop_t *near, *far;
    weir_worker_t *worker; /* held */
    pthread_mutex_t lock;  /* of the two boxes */
    struct {
        weir_letter_t letter;
        bool is_posted;
        bool begins, is_connect, has_body; /* of `begins` */
        back_http2_block_t head;
        weir_response_limits_t limits;
        size_t trailer_bytes;
        weir_bytes_t body;
        back_http2_block_t trailers;
        bool has_last;
        size_t credit;
        bool resets, is_released;
    } to_far;
    struct {
        weir_letter_t letter;
        bool is_posted;
        handed_head_t *heads;
        weir_bytes_t body;
        back_http2_block_t trailers;
        bool has_trailers, has_ended, is_said, is_head_sent;
        const weir_fault_t *lost;
        bool is_lost, is_untouched;
        size_t taken; /* of the request's body */
        size_t received, sent;
    } to_near;
    /* ---- the near loop's ---- */
    back_http2_stream_t *twin;    /* NULL: released, or a probe asks */
    struct weir_probing *probing; /* NULL: nobody, or a twin         */
    bool is_said, has_begun;
    /* ---- the far loop's ---- */
    back_http2_stream_t *agent; /* NULL: not yet, or no more */
    back_http2_wait_t wait;
    weir_response_limits_t limits;
    size_t trailer_bytes;
    bool has_last, is_over;
    back_http2_block_t head; /* until it has a stream */
    bool is_connect, has_body;
    weir_bytes_t body; /* likewise */
    back_http2_block_t trailers;
    size_t unread; /* given to the near half, and not credited yet */
};
typedef struct handed handed_t;

/** Empties it. */
void handed_block_free(back_http2_block_t *block);
/** Makes `to` what `from` is, which is empty afterwards. */
void handed_block_move(back_http2_block_t *to, back_http2_block_t *from);
/** A copy of these fields, their names in lower case. */
back_http2_block_t handed_block_of(const weir_headers_t *fields);
/** Moves all bytes behind those of `to`. */
void handed_bytes_move(weir_bytes_t *to, weir_bytes_t *from);

/** One between these two loops; held by the near one. `on_near` opens what comes of the far half. */
handed_t *handed_create(weir_loop_t *near, weir_loop_t *far, weir_worker_t *worker, void (*on_near)(weir_letter_t *letter));
void handed_hold(handed_t *handed);
/** The last one frees it. */
void handed_release(handed_t *handed);

/** The request begins: its fields, what else is said of it stands in to_far. Under the lock. */
void handed_begin(handed_t *handed, const weir_headers_t *fields);
/** Out of the box. On the near loop. */
handed_news_t handed_take_news(handed_t *handed);
void handed_news_free(handed_news_t *news);

/** There is something in the box for the far half, which opens it by handed_on_far(). Under the lock. */
void handed_post_to_far(handed_t *handed);
/** Likewise; a near half that is released hears nothing any more. */
void handed_post_to_near(handed_t *handed);

/** back_http2_agent.c: the letter to it. */
void handed_on_far(weir_letter_t *letter);

#endif
