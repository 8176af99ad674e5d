/* SPDX-License-Identifier: MIT */
/*
 * A router for tests: it tells the backend in headers what it was told about the client by a PROXY header.
 *
 *   module: tlv.so
 *   backend: "127.0.0.1:81"
 *
 * X-Proxied, X-Ssl: yes or no. X-Peer: address and port. X-Scheme. X-Authority, X-Alpn, X-Unique-Id, X-Ssl-Version, X-Ssl-Cn,
 * X-Ssl-Cipher: in quotes, or "-" where there is none. Told to the client once more, when the response comes.
 */
#include "one_backend.h"

static bool feature(weir_state_t *state, const weir_request_t *request, weir_feature_t which)
{
    return which == WEIR_PEER_PORT;
}

static void additional_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    weir_span_t ip = weir_request_peer_ip(request);
    char peer[80];

    snprintf(peer, sizeof(peer), "%.*s %u", (int)ip.len, ip.base, weir_request_peer_port(request));
    weir_header_put(sink, span("X-Peer"), span(peer));
    weir_header_put(sink, span("X-Scheme"), weir_request_scheme(request));
    weir_header_put(sink, span("X-Proxied"), span(weir_request_is_proxied(request) ? "yes" : "no"));
    weir_header_put(sink, span("X-Ssl"), span(weir_request_proxy_ssl(request) ? "yes" : "no"));
    tell(sink, "X-Authority", weir_request_proxy_authority(request));
    tell(sink, "X-Alpn", weir_request_proxy_alpn(request));
    tell(sink, "X-Unique-Id", weir_request_proxy_unique_id(request));
    tell(sink, "X-Ssl-Version", weir_request_proxy_ssl_version(request));
    tell(sink, "X-Ssl-Cn", weir_request_proxy_ssl_cn(request));
    tell(sink, "X-Ssl-Cipher", weir_request_proxy_ssl_cipher(request));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("tlv"),
                                   .state_size = sizeof(weir_state_t),
                                   .init = init,
                                   .lookup_domain_name = lookup,
                                   .checkout_service = checkout,
                                   .service_backend = backend,
                                   .feature = feature,
                                   .additional_headers = additional_headers};
