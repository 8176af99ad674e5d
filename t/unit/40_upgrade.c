/* SPDX-License-Identifier: MIT */
#include "unit.h"

#define UPGRADE(connection, upgrade) "GET / HTTP/1.1\r\nHost: a\r\nConnection: " connection "\r\n" upgrade "\r\n"

static void assert_wants(const char *request, bool wants)
{
    world_open(NULL);
    world_request(request);
    assert_int_equal(w.x->wants_upgrade, wants);
    world_finish(OK_HEAD);
}

static void notes_the_wish(void **state)
{
    assert_wants(GET, false);
    assert_wants(UPGRADE("upgrade", "Upgrade: websocket\r\n"), true);
    assert_wants(UPGRADE("Upgrade Keep-Alive", "Upgrade: a/1, b\r\n"), true);
    assert_wants(UPGRADE("keep-alive", "Upgrade: websocket\r\n"), false);
}

static void hears_what_the_plan_says(void **state)
{
    static const struct {
        weir_upgrades_t upgrades;
        bool websocket, other;
    } cases[] = {{WEIR_UPGRADES_ALL, true, true}, {WEIR_UPGRADES_WEBSOCKET, true, false}, {WEIR_UPGRADES_NONE, false, false}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_other = 0; is_other < 2; is_other++) {
            world_open(NULL);
            w.plan.upgrades = cases[i].upgrades;
            world_request(is_other ? UPGRADE("upgrade", "Upgrade: websocket2\r\n")
                                   : UPGRADE("upgrade", "Upgrade: WebSocket\r\n"));
            assert_int_equal(w.x->wants_upgrade, is_other ? cases[i].other : cases[i].websocket);
            world_finish(OK_HEAD);
        }
    }
}

static void http_2_has_no_way_back(void **state)
{
    world_open(NULL);
    w.plan.upgrades = WEIR_UPGRADES_NONE;
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, UPGRADE("upgrade", "Upgrade: websocket\r\n"));
    w.x->request.version = 20;
    weir_exchange_start(w.x);
    assert_int_equal(w.front.status, 501); /* RFC 8441 §5: any 2xx would be a tunnel */
    world_close();
}

static void refuses_half_a_wish(void **state)
{
    assert_refused(UPGRADE("upgrade", ""), &weir_fault_bad_request_header);
    assert_refused(UPGRADE("upgrade", "Upgrade: \r\n"), &weir_fault_bad_request_header);
    assert_refused(UPGRADE("upgrade", "Upgrade: a b\r\n"), &weir_fault_bad_request_header);
}

/* The front of HTTP/2 puts both fields there for an extended CONNECT, and lets no others through. */
static void http_2_wishes_alike(void **state)
{
    world_open(NULL);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, UPGRADE("upgrade", "Upgrade: websocket\r\n"));
    w.x->request.version = 20;
    weir_exchange_start(w.x);
    assert_true(w.x->wants_upgrade);
    world_finish("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_the_wish),         cmocka_unit_test(hears_what_the_plan_says),
        cmocka_unit_test(http_2_has_no_way_back), cmocka_unit_test(refuses_half_a_wish),
        cmocka_unit_test(http_2_wishes_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
