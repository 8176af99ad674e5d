/* SPDX-License-Identifier: MIT */
/* What a configuration brings to the threads: contexts, and listeners that come, stay and go. */
#include "lib/wire/server/crew.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/walk/address.h"
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

const weir_listen_t *crew_find_listen(const weir_server_settings_t *settings, const struct sockaddr_storage *address)
{
    for (size_t i = 0; settings != NULL && i < settings->listen_count; i++)
        if (memcmp(&settings->listens[i].address, address, sizeof(*address)) == 0)
            return &settings->listens[i];
    return NULL;
}

/* Of one port and family: the kernel gives a client to the socket that names its address. */
static bool covers(const struct sockaddr_storage *everywhere, const struct sockaddr_storage *one)
{
    const struct sockaddr *all = (const struct sockaddr *)everywhere, *single = (const struct sockaddr *)one;

    return weir_address_is_everywhere(all) && !weir_address_is_everywhere(single) && all->sa_family == single->sa_family &&
           weir_address_port(all) == weir_address_port(single);
}

/* Who serves whoever comes to the address: the listen that names it, or the one for all. */
static const weir_listen_t *find_server(const weir_server_settings_t *settings, const struct sockaddr_storage *address)
{
    const weir_listen_t *exact = crew_find_listen(settings, address);

    for (size_t i = 0; exact == NULL && i < settings->listen_count; i++)
        if (covers(&settings->listens[i].address, address))
            exact = &settings->listens[i];
    return exact;
}

static bool is_kept(const generation_t *generation, const struct sockaddr_storage *address)
{
    for (size_t i = 0; i < generation->kept_count; i++)
        if (memcmp(&generation->kept[i], address, sizeof(*address)) == 0)
            return true;
    return false;
}

/* Whether the loops have sockets on the address already. */
static bool is_open(const generation_t *before, const struct sockaddr_storage *address)
{
    return before != NULL && (crew_find_listen(before->super.settings, address) != NULL || is_kept(before, address));
}

static void keep(generation_t *generation, const struct sockaddr_storage *address)
{
    const weir_server_settings_t *settings = generation->super.settings;

    if (crew_find_listen(settings, address) == NULL && find_server(settings, address) != NULL)
        generation->kept[generation->kept_count++] = *address;
}

/* Sockets on one address go on for a listen on all of them: closing them would cost those who wait there. */
static void keep_covered(generation_t *generation, const generation_t *before)
{
    const weir_server_settings_t *old = before->super.settings;

    generation->kept = calloc(old->listen_count + before->kept_count + 1, sizeof(*generation->kept));
    WEIR_MUST(generation->kept != NULL);
    for (size_t i = 0; i < old->listen_count; i++)
        keep(generation, &old->listens[i].address);
    for (size_t i = 0; i < before->kept_count; i++)
        keep(generation, &before->kept[i]);
}

/* One of the first `count`. */
static bool overlaps_any(const weir_server_settings_t *settings, size_t count, const struct sockaddr_storage *address)
{
    for (size_t i = 0; i < count; i++)
        if (covers(&settings->listens[i].address, address) || covers(address, &settings->listens[i].address))
            return true;
    return false;
}

/* Whether sockets of ours are already where the address of listen `at` is meant as well. */
static bool overlaps(const generation_t *generation, const generation_t *before, size_t at)
{
    const weir_server_settings_t *settings = generation->super.settings, *old = before != NULL ? before->super.settings : NULL;
    const struct sockaddr_storage *address = &settings->listens[at].address;
    bool does = overlaps_any(settings, at, address) || (old != NULL && overlaps_any(old, old->listen_count, address));

    for (size_t i = 0; before != NULL && i < before->kept_count; i++)
        does = does || covers(address, &before->kept[i]);
    return does;
}

/* The sockets that stay get their new rights last, when nothing else can fail; if one cannot, all are as before. */
static bool set_rights(const weir_server_settings_t *settings, const generation_t *before)
{
    const weir_server_settings_t *old = before != NULL ? before->super.settings : NULL;

    for (size_t i = 0; i < settings->listen_count; i++) {
        if (crew_find_listen(old, &settings->listens[i].address) == NULL ||
            weir_listener_set_rights(&settings->listens[i]) == 0)
            continue;
        for (size_t k = 0; k <= i; k++) {
            const weir_listen_t *one = crew_find_listen(old, &settings->listens[k].address);
            if (one != NULL)
                (void)weir_listener_set_rights(one);
        }
        return false;
    }
    return true;
}

static bool bind_all(generation_t *generation, const generation_t *before)
{
    const weir_server_settings_t *settings = generation->super.settings;
    unsigned count = generation->crew->count;

    /* First what is meant exactly: only then is it known which sockets are left for those that they serve as well */
    for (size_t i = 0; i < settings->listen_count; i++)
        (void)(!is_open(before, &settings->listens[i].address) &&
               weir_inherited_take(&settings->listens[i], count, &generation->bound[i]));
    for (size_t i = 0; i < settings->listen_count; i++) {
        const weir_listen_t *listen = &settings->listens[i];
        if (!is_open(before, &listen->address) &&
            weir_listener_bind(listen, count, overlaps(generation, before, i), &generation->bound[i]) != 0)
            return false;
    }
    return set_rights(settings, before);
}

static void close_unused(generation_t *generation)
{
    const weir_server_settings_t *settings = generation->super.settings;

    for (size_t i = 0; i < settings->listen_count; i++)
        weir_bound_finish(&generation->bound[i], &settings->listens[i]);
}

/* ---- generations ---- */

generation_t *generation_create(crew_t *crew, const weir_server_settings_t *settings, const generation_t *before)
{
    generation_t *generation = calloc(1, sizeof(*generation));

    WEIR_MUST(generation != NULL);
    generation->crew = crew;
    weir_list_init(&generation->link);
    settings->globalconf->http1.callbacks = crew_protocol_callbacks;
    weir_generation_init(&generation->super, settings, crew->count);
    generation->bound = calloc(settings->listen_count, sizeof(*generation->bound));
    WEIR_MUST(generation->bound != NULL);
    if (before != NULL)
        keep_covered(generation, before);
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
    free(gone->kept);
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
        const weir_listen_t *listen = find_server(settings, &listener->address);
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
