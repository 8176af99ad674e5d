/* SPDX-License-Identifier: MIT */
/* The strict reader refuses most of it first; here are the fronts that let it through. */
#include "unit.h"

/* Changes the request after it was read, as a front of another kind might have filled it in. */
static void assert_fault(void (*spoil)(weir_request_t *request), const weir_fault_t *fault)
{
    world_open(NULL);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    spoil(&w.x->request);
    weir_exchange_start(w.x);
    fake_run(&w.loop);
    if (w.script.last_fault != fault)
        fail_msg("%s instead of %s", w.script.last_fault == NULL ? "nothing" : w.script.last_fault->name, fault->name);
    assert_int_equal(w.front.status, fault->status);
    world_close();
}

static void add(weir_request_t *request, const char *name, const char *value)
{
    weir_exchange_t *x = weir_request_exchange(request);

    weir_headers_add(&request->headers, &x->arena, (weir_span_t){name, strlen(name)}, (weir_span_t){value, strlen(value)});
}

#define SPOIL(name, ...)                                                                                                       \
    static void name(weir_request_t *request)                                                                                  \
    {                                                                                                                          \
        __VA_ARGS__;                                                                                                           \
    }

SPOIL(no_host, weir_headers_remove(&request->headers, WEIR_HEADER_HOST))
SPOIL(no_host_in_1_0, request->version = 10; no_host(request); request->authority.len = request->host.len = 0)
SPOIL(two_hosts, add(request, "host", "shop.example:8080"))
SPOIL(empty_host, request->authority = WEIR_SPAN(":80"); request->host.len = 0)
SPOIL(bad_host, request->host = (weir_span_t){NULL, 0})
SPOIL(connect_method, request->method = WEIR_SPAN("CONNECT"))
SPOIL(no_method, request->method = WEIR_SPAN(""))
SPOIL(bad_method, request->method = WEIR_SPAN("GE T"))
SPOIL(star, request->target = WEIR_SPAN("*"))
SPOIL(bad_target, request->target = WEIR_SPAN("path"))
SPOIL(both_framings, add(request, "Content-Length", "1"); add(request, "Transfer-Encoding", "chunked"))
SPOIL(two_lengths, add(request, "Content-Length", "1"); add(request, "Content-Length", "2"))
SPOIL(gzip, add(request, "Transfer-Encoding", "gzip"))
SPOIL(gzip_chunked, add(request, "Transfer-Encoding", "gzip, chunked"))
SPOIL(chunked_in_1_0, request->version = 10; add(request, "Transfer-Encoding", "chunked"))

static void refuses_what_is_no_request(void **state)
{
    assert_fault(no_host, &weir_fault_missing_host);
    assert_fault(two_hosts, &weir_fault_duplicate_host);
    assert_fault(empty_host, &weir_fault_empty_host);
    assert_fault(bad_host, &weir_fault_bad_host);
    assert_fault(connect_method, &weir_fault_connect_refused);
    assert_fault(no_method, &weir_fault_bad_method);
    assert_fault(bad_method, &weir_fault_bad_method);
    assert_fault(star, &weir_fault_bad_target);
    assert_fault(bad_target, &weir_fault_bad_target);
    assert_fault(both_framings, &weir_fault_conflicting_framing);
    assert_fault(two_lengths, &weir_fault_bad_content_length);
    assert_fault(gzip, &weir_fault_invalid_transfer_encoding);
    assert_fault(gzip_chunked, &weir_fault_unsupported_transfer_coding);
    assert_fault(chunked_in_1_0, &weir_fault_invalid_transfer_encoding);
}

/* Where it goes is the router's to say. */
static void http_1_0_needs_no_host_header(void **state)
{
    world_open(NULL);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    no_host_in_1_0(&w.x->request);
    weir_exchange_start(w.x);
    world_finish(OK_HEAD);
}

static void http_2_needs_no_host_header(void **state)
{
    world_open(NULL);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    no_host(&w.x->request);
    w.x->request.version = 20;
    weir_exchange_start(w.x);
    world_finish(OK_HEAD);
}

static void with_limits(weir_head_limits_t limits, uint64_t body_bytes, const weir_fault_t *fault)
{
    world_open(NULL);
    w.plan.head_limits = limits;
    w.plan.max_body_bytes = body_bytes;
    world_request("POST /1234 HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100\r\n\r\n");
    if (fault == NULL) {
        world_finish(OK_HEAD);
        return;
    }
    assert_ptr_equal(w.script.last_fault, fault);
    world_close();
}

static void keeps_this_paths_limits(void **state)
{
    static const weir_head_limits_t exact = {19, 14, 12, 2, 1000}; /* "POST /1234 HTTP/1.1", "Content-Length", "shop.example" */
    weir_head_limits_t limits = exact;

    with_limits(exact, 100, NULL);
    limits.line_bytes--;
    with_limits(limits, 100, &weir_fault_request_line_too_long);
    limits = exact;
    limits.name_bytes--;
    with_limits(limits, 100, &weir_fault_header_name_too_long);
    limits = exact;
    limits.value_bytes--;
    with_limits(limits, 100, &weir_fault_header_value_too_long);
    limits = exact;
    limits.count--;
    with_limits(limits, 100, &weir_fault_too_many_headers);
    with_limits(exact, 99, &weir_fault_body_too_large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_request),
        cmocka_unit_test(http_1_0_needs_no_host_header),
        cmocka_unit_test(http_2_needs_no_host_header),
        cmocka_unit_test(keeps_this_paths_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
