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

WEIR_C_BEGIN

/** As sent: "GET". */
WEIR_API weir_span_t weir_request_method(const weir_request_t *request);
/** Path with query, as it will be forwarded: "/a?b=c". */
WEIR_API weir_span_t weir_request_target(const weir_request_t *request);
/** The part before '?'. */
WEIR_API weir_span_t weir_request_path(const weir_request_t *request);
/** The part behind '?', or empty. */
WEIR_API weir_span_t weir_request_query(const weir_request_t *request);
/** The path of the configuration that this router stands at: "/", "/api". */
WEIR_API weir_span_t weir_request_mount(const weir_request_t *request);
/**
 * The end of the target that lies below it: "/b?c" of "/api/b?c" at "/api", "b?c" of "/b?c" at "/", empty of "/api" at "/api".
 */
WEIR_API weir_span_t weir_request_below(const weir_request_t *request);
/** What the client calls the host, byte for byte, with its port if named: the target's authority, else Host. Empty: none. */
WEIR_API weir_span_t weir_request_authority(const weir_request_t *request);
/** Lower-case, without port, brackets kept; empty if an HTTP/1.0 request names none. */
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
/** The client's address as text, which a PROXY header or a trusted proxy may have told; for unix sockets "unix". */
WEIR_API weir_span_t weir_request_peer_ip(const weir_request_t *request);
/** Whether it becomes a tunnel if the backend agrees: a WebSocket, by whatever version of HTTP. From checkout_service on. */
WEIR_API bool weir_request_wants_upgrade(const weir_request_t *request);
/** Whether it comes with a body, maybe an empty one: Content-Length, chunks, an open stream. Since ABI 7. */
WEIR_API bool weir_request_has_body(const weir_request_t *request);
/** Whether the client may know why its request goes where it goes, weir.explain-trusted: tell it in X-Weir-Explain. */
WEIR_API bool weir_request_may_explain(const weir_request_t *request);
/** The client's port; 0 for unix sockets. */
WEIR_API uint16_t weir_request_peer_port(const weir_request_t *request);

/**
 * Whether a PROXY header named the client: peer_ip and peer_port are its source, scheme is "https" if its destination port is
 * 443. What else it said is the same for all requests of a connection. The sender's bytes as they came, not checked, base NULL
 * where it said nothing: the name asked for (SNI), the ALPN protocol, an id of at most 128 bytes for the connection.
 */
