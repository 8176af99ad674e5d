/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/fastcgi.h"

enum { ROOM = 200000 };

static char input[ROOM];
static size_t input_bytes;

static void add(uint8_t version, uint8_t type, uint16_t request, const char *content, size_t length, uint8_t padding)
{
    const uint8_t head[] = {version, type, (uint8_t)(request >> 8), (uint8_t)request, (uint8_t)(length >> 8), (uint8_t)length,
                            padding, 0};

    memcpy(input + input_bytes, head, sizeof(head));
    memcpy(input + input_bytes + sizeof(head), content, length);
    memset(input + input_bytes + sizeof(head) + length, 'P', padding);
    input_bytes += sizeof(head) + length + padding;
}

static void add_text(weir_fastcgi_type_t type, const char *text, uint8_t padding)
{
    add(1, (uint8_t)type, 1, text, strlen(text), padding);
}

static void add_end(const char status[static 8])
{
    add(1, WEIR_FASTCGI_END_REQUEST, 1, status, 8, 0);
}

typedef struct outcome {
    weir_fastcgi_event_t event;
    const weir_fault_t *fault;
    weir_fastcgi_reader_t reader;
    size_t left_bytes, output_bytes, errors_bytes;
    char output[ROOM], errors[1000];
} outcome_t;

/* Takes all of one piece, which lies in a buffer of its own size. */
static void feed(outcome_t *out, const char *bytes, size_t length)
{
    char *copy = malloc(length);
    weir_span_t rest = {copy, length}, piece;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    do {
        out->event = weir_fastcgi_read(&out->reader, &rest, &piece, &out->fault);
        if (out->event == WEIR_FASTCGI_OUTPUT) {
            assert_true(piece.len > 0);
            memcpy(out->output + out->output_bytes, piece.base, piece.len);
            out->output_bytes += piece.len;
        }
        if (out->event == WEIR_FASTCGI_ERRORS) {
            memcpy(out->errors + out->errors_bytes, piece.base, piece.len);
            out->errors_bytes += piece.len;
        }
    } while (out->event == WEIR_FASTCGI_OUTPUT || out->event == WEIR_FASTCGI_ERRORS);
    out->left_bytes = rest.len;
    free(copy);
}

static outcome_t *read_by(size_t step)
{
    static outcome_t out;

    memset(&out, 0, sizeof(out));
    for (size_t at = 0; at < input_bytes && out.event == WEIR_FASTCGI_MORE; at += step)
        feed(&out, input + at, input_bytes - at < step ? input_bytes - at : step);
    return &out;
}

static int begin(void **state)
{
    input_bytes = 0;
    return 0;
}

static void a_response_in_any_pieces(void **state)
{
    add_text(WEIR_FASTCGI_STDOUT, "Status: 200", 5);
    add_text(WEIR_FASTCGI_STDERR, "oh", 0);
    add_text(WEIR_FASTCGI_STDOUT, "\r\n\r\n", 255);
    add_text(WEIR_FASTCGI_STDERR, " no", 1);
    add_text(WEIR_FASTCGI_STDOUT, "", 8);
    add_text(WEIR_FASTCGI_STDERR, "", 0);
    add(1, WEIR_FASTCGI_END_REQUEST, 1, "\0\0\1\2\0xyz", 8, 3);
    for (size_t step = 1; step <= input_bytes; step++) {
        const outcome_t *out = read_by(step);
        assert_int_equal(out->event, WEIR_FASTCGI_END);
        assert_int_equal(out->reader.exit_status, 258);
        assert_int_equal(out->left_bytes, 0);
        assert_string_equal(out->output, "Status: 200\r\n\r\n");
        assert_string_equal(out->errors, "oh no");
    }
}

static void the_longest_record(void **state)
{
    static char content[65535];

    memset(content, 'a', sizeof(content));
    add(1, WEIR_FASTCGI_STDOUT, 1, content, sizeof(content), 255);
    add_end("\0\0\0\0\0\0\0");
    for (size_t step = 1000; step < ROOM; step += 33333) {
        const outcome_t *out = read_by(step);
        assert_int_equal(out->event, WEIR_FASTCGI_END);
        assert_int_equal(out->output_bytes, sizeof(content));
    }
}

static void what_stands_behind_the_end_is_left(void **state)
{
    add_end("\0\0\0\0\0\0\0");
    add_text(WEIR_FASTCGI_STDOUT, "more", 0);
    const outcome_t *out = read_by(input_bytes);
    assert_int_equal(out->event, WEIR_FASTCGI_END);
    assert_int_equal(out->left_bytes, 12);
}

