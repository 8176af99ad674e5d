/* SPDX-License-Identifier: MIT */
/*
 * What clients send and people write for affinity cookies. The first byte chooses; the rest is
 *
 *   v  a value: whatever is believed is the one way to write what it says
 *   c  a Cookie header: what is found stands in it
 *   k  a key file: what is taken has an id, a key, and no number twice
 *   s  settings, divided by NUL: what has no problem makes one header line of the attributes it was given
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "router/kit/affinity.h"
#include "router/kit/affinity_cookie.h"
#include "weir_span.h"

enum { NOW_S = 1800000000, MAX_AGE_S = 3600 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static const weir_span_t app = {"shop", 4};

/* Those of the unit test, so that its values stand in the corpus. */
static const kit_keys_t *keys_of_test(void)
{
    static kit_keys_t keys;

    if (keys.count > 0)
        return &keys;
    keys.count = 1;
    keys.at[0].number = 7;
    for (size_t i = 0; i < KIT_KEY_BYTES; i++)
        keys.at[0].key[i] = (uint8_t)i;
    return &keys;
}

static void check_pin(const kit_pin_t *pin, weir_span_t value)
{
    char text[KIT_AFFINITY_TEXT_BYTES + 1];

    WEIR_MUST(pin->issued_s % 60 == 0 && pin->issued_s <= NOW_S + 300 && pin->issued_s + MAX_AGE_S + 60 > NOW_S);
    WEIR_MUST(kit_affinity_write(keys_of_test(), app, pin, text));
    WEIR_MUST(memmem(value.base, value.len, text, KIT_AFFINITY_TEXT_BYTES) != NULL);
}

static void check_value(weir_span_t value)
{
    kit_pin_t pin = {0};

    if (kit_affinity_read(keys_of_test(), app, value, NOW_S, MAX_AGE_S, &pin) != KIT_PIN_FINE) {
        WEIR_MUST(pin.member == 0 && pin.session_key == 0 && pin.issued_s == 0);
        return;
    }
    WEIR_MUST(value.len == KIT_AFFINITY_TEXT_BYTES);
    check_pin(&pin, value);
}

static void check_header(weir_span_t header)
{
    kit_pin_t pin;
    const kit_pin_fault_t fault = kit_affinity_find(keys_of_test(), app, header, WEIR_SPAN("p"), NOW_S, MAX_AGE_S, &pin);

    if (fault == KIT_PIN_FINE)
        check_pin(&pin, header);
    if (fault != KIT_PIN_ABSENT)
        WEIR_MUST(memmem(header.base, header.len, "p=", 2) != NULL);
    else
        WEIR_MUST(weir_span_cookie(header, WEIR_SPAN("p")).base == NULL);
}

static void check_key_file(weir_span_t text)
{
    static int fd = -1;
    char path[40], problem[300] = "";
    kit_keys_t keys;

    if (fd < 0)
        fd = memfd_create("keys", MFD_CLOEXEC);
    WEIR_MUST(fd >= 0 && fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0);
    WEIR_MUST(pwrite(fd, text.base, text.len, 0) == (ssize_t)text.len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (!kit_keys_read(path, &keys, problem, sizeof(problem))) {
        WEIR_MUST(strncmp(problem, path, strlen(path)) == 0 && keys.count == 0);
        return;
    }
    WEIR_MUST(problem[0] == '\0' && keys.count >= 1 && keys.count <= KIT_KEYS_MOST);
    for (size_t i = 0; i < keys.count; i++)
        WEIR_MUST(kit_keys_find(&keys, keys.at[i].number, keys.at[i].not_after_s) == &keys.at[i]);
    kit_keys_wipe(&keys);
}

/* The next text of the settings; empty behind the last. */
static const char *next_text(const char **at, const char *end)
{
    const char *text = *at;

    if (text >= end)
        return "";
    *at = text + strlen(text) + 1;
    return text;
}

static void check_settings(const char *at, const char *end)
{
    const char *flags = next_text(&at, end), *name = next_text(&at, end), *path = next_text(&at, end);
    const char *domain = next_text(&at, end);
    const unsigned bits = (unsigned char)flags[0];
    const kit_cookie_t cookie = {name,
                                 path,
                                 domain[0] == '\0' ? NULL : domain,
                                 bits & 1 ? 60 : 0,
                                 (bits & 2) != 0,
                                 (bits & 4) != 0,
                                 (kit_secure_t)((bits >> 3 & 3) % 3),
                                 (kit_same_site_t)(bits >> 5 & 3)};
    char text[KIT_COOKIE_BYTES];
    size_t length, attributes = 0;

    if (kit_cookie_problem(&cookie) != NULL)
        return;
    length = kit_cookie_write(&cookie, "v", bits >> 7 != 0, text);
    WEIR_MUST(length > 0 && length < KIT_COOKIE_BYTES && text[length] == '\0');
    for (size_t i = 0; i < length; i++) {
        WEIR_MUST(text[i] >= ' ' && text[i] <= '~');
        attributes += text[i] == ';';
    }
    WEIR_MUST(attributes >= 1 && attributes <= 7 && strncmp(text, name, strlen(name)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    weir_span_t rest;
    char *texts;

    if (length == 0)
        return 0;
    rest = (weir_span_t){(const char *)input + 1, length - 1};
    if (input[0] == 'v')
        check_value(rest);
    if (input[0] == 'c')
        check_header(rest);
    if (input[0] == 'k')
        check_key_file(rest);
    if (input[0] != 's')
        return 0;
    texts = calloc(1, length);
    WEIR_MUST(texts != NULL);
    memcpy(texts, rest.base, rest.len);
    check_settings(texts, texts + length);
    free(texts);
    return 0;
}
