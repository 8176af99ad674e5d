/* SPDX-License-Identifier: MIT */
/*
 * The client of etcd, by hand: reads commands from its standard input, a line each, and says behind what each has to say itself
 * `= STATUS CODE PROBLEM`. For t/43c-etcd-client.t, which knows the commands.
 *
 *   etcd_client [KEY=VALUE…] ENDPOINT…      KEY: tls ca cert key name user password connect call ping pong
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/wire/loop/bytes.h"
#include "lib/wire/store/etcd.h"

enum { WORDS = 8, SHOWN = 10, KEY_BYTES = 256 };

static weir_etcd_t *etcd;
static weir_etcd_news_t news;
static int64_t last_lease;

static const char *const names[] = {
    [WEIR_ETCD_FINE] = "FINE",           [WEIR_ETCD_CUT] = "CUT",         [WEIR_ETCD_DENIED] = "DENIED",
    [WEIR_ETCD_COMPACTED] = "COMPACTED", [WEIR_ETCD_FULL] = "FULL",       [WEIR_ETCD_TOO_LONG] = "TOO_LONG",
    [WEIR_ETCD_FAILED] = "FAILED",       [WEIR_ETCD_NOTHING] = "NOTHING", [WEIR_ETCD_WOKEN] = "WOKEN",
};

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static int64_t number(const char *text)
{
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* ---- reading ---- */

typedef struct pages {
    size_t count;
    bool shows;
    char last[KEY_BYTES + 1];
    size_t last_length;
} pages_t;

static void visit(const weir_etcd_item_t *item, void *arg)
{
    pages_t *pages = arg;

    pages->count++;
    pages->last_length = item->key.len;
    WEIR_MUST(item->key.len <= KEY_BYTES);
    memcpy(pages->last, item->key.base, item->key.len);
    pages->last[item->key.len] = '\0';
    if (pages->shows && pages->count <= SHOWN)
        printf("%.*s=%.*s @%" PRId64 " lease=%s\n", (int)item->key.len, item->key.base, (int)item->value.len, item->value.base,
               item->mod_revision,
               item->lease == 0            ? "none"
               : item->lease == last_lease ? "last"
                                           : "other");
}

static weir_span_t end_of(const char *prefix, char end[static KEY_BYTES])
{
    size_t length;

    WEIR_MUST(weir_etcd_prefix_end(span(prefix), end, KEY_BYTES, &length));
    return (weir_span_t){end, length};
}

/* read PREFIX LIMIT REVISION [serializable] [keys] */
static weir_etcd_status_t do_read(char **word)
{
    char end[KEY_BYTES];
    pages_t pages = {.shows = true};
    weir_etcd_header_t header = {0};
    bool has_more = false;
    weir_etcd_range_t range = {span(word[1]), end_of(word[1], end), number(word[2]), number(word[3]), false, false};

    for (int i = 4; i < WORDS && word[i] != NULL; i++) {
        range.is_serializable |= strcmp(word[i], "serializable") == 0;
        range.has_no_values |= strcmp(word[i], "keys") == 0;
    }
    const weir_etcd_status_t status = weir_etcd_read(etcd, &range, visit, &pages, &header, &has_more);
    if (status == WEIR_ETCD_FINE)
        printf("count=%zu more=%d revision=%" PRId64 " cluster=%d\n", pages.count, has_more, header.revision,
               header.cluster_id != 0 && header.member_id != 0);
    return status;
}

/* pages PREFIX PAGE: all keys, as of one revision */
static weir_etcd_status_t do_pages(char **word)
{
    char end[KEY_BYTES];
    pages_t pages = {0};
    weir_etcd_header_t header = {0};
    weir_etcd_range_t range = {span(word[1]), end_of(word[1], end), number(word[2]), 0, false, false};
    const uint64_t begun_at_us = weir_clock_monotonic_us();
    size_t count = 0;

    for (bool has_more = true; has_more; count++) {
        const weir_etcd_status_t status = weir_etcd_read(etcd, &range, visit, &pages, &header, &has_more);
        if (status != WEIR_ETCD_FINE)
            return status;
        if (count == 0)
            range.revision = header.revision;
        range.key = (weir_span_t){pages.last, pages.last_length + 1}; /* with its NUL */
        if (count == 0 && word[3] != NULL) { /* meanwhile, somebody writes: which these pages do not show */
            const weir_etcd_write_t write = {.key = span(word[3]), .value = span("late")};
            WEIR_MUST(weir_etcd_write(etcd, &write, 1, &header) == WEIR_ETCD_FINE);
        }
    }
    printf("count=%zu pages=%zu revision=%" PRId64 " last=%s\n", pages.count, count, range.revision, pages.last);
    fprintf(stderr, "%zu keys in %" PRIu64 " ms\n", pages.count, (weir_clock_monotonic_us() - begun_at_us) / 1000);
    return WEIR_ETCD_FINE;
}

/* ---- writing ---- */

