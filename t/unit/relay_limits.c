/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "weir_host.h"

#define UPGRADE "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

static void a_request_may_not_last_for_ever(void **state)
{
    for (int has_begun = 0; has_begun < 2; has_begun++) {
        world_open(NULL);
        w.plan.max_request_time_ms = 10000;
        world_request(GET);
        if (has_begun)
            assert_true(fake_respond(w.x, OK_HEAD));
        fake_advance(&w.loop, 9999);
        assert_null(w.script.last_fault);
        assert_lacks(w.loop.text, "stop\n");
        fake_advance(&w.loop, 1);
        assert_contains(w.loop.text, "stop\n");
        if (has_begun)
            assert_contains(w.loop.text, "cut\n");
        else
            assert_ptr_equal(w.script.last_fault, &weir_fault_request_too_long);
        world_close();
    }
}

static void a_tunnel_may(void **state)
{
    world_open(NULL);
    w.plan.max_request_time_ms = 10000;
    w.plan.min_rate_bytes = 100;
    world_request(UPGRADE);
    assert_true(fake_respond(w.x, "HTTP/1.1 101 Whatever\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
    w.x->back->waits_for = WEIR_RELAY_CLIENT;
    fake_advance(&w.loop, 50000);
    assert_lacks(w.loop.text, "stop\n");
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

/* The bytes that move in each second, and whether that is enough of 100. */
static void who_is_waited_for_may_not_be_too_slow(void **state)
{
    static const struct {
        weir_relay_side_t side;
        unsigned bytes;
        const weir_fault_t *fault;
    } cases[] = {
        {WEIR_RELAY_CLIENT, 99, &weir_fault_client_too_slow},
        {WEIR_RELAY_BACKEND, 99, &weir_fault_backend_too_slow},
        {WEIR_RELAY_CLIENT, 100, NULL},
        {WEIR_RELAY_BACKEND, 100, NULL},
        {WEIR_RELAY_NOBODY, 0, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open(NULL);
        w.plan.min_rate_bytes = 100;
        world_request(GET);
        w.x->back->waits_for = cases[i].side;
        for (int second = 0; second < 20 && w.script.last_fault == NULL; second++) {
            w.x->journal.client_received_bytes += cases[i].bytes;
            fake_advance(&w.loop, 1000);
        }
        assert_ptr_equal(w.script.last_fault, cases[i].fault);
        if (cases[i].fault == NULL)
            world_finish(OK_HEAD);
        else
            world_close();
    }
}

/* Of a request that waits, of one that is answered, of a tunnel. */
static void a_service_can_be_taken_away(void **state)
{
    static const struct {
        const char *request, *response;
    } cases[] = {
        {GET, NULL},
        {GET, OK_HEAD},
        {UPGRADE, "HTTP/1.1 101 Whatever\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open(NULL);
        world_request(cases[i].request);
        if (cases[i].response != NULL)
            assert_true(fake_respond(w.x, cases[i].response));
        assert_true(w.x->has_service);
        weir_service_cut((const weir_service_t *)(const void *)&w); /* somebody else's */
        fake_advance(&w.loop, 10);
        assert_lacks(w.loop.text, "stop\n");
        weir_service_cut(w.x->service);
        weir_service_cut(w.x->service);
        assert_lacks(w.loop.text, "stop\n"); /* not while all are gone through */
        fake_advance(&w.loop, 1);
        assert_contains(w.loop.text, "stop\n");
        if (cases[i].response == NULL)
            assert_ptr_equal(w.script.last_fault, &weir_fault_backend_cut);
        else
            assert_contains(w.loop.text, "cut\n");
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_may_not_last_for_ever),
        cmocka_unit_test(a_tunnel_may),
        cmocka_unit_test(a_service_can_be_taken_away),
        cmocka_unit_test(who_is_waited_for_may_not_be_too_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
