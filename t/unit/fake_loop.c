/* SPDX-License-Identifier: MIT */
/* The fake world: time, letters, dice, and what there is only one of. */
#include "fake_wire.h"

#include <stdlib.h>

#include "weir_digest.h"
#include "lib/walk/loops.h"
#include "weir_retire.h"

void fake_loop_init(weir_loop_t *loop)
{
    memset(loop, 0, sizeof(*loop));
    loop->now_us = 1000000;
    loop->wall_us = 1700000000000000;
    weir_list_init(&loop->timers);
    weir_list_init(&loop->letters);
    pthread_mutex_init(&loop->lock, NULL);
}

void fake_loop_finish(weir_loop_t *loop)
{
    WEIR_MUST(weir_list_is_empty(&loop->letters));
    WEIR_MUST(weir_list_is_empty(&loop->timers));
    WEIR_MUST(loop->backs == 0);
    WEIR_MUST(weir_exchange_count() == 0);
    pthread_mutex_destroy(&loop->lock);
    fake_release();
    weir_arena_forget_blocks();
}

void fake_note(weir_loop_t *loop, const char *format, ...)
{
    va_list arguments;

    if (loop->is_quiet)
        return;
    va_start(arguments, format);
    loop->length += (size_t)vsnprintf(loop->text + loop->length, sizeof(loop->text) - loop->length, format, arguments);
    va_end(arguments);
    WEIR_MUST(loop->length < sizeof(loop->text));
}

bool fake_run_one(weir_loop_t *loop)
{
    weir_letter_t *letter = NULL;

    pthread_mutex_lock(&loop->lock);
    if (!weir_list_is_empty(&loop->letters)) {
        letter = WEIR_AROUND(loop->letters.next, weir_letter_t, link);
        weir_list_remove(&letter->link);
    }
    pthread_mutex_unlock(&loop->lock);
    if (letter == NULL)
        return false;
    letter->open(letter);
    return true;
}

void fake_run(weir_loop_t *loop)
{
    while (fake_run_one(loop))
        continue;
}

static weir_timer_t *first_due(weir_loop_t *loop, uint64_t end_ms)
{
    weir_timer_t *first = NULL;

    for (weir_list_t *node = loop->timers.next; node != &loop->timers; node = node->next) {
        weir_timer_t *timer = WEIR_AROUND(node, weir_timer_t, link);
        if (timer->due_at_ms <= end_ms && (first == NULL || timer->due_at_ms < first->due_at_ms))
            first = timer;
    }
    return first;
}

/* Runs the timers that are due until then, and opens letters before and behind each of them, or not at all. */
static void pass_time(weir_loop_t *loop, uint32_t ms, bool opens_letters)
{
    uint64_t end_us = loop->now_us + (uint64_t)ms * 1000;
    weir_timer_t *timer;

    if (opens_letters)
        fake_run(loop);
    while ((timer = first_due(loop, end_us / 1000)) != NULL) {
        uint64_t due_us = timer->due_at_ms * 1000;
        if (due_us > loop->now_us) {
            loop->wall_us += due_us - loop->now_us;
            loop->now_us = due_us;
        }
        weir_list_remove(&timer->link);
        timer->on_due(timer);
        if (opens_letters)
            fake_run(loop);
    }
    loop->wall_us += end_us - loop->now_us;
    loop->now_us = end_us;
}

void fake_advance(weir_loop_t *loop, uint32_t ms)
{
    pass_time(loop, ms, true);
}

void fake_advance_past_letters(weir_loop_t *loop, uint32_t ms)
{
    pass_time(loop, ms, false);
}

void weir_loop_tick(weir_loop_t *loop)
{
    loop->now_us += loop->blocked_us;
    loop->wall_us += loop->blocked_us;
    loop->blocked_us = 0;
}

uint64_t weir_loop_now_us(const weir_loop_t *loop)
{
    return loop->now_us;
}

uint64_t weir_loop_wall_us(const weir_loop_t *loop)
{
    return loop->wall_us;
}

uint64_t fake_throw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void weir_loop_random(weir_loop_t *loop, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = loop->seed != 0 ? (uint8_t)fake_throw(&loop->seed) : loop->dice++;
}

void weir_timer_set(weir_loop_t *loop, weir_timer_t *timer, uint32_t delay_ms, void (*on_due)(weir_timer_t *timer))
{
    weir_timer_cancel(timer);
    timer->due_at_ms = loop->now_us / 1000 + delay_ms;
    timer->on_due = on_due;
    weir_list_append(&loop->timers, &timer->link);
}

void weir_timer_cancel(weir_timer_t *timer)
{
    if (weir_timer_is_set(timer))
        weir_list_remove(&timer->link);
}

bool weir_timer_is_set(const weir_timer_t *timer)
{
    return timer->link.next != NULL && timer->link.next != &timer->link;
}

void weir_loop_post(weir_loop_t *loop, weir_letter_t *letter)
{
    pthread_mutex_lock(&loop->lock);
    weir_list_append(&loop->letters, &letter->link);
    pthread_mutex_unlock(&loop->lock);
}

/* ---- certificates: nobody has one ---- */

const weir_certificate_facts_t *weir_certificate_facts(weir_certificate_t *certificate)
{
    WEIR_MUST(certificate == NULL);
    return NULL;
}

void weir_certificate_release(weir_certificate_t **slot)
{
    WEIR_MUST(*slot == NULL);
}

/* ---- configurations: there is only one, and it stays ---- */

void weir_context_release(struct weir_context *context)
{
    WEIR_MUST(context == NULL);
}

/* ---- the steward ---- */

weir_loop_t *fake_steward;

weir_loop_t *weir_steward(void)
{
    WEIR_MUST(fake_steward != NULL);
    return fake_steward;
}

bool weir_steward_is_here(void)
{
    return true;
}

void weir_steward_stop(void)
{
}

void weir_loops_visit(void (*visit)(void *argument), void *argument)
{
    visit(argument);
}

/* ---- what was retired: released when nothing runs any more ---- */

typedef struct fake_retired {
    struct fake_retired *next;
    void *memory;
    void (*release)(void *memory);
} fake_retired_t;

static fake_retired_t *fake_retired;

void weir_retire(void *memory, void (*release)(void *memory))
{
    fake_retired_t *retired = malloc(sizeof(*retired));

    WEIR_MUST(retired != NULL);
    *retired = (fake_retired_t){fake_retired, memory, release};
    fake_retired = retired;
}

void fake_release(void)
{
    while (fake_retired != NULL) {
        fake_retired_t *retired = fake_retired;
        fake_retired = retired->next;
        retired->release(retired->memory);
        free(retired);
    }
}

/* ---- a digest that is none: whoever tests with it compares what one call said with what another says ---- */

void weir_hmac_sha256(weir_span_t key, const weir_span_t *pieces, size_t count, uint8_t out[WEIR_SHA256_BYTES])
{
    uint64_t words[WEIR_SHA256_BYTES / sizeof(uint64_t)] = {0};

    for (size_t word = 0; word < sizeof(words) / sizeof(words[0]); word++) {
        uint64_t state[2] = {word, 0};
        state[1] = weir_siphash(state, key);
        for (size_t i = 0; i < count; i++)
            state[1] = weir_siphash(state, pieces[i]) + pieces[i].len;
        words[word] = state[1];
    }
    memcpy(out, words, WEIR_SHA256_BYTES);
}
