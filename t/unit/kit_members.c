/* SPDX-License-Identifier: MIT */
/* What a router may know of members, and that it gets the one it would have. */
#include "kit_crew.h"
#include "router/kit/set.h"
#include "weir_kit.h"

static weir_set_t set;

static weir_member_facts_t facts_of(size_t index)
{
    weir_member_facts_t facts = {.size = sizeof(facts)};

    weir_member_facts(&crew[index], &facts);
    assert_int_equal(facts.size, sizeof(facts));
    return facts;
}

static void facts_are_told(void **state)
{
    crew_make_equal(1);
    weir_member_facts_t facts = facts_of(0);
    assert_int_equal(facts.state, WEIR_MEMBER_UP);
    assert_int_equal(facts.health, WEIR_MEMBER_WELL);
    assert_int_equal(facts.in_flight + facts.waiting + facts.tunnels + facts.max_requests + facts.max_tunnels, 0);
    assert_int_equal(facts.joined_at_us + facts.ill_since_us, 0);
    atomic_store(&crew[0].load, 5 * KIT_ONE_IN_FLIGHT + 3 * KIT_ONE_WAITING + 7 * KIT_ONE_TUNNEL);
    crew[0].request_limit = 64;
    crew[0].tunnel_limit = 65;
    crew[0].weight = 2000;
    crew[0].tier = 9;
    crew[0].handicap = 4;
    crew[0].joined_at_us = 11;
    kit_trouble_of(&crew[0])->ill_since_us = 12;
    facts = facts_of(0);
    assert_int_equal(facts.in_flight, 5);
    assert_int_equal(facts.waiting, 3);
    assert_int_equal(facts.tunnels, 7);
    assert_int_equal(facts.max_requests, 64);
    assert_int_equal(facts.max_tunnels, 65);
    assert_int_equal(facts.weight, 2000);
    assert_int_equal(facts.tier, 9);
    assert_int_equal(facts.handicap, 4);
    assert_int_equal(facts.joined_at_us, 11);
    assert_int_equal(facts.ill_since_us, 12);
}

static void state_and_health(void **state)
{
    static const struct {
        kit_check_t check;
        kit_quarantine_t quarantine;
        weir_member_health_t health;
    } cases[] = {
        {KIT_CHECK_NONE, KIT_FREE, WEIR_MEMBER_WELL},           {KIT_CHECK_PASSED, KIT_FREE, WEIR_MEMBER_WELL},
        {KIT_CHECK_STARTING, KIT_FREE, WEIR_MEMBER_STARTING},   {KIT_CHECK_FAILED, KIT_FREE, WEIR_MEMBER_CHECK},
        {KIT_CHECK_NONE, KIT_CONNECT, WEIR_MEMBER_CONNECT},     {KIT_CHECK_PASSED, KIT_FAILING, WEIR_MEMBER_FAILING},
        {KIT_CHECK_PASSED, KIT_SILENT, WEIR_MEMBER_SILENT},     {KIT_CHECK_PASSED, KIT_TRIAL, WEIR_MEMBER_TRIAL},
        {KIT_CHECK_FAILED, KIT_FAILING, WEIR_MEMBER_FAILING},   {KIT_CHECK_FAILED, KIT_TRIAL, WEIR_MEMBER_CHECK},
        {KIT_CHECK_STARTING, KIT_SILENT, WEIR_MEMBER_STARTING},
    };

    crew_make_equal(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        crew[0].check = (uint8_t)cases[i].check;
        crew[0].quarantine = (uint8_t)cases[i].quarantine;
        assert_int_equal(facts_of(0).health, cases[i].health);
    }
    crew[0].admin = KIT_DRAINING;
    assert_int_equal(facts_of(0).state, WEIR_MEMBER_DRAINING);
    crew[0].admin = KIT_OFF;
    assert_int_equal(facts_of(0).state, WEIR_MEMBER_OFF);
}

