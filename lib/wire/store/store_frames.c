/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_frames.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { LEAST_BYTES = 512 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void take_head(store_frames_t *frames, weir_span_t *bytes)
{
    const size_t count = least(bytes->len, STORE_FRAME_HEAD_BYTES - frames->head_count);

    if (count == 0)
        return;
    memcpy(frames->head + frames->head_count, bytes->base, count);
    frames->head_count += count;
    bytes->base += count;
    bytes->len -= count;
    frames->length =
        (size_t)frames->head[1] << 24 | (size_t)frames->head[2] << 16 | (size_t)frames->head[3] << 8 | (size_t)frames->head[4];
}

static void make_room(store_frames_t *frames, size_t count)
{
    if (frames->message != NULL && frames->capacity - frames->count >= count)
        return;
    frames->capacity = least(frames->length, 2 * (frames->count + count) + LEAST_BYTES);
    frames->message = realloc(frames->message, frames->capacity + 1); /* an empty message has an address, too */
    WEIR_MUST(frames->message != NULL);
}

store_frames_progress_t store_frames_take(store_frames_t *frames, weir_span_t *bytes)
{
    size_t count;

    if (frames->head_count < STORE_FRAME_HEAD_BYTES)
        take_head(frames, bytes);
    if (frames->head_count > 0 && frames->head[0] != 0)
        return STORE_FRAMES_COMPRESSED;
    if (frames->head_count < STORE_FRAME_HEAD_BYTES)
        return STORE_FRAMES_MORE;
    if (frames->length > frames->most)
        return STORE_FRAMES_TOO_LONG;
    count = least(bytes->len, frames->length - frames->count);
    make_room(frames, count);
    if (count > 0)
        memcpy(frames->message + frames->count, bytes->base, count);
    frames->count += count;
    bytes->base += count;
    bytes->len -= count;
    return frames->count == frames->length ? STORE_FRAMES_MESSAGE : STORE_FRAMES_MORE;
}

weir_span_t store_frames_pop(store_frames_t *frames)
{
    const weir_span_t message = {frames->message, frames->length};

    *frames = (store_frames_t){.most = frames->most};
    return message;
}

bool store_frames_has_some(const store_frames_t *frames)
{
    return frames->head_count > 0;
}

void store_frames_free(store_frames_t *frames)
{
    free(frames->message);
    *frames = (store_frames_t){.most = frames->most};
}

void store_frame_head(uint8_t head[static STORE_FRAME_HEAD_BYTES], size_t length)
{
    head[0] = 0;
    for (int i = 1; i < STORE_FRAME_HEAD_BYTES; i++)
        head[i] = (uint8_t)(length >> (8 * (STORE_FRAME_HEAD_BYTES - 1 - i)));
}
