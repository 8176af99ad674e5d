/* SPDX-License-Identifier: MIT */
#ifndef WEIR_REQUEST_H
#define WEIR_REQUEST_H 
#include "weir_types.h"
WEIR_C_BEGIN
WEIR_API weir_span_t weir_request_method(const weir_request_t *request);
WEIR_API weir_span_t weir_request_target(const weir_request_t *request);
WEIR_API weir_span_t weir_request_path(const weir_request_t *request);
WEIR_API weir_span_t weir_request_query(const weir_request_t *request);
WEIR_API weir_span_t weir_request_mount(const weir_request_t *request);
WEIR_API weir_span_t weir_request_below(const weir_request_t *request);
WEIR_API weir_span_t weir_request_authority(const weir_request_t *request);
WEIR_API weir_span_t weir_request_host(const weir_request_t *request);
WEIR_API weir_span_t weir_request_scheme(const weir_request_t *request);
WEIR_API unsigned weir_request_version(const weir_request_t *request);
WEIR_API weir_span_t weir_request_header(const weir_request_t *request, weir_span_t name);
WEIR_API size_t weir_request_header_count(const weir_request_t *request);
WEIR_API bool weir_request_header_at(const weir_request_t *request, size_t index, weir_span_t *out_name,
                                     weir_span_t *out_value);
WEIR_API weir_span_t weir_request_id(const weir_request_t *request);
WEIR_API weir_span_t weir_request_peer_ip(const weir_request_t *request);
WEIR_API bool weir_request_wants_upgrade(const weir_request_t *request);
WEIR_API bool weir_request_has_body(const weir_request_t *request);
WEIR_API bool weir_request_may_explain(const weir_request_t *request);
WEIR_API uint16_t weir_request_peer_port(const weir_request_t *request);
WEIR_API bool weir_request_is_proxied(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_authority(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_alpn(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_unique_id(const weir_request_t *request);
WEIR_API bool weir_request_proxy_ssl(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_ssl_version(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_ssl_cipher(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_ssl_cn(const weir_request_t *request);
WEIR_API bool weir_request_client_certificate(const weir_request_t *request);
WEIR_API weir_span_t weir_request_client_subject(const weir_request_t *request);
WEIR_API weir_span_t weir_request_client_issuer(const weir_request_t *request);
WEIR_API weir_span_t weir_request_client_serial(const weir_request_t *request);
WEIR_API weir_span_t weir_request_client_sha256(const weir_request_t *request);
WEIR_API uint64_t weir_request_client_not_after_ms(const weir_request_t *request);
typedef enum weir_client_name {
    WEIR_CLIENT_NAME_DNS = 0,
    WEIR_CLIENT_NAME_EMAIL = 1,
    WEIR_CLIENT_NAME_URI = 2,
    WEIR_CLIENT_NAME_IP = 3,
} weir_client_name_t;
WEIR_API bool weir_request_client_name_at(const weir_request_t *request, size_t index, weir_client_name_t *out_kind,
                                          weir_span_t *out_name);
WEIR_API uint16_t weir_request_listen_port(const weir_request_t *request);
WEIR_API uint64_t weir_request_start_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_connect_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_route_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_service_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_total_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_start_to_proxy_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_send_headers_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_request_proxy_ms(const weir_request_t *request);
WEIR_API int64_t weir_request_response_proxy_ms(const weir_request_t *request);
WEIR_API uint64_t weir_request_pre_connect_ms(const weir_request_t *request);
WEIR_API uint64_t weir_request_pre_proxy_ms(const weir_request_t *request);
WEIR_API uint32_t weir_request_connects(const weir_request_t *request);
WEIR_API uint16_t weir_request_status(const weir_request_t *request);
WEIR_API const weir_fault_t *weir_request_fault(const weir_request_t *request);
WEIR_API uint64_t weir_request_bytes_sent(const weir_request_t *request);
WEIR_API uint64_t weir_request_bytes_received(const weir_request_t *request);
WEIR_API uint64_t weir_request_body_bytes(const weir_request_t *request);
WEIR_API uint64_t weir_request_response_bytes(const weir_request_t *request);
WEIR_API weir_span_t weir_request_response_header(const weir_request_t *request, weir_span_t name);
WEIR_API size_t weir_request_response_header_count(const weir_request_t *request);
WEIR_API bool weir_request_response_header_at(const weir_request_t *request, size_t index, weir_span_t *out_name,
                                              weir_span_t *out_value);
typedef enum weir_outcome {
    WEIR_HALTED = 0,
    WEIR_SUCCESSFUL = 1,
    WEIR_ERROR = 2,
} weir_outcome_t;
WEIR_API weir_outcome_t weir_request_outcome(const weir_request_t *request);
WEIR_API size_t weir_request_report(const weir_request_t *request, char *buffer, size_t size);
WEIR_API weir_shared_t *weir_request_shared(const weir_request_t *request);
WEIR_API weir_group_t *weir_request_group(const weir_request_t *request);
WEIR_API weir_span_t weir_request_app(const weir_request_t *request);
WEIR_API uint16_t weir_request_backend_status(const weir_request_t *request);
WEIR_API weir_span_t weir_request_cookie(const weir_request_t *request, weir_span_t name);
WEIR_API uint64_t weir_now_ms(const weir_request_t *request);
WEIR_API uint64_t weir_now_us(const weir_request_t *request);
WEIR_API uint64_t weir_wall_ms(const weir_request_t *request);
WEIR_API uint64_t weir_random(const weir_request_t *request);
WEIR_API uint64_t weir_request_hash(const weir_request_t *request, uint64_t seed);
WEIR_C_END
#endif
