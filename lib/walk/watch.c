/* SPDX-License-Identifier: MIT */
#include "lib/walk/watch.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/walk/desk.h"
#include "lib/walk/exchange.h"
#include "lib/walk/steward.h"

enum {
    US_OF_MS = 1000,
    LOOK_MS = 50,
    LOOK_LEAST_MS = 10,
    LATE_MS = 50,
    STUCK_USUAL_MS = 10000,
    WORDS_BYTES = 320,
    BUSY_US = 900000,
};

/* How long a thread had run at an instant. */
typedef struct spent {
    uint64_t at_us, cpu_us;
} spent_t;

/* A thread whose loop is watched. */
typedef struct watched {
    weir_list_t link;
    const weir_desk_t *desk;
    weir_desk_book_t book;
    unsigned joins;
    bool is_ours;
    weir_watched_t seen;
    char words[WORDS_BYTES]; /* what it was in when it was told last */
    clockid_t cpu_clock;     /* of its thread */
    const weir_books_page_t *exchanges;
    const weir_metrics_page_t *counts;
    spent_t last, before; /* when somebody wanted to know how busy it is; `before` is about a second older, or more */
} watched_t;

/* All of it under the lock, but for what the steward's thread does with the timer. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_ended;
    weir_list_t loops;
    weir_watch_limits_t limits;
    void (*on_alive)(void);
    bool is_looking; /* the timer is set, or the letter under way that sets it */
    bool is_ending;
    weir_letter_t start, stop;
    weir_timer_t timer;
    uint64_t looked_at_us, alive_at_us;
} watch = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .has_ended = PTHREAD_COND_INITIALIZER,
    .loops = {&watch.loops, &watch.loops},
    .start.link = {&watch.start.link, &watch.start.link},
    .stop.link = {&watch.stop.link, &watch.stop.link},
};

/* ---- words ---- */

static void copy_id(const weir_desk_t *desk, char id[static WEIR_DESK_ID_BYTES])
{
    uint64_t words[WEIR_DESK_ID_WORDS];

    for (size_t i = 0; i < WEIR_DESK_ID_WORDS; i++)
        words[i] = atomic_load_explicit(&desk->id[i], memory_order_relaxed);
    memcpy(id, words, sizeof(words));
    id[WEIR_DESK_ID_BYTES - 1] = '\0';
}

/* The latest call; NULL: there is none. */
static const weir_desk_call_t *call_of(const weir_desk_t *desk)
{
    const unsigned at_bytes = atomic_load_explicit(&desk->at_bytes, memory_order_relaxed);

    return at_bytes != 0 ? &desk->calls[at_bytes / sizeof(desk->calls[0])] : NULL;
}

/* What it is in: "in checkout_service of router shop (request 3f2a…)". */
static void describe(watched_t *watched)
{
    const weir_desk_t *desk = watched->desk;
    const weir_desk_call_t *call = call_of(desk);
    const struct weir_exchange *x;
    char id[WEIR_DESK_ID_BYTES] = "";
    int length;

    if (call == NULL) {
        snprintf(watched->words, sizeof(watched->words), "outside of any callback");
        return;
    }
    x = atomic_load_explicit(&call->x, memory_order_relaxed);
    if (x != NULL && x == atomic_load_explicit(&desk->shown, memory_order_relaxed))
        copy_id(desk, id);
    length = snprintf(watched->words, sizeof(watched->words), "in %s of %s %.128s",
                      atomic_load_explicit(&call->callback, memory_order_relaxed),
                      atomic_load_explicit(&call->kind, memory_order_relaxed),
                      atomic_load_explicit(&call->name, memory_order_acquire));
    if (id[0] != '\0' && length > 0 && (size_t)length < sizeof(watched->words))
        snprintf(watched->words + length, sizeof(watched->words) - (size_t)length, " (request %s)", id);
}

static void tell(const watched_t *watched, const char *how, uint64_t us, const char *then)
{
    static weir_log_limit_t limit;

    weir_log_limited(&limit, "loop %u %s stuck for %" PRIu64 " ms %s%s", watched->book.number, how, us / US_OF_MS,
                     watched->words, then);
}

static void end_process(const watched_t *watched, uint64_t now_us, uint64_t us)
{
    weir_log("loop %u has been stuck for %" PRIu64 " ms %s: the process ends itself, as weir.watchdog-kill says",
             watched->book.number, us / US_OF_MS, watched->words);
    weir_desk_tell_flight(watched->desk, now_us, STDERR_FILENO);
    abort();
}

/* ---- looks ---- */

/* False: nobody can tell what it does there. Calls for a request begin behind a reading of the clock. */
static bool is_visible(const watched_t *watched)
{
    const weir_desk_call_t *call = call_of(watched->desk);

    return watched->is_ours || (call != NULL && atomic_load_explicit(&call->x, memory_order_relaxed) != NULL);
}

