/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/arena.h"
#include "lib/base/counted.h"
#include "lib/base/nearest.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/must.h"
#include "lib/base/span.h"

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void arena_aligns_and_keeps(void **state)
{
    weir_arena_t arena;
    unsigned char *taken[300];

    weir_arena_init(&arena);
    assert_null(arena.blocks);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 300; i++) {
            size_t size = i * i % 6000;
            taken[i] = weir_arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)taken[i] % 16, 0);
            memset(taken[i], (int)i & 255, size);
        }
        for (size_t i = 0; i < 300; i++) {
            for (size_t j = 0; j < i * i % 6000; j++)
                assert_int_equal(taken[i][j], i & 255);
        }
        weir_arena_finish(&arena);
        assert_null(arena.blocks);
    }
    weir_arena_forget_blocks();
}

static void arena_takes_every_size(void **state)
{
    weir_arena_t arena;

    for (size_t size = 0; size < 9000; size += size < 40 || (size > 4040 && size < 4120) ? 1 : 97) {
        weir_arena_init(&arena);
        for (int i = 0; i < 3; i++) {
            char *memory = weir_arena_zalloc(&arena, size);
            assert_non_null(memory);
            for (size_t j = 0; j < size; j++)
                assert_int_equal(memory[j], 0);
            memset(memory, 0x55, size);
        }
        weir_arena_finish(&arena);
    }
    weir_arena_forget_blocks();
}

static void arena_adopts(void **state)
{
    weir_arena_block_t *apart = NULL;
    weir_arena_t arena;
    char *first, *second, *own;

    first = weir_arena_alloc_apart(&apart, 5);
    memcpy(first, "first", 5);
    second = weir_arena_alloc_apart(&apart, 100000);
    memset(second, 's', 100000);
    weir_arena_init(&arena);
    own = weir_arena_alloc(&arena, 16);
    weir_arena_adopt(&arena, &apart);
    assert_null(apart);
    weir_arena_adopt(&arena, &apart); /* nothing */
    assert_memory_equal(first, "first", 5);
    assert_int_equal(second[99999], 's');
    assert_ptr_equal(weir_arena_alloc(&arena, 16), own + 16); /* the newest block's rest stays in use */
    weir_arena_finish(&arena);

    (void)weir_arena_alloc_apart(&apart, 1); /* by an arena that has none of its own yet */
    weir_arena_adopt(&arena, &apart);
    weir_arena_finish(&arena);
    weir_arena_forget_blocks();
}

static void measures_distances(void **state)
{
    static const char *const words[] = {"listen", "hosts", "weir.router", NULL};

    assert_int_equal(weir_distance("", ""), 0);
    assert_int_equal(weir_distance("listen", "listen"), 0);
    assert_int_equal(weir_distance("lisen", "listen"), 1);
    assert_int_equal(weir_distance("lisetn", "listen"), 1);
    assert_int_equal(weir_distance("abc", ""), 3);
    assert_int_equal(weir_distance("kitten", "sitting"), 3);
    assert_string_equal(weir_nearest("lisetn", words), "listen");
    assert_string_equal(weir_nearest("hots", words), "hosts");
    assert_null(weir_nearest("hats", words)); /* two letters of a short word */
    assert_string_equal(weir_nearest("weir.rooter", words), "weir.router");
    assert_null(weir_nearest("something", words));
}

static void arena_copies_and_formats(void **state)
{
    char text[] = "text", large[5000];
    weir_arena_t arena;
    weir_span_t copy;

    weir_arena_init(&arena);
    copy = weir_arena_copy(&arena, (weir_span_t){text, 4});
    text[0] = 'n';
    assert_span(copy, "text");
    assert_int_equal(copy.base[4], 0);
    copy = weir_arena_copy(&arena, (weir_span_t){NULL, 0});
    assert_string_equal(copy.base, "");
    copy = weir_arena_format(&arena, "%s-%d", "a", 42);
    assert_span(copy, "a-42");
    assert_int_equal(copy.base[4], 0);
    assert_span(weir_arena_format(&arena, "%s", ""), "");
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_span(weir_arena_format(&arena, "%s", large), large);
    weir_arena_finish(&arena);
    weir_arena_forget_blocks();
}

static void compares_spans(void **state)
{
    assert_true(weir_span_equal((weir_span_t){NULL, 0}, WEIR_SPAN("")));
    assert_true(weir_equal_nocase((weir_span_t){NULL, 0}, WEIR_SPAN("")));
    assert_true(weir_span_equal(WEIR_SPAN("a\0b"), WEIR_SPAN("a\0b")));
    assert_false(weir_span_equal(WEIR_SPAN("a"), WEIR_SPAN("A")));
    assert_true(weir_equal_nocase(WEIR_SPAN("aZ@[`{9"), WEIR_SPAN("Az@[`{9")));
    assert_false(weir_equal_nocase(WEIR_SPAN("@"), WEIR_SPAN("`")));
    assert_false(weir_equal_nocase(WEIR_SPAN("["), WEIR_SPAN("{")));
    assert_false(weir_equal_nocase(WEIR_SPAN("\xc4"), WEIR_SPAN("\xe4")));
    assert_false(weir_equal_nocase(WEIR_SPAN("a"), WEIR_SPAN("ab")));
}

