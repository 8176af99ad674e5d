/* SPDX-License-Identifier: MIT */
/* The queue of bytes: room, order, what is copied and what is swapped, and that it holds no memory when it is empty. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/wire/loop/bytes.h"

enum {
    FEW_BYTES = 8192, /* most that weir_bytes_keep() copies */
    MOST_BYTES = 400000,
    STEPS = 5000,
};

/*
 * All bytes of a test are one long stream, of which number i is byte_at(i). So the model of a queue is two numbers: what has
 * been added and what has been taken.
 */
typedef struct model {
    weir_bytes_t queue;
    size_t added, taken;
} model_t;

static char pattern[MOST_BYTES + 1021];

static char byte_at(size_t number)
{
    return (char)(number % 1021 * 2654435761u >> 13);
}

/* The stream from `number` on, as long as MOST_BYTES. */
static char *stream_from(size_t number)
{
    return pattern + number % 1021;
}

static weir_span_t next_bytes(model_t *m, size_t count)
{
    weir_span_t bytes = {stream_from(m->added), count};

    m->added += count;
    return bytes;
}

static void assert_holds(const weir_bytes_t *queue, size_t from, size_t to)
{
    weir_span_t span = weir_bytes_span(queue);

    assert_int_equal(weir_bytes_count(queue), to - from);
    assert_int_equal(span.len, to - from);
    if (to > from)
        assert_memory_equal(span.base, stream_from(from), to - from);
}

static void assert_model(const model_t *m)
{
    assert_holds(&m->queue, m->taken, m->added);
}

static void assert_no_memory(const weir_bytes_t *queue)
{
    assert_null(queue->base);
    assert_int_equal(queue->start, 0);
    assert_int_equal(queue->end, 0);
    assert_int_equal(queue->capacity, 0);
}

static void append(model_t *m, size_t count)
{
    weir_bytes_append(&m->queue, next_bytes(m, count));
    assert_model(m);
}

static void consume(model_t *m, size_t count)
{
    weir_bytes_consume(&m->queue, count);
    m->taken += count;
    assert_model(m);
}

static void reserve(model_t *m, size_t count)
{
    char *room = weir_bytes_reserve(&m->queue, count);

    assert_ptr_equal(room, m->queue.base + m->queue.end);
    assert_true(m->queue.capacity - m->queue.end >= count);
    memset(room, 0, count); /* all of it may be written */
    assert_model(m);
}

/* ---- empty ---- */

static void an_empty_queue_holds_no_memory(void **state)
{
    weir_bytes_t queue = {0};

    weir_bytes_append(&queue, (weir_span_t){NULL, 0});
    weir_bytes_append(&queue, (weir_span_t){"a", 0});
    weir_bytes_append_rest(&queue, NULL, 0, 0);
    weir_bytes_consume(&queue, 0);
    assert_no_memory(&queue);
    assert_null(weir_bytes_span(&queue).base);
    assert_int_equal(weir_bytes_span(&queue).len, 0);
    weir_bytes_free(&queue);
    assert_no_memory(&queue);
}

static void the_last_byte_frees_the_memory(void **state)
{
    static const size_t counts[] = {1, 2048, 2049, FEW_BYTES, FEW_BYTES + 1, WEIR_BLOCK_BYTES, WEIR_BLOCK_BYTES + 1, 300000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        model_t m = {0};
        append(&m, counts[i]);
        assert_non_null(m.queue.base);
        consume(&m, counts[i] - 1);
        assert_non_null(m.queue.base);
        consume(&m, 1);
        assert_no_memory(&m.queue);
        append(&m, 7); /* and it may be used again */
        weir_bytes_free(&m.queue);
        assert_no_memory(&m.queue);
    }
}

static void room_without_bytes_is_freed_as_well(void **state)
{
    weir_bytes_t queue = {0};

    assert_non_null(weir_bytes_reserve(&queue, 10));
    weir_bytes_consume(&queue, 0);
    assert_no_memory(&queue);
}

