/* SPDX-License-Identifier: MIT */
#include "unit.h"

#define ID_LINE "X-Request-Id: 00010203-0405-4607-8809-0a0b0c0d0e0f\n"

static void refused(bool has_proxy_status, const weir_fault_t *fault)
{
    world_open(NULL);
    w.plan.has_proxy_status = has_proxy_status;
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = fault;
    world_request(GET);
    world_close();
}

static void sends_the_routers_page(void **state)
{
    world_open(NULL);
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    w.script.page_status = 200;
    w.script.page_body = "sorry";
    world_request(GET);
    assert_int_equal(w.front.status, 200);
    assert_string_equal(w.front.body, "sorry");
    assert_string_equal(w.front.head, "X-Page: yes\n" ID_LINE);
    assert_true(w.front.must_close);
    assert_int_equal(w.script.terminates, 1);
    world_close();
}

static void completes_half_a_page(void **state)
{
    refused(false, &fake_fault);
    assert_int_equal(w.front.status, 404);
    assert_string_equal(w.front.body, "404 Not Found\nfake_fault: It was scripted.\n");
    assert_string_equal(w.front.head, "X-Page: yes\nContent-Type: text/plain; charset=utf-8\n" ID_LINE);
}

static void an_empty_body_is_empty(void **state)
{
    world_open(NULL);
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    w.script.page_body = "";
    world_request(GET);
    assert_string_equal(w.front.body, "");
    world_close();
}

static void a_status_that_is_none_becomes_500(void **state)
{
    static const weir_fault_t odd = {"odd", 7, WEIR_BLAME_NOBODY, NULL};

    refused(false, &odd);
    assert_int_equal(w.front.status, 500);
    assert_string_equal(w.front.body, "500 Internal Server Error\nodd\n");
}

static void says_why_in_proxy_status(void **state)
{
    static const weir_fault_t odd = {"a \"b\"", 503, WEIR_BLAME_BACKEND, NULL};

    refused(true, &weir_fault_backend_refused);
    assert_contains(w.front.head, "Proxy-Status: weir; error=connection_refused; details=\"backend_refused\"\n");
    refused(true, &weir_fault_backend_timeout);
    assert_contains(w.front.head, "Proxy-Status: weir; error=http_response_timeout; details=\"backend_timeout\"\n");
    refused(true, &weir_fault_expectation_failed);
    assert_contains(w.front.head, "Proxy-Status: weir; error=http_request_error; details=\"expectation_failed\"\n");
    refused(true, &odd);
    assert_contains(w.front.head, "Proxy-Status: weir; error=destination_unavailable; details=\"a__b_\"\n");
    refused(false, &odd);
    assert_lacks(w.front.head, "Proxy-Status");
}

/* ---- gRPC ---- */

static void refuse_call(const char *type, const weir_fault_t *fault, uint16_t page_status)
{
    char request[200];

    snprintf(request, sizeof(request), "POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\n\r\n", type);
    world_open(NULL);
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = fault;
    w.script.page_status = page_status;
    world_request(request);
    world_close();
}

static void a_call_gets_a_grpc_status(void **state)
{
    refuse_call("application/grpc", &weir_fault_backend_refused, 0);
    assert_int_equal(w.front.status, 200);
    assert_string_equal(w.front.body, "");
    assert_string_equal(w.front.head, "X-Page: yes\n" ID_LINE "Content-Type: application/grpc\ngrpc-status: 14\n"
                                      "grpc-message: backend_refused: The backend refused the connection.\n");
    refuse_call("application/grpc+proto", &weir_fault_backend_refused, 0);
    assert_int_equal(w.front.status, 200);
    refuse_call("Application/GRPC;x=y", &weir_fault_backend_refused, 0);
    assert_int_equal(w.front.status, 200);
}

static void the_code_is_of_the_pages_status(void **state)
{
    static const struct {
        uint16_t status;
        const char *code;
    } cases[] = {{400, "13"}, {401, "16"}, {403, "7"},  {404, "12"}, {429, "14"},
                 {502, "14"}, {503, "14"}, {504, "14"}, {500, "2"},  {413, "2"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[40];
        refuse_call("application/grpc", &fake_fault, cases[i].status);
        snprintf(line, sizeof(line), "\ngrpc-status: %s\n", cases[i].code);
        assert_contains(w.front.head, line);
    }
}

static void the_message_is_percent_encoded(void **state)
{
    static const weir_fault_t odd = {"odd", 503, WEIR_BLAME_NOBODY, "100% \xc3\xbc\nber"},
                              mute = {"mute", 503, WEIR_BLAME_NOBODY, NULL};

    refuse_call("application/grpc", &odd, 0);
    assert_contains(w.front.head, "grpc-message: odd: 100%25 %C3%BC%0Aber\n");
    refuse_call("application/grpc", &mute, 0);
    assert_contains(w.front.head, "grpc-message: mute\n");
}

static void other_types_get_a_page(void **state)
{
    static const char *const types[] = {"application/grpc-web", "application/grp", "application/json", "application/grpcx"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        refuse_call(types[i], &fake_fault, 0);
        assert_int_equal(w.front.status, 404);
        assert_lacks(w.front.head, "grpc-status");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_the_routers_page),          cmocka_unit_test(completes_half_a_page),
        cmocka_unit_test(an_empty_body_is_empty),          cmocka_unit_test(a_status_that_is_none_becomes_500),
        cmocka_unit_test(says_why_in_proxy_status),        cmocka_unit_test(a_call_gets_a_grpc_status),
        cmocka_unit_test(the_code_is_of_the_pages_status), cmocka_unit_test(the_message_is_percent_encoded),
        cmocka_unit_test(other_types_get_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
