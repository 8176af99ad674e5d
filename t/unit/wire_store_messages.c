/* SPDX-License-Identifier: MIT */
/* What comes of etcd's bytes: messages out of a stream, the ends of calls, answers, and endpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/store/store_endpoint.h"
#include "lib/wire/store/store_frames.h"
#include "lib/wire/store/store_messages.h"
#include "lib/wire/store/store_status.h"
#include "unit.h"
#include "weir_span.h"

enum { MOST = 100 };

/* ---- frames ---- */

static void free_span(weir_span_t span)
{
    free((void *)(uintptr_t)span.base);
}

/* Feeds pieces of `step` bytes, and writes the messages behind one another with a bar behind each. */
static store_frames_progress_t feed(weir_span_t bytes, size_t step, char *out)
{
    store_frames_t frames = {.most = MOST};
    store_frames_progress_t progress = STORE_FRAMES_MORE;

    *out = '\0';
    while (bytes.len > 0 && (progress == STORE_FRAMES_MORE || progress == STORE_FRAMES_MESSAGE)) {
        weir_span_t piece = {bytes.base, bytes.len < step ? bytes.len : step};
        bytes.base += piece.len;
        bytes.len -= piece.len;
        while (piece.len > 0 && (progress = store_frames_take(&frames, &piece)) == STORE_FRAMES_MESSAGE) {
            const weir_span_t message = store_frames_pop(&frames);
            out += sprintf(out, "%.*s|", (int)message.len, message.base);
            free_span(message);
        }
        if (progress != STORE_FRAMES_MESSAGE && progress != STORE_FRAMES_MORE)
            break;
    }
    if (progress == STORE_FRAMES_MESSAGE)
        assert_false(store_frames_has_some(&frames));
    store_frames_free(&frames);
    return progress;
}

static void in_pieces_of_every_size(void **state)
{
    const weir_span_t bytes = WEIR_SPAN("\0\0\0\0\5hello\0\0\0\0\0\0\0\0\0\1!\0\0\0\0\0");
    char out[MOST];

    for (size_t step = 1; step <= bytes.len; step++) {
        assert_int_equal(feed(bytes, step, out), STORE_FRAMES_MESSAGE);
        assert_string_equal(out, "hello||!||");
        assert_int_equal(feed((weir_span_t){bytes.base, 12}, step, out), STORE_FRAMES_MORE);
        assert_string_equal(out, "hello|");
        assert_int_equal(feed((weir_span_t){bytes.base, 8}, step, out), STORE_FRAMES_MORE);
        assert_string_equal(out, "");
    }
}

static void what_is_refused(void **state)
{
    char out[MOST];

    for (size_t step = 1; step < 9; step++) {
        assert_int_equal(feed(WEIR_SPAN("\0\0\0\0\1a\1\0\0\0\1b"), step, out), STORE_FRAMES_COMPRESSED);
        assert_string_equal(out, "a|");
        assert_int_equal(feed(WEIR_SPAN("\0\0\0\0\x65"), step, out), STORE_FRAMES_TOO_LONG);
        assert_int_equal(feed(WEIR_SPAN("\0\xff\xff\xff\xff..."), step, out), STORE_FRAMES_TOO_LONG);
        assert_int_equal(feed(WEIR_SPAN("\0\0\0\0\x64..."), step, out), STORE_FRAMES_MORE);
    }
}

static void heads(void **state)
{
    uint8_t head[STORE_FRAME_HEAD_BYTES];

    store_frame_head(head, 0x01020304);
    assert_memory_equal(head, "\0\1\2\3\4", 5);
}

/* ---- how a call ends ---- */

/* Fields as "name: value" lines. */
static weir_etcd_status_t judge(const char *fields, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    store_status_t status;

    store_status_init(&status);
    problem[0] = '\0';
    while (*fields != '\0') {
        const char *end = strchr(fields, '\n'), *colon = strstr(fields, ": ");
        store_status_take(&status, (weir_span_t){fields, (size_t)(colon - fields)},
                          (weir_span_t){colon + 2, (size_t)(end - colon) - 2});
        fields = end + 1;
    }
    return store_status_judge(&status, problem);
}

