/* SPDX-License-Identifier: MIT */
/*
 * An inquiry:
 *
 *   request ─► inquiry ─letter─► each loop writes its answer ─last one: letter─► home: the response, if the request is there
 */
#include "lib/wire/local/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/must.h"
#include "lib/wire/local/status_counts.h"
#include "lib/wire/local/status_page.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/relay/front.h"

enum { REQUESTS_MOST = 1000, LINE_BYTES = 4096 };

typedef struct status_handler {
    h2o_handler_t super;
    h2o_logconf_t *line; /* of a request in flight; read by all threads */
} status_handler_t;

typedef enum show {
    SHOW_MAIN = 1,
    SHOW_REQUESTS = 2,
    SHOW_EVENTS = 4,
    SHOW_DURATIONS = 8,
} show_t;

struct inquiry;

/* What one loop is asked, and says. */
typedef struct visit {
    weir_letter_t letter;
    struct inquiry *inquiry;
    weir_context_t *context;
    char *requests; /* each after a comma */
    size_t requests_bytes;
    weir_status_counts_t counts;
} visit_t;

typedef struct inquiry {
    weir_context_t *home; /* held: with it the whole generation stays */
    const status_handler_t *handler;
    h2o_req_t *req;        /* NULL: gone */
    struct inquiry **link; /* in the request's pool; as long as that is there */
    unsigned shown;
    weir_letter_t answered;
    _Atomic unsigned left;
    unsigned count;
    visit_t visits[];
} inquiry_t;

/* ---- on each loop ---- */

typedef struct listing {
    FILE *out;
    const status_handler_t *handler;
    unsigned count;
} listing_t;

static int list_request(h2o_req_t *req, void *arg)
{
    listing_t *listing = arg;
    char buffer[LINE_BYTES];
    size_t len = sizeof(buffer);
    char *line = h2o_log_request(listing->handler->line, req, &len, buffer);

    fwrite(line, 1, len - 1, listing->out); /* without the end of the line */
    if (line != buffer)
        free(line);
    return ++listing->count == REQUESTS_MOST;
}

static void list_requests(visit_t *visit)
{
    listing_t listing = {.handler = visit->inquiry->handler};
    h2o_context_t *h2o = visit->context->h2o;

    listing.out = open_memstream(&visit->requests, &visit->requests_bytes);
    WEIR_MUST(listing.out != NULL);
    weir_front_note_backends();
    (void)h2o->globalconf->http1.callbacks.foreach_request(h2o, list_request, &listing); /* HTTP/2's, too */
    (void)fclose(listing.out);
}

static void on_visit(weir_letter_t *letter)
{
    visit_t *visit = WEIR_AROUND(letter, visit_t, letter);
    inquiry_t *inquiry = visit->inquiry;
    weir_loop_t *home = inquiry->home->loop;

    if (inquiry->shown & SHOW_REQUESTS)
        list_requests(visit);
    if (visit->context->loop->status_counts != NULL)
        visit->counts = *visit->context->loop->status_counts;
    if (atomic_fetch_sub(&inquiry->left, 1) == 1)
        weir_loop_post(home, &inquiry->answered);
}

/* ---- the answer ---- */

static void print_main(FILE *out, const inquiry_t *inquiry)
{
    const weir_context_t *home = inquiry->home;
    const int64_t now_s = (int64_t)time(NULL), began_at_s = home->loop->server->began_at_s;

    fprintf(out, ",\n \"server-version\": \"%s\",\n \"current-time\": %" PRId64 ",\n \"restart-time\": %" PRId64, WEIR_VERSION,
            now_s, began_at_s);
    fprintf(out, ",\n \"uptime\": %" PRId64 ",\n \"connections\": %u,\n \"max-connections\": %u,\n \"worker-threads\": %u",
            now_s - began_at_s, atomic_load(&home->loop->server->connections), home->settings->max_connections, inquiry->count);
}

static void print_requests(FILE *out, const inquiry_t *inquiry)
{
    bool is_first = true;

    fputs(",\n \"requests\": [", out);
    for (unsigned i = 0; i < inquiry->count; i++) {
        const visit_t *visit = &inquiry->visits[i];
        if (visit->requests_bytes == 0)
            continue;
        fwrite(visit->requests + is_first, 1, visit->requests_bytes - is_first, out);
        is_first = false;
    }
    fputs("\n ]", out);
}

