/* SPDX-License-Identifier: MIT */
/* Small things cut from large pieces, against a list of what was taken. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/pieces.h"
#include "lib/base/recycle.h"
#include "unit.h"

enum { THINGS = 500, STEPS = 200000 };

typedef struct thing {
    unsigned char *at;
    size_t bytes;
    unsigned char mark;
} thing_t;

static uint32_t dice_state = 1;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * 1664525U + 1013904223U;
    return (dice_state >> 8) % below;
}

static bool is_whole(const thing_t *thing)
{
    for (size_t i = 0; i < thing->bytes; i++)
        if (thing->at[i] != thing->mark)
            return false;
    return true;
}

static void take(weir_pieces_t *pieces, thing_t *thing, size_t bytes)
{
    thing->bytes = bytes;
    thing->mark = (unsigned char)dice(256);
    thing->at = weir_pieces_take(pieces, bytes);
    assert_int_equal((uintptr_t)thing->at % 8, 0);
    memset(thing->at, thing->mark, bytes);
}

static void give(weir_pieces_t *pieces, thing_t *thing)
{
    assert_true(is_whole(thing));
    weir_pieces_give(pieces, thing->at, thing->bytes);
    thing->at = NULL;
}

static void nobody_writes_into_anothers(void **state)
{
    static thing_t things[THINGS];
    weir_pieces_t pieces;

    weir_pieces_init(&pieces);
    for (int i = 0; i < STEPS; i++) {
        thing_t *thing = &things[dice(THINGS)];
        if (thing->at != NULL)
            give(&pieces, thing);
        else
            take(&pieces, thing, 1 + dice(dice(10) == 0 ? 4 * WEIR_PIECES_MOST : WEIR_PIECES_MOST));
    }
    for (int i = 0; i < THINGS; i++)
        if (things[i].at != NULL)
            give(&pieces, &things[i]);
    assert_true(weir_pieces_go_at_once(&pieces));
    weir_pieces_finish(&pieces);
}

static void what_was_given_back_is_taken_again(void **state)
{
    weir_pieces_t pieces;

    weir_pieces_init(&pieces);
    void *one = weir_pieces_take(&pieces, 100), *other = weir_pieces_take(&pieces, 100);
    assert_ptr_not_equal(one, other);
    weir_pieces_give(&pieces, one, 100);
    void *again = weir_pieces_take(&pieces, 97); /* as many words */
    if (WEIR_RECYCLES)
        assert_ptr_equal(again, one);
    weir_pieces_give(&pieces, again, 97);
    weir_pieces_give(&pieces, other, 100);
    weir_pieces_give(&pieces, NULL, 100);
    weir_pieces_finish(&pieces);
}

static void what_is_taken_lies_together(void **state)
{
    weir_pieces_t pieces;

    weir_pieces_init(&pieces);
    const char *one = weir_pieces_take(&pieces, 20), *next = weir_pieces_take(&pieces, WEIR_PIECES_MOST);
    if (WEIR_RECYCLES) {
        assert_ptr_equal(next, one + 24);
        assert_true(weir_pieces_go_at_once(&pieces));
    }
    void *large = weir_pieces_take(&pieces, WEIR_PIECES_MOST + 1);
    assert_false(weir_pieces_go_at_once(&pieces));
    weir_pieces_give(&pieces, large, WEIR_PIECES_MOST + 1);
    weir_pieces_give(&pieces, (void *)(uintptr_t)one, 20);
    weir_pieces_give(&pieces, (void *)(uintptr_t)next, WEIR_PIECES_MOST);
    weir_pieces_finish(&pieces);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_writes_into_anothers),
        cmocka_unit_test(what_was_given_back_is_taken_again),
        cmocka_unit_test(what_is_taken_lies_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
