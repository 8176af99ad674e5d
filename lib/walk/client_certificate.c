/* SPDX-License-Identifier: MIT */
/* The certificate that the client has shown, as routers read it. */
#include "lib/walk/certificate.h"
#include "lib/walk/exchange.h"

static const weir_certificate_facts_t *facts_of(const weir_request_t *request)
{
    static const weir_certificate_facts_t none;

    return request->certificate != NULL ? weir_certificate_facts(request->certificate) : &none;
}

bool weir_request_client_certificate(const weir_request_t *request)
{
    return request->certificate != NULL;
}

weir_span_t weir_request_client_subject(const weir_request_t *request)
{
    return facts_of(request)->subject;
}

weir_span_t weir_request_client_issuer(const weir_request_t *request)
{
    return facts_of(request)->issuer;
}

weir_span_t weir_request_client_serial(const weir_request_t *request)
{
    return facts_of(request)->serial;
}

weir_span_t weir_request_client_sha256(const weir_request_t *request)
{
    return facts_of(request)->sha256;
}

uint64_t weir_request_client_not_after_ms(const weir_request_t *request)
{
    return facts_of(request)->not_after_ms;
}

bool weir_request_client_name_at(const weir_request_t *request, size_t index, weir_client_name_t *out_kind,
                                 weir_span_t *out_name)
{
    const weir_certificate_facts_t *facts = facts_of(request);

    if (index >= facts->name_count)
        return false;
    *out_kind = facts->names[index].kind;
    *out_name = facts->names[index].text;
    return true;
}
