/* SPDX-License-Identifier: MIT */
/* Requests that pages of others may have browsers send are told from those of operators. */
#include "lib/admin/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, text == NULL ? 0 : strlen(text)};
}

static bool may(const char *method, const char *host, const char *origin, const char *site, const char *encoding)
{
    const admin_provenance_t of = {span(method), span(host), span(origin), span(site), span(encoding), span("Proxy-1.example")};

    return admin_distrust(&of) == NULL;
}

static void names_of_this_machine_are_ours(void **state)
{
    static const char *const ours[] = {"localhost",      "LocalHost:8081", "weir.localhost:80", "127.0.0.1",
                                       "127.0.0.1:8081", "[::1]:8081",     "10.0.0.7:9100",     ""};
    static const char *const theirs[] = {"evil.example",           "evil.example:8081",
                                         "localhost.evil.example", "127.0.0.1.evil.example",
                                         "notlocalhost",           "weir",
                                         "evil.example.",          "a b",
                                         "127.0.0.1.nip.io",       "x1"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert_true(may("GET", ours[i], NULL, NULL, "gzip, deflate"));
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
        assert_false(may("GET", theirs[i], NULL, NULL, "gzip, deflate"));
}

static void who_is_no_browser_may_call_it_as_it_likes(void **state)
{
    assert_true(may("GET", "weir", NULL, NULL, NULL));
    assert_true(may("POST", "weir", NULL, NULL, NULL));
    assert_false(may("GET", "evil.example", NULL, NULL, NULL));
}

static void the_name_that_is_configured_is_ours(void **state)
{
    assert_true(may("GET", "proxy-1.example", NULL, NULL, NULL));
    assert_true(may("GET", "PROXY-1.example:9101", NULL, NULL, "gzip"));
    assert_true(may("POST", "proxy-1.example:9101", "https://proxy-1.example:9101", "same-origin", "gzip"));
    assert_false(may("POST", "proxy-1.example:9101", "https://evil.example", NULL, "gzip"));
    assert_false(may("GET", "proxy-1.example.evil.example", NULL, NULL, NULL));
    assert_false(may("GET", "a.proxy-1.example", NULL, NULL, NULL));
    assert_false(may("GET", "proxy-1.example.", NULL, NULL, NULL));
}

static void changes_are_of_our_own_page(void **state)
{
    assert_true(may("POST", "localhost:8081", "http://localhost:8081", "same-origin", "gzip"));
    assert_true(may("POST", "localhost:8081", "https://LOCALHOST:8081", NULL, "gzip"));
    assert_true(may("POST", "localhost:8081", NULL, "none", "gzip"));
    assert_true(may("DELETE", "127.0.0.1:1", NULL, NULL, "gzip"));
    assert_false(may("POST", "localhost:8081", "http://localhost:3000", NULL, "gzip"));
    assert_false(may("POST", "localhost:8081", "http://localhost", NULL, "gzip"));
    assert_false(may("POST", "localhost:8081", "null", NULL, "gzip"));
    assert_false(may("PATCH", "localhost:8081", "https://evil.example", "cross-site", "gzip"));
    assert_false(may("PUT", "localhost:8081", NULL, "cross-site", "gzip"));
    assert_false(may("POST", "localhost:8081", "http://localhost:8081", "same-site", "gzip"));
}

static void whoever_links_here_only_reads(void **state)
{
    assert_true(may("GET", "localhost:8081", "https://evil.example", "cross-site", "gzip"));
    assert_true(may("HEAD", "localhost:8081", NULL, "cross-site", "gzip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_this_machine_are_ours),      cmocka_unit_test(who_is_no_browser_may_call_it_as_it_likes),
        cmocka_unit_test(the_name_that_is_configured_is_ours), cmocka_unit_test(changes_are_of_our_own_page),
        cmocka_unit_test(whoever_links_here_only_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