WEIR_API bool weir_request_is_proxied(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_authority(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_alpn(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_unique_id(const weir_request_t *request);
/**
 * Whether the client came to the sender by TLS; then perhaps the version ("TLSv1.3"), the cipher, its certificate's common
 * name.
 */
WEIR_API bool weir_request_proxy_ssl(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_ssl_version(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_ssl_cipher(const weir_request_t *request);
WEIR_API weir_span_t weir_request_proxy_ssl_cn(const weir_request_t *request);

/**
 * Whether the client has shown a certificate in its TLS handshake with this proxy, that the listener's client-ca-file vouches
 * for (any other ends the handshake); in a session that was resumed, when the session began. What it says is the same for all
 * requests of a connection, is read at the first question about it, and is never a part of something longer: base is NULL where
 * there is no certificate, nothing, or more than 4096 bytes. A PROXY header says nothing about it.
 */
WEIR_API bool weir_request_client_certificate(const weir_request_t *request);
/** Its subject and its issuer as in RFC 2253, printable: "CN=alice,OU=ops,O=Example". An empty one is there, and empty. */
WEIR_API weir_span_t weir_request_client_subject(const weir_request_t *request);
WEIR_API weir_span_t weir_request_client_issuer(const weir_request_t *request);
/** Its serial number in hexadecimal digits, an even number of them, in upper case: "0A1B". */
WEIR_API weir_span_t weir_request_client_serial(const weir_request_t *request);
/** The SHA-256 of all of it, 64 hexadecimal digits in lower case. */
WEIR_API weir_span_t weir_request_client_sha256(const weir_request_t *request);
/** When it ends, in ms since the Unix epoch; 0 without a certificate. */
WEIR_API uint64_t weir_request_client_not_after_ms(const weir_request_t *request);

/** The kinds of names that a certificate has beside its subject. More may come. */
typedef enum weir_client_name {
    WEIR_CLIENT_NAME_DNS = 0,
    WEIR_CLIENT_NAME_EMAIL = 1,
    WEIR_CLIENT_NAME_URI = 2, /* "spiffe://example.org/shop" */
    WEIR_CLIENT_NAME_IP = 3,  /* "192.0.2.1", "2001:db8::1"  */
} weir_client_name_t;
/**
 * Name `index` of its subjectAltName, as written there. Of other kinds, empty, or with a byte that is no visible ASCII: left
 * out, as are all behind the hundredth. False, and untouched outputs, beyond the last.
 */
WEIR_API bool weir_request_client_name_at(const weir_request_t *request, size_t index, weir_client_name_t *out_kind,
                                          weir_span_t *out_name);

/** The port the client came in by: a PROXY header's destination, else the listener's; 0 for unix sockets. */
WEIR_API uint16_t weir_request_listen_port(const weir_request_t *request);

/** Wall clock when the head was complete, in ms since the Unix epoch. */
WEIR_API uint64_t weir_request_start_ms(const weir_request_t *request);
/** How long the connect that succeeded took, in ms; -1 before. */
WEIR_API int64_t weir_request_connect_ms(const weir_request_t *request);
/** From the end of the head to the connection, in ms; -1 before. */
WEIR_API int64_t weir_request_route_ms(const weir_request_t *request);
/** From the connection to now, or to the end of the response, in ms; -1 before. */
WEIR_API int64_t weir_request_service_ms(const weir_request_t *request);
/** From the end of the head to the end of the response, or to now, in ms. */
WEIR_API int64_t weir_request_total_ms(const weir_request_t *request);
/** From the end of the head to the moment the head for the backend was made, in ms; -1 before. */
WEIR_API int64_t weir_request_start_to_proxy_ms(const weir_request_t *request);
/** How long it took to hand the head to the backend's connection, in ms; -1 before. */
WEIR_API int64_t weir_request_send_headers_ms(const weir_request_t *request);
/** From there to the last byte of the request's body, in ms; -1 before, and if the body did not go out whole. */
WEIR_API int64_t weir_request_request_proxy_ms(const weir_request_t *request);
/** From the head of the backend's final response to the latest byte of its body, in ms; -1 before. */
WEIR_API int64_t weir_request_response_proxy_ms(const weir_request_t *request);
/** When the latest connect began, and when the latest head for a backend was made, in ms since the Unix epoch; 0 before. */
WEIR_API uint64_t weir_request_pre_connect_ms(const weir_request_t *request);
WEIR_API uint64_t weir_request_pre_proxy_ms(const weir_request_t *request);
/** How many connects were tried, those that a kept connection has spared included. */
WEIR_API uint32_t weir_request_connects(const weir_request_t *request);

/** The status sent to the client, 499 if it left before; 0 before. */
WEIR_API uint16_t weir_request_status(const weir_request_t *request);
/** Why the request is ending, or has ended; NULL: well, or not yet. */
WEIR_API const weir_fault_t *weir_request_fault(const weir_request_t *request);
/** Bytes written to and read from the backends, heads and framing included, over all attempts. */
WEIR_API uint64_t weir_request_bytes_sent(const weir_request_t *request);
WEIR_API uint64_t weir_request_bytes_received(const weir_request_t *request);
/** Bytes of the request's body that were taken from the client, and of the response's body that were handed to it; unframed. */
WEIR_API uint64_t weir_request_body_bytes(const weir_request_t *request);
WEIR_API uint64_t weir_request_response_bytes(const weir_request_t *request);

/**
 * The value of the first header of this name (letters of either case are equal) in the backend's final response or its 101, as
 * it came: before anything was removed or added. base is NULL if there is none. Available in answered and in additional_headers
 * to the client, and from then on if the router has terminate or log, and not needs_no_response; elsewhere there are none.
 */
WEIR_API weir_span_t weir_request_response_header(const weir_request_t *request, weir_span_t name);
WEIR_API size_t weir_request_response_header_count(const weir_request_t *request);
/** Header `index` in the order received, its name in lower case. False, and untouched outputs, beyond the last. */
WEIR_API bool weir_request_response_header_at(const weir_request_t *request, size_t index, weir_span_t *out_name,
                                              weir_span_t *out_value);

/** How a request has ended. */
typedef enum weir_outcome {
    WEIR_HALTED = 0,     /* answered without a backend (a redirect, a stage's own answer, an empty 204), or not ended yet */
    WEIR_SUCCESSFUL = 1, /* the backend's response went out whole, or its tunnel has ended */
    WEIR_ERROR = 2,      /* there is a fault: weir_request_fault()                         */
} weir_outcome_t;
/** The outcome, in log and terminate. */
WEIR_API weir_outcome_t weir_request_outcome(const weir_request_t *request);

/**
 * Writes where the time went, as consecutive intervals in rounded ms, into `buffer` (`size` bytes, NUL-terminated if size is
 * not 0): "init 0, accepted_to_pre_connect 1, connect_time 2, connect_time_to_pre_proxy 0, pre_proxy_to_headers_sent 0,
 * headers_sent_to_last_packet_sent 3, last_packet_sent_to_first_packet_recv 9, first_packet_recv_to_last_packet_recv 2,
 * last_packet_recv_to_responded 0, total 17". Events that did not happen are left out; of several attempts the last one counts.
 * Before the end of the response the last interval is "…_until_end": to now. Returns the length; what does not fit is cut
 * behind a whole interval.
 */
WEIR_API size_t weir_request_report(const weir_request_t *request, char *buffer, size_t size);

/** What the configure of this request's router has set, or NULL; and the group that its lookup has found, NULL before. */
WEIR_API weir_shared_t *weir_request_shared(const weir_request_t *request);
WEIR_API weir_group_t *weir_request_group(const weir_request_t *request);
/** What the router calls the group (weir_lookup_name(), describe_group); base NULL: nothing, or no lookup yet. */
WEIR_API weir_span_t weir_request_app(const weir_request_t *request);
/** The status of the backend's latest final response, or its 101, also where a page took its place; 0: there was none. */
WEIR_API uint16_t weir_request_backend_status(const weir_request_t *request);

/** The value of the first cookie of this name in all Cookie headers, as weir_span_cookie() has it. */
WEIR_API weir_span_t weir_request_cookie(const weir_request_t *request, weir_span_t name);

/**
 * The clocks and the dice of a router; on the request's thread only. Monotonic, in ms and us; wall, in ms since the Unix epoch;
 * 64 random bits, of a stream that each request has for itself. They are no secrets of the process: for keys take getrandom(2).
 */
WEIR_API uint64_t weir_now_ms(const weir_request_t *request);
WEIR_API uint64_t weir_now_us(const weir_request_t *request);
WEIR_API uint64_t weir_wall_ms(const weir_request_t *request);
WEIR_API uint64_t weir_random(const weir_request_t *request);
/**
 * 64 bits that depend on the request's id and `seed` alone: the same request falls on the same side of a share on each machine.
 */
WEIR_API uint64_t weir_request_hash(const weir_request_t *request, uint64_t seed);

WEIR_C_END

#endif