static void assert_broken(const weir_fault_t *fault)
{
    for (size_t step = 1; step <= input_bytes; step++) {
        const outcome_t *out = read_by(step);
        assert_int_equal(out->event, WEIR_FASTCGI_BROKEN);
        assert_ptr_equal(out->fault, fault);
    }
    input_bytes = 0;
}

static void records_that_nobody_should_send(void **state)
{
    static const weir_fault_t *const fault = &weir_fault_backend_fastcgi_record;

    add(2, WEIR_FASTCGI_STDOUT, 1, "a", 1, 0);
    assert_broken(fault);
    add(1, WEIR_FASTCGI_STDOUT, 2, "a", 1, 0);
    assert_broken(fault);
    add(1, WEIR_FASTCGI_STDOUT, 257, "a", 1, 0);
    assert_broken(fault);
    add(1, 10, 0, "a", 1, 0); /* GET_VALUES_RESULT, which nobody has asked for */
    assert_broken(fault);
    for (int type = 0; type < 256; type++) {
        if (type == WEIR_FASTCGI_STDOUT || type == WEIR_FASTCGI_STDERR)
            continue;
        add(1, (uint8_t)type, 1, "a", 1, 0);
        assert_broken(fault);
    }
    add(1, WEIR_FASTCGI_END_REQUEST, 1, "\0\0\0\0\0\0\0\0\0", 9, 0);
    assert_broken(fault);
    memcpy(input, "HTTP/1.1 200 OK\r\n", 17);
    input_bytes = 17;
    assert_broken(fault);
}

static void ends_that_are_none(void **state)
{
    add_end("\0\0\0\0\1\0\0");
    assert_broken(&weir_fault_backend_fastcgi_refused);
    add_end("\0\0\0\0\2\0\0");
    assert_broken(&weir_fault_backend_fastcgi_overloaded);
    add_end("\0\0\0\0\3\0\0");
    assert_broken(&weir_fault_backend_fastcgi_refused);
    add_end("\0\0\0\0\4\0\0");
    assert_broken(&weir_fault_backend_fastcgi_record);
}

static void writes_heads(void **state)
{
    char text[WEIR_FASTCGI_BEGIN_BYTES];

    weir_fastcgi_write_head(text, WEIR_FASTCGI_STDIN, WEIR_FASTCGI_CONTENT_MOST);
    assert_memory_equal(text, "\1\5\0\1\xff\xf8\0\0", 8);
    weir_fastcgi_write_begin(text, true);
    assert_memory_equal(text, "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0", 16);
    weir_fastcgi_write_begin(text, false);
    assert_memory_equal(text, "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16);
}

static void assert_pair(size_t name_bytes, size_t value_bytes, const char *lengths, size_t lengths_bytes)
{
    char *name = malloc(name_bytes + 1), *value = malloc(value_bytes + 1);
    const size_t room = weir_fastcgi_pair_bytes(name_bytes, value_bytes);
    char *out = malloc(room);

    assert_true(name != NULL && value != NULL && out != NULL);
    memset(name, 'n', name_bytes);
    memset(value, 'v', value_bytes);
    const char *end = weir_fastcgi_write_pair(out, (weir_span_t){name, name_bytes}, (weir_span_t){value, value_bytes});
    assert_int_equal(end - out, lengths_bytes + name_bytes + value_bytes);
    assert_memory_equal(out, lengths, lengths_bytes);
    assert_memory_equal(out + lengths_bytes, name, name_bytes);
    assert_memory_equal(out + lengths_bytes + name_bytes, value, value_bytes);
    free(name);
    free(value);
    free(out);
}

static void writes_pairs(void **state)
{
    assert_pair(1, 0, "\1\0", 2);
    assert_pair(127, 127, "\177\177", 2);
    assert_pair(128, 1, "\200\0\0\200\1", 5);
    assert_pair(5, 128, "\5\200\0\0\200", 5);
    assert_pair(300, 70000, "\200\0\1\54\200\1\21\160", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_response_in_any_pieces, begin),
        cmocka_unit_test_setup(the_longest_record, begin),
        cmocka_unit_test_setup(what_stands_behind_the_end_is_left, begin),
        cmocka_unit_test_setup(records_that_nobody_should_send, begin),
        cmocka_unit_test_setup(ends_that_are_none, begin),
        cmocka_unit_test(writes_heads),
        cmocka_unit_test(writes_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
