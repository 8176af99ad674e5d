/* SPDX-License-Identifier: MIT */
#include "lib/http/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text, *written; /* NULL: refused */
} texts[] = {
    {"unix", "unix"},
    {"10.0.0.0/8", "10.0.0.0/8"},
    {"10.1.2.3/8", "10.0.0.0/8"},
    {"10.255.255.255/9", "10.128.0.0/9"},
    {"0.0.0.0/0", "0.0.0.0/0"},
    {"192.0.2.7", "192.0.2.7"},
    {"192.0.2.7/32", "192.0.2.7"},
    {"::1", "::1"},
    {"::/0", "::/0"},
    {"2001:db8:ffff::1/33", "2001:db8:8000::/33"},
    {"2001:DB8::/128", "2001:db8::"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
    {"::ffff:192.0.2.7", "192.0.2.7"},
    {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
    {"::ffff:0:0/95", "::fffe:0:0/95"},
    {"", NULL},
    {"/8", NULL},
    {"UNIX", NULL},
    {"unix:/run/a", NULL},
    {"localhost", NULL},
    {"10.0.0.0/", NULL},
    {"10.0.0.0/33", NULL},
    {"10.0.0.0/-1", NULL},
    {"10.0.0.0/8/8", NULL},
    {"10.0.0.0/8 ", NULL},
    {"10.0.0/8", NULL},
    {"10.0.0.0/255.0.0.0", NULL},
    {"::1/129", NULL},
    {"[::1]", NULL},
    {"127.0.0.1:80", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL},
};

static void reads_and_writes(void **state)
{
    char buffer[WEIR_NETWORK_TEXT];
    weir_network_t network;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        bool is_one = weir_network_read(texts[i].text, &network);

        if (is_one != (texts[i].written != NULL))
            fail_msg("'%s' is %s", texts[i].text, is_one ? "taken" : "refused");
        if (is_one)
            assert_string_equal(weir_network_write(&network, buffer), texts[i].written);
    }
}

static bool holds(const char *network_text, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const struct sockaddr path = {.sa_family = AF_UNIX};
    weir_network_t networks[2] = {{.family = AF_INET, .prefix_bits = 32}}; /* 0.0.0.0 */

    assert_true(weir_network_read(network_text, &networks[1]));
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return weir_networks_hold(networks, 2, (const struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
        return weir_networks_hold(networks, 2, (const struct sockaddr *)&v6);
    return weir_networks_hold(networks, 2, &path);
}

static void knows_its_members(void **state)
{
    assert_true(holds("10.0.0.0/8", "10.255.0.1"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("10.128.0.0/9", "10.128.0.1"));
    assert_false(holds("10.128.0.0/9", "10.127.255.255"));
    assert_true(holds("192.0.2.7", "192.0.2.7"));
    assert_false(holds("192.0.2.7", "192.0.2.6"));
    assert_true(holds("0.0.0.0/0", "203.0.113.1"));
    assert_false(holds("0.0.0.0/0", "::1"));
    assert_false(holds("::/0", "192.0.2.7"));
    assert_true(holds("::/0", "2001:db8::1"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::"));
    assert_true(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_false(holds("10.0.0.0/8", "::ffff:11.0.0.1"));
    assert_true(holds("unix", "a path"));
    assert_false(holds("unix", "127.0.0.1"));
    assert_false(holds("0.0.0.0/0", "a path"));
    assert_false(holds("::/0", "a path"));
    assert_true(holds("::1", "0.0.0.0")); /* the other entry of the list */
}

static void trusts_nobody_without_a_list(void **state)
{
    const struct sockaddr path = {.sa_family = AF_UNIX};

    assert_false(weir_networks_hold(NULL, 0, &path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(knows_its_members),
        cmocka_unit_test(trusts_nobody_without_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