/* A router of an older time knows less of it, and has room for no more; one of a time to come finds zeros. */
static void facts_of_other_sizes(void **state)
{
    struct {
        weir_member_facts_t facts;
        uint64_t more;
    } longer;
    weir_member_facts_t facts;

    crew_make_equal(1);
    crew[0].weight = 100;
    memset(&facts, 0xab, sizeof(facts));
    facts.size = offsetof(weir_member_facts_t, weight);
    weir_member_facts(&crew[0], &facts);
    assert_int_equal(facts.size, offsetof(weir_member_facts_t, weight));
    assert_int_equal(facts.in_flight, 0);
    assert_int_equal(facts.weight, 0xabababab);
    memset(&longer, 0xab, sizeof(longer));
    longer.facts.size = sizeof(longer);
    weir_member_facts(&crew[0], &longer.facts);
    assert_int_equal(longer.facts.weight, 100);
    assert_int_equal(longer.more, 0);
}

typedef struct visited {
    char ids[100];
    size_t count, most;
} visited_t;

static bool note(const weir_member_t *member, void *context)
{
    visited_t *visited = context;
    const size_t length = strlen(visited->ids);

    snprintf(visited->ids + length, sizeof(visited->ids) - length, "%s ", weir_member_id(member).base);
    return ++visited->count < visited->most;
}

static void members_in_order(void **state)
{
    visited_t all = {.most = 100}, two = {.most = 2}, none = {.most = 100};

    crew_make_equal(5);
    crew[0].tier = 1;
    crew[1].admin = KIT_OFF;
    crew[3].weight = 200;
    crew[4].quarantine = KIT_FAILING;
    kit_view_t *view = crew_view(KIT_BEST);
    atomic_store(&set.view, view);
    weir_set_members(&set, note, &all);
    assert_string_equal(all.ids, "m-3 m-2 m-4 m-0 ");
    weir_set_members(&set, note, &two);
    assert_string_equal(two.ids, "m-3 m-2 ");
    kit_view_free(view);
    crew_make_equal(0);
    view = crew_view(KIT_BEST);
    atomic_store(&set.view, view);
    weir_set_members(&set, note, &none);
    assert_int_equal(none.count, 0);
    kit_view_free(view);
}

/* ---- preferred ---- */

static void assert_gets(const kit_view_t *view, size_t index, kit_how_t how)
{
    for (int i = 0; i < 100; i++) {
        const kit_pick_t pick = crew_choose(view);
        assert_ptr_equal(pick.member, &crew[index]);
        assert_int_equal(pick.how, how);
    }
}

static void assert_gets_another(const kit_view_t *view, size_t index)
{
    for (int i = 0; i < 100; i++) {
        const kit_pick_t pick = crew_choose(view);
        assert_non_null(pick.member);
        assert_ptr_not_equal(pick.member, &crew[index]);
        assert_int_not_equal(pick.how, KIT_BY_PREFERENCE);
    }
}

/* Whatever the balance, the tier, the weight and the load. */
static void the_preferred_one_is_taken(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_HASH; balance++) {
        crew_make(4, (const uint32_t[]){1000, 1}, 2);
        crew[3].tier = 5;
        crew[3].handicap = 4;
        atomic_store(&crew[3].load, 1000 * KIT_ONE_IN_FLIGHT);
        crew_wish.has_key = true;
        crew_wish.preferred = &crew[3];
        kit_view_t *view = crew_view((kit_balance_t)balance);
        assert_gets(view, 3, KIT_BY_PREFERENCE);
        kit_view_free(view);
    }
}

static bool is_not_the_third(const weir_member_t *member, void *context)
{
    return member != &crew[3];
}

