/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <unistd.h>

#include "lib/base/log.h"

static char path[] = "/tmp/weir-unit-XXXXXX";
static weir_access_log_t *access_log;

static weir_verdict_t say_done(weir_exchange_t *x, void *memory)
{
    return weir_done(x);
}

static const weir_stage_t halt = {.number = 5, .name = "halt", .enter = say_done};

/* What the log has got since the last call, as one string. */
static const char *log_text(void)
{
    static char text[100000];
    static long seen;
    FILE *file = fopen(path, "r");
    size_t length;

    weir_access_log_stop(1000);
    assert_non_null(file);
    fseek(file, seen, SEEK_SET);
    length = fread(text, 1, sizeof(text) - 1, file);
    seen += (long)length;
    text[length] = '\0';
    fclose(file);
    return text;
}

static void open_log(void)
{
    world_open(NULL);
    access_log = weir_access_log_open(path);
    assert_non_null(access_log);
    weir_access_log_start();
    w.plan.access_log = access_log;
}

static void a_line_for_a_good_end(void **state)
{
    open_log();
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    world_request("GET /path?query HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-Request-Id: 0123456789-abcdef+/=\r\n\r\n");
    fake_advance(&w.loop, 1);
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    fake_advance(&w.loop, 18);
    w.x->journal.client_sent_bytes = 13;
    world_finish(OK_HEAD);
    assert_string_equal(log_text(),
                        "at=info method=GET path=\"/path?query\" host=shop.example request_id=\"0123456789-abcdef+/=\" "
                        "fwd=\"10.0.0.9\" dyno=127.0.0.1:8081 connect=1ms service=18ms status=200 bytes=13 protocol=http "
                        "tries=1 route=1ms total=19ms\n");
}

static void a_line_for_a_refusal(void **state)
{
    open_log();
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request("GET /\"a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n");
    world_close();
    assert_string_equal(
        log_text(),
        "at=error code=fake_fault desc=\"It was scripted.\" method=GET path=\"/\\\"a\" host=a "
        "request_id=00010203-0405-4607-8809-0a0b0c0d0e0f fwd=\"1.1.1.1, 2.2.2.2, 10.0.0.9\" dyno= connect= service= status=404 "
        "bytes=0 protocol=http tries=0 route= total=0ms\n");
}

static void the_router_adds_fields(void **state)
{
    static const char fields[] =
        " total=0ms shop=\"a \\\"b\\\"\" n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1 n=1\n";

    open_log();
    w.script.has_log_fields = true;
    world_request(GET);
    world_finish(OK_HEAD);
    assert_contains(log_text(), fields);
    assert_int_equal(w.script.logs, 1);

    world_open(NULL); /* without a log */
    w.script.has_log_fields = true;
    world_request(GET);
    world_finish(OK_HEAD);
    assert_int_equal(w.script.logs, 1);
}

static void a_halt_is_a_204(void **state)
{
    const weir_stage_t *const extra[] = {&halt};

    open_log();
    fake_stages(&w.plan, extra, 1);
    world_request(GET);
    world_close();
    assert_contains(log_text(), "at=info method=GET ");
    assert_int_equal(w.front.status, 204);
    assert_int_equal(w.script.outcome, WEIR_HALTED);
}

static void a_line_for_a_client_that_left(void **state)
{
    const char *text;

    open_log();
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    world_close();
    text = log_text();
    assert_contains(text, "at=warning code=client_closed desc=\"");
    assert_contains(text, " dyno=127.0.0.1:8081 connect=0ms service=0ms status=499 ");
}

