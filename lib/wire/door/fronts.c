/* SPDX-License-Identifier: MIT */
#include "lib/wire/door/fronts.h"

#include "lib/wire/front/front_http1.h"
#include "lib/wire/front/front_http2.h"

void weir_client_begin(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, const weir_listen_t *listen,
                       weir_alpn_t alpn)
{
    const weir_span_t nothing = {"", 0};

    if (alpn == WEIR_ALPN_H2)
        front_http2_accept(loop, sock, peer, nothing);
    else
        front_http1_accept(loop, sock, peer, alpn == WEIR_ALPN_NONE);
}