/* put KEY VALUE [lease] */
static weir_etcd_status_t do_put(char **word)
{
    weir_etcd_header_t header = {0};
    const weir_etcd_write_t write = {.key = span(word[1]), .value = span(word[2]), .lease = word[3] != NULL ? last_lease : 0};
    const weir_etcd_status_t status = weir_etcd_write(etcd, &write, 1, &header);

    printf("revision=%" PRId64 "\n", header.revision);
    return status;
}

/* remove PREFIX */
static weir_etcd_status_t do_remove(char **word)
{
    char end[KEY_BYTES];
    weir_etcd_header_t header;
    const weir_etcd_write_t write = {.key = span(word[1]), .end = end_of(word[1], end), .is_removal = true};

    return weir_etcd_write(etcd, &write, 1, &header);
}

/* fill PREFIX COUNT IN_ONE [BYTES]: keys, in transactions; of none, the same key each time */
static weir_etcd_status_t do_fill(char **word)
{
    static char keys[WEIR_ETCD_WRITES_MOST + 1][KEY_BYTES];
    weir_etcd_write_t writes[WEIR_ETCD_WRITES_MOST + 1];
    const size_t count = (size_t)number(word[2]), in_one = (size_t)number(word[3]), most = in_one > 0 ? in_one : 1;
    const size_t bytes = word[4] != NULL ? (size_t)number(word[4]) : 1;
    char *value = malloc(bytes);
    weir_etcd_header_t header = {0};
    weir_etcd_status_t status = WEIR_ETCD_FINE;

    WEIR_MUST(value != NULL && most <= WEIR_ETCD_WRITES_MOST + 1);
    memset(value, 'v', bytes);
    for (size_t i = 0; i < count && status == WEIR_ETCD_FINE;) {
        size_t n = 0;
        for (; n < most && i < count; n++, i++) {
            snprintf(keys[n], KEY_BYTES, "%s%07zu", word[1], in_one > 0 ? i : 0);
            writes[n] = (weir_etcd_write_t){.key = span(keys[n]), .value = {value, bytes}};
        }
        status = weir_etcd_write(etcd, writes, n, &header);
    }
    free(value);
    printf("revision=%" PRId64 "\n", header.revision);
    return status;
}

/* ---- leases ---- */

static weir_etcd_status_t do_lease(char **word)
{
    return weir_etcd_lease(etcd, number(word[1]), &last_lease);
}

static weir_etcd_status_t do_keep(char **word)
{
    int64_t ttl_s = -1;
    const weir_etcd_status_t status = weir_etcd_lease_keep(etcd, last_lease, &ttl_s);

    printf("ttl=%" PRId64 "\n", ttl_s);
    return status;
}

static weir_etcd_status_t do_end(char **word)
{
    return weir_etcd_lease_end(etcd, last_lease);
}

/* ---- watching ---- */

/* watch PREFIX REVISION */
static weir_etcd_status_t do_watch(char **word)
{
    char end[KEY_BYTES];

    return weir_etcd_watch(etcd, span(word[1]), end_of(word[1], end), number(word[2]));
}

static void show_news(void)
{
    printf("created=%d cancelled=%d more=%d compact=%" PRId64 " events=%zu revision=%" PRId64 " reason=%s\n", news.is_created,
           news.is_cancelled, news.has_more, news.compact_revision, news.event_count, news.header.revision, news.reason);
    for (size_t i = 0; i < news.event_count && i < SHOWN; i++) {
        const weir_etcd_event_t *event = &news.events[i];
        printf("%s %.*s=%.*s @%" PRId64 "\n", event->is_removal ? "removed" : "put", (int)event->item.key.len,
               event->item.key.base, (int)event->item.value.len, event->item.value.base, event->item.mod_revision);
    }
}

/* next MS */
static weir_etcd_status_t do_next(char **word)
{
    const weir_etcd_status_t status = weir_etcd_watch_next(etcd, (uint32_t)number(word[1]), &news);

    if (status == WEIR_ETCD_FINE || news.is_cancelled)
        show_news();
    return status;
}

/* follow MS COUNT: until so many events have come, none of them out of its order */
static weir_etcd_status_t do_follow(char **word)
{
    const size_t most = (size_t)number(word[2]);
    size_t count = 0, messages = 0, ahead = 0;
    int64_t first = 0, last = 0;

    while (count < most) {
        const weir_etcd_status_t status = weir_etcd_watch_next(etcd, (uint32_t)number(word[1]), &news);
        if (status != WEIR_ETCD_FINE)
            return status;
        messages++;
        for (size_t i = 0; i < news.event_count; i++) {
            WEIR_MUST(news.events[i].item.mod_revision >= last);
            last = news.events[i].item.mod_revision;
            first = first == 0 ? last : first;
        }
        count += news.event_count;
        ahead += news.event_count > 0 && news.header.revision > last;
    }
    printf("events=%zu messages=%zu first=%" PRId64 " last=%" PRId64 " ahead=%zu\n", count, messages, first, last, ahead);
    return WEIR_ETCD_FINE;
}

