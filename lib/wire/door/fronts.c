/* SPDX-License-Identifier: MIT */
#include "lib/wire/door/fronts.h"

#include "lib/wire/front/front_http1.h"
#include "lib/wire/front/front_http2.h"

enum { LOOKS = 256 }; /* at timers of each delay, most of which are idle clients' */

void weir_client_begin(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, const weir_listen_t *listen,
                       weir_alpn_t alpn)
{
    const weir_span_t nothing = {"", 0};

    if (alpn == WEIR_ALPN_H2)
        front_http2_accept(loop, sock, peer, nothing);
    else
        front_http1_accept(loop, sock, peer, alpn == WEIR_ALPN_NONE);
}

static bool close_if_idle(weir_timer_t *timer)
{
    return front_http1_close_if_idle(timer) || front_http2_close_if_idle(timer);
}

bool weir_client_close_idle(weir_loop_t *loop)
{
    return weir_loop_look_at_timers(loop, LOOKS, close_if_idle);
}
