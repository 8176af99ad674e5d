/* SPDX-License-Identifier: MIT */
#include "router/state_text.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

struct weir_state_text {
    _Atomic uint32_t holders;
    char json[];
};

weir_state_text_t *weir_state_text_create(const char *json)
{
    const size_t bytes = strlen(json) + 1;
    weir_state_text_t *text = malloc(sizeof(*text) + bytes);

    WEIR_MUST(text != NULL);
    atomic_init(&text->holders, 1);
    memcpy(text->json, json, bytes);
    return text;
}

weir_state_text_t *weir_state_text_hold(weir_state_text_t *text)
{
    if (text != NULL)
        atomic_fetch_add_explicit(&text->holders, 1, memory_order_relaxed);
    return text;
}

void weir_state_text_release(weir_state_text_t *text)
{
    if (text != NULL && atomic_fetch_sub_explicit(&text->holders, 1, memory_order_acq_rel) == 1)
        free(text);
}

const char *weir_state_text_json(const weir_state_text_t *text)
{
    return text == NULL ? NULL : text->json;
}
