/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/access_line.h"

/* Every reason of ours, and those of routers that have a code; `behind` where a byte of the response makes a difference. */
static const struct {
    const char *name, *code, *behind, *desc;
} rows[] = {
    {"bad_request_line", "H99", NULL, "Platform error"},
    {"bad_method", "H99", NULL, "Platform error"},
    {"connect_refused", "H99", NULL, "Platform error"},
    {"bad_target", "H99", NULL, "Platform error"},
    {"bad_header", "H99", NULL, "Platform error"},
    {"missing_host", "H99", NULL, "Platform error"},
    {"duplicate_host", "H99", NULL, "Platform error"},
    {"bad_host", "H99", NULL, "Platform error"},
    {"empty_host", "H99", NULL, "Platform error"},
    {"bad_content_length", "H99", NULL, "Platform error"},
    {"conflicting_framing", "H99", NULL, "Platform error"},
    {"invalid_transfer_encoding", "H99", NULL, "Platform error"},
    {"unsupported_transfer_coding", "H99", NULL, "Platform error"},
    {"unsupported_version", "H99", NULL, "Platform error"},
    {"request_line_too_long", "H99", NULL, "Platform error"},
    {"header_name_too_long", "H99", NULL, "Platform error"},
    {"header_value_too_long", "H99", NULL, "Platform error"},
    {"too_many_headers", "H99", NULL, "Platform error"},
    {"head_too_large", "H99", NULL, "Platform error"},
    {"header_timeout", "H99", NULL, "Platform error"},
    {"body_too_large", "H99", NULL, "Platform error"},
    {"client_bad_chunk", "H26", NULL, "Request Error"},
    {"client_trailer_length", "H99", NULL, "Platform error"},
    {"client_timeout", "H28", NULL, "Client Connection Idle"},
    {"client_too_slow", "H99", NULL, "Platform error"},
    {"client_stalled", "H28", NULL, "Client Connection Idle"},
    {"client_closed", "H27", NULL, "Client Request Interrupted"},
    {"client_tls_flood", "H99", NULL, "Platform error"},
    {"bad_request_header", "H26", NULL, "Request Error"},
    {"unsupported_protocol", "H99", NULL, "Platform error"},
    {"expectation_failed", "H26", NULL, "Request Error"},
    {"http2_stream_error", "H33", NULL, "HTTP/2 Stream Broken"},
    {"http2_protocol_error", "H99", NULL, "Platform error"},
    {"http2_too_many_resets", "H99", NULL, "Platform error"},
    {"http2_too_many_frames", "H99", NULL, "Platform error"},
    {"http2_head_too_large", "H99", NULL, "Platform error"},
    {"http2_too_many_heads", "H99", NULL, "Platform error"},
    {"upgrade_refused", "H99", NULL, "Platform error"},
    {"backend_refused", "H21", NULL, "Backend connection refused"},
    {"no_descriptors", "H99", NULL, "Platform error"},
    {"backend_unreachable", "H21", NULL, "Backend connection refused"},
    {"backend_unresolved", "H99", NULL, "Platform error"},
    {"backend_connect_timeout", "H19", NULL, "Backend connection timeout"},
    {"backend_tls_failed", "H99", NULL, "Platform error"},
    {"backend_tls_untrusted", "H99", NULL, "Platform error"},
    {"backend_tls_expired", "H99", NULL, "Platform error"},
    {"backend_tls_name", "H99", NULL, "Platform error"},
    {"backend_bad_address", "H99", NULL, "Platform error"},
    {"backend_closed", "H13", NULL, "Connection closed without response"},
    {"backend_reset", "H13", "H18", "Connection closed without response"},
    {"backend_tls_flood", "H99", NULL, "Platform error"},
    {"backend_truncated", "H18", NULL, "Server Request Interrupted"},
    {"backend_timeout", "H12", "H15", "Request timeout"},
    {"backend_too_slow", "H99", NULL, "Platform error"},
    {"request_too_long", "H99", NULL, "Platform error"},
    {"backend_cut", "H99", NULL, "Platform error"},
    {"backend_stalled", "H99", NULL, "Platform error"},
    {"backend_invalid_status", "H17", NULL, "Poorly formatted HTTP response"},
    {"backend_status_length", "H25", NULL, "HTTP restriction: oversized status line"},
    {"backend_invalid_header", "H17", NULL, "Poorly formatted HTTP response"},
    {"backend_header_length", "H25", NULL, "HTTP restriction: oversized header"},
    {"backend_cookie_length", "H25", NULL, "HTTP restriction: oversized cookie"},
    {"backend_content_length", "H25", NULL, "HTTP restriction: invalid content length"},
    {"backend_invalid_transfer_encoding", "H17", NULL, "Poorly formatted HTTP response"},
    {"backend_bad_chunk", "H17", NULL, "Poorly formatted HTTP response"},
    {"backend_trailer_length", "H99", NULL, "Platform error"},
    {"backend_too_many_interim", "H99", NULL, "Platform error"},
    {"backend_unsolicited_upgrade", "H99", NULL, "Platform error"},
    {"backend_no_upgrade", "H99", NULL, "Platform error"},
    {"backend_bad_websocket", "H99", NULL, "Platform error"},
    {"backend_not_http2", "H99", NULL, "Platform error"},
    {"backend_http2_error", "H99", NULL, "Platform error"},
    {"backend_http2_message", "H99", NULL, "Platform error"},
    {"backend_goaway", "H13", NULL, "Connection closed without response"},
    {"worker_gone", "H13", NULL, "Connection closed without response"},
    {"backend_busy", "H99", NULL, "Platform error"},
    {"backend_ping_timeout", "H99", NULL, "Platform error"},
    {"backend_stream_refused", "H13", NULL, "Connection closed without response"},
    {"backend_stream_cancelled", "H99", NULL, "Platform error"},
    {"backend_stream_failed", "H99", NULL, "Platform error"},
    {"backend_stream_calm", "H99", NULL, "Platform error"},
    {"backend_stream_http1", "H99", NULL, "Platform error"},
    {"backend_stream_reset", "H99", NULL, "Platform error"},
    {"backend_cannot_upgrade", "H99", NULL, "Platform error"},
    {"bad_script_path", "H99", NULL, "Platform error"},
    {"length_required", "H99", NULL, "Platform error"},
    {"backend_fastcgi_record", "H99", NULL, "Platform error"},
    {"backend_fastcgi_overloaded", "H99", NULL, "Platform error"},
    {"backend_fastcgi_refused", "H99", NULL, "Platform error"},
    {"backend_fastcgi_failed", "H99", NULL, "Platform error"},
    {"backend_fastcgi_incomplete", "H99", NULL, "Platform error"},
    {"router_timeout", "H99", NULL, "Platform error"},
    {"too_many_attempts", "H99", NULL, "Platform error"},
    {"router_bad_answer", "H99", NULL, "Platform error"},
    {"stage_timeout", "H99", NULL, "Platform error"},
    {"stage_bad_verdict", "H99", NULL, "Platform error"},
    {"tunnel_idle", "H15", NULL, "Idle connection"},
    {"shutting_down", "H24", NULL, "Forced close"},
    /* routers' */
    {"crashed", "H10", NULL, "App crashed"},
    {"backlog_too_deep", "H11", NULL, "Backlog too deep"},
    {"backlog_timeout", "H11", NULL, "Backlog too deep"},
    {"no_backend", "H14", NULL, "No web processes running"},
    {"backends_starting", "H20", NULL, "App boot timeout"},
    {"backends_ill", "H34", NULL, "All up dynos are quarantined"},
    {"conn_limit_reached", "H22", NULL, "Connection limit reached"},
    {"paused", "H80", NULL, "Maintenance mode"},
    {"maintenance", "H80", NULL, "Maintenance mode"},
    {"app_blank", "H81", NULL, "Blank app"},
    {"affinity_lost", "H99", NULL, "Platform error"},
    {"not_found", "H99", NULL, "Platform error"},
    {"a_name_of_a_routers_own", "H99", NULL, "Platform error"},
    {"", "H99", NULL, "Platform error"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static size_t row_of(const char *name)
{
    size_t row = 0;

    while (row < ROWS && strcmp(rows[row].name, name) != 0)
        row++;
    return row;
}

static void each_reason_has_its_code(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        const weir_fault_t fault = {.name = rows[i].name, .status = 503};
        const weir_heroku_code_t *code = weir_heroku_code(&fault, NULL, false);
        assert_string_equal(code->code, rows[i].code);
        assert_string_equal(code->desc, rows[i].desc);
        code = weir_heroku_code(&fault, NULL, true);
        assert_string_equal(code->code, rows[i].behind != NULL ? rows[i].behind : rows[i].code);
    }
    assert_string_equal(weir_heroku_code(&weir_fault_backend_timeout, NULL, true)->desc, "Idle connection");
    assert_string_equal(weir_heroku_code(&weir_fault_backend_reset, NULL, true)->desc, "Server Request Interrupted");
}

/* Whoever adds a reason has to think of its code. */
static void no_reason_is_missing(void **state)
{
    for (size_t i = 0; weir_faults[i] != NULL; i++) {
        if (row_of(weir_faults[i]->name) == ROWS)
            fail_msg("%s has no row here", weir_faults[i]->name);
    }
    for (size_t i = 0; weir_heroku_name(i) != NULL; i++) {
        if (row_of(weir_heroku_name(i)) == ROWS)
            fail_msg("%s has no row here", weir_heroku_name(i));
    }
}

static const char *code_behind(const char *name, const weir_fault_t *cause)
{
    const weir_fault_t fault = {.name = name, .status = 503};

    return weir_heroku_code(&fault, cause, true)->code;
}

static void the_last_connect_tells_more(void **state)
{
    const weir_fault_t *const timeout = &weir_fault_backend_connect_timeout, *const refused = &weir_fault_backend_refused;

    assert_string_equal(code_behind("no_backend", timeout), "H19");
    assert_string_equal(code_behind("no_backend", refused), "H21");
    assert_string_equal(code_behind("no_backend", &weir_fault_backend_unreachable), "H21");
    assert_string_equal(code_behind("no_backend", &weir_fault_backend_closed), "H14");
    assert_string_equal(code_behind("no_backend", &weir_fault_backend_tls_failed), "H14");
    assert_string_equal(weir_heroku_code(&weir_fault_too_many_attempts, timeout, false)->code, "H19");
    assert_string_equal(weir_heroku_code(&weir_fault_too_many_attempts, refused, false)->code, "H21");
    assert_string_equal(weir_heroku_code(&weir_fault_too_many_attempts, NULL, false)->code, "H99");
    assert_string_equal(weir_heroku_code(&weir_fault_backend_timeout, refused, false)->code, "H12");
    assert_string_equal(code_behind("backends_ill", refused), "H34");
    assert_string_equal(code_behind("backlog_timeout", timeout), "H11");
}

static void a_misdirected_request_is_known_by_its_status(void **state)
{
    const weir_fault_t odd = {.name = "not_here", .status = 421};

    assert_string_equal(weir_heroku_code(&odd, NULL, false)->code, "H31");
    assert_string_equal(weir_heroku_code(&odd, NULL, false)->desc, "Misdirected Request");
}

/* ---- the line ---- */

/* An app that is there, and has nothing. */
static void a_blank_app(void **state)
{
    const weir_fault_t none = {.name = "not_found", .status = 404}, *timeout = &weir_fault_backend_timeout;

    assert_string_equal(weir_heroku_code(&none, NULL, false)->code, "H99");
    assert_string_equal(weir_heroku_code_of_app(&none, NULL, false)->code, "H81");
    assert_string_equal(weir_heroku_code_of_app(&none, NULL, false)->desc, "Blank app");
    assert_string_equal(weir_heroku_code_of_app(timeout, NULL, false)->code, "H12");
    assert_string_equal(weir_heroku_code_of_app(timeout, NULL, true)->code, "H15");
}

static const char *line_of(const weir_fault_t *fault, const weir_heroku_code_t *heroku, const weir_fault_t *cause)
{
    static char buffer[WEIR_ACCESS_LINE_BYTES];
    const weir_access_line_t what = {.level = "error",
                                     .fault = fault,
                                     .heroku = heroku,
                                     .connect_ms = -1,
                                     .service_ms = -1,
                                     .route_ms = -1,
                                     .total_ms = -1,
                                     .cause = cause};
    weir_logfmt_t line;
    weir_span_t text;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_access_line_write(&line, &what);
    text = weir_logfmt_end(&line);
    buffer[text.len] = '\0';
    return buffer;
}

static void the_line_has_both_names(void **state)
{
    const weir_fault_t odd = {.name = "a \"b\"", .status = 503}, *fault = &weir_fault_backend_timeout;
    const char *line = line_of(fault, weir_heroku_code(fault, NULL, false), &weir_fault_backend_refused);

    assert_non_null(strstr(line, "at=error code=H12 desc=\"Request timeout\" method="));
    assert_non_null(strstr(line, " total= cause=backend_refused reason=backend_timeout\n"));
    line = line_of(&odd, weir_heroku_code(&odd, NULL, false), NULL);
    assert_non_null(strstr(line, " total= reason=\"a \\\"b\\\"\"\n"));
    line = line_of(fault, NULL, NULL);
    assert_non_null(strstr(line, "at=error code=backend_timeout desc=\"The backend sent nothing for too long.\" "));
    assert_null(strstr(line, "reason="));
    assert_null(strstr(line_of(NULL, NULL, NULL), "code="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_has_its_code),
        cmocka_unit_test(no_reason_is_missing),
        cmocka_unit_test(the_last_connect_tells_more),
        cmocka_unit_test(a_misdirected_request_is_known_by_its_status),
        cmocka_unit_test(a_blank_app),
        cmocka_unit_test(the_line_has_both_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
