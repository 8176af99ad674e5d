/* SPDX-License-Identifier: MIT */
/* The table of domains, changed and asked as the bytes say, against a list that is searched from end to end. */
#include "kit_domains_duel.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    duel_open();
    while (length >= DUEL_STEP_BYTES) {
        size_t taken = duel_step(input, length);
        input += taken;
        length -= taken;
    }
    duel_close();
    return 0;
}
