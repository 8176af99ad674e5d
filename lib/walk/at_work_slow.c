/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/walk/at_work.h"
#include "lib/walk/slow.h"

/* How often it was slow on this thread, this time included; 0: the thread has no book, or it is full. */
static unsigned count(const weir_at_work_t *work)
{
    weir_desk_book_t *book = weir_desk.book;

    for (size_t i = 0; book != NULL && i < WEIR_DESK_SLOWS; i++) {
        if (book->slow[i].calls == 0) {
            book->slow[i].name = work->name;
            book->slow[i].callback = work->callback;
        }
        if (book->slow[i].name == work->name && strcmp(book->slow[i].callback, work->callback) == 0)
            return ++book->slow[i].calls;
    }
    return 0;
}

void weir_at_work_slow(const weir_exchange_t *x, uint64_t us)
{
    static weir_log_limit_t limit;
    const weir_at_work_t work = weir_at_work();
    const weir_span_t id = x != NULL ? x->request.id : (weir_span_t){NULL, 0};
    const unsigned calls = count(&work);
    char times[64] = "";

    weir_slow_note(&work, weir_desk.book != NULL ? weir_desk.book->number : 0, id, us);
    if (calls != 0)
        snprintf(times, sizeof(times), "; time %u on loop %u", calls, weir_desk.book->number);
    weir_log_limited(&limit, "%s of %s %s took %" PRIu64 " ms%s%s%.*s", work.callback, work.kind, work.name, us / 1000, times,
                     id.len > 0 ? "; request " : "", (int)id.len, id.base != NULL ? id.base : "");
}
