/* SPDX-License-Identifier: MIT */
#include "router/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
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
    weir_list_init(&instance->probes);
    weir_list_init(&instance->end_probes.link);
    WEIR_MUST(pthread_mutex_init(&instance->lock, NULL) == 0 && pthread_cond_init(&instance->has_ended, NULL) == 0);
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

/* The steward's loop knows what time its event has; other threads that have no request ask the clock. */
uint64_t weir_instance_now_us(const weir_instance_t *instance)
{
    return weir_steward_is_here() ? weir_loop_now_us(weir_steward()) : weir_clock_monotonic_us();
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

/* All of it but the timer is under the instance's lock. It lies in the instance's list until it is freed. */
struct weir_ticker {
    weir_list_t link;
    weir_instance_t *instance;
    weir_loop_t *loop;
    void (*run)(void *argument);
    void *argument;
    uint32_t ms;
    weir_timer_t timer; /* the steward's thread's own */
    weir_letter_t start, stop;
    unsigned letters; /* that are on their way */
    bool is_running;  /* run has been called, and has not returned */
    bool is_ending;   /* run will not be called any more           */
    bool has_ended;   /* nothing of it is on the steward's thread   */
    bool is_given_up; /* nobody else knows of it: whoever ends it frees it */
};

static void destroy(weir_ticker_t *ticker)
{
    weir_list_remove(&ticker->link);
    free(ticker);
}

/* On the steward's thread. */
static void finish(weir_ticker_t *ticker)
{
    ticker->has_ended = true;
    pthread_cond_broadcast(&ticker->instance->has_ended);
    if (ticker->is_given_up)
        destroy(ticker);
}

static void go_on(weir_ticker_t *ticker);

static void run_once(weir_ticker_t *ticker)
{
    weir_instance_t *instance = ticker->instance;
    weir_before_t before;

    ticker->is_running = true;
    pthread_mutex_unlock(&instance->lock);
    before = weir_at_work_on(NULL, "router", instance->router, "a ticker");
    ticker->run(ticker->argument);
    weir_at_work_back(before);
    pthread_mutex_lock(&instance->lock);
    ticker->is_running = false;
}

static void on_tick(weir_timer_t *timer)
{
    weir_ticker_t *ticker = WEIR_AROUND(timer, weir_ticker_t, timer);
    weir_instance_t *instance = ticker->instance; /* the ticker may be gone before the lock is given back */

    pthread_mutex_lock(&instance->lock);
    if (!ticker->is_ending)
        run_once(ticker);
    go_on(ticker);
    pthread_mutex_unlock(&instance->lock);
}

/* Behind a run, or a letter: what is left of it here. */
static void go_on(weir_ticker_t *ticker)
{
    if (!ticker->is_ending)
        weir_timer_set(ticker->loop, &ticker->timer, ticker->ms, on_tick);
    else if (ticker->letters == 0)
        finish(ticker);
}

static void on_start(weir_letter_t *letter)
{
    weir_ticker_t *ticker = WEIR_AROUND(letter, weir_ticker_t, start);
    weir_instance_t *instance = ticker->instance;

    pthread_mutex_lock(&instance->lock);
    ticker->letters--;
    go_on(ticker);
    pthread_mutex_unlock(&instance->lock);
}

static void on_stop(weir_letter_t *letter)
{
    weir_ticker_t *ticker = WEIR_AROUND(letter, weir_ticker_t, stop);
    weir_instance_t *instance = ticker->instance;

    pthread_mutex_lock(&instance->lock);
    ticker->letters--;
    weir_timer_cancel(&ticker->timer);
    go_on(ticker);
    pthread_mutex_unlock(&instance->lock);
}

static void post(weir_ticker_t *ticker, weir_letter_t *letter, void (*open)(weir_letter_t *letter))
{
    ticker->letters++;
    letter->open = open;
    weir_loop_post(ticker->loop, letter);
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
    weir_list_init(&ticker->start.link);
    weir_list_init(&ticker->stop.link);
    pthread_mutex_lock(&instance->lock);
    weir_list_append(&instance->tickers, &ticker->link);
    if (instance->is_still)
        ticker->is_ending = ticker->has_ended = true;
    else
        post(ticker, &ticker->start, on_start);
    pthread_mutex_unlock(&instance->lock);
    return ticker;
}

/* From now on it does not run. On the steward's thread it may be gone then. */
static void end(weir_ticker_t *ticker)
{
    if (ticker->is_ending)
        return;
    ticker->is_ending = true;
    if (!weir_steward_is_here()) {
        post(ticker, &ticker->stop, on_stop);
    } else if (!ticker->is_running && ticker->letters == 0) {
        weir_timer_cancel(&ticker->timer);
        finish(ticker);
    }
}

/* Nothing of it runs while this does, unless this is its run. */
static void stop_here(weir_ticker_t *ticker)
{
    if (ticker->has_ended) {
        destroy(ticker);
        return;
    }
    ticker->is_given_up = true;
    end(ticker);
}

static void stop_from_elsewhere(weir_ticker_t *ticker)
{
    weir_instance_t *instance = ticker->instance;

    end(ticker);
    while (!ticker->has_ended)
        pthread_cond_wait(&instance->has_ended, &instance->lock);
    destroy(ticker);
}

void weir_ticker_stop(weir_ticker_t **slot)
{
    weir_ticker_t *ticker = *slot;
    weir_instance_t *instance;

    if (ticker == NULL)
        return;
    *slot = NULL;
    instance = ticker->instance;
    pthread_mutex_lock(&instance->lock);
    if (weir_steward_is_here())
        stop_here(ticker);
    else
        stop_from_elsewhere(ticker);
    pthread_mutex_unlock(&instance->lock);
}

static bool is_any_left(const weir_instance_t *instance)
{
    if (instance->is_ending_probes || instance->is_telling)
        return true;
    for (const weir_list_t *at = instance->tickers.next; at != &instance->tickers; at = at->next) {
        if (!WEIR_AROUND(at, const weir_ticker_t, link)->has_ended)
            return true;
    }
    return false;
}

static void on_end_probes(weir_letter_t *letter)
{
    weir_instance_t *instance = WEIR_AROUND(letter, weir_instance_t, end_probes);

    pthread_mutex_lock(&instance->lock);
    weir_instance_drop_probes(instance);
    instance->is_ending_probes = false;
    pthread_cond_broadcast(&instance->has_ended);
    pthread_mutex_unlock(&instance->lock);
}

/* They are the steward's thread's. */
static void end_probes(weir_instance_t *instance)
{
    if (weir_list_is_empty(&instance->probes))
        return;
    if (weir_steward_is_here()) {
        weir_instance_drop_probes(instance);
        return;
    }
    instance->is_ending_probes = true;
    instance->end_probes.open = on_end_probes;
    weir_loop_post(weir_steward(), &instance->end_probes);
}

/* Tickers that have ended stay in the list: their router may still stop them. */
void weir_instance_still(weir_instance_t *instance)
{
    pthread_mutex_lock(&instance->lock);
    instance->is_still = true;
    for (weir_list_t *at = instance->tickers.next; at != &instance->tickers; at = at->next)
        end(WEIR_AROUND(at, weir_ticker_t, link));
    end_probes(instance);
    while (is_any_left(instance) && !weir_steward_is_here())
        pthread_cond_wait(&instance->has_ended, &instance->lock);
    pthread_mutex_unlock(&instance->lock);
}

void weir_instance_end(weir_instance_t *instance)
{
    if (instance->name == NULL)
        return;
    WEIR_MUST(!is_any_left(instance));
    while (!weir_list_is_empty(&instance->tickers))
        destroy(WEIR_AROUND(instance->tickers.next, weir_ticker_t, link));
    pthread_cond_destroy(&instance->has_ended);
    pthread_mutex_destroy(&instance->lock);
    free(instance->name);
    free(instance->where);
}
