/* SPDX-License-Identifier: MIT */
#include "handlers/heroku.h"

/* Vegur: whether a byte came from the latest service, be it of an interim response. */
static bool has_begun(const weir_exchange_t *x)
{
    return x->was_connected && x->journal.last_byte_at_us != 0;
}

const weir_heroku_code_t *weir_heroku_of(const weir_exchange_t *x)
{
    if (!x->plan->has_heroku_codes || x->fault == NULL)
        return NULL;
    return (x->has_group ? weir_heroku_code_of_app : weir_heroku_code)(x->fault, x->cause, has_begun(x));
}
