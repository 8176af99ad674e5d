/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_FRAMES_H
#define WEIR_WIRE_STORE_FRAMES_H
/**
 * @file  Messages of gRPC as they lie in a stream: a byte that says whether it is compressed, four for its length, itself.
 *
 * OWNER    Embedded in a call; zeroed, it is empty.
 */
#include "weir_types.h"

enum { STORE_FRAME_HEAD_BYTES = 5 };

typedef enum store_frames_progress {
    STORE_FRAMES_MORE,       /* all was taken; the message is not whole */
    STORE_FRAMES_MESSAGE,    /* it is: store_frames_pop()               */
    STORE_FRAMES_COMPRESSED, /* which nobody has asked for              */
    STORE_FRAMES_TOO_LONG,
} store_frames_progress_t;

typedef struct store_frames {
    size_t most; /* the longest message that is taken */
    uint8_t head[STORE_FRAME_HEAD_BYTES];
    size_t head_count;
    char *message; /* as much memory as has come, and no more than twice that: what the head says is only a word */
    size_t count, length, capacity;
} store_frames_t;

/** Takes what belongs to this message of *bytes, and drops it from there. After the last two, nothing more may be given. */
store_frames_progress_t store_frames_take(store_frames_t *frames, weir_span_t *bytes);

/** The whole message; the caller's to free(3). The next may come. */
weir_span_t store_frames_pop(store_frames_t *frames);

/** Whether a message has begun. */
bool store_frames_has_some(const store_frames_t *frames);

void store_frames_free(store_frames_t *frames);

/** Writes the head of a message. */
void store_frame_head(uint8_t head[static STORE_FRAME_HEAD_BYTES], size_t length);

#endif