#define HEAD ":status: 200\ncontent-type: application/grpc\n"

static void ends_of_calls(void **state)
{
    static const struct {
        const char *fields;
        weir_etcd_status_t status;
        const char *problem;
    } cases[] = {
        {HEAD "grpc-status: 0\n", WEIR_ETCD_FINE, ""},
        {HEAD "grpc-status: 14\ngrpc-message: etcdserver: no leader\n", WEIR_ETCD_CUT, "etcdserver: no leader (code 14)"},
        {HEAD "grpc-status: 4\n", WEIR_ETCD_CUT, "etcd does not say why (code 4)"},
        {HEAD "grpc-status: 7\ngrpc-message: a%20b%0Ac%zz%4\n", WEIR_ETCD_DENIED, "a b c%zz%4 (code 7)"},
        {HEAD "grpc-status: 16\ngrpc-message: 100%25\n", WEIR_ETCD_DENIED, "100% (code 16)"},
        {HEAD "grpc-status: 8\ngrpc-message: no space\n", WEIR_ETCD_FULL, "no space (code 8)"},
        {HEAD "grpc-status: 11\ngrpc-message: compacted\n", WEIR_ETCD_COMPACTED, "compacted (code 11)"},
        {HEAD "grpc-status: 3\ngrpc-message: duplicate key\n", WEIR_ETCD_FAILED, "duplicate key (code 3)"},
        {HEAD "grpc-status: 3\ngrpc-message: etcdserver: user name is empty\n", WEIR_ETCD_DENIED,
         "etcdserver: user name is empty (code 3)"},
        {HEAD "grpc-status: nothing\n", WEIR_ETCD_FAILED, "etcd does not say why (code 999)"},
        {HEAD, WEIR_ETCD_CUT, "the answer ends without a status"},
        {":status: 404\ncontent-type: text/html\n", WEIR_ETCD_FAILED, "no gRPC is spoken there (HTTP status 404)"},
        {":status: 200\ncontent-type: text/html\n", WEIR_ETCD_FAILED, "no gRPC is spoken there (HTTP status 200)"},
        {":status: 403\n", WEIR_ETCD_DENIED, "no gRPC is spoken there (HTTP status 403)"},
        {":status: 503\n", WEIR_ETCD_CUT, "no gRPC is spoken there (HTTP status 503)"},
    };
    char problem[WEIR_ETCD_PROBLEM_BYTES];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(judge(cases[i].fields, problem), cases[i].status);
        assert_string_equal(problem, cases[i].problem);
    }
}

static void tokens_that_are_old(void **state)
{
    store_status_t status;

    store_status_init(&status);
    store_status_take(&status, WEIR_SPAN("grpc-status"), WEIR_SPAN("16"));
    assert_false(store_status_wants_token(&status));
    store_status_take(&status, WEIR_SPAN("grpc-message"), WEIR_SPAN("etcdserver: invalid auth token"));
    assert_true(store_status_wants_token(&status));
}

static void very_long_words(void **state)
{
    char words[1000], problem[WEIR_ETCD_PROBLEM_BYTES];
    store_status_t status;

    memset(words, '%', sizeof(words));
    store_status_init(&status);
    store_status_take(&status, WEIR_SPAN("grpc-status"), WEIR_SPAN("2"));
    store_status_take(&status, WEIR_SPAN("grpc-message"), (weir_span_t){words, sizeof(words)});
    assert_int_equal(store_status_judge(&status, problem), WEIR_ETCD_FAILED);
    assert_non_null(strstr(problem, "(code 2)"));
}

/* ---- answers ---- */

static char seen[200];

static void visit(const weir_etcd_item_t *item, void *context)
{
    sprintf(seen + strlen(seen), "%.*s=%.*s@%d/%d ", (int)item->key.len, item->key.base, (int)item->value.len, item->value.base,
            (int)item->mod_revision, (int)item->lease);
}

