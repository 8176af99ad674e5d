/* SPDX-License-Identifier: MIT */
/* What a PROXY header said, as routers read it. */
#include "lib/walk/exchange.h"

bool weir_request_is_proxied(const weir_request_t *request)
{
    return request->is_proxied;
}

static weir_span_t text_of(const weir_request_t *request, weir_proxy_text_t which)
{
    return request->proxy_tlvs == NULL ? (weir_span_t){NULL, 0} : request->proxy_tlvs->text[which];
}

weir_span_t weir_request_proxy_authority(const weir_request_t *request)
{
    return text_of(request, WEIR_PROXY_AUTHORITY);
}

weir_span_t weir_request_proxy_alpn(const weir_request_t *request)
{
    return text_of(request, WEIR_PROXY_ALPN);
}

weir_span_t weir_request_proxy_unique_id(const weir_request_t *request)
{
    return text_of(request, WEIR_PROXY_UNIQUE_ID);
}

bool weir_request_proxy_ssl(const weir_request_t *request)
{
    return request->proxy_tlvs != NULL && request->proxy_tlvs->is_ssl;
}

weir_span_t weir_request_proxy_ssl_version(const weir_request_t *request)
{
    return text_of(request, WEIR_PROXY_SSL_VERSION);
}

weir_span_t weir_request_proxy_ssl_cipher(const weir_request_t *request)
{
    return text_of(request, WEIR_PROXY_SSL_CIPHER);
}

weir_span_t weir_request_proxy_ssl_cn(const weir_request_t *request)
{
    return text_of(request, WEIR_PROXY_SSL_CN);
}
