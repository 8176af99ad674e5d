/* SPDX-License-Identifier: MIT */
#include "lib/walk/exchange.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/counted.h"
#include "lib/base/must.h"
#include "lib/base/thread.h"
#include "lib/walk/certificate.h"
#include "lib/walk/desk.h"
#include "lib/walk/destroy.h"
#include "lib/walk/pipeline.h"

/*
 * One page of the books per thread, written by that thread only: no two threads ever share a cache line on the way of a
 * request. A page outlives its thread, or the sums would shrink.
 */
struct weir_books_page {
    weir_books_page_t *next;
    _Atomic uint64_t picks, checkins, begun, ended;
};

static weir_books_page_t *_Atomic pages;
static __thread weir_books_page_t *my_page;
static __thread weir_list_t alive; /* zeroed before the thread's first exchange */
static __thread size_t alive_count;

static weir_books_page_t *open_page(void)
{
    weir_books_page_t *page = calloc(1, sizeof(*page));

    WEIR_MUST(page != NULL);
    page->next = atomic_load_explicit(&pages, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pages, &page->next, page, memory_order_release, memory_order_relaxed))
        continue;
    return my_page = page;
}

static void add(_Atomic uint64_t *sum, uint64_t count)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + count, memory_order_relaxed);
}

static void keep_in_list(weir_exchange_t *x)
{
    if (alive.next == NULL)
        weir_list_init(&alive);
    weir_list_append(&alive, &x->link);
    alive_count++;
}

weir_exchange_t *weir_exchange_create(const weir_plan_t *plan, weir_loop_t *loop)
{
    weir_books_page_t *page = my_page != NULL ? my_page : open_page();
    weir_arena_t arena;
    weir_exchange_t *x;

    weir_arena_init(&arena);
    x = weir_arena_zalloc(&arena, sizeof(*x));
    x->arena = arena;
    x->plan = plan;
    x->binding = &plan->binding;
    x->loop = loop;
    x->request.host_port = -1;
    weir_list_init(&x->walk.resume.link);
    x->walk.home = weir_thread();
    x->walk.memory = weir_arena_zalloc(&x->arena, plan->stage_count * sizeof(x->walk.memory[0]));
    add(&page->begun, 1);
    keep_in_list(x);
    weir_desk_begin(x);
    return x;
}

void weir_exchange_start(weir_exchange_t *x)
{
    weir_pipeline_run(x);
}

void weir_exchange_client_gone(weir_exchange_t *x, const weir_fault_t *fault)
{
    if (x->is_client_gone)
        return;
    WEIR_MUST(x->front == NULL);
    x->is_client_gone = true;
    x->is_shut_down = fault == &weir_fault_shutting_down;
    if (x->fault == NULL)
        x->fault = fault;
    if (x->journal.status == 0)
        x->journal.status = fault->status; /* for the log: nobody gets it */
    weir_pipeline_abandon(x);
}

#ifdef WEIR_CHECK_INVARIANTS
/* A plan of a few stages, as tests make them, passes 00 and 90 only if it has them. */
static bool has_stage(const weir_plan_t *plan, uint8_t number)
{
    for (size_t i = 0; i < plan->stage_count; i++) {
        if (plan->stages[i]->number == number)
            return true;
    }
    return false;
}
#endif

void weir_exchange_destroy(weir_exchange_t *x)
{
    weir_arena_t arena = x->arena;
    struct weir_context *context = x->context;
    void *memory = x->memory;
    weir_books_page_t *page = my_page;

    WEIR_MUST(page != NULL); /* its own thread ends it */
    weir_certificate_release(&x->request.certificate);
    WEIR_MUST(x->front == NULL && x->back == NULL);
    WEIR_MUST(x->question == NULL && x->on_idle == NULL);
    WEIR_MUST(!x->has_service && x->journal.picks == x->journal.checkins);
    WEIR_MUST(x->walk.depth == 0 && !x->walk.is_posted);
    WEIR_MUST_SANE(x->walk.passed_begin == has_stage(x->plan, WEIR_STAGE_BEGIN));
    WEIR_MUST_SANE(x->walk.passed_end == has_stage(x->plan, WEIR_STAGE_END));

    add(&page->picks, x->journal.picks);
    add(&page->checkins, x->journal.checkins);
    add(&page->ended, 1);
    weir_list_remove(&x->link);
    alive_count--;
    weir_counted_release(memory);
    weir_arena_finish(&arena);
    weir_context_release(context);
}

void weir_exchange_each(void (*each)(weir_exchange_t *x))
{
    if (alive_count == 0)
        return;
    for (weir_list_t *node = alive.next; node != &alive; node = node->next)
        each(WEIR_AROUND(node, weir_exchange_t, link));
}

/* Who is told ends later: by a timer. */
void weir_exchange_cut_all(const weir_service_t *service)
{
    if (alive_count == 0)
        return;
    for (weir_list_t *node = alive.next; node != &alive; node = node->next) {
        weir_exchange_t *x = WEIR_AROUND(node, weir_exchange_t, link);
        if (x->has_service && x->service == service && x->on_cut != NULL)
            x->on_cut(x);
    }
}

/* Who is told answers at once or later, and no exchange ends but by a letter. */
static void shut_down(weir_exchange_t *x)
{
    x->is_shut_down = true;
    if (x->on_gone != NULL)
        x->on_gone(x);
}

void weir_exchange_shut_down_all(void)
{
    weir_exchange_each(shut_down);
}

size_t weir_exchange_count(void)
{
    return alive_count;
}

const weir_books_page_t *weir_exchange_books_here(void)
{
    return my_page != NULL ? my_page : open_page();
}

weir_books_t weir_exchange_books_of(const weir_books_page_t *page)
{
    return (weir_books_t){
        .picks = atomic_load_explicit(&page->picks, memory_order_relaxed),
        .checkins = atomic_load_explicit(&page->checkins, memory_order_relaxed),
        .ended = atomic_load_explicit(&page->ended, memory_order_relaxed),
        .begun = atomic_load_explicit(&page->begun, memory_order_relaxed),
    };
}

weir_books_t weir_exchange_books(void)
{
    weir_books_t sums = {0, 0, 0, 0};

    for (const weir_books_page_t *page = atomic_load_explicit(&pages, memory_order_acquire); page != NULL; page = page->next) {
        const weir_books_t one = weir_exchange_books_of(page);
        sums.picks += one.picks;
        sums.checkins += one.checkins;
        sums.begun += one.begun;
        sums.ended += one.ended;
    }
    return sums;
}