static bool read_range(weir_span_t message, weir_etcd_header_t *header, bool *has_more)
{
    seen[0] = '\0';
    return store_read_range(message, visit, NULL, header, has_more);
}

#define HEADER "\x0a\x06\x08\x07\x10\x08\x18\x09" /* cluster 7, member 8, revision 9 */
#define KV_A                                                                                                                   \
    "\x0a\x01"                                                                                                                 \
    "a"                                                                                                                        \
    "\x10\x01\x18\x03\x20\x01\x2a\x01"                                                                                         \
    "1"                                                                                                                        \
    "\x30\x05"

static void keys_of_a_range(void **state)
{
    const weir_span_t message = WEIR_SPAN(HEADER "\x12\x0e" KV_A "\x12\x03\x0a\x01"
                                                 "b"
                                                 "\x18\x01\x20\x02");
    weir_etcd_header_t header;
    bool has_more = false;

    assert_true(read_range(message, &header, &has_more));
    assert_string_equal(seen, "a=1@3/5 b=@0/0 ");
    assert_true(has_more && header.cluster_id == 7 && header.member_id == 8 && header.revision == 9);
    assert_true(read_range(WEIR_SPAN(HEADER), &header, &has_more));
    assert_true(!has_more && seen[0] == '\0');
    assert_true(read_range(WEIR_SPAN("\x0a\x00"), &header, &has_more));
    assert_int_equal(header.revision, 0);
}

static void what_is_no_range(void **state)
{
    const weir_span_t whole = WEIR_SPAN(HEADER "\x12\x0e" KV_A);
    weir_etcd_header_t header;
    bool has_more;

    for (size_t length = 0; length < whole.len; length++) {
        const bool is_read = read_range((weir_span_t){whole.base, length}, &header, &has_more);
        assert_true(is_read == (length == sizeof(HEADER) - 1));
        assert_string_equal(seen, "");
    }
    assert_false(read_range(WEIR_SPAN("\x18\x01"), &header, &has_more));
    assert_false(read_range(WEIR_SPAN(HEADER "\x12\xff\xff\xff\xff\x0f"), &header, &has_more));
    assert_false(read_range(WEIR_SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &header, &has_more));
}

static void news_of_a_watch(void **state)
{
    weir_etcd_news_t news;
    weir_arena_t arena;

    weir_arena_init(&arena);
    assert_true(store_read_watch(WEIR_SPAN(HEADER "\x18\x01"), &arena, &news));
    assert_true(news.is_created && !news.is_cancelled && !news.has_more && news.event_count == 0);
    assert_string_equal(news.reason, "");
    assert_true(store_read_watch(WEIR_SPAN(HEADER "\x38\x01\x5a\x10\x12\x0e" KV_A "\x5a\x07\x08\x01\x12\x03\x0a\x01"
                                                  "b"),
                                 &arena, &news));
    assert_int_equal(news.event_count, 2);
    assert_true(news.has_more && !news.events[0].is_removal && news.events[1].is_removal);
    assert_true(weir_span_is(news.events[0].item.key, "a") && weir_span_is(news.events[1].item.key, "b"));
    assert_true(store_read_watch(WEIR_SPAN(HEADER "\x20\x01\x28\x2a\x32\x03why"), &arena, &news));
    assert_true(news.is_cancelled && news.compact_revision == 42);
    assert_string_equal(news.reason, "why");
    assert_false(store_read_watch(WEIR_SPAN("\x18\x01"), &arena, &news));
    assert_false(store_read_watch(WEIR_SPAN(HEADER "\x5a\x02\x08\x01"), &arena, &news));
    assert_false(store_read_watch(WEIR_SPAN(HEADER "\x5a\x07\x08\x02\x12\x03\x0a\x01"
                                                   "b"),
                                  &arena, &news));
    weir_arena_finish(&arena);
}

