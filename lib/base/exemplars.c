/* SPDX-License-Identifier: MIT */
#include "lib/base/exemplars.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { WORDS = WEIR_EXEMPLAR_TRACE_BYTES / 8 + 2 };

/* An exemplar as words. An odd number of writes says that one is under way. */
typedef struct slot {
    _Atomic uint64_t writes;
    _Atomic uint64_t words[WORDS];
} slot_t;

struct weir_exemplars {
    slot_t buckets[WEIR_BUCKETS];
};

static struct weir_exemplars *open_exemplars(weir_metrics_page_t *page)
{
    struct weir_exemplars *made = calloc(1, sizeof(*made));

    WEIR_MUST(made != NULL);
    atomic_store_explicit(&page->exemplars, made, memory_order_release);
    return made;
}

void weir_exemplar_note(weir_metrics_page_t *page, const weir_exemplar_t *exemplar)
{
    struct weir_exemplars *mine = atomic_load_explicit(&page->exemplars, memory_order_relaxed);
    slot_t *slot = &(mine != NULL ? mine : open_exemplars(page))->buckets[weir_bucket_of(&weir_bounds_stages, exemplar->us)];
    const uint64_t writes = atomic_load_explicit(&slot->writes, memory_order_relaxed);
    uint64_t words[WORDS];

    memcpy(words, exemplar, sizeof(words));
    atomic_store_explicit(&slot->writes, writes + 1, memory_order_relaxed);
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_release); /* behind the odd number */
    atomic_store_explicit(&slot->writes, writes + 2, memory_order_release);
}

/* False: none is there, or another one was written meanwhile. */
static bool read_slot(slot_t *slot, weir_exemplar_t *out)
{
    const uint64_t writes = atomic_load_explicit(&slot->writes, memory_order_acquire);
    uint64_t words[WORDS];

    if (writes == 0 || writes % 2 == 1)
        return false;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire); /* before the number is looked at again */
    memcpy(out, words, sizeof(words));
    return atomic_load_explicit(&slot->writes, memory_order_relaxed) == writes;
}

bool weir_exemplar_newest(size_t bucket, weir_exemplar_t *out)
{
    bool is_found = false;
    weir_exemplar_t one;

    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next) {
        struct weir_exemplars *theirs = atomic_load_explicit(&page->exemplars, memory_order_acquire);
        if (theirs == NULL || !read_slot(&theirs->buckets[bucket], &one) || (is_found && one.wall_us <= out->wall_us))
            continue;
        *out = one;
        is_found = true;
    }
    return is_found;
}
