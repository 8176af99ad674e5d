/* SPDX-License-Identifier: MIT */
/* What is known of names: whom is asked what, and who is told what, when. Time moves when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/back/name_table.h"
#include "lib/wire/back/names.h"

enum { S = 1000000, DIARY_BYTES = 4000, LATELY = 64 };

static struct weir_name_table *table;
static struct weir_known_name *asked; /* the latest */
static weir_names_user_t users[3];
static char diary[DIARY_BYTES];
static uint64_t now_us;
static bool answers_at_once;
static size_t told_count; /* addresses, the latest time */

static void write_diary(const char *text)
{
    size_t length = strlen(diary);

    assert_true(length + strlen(text) + 2 < sizeof(diary));
    sprintf(diary + length, "%s%s", length > 0 ? " " : "", text);
}

static void assert_diary(const char *text)
{
    char seen[DIARY_BYTES];

    strcpy(seen, diary);
    diary[0] = '\0';
    assert_string_equal(seen, text);
}

/* 127.0.0.NUMBER each. */
static void answer(struct weir_known_name *known, uint64_t ttl_ms, const char *numbers)
{
    weir_name_address_t at[100] = {0};
    weir_name_answer_t found = {.outcome = WEIR_NAME_FOUND, .ttl_ms = ttl_ms, .at = at};

    for (; *numbers != '\0'; numbers++) {
        at[found.count].v4.sin_family = AF_INET;
        at[found.count++].v4.sin_addr.s_addr = htonl(0x7f000000u | (uint32_t)(*numbers - '0'));
    }
    weir_name_table_answer(table, known, &found, now_us);
}

static void answer_none(struct weir_known_name *known, weir_name_outcome_t outcome)
{
    weir_name_answer_t none = {.outcome = outcome};

    weir_name_table_answer(table, known, &none, now_us);
}

static void on_ask(void *arg, struct weir_known_name *known, const char *name)
{
    char line[300];

    snprintf(line, sizeof(line), "ask:%s", name);
    write_diary(line);
    asked = known;
    if (answers_at_once)
        answer(known, 10000, "9");
}

static void on_drop(void *arg, struct weir_known_name *known)
{
    write_diary("drop");
}

/* USER:addresses/seconds for which they are fresh */
static void on_tell(void *arg, weir_addresses_t *addresses)
{
    char line[300];
    int at = snprintf(line, sizeof(line), "%d:", (int)(addresses->user - users));

    for (size_t i = 0; i < addresses->count && i < 20; i++)
        at += snprintf(line + at, sizeof(line) - (size_t)at, "%u", ntohl(addresses->at[i].v4.sin_addr.s_addr) & 0xff);
    snprintf(line + at, sizeof(line) - (size_t)at, "/%d", (int)((int64_t)(addresses->fresh_until_us - now_us) / S));
    write_diary(line);
    told_count = addresses->count;
    free(addresses);
}

static int set_up(void **state)
{
    const weir_name_table_hooks_t hooks = {on_ask, on_drop, on_tell, NULL};

    diary[0] = '\0';
    now_us = 1000 * (uint64_t)S;
    answers_at_once = false;
    table = weir_name_table_create(&hooks);
    return 0;
}

static int tear_down(void **state)
{
    weir_name_table_destroy(&table);
    assert_null(table);
    return 0;
}

static void question_that_doubts(int user, const char *name, uint64_t doubts_us)
{
    weir_name_question_t *question = calloc(1, sizeof(*question) + strlen(name) + 1);

    weir_list_init(&question->link);
    question->user = &users[user];
    question->doubts_us = doubts_us;
    question->name_len = strlen(name);
    strcpy(question->name, name);
    weir_name_table_question(table, question, now_us);
}

static void question(int user, const char *name)
{
    question_that_doubts(user, name, 0);
}

