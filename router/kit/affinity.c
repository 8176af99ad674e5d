/* SPDX-License-Identifier: MIT */
#include "affinity.h"

#include <string.h>

#include "weir_digest.h"
#include "weir_span.h"

enum {
    VERSION = 1,
    KEY_AT = 1,
    MINUTES_AT = 2,
    MEMBER_AT = 6,
    SESSION_AT = 14,
    MAC_AT = 22,
    MAC_BYTES = KIT_AFFINITY_BYTES - MAC_AT,
    MINUTE_S = 60,
    FUTURE_MOST_S = 300,
};

static const weir_span_t nul = {"", 1};

/* ---- bytes ---- */

static void put_number(uint8_t *at, uint64_t number, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; number >>= 8)
        at[i] = (uint8_t)number;
}

static uint64_t number_at(const uint8_t *at, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

/* Takes as long whatever they hold. */
static bool is_same_secret(const volatile uint8_t *a, const volatile uint8_t *b, size_t bytes)
{
    unsigned difference = 0;

    for (size_t i = 0; i < bytes; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

/* ---- base64url (RFC 4648 §5) ---- */

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* One text for each 38 bytes: the two bits of the last digit that hold nothing must be 0. */
static bool decode(weir_span_t text, uint8_t out[KIT_AFFINITY_BYTES])
{
    unsigned bits = 0, held = 0;
    size_t length = 0;

    if (text.len != KIT_AFFINITY_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < KIT_AFFINITY_TEXT_BYTES; i++) {
        const int digit = digit_of(text.base[i]);

        if (digit < 0)
            return false;
        bits = (bits & 0xff) << 6 | (unsigned)digit;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        out[length++] = (uint8_t)(bits >> held);
    }
    return (bits & ((1U << held) - 1)) == 0;
}

static void encode(const uint8_t bytes[KIT_AFFINITY_BYTES], char out[KIT_AFFINITY_TEXT_BYTES + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, held = 0;
    size_t length = 0;

    for (size_t i = 0; i < KIT_AFFINITY_BYTES; i++) {
        bits = (bits & 0xff) << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            out[length++] = digits[bits >> (held - 6) & 63];
    }
    out[length++] = digits[bits << (6 - held) & 63];
    out[length] = '\0';
}

/* ---- values ---- */

uint64_t kit_affinity_member(const kit_keys_t *keys, weir_span_t app, weir_span_t id)
{
    const weir_span_t pieces[] = {WEIR_SPAN("weir-member-1\0"), app, nul, id};
    uint8_t digest[WEIR_SHA256_BYTES];

    weir_hmac_sha256((weir_span_t){(const char *)keys->id_key, KIT_KEY_BYTES}, pieces, 4, digest);
    return number_at(digest, 8);
}

static void sign(const kit_key_t *key, weir_span_t app, const uint8_t bytes[MAC_AT], uint8_t out[WEIR_SHA256_BYTES])
{
    const weir_span_t pieces[] = {WEIR_SPAN("weir-affinity-1\0"), app, nul, {(const char *)bytes, MAC_AT}};

    weir_hmac_sha256((weir_span_t){(const char *)key->key, KIT_KEY_BYTES}, pieces, 4, out);
}

static bool is_signed(const kit_key_t *key, weir_span_t app, const uint8_t bytes[KIT_AFFINITY_BYTES])
{
    uint8_t digest[WEIR_SHA256_BYTES];
    bool is_same;

    sign(key, app, bytes, digest);
    is_same = is_same_secret(digest, bytes + MAC_AT, MAC_BYTES);
    explicit_bzero(digest, sizeof(digest)); /* what the sender has tried to guess */
    return is_same;
}

kit_pin_fault_t kit_affinity_read(const kit_keys_t *keys, weir_span_t app, weir_span_t value, uint64_t now_s,
                                  uint64_t max_age_s, kit_pin_t *out)
{
    uint8_t bytes[KIT_AFFINITY_BYTES];
    const kit_key_t *key;
    uint64_t issued_s;

    if (!decode(value, bytes) || bytes[0] != VERSION)
        return KIT_PIN_MALFORMED;
    key = kit_keys_find(keys, bytes[KEY_AT], now_s);
    if (key == NULL)
        return KIT_PIN_UNKNOWN_KEY;
    if (!is_signed(key, app, bytes))
        return KIT_PIN_FORGED;
    issued_s = number_at(bytes + MINUTES_AT, MEMBER_AT - MINUTES_AT) * MINUTE_S;
    if (issued_s > now_s && issued_s - now_s > FUTURE_MOST_S)
        return KIT_PIN_TOO_OLD;
    if (max_age_s != 0 && now_s >= issued_s + MINUTE_S && now_s - issued_s - (MINUTE_S - 1) > max_age_s)
        return KIT_PIN_TOO_OLD;
    *out = (kit_pin_t){number_at(bytes + MEMBER_AT, 8), number_at(bytes + SESSION_AT, 8), issued_s, key->number};
    return KIT_PIN_FINE;
}

bool kit_affinity_write(const kit_keys_t *keys, weir_span_t app, const kit_pin_t *pin, char out[KIT_AFFINITY_TEXT_BYTES + 1])
{
    const kit_key_t *key = kit_keys_signer(keys, pin->issued_s);
    uint8_t bytes[KIT_AFFINITY_BYTES], digest[WEIR_SHA256_BYTES];

    out[0] = '\0';
    if (key == NULL)
        return false;
    bytes[0] = VERSION;
    bytes[KEY_AT] = key->number;
    put_number(bytes + MINUTES_AT, pin->issued_s / MINUTE_S, MEMBER_AT - MINUTES_AT);
    put_number(bytes + MEMBER_AT, pin->member, 8);
    put_number(bytes + SESSION_AT, pin->session_key, 8);
    sign(key, app, bytes, digest);
    memcpy(bytes + MAC_AT, digest, MAC_BYTES);
    encode(bytes, out);
    return true;
}

/* ---- the Cookie header ---- */

static weir_span_t trim(weir_span_t span)
{
    while (span.len > 0 && (span.base[0] == ' ' || span.base[0] == '\t'))
        span = (weir_span_t){span.base + 1, span.len - 1};
    while (span.len > 0 && (span.base[span.len - 1] == ' ' || span.base[span.len - 1] == '\t'))
        span.len--;
    return span;
}

/* Cuts the next pair off `rest`, which is not empty. */
static weir_span_t next_pair(weir_span_t *rest)
{
    const char *end = memchr(rest->base, ';', rest->len);
    const weir_span_t pair = {rest->base, end == NULL ? rest->len : (size_t)(end - rest->base)};
    const size_t taken = pair.len + (end != NULL);

    *rest = (weir_span_t){rest->base + taken, rest->len - taken};
    return trim(pair);
}

/* Whether the pair is "name=value"; the quotes of a value are no part of it. */
static bool is_named(weir_span_t pair, weir_span_t name, weir_span_t *out_value)
{
    weir_span_t value;

    if (pair.len <= name.len || !weir_span_starts_with(pair, name) || pair.base[name.len] != '=')
        return false;
    value = (weir_span_t){pair.base + name.len + 1, pair.len - name.len - 1};
    if (value.len >= 2 && value.base[0] == '"' && value.base[value.len - 1] == '"')
        value = (weir_span_t){value.base + 1, value.len - 2};
    *out_value = value;
    return true;
}

kit_pin_fault_t kit_affinity_find(const kit_keys_t *keys, weir_span_t app, weir_span_t cookie_header, weir_span_t name,
                                  uint64_t now_s, uint64_t max_age_s, kit_pin_t *out)
{
    kit_pin_fault_t furthest = KIT_PIN_ABSENT;
    weir_span_t value;

    for (unsigned looked_at = 0; cookie_header.len > 0 && looked_at < KIT_AFFINITY_VALUES_MOST;) {
        kit_pin_fault_t fault;

        if (!is_named(next_pair(&cookie_header), name, &value))
            continue;
        fault = kit_affinity_read(keys, app, value, now_s, max_age_s, out);
        if (fault == KIT_PIN_FINE)
            return KIT_PIN_FINE;
        furthest = fault > furthest ? fault : furthest;
        looked_at++;
    }
    return furthest;
}
