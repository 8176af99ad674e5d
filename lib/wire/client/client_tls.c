/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/client_tls.h"

#include "lib/base/span.h"
#include "lib/wire/sock/sock_tls.h"

static const SSL *ssl_of(const h2o_req_t *req)
{
    return weir_sock_ssl(&weir_client_of(req->conn)->sock);
}

/* A NULL name is a null in the log. */
static h2o_iovec_t text(const char *name)
{
    return h2o_iovec_init(name, name != NULL ? strlen(name) : 0);
}

h2o_iovec_t weir_client_tls_version(h2o_req_t *req)
{
    const SSL *ssl = ssl_of(req);

    return text(ssl != NULL ? SSL_get_version(ssl) : NULL);
}

h2o_iovec_t weir_client_tls_reused(h2o_req_t *req)
{
    const SSL *ssl = ssl_of(req);

    if (ssl == NULL)
        return text(NULL);
    return text(SSL_session_reused(ssl) ? "1" : "0");
}

h2o_iovec_t weir_client_tls_cipher(h2o_req_t *req)
{
    const SSL *ssl = ssl_of(req);

    return text(ssl != NULL ? SSL_get_cipher_name(ssl) : NULL);
}

h2o_iovec_t weir_client_tls_cipher_bits(h2o_req_t *req)
{
    const SSL *ssl = ssl_of(req);
    char digits[20];

    if (ssl == NULL)
        return text(NULL);
    weir_span_t number = weir_span_of_u64((uint64_t)SSL_get_cipher_bits(ssl, NULL), digits);
    return h2o_strdup(&req->pool, number.base, number.len);
}

h2o_iovec_t weir_client_tls_session_id(h2o_req_t *req)
{
    const SSL *ssl = ssl_of(req);
    unsigned len = 0;
    const SSL_SESSION *session = ssl != NULL ? SSL_get0_session(ssl) : NULL;
    const unsigned char *id = session != NULL ? SSL_SESSION_get_id(session, &len) : NULL;

    if (len == 0)
        return text(NULL);
    char *encoded = h2o_mem_alloc_pool(&req->pool, (len + 2) / 3 * 4 + 1);
    return h2o_iovec_init(encoded, h2o_base64_encode(encoded, id, len, 1));
}