static void other_answers(void **state)
{
    weir_arena_t arena;
    weir_etcd_header_t header;
    int64_t lease, ttl_s;

    weir_arena_init(&arena);
    assert_true(store_read_lease(WEIR_SPAN(HEADER "\x10\x05\x18\x1e"), &arena, &lease, &ttl_s));
    assert_true(lease == 5 && ttl_s == 30);
    assert_false(store_read_lease(WEIR_SPAN("\x10"), &arena, &lease, &ttl_s));
    assert_true(store_read_header(WEIR_SPAN(HEADER "\x10\x01"), &arena, &header));
    assert_int_equal(header.revision, 9);
    assert_false(store_read_header(WEIR_SPAN(""), &arena, &header));
    assert_string_equal(store_read_token(WEIR_SPAN(HEADER "\x12\x03"
                                                          "abc"),
                                         &arena),
                        "abc");
    assert_null(store_read_token(WEIR_SPAN(HEADER), &arena));
    assert_null(store_read_token(WEIR_SPAN(HEADER "\x12\x03"
                                                  "a\nb"),
                                 &arena));
    weir_arena_finish(&arena);
}

static void ends_of_prefixes(void **state)
{
    char end[4];
    size_t length;

    assert_true(weir_etcd_prefix_end(WEIR_SPAN("/a/"), end, sizeof(end), &length));
    assert_true(weir_span_equal((weir_span_t){end, length}, WEIR_SPAN("/a0")));
    assert_true(weir_etcd_prefix_end(WEIR_SPAN("a\xfe\xff\xff"), end, sizeof(end), &length));
    assert_true(weir_span_equal((weir_span_t){end, length}, WEIR_SPAN("a\xff")));
    assert_false(weir_etcd_prefix_end(WEIR_SPAN("\xff\xff"), end, sizeof(end), &length));
    assert_false(weir_etcd_prefix_end(WEIR_SPAN(""), end, sizeof(end), &length));
    assert_false(weir_etcd_prefix_end(WEIR_SPAN("abcde"), end, sizeof(end), &length));
}

/* ---- endpoints ---- */

static void endpoints(void **state)
{
    static const struct {
        const char *text, *url, *host, *port;
    } good[] = {
        {"db.test:2379", "http://db.test:2379", "db.test", "2379"},
        {"https://127.0.0.1:1", "https://127.0.0.1:1", "127.0.0.1", "1"},
        {"http://[::1]:65535", "http://[::1]:65535", "::1", "65535"},
    };
    static const char *const bad[] = {"",     "db.test", "db.test:",     "db.test:0",    "db.test:65536", ":1",    "[::1:1",
                                      "[]:1", "a b:1",   "http://a@b:1", "https://a:1/", "ftp://a:1",     "::1:1", "https://"};
    char problem[WEIR_ETCD_PROBLEM_BYTES];
    store_endpoint_t endpoint = {0};

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(store_endpoint_read(good[i].text, false, &endpoint, problem));
        assert_string_equal(endpoint.url, good[i].url);
        assert_string_equal(endpoint.host, good[i].host);
        assert_string_equal(endpoint.port, good[i].port);
        store_endpoint_free(&endpoint);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(store_endpoint_read(bad[i], true, &endpoint, problem));
        assert_non_null(strstr(problem, "is no endpoint: "));
    }
    assert_true(store_endpoint_read("a:1", true, &endpoint, problem));
    assert_string_equal(endpoint.url, "https://a:1");
    store_endpoint_free(&endpoint);
}

static int forget_blocks(void **state)
{
    weir_arena_forget_blocks();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pieces_of_every_size), cmocka_unit_test(what_is_refused),     cmocka_unit_test(heads),
        cmocka_unit_test(ends_of_calls),           cmocka_unit_test(tokens_that_are_old), cmocka_unit_test(very_long_words),
        cmocka_unit_test(keys_of_a_range),         cmocka_unit_test(what_is_no_range),    cmocka_unit_test(news_of_a_watch),
        cmocka_unit_test(other_answers),           cmocka_unit_test(ends_of_prefixes),    cmocka_unit_test(endpoints),
    };

    return cmocka_run_group_tests(tests, NULL, forget_blocks);
}
