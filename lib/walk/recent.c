/* SPDX-License-Identifier: MIT */
#include "lib/walk/recent.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/base/weir_digest.h"
#include "lib/walk/attempt.h"

enum {
    WORDS = 15, /* of a cell, behind its sequence */
    ID_HASHED = WEIR_RECENT_ID_BYTES - 8,
    STATUS_FAILED = 500,
};

/* Cell `n` of a ring has sequence 2n + 2; one less while it is written. */
typedef struct cell {
    _Atomic uint64_t sequence;
    _Atomic uint64_t words[WORDS];
} cell_t;

_Static_assert(sizeof(cell_t) == 128, "two lines");

typedef struct ring {
    uint64_t count; /* how many were ever written */
    cell_t *cells;
} ring_t;

/* One loop's. Lives as long as the process: it may be asked for when the loop has gone. */
typedef struct memory {
    struct memory *next;
    ring_t wanted, others;
} memory_t;

size_t weir_recent_ring_cells; /* 0: nothing is remembered */
__thread uint64_t weir_recent_other_at_us;
static memory_t *_Atomic memories;
static __thread memory_t *mine;

void weir_recent_begin(size_t cells, unsigned loops)
{
    weir_recent_ring_cells = cells == 0 ? 0 : cells / 2 / (loops == 0 ? 1 : loops) + WEIR_RECENT_MORE + 1;
}

size_t weir_recent_cells(void)
{
    return weir_recent_ring_cells;
}

/* Zeroed pages cost nothing until they are written. */
static memory_t *open_memory(void)
{
    memory_t *memory = calloc(1, sizeof(*memory));

    WEIR_MUST(memory != NULL);
    memory->wanted.cells = calloc(weir_recent_ring_cells, sizeof(cell_t));
    memory->others.cells = calloc(weir_recent_ring_cells, sizeof(cell_t));
    WEIR_MUST(memory->wanted.cells != NULL && memory->others.cells != NULL);
    memory->next = atomic_load_explicit(&memories, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&memories, &memory->next, memory, memory_order_release, memory_order_relaxed))
        continue;
    return mine = memory;
}

/* ---- writing ---- */

static void write_cell(ring_t *ring, const weir_recent_t *what)
{
    cell_t *cell = &ring->cells[ring->count % weir_recent_ring_cells];
    uint64_t words[WORDS] = {0};

    memcpy(words, what, sizeof(*what));
    atomic_store_explicit(&cell->sequence, 2 * ring->count + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&cell->words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&cell->sequence, 2 * ring->count + 2, memory_order_release);
    ring->count++;
}

static uint8_t copy_text(char *to, size_t bytes, weir_span_t from)
{
    const size_t length = from.len < bytes ? from.len : bytes;

    if (length > 0)
        memcpy(to, from.base, length);
    return (uint8_t)length;
}

static uint8_t put_id(char to[WEIR_RECENT_ID_BYTES], weir_span_t id)
{
    static const uint64_t key[2] = {0x726563656e74, 0x6964};
    uint64_t hash;

    (void)copy_text(to, WEIR_RECENT_ID_BYTES, id);
    if (id.len > WEIR_RECENT_ID_BYTES) {
        hash = weir_siphash(key, id);
        memcpy(to + ID_HASHED, &hash, sizeof(hash));
    }
    return (uint8_t)(id.len < UINT8_MAX ? id.len : UINT8_MAX);
}

