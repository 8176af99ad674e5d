/* SPDX-License-Identifier: MIT */
/*
 * Who is connected, for operators.
 *
 *   any thread ─letter─► main: a round: each loop walks its connections ─► main: done
 */
#include "lib/wire/client/client.h"
#include "lib/wire/server/crew.h"
#include "lib/wire/server/listing.h"

enum { MS_OF_S = 1000, US_OF_MS = 1000 };

/* Under the lock, as long as letters of the crew's main loop are opened. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static crew_t *open_crew;

static struct {
    bool is_busy; /* under the lock; the rest is whose turn it is */
    weir_letter_t letter;
    round_t round;
    const weir_listing_t *listing;
    size_t left;
} state;

void listing_open(crew_t *crew)
{
    pthread_mutex_lock(&lock);
    open_crew = crew;
    state.is_busy = false;
    pthread_mutex_unlock(&lock);
}

void listing_close(void)
{
    pthread_mutex_lock(&lock);
    open_crew = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- on each loop ---- */

static int count_request(h2o_req_t *req, void *count)
{
    ++*(unsigned *)count;
    return 0;
}

static void tell(weir_client_t *client, unsigned number)
{
    const struct timeval begun = client->super.connected_at;
    const uint64_t now_ms = h2o_now(client->loop->h2o.loop),
                   begun_ms = (uint64_t)begun.tv_sec * MS_OF_S + (uint64_t)begun.tv_usec / US_OF_MS;
    const weir_listener_t *listener = client->peer.listener;
    weir_connection_told_t told = {.id = client->super.id,
                                   .from = weir_peer_text(&client->peer),
                                   .listen = listener != NULL && listener->listen != NULL ? listener->listen->name : "",
                                   .is_http2 = client->ops->is_http2,
                                   .is_https = client->peer.is_https,
                                   .loop = number,
                                   .age_ms = now_ms > begun_ms ? now_ms - begun_ms : 0};

    (void)client->ops->foreach_request(client, count_request, &told.in_flight);
    state.listing->each(&told, state.listing->context);
}

static void visit(round_t *round, worker_t *worker)
{
    for (weir_list_t *node = worker->loop->connections.next; node != &worker->loop->connections && state.left > 0;
         node = node->next) {
        tell(WEIR_AROUND(node, weir_client_t, link), worker->index + 1);
        state.left--;
    }
}

/* ---- on the main thread ---- */

static void finish(const crew_t *crew)
{
    const weir_listing_t *listing = state.listing;

    pthread_mutex_lock(&lock);
    state.is_busy = false;
    pthread_mutex_unlock(&lock);
    listing->done(atomic_load(&crew->server.connections), listing->context);
}

static void on_visited(round_t *round)
{
    crew_t *crew = round->crew;

    finish(crew);
    crew_end_if_idle(crew);
}

static void on_asked(weir_letter_t *letter)
{
    crew_t *crew = open_crew; /* set and closed by this thread */

    if (crew == NULL)
        return; /* whoever ends the proxy sees to who has asked */
    round_start(&state.round, crew, false, visit, on_visited);
}

bool weir_server_list(const weir_listing_t *listing, size_t most)
{
    bool is_taken;

    pthread_mutex_lock(&lock);
    is_taken = open_crew != NULL && !state.is_busy;
    if (is_taken) {
        state.is_busy = true;
        state.listing = listing;
        state.left = most;
        state.letter.open = on_asked;
        weir_list_init(&state.letter.link);
        weir_loop_post(open_crew->workers[0].loop, &state.letter);
    }
    pthread_mutex_unlock(&lock);
    return is_taken;
}