/* Spans are compared, lowered and copied by words: every byte at every place of every short length must count. */
static void works_on_every_byte(void **state)
{
    char from[40], other[40], to[40];

    for (size_t length = 0; length < sizeof(from); length++) {
        for (size_t at = 0; at < length; at++) {
            for (int c = 0; c < 256; c++) {
                memset(from, 'x', sizeof(from));
                memset(other, 'X', sizeof(other));
                from[at] = (char)c;
                other[at] = weir_lower((char)c);
                assert_true(weir_equal_nocase((weir_span_t){from, length}, (weir_span_t){other, length}));
                other[at] ^= 1;
                assert_false(weir_equal_nocase((weir_span_t){from, length}, (weir_span_t){other, length}));
                weir_lower_bytes(to, from, length);
                assert_int_equal(to[at], weir_lower((char)c));
            }
        }
    }
}

static void appends_every_length(void **state)
{
    char from[40], to[42];

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (char)(i + 1);
    assert_ptr_equal(weir_append(to, (weir_span_t){NULL, 0}), to);
    for (size_t length = 0; length <= sizeof(from); length++) {
        memset(to, 0, sizeof(to));
        assert_ptr_equal(weir_append(to + 1, (weir_span_t){from, length}), to + 1 + length);
        assert_memory_equal(to + 1, from, length);
        assert_int_equal(to[0], 0);
        assert_int_equal(to[1 + length], 0);
    }
}

static void trims_spans(void **state)
{
    assert_span(weir_span_trim(WEIR_SPAN(" \t a b\t ")), "a b");
    assert_span(weir_span_trim(WEIR_SPAN(" \t ")), "");
    assert_span(weir_span_trim((weir_span_t){NULL, 0}), "");
    assert_span(weir_span_trim(WEIR_SPAN("\ra\n")), "\ra\n");
}

static void reads_numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "a",
                                      "1a",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "0x1",
                                      "1.0",
                                      "9223372036854775808",
                                      "9223372036854775810",
                                      "18446744073709551616",
                                      "99999999999999999999"};
    uint64_t number;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(weir_span_to_u63(span(bad[i]), &number));
    assert_false(weir_span_to_u63(WEIR_SPAN("1\0"), &number));
    assert_true(weir_span_to_u63(WEIR_SPAN("0"), &number) && number == 0);
    assert_true(weir_span_to_u63(WEIR_SPAN("00000000000000000000000000000012"), &number) && number == 12);
    assert_true(weir_span_to_u63(WEIR_SPAN("9223372036854775807"), &number) && number == INT64_MAX);
}

static void writes_numbers(void **state)
{
    char buffer[20], text[24];

    assert_span(weir_span_of_u64(0, buffer), "0");
    assert_span(weir_span_of_u64(9, buffer), "9");
    assert_span(weir_span_of_u64(10, buffer), "10");
    assert_span(weir_span_of_u64(UINT64_MAX, buffer), "18446744073709551615");
    for (uint64_t power = 10; power <= UINT64_MAX / 10; power *= 10) {
        for (uint64_t number = power - 2; number <= power + 2; number++) {
            snprintf(text, sizeof(text), "%" PRIu64, number);
            assert_span(weir_span_of_u64(number, buffer), text);
        }
    }
}

static void clocks_run(void **state)
{
    uint64_t before = weir_clock_monotonic_us();

    assert_true(weir_clock_monotonic_us() >= before);
    assert_true(weir_clock_wall_us() > 1600000000ull * 1000000);
}

static void lists_link(void **state)
{
    weir_list_t head, a, b, c;

    weir_list_init(&head);
    weir_list_init(&a);
    weir_list_init(&b);
    weir_list_init(&c);
    assert_true(weir_list_is_empty(&head));
    weir_list_append(&head, &a);
    weir_list_append(&head, &b);
    weir_list_prepend(&head, &c);
    assert_ptr_equal(head.next, &c);
    assert_ptr_equal(head.next->next, &a);
    assert_ptr_equal(head.prev, &b);
    weir_list_remove(&a);
    weir_list_remove(&a);
    assert_true(weir_list_is_empty(&a));
    assert_ptr_equal(c.next, &b);
    weir_list_remove(&b);
    weir_list_remove(&c);
    assert_true(weir_list_is_empty(&head));
}

static void must_ends_the_process(void **state)
{
    char text[200] = "", expected[200];
    int ends[2], status, line = __LINE__ + 8;
    pid_t child;

    WEIR_MUST(1 + 1 == 2);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        WEIR_MUST(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    snprintf(expected, sizeof(expected), "%s:%d: must hold: 1 + 1 == 3\n", __FILE__, line);
    assert_string_equal(text, expected);
}

static void counted_memory_stays_for_the_last(void **state)
{
    char *memory = weir_counted_alloc(3);

    assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
    memcpy(memory, "abc", 3);
    assert_ptr_equal(weir_counted_hold(memory), memory);
    assert_true(weir_counted_has(memory, memory) && weir_counted_has(memory, memory + 2));
    assert_false(weir_counted_has(memory, memory + 3) || weir_counted_has(memory, memory - 1));
    assert_false(weir_counted_has(memory, NULL) || weir_counted_has(NULL, memory));
    weir_counted_release(memory);
    assert_memory_equal(memory, "abc", 3);
    weir_counted_release(memory); /* AddressSanitizer would tell if it were not freed */
    weir_counted_release(weir_counted_hold(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_aligns_and_keeps),
        cmocka_unit_test(arena_takes_every_size),
        cmocka_unit_test(arena_copies_and_formats),
        cmocka_unit_test(arena_adopts),
        cmocka_unit_test(counted_memory_stays_for_the_last),
        cmocka_unit_test(measures_distances),
        cmocka_unit_test(compares_spans),
        cmocka_unit_test(works_on_every_byte),
        cmocka_unit_test(appends_every_length),
        cmocka_unit_test(trims_spans),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(lists_link),
        cmocka_unit_test(must_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