/* Every time that is due meanwhile is told. */
static void pass(uint64_t us)
{
    uint64_t end_us = now_us + us, due_us;

    while ((due_us = weir_name_table_due_us(table)) != 0 && due_us <= end_us) {
        now_us = due_us;
        weir_name_table_tick(table, now_us);
        assert_true(weir_name_table_due_us(table) == 0 || weir_name_table_due_us(table) > now_us);
    }
    now_us = end_us;
    weir_name_table_tick(table, now_us);
}

static void one_question_for_all(void **state)
{
    question(0, "a");
    question(1, "A");
    question(2, "a");
    assert_diary("ask:a");
    answer(asked, 60000, "12");
    assert_diary("0:12/60 1:12/60 2:12/60");
    pass(44 * S);
    question(1, "a");
    assert_diary("1:12/16");
    assert_int_equal(weir_name_table_due_us(table), 0);
}

static void an_answer_may_come_at_once(void **state)
{
    answers_at_once = true;
    question(0, "a");
    assert_diary("ask:a 0:9/10");
}

static void ttl_has_bounds(void **state)
{
    question(0, "least");
    answer(asked, 0, "1");
    question(0, "most");
    answer(asked, 2000000000, "1");
    assert_diary("ask:least 0:1/1 ask:most 0:1/3600");
}

static void asked_again_in_the_last_quarter(void **state)
{
    question(0, "a");
    answer(asked, 8000, "1");
    pass(6 * S - 1);
    question(0, "a");
    assert_diary("ask:a 0:1/8 0:1/2");
    pass(1);
    question(0, "a");
    assert_diary("ask:a");
    answer(asked, 8000, "2");
    assert_diary("0:2/8");
}

static void doubts(void **state)
{
    question(0, "a");
    answer(asked, 60000, "1");
    uint64_t first_us = now_us;
    pass(WEIR_NAME_DOUBT_MS * 1000 - 1);
    question_that_doubts(0, "a", first_us);
    assert_diary("ask:a 0:1/60 0:1/59");
    pass(1);
    question_that_doubts(0, "a", first_us);
    question(1, "a");
    assert_diary("ask:a");
    answer(asked, 60000, "2");
    assert_diary("0:2/60 1:2/60");
    question_that_doubts(2, "a", first_us); /* it has been looked since */
    assert_diary("2:2/60");
}

static void failures_are_remembered(void **state)
{
    question(0, "a");
    answer_none(asked, WEIR_NAME_ABSENT);
    question(0, "b");
    answer_none(asked, WEIR_NAME_FAILED);
    assert_diary("ask:a 0:/2 ask:b 0:/2");
    pass(1 * S);
    question(1, "a");
    question(1, "b");
    assert_diary("1:/1 1:/1");
    pass(1 * S);
    question(1, "a");
    assert_diary("ask:a");
}

static void nobody_answers(void **state)
{
    question(0, "a");
    pass(WEIR_NAME_QUESTION_MS * 1000 - 1);
    assert_diary("ask:a");
    pass(1);
    assert_diary("drop 0:/2");
}

static void old_addresses_serve_while_it_fails(void **state)
{
    question(0, "a");
    answer(asked, 10000, "1");
    pass(20 * S);
    question(0, "a");
    assert_diary("ask:a 0:1/10 ask:a"); /* expired, and nothing is known to be wrong: it is waited for */
    pass(WEIR_NAME_LATE_MS * 1000);
    assert_diary("0:1/2"); /* a second */
    pass(1500000);
    question(0, "a");
    question(1, "a");
    assert_diary("0:1/2 1:1/2"); /* the same question is still open: nobody waits again */
    pass(2500000);
    assert_diary("drop");
    question(0, "a");
    assert_diary("0:1/2");
    pass(1600000);
    question(0, "a");
    assert_diary("ask:a 0:1/2");
    answer(asked, 10000, "2");
    question(0, "a");
    assert_diary("0:2/10");
}

