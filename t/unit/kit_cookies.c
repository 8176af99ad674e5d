/* SPDX-License-Identifier: MIT */
/* A million cookies that nobody has signed: none of them pins, none does harm. WEIR_STEPS says another number. */
#include "kit_queue_world.h"

#include "lib/walk/steward.h"

enum { COOKIES = 1000000, TEXT_BYTES = 256, FLIPS_MOST = 4, KINDS = 5 };

#define APP                                                                                                                    \
    "name: crowd\napps:\n  pinned:\n    domains: [\"*\"]\n    affinity: ON\n    backends:\n"                                   \
    "      - { at: \"127.0.0.1:1000\", id: m0 }\n      - { at: \"127.0.0.1:1001\", id: m1 }\n"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static worker_t *const worker = &workers[0];

static uint64_t dice(uint64_t below)
{
    return roll(&worker->dice, below);
}

static size_t write_letters(char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text[i] = letters[dice(sizeof(letters) - 1)];
    return count;
}

static size_t write_name(char *text)
{
    memcpy(text, "weir-affinity=", 14);
    return 14;
}

/* What was signed, with some of its bits the other way round. */
static size_t write_flipped(char *text)
{
    const seat_t *seat = &worker->seats[1];
    const size_t length = strlen(seat->cookie_text);

    memcpy(text, seat->cookie_text, length);
    for (uint64_t flips = 1 + dice(FLIPS_MOST); flips > 0; flips--) {
        char *at = &text[14 + dice(length - 14)], before = *at;
        while (*at == before)
            *at = letters[dice(sizeof(letters) - 1)];
    }
    return memcmp(text, seat->cookie_text, length) == 0 ? write_flipped(text) : length;
}

static size_t write_bytes(char *text)
{
    const size_t length = dice(TEXT_BYTES - 14);

    for (size_t i = 0; i < length; i++)
        text[i] = (char)(1 + dice(255));
    return length;
}

/* As long as a right one, of the same letters; of another length; with bits changed; any bytes; or some of these in a row. */
static size_t write_cookie(char *text, uint64_t kind)
{
    size_t length;

    switch (kind) {
    case 0:
        return write_name(text) + write_letters(text + 14, KIT_AFFINITY_TEXT_BYTES);
    case 1:
        return write_name(text) + write_letters(text + 14, dice(2 * (uint64_t)KIT_AFFINITY_TEXT_BYTES));
    case 2:
        return write_flipped(text);
    case 3:
        return write_name(text) + write_bytes(text + 14);
    default:
        length = write_cookie(text, dice(2));
        memcpy(text + length, "; ", 2);
        return length + 2 + write_flipped(text + length + 2);
    }
}

static void ask_with(seat_t *seat, const char *text, size_t length)
{
    const kit_lease_t *lease = kit_lease_of(&seat->lease);

    new_request_of(worker, seat, APP_PINNED, 0);
    seat->x.request.scheme = WEIR_SPAN("http");
    bring(seat, (weir_span_t){text, length});
    check_out(seat);
    assert_true(is_answered(seat));
    take_answer(worker, seat);
    assert_nothing_is_wrong();
    if (lease->pin_state != KIT_PIN_NEW || lease->pinned != NULL || lease->how == KIT_BY_PIN)
        fail_msg("pinned by '%.*s'", (int)length, text);
    get_head(seat, 200);
    assert_true(lease->writes_pin);
    check_in(seat, WEIR_CONNECTED, NULL);
    end_request(seat);
}

static void none_of_them_pins(void **state)
{
    seat_t *seat = &worker->seats[0], *right = &worker->seats[1];
    const uint64_t seed = number_of("WEIR_SEED", 20261130), count = number_of("WEIR_STEPS", COOKIES);
    char text[2 * TEXT_BYTES];

    read_shape(0, APP);
    open_world(seed);
    weir_grace_join(&worker->reader);
    worker->loop.now_us = weir_clock_monotonic_us();
    worker->loop.wall_offset_us = weir_clock_wall_us() - worker->loop.now_us;
    new_request_of(worker, right, APP_PINNED, 1);
    bring_a_cookie(worker, right, 1);
    for (uint64_t i = 0; i < count; i++)
        ask_with(seat, text, write_cookie(text, i % KINDS));
    check_out(right); /* but the right one does */
    take_answer(worker, right);
    assert_int_equal(kit_lease_of(&right->lease)->pin_state, KIT_PIN_KEPT);
    assert_string_equal(kit_lease_of(&right->lease)->member->id, "m1");
    get_head(right, 200);
    check_in(right, WEIR_CONNECTED, NULL);
    end_request(right);
    close_world();
    weir_grace_part(&worker->reader);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_of_them_pins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
