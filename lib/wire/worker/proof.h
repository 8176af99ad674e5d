/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_WORKER_PROOF_H
#define WEIR_WIRE_WORKER_PROOF_H
/**
 * @file  What a worker proves itself by: a token, of which only the SHA-256 goes on, or its client certificate.
 */
#include "lib/http/worker_request.h"
#include "lib/walk/certificate.h"
#include "lib/walk/workers.h"

/** Notes the token's SHA-256 in `words`, if there is one. False: the credentials of Basic are none, or another app's. */
bool weir_worker_token(const weir_worker_request_t *request, weir_worker_words_t *words);

/** Whether a certificate (NULL: none) is one for the app: a URI that ends with /app/APP, a DNS name or a CN that is APP. */
bool weir_worker_is_certified(weir_certificate_t *certificate, weir_span_t app);

#endif