/* It says so on standard error, which is not for the eyes of whoever reads what the tests say. */
static void nobody_takes_more_than_there_is(void **state)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        weir_bytes_t queue = {0};
        close(STDERR_FILENO);
        weir_bytes_append(&queue, WEIR_SPAN("abc"));
        weir_bytes_consume(&queue, 4);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- room ---- */

static void room_is_as_large_as_was_asked_for(void **state)
{
    static const size_t counts[] = {1,     2047,  2048,  2049,  4095,  4096,   4097,   8191,   8192,  8193,
                                    16384, 16385, 81919, 81920, 81921, 163839, 163840, 163841, 300000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (size_t before = 0; before <= 9000; before += 3000) {
            model_t m = {0};
            append(&m, before);
            reserve(&m, counts[i]);
            weir_bytes_append(&m.queue, next_bytes(&m, counts[i])); /* what was reserved is not reserved again */
            assert_model(&m);
            weir_bytes_free(&m.queue);
        }
    }
}

static void what_was_reserved_is_claimed_by_growing(void **state)
{
    model_t m = {0};

    append(&m, 5);
    char *room = weir_bytes_reserve(&m.queue, 100);
    memcpy(room, next_bytes(&m, 30).base, 30);
    weir_bytes_grow(&m.queue, 30);
    assert_model(&m);
    assert_ptr_equal(weir_bytes_reserve(&m.queue, 70), room + 30); /* the rest is still there */
    assert_model(&m);
    weir_bytes_free(&m.queue);
}

static void room_behind_the_last_byte_is_used_first(void **state)
{
    model_t m = {0};

    append(&m, 1000);
    consume(&m, 600);
    char *base = m.queue.base;
    reserve(&m, 2048 - 1000);
    assert_ptr_equal(m.queue.base, base);
    assert_int_equal(m.queue.start, 600);
    weir_bytes_free(&m.queue);
}

static void room_before_the_first_byte_is_used_next(void **state)
{
    model_t m = {0};

    append(&m, 2048);
    consume(&m, 2000);
    char *base = m.queue.base;
    reserve(&m, 2000);
    assert_ptr_equal(m.queue.base, base);
    assert_int_equal(m.queue.capacity, 2048);
    reserve(&m, 2001); /* one more than both together have */
    assert_true(m.queue.capacity > 2048);
    weir_bytes_free(&m.queue);
}

/* A queue that is never empty, and of which as much is taken as is added, does not grow. */
static void a_queue_in_balance_does_not_grow(void **state)
{
    model_t m = {0};

    append(&m, 700);
    for (int i = 0; i < 10000; i++) {
        append(&m, 600);
        consume(&m, 600);
    }
    assert_int_equal(m.queue.capacity, 2048);
    weir_bytes_free(&m.queue);
}

/* ---- the rest of pieces that were written in part ---- */

enum { PIECES = 6 };

static const size_t piece_bytes[PIECES] = {3, 0, 5, 1, 0, 4};

static void append_rest_of(model_t *m, size_t written)
{
    struct iovec pieces[PIECES];
    size_t at = 0;

    m->added += written; /* the kernel has them, and they are no business of the queue's */
    m->taken = m->queue.end == 0 ? m->added : m->taken;
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = (struct iovec){stream_from(m->added - written + at), piece_bytes[i]};
        at += piece_bytes[i];
    }
    weir_bytes_append_rest(&m->queue, pieces, PIECES, written);
    m->added += at - written;
    assert_model(m);
}

static void the_rest_of_pieces_at_every_split(void **state)
{
    size_t total = 0;

    for (int i = 0; i < PIECES; i++)
        total += piece_bytes[i];
    for (size_t written = 0; written <= total; written++) {
        model_t m = {0};
        append_rest_of(&m, written);
        assert_int_equal(weir_bytes_count(&m.queue), total - written);
        if (written == total)
            assert_no_memory(&m.queue);
        weir_bytes_free(&m.queue);
    }
}

static void the_rest_of_pieces_goes_behind_what_is_there(void **state)
{
    model_t m = {0};

    append(&m, 11);
    append_rest_of(&m, 0);
    consume(&m, 12);
    append_rest_of(&m, 0);
    weir_bytes_free(&m.queue);
}

