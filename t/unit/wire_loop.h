/* SPDX-License-Identifier: MIT */
#ifndef WIRE_LOOP_H
#define WIRE_LOOP_H
/**
 * @file  What tests of the wire begin with: a real loop without a configuration, a diary, and patience.
 *
 * Time is the clock's, and a busy machine takes as much of it as it likes. So tests say what has happened, not when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/wire/server/parts.h"

enum { DIARY_BYTES = 2000, PATIENCE_TURNS = 100000, PROMPT_MS = 500, TRIES = 5 };

static weir_server_t server;
static weir_loop_t *loop;
static char diary[DIARY_BYTES];

static inline void write_diary(const char *text)
{
    size_t length = strlen(diary), more = strlen(text);

    assert_true(length + more < sizeof(diary));
    memcpy(diary + length, text, more + 1);
}

/* What has been written, and nothing else, since the last time. */
static inline void assert_diary(const char *text)
{
    char seen[DIARY_BYTES];

    strcpy(seen, diary);
    diary[0] = '\0';
    assert_string_equal(seen, text);
}

static inline void sleep_for(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* What is set for no longer than this is due in the next turn. */
static inline void oversleep(uint32_t ms)
{
    weir_loop_tick(loop);
    uint64_t end_us = weir_loop_now_us(loop) + (uint64_t)(ms + 1) * 1000;
    while (weir_loop_now_us(loop) < end_us) {
        sleep_for(1);
        weir_loop_tick(loop);
    }
}

/* Whether what() and a turn take much less than the second that a loop may sleep; a busy machine gets another try. */
static inline void assert_is_prompt(void (*what)(void))
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t start_us = weir_clock_monotonic_us();
        what();
        if (weir_clock_monotonic_us() - start_us < (uint64_t)PROMPT_MS * 1000)
            return;
    }
    fail_msg("it takes more than %d ms", PROMPT_MS);
}

static inline int open_loop(void **state)
{
    diary[0] = '\0';
    loop = weir_loop_create(&server, &weir_loop_parts);
    return 0;
}

static inline int close_loop(void **state)
{
    weir_loop_settle(loop);
    weir_loop_destroy(&loop);
    return loop == NULL ? 0 : -1;
}

static inline int forget_thread(void **state)
{
    weir_loop_forget_thread();
    return 0;
}

#endif
