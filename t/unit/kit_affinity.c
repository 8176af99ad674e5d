/* SPDX-License-Identifier: MIT */
/* Values of affinity cookies, the Cookie header they come in, and the Set-Cookie they leave in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/kit/affinity.h"
#include "router/kit/affinity_cookie.h"
#include "unit.h"
#include "weir_span.h"

enum { NOW_S = 1800000000, HOSTILE_VALUES = 1000000, CHANGES_EACH = 3 };

/*
 * What an independent implementation writes:
 *   key, id_key = bytes(range(32)), bytes(range(32, 64))
 *   m = hmac.new(id_key, b"weir-member-1\0shop\0web-1", hashlib.sha256).digest()[:8]
 *   b = bytes([1, 7]) + (1800000000 // 60).to_bytes(4, "big") + m + bytes.fromhex("0123456789abcdef")
 *   t = hmac.new(key, b"weir-affinity-1\0shop\0" + b, hashlib.sha256).digest()[:16]
 *   m.hex(), base64.urlsafe_b64encode(b + t).rstrip(b"=")
 */
static const char known_value[] = "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo";
static const kit_pin_t known_pin = {0xfeb50b8ad367245a, 0x0123456789abcdef, NOW_S, 7};
static const weir_span_t shop = {"shop", 4};
static kit_keys_t keys;

static int keys_open(void **state)
{
    kit_keys_wipe(&keys);
    keys.count = 2;
    keys.at[0].number = 7;
    keys.at[1].number = 200;
    for (size_t i = 0; i < KIT_KEY_BYTES; i++) {
        keys.at[0].key[i] = (uint8_t)i;
        keys.id_key[i] = (uint8_t)(32 + i);
        keys.at[1].key[i] = (uint8_t)(64 + i);
    }
    return 0;
}

static weir_span_t text_span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static kit_pin_fault_t read_value(const char *value)
{
    kit_pin_t pin;

    return kit_affinity_read(&keys, shop, text_span(value), NOW_S, 0, &pin);
}

static void assert_pin(const kit_pin_t *got, const kit_pin_t *wanted)
{
    assert_true(got->member == wanted->member);
    assert_true(got->session_key == wanted->session_key);
    assert_true(got->issued_s == wanted->issued_s);
}

/* xorshift64*, the same on each run */
static uint64_t dice_state;

static uint64_t dice(void)
{
    dice_state ^= dice_state >> 12;
    dice_state ^= dice_state << 25;
    dice_state ^= dice_state >> 27;
    return dice_state * 0x2545f4914f6cdd1d;
}

/* ---- values ---- */

static void another_implementation_is_understood(void **state)
{
    kit_pin_t pin = {0};
    char value[KIT_AFFINITY_TEXT_BYTES + 1];

    assert_true(kit_affinity_member(&keys, shop, WEIR_SPAN("web-1")) == known_pin.member);
    assert_int_equal(kit_affinity_read(&keys, shop, text_span(known_value), NOW_S, 0, &pin), KIT_PIN_FINE);
    assert_pin(&pin, &known_pin);
    assert_true(kit_affinity_write(&keys, shop, &known_pin, value));
    assert_string_equal(value, known_value);
}

static void what_is_written_is_read(void **state)
{
    dice_state = 1;
    for (unsigned i = 0; i < 1000; i++) {
        const kit_pin_t pin = {dice(), dice(), dice() % (UINT64_C(60) << 32) / 60 * 60, 0};
        char value[KIT_AFFINITY_TEXT_BYTES + 1];
        kit_pin_t got;

        assert_true(kit_affinity_write(&keys, shop, &pin, value));
        assert_int_equal(strlen(value), KIT_AFFINITY_TEXT_BYTES);
        assert_int_equal(kit_affinity_read(&keys, shop, text_span(value), pin.issued_s, 1, &got), KIT_PIN_FINE);
        assert_pin(&got, &pin);
    }
}

