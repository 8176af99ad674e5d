/* SPDX-License-Identifier: MIT */
#include "due.h"

#include "alloc.h"

enum { FIRST_CAPACITY = 16 };

static void put(kit_dues_t *dues, size_t place, kit_due_t *due)
{
    dues->at[place - 1] = due;
    due->place = place;
}

static kit_due_t *get(const kit_dues_t *dues, size_t place)
{
    return dues->at[place - 1];
}

static void rise(kit_dues_t *dues, kit_due_t *due)
{
    size_t place = due->place;

    while (place > 1 && get(dues, place / 2)->at_us > due->at_us) {
        put(dues, place, get(dues, place / 2));
        place /= 2;
    }
    put(dues, place, due);
}

static void sink(kit_dues_t *dues, kit_due_t *due)
{
    size_t place = due->place, child;

    while ((child = 2 * place) <= dues->count) {
        if (child < dues->count && get(dues, child + 1)->at_us < get(dues, child)->at_us)
            child++;
        if (get(dues, child)->at_us >= due->at_us)
            break;
        put(dues, place, get(dues, child));
        place = child;
    }
    put(dues, place, due);
}

static void settle(kit_dues_t *dues, kit_due_t *due)
{
    rise(dues, due);
    sink(dues, due);
}

void kit_due_set(kit_dues_t *dues, kit_due_t *due, uint64_t at_us)
{
    due->at_us = at_us;
    if (due->place == 0) {
        if (dues->count == dues->capacity) {
            dues->capacity = dues->capacity == 0 ? FIRST_CAPACITY : 2 * dues->capacity;
            dues->at = realloc(dues->at, dues->capacity * sizeof(dues->at[0]));
            if (dues->at == NULL)
                abort();
        }
        put(dues, ++dues->count, due);
    }
    settle(dues, due);
}

void kit_due_clear(kit_dues_t *dues, kit_due_t *due)
{
    const size_t place = due->place;

    if (place == 0)
        return;
    due->place = 0;
    kit_due_t *last = get(dues, dues->count--);
    if (last == due)
        return;
    put(dues, place, last);
    settle(dues, last);
}

kit_due_t *kit_due_first(const kit_dues_t *dues, uint64_t now_us)
{
    return dues->count > 0 && get(dues, 1)->at_us <= now_us ? get(dues, 1) : NULL;
}

void kit_dues_free(kit_dues_t *dues)
{
    free(dues->at);
    *dues = (kit_dues_t){NULL, 0, 0};
}
