/* SPDX-License-Identifier: MIT */
#include "handlers/proxy_status.h"

#include "lib/base/fault.h"

/* RFC 9209 §2.3 */
static const struct {
    const weir_fault_t *fault;
    const char *type;
} types[] = {
    {&weir_fault_conn_limit_reached, "http_request_denied"},
    {&weir_fault_backend_refused, "connection_refused"},
    {&weir_fault_backend_unreachable, "destination_ip_unroutable"},
    {&weir_fault_backend_unresolved, "dns_error"},
    {&weir_fault_backend_connect_timeout, "connection_timeout"},
    {&weir_fault_backend_bad_address, "destination_not_found"},
    {&weir_fault_backend_closed, "connection_terminated"},
    {&weir_fault_backend_reset, "connection_terminated"},
    {&weir_fault_backend_truncated, "http_response_incomplete"},
    {&weir_fault_backend_timeout, "http_response_timeout"},
    {&weir_fault_backend_stalled, "connection_write_timeout"},
    {&weir_fault_backend_invalid_status, "http_protocol_error"},
    {&weir_fault_backend_status_length, "http_response_header_section_size"},
    {&weir_fault_backend_invalid_header, "http_protocol_error"},
    {&weir_fault_backend_header_length, "http_response_header_section_size"},
    {&weir_fault_backend_cookie_length, "http_response_header_size"},
    {&weir_fault_backend_content_length, "http_protocol_error"},
    {&weir_fault_backend_invalid_transfer_encoding, "http_response_transfer_coding"},
    {&weir_fault_backend_bad_chunk, "http_response_transfer_coding"},
    {&weir_fault_backend_too_many_interim, "http_protocol_error"},
    {&weir_fault_backend_unsolicited_upgrade, "http_protocol_error"},
    {&weir_fault_backend_not_http2, "http_protocol_error"},
    {&weir_fault_backend_http2_error, "http_protocol_error"},
    {&weir_fault_backend_http2_message, "http_protocol_error"},
    {&weir_fault_backend_goaway, "connection_terminated"},
    {&weir_fault_worker_gone, "connection_terminated"},
    {&weir_fault_backend_busy, "connection_limit_reached"},
    {&weir_fault_no_descriptors, "proxy_internal_error"},
    {&weir_fault_backend_ping_timeout, "http_response_timeout"},
    {&weir_fault_backend_stream_cancelled, "http_response_incomplete"},
    {&weir_fault_backend_stream_failed, "http_response_incomplete"},
    {&weir_fault_backend_stream_reset, "http_response_incomplete"},
    {&weir_fault_backend_cannot_upgrade, "http_upgrade_failed"},
    {&weir_fault_router_timeout, "proxy_internal_response"},
    {&weir_fault_router_bad_answer, "proxy_configuration_error"},
};

static const char *type_of(const weir_fault_t *fault)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].fault == fault)
            return types[i].type;
    }
    switch (fault->blame) {
    case WEIR_BLAME_CLIENT:
        return "http_request_error";
    case WEIR_BLAME_BACKEND:
        return "destination_unavailable";
    case WEIR_BLAME_NOBODY:
    case WEIR_BLAME_ROUTER:
        break;
    }
    return "proxy_internal_response";
}

weir_span_t weir_proxy_status(weir_arena_t *arena, const weir_fault_t *fault)
{
    char details[128];
    size_t length = 0;

    /* RFC 8941 §3.3.3: printable ASCII; a router's name of a reason is its own choice. */
    for (const char *c = fault->name; *c != '\0' && length + 1 < sizeof(details); c++)
        details[length++] = *c > ' ' && *c < 0x7f && *c != '"' && *c != '\\' ? *c : '_';
    details[length] = '\0';
    return weir_arena_format(arena, "weir; error=%s; details=\"%s\"", type_of(fault), details);
}