/* What the client has done to itself is a warning; whoever else is to blame, an error. */
static void how_bad_it_is(void **state)
{
    static const struct {
        const weir_fault_t *fault;
        const char *line;
    } rows[] = {
        {&weir_fault_client_closed, "at=warning code=client_closed "},
        {&weir_fault_client_timeout, "at=warning code=client_timeout "},
        {&weir_fault_client_stalled, "at=error code=client_stalled "},
        {&weir_fault_backend_timeout, "at=error code=backend_timeout "},
        {&weir_fault_shutting_down, "at=error code=shutting_down "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_log();
        world_request(GET);
        assert_true(fake_relay_end(w.x, rows[i].fault));
        world_close();
        assert_memory_equal(log_text(), rows[i].line, strlen(rows[i].line));
    }
}

static void herokus_codes(void **state)
{
    static const weir_fault_t crashed = {"crashed", 503, WEIR_BLAME_BACKEND, "It has crashed."};

    open_log();
    w.plan.has_heroku_codes = true;
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &crashed;
    world_request(GET);
    world_close();
    assert_contains(log_text(), "at=error code=H10 desc=\"App crashed\" method=GET ");

    open_log();
    w.plan.has_heroku_codes = true;
    world_request(GET);
    world_finish(OK_HEAD);
    assert_lacks(log_text(), "H99");
}

/* What counts is what the latest backend has said. */
static void herokus_codes_tell_how_far_a_response_has_come(void **state)
{
    static const struct {
        const char *interim, *final, *code;
    } rows[] = {
        {NULL, NULL, " code=H12 "},
        {"HTTP/1.1 102 Processing\r\n\r\n", NULL, " code=H15 "},
        {NULL, OK_HEAD, " code=H15 "},
        {"HTTP/1.1 102 Processing\r\n\r\n", OK_HEAD, " code=H15 "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_log();
        w.plan.has_heroku_codes = true;
        w.loop.connects[0].fault = &weir_fault_backend_refused;
        w.loop.connect_count = 1;
        world_request(GET);
        assert_true(rows[i].interim == NULL || fake_respond(w.x, rows[i].interim));
        assert_true(rows[i].final == NULL || fake_respond(w.x, rows[i].final));
        assert_true(fake_relay_end(w.x, &weir_fault_backend_timeout));
        world_close();
        const char *text = log_text();
        assert_contains(text, rows[i].code);
        assert_contains(text, " cause=backend_timeout reason=backend_timeout\n");
    }
}

static void one_line_a_request_after_retries(void **state)
{
    const char *text;

    open_log();
    w.script.services_max = 1;
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    world_request(GET);
    world_close();
    text = log_text();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_contains(text, "at=error code=exhausted desc=\"exhausted\" ");
    assert_contains(text, " connect= service= status=503 ");
    assert_contains(text, " tries=1 route= total=0ms cause=backend_refused\n"); /* whatever the router calls it */
}

/* What a client sends, however long, costs its line no other field; and who it is stands at the end of fwd. */
static void what_a_client_sends_is_cut(void **state)
{
    static char request[150000];
    char *at = request;
    const char *text;

    open_log();
    w.script.has_log_fields = true;
    w.plan.head_limits = (weir_head_limits_t){
        .line_bytes = 65536, .name_bytes = 1000, .value_bytes = 65536, .count = 1000, .total_bytes = 200000};
    w.plan.request_id_max_bytes = 65536;
    at += sprintf(at, "GET /");
    memset(at, '"', 30000);
    at += 30000;
    at += sprintf(at, " HTTP/1.1\r\nHost: a\r\nX-Request-Id: ");
    memset(at, 'i', 30000);
    at += 30000;
    at += sprintf(at, "\r\nX-Forwarded-For: ");
    memset(at, '1', 60000);
    strcpy(at + 60000, "\r\n\r\n");
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request(request);
    world_close();
    text = log_text();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_contains(text, "\\\"...\" host=a request_id=\"iiii");
    assert_contains(text, "iiii...\" fwd=\"...1111");
    assert_contains(text,
                    "1111, 10.0.0.9\" dyno= connect= service= status=404 bytes=0 protocol=http tries=0 route= total=0ms shop=");
    assert_contains(text, " n=1\n");
}

/* Who waits for the line waits for no router. */
static void a_late_router_does_not_keep_the_line(void **state)
{
    const char *text;

    open_log();
    w.script.how[FAKE_LOOKUP] = FAKE_LATER;
    w.script.has_log_fields = true;
    world_request(GET);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    assert_int_equal(w.front.status, 503);
    text = log_text();
    assert_contains(text, "at=error code=router_timeout ");
    assert_contains(text, " status=503 ");
    assert_null(strstr(text, "shop="));
    assert_int_equal(w.script.logs, 0);
    assert_int_equal(w.script.terminates, 0);
    access_log = weir_access_log_open(path);
    weir_access_log_start();
    assert_true(fake_answer(&w.script));
    world_close();
    assert_int_equal(w.script.logs, 1); /* it may count */
    assert_int_equal(w.script.terminates, 1);
    assert_string_equal(log_text(), "");
}

static void nor_does_a_late_check_in(void **state)
{
    open_log();
    w.script.how[FAKE_CHECKIN] = FAKE_LATER;
    world_request(GET);
    fake_run(&w.loop);
    assert_true(fake_relay_end(w.x, NULL));
    fake_run(&w.loop);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    assert_contains(log_text(), "at=info method=GET ");
    assert_int_equal(w.script.logs, 0);
    assert_true(fake_answer(&w.script));
    world_close();
    assert_int_equal(w.script.logs, 1);
}

static int make_file(void **state)
{
    int file = mkstemp(path);

    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_a_good_end),
        cmocka_unit_test(a_line_for_a_refusal),
        cmocka_unit_test(a_line_for_a_client_that_left),
        cmocka_unit_test(how_bad_it_is),
        cmocka_unit_test(herokus_codes),
        cmocka_unit_test(herokus_codes_tell_how_far_a_response_has_come),
        cmocka_unit_test(one_line_a_request_after_retries),
        cmocka_unit_test(what_a_client_sends_is_cut),
        cmocka_unit_test(a_late_router_does_not_keep_the_line),
        cmocka_unit_test(nor_does_a_late_check_in),
        cmocka_unit_test(the_router_adds_fields),
        cmocka_unit_test(a_halt_is_a_204),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
