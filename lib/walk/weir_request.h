/* SPDX-License-Identifier: MIT */
#ifndef WEIR_REQUEST_H
#define WEIR_REQUEST_H
/**
 * @file  What a router or a stage may read of a request.
 *
 * Every span is borrowed and lives as long as the request; none is NUL-terminated unless said so. Call on the request's
 * thread, or from elsewhere only while a question about the request is open.
 */
#include "weir_types.h"

/** As sent: "GET". */
WEIR_API weir_span_t weir_request_method(const weir_request_t *request);
/** Path with query, as it will be forwarded: "/a?b=c". */
WEIR_API weir_span_t weir_request_target(const weir_request_t *request);
/** The part before '?'. */
WEIR_API weir_span_t weir_request_path(const weir_request_t *request);
/** The part behind '?', or empty. */
WEIR_API weir_span_t weir_request_query(const weir_request_t *request);
/** Lower-case, without port, brackets kept. */
WEIR_API weir_span_t weir_request_host(const weir_request_t *request);
/** "http" or "https": how the client reached this proxy. */
WEIR_API weir_span_t weir_request_scheme(const weir_request_t *request);
/** 10 for HTTP/1.0, 11 for HTTP/1.1, 20 for HTTP/2. */
WEIR_API unsigned weir_request_version(const weir_request_t *request);
/** The value of the first header of this name (letters of either case are equal); base is NULL if there is none. */
WEIR_API weir_span_t weir_request_header(const weir_request_t *request, weir_span_t name);
WEIR_API size_t weir_request_header_count(const weir_request_t *request);
/** Header `index` in the order received. False, and untouched outputs, beyond the last. */
WEIR_API bool weir_request_header_at(const weir_request_t *request, size_t index, weir_span_t *out_name,
                                     weir_span_t *out_value);
/** The X-Request-Id that is forwarded: the client's if valid, else a new one. */
WEIR_API weir_span_t weir_request_id(const weir_request_t *request);
/** The client's address as text; for unix sockets "unix". */
WEIR_API weir_span_t weir_request_peer_ip(const weir_request_t *request);
/** The client's port; 0 for unix sockets. */
WEIR_API uint16_t weir_request_peer_port(const weir_request_t *request);

/** Wall clock when the head was complete, in ms since the Unix epoch. */
WEIR_API uint64_t weir_request_start_ms(const weir_request_t *request);
/** How long the connect that succeeded took, in ms; -1 before. */
WEIR_API int64_t weir_request_connect_ms(const weir_request_t *request);
/** From the end of the head to the connection, in ms; -1 before. */
WEIR_API int64_t weir_request_route_ms(const weir_request_t *request);
/** From the connection to now, or to the end of the response, in ms; -1 before. */
WEIR_API int64_t weir_request_service_ms(const weir_request_t *request);
/** The status sent to the client; 0 before. */
WEIR_API uint16_t weir_request_status(const weir_request_t *request);
/** Bytes written to and read from the backend, over all attempts. */
WEIR_API uint64_t weir_request_bytes_sent(const weir_request_t *request);
WEIR_API uint64_t weir_request_bytes_received(const weir_request_t *request);

/** The clocks and the dice of a router; on the request's thread only. Monotonic, in ms; wall, in ms since the Unix epoch; 64 random bits. */
WEIR_API uint64_t weir_now_ms(const weir_request_t *request);
WEIR_API uint64_t weir_wall_ms(const weir_request_t *request);
WEIR_API uint64_t weir_random(const weir_request_t *request);

#endif
