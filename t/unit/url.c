/* SPDX-License-Identifier: MIT */
#include "router/builtin/url.h"

#include "unit.h"

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void assert_span(weir_span_t span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.base, text, span.len);
}

static void assert_url(const char *text, bool is_https, const char *authority, const char *host, uint16_t port,
                       const char *path)
{
    url_t url;

    assert_true(url_read(span(text), &url));
    assert_int_equal(url.is_https, is_https);
    assert_span(url.authority, authority);
    assert_span(url.host, host);
    assert_int_equal(url.port, port);
    assert_span(url.path, path);
}

static void takes_urls_apart(void **state)
{
    assert_url("http://a", false, "a", "a", 80, "/");
    assert_url("HTTPS://a/", true, "a", "a", 443, "/");
    assert_url("http://a:81/b/c?d#e", false, "a:81", "a", 81, "/b/c?d#e");
    assert_url("http://[::1]:81/", false, "[::1]:81", "::1", 81, "/");
    assert_url("http://[::1]", false, "[::1]", "::1", 80, "/");
    assert_url("http://[unix:/run/a.sock]/x", false, "[unix:/run/a.sock]", "unix:/run/a.sock", 80, "/x");
}

static void refuses_what_is_none(void **state)
{
    static const char *const texts[] = {
        "",           "http",       "http:/a",       "http://",        "http:///a",   "ftp://a",     "//a",
        "http://a:0", "http://:80", "http://a:/",    "http://a:65536", "http://a:8x", "http://[::1", "http://[]/",
        "http://a?b", "http://a#b", "http://a:80?b", "http://[a]b"};
    url_t url;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (url_read(span(texts[i]), &url))
            fail_msg("%s", texts[i]);
    assert_false(url_read((weir_span_t){"http://a:99999999999999999999", 29}, &url));
}

static void compares_places(void **state)
{
    url_t one, other;

    assert_true(url_read(span("http://a/x"), &one));
    assert_true(url_read(span("http://A:80/y"), &other));
    assert_true(url_is_same_place(&one, &other));
    assert_true(url_read(span("https://a:80/"), &other));
    assert_false(url_is_same_place(&one, &other));
    assert_true(url_read(span("http://a:81/"), &other));
    assert_false(url_is_same_place(&one, &other));
    assert_true(url_read(span("http://ab/"), &other));
    assert_false(url_is_same_place(&one, &other));
}

static void knows_what_lies_below(void **state)
{
    assert_true(url_is_below(span("/a/b"), span("/a")));
    assert_true(url_is_below(span("/a"), span("/a")));
    assert_true(url_is_below(span("/a?b"), span("/a")));
    assert_true(url_is_below(span("/a/b"), span("/a/")));
    assert_false(url_is_below(span("/ab"), span("/a")));
    assert_false(url_is_below(span("/"), span("/a")));
}

static void joins(void **state)
{
    static const struct {
        const char *from, *to, *rest, *joined;
    } cases[] = {
        {"/", "/", "a?b", "/a?b"},   {"/", "/", "", "/"},         {"/a", "/x", "/1", "/x/1"},   {"/a", "/x", "", "/x"},
        {"/a", "/x/", "/1", "/x/1"}, {"/a", "/x/", "", "/x/"},    {"/a", "/x/", "?z", "/x/?z"}, {"/a/", "/x", "1", "/x/1"},
        {"/a/", "/x", "", "/x/"},    {"/a/", "/x/", "1", "/x/1"}, {"/a", "/x", "//1", "/x//1"}, {"/", "/x", "a", "/x/a"},
    };
    char out[16];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_span((weir_span_t){out, url_join(span(cases[i].from), span(cases[i].to), span(cases[i].rest), out)},
                    cases[i].joined);
    assert_int_equal(url_join(span("/a"), span("/x"), (weir_span_t){NULL, 0}, out), 2);
}

static void knows_sockets(void **state)
{
    assert_span(url_socket(span("unix:/run/a")), "/run/a");
    assert_null(url_socket(span("unix")).base);
    assert_null(url_socket(span("a.unix:")).base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_urls_apart),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(compares_places),
        cmocka_unit_test(knows_what_lies_below),
        cmocka_unit_test(joins),
        cmocka_unit_test(knows_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