static void only_if_it_will_do(void **state)
{
    const weir_member_t *const tried = &crew[3];

    crew_make_equal(4);
    crew_wish.preferred = &crew[3];
    kit_view_t *view = crew_view(KIT_BEST);
    assert_gets(view, 3, KIT_BY_PREFERENCE);
    crew[3].request_limit = 1;
    atomic_store(&crew[3].load, KIT_ONE_IN_FLIGHT);
    assert_gets_another(view, 3); /* full */
    crew[3].request_limit = 0;
    crew[3].quarantine = KIT_FAILING;
    assert_gets_another(view, 3);
    crew[3].quarantine = KIT_FREE;
    crew[3].check = KIT_CHECK_STARTING;
    assert_gets_another(view, 3);
    crew[3].check = KIT_CHECK_NONE;
    crew[3].admin = KIT_DRAINING;
    assert_gets_another(view, 3);
    crew[3].admin = KIT_UP;
    crew_wish.tried = &tried;
    crew_wish.tried_count = 1;
    assert_gets_another(view, 3);
    crew_wish.tried_count = 0;
    crew_wish.may = is_not_the_third;
    assert_gets_another(view, 3);
    crew_wish.may = NULL;
    assert_gets(view, 3, KIT_BY_PREFERENCE);
    kit_view_free(view);
    crew[3].weight = 0;
    view = crew_view(KIT_BEST);
    assert_gets_another(view, 3);
    crew_wish.preferred = (const weir_member_t *)(const void *)&view; /* gone, or never one */
    assert_int_equal(crew_choose(view).how, KIT_BY_BEST);
    kit_view_free(view);
}

/* That it is full, in a tier of its own, is no reason to look no further. */
static void a_full_one_says_nothing_of_others(void **state)
{
    crew_make_equal(3);
    crew[0].quarantine = KIT_FAILING;
    crew[1].tier = 1;
    crew[2].tier = 2;
    crew[2].request_limit = 1;
    atomic_store(&crew[2].load, KIT_ONE_IN_FLIGHT);
    crew_wish.preferred = &crew[2];
    kit_view_t *view = crew_view(KIT_BEST);
    assert_gets(view, 1, KIT_BY_BEST);
    kit_view_free(view);
}

/* How it came about is more than that somebody would have it. */
static void what_the_log_says_of_it(void **state)
{
    crew_make_equal(1);
    crew_wish.preferred = &crew[0];
    crew_wish.may_be_trial = true;
    kit_view_t *view = crew_view(KIT_BEST);
    assert_gets(view, 0, KIT_BY_PREFERENCE);
    crew[0].quarantine = KIT_TRIAL;
    assert_gets(view, 0, KIT_BY_TRIAL);
    crew[0].has_trial = 1;
    assert_null(crew_choose(view).member);
    crew[0].quarantine = KIT_FREE;
    crew[0].check = KIT_CHECK_FAILED;
    assert_gets(view, 0, KIT_BY_PANIC);
    kit_view_free(view);
}

/* What a ramp leaves of its limit is all that there is. */
static void a_ramp_counts(void **state)
{
    crew_make_equal(3);
    crew_settings.slow_start_ms = 10000;
    crew[2].request_limit = 10;
    crew[2].joined_at_us = crew_wish.now_us;
    atomic_store(&crew[2].load, KIT_ONE_IN_FLIGHT);
    crew_wish.preferred = &crew[2];
    kit_view_t *view = crew_view(KIT_BEST);
    kit_view_refresh(view, crew_wish.now_us);
    assert_gets_another(view, 2);
    crew_wish.now_us += 10000000;
    kit_view_refresh(view, crew_wish.now_us);
    assert_gets(view, 2, KIT_BY_PREFERENCE);
    kit_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_told),
        cmocka_unit_test(state_and_health),
        cmocka_unit_test(facts_of_other_sizes),
        cmocka_unit_test(members_in_order),
        cmocka_unit_test(the_preferred_one_is_taken),
        cmocka_unit_test(only_if_it_will_do),
        cmocka_unit_test(a_full_one_says_nothing_of_others),
        cmocka_unit_test(what_the_log_says_of_it),
        cmocka_unit_test(a_ramp_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
