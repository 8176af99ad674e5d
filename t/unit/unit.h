/* SPDX-License-Identifier: MIT */
#ifndef UNIT_H
#define UNIT_H
/**
 * @file  What every unit test of the walk begins with: a world of its own, and a few words to look at it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_wire.h"
#include "handlers/stages.h"

typedef struct world {
    weir_loop_t loop;
    weir_shared_t script;
    weir_plan_t plan;
    weir_front_t front;
    weir_exchange_t *x;
} world_t;

static world_t w; /* big, hence not on the stack */

/* A fresh world whose plan walks `stages` (NULL: the built-in ones) with the scripted router. */
static inline void world_open(const weir_stage_t *const *stages)
{
    memset(&w, 0, sizeof(w));
    fake_loop_init(&w.loop);
    w.plan = fake_plan(&fake_router, &w.script, stages);
}

/* Starts a request; the walk goes as far as it can. */
static inline void world_request(const char *head)
{
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, head);
    weir_exchange_start(w.x);
    fake_run(&w.loop);
}

/* Everything must have ended, and the books balance. */
static inline void world_close(void)
{
    weir_books_t books;

    fake_run(&w.loop);
    books = weir_exchange_books();
    assert_true(books.begun == books.ended && books.picks == books.checkins);
    assert_int_equal(w.script.picks, w.script.checkins);
    fake_loop_finish(&w.loop);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no '%s' in '%s'", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("'%s' in '%s'", part, text);
}

/* The response of the backend, whole, and the end of the walk. */
static inline void world_finish(const char *response)
{
    assert_true(fake_respond(w.x, response));
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

/* The request is refused with this fault, and nothing else happens. */
static inline void assert_refused(const char *request, const weir_fault_t *fault)
{
    world_open(NULL);
    world_request(request);
    if (w.script.last_fault != fault)
        fail_msg("%s instead of %s", w.script.last_fault == NULL ? "nothing" : w.script.last_fault->name, fault->name);
    assert_int_equal(w.front.status, fault->status);
    assert_true(w.front.must_close);
    world_close();
}

#define GET "GET /path?query HTTP/1.1\r\nHost: Shop.Example:8080\r\n\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

#endif
