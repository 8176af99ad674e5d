/* SPDX-License-Identifier: MIT */
#include "tell.h"

#include <stdio.h>

#include "alloc.h"
#include "instance.h"
#include "pin.h"

enum { FIRST_PRINTED = 0x21, LAST_PRINTED = 0x7e, RESERVED_BYTES = 64 };

typedef struct text {
    char *at;
    size_t length;
} text_t;

void kit_tell_begin(kit_lease_t *lease, const weir_request_t *request)
{
    if (lease->told == NULL && weir_request_may_explain(request))
        lease->told = kit_alloc(1, sizeof(*lease->told));
}

kit_drawn_t *kit_tell_drawn(const kit_lease_t *lease)
{
    return lease->told == NULL ? NULL : &lease->told->drawn;
}

void weir_lease_found(weir_lease_t *opaque, const weir_kit_t *kit, const weir_request_t *request)
{
    kit_lease_t *lease = kit_lease_of(opaque);

    kit_tell_begin(lease, request);
    if (lease->told != NULL)
        lease->told->found = kit_domains_find(kit->domains, weir_request_host(request), weir_request_path(request));
}

/* What would end the word, or is not for a header, becomes a question mark. */
static void add(text_t *text, const char *word)
{
    for (; *word != '\0' && text->length < KIT_TELL_BYTES - 1; word++) {
        const bool is_plain = *word >= FIRST_PRINTED && *word <= LAST_PRINTED;
        text->at[text->length++] = is_plain ? *word : '?';
    }
}

static void add_key(text_t *text, const char *key)
{
    if (text->length > 0)
        text->at[text->length++] = ' ';
    add(text, key);
}

static void add_number(text_t *text, const char *key, unsigned number)
{
    char digits[16];

    add_key(text, key);
    snprintf(digits, sizeof(digits), "%u", number);
    add(text, digits);
}

static void add_drawn(text_t *text, const kit_drawn_t *drawn)
{
    char numbers[32];

    if (drawn->count == 0)
        return;
    add_key(text, "drawn=");
    for (size_t i = 0; i < drawn->count; i++) {
        if (text->length + strlen(drawn->at[i].id) + sizeof(numbers) + RESERVED_BYTES > KIT_TELL_BYTES)
            return;
        snprintf(numbers, sizeof(numbers), ":%u/%u", (unsigned)drawn->at[i].in_flight, (unsigned)drawn->at[i].handicap);
        add(text, i == 0 ? "" : ",");
        add(text, drawn->at[i].id);
        add(text, numbers);
    }
}

size_t kit_tell_write(const kit_lease_t *lease, char out[static KIT_TELL_BYTES])
{
    text_t text = {out, 0};
    const char *pin = kit_pin_word(lease), *how = kit_lease_how(lease);
    char app[KIT_TELL_BYTES / 4];

    if (lease->told == NULL)
        return 0;
    snprintf(app, sizeof(app), "%s", lease->set->name);
    add_key(&text, "app=");
    add(&text, app);
    add_key(&text, "rule=");
    add(&text, kit_match_word(lease->told->found.match));
    add(&text, lease->told->found.prefix_bytes > 0 ? ",prefix" : "");
    add_key(&text, "pick=");
    add(&text, how == NULL ? "none" : how);
    add_drawn(&text, &lease->told->drawn);
    add_number(&text, "queue=", lease->waited_ms);
    add_number(&text, "tries=", lease->picks);
    add_key(&text, "pin=");
    add(&text, pin == NULL ? "none" : pin);
    return text.length;
}
