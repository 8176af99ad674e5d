/* SPDX-License-Identifier: MIT */
#include "lib/walk/loops.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/loop/loop.h"

typedef struct call {
    weir_letter_t letter;
    void (*visit)(void *argument);
    void *argument;
} call_t;

static void on_letter(weir_letter_t *letter)
{
    call_t *call = WEIR_AROUND(letter, call_t, letter);
    const call_t it = *call;

    free(call);
    it.visit(it.argument);
}

static void post(weir_grace_reader_t *reader, void *context)
{
    call_t *call = malloc(sizeof(*call));

    WEIR_MUST(call != NULL);
    *call = *(const call_t *)context;
    weir_list_init(&call->letter.link);
    weir_loop_post(WEIR_AROUND(reader, weir_loop_t, grace), &call->letter);
}

void weir_loops_visit(void (*visit)(void *argument), void *argument)
{
    call_t call = {{.open = on_letter}, visit, argument};

    weir_grace_each(post, &call);
}
