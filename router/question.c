/* SPDX-License-Identifier: MIT */
/*
 * Slots and handles.
 *
 *   handle:  kind + 1 (3 bits) │ 0 │ generation (36 bits) │ slot (24 bits)      never NULL, whatever the generation
 *   key:     the handle while the question may be answered; then the same with a 1 in that place
 *
 * A slot lies in one of many slabs, which are never freed. Each thread keeps those that it may use in a list of its own; a
 * thread that ends leaves them to the others.
 */
#include "router/question.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/thread.h"

enum {
    SLOT_BITS = 24,
    KIND_SHIFT = 61,
    SLAB_BITS = 6,
    SLAB_SLOTS = 1 << SLAB_BITS,
    SLABS = 1 << (SLOT_BITS - SLAB_BITS),
};

/* Five questions a request: what only one of them needs is not zeroed for the others. */
#define ZEROED_BYTES (offsetof(ask_question_t, answer) + offsetof(ask_answer_t, target))

_Static_assert(sizeof(void *) == sizeof(uint64_t), "handles are 64 bits wide");

static const uint64_t generation_one = UINT64_C(1) << SLOT_BITS;
static const uint64_t answered = UINT64_C(1) << 60;
static const uint64_t slot_mask = (UINT64_C(1) << SLOT_BITS) - 1;
static const uint64_t kind_mask = UINT64_C(7) << KIND_SHIFT;

static ask_question_t *_Atomic slabs[SLABS];
static _Atomic uint32_t slab_count;

static __thread ask_question_t *free_slots; /* of this thread */

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    pthread_key_t key; /* its destructor runs at a thread's end */
    ask_question_t *slots;
} left = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

/* ---- slots ---- */

static void leave_slots(void *unused)
{
    ask_question_t **end = &free_slots;

    while (*end != NULL)
        end = &(*end)->next_free;
    pthread_mutex_lock(&left.lock);
    *end = left.slots;
    left.slots = free_slots;
    pthread_mutex_unlock(&left.lock);
    free_slots = NULL;
}

static void create_key(void)
{
    WEIR_MUST(pthread_key_create(&left.key, leave_slots) == 0);
}

static ask_question_t *create_slab(void)
{
    const uint32_t index = atomic_fetch_add(&slab_count, 1);
    ask_question_t *slab = calloc(SLAB_SLOTS, sizeof(*slab));

    WEIR_MUST(index < SLABS && slab != NULL);
    for (uint32_t i = 0; i < SLAB_SLOTS; i++) {
        slab[i].slot = index << SLAB_BITS | i;
        slab[i].next_free = i + 1 < SLAB_SLOTS ? &slab[i + 1] : NULL;
        atomic_init(&slab[i].key, answered | slab[i].slot);
    }
    atomic_store_explicit(&slabs[index], slab, memory_order_release);
    return slab;
}

/* At most a slab's worth of those that others have left, so that each thread finds some. */
static ask_question_t *take_left(void)
{
    ask_question_t *slots = left.slots, *last = slots;

    for (unsigned i = 1; i < SLAB_SLOTS && last != NULL && last->next_free != NULL; i++)
        last = last->next_free;
    if (last == NULL)
        return NULL;
    left.slots = last->next_free;
    last->next_free = NULL;
    return slots;
}

static ask_question_t *more_slots(void)
{
    ask_question_t *slots;

    pthread_once(&left.once, create_key);
    pthread_setspecific(left.key, &left); /* anything but NULL: the destructor is wanted */
    pthread_mutex_lock(&left.lock);
    slots = take_left();
    pthread_mutex_unlock(&left.lock);
    return slots != NULL ? slots : create_slab();
}

ask_question_t *ask_question_create(weir_exchange_t *x, ask_kind_t kind, ask_then_t *then)
{
    ask_question_t *q = free_slots != NULL ? free_slots : more_slots();
    const uint32_t slot = q->slot;
    const uint64_t before = atomic_load_explicit(&q->key, memory_order_relaxed);
    const uint64_t generation = (before & ~(kind_mask | answered | slot_mask)) + generation_one;

    free_slots = q->next_free;
    memset((char *)q + sizeof(q->key), 0, ZEROED_BYTES - sizeof(q->key));
    if (kind == ASK_BACKEND)
        memset(&q->answer.target, 0, sizeof(q->answer.target));
    q->slot = slot;
    q->x = x;
    q->kind = kind;
    q->then = then;
    q->home = weir_thread();
    q->last_field = &q->fields;
    weir_list_init(&q->letter.link);
    atomic_store_explicit(&q->key, ((uint64_t)kind + 1) << KIND_SHIFT | (generation & ~answered) | slot, memory_order_release);
    return q;
}

