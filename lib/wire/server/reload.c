/* SPDX-License-Identifier: MIT */
/*
 * Another configuration while requests run.
 *
 *   HUP ─► keeper: load, bind, start ─► a round: contexts ─► a round: every loop uses it ─► READY
 *            └─ failed ─► all is as it was
 *
 *   the one before ─last holder gone─► settle ─► a round backwards: contexts ─► retire ─► keeper: discard
 *
 * The first round touches no request: when it is over, every loop can serve the new configuration, and the second begins. A HUP
 * that comes meanwhile has it all done once more, a TERM waits until the rounds are over.
 */
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/server/crew.h"

enum { SETTLE_MS = 100 }; /* what libh2o's threads have told each other for requests that are gone has arrived by then */

static generation_t *generation_of(round_t *round)
{
    return WEIR_AROUND(round, generation_t, round);
}

/* ---- the way out ---- */

static void on_discard(weir_job_t *job)
{
    generation_t *generation = WEIR_AROUND(job, generation_t, job);
    const weir_server_settings_t *settings = generation->super.settings;
    crew_t *crew = generation->crew;

    generation_destroy(&generation);
    crew->hooks->discard(settings);
}

static void discard(generation_t *generation)
{
    crew_t *crew = generation->crew;

    crew->hooks->retire(generation->super.settings);
    weir_keeper_post(&crew->keeper, &generation->job, on_discard);
}

static void dispose_context(round_t *round, worker_t *worker)
{
    weir_context_dispose(&generation_of(round)->super, worker->index);
}

static void on_disposed(round_t *round)
{
    generation_t *generation = generation_of(round);
    crew_t *crew = round->crew;

    weir_list_remove(&generation->link);
    discard(generation);
    crew_end_if_idle(crew);
}

static void on_settled(weir_timer_t *timer)
{
    generation_t *generation = WEIR_AROUND(timer, generation_t, settling);

    round_start(&generation->round, generation->crew, true, dispose_context, on_disposed);
}

static void on_unused(weir_letter_t *letter)
{
    generation_t *generation = WEIR_AROUND(letter, generation_t, super.unused);

    weir_timer_set(generation->crew->workers[0].loop, &generation->settling, SETTLE_MS, on_settled);
}

void reload_watch(generation_t *generation)
{
    generation->super.home = generation->crew->workers[0].loop;
    generation->super.unused.open = on_unused;
}

/* ---- the way in ---- */

/* Whatever came of it: what has been put off meanwhile comes now. */
static void end_reload(crew_t *crew, const weir_server_settings_t *settings)
{
    crew->reload.is_busy = false;
    crew->hooks->on_reloaded(crew->hooks->arg, settings);
    if (crew->reload.must_drain)
        crew_drain(crew);
    if (crew->reload.must_cut)
        crew_cut(crew);
    if (crew->reload.is_again && !crew->is_draining)
        reload_begin(crew);
    if (crew->upgrade.is_wanted)
        upgrade_begin(crew);
    crew_end_if_idle(crew);
}

static void remove_paths(const weir_server_settings_t *before, const weir_server_settings_t *now)
{
    for (size_t i = 0; i < before->listen_count; i++)
        if (crew_find_listen(now, &before->listens[i].address) == NULL)
            weir_listener_remove_path(&before->listens[i]);
}

static void on_begun(round_t *round)
{
    crew_t *crew = round->crew;
    generation_t *before = crew->newest;

    crew->newest = generation_of(round);
    remove_paths(before->super.settings, crew->newest->super.settings);
    end_reload(crew, crew->newest->super.settings);
}

static void begin(round_t *round, worker_t *worker)
{
    generation_begin(generation_of(round), worker);
}

static void on_contexts(round_t *round)
{
    round_start(round, round->crew, false, begin, on_begun);
}

static void create_context(round_t *round, worker_t *worker)
{
    weir_context_create(&generation_of(round)->super, worker->loop, worker->index);
}

static void on_built(weir_letter_t *letter)
{
    crew_t *crew = WEIR_AROUND(letter, crew_t, reload.built);
    generation_t *fresh = crew->reload.fresh;

    crew->reload.fresh = NULL;
    crew->reload.is_building = false;
    if (fresh == NULL) {
        end_reload(crew, NULL);
        return;
    }
    if (crew->is_draining) {
        discard(fresh);
        end_reload(crew, NULL);
        return;
    }
    reload_watch(fresh);
    weir_list_append(&crew->generations, &fresh->link);
    round_start(&fresh->round, crew, false, create_context, on_contexts);
}

/* NULL if it cannot be used. Routers start last: what they change is in force at once. */
static generation_t *build(crew_t *crew, const weir_server_settings_t *settings)
{
    generation_t *generation = generation_create(crew, settings, crew->newest);

    if (generation != NULL && !crew->hooks->start(crew->hooks->arg, settings))
        generation_destroy(&generation);
    return generation;
}

/* On the keeper's thread. */
static void on_build(weir_job_t *job)
{
    crew_t *crew = WEIR_AROUND(job, crew_t, reload.build);
    const weir_server_settings_t *settings = crew->hooks->load(crew->hooks->arg);

    if (settings != NULL)
        crew->reload.fresh = build(crew, settings);
    if (settings != NULL && crew->reload.fresh == NULL) {
        crew->hooks->retire(settings);
        crew->hooks->discard(settings);
    }
    weir_loop_post(crew->workers[0].loop, &crew->reload.built);
}

void reload_begin(crew_t *crew)
{
    if (crew->hooks->load == NULL) {
        weir_log("HUP is ignored: there is no configuration file");
        return;
    }
    if (crew->is_draining || crew->reload.must_drain) {
        weir_log("HUP is ignored: the proxy is draining");
        return;
    }
    crew->reload.is_again = crew->reload.is_busy || crew->upgrade.is_busy;
    if (crew->reload.is_again)
        return;
    crew->reload.is_busy = crew->reload.is_building = true;
    crew->reload.built.open = on_built;
    weir_list_init(&crew->reload.built.link);
    crew->hooks->on_reloading(crew->hooks->arg);
    weir_keeper_post(&crew->keeper, &crew->reload.build, on_build);
}
