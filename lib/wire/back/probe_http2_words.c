/* SPDX-License-Identifier: MIT */
/* What a probe says in HTTP/2, and what the answer means (grpc/doc/health-checking.md, PROTOCOL-HTTP2.md). */
#include "lib/wire/back/probe.h"
#include "weir_span.h"

enum {
    MESSAGE_HEAD_BYTES = 5, /* is it compressed?, and its length in 4 bytes */
    VARINT_BITS = 7,
    TAG_SERVICE = 0x0a, /* field 1, bytes  */
    TAG_STATUS = 0x08,  /* field 1, number */
    SERVING = 1,
};

size_t probe_http2_fields(const weir_probing_t *probing, weir_header_t fields[PROBE_HTTP2_FIELDS])
{
    const bool is_grpc = probing->kind == WEIR_PROBE_GRPC;
    const weir_header_t all[] = {
        {WEIR_SPAN(":method"), is_grpc ? WEIR_SPAN("POST") : WEIR_SPAN("GET"), WEIR_HEADER_OTHER},
        {WEIR_SPAN(":scheme"), probing->target.tls != NULL ? WEIR_SPAN("https") : WEIR_SPAN("http"), WEIR_HEADER_OTHER},
        {WEIR_SPAN(":authority"), probing->host, WEIR_HEADER_OTHER},
        {WEIR_SPAN(":path"), is_grpc ? WEIR_SPAN("/grpc.health.v1.Health/Check") : probing->path, WEIR_HEADER_OTHER},
        {WEIR_SPAN("user-agent"), WEIR_SPAN("weir-probe"), WEIR_HEADER_OTHER},
        {WEIR_SPAN("content-type"), WEIR_SPAN("application/grpc"), WEIR_HEADER_OTHER},
        {WEIR_SPAN("te"), WEIR_SPAN("trailers"), WEIR_HEADER_OTHER},
    };
    const size_t count = sizeof(all) / sizeof(all[0]) - (is_grpc ? 0 : 2);

    memcpy(fields, all, count * sizeof(all[0]));
    return count;
}

void probe_http2_hear(weir_probing_t *probing, weir_span_t name, weir_span_t value)
{
    uint64_t number = 0;

    if (weir_span_is(name, "grpc-status") && weir_span_to_number(value, &number) && number <= INT16_MAX)
        probing->result.grpc_status = (int16_t)number;
    weir_headers_add(&probing->headers, &probing->arena, weir_arena_copy(&probing->arena, name),
                     weir_arena_copy(&probing->arena, value));
}

static char *write_varint(char *at, size_t number)
{
    for (; number >> VARINT_BITS != 0; number >>= VARINT_BITS)
        *at++ = (char)(number | 1 << VARINT_BITS);
    *at++ = (char)number;
    return at;
}

/* HealthCheckRequest: field 1 is the service; the server as a whole has an empty name, which is not written. */
void probe_grpc_ask(const weir_probing_t *probing, weir_bytes_t *out)
{
    char field[16] = {TAG_SERVICE}, head[MESSAGE_HEAD_BYTES] = {0};
    const size_t field_bytes = probing->service.len == 0 ? 0 : (size_t)(write_varint(field + 1, probing->service.len) - field);
    const size_t bytes = field_bytes + probing->service.len;

    for (size_t i = 1; i < MESSAGE_HEAD_BYTES; i++)
        head[i] = (char)(bytes >> 8 * (MESSAGE_HEAD_BYTES - 1 - i));
    weir_bytes_append(out, (weir_span_t){head, sizeof(head)});
    weir_bytes_append(out, (weir_span_t){field, field_bytes});
    weir_bytes_append(out, probing->service);
}

/* HealthCheckResponse: field 1 is the status, and there is no other. */
bool probe_grpc_is_serving(weir_span_t answer)
{
    const uint8_t *bytes = (const uint8_t *)answer.base;

    return answer.len == MESSAGE_HEAD_BYTES + 2 && bytes[0] == 0 && bytes[MESSAGE_HEAD_BYTES] == TAG_STATUS &&
           bytes[MESSAGE_HEAD_BYTES + 1] == SERVING;
}
