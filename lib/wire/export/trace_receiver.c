/* SPDX-License-Identifier: MIT */
#include "lib/wire/export/trace_receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "lib/base/must.h"
#include "lib/wire/tls/tls_problem.h"

static char *copy(weir_span_t text)
{
    char *made = strndup(text.base, text.len);

    WEIR_MUST(made != NULL);
    return made;
}

static bool set_trust(SSL_CTX *context, const char *ca_file, char *problem)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (ca_file == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 || weir_tls_explain(problem, "OpenSSL", "has no authorities");
    return SSL_CTX_load_verify_file(context, ca_file) == 1 ||
           weir_tls_explain(problem, ca_file, "is no PEM file of certificates");
}

/* As towards backends. */
static bool prepare_tls(weir_trace_receiver_t *receiver, const char *ca_file, char *problem)
{
    receiver->context = SSL_CTX_new(TLS_client_method());
    WEIR_MUST(receiver->context != NULL && SSL_CTX_set_min_proto_version(receiver->context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_mode(receiver->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return set_trust(receiver->context, ca_file, problem);
}

weir_trace_receiver_t *weir_trace_receiver_create(const weir_trace_receiver_settings_t *settings, char *problem, size_t bytes)
{
    weir_trace_receiver_t *receiver = calloc(1, sizeof(*receiver));
    char sentence[WEIR_TLS_PROBLEM_BYTES] = "";

    WEIR_MUST(receiver != NULL);
    atomic_init(&receiver->holders, 1);
    receiver->url = copy((weir_span_t){settings->url, strlen(settings->url)});
    receiver->host = copy(settings->host);
    receiver->authority = copy(settings->authority);
    receiver->path = copy(settings->path);
    receiver->service = copy((weir_span_t){settings->service, strlen(settings->service)});
    receiver->queue_most = settings->queue_most;
    (void)snprintf(receiver->port, sizeof(receiver->port), "%u", settings->port);
    ERR_clear_error();
    if (!settings->is_https || prepare_tls(receiver, settings->ca_file, sentence))
        return receiver;
    (void)snprintf(problem, bytes, "%s", sentence);
    weir_trace_receiver_release(&receiver);
    return NULL;
}

weir_trace_receiver_t *weir_trace_receiver_hold(weir_trace_receiver_t *receiver)
{
    atomic_fetch_add_explicit(&receiver->holders, 1, memory_order_relaxed);
    return receiver;
}

void weir_trace_receiver_release(weir_trace_receiver_t **receiver)
{
    weir_trace_receiver_t *gone = *receiver;

    *receiver = NULL;
    if (gone == NULL || atomic_fetch_sub(&gone->holders, 1) != 1)
        return;
    SSL_CTX_free(gone->context);
    free(gone->url);
    free(gone->host);
    free(gone->authority);
    free(gone->path);
    free(gone->service);
    free(gone);
}