static void member_ids_are_of_an_app_and_a_key(void **state)
{
    const uint64_t id = kit_affinity_member(&keys, shop, WEIR_SPAN("web-1"));

    assert_true(id != kit_affinity_member(&keys, WEIR_SPAN("blog"), WEIR_SPAN("web-1")));
    assert_true(id != kit_affinity_member(&keys, shop, WEIR_SPAN("web-2")));
    assert_true(id != kit_affinity_member(&keys, WEIR_SPAN("shopw"), WEIR_SPAN("eb-1")));
    keys.id_key[31] ^= 1;
    assert_true(id != kit_affinity_member(&keys, shop, WEIR_SPAN("web-1")));
}

static void a_value_is_for_its_app_only(void **state)
{
    kit_pin_t pin;

    assert_int_equal(kit_affinity_read(&keys, WEIR_SPAN("blog"), text_span(known_value), NOW_S, 0, &pin), KIT_PIN_FORGED);
    assert_int_equal(kit_affinity_read(&keys, WEIR_SPAN("sho"), text_span(known_value), NOW_S, 0, &pin), KIT_PIN_FORGED);
    assert_int_equal(kit_affinity_read(&keys, WEIR_SPAN("shop\0"), text_span(known_value), NOW_S, 0, &pin), KIT_PIN_FORGED);
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    return (int)(strchr(digits, c) - digits);
}

static char digit(int value)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[value];
}

/* Of the 306 bits that 51 characters hold 304 are the value's; the last two must be 0. */
static void a_flipped_bit_is_refused(void **state)
{
    for (unsigned bit = 0; bit < KIT_AFFINITY_TEXT_BYTES * 6; bit++) {
        const unsigned byte = bit / 8;
        char value[sizeof(known_value)];
        kit_pin_fault_t wanted = KIT_PIN_FORGED;

        strcpy(value, known_value);
        value[bit / 6] = digit(digit_of(value[bit / 6]) ^ 32 >> bit % 6);
        if (byte == 0 || byte >= KIT_AFFINITY_BYTES)
            wanted = KIT_PIN_MALFORMED;
        if (byte == 1)
            wanted = KIT_PIN_UNKNOWN_KEY;
        if (read_value(value) != wanted)
            fail_msg("bit %u: %d", bit, read_value(value));
    }
}

static void another_key_is_told_from_a_forgery(void **state)
{
    assert_int_equal(read_value(known_value), KIT_PIN_FINE);
    keys.at[0].key[31] ^= 0x80;
    assert_int_equal(read_value(known_value), KIT_PIN_FORGED);
    keys.at[0].number = 6;
    assert_int_equal(read_value(known_value), KIT_PIN_UNKNOWN_KEY);
    keys.count = 0;
    assert_int_equal(read_value(known_value), KIT_PIN_UNKNOWN_KEY);
}

static void shapes_are_refused(void **state)
{
    static const char *const values[] = {
        "",
        "A",
        "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWD",
        "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDoA",
        "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo=",
        "AQcBycOA/rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo",
        "AQcBycOA+rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo",
        "AQcBycOA rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo",
        "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDp",
        "AgcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo",
        "AAcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo",
        "\"QcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWD\"",
    };
    kit_pin_t pin;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (read_value(values[i]) != KIT_PIN_MALFORMED)
            fail_msg("%s", values[i]);
    assert_int_equal(kit_affinity_read(&keys, shop, (weir_span_t){NULL, 0}, NOW_S, 0, &pin), KIT_PIN_MALFORMED);
}

/* ---- age, keys that end ---- */

static void assert_age(uint64_t now_s, uint64_t max_age_s, kit_pin_fault_t wanted)
{
    kit_pin_t pin = {1, 2, 3, 0};

    if (kit_affinity_read(&keys, shop, text_span(known_value), now_s, max_age_s, &pin) != wanted)
        fail_msg("at %lld of %llu", (long long)now_s - NOW_S, (unsigned long long)max_age_s);
    assert_pin(&pin, wanted == KIT_PIN_FINE ? &known_pin : &(kit_pin_t){1, 2, 3, 0});
}

