/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/wire/front/front_http2_memory.h"
#include "unit.h"

enum { PAGE = 4096, LARGE = 16500, MANY = 400 };

typedef struct sleeper {
    front_http2_memory_t *memory;
    front_http2_region_t region;
    nghttp2_mem functions;
    char *small, *zeroes, *large, *last;
} sleeper_t;

/* As libnghttp2 does: a struct, a table of zeroes, a buffer for frames, and something more. */
static void begin(sleeper_t *it, front_http2_memory_t *memory)
{
    *it = (sleeper_t){.memory = memory};
    front_http2_region_begin(&it->region, memory);
    it->functions = front_http2_region_functions(&it->region);
    nghttp2_mem *mem = &it->functions;
    it->small = mem->malloc(3000, mem->mem_user_data);
    it->zeroes = mem->calloc(256, 16, mem->mem_user_data);
    it->large = mem->malloc(LARGE, mem->mem_user_data);
    it->last = mem->malloc(41, mem->mem_user_data);
    front_http2_region_close(&it->region);
    assert_true(it->small != NULL && it->zeroes != NULL && it->large != NULL && it->last != NULL);
    for (int i = 0; i < 3000; i++)
        it->small[i] = (char)(i % 50 == 0 ? i / 50 + 1 : 0);
    memset(it->large, 'f', LARGE);
    memcpy(it->last, "forty letters, which nobody may forget!!", 41);
}

static void assert_same(const sleeper_t *it)
{
    for (int i = 0; i < 3000; i++)
        assert_int_equal(it->small[i], (char)(i % 50 == 0 ? i / 50 + 1 : 0));
    for (int i = 0; i < 4096; i++)
        assert_int_equal(it->zeroes[i], 0);
    assert_string_equal(it->last, "forty letters, which nobody may forget!!");
}

static void end(sleeper_t *it)
{
    nghttp2_mem *mem = &it->functions;

    mem->free(it->small, mem->mem_user_data);
    mem->free(it->zeroes, mem->mem_user_data);
    mem->free(it->large, mem->mem_user_data);
    mem->free(it->last, mem->mem_user_data);
    front_http2_region_end(&it->region);
}

static size_t real_pages(const front_http2_region_t *region)
{
    unsigned char pages[8];
    size_t count = 0;

    assert_int_equal(mincore(region->pages, sizeof(pages) * PAGE, pages), 0);
    for (size_t i = 0; i < sizeof(pages); i++)
        count += pages[i] & 1;
    return count;
}

static void sleeps_and_wakes(void **state)
{
    front_http2_memory_t *memory = front_http2_memory_create();
    sleeper_t it;

    begin(&it, memory);
    assert_true(real_pages(&it.region) >= 6);
    for (int night = 0; night < 3; night++) {
        assert_true(front_http2_region_sleep(&it.region));
        assert_false(front_http2_region_sleep(&it.region));
        assert_int_equal(real_pages(&it.region), 0);
        front_http2_region_wake(&it.region);
        assert_same(&it);
        it.large[night] = 'x'; /* may be written to, whatever stands there now */
        front_http2_region_wake(&it.region);
    }
    end(&it);
    front_http2_memory_destroy(&memory);
    assert_null(memory);
}

static void what_comes_later_is_not_put_away(void **state)
{
    front_http2_memory_t *memory = front_http2_memory_create();
    sleeper_t it;

    begin(&it, memory);
    nghttp2_mem *mem = &it.functions;
    char *piece = mem->malloc(100, mem->mem_user_data);
    memset(piece, 'p', 100);
    assert_true(front_http2_region_sleep(&it.region));
    assert_int_equal(piece[99], 'p');
    front_http2_region_wake(&it.region);
    piece = mem->realloc(piece, 5000, mem->mem_user_data);
    assert_int_equal(piece[99], 'p');
    mem->free(piece, mem->mem_user_data);
    it.small = mem->realloc(it.small, 6000, mem->mem_user_data); /* leaves the region */
    assert_int_equal(it.small[50], 2);
    assert_null(mem->calloc(SIZE_MAX, 2, mem->mem_user_data));
    end(&it);
    front_http2_memory_destroy(&memory);
}

/* Pages are used again; those of a crowd go back to the kernel. */
static void a_crowd_leaves_little(void **state)
{
    front_http2_memory_t *memory = front_http2_memory_create();
    sleeper_t *crowd = calloc(MANY, sizeof(*crowd));
    size_t kept = 0;

    for (size_t i = 0; i < MANY; i++)
        begin(&crowd[i], memory);
    for (size_t i = 0; i < MANY; i++)
        assert_same(&crowd[i]);
    for (size_t i = 0; i < MANY; i++) {
        front_http2_region_t left = crowd[i].region;
        end(&crowd[i]);
        kept += real_pages(&left) > 0;
    }
    assert_int_equal(kept, 256);
    for (size_t i = 0; i < MANY; i++)
        begin(&crowd[i], memory);
    for (size_t i = 0; i < MANY; i++)
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(crowd[i].region.pages, crowd[k].region.pages);
    for (size_t i = 0; i < MANY; i++)
        end(&crowd[i]);
    free(crowd);
    front_http2_memory_destroy(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeps_and_wakes),
        cmocka_unit_test(what_comes_later_is_not_put_away),
        cmocka_unit_test(a_crowd_leaves_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