/* ---- blocks ---- */

static void few_bytes_are_copied(void **state)
{
    static const size_t counts[] = {1, 100, FEW_BYTES};
    char *scratch = weir_block_take(), *block = scratch;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        model_t m = {0};
        weir_span_t bytes = next_bytes(&m, counts[i]);
        memcpy(scratch + 17, bytes.base, bytes.len);
        weir_bytes_keep(&m.queue, &scratch, (weir_span_t){scratch + 17, bytes.len});
        assert_ptr_equal(scratch, block);
        memset(scratch, 0, WEIR_BLOCK_BYTES); /* the next read */
        assert_model(&m);
        weir_bytes_free(&m.queue);
    }
    weir_block_give(scratch);
}

static void many_bytes_swap_the_block(void **state)
{
    static const struct {
        size_t offset, count;
    } rows[] = {{0, FEW_BYTES + 1}, {0, WEIR_BLOCK_BYTES}, {17, 65536}, {WEIR_BLOCK_BYTES - FEW_BYTES - 1, FEW_BYTES + 1}};
    char *scratch = weir_block_take();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        model_t m = {0};
        char *block = scratch;
        weir_span_t bytes = next_bytes(&m, rows[i].count);
        memcpy(scratch + rows[i].offset, bytes.base, bytes.len);
        weir_bytes_keep(&m.queue, &scratch, (weir_span_t){scratch + rows[i].offset, bytes.len});
        assert_ptr_not_equal(scratch, block);
        assert_ptr_equal(weir_bytes_span(&m.queue).base, block + rows[i].offset);
        memset(scratch, 0, WEIR_BLOCK_BYTES);
        assert_model(&m);
        append(&m, 1000); /* by the room before the bytes, if there is none behind them */
        append(&m, WEIR_BLOCK_BYTES);
        consume(&m, rows[i].count + 1000);
        consume(&m, WEIR_BLOCK_BYTES);
        assert_no_memory(&m.queue);
    }
    weir_block_give(scratch);
}

/* Room was reserved before the read: there is a place to copy to already. */
static void a_queue_with_memory_copies_many_bytes_too(void **state)
{
    model_t m = {0};
    char *scratch = weir_block_take(), *block = scratch;

    append(&m, 3);
    weir_span_t bytes = next_bytes(&m, FEW_BYTES + 1);
    memcpy(scratch, bytes.base, bytes.len);
    weir_bytes_keep(&m.queue, &scratch, (weir_span_t){scratch, bytes.len});
    assert_ptr_equal(scratch, block);
    assert_model(&m);
    weir_bytes_free(&m.queue);
    weir_block_give(scratch);
}

static void a_block_that_was_given_is_taken_next(void **state)
{
    char *first, *second;
    model_t m = {0};

    weir_block_forget();
    first = weir_block_take();
    second = weir_block_take();
    assert_ptr_not_equal(first, second);
    weir_block_give(first);
    weir_block_give(second);
    append(&m, WEIR_BLOCK_BYTES); /* a queue of that size is a block */
    assert_ptr_equal(m.queue.base, second);
    consume(&m, WEIR_BLOCK_BYTES);
    append(&m, WEIR_BLOCK_BYTES + 1); /* a larger one is none, and is not kept for those who want one */
    consume(&m, WEIR_BLOCK_BYTES + 1);
    assert_ptr_equal(weir_block_take(), second);
    assert_ptr_equal(weir_block_take(), first);
    weir_block_give(first);
    weir_block_give(second);
}

static void more_blocks_may_be_given_than_are_kept(void **state)
{
    enum { BLOCKS = 50 };
    char *blocks[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = weir_block_take();
        memset(blocks[i], i, WEIR_BLOCK_BYTES);
    }
    for (int i = 0; i < BLOCKS; i++)
        weir_block_give(blocks[i]);
    weir_block_forget();
    weir_block_give(weir_block_take());
}

/* ---- whatever comes ---- */

static uint32_t dice;

static size_t roll(size_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % sides;
}

