/* SPDX-License-Identifier: MIT */
/*
 * An inquiry:
 *
 *   request ─► inquiry ─letter─► steward: a reading, as text ─letter─► home: the response, if the request is there
 */
#include "lib/wire/local/metrics.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/walk/exchange.h"
#include "lib/walk/metrics_source.h"
#include "lib/walk/slow.h"
#include "lib/walk/steward.h"
#include "lib/wire/loop/generation.h"

typedef struct metrics_handler {
    h2o_handler_t super;
    const weir_metrics_settings_t *settings;
} metrics_handler_t;

typedef struct inquiry {
    weir_context_t *home; /* held: with it the whole generation stays */
    const weir_metrics_settings_t *settings;
    h2o_req_t *req;        /* NULL: gone */
    struct inquiry **link; /* in the request's pool; as long as that is there */
    weir_metrics_format_t format;
    weir_letter_t letter; /* there, then back */
    char *text;
    size_t text_bytes;
} inquiry_t;

/* ---- on the steward's thread ---- */

static void put_process(weir_metric_sink_t *sink, const weir_metrics_settings_t *settings)
{
    const weir_books_t books = weir_exchange_books();
    const weir_metrics_config_t config = weir_metrics_config();
    char abi[20];
    const weir_metric_label_t build[] = {{"version", {settings->version, strlen(settings->version)}},
                                         {"abi", {abi, (size_t)snprintf(abi, sizeof(abi), "%u", settings->abi)}}};

    weir_scrape_new(sink, WEIR_METRIC_ID_build_info, build, 2, 1);
    weir_scrape_put(sink, WEIR_METRIC_ID_config_good, NULL, NULL, config.is_good);
    weir_scrape_put(sink, WEIR_METRIC_ID_config_time, NULL, NULL, (double)config.taken_at_us / 1e6);
    weir_scrape_put(sink, WEIR_METRIC_ID_config_generation, NULL, NULL, (double)config.generation);
    weir_scrape_put(sink, WEIR_METRIC_ID_requests_in_flight, NULL, NULL,
                    books.begun > books.ended ? (double)(books.begun - books.ended) : 0);
}

static void put_stalls(weir_metric_sink_t *sink)
{
    weir_slow_count_t counts[WEIR_SLOW_CALLBACKS];
    const size_t count = weir_slow_counts(counts);

    for (size_t i = 0; i < count; i++)
        weir_scrape_put(sink, WEIR_METRIC_ID_callback_stalls, "callback", counts[i].callback, (double)counts[i].count);
}

void weir_metrics_write(const weir_metrics_settings_t *settings, weir_metrics_format_t format, FILE *out)
{
    weir_metric_sink_t *sink = weir_scrape_create();

    put_process(sink, settings);
    put_stalls(sink);
    weir_scrape_threads(sink);
    weir_scrape_want(sink, settings->apps_most > 0, settings->tells_members);
    if (settings->apps_most > 0)
        weir_scrape_apps(sink, settings->apps_most);
    weir_metrics_ask(sink);
    weir_scrape_write(sink, out, format);
    weir_scrape_destroy(&sink);
}

static void on_answered(weir_letter_t *letter);

static void on_steward(weir_letter_t *letter)
{
    inquiry_t *inquiry = WEIR_AROUND(letter, inquiry_t, letter);
    FILE *out = open_memstream(&inquiry->text, &inquiry->text_bytes);

    WEIR_MUST(out != NULL);
    weir_metrics_write(inquiry->settings, inquiry->format, out);
    (void)fclose(out);
    letter->open = on_answered;
    weir_loop_post(inquiry->home->loop, letter);
}

/* ---- the answer ---- */

static void respond(const inquiry_t *inquiry)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_req_t *req = inquiry->req;
    h2o_iovec_t text = h2o_strdup(&req->pool, inquiry->text, inquiry->text_bytes);
    const char *type = weir_scrape_type(inquiry->format);
    const bool is_head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));

    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = text.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-cache, no-store"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_VARY, NULL, H2O_STRLIT("accept"));
    h2o_start_response(req, &generator);
    h2o_send(req, &text, is_head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static void on_answered(weir_letter_t *letter)
{
    inquiry_t *inquiry = WEIR_AROUND(letter, inquiry_t, letter);
    weir_context_t *home = inquiry->home;

    if (inquiry->req != NULL) {
        *inquiry->link = NULL;
        respond(inquiry);
    }
    free(inquiry->text);
    free(inquiry);
    home->loop->connection_count--;
    weir_context_release(home);
}

/* ---- the request ---- */

static void on_request_gone(void *memory)
{
    inquiry_t **link = memory;

    if (*link != NULL)
        (*link)->req = NULL;
}

static weir_span_t accept_of(const h2o_req_t *req)
{
    const ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, -1);

    return at == -1 ? (weir_span_t){NULL, 0}
                    : (weir_span_t){req->headers.entries[at].value.base, req->headers.entries[at].value.len};
}

static int on_req(h2o_handler_t *super, h2o_req_t *req)
{
    const metrics_handler_t *self = (const metrics_handler_t *)(const void *)super;
    weir_context_t *home = weir_context_of(req->conn->ctx);
    inquiry_t *inquiry = calloc(1, sizeof(*inquiry));

    WEIR_MUST(inquiry != NULL);
    inquiry->home = weir_context_hold(home);
    home->loop->connection_count++; /* whoever ends the loop waits for the answer */
    inquiry->settings = self->settings;
    inquiry->req = req;
    inquiry->format = weir_scrape_format(accept_of(req));
    inquiry->link = h2o_mem_alloc_shared(&req->pool, sizeof(*inquiry->link), on_request_gone);
    *inquiry->link = inquiry;
    inquiry->letter.open = on_steward;
    weir_list_init(&inquiry->letter.link);
    weir_loop_post(weir_steward(), &inquiry->letter);
    return 0;
}

void weir_metrics_register(h2o_pathconf_t *path, const weir_metrics_settings_t *settings)
{
    metrics_handler_t *self = (metrics_handler_t *)(void *)h2o_create_handler(path, sizeof(*self));

    self->super.on_req = on_req;
    self->settings = settings;
}
