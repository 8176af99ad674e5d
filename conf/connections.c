/* SPDX-License-Identifier: MIT */
/* GET /v1/connections: who is connected. One listing at a time; each waits for the loops, none of which waits for it. */
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "conf/process.h"
#include "lib/base/must.h"
#include "lib/wire/server/listing.h"
#include "weir_span.h"

enum { OK = 200, BAD_REQUEST = 400, UNAVAILABLE = 503, LIMIT_USUAL = 100, LIMIT_MOST = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_admin_held_t *held; /* who has asked; NULL: nobody. Under the lock */
static json_t *listed;          /* whose turn it is */

static weir_admin_held_t *take_held(void)
{
    pthread_mutex_lock(&lock);
    weir_admin_held_t *taken = held;
    held = NULL;
    pthread_mutex_unlock(&lock);
    return taken;
}

static void on_each(const weir_connection_told_t *told, void *unused)
{
    json_array_append_new(
        listed, json_pack("{s:I, s:s%, s:s, s:s, s:b, s:i, s:I, s:i}", "id", (json_int_t)told->id, "from",
                          told->from.len == 0 ? "unix" : told->from.base, told->from.len == 0 ? (size_t)4 : told->from.len,
                          "listen", told->listen, "protocol", told->is_http2 ? "HTTP/2" : "HTTP/1.1", "tls", told->is_https,
                          "loop", (int)told->loop, "age_ms", (json_int_t)told->age_ms, "in_flight", (int)told->in_flight));
}

static void on_done(unsigned count, void *unused)
{
    weir_admin_held_t *asked = take_held();
    json_t *document = json_pack("{s:O, s:i}", "connections", listed, "count", (int)count);
    char *text = json_dumps(document, JSON_COMPACT);

    WEIR_MUST(text != NULL);
    if (asked != NULL)
        weir_admin_held_answer(&asked, OK, text, strlen(text));
    free(text);
    json_decref(document);
}

void conf_connections_end(void)
{
    weir_admin_held_t *asked = take_held();

    if (asked != NULL)
        weir_admin_held_problem(&asked, UNAVAILABLE, "draining", "the proxy ends");
    json_decref(listed);
    listed = NULL;
}

void conf_connections_answer(weir_admin_call_t *call)
{
    static const weir_listing_t listing = {.each = on_each, .done = on_done};
    const weir_span_t text = weir_admin_parameter(call, "limit");
    uint64_t limit = LIMIT_USUAL;

    if (text.base != NULL && (!weir_span_to_number(text, &limit) || limit < 1 || limit > LIMIT_MOST)) {
        weir_admin_problem(call, BAD_REQUEST, "malformed", NULL, "limit: must be from 1 to %d", LIMIT_MOST);
        return;
    }
    pthread_mutex_lock(&lock);
    const bool is_free = held == NULL;
    if (is_free) {
        json_decref(listed);
        listed = json_array();
        held = weir_admin_hold(call);
    }
    pthread_mutex_unlock(&lock);
    if (!is_free) {
        weir_admin_problem(call, UNAVAILABLE, "busy", NULL, "others are being told; ask again");
        return;
    }
    if (weir_server_list(&listing, (size_t)limit))
        return;
    weir_admin_held_t *asked = take_held();
    weir_admin_held_problem(&asked, UNAVAILABLE, "draining", "nobody is served, or the loops still list for another");
}
