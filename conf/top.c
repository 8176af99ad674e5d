/* SPDX-License-Identifier: MIT */
#include "conf/top.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf/top_fetch.h"
#include "conf/top_screen.h"
#include "conf/top_terminal.h"
#include "conf/units.h"
#include "conf/verbs.h"
#include "lib/base/clock.h"

enum {
    LEAST_MS = 100,
    MOST_MS = 3600000,
    USUAL_MS = 1000,
    MS_PER_S = 1000,
    US_PER_MS = 1000,
    ESCAPE_MS = 50, /* a terminal sends what follows an Escape at once; a slow connection may not */
    TYPED_BYTES = 256,
    PRINTED_COLUMNS = 120,
    LISTED = 1000, /* apps of a router */
};

/* ---- the interval ---- */

static bool read_interval(const char *text, uint64_t *out_ms)
{
    char *end;

    *out_ms = USUAL_MS;
    if (text == NULL)
        return true;
    const double seconds = strtod(text, &end);
    if (end != text && *end == '\0' && seconds >= 0)
        *out_ms = seconds > MOST_MS ? MOST_MS + 1 : (uint64_t)(seconds * MS_PER_S);
    else if (!conf_number_read(text, CONF_UNIT_MS, 0, MOST_MS + 1, out_ms))
        *out_ms = 0;
    if (*out_ms >= LEAST_MS && *out_ms <= MOST_MS)
        return true;
    fprintf(stderr, "weir: --interval: must be seconds, from 0.1 to 3600\n");
    return false;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / MS_PER_S), (long)(ms % MS_PER_S) * US_PER_MS * 1000L};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* ---- targets ---- */

static void write_top(char target[static TOP_TARGET_BYTES], top_order_t order)
{
    static const char *const words[] = {"requests", "errors", "queue", "latency"};

    snprintf(target, TOP_TARGET_BYTES, "/v1/top?limit=%d&sort=%s", LISTED, words[order]);
}

static void add_segment(char target[static TOP_TARGET_BYTES], const char *word)
{
    size_t length = strlen(target);

    target[length++] = '/';
    for (; *word != '\0' && length + 4 < TOP_TARGET_BYTES; word++)
        length += (size_t)snprintf(target + length, 4, isalnum((unsigned char)*word) ? "%c" : "%%%02X", (unsigned char)*word);
    target[length] = '\0';
}

static void write_members(char target[static TOP_TARGET_BYTES], const top_screen_t *screen)
{
    target[0] = '\0';
    if (screen->view != TOP_VIEW_MEMBERS)
        return;
    snprintf(target, TOP_TARGET_BYTES, "/v1/routers");
    add_segment(target, screen->router);
    add_segment(target, "apps");
    add_segment(target, screen->app);
    add_segment(target, "backends");
}

/* ---- without a terminal ---- */

static json_t *get_or_complain(const char *socket)
{
    char target[TOP_TARGET_BYTES], problem[TOP_PROBLEM_BYTES];
    json_t *document;

    write_top(target, TOP_BY_REQUESTS);
    if (!top_get(socket, target, &document, problem))
        fprintf(stderr, "weir: %s\n", problem);
    return document;
}

/* One document a line, until somebody ends it. */
static int write_lines(const conf_top_wish_t *wish, uint64_t interval_ms)
{
    for (;;) {
        json_t *document = get_or_complain(wish->socket);
        if (document == NULL)
            return EXIT_NOBODY;
        json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(document);
        if (fflush(stdout) != 0 || wish->is_once)
            return EXIT_FINE;
        sleep_ms(interval_ms);
    }
}

static size_t printed_columns(void)
{
    const char *columns = getenv("COLUMNS");
    const unsigned long wanted = columns == NULL ? 0 : strtoul(columns, NULL, 10);

    return wanted > 0 ? wanted : PRINTED_COLUMNS;
}

/* Of two documents, one interval apart. */
static int print_once(const conf_top_wish_t *wish, uint64_t interval_ms)
{
    json_t *before = get_or_complain(wish->socket), *after = NULL;

    if (before != NULL) {
        sleep_ms(interval_ms);
        after = get_or_complain(wish->socket);
    }
    if (after != NULL) {
        top_model_t *model = top_model_make(before, after);
        top_model_sort(model, TOP_BY_REQUESTS);
        top_screen_print(model, stdout, printed_columns());
        top_model_free(&model);
    }
    json_decref(before);
    const int status = after != NULL ? EXIT_FINE : EXIT_NOBODY;
    json_decref(after);
    return status;
}

/* ---- on a terminal ---- */

typedef struct session {
    top_screen_t screen;
    top_page_t page;
    top_fetch_t *fetch;
    json_t *before, *after, *members;
    top_model_t *model;
    uint64_t interval_ms, asked_at_us;
    size_t columns, rows;
    char typed[TYPED_BYTES];
    size_t typed_count;
    bool has_colours, is_stale; /* stale: what is shown is not what is known */
} session_t;

static void ask(session_t *session)
{
    char top[TOP_TARGET_BYTES], members[TOP_TARGET_BYTES];

    write_top(top, session->screen.order);
    write_members(members, &session->screen);
    session->asked_at_us = weir_clock_monotonic_us();
    top_fetch_ask(session->fetch, top, members);
}

