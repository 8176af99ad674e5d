/* SPDX-License-Identifier: MIT */
#include "router/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "lib/walk/steward.h"

/* ---- the instance ---- */

static char *copy_text(const char *text)
{
    char *copy = strdup(text);

    WEIR_MUST(copy != NULL);
    return copy;
}

void weir_instance_begin(weir_instance_t *instance, const char *router, const char *name, const char *where,
                         uint64_t generation)
{
    instance->router = router;
    instance->name = copy_text(name);
    instance->where = copy_text(where);
    instance->generation = generation;
    weir_list_init(&instance->tickers);
    WEIR_MUST(pthread_mutex_init(&instance->lock, NULL) == 0);
}

void weir_instance_end(weir_instance_t *instance)
{
    if (instance->name == NULL)
        return;
    WEIR_MUST(weir_list_is_empty(&instance->tickers));
    pthread_mutex_destroy(&instance->lock);
    free(instance->name);
    free(instance->where);
}

const char *weir_instance_name(const weir_instance_t *instance)
{
    return instance->name;
}

const char *weir_instance_where(const weir_instance_t *instance)
{
    return instance->where;
}

uint64_t weir_instance_generation(const weir_instance_t *instance)
{
    return instance->generation;
}

void weir_instance_log(weir_instance_t *instance, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    weir_log_limited(&instance->log_limit, "router %s (%s): %s", instance->router, instance->name, text);
}

/* ---- tickers ---- */

struct weir_ticker {
    weir_list_t link; /* in the instance's list, under its lock */
    weir_instance_t *instance;
    weir_loop_t *loop;
    void (*run)(void *argument);
    void *argument;
    uint32_t ms;
    weir_letter_t start, stop;
    /* The steward's thread's own: */
    weir_timer_t timer;
    bool has_begun, is_stopped;
    /* Another thread waits for the end: */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended;
};

static __thread weir_ticker_t *running; /* on the steward's thread */

static void destroy(weir_ticker_t *ticker)
{
    pthread_mutex_destroy(&ticker->lock);
    pthread_cond_destroy(&ticker->ended);
    free(ticker);
}

static void on_tick(weir_timer_t *timer)
{
    weir_ticker_t *ticker = WEIR_AROUND(timer, weir_ticker_t, timer);

    const weir_at_work_t before = weir_at_work_on(NULL, "router", ticker->instance->router, "a ticker");

    running = ticker;
    ticker->run(ticker->argument);
    running = NULL;
    weir_at_work_back(before);
    if (ticker->is_stopped)
        destroy(ticker); /* in its own run */
    else
        weir_timer_set(ticker->loop, &ticker->timer, ticker->ms, on_tick);
}

static void on_start(weir_letter_t *letter)
{
    weir_ticker_t *ticker = WEIR_AROUND(letter, weir_ticker_t, start);

    ticker->has_begun = true;
    if (ticker->is_stopped)
        destroy(ticker); /* on this thread, before it came to be */
    else
        weir_timer_set(ticker->loop, &ticker->timer, ticker->ms, on_tick);
}

weir_ticker_t *weir_every(weir_instance_t *instance, uint32_t ms, void (*run)(void *argument), void *argument)
{
    weir_ticker_t *ticker = calloc(1, sizeof(*ticker));

    WEIR_MUST(ticker != NULL);
    ticker->instance = instance;
    ticker->loop = weir_steward();
    ticker->run = run;
    ticker->argument = argument;
    ticker->ms = ms == 0 ? 1 : ms > WEIR_LATER_MOST_MS ? WEIR_LATER_MOST_MS : ms;
    WEIR_MUST(pthread_mutex_init(&ticker->lock, NULL) == 0 && pthread_cond_init(&ticker->ended, NULL) == 0);
    weir_list_init(&ticker->start.link);
    weir_list_init(&ticker->stop.link);
    pthread_mutex_lock(&instance->lock);
    weir_list_append(&instance->tickers, &ticker->link);
    pthread_mutex_unlock(&instance->lock);
    ticker->start.open = on_start;
    weir_loop_post(ticker->loop, &ticker->start);
    return ticker;
}

static void on_stop(weir_letter_t *letter)
{
    weir_ticker_t *ticker = WEIR_AROUND(letter, weir_ticker_t, stop);

    weir_timer_cancel(&ticker->timer);
    pthread_mutex_lock(&ticker->lock);
    ticker->has_ended = true;
    pthread_cond_signal(&ticker->ended);
    pthread_mutex_unlock(&ticker->lock);
}

/* Nothing of it runs while this does. */
static void stop_here(weir_ticker_t *ticker)
{
    ticker->is_stopped = true;
    if (ticker == running || !ticker->has_begun)
        return; /* whoever called it, or is about to begin it, frees it */
    weir_timer_cancel(&ticker->timer);
    destroy(ticker);
}

static void stop_from_elsewhere(weir_ticker_t *ticker)
{
    ticker->stop.open = on_stop;
    weir_loop_post(ticker->loop, &ticker->stop);
    pthread_mutex_lock(&ticker->lock);
    while (!ticker->has_ended)
        pthread_cond_wait(&ticker->ended, &ticker->lock);
    pthread_mutex_unlock(&ticker->lock);
    destroy(ticker);
}

static void stop(weir_ticker_t *ticker)
{
    if (weir_steward_is_here())
        stop_here(ticker);
    else
        stop_from_elsewhere(ticker);
}

void weir_ticker_stop(weir_ticker_t **slot)
{
    weir_ticker_t *ticker = *slot;

    if (ticker == NULL)
        return;
    *slot = NULL;
    pthread_mutex_lock(&ticker->instance->lock);
    weir_list_remove(&ticker->link);
    pthread_mutex_unlock(&ticker->instance->lock);
    stop(ticker);
}

/* One that is stopped by its router at the same moment is in the list no more. */
static weir_ticker_t *take_one(weir_instance_t *instance)
{
    weir_ticker_t *ticker = NULL;

    pthread_mutex_lock(&instance->lock);
    if (!weir_list_is_empty(&instance->tickers)) {
        ticker = WEIR_AROUND(instance->tickers.next, weir_ticker_t, link);
        weir_list_remove(&ticker->link);
    }
    pthread_mutex_unlock(&instance->lock);
    return ticker;
}

void weir_instance_still(weir_instance_t *instance)
{
    weir_ticker_t *ticker;

    while ((ticker = take_one(instance)) != NULL)
        stop(ticker);
}
