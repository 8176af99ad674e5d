/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_CLIENT_TLS_H
#define WEIR_WIRE_CLIENT_TLS_H
/**
 * @file  What libh2o's loggers ask of a client's TLS (%{ssl.protocol-version}x and its kin); nothing on plain connections.
 *
 * For the callbacks of any front whose connections begin with a weir_client_t:  .log_ = {{.ssl = WEIR_CLIENT_TLS_LOG, …}}
 */
#include "lib/wire/client/client.h"

h2o_iovec_t weir_client_tls_version(h2o_req_t *req);
h2o_iovec_t weir_client_tls_reused(h2o_req_t *req);
h2o_iovec_t weir_client_tls_cipher(h2o_req_t *req);
h2o_iovec_t weir_client_tls_cipher_bits(h2o_req_t *req);
h2o_iovec_t weir_client_tls_session_id(h2o_req_t *req);

#define WEIR_CLIENT_TLS_LOG                                                                                                    \
    {                                                                                                                          \
        weir_client_tls_version, weir_client_tls_reused, weir_client_tls_cipher, weir_client_tls_cipher_bits,                  \
            weir_client_tls_session_id                                                                                         \
    }

#endif
