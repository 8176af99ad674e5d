/* SPDX-License-Identifier: MIT */
#include "conf/yaml_merge.h"

#include <stdlib.h>
#include <string.h>

#include "conf/yaml.h"
#include "lib/base/must.h"

void conf_entries_add(conf_entries_t *entries, yoml_t *key, yoml_t *value, bool is_merged)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity == 0 ? 8 : 2 * entries->capacity;
        entries->at = realloc(entries->at, entries->capacity * sizeof(entries->at[0]));
        WEIR_MUST(entries->at != NULL);
    }
    entries->at[entries->count] = (conf_entry_t){key, value, entries->count, is_merged, false};
    entries->count++;
}

static bool merge_mapping(conf_entries_t *entries, yoml_t *source)
{
    if (source->type != YOML_TYPE_MAPPING)
        return false;
    for (size_t i = 0; i < source->data.mapping.size; i++) {
        yoml_mapping_element_t *element = &source->data.mapping.elements[i];
        element->key->_refcnt++;
        element->value->_refcnt++;
        conf_entries_add(entries, element->key, element->value, true);
    }
    return true;
}

bool conf_entries_merge(conf_entries_t *entries, yoml_t *source)
{
    if (source->type != YOML_TYPE_SEQUENCE)
        return merge_mapping(entries, source);
    for (size_t i = 0; i < source->data.sequence.size; i++)
        if (!merge_mapping(entries, source->data.sequence.elements[i]))
            return false;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const conf_entry_t *x = a, *y = b;
    int order = strcmp(x->key->data.scalar, y->key->data.scalar);

    if (order != 0)
        return order;
    if (x->is_merged != y->is_merged)
        return x->is_merged ? 1 : -1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
    const conf_entry_t *x = a, *y = b;

    return x->order < y->order ? -1 : x->order > y->order;
}

/* Directives that add up: h2o's own example says `listen` twice in a row. */
static bool may_repeat(const char *name)
{
    static const char *const names[] = {"access-log", "error-doc", "file.mime.addtypes", "file.mime.removetypes", "listen",
                                        "setenv",     "unsetenv"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, "header.", 7) == 0 || strncmp(name, "proxy.header.", 13) == 0;
}

void conf_entries_settle(conf_entries_t *entries, void (*twice)(const yoml_t *earlier, const yoml_t *later, void *arg),
                         void *arg)
{
    if (entries->count == 0)
        return;
    qsort(entries->at, entries->count, sizeof(entries->at[0]), by_key);
    for (size_t i = 1; i < entries->count; i++) {
        conf_entry_t *entry = &entries->at[i];
        if (strcmp(entry->key->data.scalar, entry[-1].key->data.scalar) != 0)
            continue;
        entry->is_overruled = entry->is_merged;
        if (!entry->is_merged && !may_repeat(entry->key->data.scalar))
            twice(entry[-1].key, entry->key, arg);
    }
    qsort(entries->at, entries->count, sizeof(entries->at[0]), by_order);
}

void conf_entries_finish(conf_entries_t *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        conf_yaml_release(&entries->at[i].key);
        conf_yaml_release(&entries->at[i].value);
    }
    free(entries->at);
    *entries = (conf_entries_t){0};
}
