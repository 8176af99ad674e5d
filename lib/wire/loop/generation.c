/* SPDX-License-Identifier: MIT */
#include "lib/wire/loop/generation.h"

#include <stdlib.h>

#include "lib/base/must.h"

void weir_generation_init(weir_generation_t *generation, const weir_server_settings_t *settings, unsigned count)
{
    generation->settings = settings;
    generation->contexts = calloc(count, sizeof(generation->contexts[0]));
    generation->context_count = count;
    WEIR_MUST(generation->contexts != NULL);
    weir_list_init(&generation->unused.link);
}

void weir_generation_finish(weir_generation_t *generation)
{
    for (unsigned i = 0; i < generation->context_count; i++)
        WEIR_MUST(generation->contexts[i] == NULL);
    free(generation->contexts);
}

/* Timeouts of libh2o's own fronts, which are never reached. Its loop looks at each list in each turn, for each generation. */
static void for_each_idle_timeout(h2o_context_t *h2o, void (*what)(h2o_context_t *h2o, h2o_timeout_t *timeout))
{
    what(h2o, &h2o->handshake_timeout);
    what(h2o, &h2o->http1.req_timeout);
    what(h2o, &h2o->http2.idle_timeout);
    what(h2o, &h2o->http2.graceful_shutdown_timeout);
}

static void take_out(h2o_context_t *h2o, h2o_timeout_t *timeout)
{
    h2o_timeout_dispose(h2o->loop, timeout);
}

static void put_back(h2o_context_t *h2o, h2o_timeout_t *timeout)
{
    h2o_timeout_init(h2o->loop, timeout, timeout->timeout);
}

void weir_context_create(weir_generation_t *generation, weir_loop_t *loop, unsigned index)
{
    weir_context_t *context = calloc(1, sizeof(*context));

    WEIR_MUST(context != NULL && generation->contexts[index] == NULL);
    context->h2o = &context->own;
    h2o_context_init(context->h2o, loop->h2o.loop, generation->settings->globalconf);
    for_each_idle_timeout(context->h2o, take_out);
    /* A name that is being resolved for a request that has gone is still answered, and to whom is decided now */
    context->h2o->proxy.client_ctx.getaddr_receiver = &loop->h2o.names;
    context->loop = loop;
    context->generation = generation;
    context->settings = generation->settings;
    context->holders = 1;
    weir_list_append(&loop->contexts, &context->link);
    generation->contexts[index] = context;
    atomic_fetch_add(&generation->loops_left, 1);
}

void weir_context_dispose(weir_generation_t *generation, unsigned index)
{
    weir_context_t *context = generation->contexts[index];

    if (context == NULL)
        return;
    generation->contexts[index] = NULL;
    /* What was sent to its queue is taken before nobody is there to take it */
    (void)h2o_evloop_run(context->loop->h2o.loop, 0);
    h2o_multithread_queue_t *queue = context->h2o->queue;
    for_each_idle_timeout(context->h2o, put_back);
    h2o_context_dispose(context->h2o);
    free(queue); /* 2.2.5 forgets to */
    weir_list_remove(&context->link);
    free(context);
}

void weir_context_release(weir_context_t *context)
{
    if (context == NULL || --context->holders > 0)
        return;
    weir_generation_t *generation = context->generation;
    if (generation == NULL)
        return;
    if (atomic_fetch_sub(&generation->loops_left, 1) == 1 && generation->home != NULL)
        weir_loop_post(generation->home, &generation->unused);
}