/* In one write, so that a slow terminal shows no half of it. */
static void paint(session_t *session)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL)
        return;
    top_page_begin(&session->page, session->columns, session->rows);
    top_screen_draw(&session->screen, session->model, session->members, &session->page);
    top_page_paint(&session->page, out, session->has_colours);
    (void)fclose(out);
    (void)fwrite(text, 1, bytes, stdout);
    (void)fflush(stdout);
    free(text);
    session->is_stale = false;
}

static void take_news(session_t *session)
{
    top_news_t news;

    if (!top_fetch_take(session->fetch, &news))
        return;
    session->is_stale = true;
    top_clean(news.problem, session->screen.problem, sizeof(session->screen.problem));
    json_decref(session->members);
    session->members = news.members;
    if (news.top == NULL)
        return;
    json_decref(session->before);
    session->before = session->after;
    session->after = news.top;
    top_model_free(&session->model);
    session->model = top_model_make(session->before, session->after);
    top_model_sort(session->model, session->screen.order);
}

static void press(session_t *session, const top_typed_t *typed)
{
    const top_order_t order = session->screen.order;
    const top_view_t view = session->screen.view;

    if (typed->key == TOP_KEY_SUSPEND)
        top_terminal_suspend();
    top_screen_key(&session->screen, session->model, typed, session->rows);
    session->is_stale = true;
    if (order != session->screen.order && session->model != NULL)
        top_model_sort(session->model, session->screen.order);
    if (view == session->screen.view || session->screen.view != TOP_VIEW_MEMBERS)
        return;
    json_decref(session->members);
    session->members = NULL;
    ask(session);
}

/* `is_all`: nothing has followed for a while. */
static void read_keys(session_t *session, bool is_all)
{
    size_t at = 0;

    while (at < session->typed_count && !session->screen.is_over) {
        const top_typed_t typed = top_read_key(session->typed + at, session->typed_count - at, is_all);
        if (typed.bytes == 0)
            break;
        at += typed.bytes;
        press(session, &typed);
    }
    memmove(session->typed, session->typed + at, session->typed_count - at);
    session->typed_count -= at;
}

static void read_typed(session_t *session)
{
    const ssize_t count =
        read(STDIN_FILENO, session->typed + session->typed_count, sizeof(session->typed) - session->typed_count);

    if (count > 0)
        session->typed_count += (size_t)count;
    else
        session->screen.is_over = count == 0 || errno != EINTR; /* the terminal is gone */
    read_keys(session, false);
}

static int wait_ms_of(const session_t *session)
{
    const uint64_t since_ms = (weir_clock_monotonic_us() - session->asked_at_us) / US_PER_MS;

    if (session->typed_count > 0)
        return ESCAPE_MS;
    return since_ms >= session->interval_ms ? 0 : (int)(session->interval_ms - since_ms);
}

static void turn(session_t *session)
{
    const int wait_ms = wait_ms_of(session);
    const top_terminal_events_t events = top_terminal_wait(top_fetch_fd(session->fetch), wait_ms);

    if (events.signal != 0)
        top_terminal_die(events.signal);
    if (events.is_resized || events.is_continued) {
        top_terminal_size(&session->columns, &session->rows);
        session->is_stale = true;
    }
    if (events.has_news)
        take_news(session);
    if (events.has_keys)
        read_typed(session);
    else if (session->typed_count > 0)
        read_keys(session, true);
    if (weir_clock_monotonic_us() - session->asked_at_us >= session->interval_ms * US_PER_MS)
        ask(session);
    if (session->is_stale)
        paint(session);
}

static void end(session_t *session)
{
    top_terminal_end();
    json_decref(session->before);
    json_decref(session->after);
    json_decref(session->members);
    top_model_free(&session->model);
}

/* The first document is waited for while the terminal is as it was: where nobody answers, that is said there. */
static int serve_terminal(const conf_top_wish_t *wish, uint64_t interval_ms)
{
    static session_t session;

    session = (session_t){.interval_ms = interval_ms, .has_colours = getenv("NO_COLOR") == NULL, .is_stale = true};
    session.after = get_or_complain(wish->socket);
    if (session.after == NULL)
        return EXIT_NOBODY;
    session.model = top_model_make(NULL, session.after);
    session.fetch = top_fetch_begin(wish->socket);
    session.asked_at_us = weir_clock_monotonic_us();
    if (!top_terminal_begin()) {
        fprintf(stderr, "weir: the terminal: %s\n", strerror(errno));
        end(&session);
        return EXIT_USAGE;
    }
    top_terminal_size(&session.columns, &session.rows);
    while (!session.screen.is_over)
        turn(&session);
    end(&session);
    return EXIT_FINE;
}

int conf_top_run(const conf_top_wish_t *wish)
{
    uint64_t interval_ms;

    if (!read_interval(wish->interval, &interval_ms))
        return EXIT_USAGE;
    if (wish->is_once && !wish->is_json)
        return print_once(wish, interval_ms);
    if (wish->is_json || !top_terminal_is_there())
        return write_lines(wish, interval_ms);
    return serve_terminal(wish, interval_ms);
}
