/* SPDX-License-Identifier: MIT */
/* What every router and stage reads of its configuration, with the complaints that users get. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/nearest.h"
#include "lib/base/span.h"
#include "weir_config.h"

bool weir_config_keys(const weir_config_t *map, const char *const *known)
{
    for (size_t i = 0; i < weir_config_count(map); i++) {
        const weir_config_t *key = weir_config_key(map, i);
        const char *text = weir_config_text(key), *nearest;
        bool is_known = false;

        if (text == NULL)
            return weir_config_wrong(key, "a key must be a word");
        for (const char *const *word = known; *word != NULL; word++)
            is_known = is_known || strcmp(*word, text) == 0;
        if (is_known)
            continue;
        nearest = weir_nearest(text, known);
        if (nearest != NULL)
            return weir_config_wrong(key, "unknown key `%s`; did you mean `%s`?", text, nearest);
        return weir_config_wrong(key, "unknown key `%s`", text);
    }
    return true;
}

/* The text of entry `key`; false after a complaint, or (with *out_node NULL) if there is none. */
static bool find(const weir_config_t *map, const char *key, const char *what, const weir_config_t **out_node,
                 const char **out_text)
{
    *out_node = weir_config_get(map, key);
    *out_text = weir_config_text(*out_node);
    if (*out_node != NULL && *out_text == NULL)
        return weir_config_wrong(*out_node, "%s: must be %s", key, what);
    return *out_node != NULL;
}

bool weir_config_string(const weir_config_t *map, const char *key, const char **out_text)
{
    const weir_config_t *node;
    const char *text;

    if (!find(map, key, "a text", &node, &text))
        return node == NULL;
    *out_text = text;
    return true;
}

/* "a, b or c" */
static void list_words(const char *const *words, char *buffer, size_t size)
{
    size_t length = 0;

    buffer[0] = '\0';
    for (size_t i = 0; words[i] != NULL && length < size; i++) {
        const char *link = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        length += (size_t)snprintf(buffer + length, size - length, "%s%s", link, words[i]);
    }
}

bool weir_config_word_at(const weir_config_t *node, const char *what, const char *const *words, unsigned *out_index)
{
    const char *text = weir_config_text(node), *nearest;
    char list[256];

    list_words(words, list, sizeof(list));
    if (text == NULL)
        return weir_config_wrong(node, "%s: must be %s", what, list);
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcasecmp(words[i], text) != 0)
            continue;
        *out_index = i;
        return true;
    }
    nearest = weir_nearest(text, words);
    if (nearest != NULL)
        return weir_config_wrong(node, "unknown %s `%s`; did you mean `%s`?", what, text, nearest);
    return weir_config_wrong(node, "unknown %s `%s`: it is %s", what, text, list);
}

bool weir_config_word(const weir_config_t *map, const char *key, const char *const *words, unsigned *out_index)
{
    const weir_config_t *node = weir_config_get(map, key);

    return node == NULL || weir_config_word_at(node, key, words, out_index);
}

bool weir_config_flag(const weir_config_t *map, const char *key, bool *out_is_on)
{
    static const char *const words[] = {"OFF", "ON", "no", "yes", "false", "true"}; /* what is at an odd place is on */
    const weir_config_t *node;
    const char *text;

    if (!find(map, key, "ON or OFF", &node, &text))
        return node == NULL;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(words[i], text) != 0)
            continue;
        *out_is_on = i % 2 == 1;
        return true;
    }
    return weir_config_wrong(node, "%s: must be ON or OFF, not `%s`", key, text);
}

bool weir_config_number(const weir_config_t *map, const char *key, uint64_t least, uint64_t most, uint64_t *out_number)
{
    const weir_config_t *node;
    const char *text;
    uint64_t number;

    if (!find(map, key, "a number", &node, &text))
        return node == NULL;
    if (!weir_span_to_number((weir_span_t){text, strlen(text)}, &number) || number < least || number > most)
        return weir_config_wrong(node, "%s: must be a number from %llu to %llu, not `%s`", key, (unsigned long long)least,
                                 (unsigned long long)most, text);
    *out_number = number;
    return true;
}

/* How many ms the unit behind the digits stands for; 0: it is none. */
static uint64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, unit) == 0)
            return units[i].ms;
    }
    return 0;
}

bool weir_config_duration_ms(const weir_config_t *map, const char *key, uint32_t least_ms, uint32_t most_ms, uint32_t *out_ms)
{
    const weir_config_t *node;
    const char *text;
    uint64_t number, unit;
    size_t digits;

    if (!find(map, key, "a duration", &node, &text))
        return node == NULL;
    digits = strspn(text, "0123456789");
    unit = unit_ms(text + digits);
    if (unit == 0 || !weir_span_to_number((weir_span_t){text, digits}, &number) || number > UINT32_MAX ||
        number * unit < least_ms || number * unit > most_ms)
        return weir_config_wrong(node, "%s: must be a duration from %u to %u ms (or `5s`, `10m`, `2h`), not `%s`", key,
                                 least_ms, most_ms, text);
    *out_ms = (uint32_t)(number * unit);
    return true;
}

bool weir_config_path(const weir_config_t *map, const char *key, char *buffer, size_t size)
{
    const char *text, *directory = weir_config_directory(), *slash = directory[1] == '\0' && directory[0] == '/' ? "" : "/";
    const weir_config_t *node;
    int length;

    if (!find(map, key, "a path", &node, &text))
        return node == NULL;
    if (text[0] == '\0')
        return weir_config_wrong(node, "%s: must be a path, and is empty", key);
    if (text[0] == '/')
        directory = slash = "";
    length = snprintf(buffer, size, "%s%s%s", directory, slash, text);
    if (length < 0 || (size_t)length >= size)
        return weir_config_wrong(node, "%s: must be a path of at most %zu bytes", key, size - 1);
    return true;
}