/* An hour and eleven minutes at most. */
static uint32_t us_of(uint64_t from_us, uint64_t to_us)
{
    const uint64_t us = from_us == 0 || to_us <= from_us ? 0 : to_us - from_us;

    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static weir_recent_t head_of(const weir_exchange_t *x)
{
    const weir_journal_t *journal = &x->journal;
    weir_recent_t head = {
        .kind = WEIR_RECENT_HEAD,
        .tries = (uint8_t)(journal->picks < UINT8_MAX ? journal->picks : UINT8_MAX),
        .status = journal->status,
        .backend_status = journal->backend_status,
        .queue_us = us_of(1, journal->queue_us + 1),
        .connect_us = us_of(x->attempt.picked_at_us, x->was_connected ? journal->connected_at_us : 0),
        .head_us = us_of(x->attempt.picked_at_us, x->attempt.head_at_us),
        .total_us = us_of(journal->start_at_us, journal->end_at_us),
        .wall_us = journal->wall_start_us,
    };

    head.length = put_id(head.id, x->request.id);
    head.app_bytes = copy_text(head.app, sizeof(head.app), x->app);
    head.backend_bytes = copy_text(head.backend, sizeof(head.backend), x->target.label);
    return head;
}

static void write_text(ring_t *ring, weir_recent_kind_t kind, weir_span_t text)
{
    weir_recent_t cell = {.kind = (uint8_t)kind};

    cell.length = copy_text(cell.text, sizeof(cell.text), text);
    write_cell(ring, &cell);
}

/* "reason reach status us backend", for who reads it to take apart. */
static void write_try(ring_t *ring, const weir_recent_try_t *one)
{
    static const char *const reaches[] = {"none", "connected", "sent", "interim", "head", "body", "whole"};
    const size_t bytes = one->backend.len < WEIR_RECENT_BACKEND_BYTES ? one->backend.len : WEIR_RECENT_BACKEND_BYTES;
    weir_recent_t cell = {.kind = WEIR_RECENT_TRY};

    cell.length = (uint8_t)snprintf(cell.text, sizeof(cell.text), "%.32s %s %u %llu %.*s",
                                    one->fault == NULL ? "-" : one->fault->name, reaches[one->reach], (unsigned)one->status,
                                    (unsigned long long)one->us, (int)bytes, bytes == 0 ? "" : one->backend.base);
    write_cell(ring, &cell);
}

static size_t count_tries(const weir_exchange_t *x)
{
    size_t count = 0;

    for (const weir_recent_try_t *one = x->tries; one != NULL && count < WEIR_RECENT_MORE - 2; one = one->before)
        count++;
    return count;
}

/* What the client got it for: of what was mended by another try, the tries tell. */
static const weir_fault_t *fault_of(const weir_exchange_t *x)
{
    return x->fault != NULL ? x->fault : x->journal.status >= STATUS_FAILED ? x->cause : NULL;
}

/* Newest first, as they hang together. */
static void write_more(ring_t *ring, const weir_exchange_t *x, weir_span_t fields, size_t tries)
{
    const weir_recent_try_t *one = x->tries;
    const weir_fault_t *fault = fault_of(x);

    for (size_t i = 0; i < tries; i++, one = one->before)
        write_try(ring, one);
    if (fault != NULL)
        write_text(ring, WEIR_RECENT_FAULT, (weir_span_t){fault->name, strlen(fault->name)});
    if (fields.len > 0) /* there is a blank in front of the first */
        write_text(ring, WEIR_RECENT_FIELDS, (weir_span_t){fields.base + 1, fields.len - 1});
}

static void write_other(memory_t *memory, const weir_exchange_t *x)
{
    const weir_recent_t head = head_of(x);

    weir_recent_other_at_us = x->journal.end_at_us;
    write_cell(&memory->others, &head);
}

void weir_recent_write(weir_exchange_t *x, bool is_wanted, weir_span_t fields)
{
    memory_t *memory = mine != NULL ? mine : open_memory();
    const size_t tries = count_tries(x);
    weir_recent_t head;

    if (!is_wanted) {
        write_other(memory, x);
        return;
    }
    head = head_of(x);
    head.more = (uint8_t)(tries + (fault_of(x) != NULL) + (fields.len > 0));
    write_cell(&memory->wanted, &head);
    write_more(&memory->wanted, x, fields, tries);
}

void weir_recent_note_try(weir_exchange_t *x)
{
    weir_recent_try_t *one = weir_arena_alloc(&x->arena, sizeof(*one));
    const weir_attempt_t attempt = weir_attempt_of(x);

    *one = (weir_recent_try_t){
        .before = x->tries,
        .backend = x->target.label,
        .fault = attempt.status == 0 ? x->cause : NULL,
        .reach = attempt.reach,
        .status = attempt.status,
        .us = attempt.whole_us,
    };
    x->tries = one;
}

/* ---- finding ---- */

/* False: it is not cell `n` of the ring, or is about to be another. */
static bool read_cell(const ring_t *ring, uint64_t n, weir_recent_t *out)
{
    const cell_t *cell = &ring->cells[n % weir_recent_ring_cells];
    uint64_t words[WORDS];

    if (atomic_load_explicit(&cell->sequence, memory_order_acquire) != 2 * n + 2)
        return false;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&cell->words[i], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    memcpy(out, words, sizeof(*out));
    return atomic_load_explicit(&cell->sequence, memory_order_relaxed) == 2 * n + 2;
}

typedef struct search {
    char id[WEIR_RECENT_ID_BYTES];
    uint8_t length;
    size_t left;
    void (*found)(void *context, const weir_recent_t *cells, size_t count);
    void *context;
} search_t;

static bool is_it(const search_t *search, const weir_recent_t *head)
{
    const size_t bytes = search->length < WEIR_RECENT_ID_BYTES ? search->length : WEIR_RECENT_ID_BYTES;

    return head->kind == WEIR_RECENT_HEAD && head->length == search->length && memcmp(head->id, search->id, bytes) == 0;
}

static void tell(search_t *search, const ring_t *ring, uint64_t n, const weir_recent_t *head)
{
    weir_recent_t cells[1 + WEIR_RECENT_MORE];
    size_t count = 1;

    cells[0] = *head;
    while (count <= head->more && count <= WEIR_RECENT_MORE && read_cell(ring, n + count, &cells[count]))
        count++;
    search->found(search->context, cells, count);
    search->left--;
}

/* Which cell a place holds now is what its own sequence says. */
static void look_through(search_t *search, const ring_t *ring)
{
    weir_recent_t head;

    for (size_t i = 0; i < weir_recent_ring_cells && search->left > 0; i++) {
        const uint64_t sequence = atomic_load_explicit(&ring->cells[i].sequence, memory_order_acquire);
        if (sequence == 0 || sequence % 2 != 0)
            continue;
        const uint64_t n = sequence / 2 - 1;
        if (read_cell(ring, n, &head) && is_it(search, &head))
            tell(search, ring, n, &head);
    }
}

size_t weir_recent_find(weir_span_t id, size_t most, void (*found)(void *context, const weir_recent_t *cells, size_t count),
                        void *context)
{
    search_t search = {.left = most, .found = found, .context = context};

    search.length = put_id(search.id, id);
    for (memory_t *memory = atomic_load_explicit(&memories, memory_order_acquire); memory != NULL; memory = memory->next) {
        look_through(&search, &memory->wanted);
        look_through(&search, &memory->others);
    }
    return most - search.left;
}