static void a_value_has_an_age(void **state)
{
    assert_age(NOW_S, 1, KIT_PIN_FINE);
    assert_age(NOW_S + 60, 1, KIT_PIN_FINE); /* it may have been issued 59 s into its minute */
    assert_age(NOW_S + 61, 1, KIT_PIN_TOO_OLD);
    assert_age(NOW_S + 3600 + 59, 3600, KIT_PIN_FINE);
    assert_age(NOW_S + 3600 + 60, 3600, KIT_PIN_TOO_OLD);
    assert_age(NOW_S + UINT64_C(100000000000), 0, KIT_PIN_FINE);
    assert_age(UINT64_MAX, 31536000, KIT_PIN_TOO_OLD);
    assert_age(UINT64_MAX, UINT64_MAX, KIT_PIN_FINE);
}

static void a_value_of_the_future_is_not_believed(void **state)
{
    assert_age(NOW_S - 300, 0, KIT_PIN_FINE);
    assert_age(NOW_S - 301, 0, KIT_PIN_TOO_OLD);
    assert_age(NOW_S - 301, 3600, KIT_PIN_TOO_OLD);
    assert_age(0, 3600, KIT_PIN_TOO_OLD);
}

static void the_first_key_that_is_good_signs(void **state)
{
    char value[KIT_AFFINITY_TEXT_BYTES + 1];
    kit_pin_t pin;

    keys.at[0].not_after_s = NOW_S;
    assert_int_equal(read_value(known_value), KIT_PIN_FINE);
    assert_true(kit_affinity_write(&keys, shop, &known_pin, value));
    assert_string_equal(value, known_value);
    keys.at[0].not_after_s = NOW_S - 1;
    assert_int_equal(read_value(known_value), KIT_PIN_UNKNOWN_KEY);
    assert_true(kit_affinity_write(&keys, shop, &known_pin, value));
    assert_int_equal(kit_affinity_read(&keys, shop, text_span(value), NOW_S, 0, &pin), KIT_PIN_FINE);
    assert_int_equal(strncmp(value, "Acg", 3), 0); /* 01 c8: number 200 */
    keys.at[1].not_after_s = NOW_S - 1;
    assert_false(kit_affinity_write(&keys, shop, &known_pin, value));
    assert_string_equal(value, "");
    keys.count = 0;
    assert_false(kit_affinity_write(&keys, shop, &known_pin, value));
}

static void keys_are_made_of_chance(void **state)
{
    kit_keys_t one, two;
    char value[KIT_AFFINITY_TEXT_BYTES + 1];
    kit_pin_t pin;

    kit_keys_make(&one);
    kit_keys_make(&two);
    assert_memory_not_equal(one.id_key, two.id_key, KIT_KEY_BYTES);
    assert_memory_not_equal(one.at[0].key, two.at[0].key, KIT_KEY_BYTES);
    assert_memory_not_equal(one.at[0].key, one.id_key, KIT_KEY_BYTES);
    assert_true(kit_affinity_write(&one, shop, &known_pin, value));
    assert_int_equal(kit_affinity_read(&one, shop, text_span(value), NOW_S, 0, &pin), KIT_PIN_FINE);
    assert_int_equal(kit_affinity_read(&two, shop, text_span(value), NOW_S, 0, &pin), KIT_PIN_FORGED);
}

/* ---- what others send ---- */

/* Random length, any bytes, in memory that ends where the value does. */
static void send_random(void)
{
    const size_t length = dice() % 8 == 0 ? dice() % 200 : KIT_AFFINITY_TEXT_BYTES;
    char *value = malloc(length + 1);
    kit_pin_t pin;

    for (size_t i = 0; i < length; i++)
        value[i] = length == KIT_AFFINITY_TEXT_BYTES ? digit((int)(dice() % 64)) : (char)dice();
    value = realloc(value, length == 0 ? 1 : length);
    assert_int_not_equal(kit_affinity_read(&keys, shop, (weir_span_t){value, length}, NOW_S, 0, &pin), KIT_PIN_FINE);
    free(value);
}

