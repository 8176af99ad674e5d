/* SPDX-License-Identifier: MIT */
/* What a configuration brings to the threads: contexts, and listeners that come, stay and go. */
#include "lib/wire/server/crew.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/wire/client/client.h"
#include "lib/wire/door/inherited.h"

/* ---- rounds ---- */

static void on_done(weir_letter_t *letter)
{
    round_t *round = WEIR_AROUND(letter, round_t, letter);

    round->crew->rounds--;
    round->done(round);
}

static void post_next(round_t *round);

static void on_visit(weir_letter_t *letter)
{
    round_t *round = WEIR_AROUND(letter, round_t, letter);
    unsigned index = round->is_backwards ? round->left - 1 : round->crew->count - round->left;

    round->visit(round, &round->crew->workers[index]);
    round->left--;
    post_next(round);
}

static void post_next(round_t *round)
{
    crew_t *crew = round->crew;
    unsigned next = round->is_backwards ? round->left - 1 : crew->count - round->left;

    round->letter.open = round->left > 0 ? on_visit : on_done;
    weir_loop_post(crew->workers[round->left > 0 ? next : 0].loop, &round->letter);
}

void round_start(round_t *round, crew_t *crew, bool is_backwards, void (*visit)(round_t *round, worker_t *worker),
                 void (*done)(round_t *round))
{
    *round = (round_t){.crew = crew, .left = crew->count, .is_backwards = is_backwards, .visit = visit, .done = done};
    weir_list_init(&round->letter.link);
    crew->rounds++;
    post_next(round);
}

/* ---- listeners ---- */

const weir_listen_t *crew_find_listen(const weir_server_settings_t *settings, const weir_listen_t *like)
{
    for (size_t i = 0; settings != NULL && i < settings->listen_count; i++) {
        const weir_listen_t *listen = &settings->listens[i];
        if (listen->address_len == like->address_len && memcmp(&listen->address, &like->address, like->address_len) == 0)
            return listen;
    }
    return NULL;
}

/* The sockets that stay get their new rights last, when nothing else can fail; if one cannot, all are as before. */
static bool set_rights(const weir_server_settings_t *settings, const weir_server_settings_t *before)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        if (crew_find_listen(before, &settings->listens[i]) == NULL || weir_listener_set_rights(&settings->listens[i]) == 0)
            continue;
        for (size_t k = 0; k <= i; k++) {
            const weir_listen_t *old = crew_find_listen(before, &settings->listens[k]);
            if (old != NULL)
                (void)weir_listener_set_rights(old);
        }
        return false;
    }
    return true;
}

static bool bind_all(generation_t *generation, const weir_server_settings_t *before)
{
    const weir_server_settings_t *settings = generation->super.settings;
    unsigned count = generation->crew->count;

    /* First what is meant exactly: only then is it known which sockets are left for those that they serve as well */
    for (size_t i = 0; i < settings->listen_count; i++)
        (void)(crew_find_listen(before, &settings->listens[i]) == NULL &&
               weir_inherited_take(&settings->listens[i], count, &generation->bound[i]));
    for (size_t i = 0; i < settings->listen_count; i++)
        if (crew_find_listen(before, &settings->listens[i]) == NULL &&
            weir_listener_bind(&settings->listens[i], count, &generation->bound[i]) != 0)
            return false;
    return set_rights(settings, before);
}

static void close_unused(generation_t *generation)
{
    const weir_server_settings_t *settings = generation->super.settings;

    for (size_t i = 0; i < settings->listen_count; i++)
        weir_bound_finish(&generation->bound[i], &settings->listens[i]);
}

/* ---- generations ---- */

generation_t *generation_create(crew_t *crew, const weir_server_settings_t *settings, const weir_server_settings_t *before)
{
    generation_t *generation = calloc(1, sizeof(*generation));

    WEIR_MUST(generation != NULL);
    generation->crew = crew;
    weir_list_init(&generation->link);
    settings->globalconf->http1.callbacks = crew_protocol_callbacks;
    weir_generation_init(&generation->super, settings, crew->count);
    generation->bound = calloc(settings->listen_count, sizeof(*generation->bound));
    WEIR_MUST(generation->bound != NULL);
    if (!bind_all(generation, before))
        generation_destroy(&generation);
    return generation;
}

void generation_destroy(generation_t **generation)
{
    generation_t *gone = *generation;

    *generation = NULL;
    close_unused(gone);
    weir_generation_finish(&gone->super);
    free(gone->bound);
    free(gone);
}

/* The new configuration has taken its address away: idle connections end, the others with what is under way. */
static void end_listener(weir_listener_t *listener)
{
    listener->ending = weir_context_hold(listener->loop->context);
    weir_listener_accept_rest(listener);
    weir_listener_stop(listener);
    weir_list_remove(&listener->link);
    weir_client_drain_all(listener->loop, listener);
    weir_listener_release(listener);
}

/* Before the worker's loop uses it: what goes stays with the one before. */
static void keep_or_end_listeners(worker_t *worker, const weir_server_settings_t *settings)
{
    weir_list_t *node = worker->listeners.next;

    while (node != &worker->listeners) {
        weir_listener_t *listener = WEIR_AROUND(node, weir_listener_t, link);
        const weir_listen_t *listen = crew_find_listen(settings, listener->listen);
        node = node->next;
        if (listen != NULL)
            listener->listen = listen;
        else
            end_listener(listener);
    }
}

/* Those of the sockets that are the worker's. */
static void start_listeners(worker_t *worker, const weir_listen_t *listen, weir_bound_t *bound)
{
    for (unsigned i = worker->index; i < bound->count; i += worker->crew->count) {
        weir_listener_t *listener = weir_listener_start(worker->loop, listen, bound->fds[i]);
        weir_list_append(&worker->listeners, &listener->link);
        bound->fds[i] = -1;
    }
}

void generation_begin(generation_t *generation, worker_t *worker)
{
    const weir_server_settings_t *settings = generation->super.settings;

    keep_or_end_listeners(worker, settings);
    weir_loop_use(worker->loop, generation->super.contexts[worker->index]);
    for (size_t i = 0; i < settings->listen_count; i++)
        start_listeners(worker, &settings->listens[i], &generation->bound[i]);
}