/* How long it is silent. */
static uint64_t look_at(watched_t *watched, uint64_t now_us, uint64_t lost_us)
{
    const uint64_t beat_us = atomic_load_explicit(&watched->desk->beat_us, memory_order_relaxed);
    uint64_t silent_us;

    switch (
        weir_watch_judge(&watched->seen, &watch.limits, is_visible(watched) ? beat_us : now_us, now_us, lost_us, &silent_us)) {
    case WEIR_WATCH_FINE:
        break;
    case WEIR_WATCH_STUCK:
        describe(watched);
        tell(watched, "has been", silent_us, "");
        break;
    case WEIR_WATCH_OVER:
        tell(watched, "was", silent_us, ", and goes on");
        return 0;
    case WEIR_WATCH_KILL:
        describe(watched);
        end_process(watched, now_us, silent_us);
    }
    return silent_us;
}

static uint32_t look_ms(void)
{
    const uint32_t stuck_ms = watch.limits.stuck_ms;

    if (stuck_ms == 0 || stuck_ms / 2 >= LOOK_MS)
        return LOOK_MS;
    return stuck_ms / 2 > LOOK_LEAST_MS ? stuck_ms / 2 : LOOK_LEAST_MS;
}

static void look(uint64_t now_us)
{
    const uint64_t due_us = watch.looked_at_us + look_ms() * UINT64_C(1000), alive_us = watch.limits.alive_ms * UINT64_C(1000);
    const uint64_t lost_us = now_us > due_us + LATE_MS * UINT64_C(1000) ? now_us - due_us : 0;
    uint64_t worst_us = 0;

    watch.looked_at_us = now_us;
    for (weir_list_t *node = watch.loops.next; node != &watch.loops; node = node->next) {
        const uint64_t silent_us = look_at(WEIR_AROUND(node, watched_t, link), now_us, lost_us);
        worst_us = silent_us > worst_us ? silent_us : worst_us;
    }
    if (alive_us == 0 || worst_us >= alive_us || now_us - watch.alive_at_us < alive_us)
        return;
    watch.alive_at_us = now_us;
    watch.on_alive();
}

/* How long; 0: it is not. Of those that were told the look before knows it; no look goes on where nothing is told. */
static uint64_t stuck_us(watched_t *watched, uint64_t now_us)
{
    const uint64_t beat_us = atomic_load_explicit(&watched->desk->beat_us, memory_order_relaxed);
    const uint64_t silent_us = now_us > beat_us ? now_us - beat_us : 0;

    if (watch.limits.stuck_ms != 0) {
        const uint64_t excused_us = watched->seen.excused_us;
        return watched->seen.next_us != 0 && beat_us == watched->seen.beat_us && silent_us > excused_us ? silent_us - excused_us
                                                                                                        : 0;
    }
    if (silent_us < (uint64_t)STUCK_USUAL_MS * US_OF_MS || !is_visible(watched))
        return 0;
    describe(watched);
    return silent_us;
}

size_t weir_watch_stuck(uint64_t now_us, char *words, size_t words_bytes)
{
    size_t count = 0;

    *words = '\0';
    pthread_mutex_lock(&watch.lock);
    for (weir_list_t *node = watch.loops.next; node != &watch.loops; node = node->next) {
        watched_t *watched = WEIR_AROUND(node, watched_t, link);
        const uint64_t us = stuck_us(watched, now_us);
        if (us > 0 && count++ == 0)
            snprintf(words, words_bytes, "loop %u has been stuck for %" PRIu64 " ms %s", watched->book.number, us / US_OF_MS,
                     watched->words);
    }
    pthread_mutex_unlock(&watch.lock);
    return count;
}

/* ---- on the steward's thread ---- */

static bool is_wanted(void)
{
    const weir_watch_limits_t *limits = &watch.limits;

    return !watch.is_ending && !weir_list_is_empty(&watch.loops) &&
           (limits->stuck_ms | limits->kill_ms | limits->alive_ms) != 0;
}

static void on_look(weir_timer_t *timer);

/* Under the lock. */
static void go_on(void)
{
    if (is_wanted()) {
        weir_timer_set(weir_steward(), &watch.timer, look_ms(), on_look);
        return;
    }
    watch.is_looking = false;
    pthread_cond_broadcast(&watch.has_ended);
}

static void on_look(weir_timer_t *timer)
{
    weir_loop_t *loop = weir_steward();

    weir_loop_tick(loop); /* beats are of now, and its own turn began earlier */
    pthread_mutex_lock(&watch.lock);
    if (is_wanted())
        look(weir_loop_now_us(loop));
    go_on();
    pthread_mutex_unlock(&watch.lock);
}

static void on_start(weir_letter_t *letter)
{
    pthread_mutex_lock(&watch.lock);
    watch.looked_at_us = weir_loop_now_us(weir_steward());
    go_on();
    pthread_mutex_unlock(&watch.lock);
}

/* Whatever was to be looked at next is not. */
static void on_stop(weir_letter_t *letter)
{
    pthread_mutex_lock(&watch.lock);
    weir_timer_cancel(&watch.timer);
    go_on();
    pthread_mutex_unlock(&watch.lock);
}

/* ---- from elsewhere ---- */

