/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void request_of(const char *request)
{
    world_open(NULL);
    world_request(request);
}

/* ---- the head the backend gets ---- */

static void the_head_in_order(void **state)
{
    world_open(NULL);
    w.script.keepalive = WEIR_REUSE;
    w.script.has_peer_port = true;
    w.x = fake_exchange(
        &w.loop, &w.plan, &w.front,
        "POST /a?b HTTP/1.1\r\naccept: x\r\nHost: Shop.Example:81\r\nX-Forwarded-For: 1.1.1.1\r\nvia: 1.0 a\r\n"
        "X-FORWARDED-PROTO: ftp\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-Forwarded-For: 2.2.2.2\r\n"
        "X-Forwarded-Proto: gopher\r\nTrailer: a\r\nContent-Length: 005\r\nX-To-Backend: forged\r\n\r\n");

    w.x->request.is_proxied = true;
    weir_exchange_start(w.x);
    assert_string_equal(w.loop.backend_head, "POST /a?b HTTP/1.1\r\n"
                                             "Host: shop.example\r\n"
                                             "Connection: keep-alive\r\n"
                                             "accept: x\r\n"
                                             "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.9\r\n"
                                             "via: 1.0 a, 1.1 weir\r\n"
                                             "X-FORWARDED-PROTO: http\r\n"
                                             "Trailer: a\r\n"
                                             "X-To-Backend: b\r\n"
                                             "X-Request-Id: 00010203-0405-4607-8809-0a0b0c0d0e0f\r\n"
                                             "X-Forwarded-Peer-Port: 1234\r\n"
                                             "X-Forwarded-Port: 8080\r\n"
                                             "Connect-Time: 0\r\n"
                                             "X-Request-Start: 1700000000000\r\n"
                                             "Total-Route-Time: 0\r\n"
                                             "Content-Length: 5\r\n"
                                             "\r\n");
    world_finish(OK_HEAD);
}

static void the_port_is_the_one_that_was_named(void **state)
{
    world_open(NULL);
    w.script.has_peer_port = true;
    world_request("GET / HTTP/1.1\r\nHost: a:81\r\nX-Forwarded-Peer-Port: 9\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nX-Forwarded-Port: 81\r\n");
    assert_contains(w.loop.backend_head, "\r\nX-Forwarded-Peer-Port: 9\r\n"); /* a question for PROXY listeners only */
    world_finish(OK_HEAD);
    world_open(NULL);
    world_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nX-Forwarded-Port: 8080\r\n");
    world_finish(OK_HEAD);
}

static void times_are_of_the_attempt_that_connected(void **state)
{
    world_open(NULL);
    w.loop.connects[0].how = w.loop.connects[1].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 2;
    world_request(GET);
    fake_advance(&w.loop, 100);
    fake_connected(w.x, &weir_fault_backend_refused);
    fake_run(&w.loop);
    fake_advance(&w.loop, 7);
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    assert_contains(w.loop.backend_head, "\r\nConnect-Time: 7\r\n");
    assert_contains(w.loop.backend_head, "\r\nTotal-Route-Time: 107\r\n");
    world_finish(OK_HEAD);
}