/* The known one with one to three characters changed: to another digit, or to anything. */
static void send_mutated(void)
{
    char value[sizeof(known_value)];
    kit_pin_t pin;

    strcpy(value, known_value);
    for (uint64_t i = 1 + dice() % CHANGES_EACH; i > 0; i--)
        value[dice() % KIT_AFFINITY_TEXT_BYTES] = dice() % 4 != 0 ? digit((int)(dice() % 64)) : (char)dice();
    if (memcmp(value, known_value, sizeof(value)) == 0)
        return;
    assert_int_not_equal(kit_affinity_read(&keys, shop, (weir_span_t){value, KIT_AFFINITY_TEXT_BYTES}, NOW_S, 0, &pin),
                         KIT_PIN_FINE);
}

static void a_million_values_are_not_believed(void **state)
{
    dice_state = 0x5eed;
    for (unsigned i = 0; i < HOSTILE_VALUES; i++)
        if (i % 2 == 0)
            send_random();
        else
            send_mutated();
}

/* ---- the Cookie header ---- */

#define GOOD "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo"
#define FORGED "AQcBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDs"
#define UNKNOWN "AQYBycOA_rULitNnJFoBI0VniavN7zpbkySWzDMwBhc1y1XpWDo"

static kit_pin_fault_t find(const char *header)
{
    const size_t length = strlen(header);
    char *copy = malloc(length == 0 ? 1 : length);
    kit_pin_t pin = {0};
    kit_pin_fault_t fault;

    memcpy(copy, header, length);
    fault = kit_affinity_find(&keys, shop, (weir_span_t){copy, length}, WEIR_SPAN("pin"), NOW_S, 0, &pin);
    free(copy);
    assert_pin(&pin, fault == KIT_PIN_FINE ? &known_pin : &(kit_pin_t){0});
    return fault;
}