void ask_question_free(ask_question_t *q)
{
    WEIR_MUST((atomic_load_explicit(&q->key, memory_order_relaxed) & answered) != 0);
    q->next_free = free_slots;
    free_slots = q;
}

/* ---- handles ---- */

void *ask_handle(const ask_question_t *q)
{
    return (void *)(uintptr_t)(atomic_load_explicit(&q->key, memory_order_relaxed) & ~answered);
}

/* The slot that a handle names. Nothing that a router can make up leads out of the slabs. */
static ask_question_t *slot_of(uint64_t handle)
{
    const uint64_t slot = handle & slot_mask;
    ask_question_t *slab = atomic_load_explicit(&slabs[slot >> SLAB_BITS], memory_order_acquire);

    return slab != NULL ? &slab[slot & (SLAB_SLOTS - 1)] : NULL;
}

ask_question_t *ask_open(const void *handle)
{
    ask_question_t *q = slot_of((uintptr_t)handle);

    return q != NULL && atomic_load_explicit(&q->key, memory_order_acquire) == (uintptr_t)handle ? q : NULL;
}

ask_question_t *ask_claim(const void *handle)
{
    static weir_log_limit_t limit;
    uint64_t key = (uintptr_t)handle;
    ask_question_t *q = slot_of(key);

    if (q != NULL &&
        atomic_compare_exchange_strong_explicit(&q->key, &key, key | answered, memory_order_acq_rel, memory_order_relaxed))
        return q;
    weir_log_limited(&limit, "a router answered a question of %s a second time, which is ignored",
                     ask_name((ask_kind_t)(((uintptr_t)handle >> KIND_SHIFT) - 1)));
    return NULL;
}

bool ask_revoke(ask_question_t *q)
{
    return (atomic_fetch_or_explicit(&q->key, answered, memory_order_acq_rel) & answered) == 0;
}

/* ---- what happens to it ---- */

/*
 * Returns what it was before. Only who has claimed it comes here, and only its own thread has it wait: there, nobody else is at
 * it, and two plain accesses do.
 */
static ask_state_t become_answered(ask_question_t *q, bool is_home)
{
    ask_state_t before;

    if (!is_home)
        return atomic_exchange_explicit(&q->state, ASK_ANSWERED, memory_order_acq_rel);
    before = atomic_load_explicit(&q->state, memory_order_relaxed);
    atomic_store_explicit(&q->state, ASK_ANSWERED, memory_order_relaxed);
    return before;
}

weir_answer_t ask_publish(ask_question_t *q)
{
    weir_loop_t *loop = q->x->loop;
    const bool is_home = q->home == weir_thread(), is_here = is_home && q->is_abandoning;

    if (is_here)
        q->is_answered_here = true; /* whoever makes the call settles it */
    if (become_answered(q, is_home) == ASK_WAITING && !is_here)
        weir_loop_post(loop, &q->letter);
    return (weir_answer_t){ASK_SEAL};
}

void *ask_alloc(ask_question_t *q, size_t size)
{
    if (q->home == weir_thread())
        return weir_arena_alloc(&q->x->arena, size);
    return weir_arena_alloc_apart(&q->apart, size);
}

weir_span_t ask_copy(ask_question_t *q, weir_span_t bytes)
{
    char *copy = ask_alloc(q, bytes.len + 1);

    if (bytes.len != 0)
        memcpy(copy, bytes.base, bytes.len);
    copy[bytes.len] = '\0';
    return (weir_span_t){copy, bytes.len};
}

/* ---- words about it ---- */

const char *ask_name(ask_kind_t kind)
{
    static const char *const names[] = {
        "init", "lookup_domain_name", "checkout_service", "service_backend", "checkin_service", "error_page"};

    return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "an unknown callback";
}

void ask_complain(const weir_exchange_t *x, const char *callback, const char *mistake)
{
    static weir_log_limit_t limit;

    weir_log_limited(&limit, "router %s: %s %s; request %.*s", x->binding->router->name, callback, mistake,
                     (int)x->request.id.len, x->request.id.base != NULL ? x->request.id.base : "");
}
