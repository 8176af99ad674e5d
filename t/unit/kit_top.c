/* SPDX-License-Identifier: MIT */
/* GET …/top of a kit: which apps it looks at, in which order, and what it counts of them. */
#include "kit_queue_world.h"

#include "lib/walk/steward.h"
#include "router/kit/top.h"

enum { MANY = 1200, TEXT_BYTES = 1 << 20, TICKS_UNTIL_IDLE = 102 };

static const char few[] = "name: top\n"
                          "apps:\n"
                          "  tight: { domains: [a], backends: [\"127.0.0.1:1001\", \"127.0.0.1:1002\"] }\n"
                          "  whole: { domains: [b], backends: [\"127.0.0.1:1001\"] }\n"
                          "  held: { domains: [c], backends: [{ at: \"127.0.0.1:1001\", state: draining }] }\n";

static void open_one(const char *text)
{
    read_shape(0, text);
    open_world(1);
    weir_grace_join(&workers[0].reader);
}

static void close_all(void)
{
    close_world();
    weir_grace_part(&workers[0].reader);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

static void ask_once(size_t app, uint16_t status)
{
    seat_t *seat = &workers[0].seats[0];

    workers[0].loop.now_us = weir_clock_monotonic_us();
    workers[0].dice++;
    new_request_of(&workers[0], seat, app, 0);
    check_out(seat);
    take_answer(&workers[0], seat);
    send_request(seat);
    get_head(seat, status);
    check_in(seat, WEIR_CONNECTED, NULL);
    end_request(seat);
    assert_nothing_is_wrong();
}

static json_t *document_of(kit_top_order_t order, size_t limit)
{
    pthread_mutex_lock(&kit_in_force->instance->lock);
    json_t *document = kit_top_document(kit_in_force, order, limit);
    pthread_mutex_unlock(&kit_in_force->instance->lock);
    assert_non_null(document);
    return document;
}

static int64_t number_in(const json_t *document, const char *key)
{
    assert_true(json_is_integer(json_object_get(document, key)));
    return json_integer_value(json_object_get(document, key));
}

static const json_t *app_at(const json_t *document, size_t index)
{
    return json_array_get(json_object_get(document, "apps"), index);
}

static const char *name_at(const json_t *document, size_t index)
{
    return json_string_value(json_object_get(app_at(document, index), "app"));
}

static void all_of_few_are_there(void **state)
{
    open_one(few);
    json_t *document = document_of(KIT_TOP_REQUESTS, 10);
    assert_int_equal(number_in(document, "total"), 3);
    assert_int_equal(number_in(document, "looked_at"), 3);
    assert_string_equal(name_at(document, 0), "held");
    assert_int_equal(number_in(json_object_get(app_at(document, 0), "members"), "draining"), 1);
    assert_int_equal(number_in(json_object_get(app_at(document, 1), "members"), "up"), 2);
    assert_int_equal(number_in(app_at(document, 1), "requests"), 0);
    json_decref(document);
    close_all();
}

static void what_is_answered_is_summed_up_by_ticks(void **state)
{
    open_one(few);
    for (int i = 0; i < 20; i++)
        ask_once(APP_TIGHT, i < 5 ? 500 : 200);
    ask_once(APP_WHOLE, 200);
    kit_tick(kit_in_force);
    json_t *document = document_of(KIT_TOP_REQUESTS, 10);
    assert_string_equal(name_at(document, 0), "tight");
    assert_int_equal(number_in(app_at(document, 0), "requests"), 20);
    assert_int_equal(number_in(app_at(document, 0), "failures"), 5);
    assert_int_equal(number_in(app_at(document, 0), "answers_10s"), 20);
    assert_int_equal(number_in(app_at(document, 0), "in_flight"), 0);
    assert_int_equal(number_in(app_at(document, 1), "requests"), 1);
    json_decref(document);
    for (int i = 0; i < 3; i++)
        kit_tick(kit_in_force); /* nothing is counted twice */
    document = document_of(KIT_TOP_ERRORS, 1);
    assert_int_equal(json_array_size(json_object_get(document, "apps")), 1);
    assert_int_equal(number_in(app_at(document, 0), "requests"), 20);
    json_decref(document);
    close_all();
}

/* Of many only those that somebody has wanted something of. */
static void idle_apps_are_not_looked_at(void **state)
{
    char *text = malloc(TEXT_BYTES);
    int length = snprintf(text, TEXT_BYTES, "%s", few);

    for (int i = 0; i < MANY; i++)
        length += snprintf(text + length, TEXT_BYTES - (size_t)length,
                           "  app-%d: { domains: [d%d], backends: [\"127.0.0.1:1001\"] }\n", i, i);
    open_one(text);
    free(text);
    json_t *document = document_of(KIT_TOP_REQUESTS, 10);
    assert_int_equal(number_in(document, "total"), MANY + 3);
    assert_int_equal(number_in(document, "looked_at"), 0);
    json_decref(document);
    ask_once(APP_WHOLE, 200);
    kit_tick(kit_in_force);
    document = document_of(KIT_TOP_REQUESTS, 10);
    assert_int_equal(number_in(document, "looked_at"), 1);
    json_decref(document);
    for (int i = 0; i < TICKS_UNTIL_IDLE; i++)
        kit_tick(kit_in_force);
    document = document_of(KIT_TOP_REQUESTS, 10); /* it rests, and its counters are there */
    assert_int_equal(number_in(document, "looked_at"), 1);
    assert_string_equal(name_at(document, 0), "whole");
    assert_int_equal(number_in(app_at(document, 0), "requests"), 1);
    json_decref(document);
    close_all();
}

static void orders_are_words(void **state)
{
    kit_top_order_t order;

    assert_true(kit_top_order_read((weir_span_t){NULL, 0}, &order) && order == KIT_TOP_REQUESTS);
    assert_true(kit_top_order_read((weir_span_t){"latency", 7}, &order) && order == KIT_TOP_LATENCY);
    assert_true(kit_top_order_read((weir_span_t){"queue", 5}, &order) && order == KIT_TOP_QUEUE);
    assert_false(kit_top_order_read((weir_span_t){"size", 4}, &order));
    assert_false(kit_top_order_read((weir_span_t){"", 0}, &order));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_few_are_there),
        cmocka_unit_test(what_is_answered_is_summed_up_by_ticks),
        cmocka_unit_test(idle_apps_are_not_looked_at),
        cmocka_unit_test(orders_are_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