static void a_cookie_is_found(void **state)
{
    static const char *const headers[] = {
        "pin=" GOOD,
        "a=1; pin=" GOOD "; b=2",
        "a=1;pin=" GOOD ";",
        ";; ;\t pin=" GOOD " \t;",
        "pin=\"" GOOD "\"",
        "pin=; pin=" GOOD,
        "pin=" FORGED "; pin=" GOOD,
        "pin=x; pin=" UNKNOWN "; pin=\"\"; pin=\"" GOOD "\"; pin=y",
        "pin; =; pin=" GOOD,
        "Pin=1; pin2=2; apin=3; pin=" GOOD,
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (find(headers[i]) != KIT_PIN_FINE)
            fail_msg("%s", headers[i]);
}

static void another_cookie_is_not(void **state)
{
    static const char *const absent[] = {
        "",
        ";",
        "pin",
        "pin ",
        "=" GOOD,
        GOOD,
        "Pin=" GOOD,
        "pin2=" GOOD,
        "a=pin=" GOOD,
        "pin =" GOOD,
        "a=1; pin; b",
        "pi=1",
        "\"pin=" GOOD "\"",
    };

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (find(absent[i]) != KIT_PIN_ABSENT)
            fail_msg("%s", absent[i]);
    assert_int_equal(find("pin=" GOOD ", a=1"), KIT_PIN_MALFORMED);
    assert_int_equal(find("pin= " GOOD), KIT_PIN_MALFORMED);
    assert_int_equal(find("pin=\"" GOOD), KIT_PIN_MALFORMED);
}

static void the_fault_is_of_the_one_that_went_furthest(void **state)
{
    kit_pin_t pin;

    assert_int_equal(find("pin=x"), KIT_PIN_MALFORMED);
    assert_int_equal(find("pin=x; pin=" UNKNOWN "; pin=y"), KIT_PIN_UNKNOWN_KEY);
    assert_int_equal(find("pin=" FORGED "; pin=" UNKNOWN "; pin=y"), KIT_PIN_FORGED);
    assert_int_equal(kit_affinity_find(&keys, shop, WEIR_SPAN("pin=" FORGED "; pin=" GOOD "; pin=" FORGED), WEIR_SPAN("pin"),
                                       NOW_S + 1000, 1, &pin),
                     KIT_PIN_TOO_OLD);
    assert_int_equal(kit_affinity_find(&keys, shop, (weir_span_t){NULL, 0}, WEIR_SPAN("pin"), NOW_S, 0, &pin), KIT_PIN_ABSENT);
}

/* Each is worth a digest: who sends thousands gets no thousands. */
static void so_many_are_looked_at(void **state)
{
    char header[(KIT_AFFINITY_VALUES_MOST + 1) * 64] = "";

    for (unsigned i = 1; i < KIT_AFFINITY_VALUES_MOST; i++)
        strcat(header, "pin=x; ");
    strcat(header, "pin=" GOOD);
    assert_int_equal(find(header), KIT_PIN_FINE);
    memmove(header + 7, header, strlen(header) + 1);
    memcpy(header, "pin=x; ", 7);
    assert_int_equal(find(header), KIT_PIN_MALFORMED);
}

/* ---- Set-Cookie ---- */

static const kit_cookie_t plain = {.name = "weir-affinity", .path = "/", .is_http_only = true};

static void assert_set_cookie(kit_cookie_t cookie, bool is_https, const char *wanted)
{
    char text[KIT_COOKIE_BYTES];

    assert_null(kit_cookie_problem(&cookie));
    assert_int_equal(kit_cookie_write(&cookie, "V", is_https, text), strlen(wanted));
    assert_string_equal(text, wanted);
}

static void a_cookie_has_its_attributes(void **state)
{
    kit_cookie_t cookie = plain;

    assert_set_cookie(cookie, false, "weir-affinity=V; Path=/; HttpOnly; SameSite=Lax");
    assert_set_cookie(cookie, true, "weir-affinity=V; Path=/; HttpOnly; Secure; SameSite=Lax");
    cookie.is_http_only = false;
    cookie.secure = KIT_SECURE_ON;
    cookie.same_site = KIT_SAME_SITE_STRICT;
    cookie.max_age_s = 31536000;
    assert_set_cookie(cookie, false, "weir-affinity=V; Path=/; Max-Age=31536000; Secure; SameSite=Strict");
    cookie = (kit_cookie_t){.name = "__Host-a", .path = "/", .secure = KIT_SECURE_ON, .same_site = KIT_SAME_SITE_OMIT};
    assert_set_cookie(cookie, false, "__Host-a=V; Path=/; Secure");
    cookie = (kit_cookie_t){.name = "a", .path = "/shop", .domain = "shop.example", .secure = KIT_SECURE_OFF};
    assert_set_cookie(cookie, true, "a=V; Path=/shop; Domain=shop.example; SameSite=Lax");
}

static void what_needs_secure_goes_with_it(void **state)
{
    kit_cookie_t cookie = plain;

    cookie.same_site = KIT_SAME_SITE_NONE;
    cookie.is_partitioned = true;
    assert_set_cookie(cookie, true, "weir-affinity=V; Path=/; HttpOnly; Secure; SameSite=None; Partitioned");
    assert_set_cookie(cookie, false, "weir-affinity=V; Path=/; HttpOnly");
}

static void any_settings_fit(void **state)
{
    char name[KIT_COOKIE_NAME_BYTES + 2], path[KIT_COOKIE_PATH_BYTES + 2], domain[KIT_COOKIE_DOMAIN_BYTES + 2];
    char text[KIT_COOKIE_BYTES], value[KIT_COOKIE_BYTES];
    kit_cookie_t cookie = {name, path, domain, UINT32_MAX, true, true, KIT_SECURE_ON, KIT_SAME_SITE_STRICT};
    size_t length;

    memset(name, 'n', sizeof(name));
    memset(path, '/', sizeof(path));
    memset(domain, 'd', sizeof(domain));
    name[KIT_COOKIE_NAME_BYTES] = path[KIT_COOKIE_PATH_BYTES] = domain[KIT_COOKIE_DOMAIN_BYTES] = '\0';
    assert_null(kit_cookie_problem(&cookie));
    length = kit_cookie_write(&cookie, known_value, true, text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text + length - 13, "; Partitioned");
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(kit_cookie_write(&cookie, value, true, text), 0);
    assert_string_equal(text, "");
    name[KIT_COOKIE_NAME_BYTES] = 'n';
    name[KIT_COOKIE_NAME_BYTES + 1] = '\0';
    assert_non_null(kit_cookie_problem(&cookie));
}

static void assert_problem(kit_cookie_t cookie, const char *part)
{
    const char *problem = kit_cookie_problem(&cookie);

    if (problem == NULL)
        fail_msg("nothing about %s", part);
    assert_contains(problem, part);
}

static void names_that_nobody_can_set(void **state)
{
    static const char *const names[] = {"", "a b", "a;b", "a=b", "a\r\nb", "a\"", "a,b", "\xc3\xa4", "a/b", "a(b"};
    kit_cookie_t cookie = plain;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cookie.name = names[i];
        assert_problem(cookie, "is a token");
    }
    cookie.name = "__secure-a";
    assert_problem(cookie, "__Secure- needs");
    cookie.name = "__Host-a";
    assert_problem(cookie, "__Host- needs");
    cookie.secure = KIT_SECURE_ON;
    assert_null(kit_cookie_problem(&cookie));
    cookie.path = "/a";
    assert_problem(cookie, "__Host- needs");
    cookie.path = "/";
    cookie.domain = "a.example";
    assert_problem(cookie, "__Host- needs");
}