/* Under the lock. */
static void start_if_wanted(void)
{
    if (watch.is_looking || !is_wanted())
        return;
    watch.is_looking = true;
    watch.start.open = on_start;
    weir_loop_post(weir_steward(), &watch.start);
}

void weir_watch_begin(const weir_watch_limits_t *limits, void (*on_alive)(void))
{
    pthread_mutex_lock(&watch.lock);
    watch.limits = *limits;
    watch.on_alive = on_alive;
    watch.is_ending = false;
    weir_desk_keep_flights(limits->kill_ms != 0);
    start_if_wanted();
    pthread_mutex_unlock(&watch.lock);
}

void weir_watch_end(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.is_ending = true;
    weir_desk_keep_flights(false);
    if (watch.is_looking) {
        watch.stop.open = on_stop;
        weir_loop_post(weir_steward(), &watch.stop);
    }
    while (watch.is_looking)
        pthread_cond_wait(&watch.has_ended, &watch.lock);
    pthread_mutex_unlock(&watch.lock);
}

/* ---- how busy they are ---- */

static uint64_t cpu_us_of(const watched_t *watched)
{
    struct timespec spent;

    if (clock_gettime(watched->cpu_clock, &spent) != 0)
        return 0;
    return (uint64_t)spent.tv_sec * 1000000 + (uint64_t)spent.tv_nsec / 1000;
}

/* Of the time since somebody asked a second ago or longer: so several who ask every second do not shorten each other's. */
static double busy_of(watched_t *watched, uint64_t now_us, uint64_t cpu_us)
{
    if (now_us - watched->last.at_us >= BUSY_US) {
        watched->before = watched->last;
        watched->last = (spent_t){now_us, cpu_us};
    }
    const uint64_t wall_us = now_us - watched->before.at_us;
    const double share = wall_us == 0 ? 0 : (double)(cpu_us - watched->before.cpu_us) / (double)wall_us;
    return share > 1 ? 1 : share;
}

static uint64_t difference(uint64_t more, uint64_t less)
{
    return more > less ? more - less : 0;
}

static weir_watch_loop_t show(watched_t *watched, uint64_t now_us)
{
    const weir_books_t books = weir_exchange_books_of(watched->exchanges);
    const _Atomic uint64_t *cells = watched->counts->cells;
    const uint64_t closed = atomic_load_explicit(&cells[WEIR_CELL_client_closed], memory_order_relaxed),
                   cpu_us = cpu_us_of(watched);

    return (weir_watch_loop_t){
        .number = watched->book.number,
        .cpu_us = cpu_us,
        .busy = busy_of(watched, now_us, cpu_us),
        .in_flight = difference(books.begun, books.ended),
        .connections = difference(atomic_load_explicit(&cells[WEIR_CELL_client_opened], memory_order_relaxed), closed),
    };
}

void weir_watch_each(void (*each)(const weir_watch_loop_t *loop, void *context), void *context)
{
    pthread_mutex_lock(&watch.lock);
    const uint64_t now_us = weir_clock_monotonic_us();
    for (weir_list_t *node = watch.loops.next; node != &watch.loops; node = node->next) {
        const weir_watch_loop_t loop = show(WEIR_AROUND(node, watched_t, link), now_us);
        each(&loop, context);
    }
    pthread_mutex_unlock(&watch.lock);
}

/* ---- who joins ---- */

/* Under the lock; NULL: this thread is not watched. */
static watched_t *mine(void)
{
    for (weir_list_t *node = watch.loops.next; node != &watch.loops; node = node->next)
        if (WEIR_AROUND(node, watched_t, link)->desk == &weir_desk)
            return WEIR_AROUND(node, watched_t, link);
    return NULL;
}

static watched_t *add(unsigned number, bool is_ours)
{
    watched_t *watched = calloc(1, sizeof(*watched));

    WEIR_MUST(watched != NULL);
    watched->desk = &weir_desk;
    watched->is_ours = is_ours;
    watched->book.number = number;
    watched->exchanges = weir_exchange_books_here();
    watched->counts = weir_metrics_page();
    WEIR_MUST(pthread_getcpuclockid(pthread_self(), &watched->cpu_clock) == 0);
    watched->last = watched->before = (spent_t){weir_clock_monotonic_us(), cpu_us_of(watched)};
    weir_desk.book = &watched->book;
    weir_list_append(&watch.loops, &watched->link);
    return watched;
}

void weir_watch_join(unsigned number, bool is_ours)
{
    watched_t *watched;

    pthread_mutex_lock(&watch.lock);
    watched = mine();
    if (watched == NULL)
        watched = add(number, is_ours);
    watched->joins++;
    start_if_wanted();
    pthread_mutex_unlock(&watch.lock);
}

void weir_watch_part(void)
{
    watched_t *watched;

    pthread_mutex_lock(&watch.lock);
    watched = mine();
    if (watched != NULL && --watched->joins == 0) {
        weir_desk.book = NULL;
        weir_list_remove(&watched->link);
        free(watched);
    }
    pthread_mutex_unlock(&watch.lock);
}