static size_t roll_size(void)
{
    static const size_t bounds[] = {4, 100, 3000, FEW_BYTES + 100, 90000};

    return roll(bounds[roll(sizeof(bounds) / sizeof(bounds[0]))]);
}

static void grow(model_t *m, size_t count)
{
    char *room = weir_bytes_reserve(&m->queue, count);
    size_t claimed = roll(count + 1);

    if (claimed > 0)
        memcpy(room, next_bytes(m, claimed).base, claimed);
    weir_bytes_grow(&m->queue, claimed);
}

static void keep(model_t *m, char **scratch, size_t count)
{
    size_t offset = roll(WEIR_BLOCK_BYTES - count + 1);
    weir_span_t bytes = next_bytes(m, count);

    memcpy(*scratch + offset, bytes.base, bytes.len);
    weir_bytes_keep(&m->queue, scratch, (weir_span_t){*scratch + offset, bytes.len});
    memset(*scratch, 0, WEIR_BLOCK_BYTES);
}

static void append_pieces(model_t *m)
{
    size_t counts[3] = {roll_size(), roll(3), roll(5000)};
    size_t written = weir_bytes_count(&m->queue) > 0 ? 0 : roll(counts[0] + counts[1] + 1);
    struct iovec pieces[3];

    if (weir_bytes_count(&m->queue) == 0)
        m->taken = m->added + written;
    for (int i = 0; i < 3; i++)
        pieces[i] = (struct iovec){(char *)(uintptr_t)next_bytes(m, counts[i]).base, counts[i]};
    weir_bytes_append_rest(&m->queue, pieces, 3, written);
}

static void step(model_t *m, char **scratch)
{
    size_t count = weir_bytes_count(&m->queue), size = roll_size();
    bool is_full = count > MOST_BYTES - 100000;

    switch (is_full ? 5 : roll(8)) {
    case 0:
    case 1:
        weir_bytes_append(&m->queue, next_bytes(m, size));
        break;
    case 2:
        grow(m, size);
        break;
    case 3:
        append_pieces(m);
        break;
    case 4:
        if (count == 0 && size <= WEIR_BLOCK_BYTES)
            keep(m, scratch, size);
        break;
    case 5:
        m->taken += count;
        weir_bytes_consume(&m->queue, count);
        assert_no_memory(&m->queue);
        break;
    default:
        size = size < count ? size : count;
        m->taken += size;
        weir_bytes_consume(&m->queue, size);
    }
    assert_model(m);
}

static void order_is_kept_whatever_is_done(void **state)
{
    for (uint32_t seed = 1; seed <= 4; seed++) {
        model_t m = {0};
        char *scratch = weir_block_take();
        dice = seed;
        for (int i = 0; i < STEPS; i++)
            step(&m, &scratch);
        weir_bytes_free(&m.queue);
        weir_block_give(scratch);
    }
}

static int set_up(void **state)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = byte_at(i);
    return 0;
}

static int tear_down(void **state)
{
    weir_block_forget();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_holds_no_memory),
        cmocka_unit_test(the_last_byte_frees_the_memory),
        cmocka_unit_test(room_without_bytes_is_freed_as_well),
        cmocka_unit_test(nobody_takes_more_than_there_is),
        cmocka_unit_test(room_is_as_large_as_was_asked_for),
        cmocka_unit_test(what_was_reserved_is_claimed_by_growing),
        cmocka_unit_test(room_behind_the_last_byte_is_used_first),
        cmocka_unit_test(room_before_the_first_byte_is_used_next),
        cmocka_unit_test(a_queue_in_balance_does_not_grow),
        cmocka_unit_test(the_rest_of_pieces_at_every_split),
        cmocka_unit_test(the_rest_of_pieces_goes_behind_what_is_there),
        cmocka_unit_test(few_bytes_are_copied),
        cmocka_unit_test(many_bytes_swap_the_block),
        cmocka_unit_test(a_queue_with_memory_copies_many_bytes_too),
        cmocka_unit_test(a_block_that_was_given_is_taken_next),
        cmocka_unit_test(more_blocks_may_be_given_than_are_kept),
        cmocka_unit_test(order_is_kept_whatever_is_done),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