static void paths_and_domains_that_nobody_can_set(void **state)
{
    static const char *const paths[] = {"", "a", "/a b", "/a;Domain=b", "/a\r\n", "/\x7f", "/\xc3\xa4", "/\t"};
    static const char *const domains[] = {"", ".", ".a", "a.", "a..b", "a;b", "a b", "a\r\nb", "a_b", "[::1]"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_problem((kit_cookie_t){.name = "a", .path = paths[i]}, "the path of a cookie");
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        assert_problem((kit_cookie_t){.name = "a", .path = "/", .domain = domains[i]}, "the domain of a cookie");
    assert_problem((kit_cookie_t){.name = "a", .path = "/", .secure = KIT_SECURE_OFF, .same_site = KIT_SAME_SITE_NONE},
                   "same-site: none needs");
    assert_problem((kit_cookie_t){.name = "a", .path = "/", .secure = KIT_SECURE_OFF, .is_partitioned = true},
                   "partitioned: ON needs");
}

#define WITH_KEYS(test) cmocka_unit_test_setup(test, keys_open)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEYS(another_implementation_is_understood),
        WITH_KEYS(what_is_written_is_read),
        WITH_KEYS(member_ids_are_of_an_app_and_a_key),
        WITH_KEYS(a_value_is_for_its_app_only),
        WITH_KEYS(a_flipped_bit_is_refused),
        WITH_KEYS(another_key_is_told_from_a_forgery),
        WITH_KEYS(shapes_are_refused),
        WITH_KEYS(a_value_has_an_age),
        WITH_KEYS(a_value_of_the_future_is_not_believed),
        WITH_KEYS(the_first_key_that_is_good_signs),
        WITH_KEYS(keys_are_made_of_chance),
        WITH_KEYS(a_million_values_are_not_believed),
        WITH_KEYS(a_cookie_is_found),
        WITH_KEYS(another_cookie_is_not),
        WITH_KEYS(the_fault_is_of_the_one_that_went_furthest),
        WITH_KEYS(so_many_are_looked_at),
        cmocka_unit_test(a_cookie_has_its_attributes),
        cmocka_unit_test(what_needs_secure_goes_with_it),
        cmocka_unit_test(any_settings_fit),
        cmocka_unit_test(names_that_nobody_can_set),
        cmocka_unit_test(paths_and_domains_that_nobody_can_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