static weir_etcd_status_t do_unwatch(char **word)
{
    weir_etcd_watch_end(etcd);
    return WEIR_ETCD_FINE;
}

/* ---- the rest ---- */

static weir_etcd_status_t do_connect(char **word)
{
    const weir_etcd_status_t status = weir_etcd_connect(etcd);

    printf("endpoint=%s\n", weir_etcd_endpoint(etcd));
    return status;
}

static weir_etcd_status_t do_sleep(char **word)
{
    return weir_etcd_sleep(etcd, (uint32_t)number(word[1]));
}

static void *wake_later(void *arg)
{
    usleep((useconds_t)(1000 * number(arg)));
    weir_etcd_wake(etcd);
    free(arg);
    return NULL;
}

/* wake MS: in so many */
static weir_etcd_status_t do_wake(char **word)
{
    pthread_t thread;
    char *ms = strdup(word[1]);

    WEIR_MUST(ms != NULL && pthread_create(&thread, NULL, wake_later, ms) == 0);
    pthread_detach(thread);
    return WEIR_ETCD_FINE;
}

static const struct {
    const char *name;
    weir_etcd_status_t (*run)(char **word);
    int words;
} commands[] = {
    {"connect", do_connect, 1}, {"read", do_read, 4},   {"pages", do_pages, 3}, {"put", do_put, 3},
    {"remove", do_remove, 2},   {"fill", do_fill, 4},   {"lease", do_lease, 2}, {"keep", do_keep, 1},
    {"end", do_end, 1},         {"watch", do_watch, 3}, {"next", do_next, 2},   {"follow", do_follow, 3},
    {"unwatch", do_unwatch, 1}, {"sleep", do_sleep, 2}, {"wake", do_wake, 2},
};

static void run(char *line)
{
    char *word[WORDS + 1] = {NULL}, *rest = line;
    int count = 0;

    while (count < WORDS && (word[count] = strsep(&rest, " \n")) != NULL)
        count += word[count][0] != '\0';
    word[count] = NULL;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (count < commands[i].words || strcmp(word[0], commands[i].name) != 0)
            continue;
        const uint64_t begun_at_us = weir_clock_monotonic_us();
        const weir_etcd_status_t status = commands[i].run(word);
        const bool is_fine = status == WEIR_ETCD_FINE;
        printf("took=%" PRIu64 "\n= %s %d %s\n", (weir_clock_monotonic_us() - begun_at_us) / 1000, names[status],
               is_fine ? -1 : weir_etcd_code(etcd), is_fine ? "" : weir_etcd_problem(etcd));
        return;
    }
    printf("= UNKNOWN 0 \n");
}

/* One of the two has an address. */
typedef struct setting {
    const char *name;
    const char **text;
    uint32_t *ms;
} setting_t;

static bool take_setting(weir_etcd_settings_t *settings, const char *argument)
{
    const char *value = strchr(argument, '=');
    const setting_t known[] = {
        {"ca", &settings->ca_file, NULL},
        {"cert", &settings->certificate_file, NULL},
        {"key", &settings->key_file, NULL},
        {"name", &settings->server_name, NULL},
        {"user", &settings->user, NULL},
        {"password", &settings->password_file, NULL},
        {"connect", NULL, &settings->connect_timeout_ms},
        {"call", NULL, &settings->call_timeout_ms},
        {"ping", NULL, &settings->ping_interval_ms},
        {"pong", NULL, &settings->ping_timeout_ms},
    };

    if (strcmp(argument, "tls=1") == 0)
        settings->has_tls = true;
    for (size_t i = 0; value != NULL && i < sizeof(known) / sizeof(*known); i++) {
        if (strncmp(argument, known[i].name, (size_t)(value - argument)) != 0 || known[i].name[value - argument] != '\0')
            continue;
        if (known[i].text != NULL)
            *known[i].text = value + 1;
        else
            *known[i].ms = (uint32_t)number(value + 1);
    }
    return value != NULL;
}

int main(int argc, char **argv)
{
    weir_etcd_settings_t settings = {0};
    char problem[WEIR_ETCD_PROBLEM_BYTES], *line = NULL;
    size_t room = 0;
    int at = 1;

    signal(SIGPIPE, SIG_DFL); /* the client is to raise none */
    while (at < argc && take_setting(&settings, argv[at]))
        at++;
    settings.endpoints = (const char *const *)&argv[at];
    settings.endpoint_count = (size_t)(argc - at);
    etcd = weir_etcd_create(&settings, problem);
    if (etcd == NULL) {
        printf("= REFUSED 0 %s\n", problem);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (getline(&line, &room, stdin) > 0)
        run(line);
    free(line);
    weir_etcd_destroy(&etcd);
    weir_arena_forget_blocks();
    weir_block_forget();
    return 0;
}