static void a_failure_of_yesterday_says_nothing(void **state)
{
    question(0, "a");
    answer(asked, 10000, "1");
    pass(8 * S);
    question(0, "a");
    answer_none(asked, WEIR_NAME_FAILED);
    assert_diary("ask:a 0:1/10 ask:a 0:1/2");
    pass(3600 * (uint64_t)S);
    question(0, "a");
    assert_diary("ask:a");
    answer(asked, 10000, "2");
    assert_diary("0:2/10");
}

static void until(uint64_t us, weir_name_outcome_t outcome, const char *old)
{
    question(0, "a");
    answer(asked, 10000, "1");
    pass(10 * S);
    question(0, "a");
    answer_none(asked, outcome);
    pass(us - 3 * S);
    question(0, "a");
    answer_none(asked, outcome);
    assert_diary("ask:a 0:1/10 ask:a 0:1/2 ask:a 0:1/2");
    pass(3 * S);
    question(0, "a");
    answer_none(asked, outcome);
    assert_diary(old);
}

static void old_addresses_have_an_end(void **state)
{
    until(WEIR_NAME_STALE_MS * (uint64_t)1000, WEIR_NAME_FAILED, "ask:a 0:/2");
}

static void sooner_if_the_name_is_gone(void **state)
{
    until(WEIR_NAME_ABSENT_MS * 1000, WEIR_NAME_ABSENT, "ask:a 0:/2");
}

static void addresses_are_bounded_and_differ(void **state)
{
    char numbers[100];

    question(0, "a");
    answer(asked, 10000, "1211");
    assert_diary("ask:a 0:12/10");
    for (size_t i = 0; i < 99; i++)
        numbers[i] = (char)('0' + i);
    numbers[99] = '\0';
    question(0, "b");
    answer(asked, 10000, numbers);
    diary[0] = '\0';
    assert_int_equal(told_count, WEIR_NAME_ADDRESSES_MAX);
}

static void another_edition(void **state)
{
    question(0, "a");
    answer(asked, 60000, "1");
    weir_name_table_set_edition(table, 1);
    question(0, "a");
    assert_diary("ask:a 0:1/60 ask:a");
    answer(asked, 60000, "2");
    question(0, "a");
    assert_diary("0:2/60 0:2/60");
}

static void names_are_bounded(void **state)
{
    char name[20];

    for (int i = 0; i < WEIR_NAMES_MAX; i++) {
        sprintf(name, "n%d", i);
        question(0, name);
        diary[0] = '\0';
        if (i < LATELY)
            answer(asked, 3600000, "1");
        diary[0] = '\0';
    }
    question(0, "n0");
    question(0, "new"); /* in place of n1 */
    assert_diary("0:1/3600 ask:new");
    question(0, "n0");
    assert_diary("0:1/3600");
    question(0, "n1"); /* in place of n2 */
    assert_diary("ask:n1");
    for (int i = 0; i < LATELY - 2; i++) {
        sprintf(name, "m%d", i);
        question(0, name);
    }
    diary[0] = '\0';
    question(1, "one too many"); /* all wait for their answers */
    assert_diary("1:/2");
}

static void quiet_drop(void *arg, struct weir_known_name *known)
{
}

static int set_up_quietly(void **state)
{
    const weir_name_table_hooks_t hooks = {on_ask, quiet_drop, on_tell, NULL};

    (void)set_up(state);
    weir_name_table_destroy(&table);
    table = weir_name_table_create(&hooks);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_question_for_all),
        TEST(an_answer_may_come_at_once),
        TEST(ttl_has_bounds),
        TEST(asked_again_in_the_last_quarter),
        TEST(doubts),
        TEST(failures_are_remembered),
        TEST(nobody_answers),
        TEST(old_addresses_serve_while_it_fails),
        TEST(a_failure_of_yesterday_says_nothing),
        TEST(old_addresses_have_an_end),
        TEST(sooner_if_the_name_is_gone),
        TEST(addresses_are_bounded_and_differ),
        TEST(another_edition),
        cmocka_unit_test_setup_teardown(names_are_bounded, set_up_quietly, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