static char *print_answer(const inquiry_t *inquiry, size_t *out_bytes)
{
    weir_status_counts_t *sum = calloc(1, sizeof(*sum));
    char *text = NULL;
    FILE *out = open_memstream(&text, out_bytes);

    WEIR_MUST(out != NULL && sum != NULL);
    for (unsigned i = 0; i < inquiry->count; i++)
        weir_status_counts_add(sum, &inquiry->visits[i].counts);
    if (inquiry->shown & SHOW_MAIN)
        print_main(out, inquiry);
    if (inquiry->shown & SHOW_REQUESTS)
        print_requests(out, inquiry);
    if (inquiry->shown & SHOW_EVENTS)
        weir_status_print_events(out, sum);
    if (inquiry->shown & SHOW_DURATIONS)
        weir_status_print_durations(out, sum);
    fputs("\n}\n", out);
    (void)fclose(out);
    free(sum);
    text[0] = '{'; /* in place of the first comma; or, if nothing is shown, of the end of a line */
    return text;
}

static void send_text(h2o_req_t *req, const char *type, h2o_iovec_t text)
{
    static h2o_generator_t generator = {NULL, NULL};
    const bool is_head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));

    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = text.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-cache, no-store"));
    h2o_start_response(req, &generator);
    h2o_send(req, &text, is_head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static void respond(const inquiry_t *inquiry)
{
    h2o_req_t *req = inquiry->req;
    size_t bytes;
    char *text = print_answer(inquiry, &bytes);
    const h2o_iovec_t copy = h2o_strdup(&req->pool, text, bytes);

    free(text);
    send_text(req, "application/json", copy);
}

static void on_answered(weir_letter_t *letter)
{
    inquiry_t *inquiry = WEIR_AROUND(letter, inquiry_t, answered);
    weir_context_t *home = inquiry->home;

    if (inquiry->req != NULL) {
        *inquiry->link = NULL;
        respond(inquiry);
    }
    for (unsigned i = 0; i < inquiry->count; i++)
        free(inquiry->visits[i].requests);
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

static void ask(inquiry_t *inquiry, unsigned loops)
{
    weir_generation_t *generation = inquiry->home->generation;

    for (unsigned i = 0; i < loops; i++) {
        weir_context_t *context = atomic_load(&generation->contexts[i]);
        if (context == NULL)
            continue; /* that thread has not begun with this configuration */
        visit_t *visit = &inquiry->visits[inquiry->count++];
        visit->letter.open = on_visit;
        weir_list_init(&visit->letter.link);
        visit->inquiry = inquiry;
        visit->context = context;
    }
    atomic_store(&inquiry->left, inquiry->count);
    const unsigned count = inquiry->count;
    for (unsigned i = 0; i < count; i++)
        weir_loop_post(inquiry->visits[i].context->loop, &inquiry->visits[i].letter);
}

static void begin(const status_handler_t *self, h2o_req_t *req, unsigned shown)
{
    weir_context_t *home = weir_context_of(req->conn->ctx);
    const unsigned loops = home->generation->context_count;
    inquiry_t *inquiry = calloc(1, sizeof(*inquiry) + loops * sizeof(inquiry->visits[0]));

    WEIR_MUST(inquiry != NULL);
    inquiry->home = weir_context_hold(home);
    home->loop->connection_count++; /* whoever ends the loop waits for the answers */
    inquiry->handler = self;
    inquiry->req = req;
    inquiry->shown = shown;
    inquiry->answered.open = on_answered;
    weir_list_init(&inquiry->answered.link);
    inquiry->link = h2o_mem_alloc_shared(&req->pool, sizeof(*inquiry->link), on_request_gone);
    *inquiry->link = inquiry;
    ask(inquiry, loops);
}

static unsigned shown_by(const h2o_req_t *req)
{
    static const struct {
        const char *name;
        show_t bit;
    } parts[] = {
        {"main", SHOW_MAIN},
        {"requests", SHOW_REQUESTS},
        {"events", SHOW_EVENTS},
        {"durations", SHOW_DURATIONS},
    };
    static const char show[] = "?show=";
    const size_t show_len = sizeof(show) - 1;
    unsigned shown = 0;

    if (req->query_at == SIZE_MAX || req->path.len - req->query_at <= show_len ||
        memcmp(req->path.base + req->query_at, show, show_len) != 0)
        return SHOW_MAIN | SHOW_REQUESTS | SHOW_EVENTS | SHOW_DURATIONS;
    const char *list = req->path.base + req->query_at + show_len;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (h2o_contains_token(list, (size_t)(req->path.base + req->path.len - list), parts[i].name, strlen(parts[i].name),
                               ','))
            shown |= parts[i].bit;
    return shown;
}

static int on_req(h2o_handler_t *super, h2o_req_t *req)
{
    const status_handler_t *self = (const status_handler_t *)(const void *)super;
    const h2o_iovec_t mount = req->pathconf->path;
    const size_t at = mount.len - (mount.base[mount.len - 1] == '/');
    const h2o_iovec_t below = h2o_iovec_init(req->path_normalized.base + at, req->path_normalized.len - at);

    if (below.len == 0 || h2o_memis(below.base, below.len, H2O_STRLIT("/"))) {
        send_text(req, "text/html; charset=utf-8", h2o_iovec_init(weir_status_page, strlen(weir_status_page)));
        return 0;
    }
    if (!h2o_memis(below.base, below.len, H2O_STRLIT("/json")))
        return -1;
    begin(self, req, shown_by(req));
    return 0;
}

static void on_dispose(h2o_handler_t *super)
{
    h2o_logconf_dispose(((status_handler_t *)(void *)super)->line);
}

/* As libh2o's own page has them, but for what its own fronts alone know, and with who answers. */
static const char line_format[] =
    ",\n  {\"host\": \"%h\", \"user\": \"%u\", \"at\": \"%{%Y%m%dT%H%M%S}t.%{usec_frac}t%{%z}t\", \"method\": \"%m\", "
    "\"path\": \"%U\", \"query\": \"%q\", \"protocol\": \"%H\", \"referer\": \"%{Referer}i\", "
    "\"user-agent\": \"%{User-agent}i\", \"connect-time\": \"%{connect-time}x\", "
    "\"request-header-time\": \"%{request-header-time}x\", \"request-body-time\": \"%{request-body-time}x\", "
    "\"request-total-time\": \"%{request-total-time}x\", \"process-time\": \"%{process-time}x\", "
    "\"response-time\": \"%{response-time}x\", \"connection-id\": \"%{connection-id}x\", "
    "\"ssl.protocol-version\": \"%{ssl.protocol-version}x\", \"ssl.cipher\": \"%{ssl.cipher}x\", \"authority\": \"%V\", "
    "\"app\": \"%{weir.app}e\", \"backend\": \"%{weir.backend}e\"}";

void weir_status_register(h2o_pathconf_t *path)
{
    status_handler_t *self = (status_handler_t *)(void *)h2o_create_handler(path, sizeof(*self));
    char error[256];

    self->super.on_req = on_req;
    self->super.dispose = on_dispose;
    self->line = h2o_logconf_compile(line_format, H2O_LOGCONF_ESCAPE_JSON, error);
    WEIR_MUST(self->line != NULL);
}

/* ---- counting ---- */

static void count_durations(weir_status_counts_t *counts, weir_loop_t *loop, h2o_req_t *req)
{
    int64_t us;

    if (h2o_time_compute_connect_time(req, &us))
        weir_status_count_duration(counts, 0, us);
    if (h2o_time_compute_header_time(req, &us))
        weir_status_count_duration(counts, 1, us);
    if (h2o_time_compute_body_time(req, &us))
        weir_status_count_duration(counts, 2, us);
    if (h2o_time_compute_request_total_time(req, &us))
        weir_status_count_duration(counts, 3, us);
    if (h2o_time_compute_process_time(req, &us))
        weir_status_count_duration(counts, 4, us);
    if (h2o_time_compute_response_time(req, &us))
        weir_status_count_duration(counts, 5, us);
    const struct timeval *began = &req->timestamps.request_begin_at;
    weir_status_count_duration(counts, 6, (int64_t)weir_loop_wall_us(loop) - began->tv_sec * 1000000 - began->tv_usec);
}

static void on_log(h2o_logger_t *super, h2o_req_t *req)
{
    weir_loop_t *loop = weir_loop_of(req->conn->ctx);

    if (loop->status_counts == NULL) {
        loop->status_counts = calloc(1, sizeof(*loop->status_counts));
        WEIR_MUST(loop->status_counts != NULL);
    }
    if (req->res.status <= 0 || req->res.status >= WEIR_STATUS_CODES)
        return; /* nobody has answered it */
    loop->status_counts->by_status[req->res.status]++;
    count_durations(loop->status_counts, loop, req);
}

static void count_path(h2o_pathconf_t *path)
{
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = on_log;
}

void weir_status_count_all(h2o_globalconf_t *globalconf)
{
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; host++) {
        for (size_t i = 0; i < (*host)->paths.size; i++)
            count_path(&(*host)->paths.entries[i]);
        count_path(&(*host)->fallback_path);
    }
}

void weir_status_forget(weir_loop_t *loop)
{
    free(loop->status_counts);
    loop->status_counts = NULL;
}