static void framing_is_said_once(void **state)
{
    request_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_lacks(w.loop.backend_head, "Content-Length");
    world_finish(OK_HEAD);
    request_of("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nContent-Length: 0\r\n\r\n");
    world_finish(OK_HEAD);
    request_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_lacks(w.loop.backend_head, "Content-Length");
    world_finish(OK_HEAD);
    request_of("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_lacks(w.loop.backend_head, "Content-Length");
    world_finish(OK_HEAD);
}

static void canonical_case(void **state)
{
    world_open(NULL);
    w.plan.has_canonical_case = true;
    world_request("GET / HTTP/1.1\r\nhost: a\r\nx_foo-bAR: 1\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nX_foo-Bar: 1\r\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 200 OK\r\nset-cookie: a\r\n\r\n"));
    assert_contains(w.front.head, "Set-Cookie: a\n");
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

static void many_and_long_headers(void **state)
{
    static char request[20000];
    size_t length = (size_t)sprintf(request, "GET / HTTP/1.1\r\nHost: a\r\n");

    for (int i = 0; i < 200; i++)
        length += (size_t)sprintf(request + length, "X-%d: %060d\r\n", i, i);
    strcpy(request + length, "\r\n");
    request_of(request);
    assert_contains(w.loop.backend_head, "\r\nX-199: ");
    world_finish(OK_HEAD);
}

/* ---- what comes back ---- */

static void the_response(void **state)
{
    request_of(GET);
    assert_contains(w.loop.backend_head, "\r\nConnection: close\r\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 203 Fine\r\nServer: s\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nSet-Cookie: "
                                  "a\r\nTransfer-Encoding: chunked\r\n"
                                  "Content-Length: 5\r\nSet-Cookie: b\r\nX-To-Client: old\r\nUpgrade: h2c\r\n\r\n"));
    assert_int_equal(w.front.status, 203);
    assert_string_equal(w.front.head, "Server: s\nSet-Cookie: a\nSet-Cookie: b\nX-To-Client: c\nVia: 1.1 weir\n");
    assert_int_equal(w.front.framing.kind, WEIR_FRAMING_CHUNKED);
    assert_false(w.front.must_close);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

/* What may not be set at all is tried by the script's on_headers() in every test. */
static void added_headers_leave_the_others_alone(void **state)
{
    world_open(NULL);
    w.script.adds_headers = true;
    world_request("GET / HTTP/1.1\r\nHost: a\r\nset-cookie: mine\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nset-cookie: mine\r\n");
    assert_contains(w.loop.backend_head, "\r\nSet-Cookie: r\r\n");
    assert_lacks(w.loop.backend_head, "Host: two");
    assert_lacks(w.loop.backend_head, "X-Added");
    assert_lacks(w.loop.backend_head, "Transfer-Encoding");
    assert_true(fake_respond(w.x, "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n"));
    assert_string_equal(w.front.head, "Set-Cookie: a\nset-cookie: b\nVia: 1.1 weir\nX-To-Client: c\nSet-Cookie: r\n");
    assert_int_equal(w.front.framing.kind, WEIR_FRAMING_NONE);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

static void a_head_response_announces_its_length(void **state)
{
    request_of("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    assert_int_equal(w.front.framing.kind, WEIR_FRAMING_NONE);
    assert_int_equal(w.front.content_length, 5);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

static void assert_backend_fault(const char *response, const weir_fault_t *fault)
{
    request_of(GET);
    assert_true(fake_respond(w.x, response));
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, fault);
    assert_int_equal(w.front.status, fault->status);
    assert_contains(w.loop.text, "stop\n");
    world_close();
}

static void refuses_broken_responses(void **state)
{
    assert_backend_fault("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", &weir_fault_backend_content_length);
    assert_backend_fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: \"\r\n\r\n", &weir_fault_backend_invalid_transfer_encoding);
    assert_backend_fault("HTTP/1.1 101 Switching\r\nUpgrade: a\r\n\r\n", &weir_fault_backend_unsolicited_upgrade);
}

/* ---- interim responses ---- */

static void forwards_interim_responses(void **state)
{
    request_of(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 103 Early Hints\r\nLink: a\r\nConnection: x\r\nX: 1\r\n\r\n"));
    assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n"));
    assert_true(fake_respond(w.x, "HTTP/1.1 102 Processing\r\n\r\n"));
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\ninterim 103\n  Link: a\ninterim 100\ninterim 102\n");
    world_finish(OK_HEAD);
}

static void http_1_0_gets_none(void **state)
{
    request_of("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 3; i++)
        assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_true(fake_respond(w.x, "HTTP/1.1 103 Early Hints\r\n\r\n"));
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\n");
    world_finish(OK_HEAD);
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

static void a_second_continue_is_skipped(void **state)
{
    for (int how = 0; how < 3; how++) {
        world_open(NULL);
        w.script.has_deep_continue = how == 2;
        world_request(how == 0 ? GET : "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
        assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n"));
        assert_false(w.x->wants_continue);
        assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n"));
        assert_null(w.script.last_fault);
        assert_int_equal(count_of(w.loop.text, "interim 100\n"), how == 1 ? 2 : 1); /* one of ours before the backend's */
        world_finish(OK_HEAD);
    }
}

static void too_many_are_an_error(void **state)
{
    request_of(GET);
    for (int i = 0; i < 64; i++)
        assert_true(fake_respond(w.x, i % 2 == 0 ? "HTTP/1.1 102 Processing\r\n\r\n" : "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_null(w.script.last_fault);
    assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n"));
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, &weir_fault_backend_too_many_interim);
    world_close();
}

/* RFC 9110 §15.2, and the draft of 104: progress of an upload, for as long as there is some. */
static void those_that_tell_of_progress_may_be_many(void **state)
{
    request_of(GET);
    for (int i = 0; i < 200; i++) {
        w.x->journal.client_received_bytes++;
        assert_true(fake_respond(w.x, "HTTP/1.1 104 Upload Resumption Supported\r\n\r\n"));
    }
    for (int i = 0; i < 200; i++) {
        fake_advance(&w.loop, 1000);
        assert_true(fake_respond(w.x, "HTTP/1.1 102 Processing\r\n\r\n"));
    }
    fake_run(&w.loop);
    assert_null(w.script.last_fault);
    assert_int_equal(count_of(w.loop.text, "interim 104\n"), 200);
    assert_int_equal(count_of(w.loop.text, "interim 102\n"), 200);
    world_finish(OK_HEAD);
}

static void an_unmet_expectation_closes(void **state)
{
    world_open(NULL);
    w.script.has_deep_continue = true;
    world_request("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(w.front.must_close);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

/* ---- upgrades ---- */

static void switches_protocols(void **state)
{
    request_of(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 101 Whatever\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX: 1\r\n\r\n"));
    assert_contains(w.loop.text, "tunnel\n");
    assert_string_equal(w.front.head, "Connection: Upgrade\nUpgrade: websocket\nX: 1\nVia: 1.1 weir\nX-To-Client: c\n");
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

static void http_2_request(const char *request)
{
    world_open(NULL);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, request);
    w.x->request.version = 20;
    weir_exchange_start(w.x);
}

/* RFC 8441 §5: any 2xx would tell an HTTP/2 client that its tunnel is there. */
static void http_2_takes_no_other_success(void **state)
{
    http_2_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_contains(w.loop.backend_head, "\r\nVia: 2.0 weir\r\n");
    assert_true(fake_respond(w.x, OK_HEAD));
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, &weir_fault_backend_no_upgrade);
    assert_int_equal(w.front.status, 502);
    world_close();
    http_2_request(GET);
    world_finish(OK_HEAD);
}

static void an_idle_tunnel_is_cut(void **state)
{
    request_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 101 Whatever\r\nUpgrade: websocket\r\n\r\n"));
    assert_true(fake_relay_end(w.x, &weir_fault_tunnel_idle));
    fake_run(&w.loop);
    assert_true(w.front.is_cut);
    assert_ptr_equal(w.script.last_fault, &weir_fault_tunnel_idle);
    world_close();
}

/* ---- ends ---- */

static void a_fault_becomes_a_page_or_a_cut(void **state)
{
    for (int responded = 0; responded < 2; responded++) {
        request_of(GET);
        if (responded)
            assert_true(fake_respond(w.x, OK_HEAD));
        assert_true(fake_relay_end(w.x, &weir_fault_backend_truncated));
        fake_run(&w.loop);
        assert_int_equal(w.front.is_cut, responded);
        assert_int_equal(w.front.status, responded ? 200 : 503);
        assert_ptr_equal(w.script.last_fault, &weir_fault_backend_truncated);
        assert_int_equal(w.script.phase, WEIR_CONNECTED);
        world_close();
    }
}

static void stale(const char *request, const weir_fault_t *fault, bool is_touched, bool is_repeated)
{
    world_open(NULL);
    w.loop.connects[0].is_pooled = true;
    w.loop.connect_count = 1;
    world_request(request);
    w.front.is_body_touched = is_touched;
    assert_true(fake_relay_end(w.x, fault));
    fake_run(&w.loop);
    if (!is_repeated) {
        assert_int_equal(w.front.status, fault->status);
        world_close();
        return;
    }
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\nrelease\nconnect 127.0.0.1:8081 fresh\nrelay\n");
    assert_int_equal(w.script.picks, 1); /* the service stays checked out */
    world_finish(OK_HEAD);
}

static void a_dead_pooled_connection_is_forgiven_once(void **state)
{
    static const char post[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";

    stale(GET, &weir_fault_backend_closed, false, true);
    stale(GET, &weir_fault_backend_reset, false, true);
    stale(GET, &weir_fault_backend_timeout, false, false);
    stale(post, &weir_fault_backend_closed, false, true);
    stale(post, &weir_fault_backend_closed, true, false);
    stale("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &weir_fault_backend_closed, false, false);
}

static void a_new_connection_is_not_forgiven(void **state)
{
    request_of(GET);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_closed));
    fake_run(&w.loop);
    assert_int_equal(w.front.status, 503);
    world_close();
}

static void the_second_attempt_may_fail_to_connect(void **state)
{
    world_open(NULL);
    w.loop.connects[0].is_pooled = true;
    w.loop.connects[1].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 2;
    w.script.services_max = 1;
    world_request(GET);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_closed));
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, &fake_exhausted);
    assert_int_equal(w.script.checkins, 1);
    world_close();
}

/* ---- HTTP/2 ---- */

static void open_http2(void)
{
    world_open(NULL);
    w.script.protocol = WEIR_HTTP2;
}

static void the_fields_in_order(void **state)
{
    open_http2();
    w.script.keepalive = WEIR_REUSE;
    w.plan.has_canonical_case = true;
    world_request("POST /a?b HTTP/1.1\r\nAccept: x\r\nHost: Shop.Example:81\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\n"
                  "TE: gzip, trailers\r\nTrailer: a\r\nContent-Length: 005\r\nContent-Type: application/grpc\r\n\r\n");
    assert_string_equal(w.loop.backend_head, ":method: POST\r\n"
                                             ":scheme: http\r\n"
                                             ":authority: shop.example\r\n"
                                             ":path: /a?b\r\n"
                                             "accept: x\r\n"
                                             "trailer: a\r\n"
                                             "content-type: application/grpc\r\n"
                                             "x-request-id: 00010203-0405-4607-8809-0a0b0c0d0e0f\r\n"
                                             "x-forwarded-for: 10.0.0.9\r\n"
                                             "x-forwarded-proto: http\r\n"
                                             "x-forwarded-port: 81\r\n"
                                             "via: 1.1 weir\r\n"
                                             "connect-time: 0\r\n"
                                             "x-request-start: 1700000000000\r\n"
                                             "total-route-time: 0\r\n"
                                             "x-to-backend: b\r\n"
                                             "te: trailers\r\n"
                                             "content-length: 5\r\n");
    world_finish(OK_HEAD);
}

static void a_length_is_told_if_it_is_known(void **state)
{
    open_http2();
    world_request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_lacks(w.loop.backend_head, "content-length");
    assert_lacks(w.loop.backend_head, "transfer-encoding");
    world_finish(OK_HEAD);
    open_http2();
    world_request("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_contains(w.loop.backend_head, "content-length: 0\r\n");
    world_finish(OK_HEAD);
    open_http2();
    world_request(GET);
    assert_lacks(w.loop.backend_head, "content-length");
    assert_lacks(w.loop.backend_head, "te: ");
    world_finish(OK_HEAD);
}

static void the_router_may_name_another_target(void **state)
{
    open_http2();
    w.script.target = "/v1/a?b";
    world_request(GET);
    assert_contains(w.loop.backend_head, ":path: /v1/a?b\r\n");
    world_finish(OK_HEAD);
    assert_contains(w.front.head, "Via: 2.0 weir\n");
}

static void a_web_socket_is_refused(void **state)
{
    open_http2();
    world_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n");
    assert_ptr_equal(w.script.last_fault, &weir_fault_backend_cannot_upgrade);
    assert_int_equal(w.front.status, 501);
    world_close();
    open_http2();
    world_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    assert_lacks(w.loop.backend_head, "upgrade");
    world_finish(OK_HEAD);
}

static void a_web_socket_becomes_an_extended_connect(void **state)
{
    open_http2();
    w.loop.opens_websockets = true;
    world_request("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    assert_contains(w.loop.backend_head, ":method: CONNECT\r\n:protocol: websocket\r\n:scheme: http\r\n:authority: a\r\n"
                                         ":path: /chat\r\nsec-websocket-version: 13\r\n");
    assert_lacks(w.loop.backend_head, "upgrade");
    assert_lacks(w.loop.backend_head, "sec-websocket-key");
    assert_lacks(w.loop.backend_head, "content-length");
    assert_true(fake_respond(w.x, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
    assert_contains(w.loop.text, "tunnel\n");
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

/* RFC 9113 §8.7: whatever the method and the connection; but a body cannot be sent twice. */
static void an_untouched_request_is_sent_again_once(void **state)
{
    for (int how = 0; how < 4; how++) {
        bool is_touched = how == 1, is_again = how == 0 || how == 2;
        open_http2();
        world_request(how == 2 ? GET : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
        w.front.is_body_touched = is_touched;
        w.x->back->is_untouched = how != 3;
        assert_true(fake_relay_end(w.x, &weir_fault_backend_stream_refused));
        fake_run(&w.loop);
        assert_int_equal(w.script.picks, 1);
        if (!is_again) {
            assert_ptr_equal(w.script.last_fault, &weir_fault_backend_stream_refused);
            world_close();
            continue;
        }
        assert_contains(w.loop.text, "connect 127.0.0.1:8081 fresh\n");
        w.x->back->is_untouched = true;
        assert_true(fake_relay_end(w.x, &weir_fault_backend_goaway));
        fake_run(&w.loop);
        assert_ptr_equal(w.script.last_fault, &weir_fault_backend_goaway);
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_in_order),
        cmocka_unit_test(the_port_is_the_one_that_was_named),
        cmocka_unit_test(times_are_of_the_attempt_that_connected),
        cmocka_unit_test(framing_is_said_once),
        cmocka_unit_test(canonical_case),
        cmocka_unit_test(many_and_long_headers),
        cmocka_unit_test(the_response),
        cmocka_unit_test(added_headers_leave_the_others_alone),
        cmocka_unit_test(a_head_response_announces_its_length),
        cmocka_unit_test(refuses_broken_responses),
        cmocka_unit_test(forwards_interim_responses),
        cmocka_unit_test(http_1_0_gets_none),
        cmocka_unit_test(a_second_continue_is_skipped),
        cmocka_unit_test(too_many_are_an_error),
        cmocka_unit_test(those_that_tell_of_progress_may_be_many),
        cmocka_unit_test(an_unmet_expectation_closes),
        cmocka_unit_test(switches_protocols),
        cmocka_unit_test(http_2_takes_no_other_success),
        cmocka_unit_test(an_idle_tunnel_is_cut),
        cmocka_unit_test(a_fault_becomes_a_page_or_a_cut),
        cmocka_unit_test(a_dead_pooled_connection_is_forgiven_once),
        cmocka_unit_test(a_new_connection_is_not_forgiven),
        cmocka_unit_test(the_second_attempt_may_fail_to_connect),
        cmocka_unit_test(the_fields_in_order),
        cmocka_unit_test(a_length_is_told_if_it_is_known),
        cmocka_unit_test(the_router_may_name_another_target),
        cmocka_unit_test(a_web_socket_is_refused),
        cmocka_unit_test(a_web_socket_becomes_an_extended_connect),
        cmocka_unit_test(an_untouched_request_is_sent_again_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
