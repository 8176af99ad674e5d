/* SPDX-License-Identifier: MIT */
#include "lib/walk/journal.h"

int64_t weir_journal_ms(uint64_t from_us, uint64_t to_us)
{
    if (from_us == 0 || to_us == 0)
        return -1;
    return to_us < from_us ? 0 : (int64_t)((to_us - from_us) / 1000);
}
