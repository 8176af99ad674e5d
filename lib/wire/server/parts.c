/* SPDX-License-Identifier: MIT */
#include "lib/wire/server/parts.h"

#include "lib/wire/back/back_http2.h"
#include "lib/wire/back/back_pool.h"
#include "lib/wire/back/resolver.h"
#include "lib/wire/front/front_http2.h"
#include "lib/wire/local/gzip.h"
#include "lib/wire/local/status.h"
#include "lib/wire/sock/splice.h"

static void open_parts(weir_loop_t *loop)
{
    loop->pool = weir_back_pool_create(loop);
    loop->back_http2 = back_http2_pool_create(loop);
    loop->resolver = weir_resolver_create(loop);
    loop->pipes = weir_pipes_create();
    loop->front_http2 = front_http2_shared_create(loop);
}

static void use_settings(weir_loop_t *loop)
{
    front_http2_shared_use(loop->front_http2, loop->settings);
    weir_resolver_use(loop->resolver);
}

static void settle_parts(weir_loop_t *loop)
{
    weir_back_pool_destroy(&loop->pool);
    back_http2_pool_destroy(&loop->back_http2);
    weir_resolver_settle(loop->resolver);
    weir_pipes_destroy(&loop->pipes);
}

static void close_parts(weir_loop_t *loop)
{
    front_http2_shared_destroy(&loop->front_http2);
    weir_resolver_destroy(&loop->resolver);
    weir_status_forget(loop);
    weir_compressors_forget(loop);
}

static bool spare_descriptor(weir_loop_t *loop)
{
    return weir_back_pool_close_oldest(loop->pool);
}

const weir_loop_parts_t weir_loop_parts = {open_parts, use_settings, settle_parts, close_parts, spare_descriptor};
