/* SPDX-License-Identifier: MIT */
#include "domains_value.h"

#include <string.h>

#include "alloc.h"

typedef struct prefix {
    void *app;
    weir_span_t text; /* behind the list's last prefix */
} prefix_t;

/* The longest first. */
typedef struct list {
    void *app; /* of all other paths; NULL: none */
    size_t bytes, count;
    prefix_t at[];
} list_t;

/* What a list is made of. Texts are borrowed. */
typedef struct draft {
    void *app;
    size_t count;
    prefix_t at[KIT_PREFIXES_MOST];
} draft_t;

static void *pointer_of(uint64_t value)
{
    return (void *)(uintptr_t)(value & KIT_POINTER_BITS);
}

static uint64_t word_of(const void *pointer)
{
    if (((uint64_t)(uintptr_t)pointer & ~KIT_POINTER_BITS) != 0)
        abort(); /* it would be another one when it is read */
    return (uint64_t)(uintptr_t)pointer;
}

static const list_t *list_of(uint64_t value)
{
    return (value & KIT_VALUE_IS_LIST) != 0 ? pointer_of(value) : NULL;
}

static bool is_equal(weir_span_t a, weir_span_t b)
{
    return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

/* Whole segments: "/api" is a prefix of "/api", "/api/x" and "/api?x", but not of "/apis". */
static bool is_below(weir_span_t path, weir_span_t prefix)
{
    if (path.len < prefix.len || memcmp(path.base, prefix.base, prefix.len) != 0)
        return false;
    return path.len == prefix.len || path.base[prefix.len] == '/' || path.base[prefix.len] == '?' ||
           path.base[prefix.len] == '#';
}

void *kit_value_find(uint64_t value, weir_span_t path, uint16_t *out_prefix_bytes)
{
    const list_t *list = list_of(value);

    *out_prefix_bytes = 0;
    if (list == NULL)
        return pointer_of(value);
    for (size_t i = 0; i < list->count; i++) {
        if (!is_below(path, list->at[i].text))
            continue;
        *out_prefix_bytes = (uint16_t)list->at[i].text.len;
        return list->at[i].app;
    }
    return list->app;
}

static size_t index_of(const prefix_t *at, size_t count, weir_span_t prefix)
{
    size_t i = 0;

    while (i < count && !is_equal(at[i].text, prefix))
        i++;
    return i;
}

void *kit_value_at(uint64_t value, weir_span_t prefix)
{
    const list_t *list = list_of(value);
    size_t i;

    if (list == NULL)
        return prefix.len == 0 ? pointer_of(value) : NULL;
    if (prefix.len == 0)
        return list->app;
    i = index_of(list->at, list->count, prefix);
    return i < list->count ? list->at[i].app : NULL;
}

void kit_value_each(uint64_t value, void (*visit)(void *context, weir_span_t prefix, void *app), void *context)
{
    static const weir_span_t none = {"", 0};
    const list_t *list = list_of(value);
    void *app = list != NULL ? list->app : pointer_of(value);

    if (app != NULL)
        visit(context, none, app);
    for (size_t i = 0; list != NULL && i < list->count; i++)
        visit(context, list->at[i].text, list->at[i].app);
}

size_t kit_value_prefix_count(uint64_t value)
{
    const list_t *list = list_of(value);

    return list != NULL ? list->count : 0;
}

void *kit_value_memory(uint64_t value, size_t *out_bytes)
{
    const list_t *list = list_of(value);

    *out_bytes = list != NULL ? list->bytes : 0;
    return list != NULL ? pointer_of(value) : NULL;
}

static void draft_read(draft_t *draft, uint64_t value)
{
    const list_t *list = list_of(value);

    draft->app = list != NULL ? list->app : pointer_of(value);
    draft->count = list != NULL ? list->count : 0;
    for (size_t i = 0; i < draft->count; i++)
        draft->at[i] = list->at[i];
}

static void draft_drop(draft_t *draft, size_t index)
{
    draft->count--;
    memmove(&draft->at[index], &draft->at[index + 1], (draft->count - index) * sizeof(draft->at[0]));
}

static void draft_insert(draft_t *draft, prefix_t prefix)
{
    size_t i = draft->count++;

    for (; i > 0 && draft->at[i - 1].text.len < prefix.text.len; i--)
        draft->at[i] = draft->at[i - 1];
    draft->at[i] = prefix;
}

static void draft_set(draft_t *draft, weir_span_t prefix, void *app)
{
    size_t i = index_of(draft->at, draft->count, prefix);

    if (prefix.len == 0)
        draft->app = app;
    else if (i == draft->count && app != NULL)
        draft_insert(draft, (prefix_t){app, prefix});
    else if (i < draft->count && app == NULL)
        draft_drop(draft, i);
    else if (i < draft->count)
        draft->at[i].app = app;
}

static uint64_t draft_word(const draft_t *draft)
{
    size_t bytes = sizeof(list_t) + draft->count * sizeof(prefix_t);
    list_t *list;
    char *text;

    if (draft->count == 0)
        return word_of(draft->app);
    for (size_t i = 0; i < draft->count; i++)
        bytes += draft->at[i].text.len;
    list = kit_alloc(bytes, 1);
    *list = (list_t){draft->app, bytes, draft->count};
    text = (char *)&list->at[draft->count];
    for (size_t i = 0; i < draft->count; i++) {
        size_t length = draft->at[i].text.len;
        memcpy(text, draft->at[i].text.base, length);
        list->at[i] = (prefix_t){draft->at[i].app, {text, length}};
        text += length;
    }
    return word_of(list) | KIT_VALUE_IS_LIST;
}

uint64_t kit_value_with(uint64_t value, weir_span_t prefix, void *app)
{
    draft_t draft;

    draft_read(&draft, value);
    draft_set(&draft, prefix, app);
    return draft_word(&draft);
}
