/* SPDX-License-Identifier: MIT */
/* What a router adds to a request's line in the access log. */
#include <string.h>

#include "lib/http/token_list.h"
#include "router/call.h"
#include "router/ask.h"

enum { FIELDS_MOST = 16 };

struct weir_log_sink {
    weir_logfmt_t *line; /* NULL: nobody reads it */
    unsigned count;
};

void weir_log_field(weir_log_sink_t *sink, weir_span_t name, weir_span_t value)
{
    char key[64];

    if (sink->line == NULL || sink->count == FIELDS_MOST || name.len >= sizeof(key) || !weir_is_token(name))
        return;
    memcpy(key, name.base, name.len);
    key[name.len] = '\0';
    weir_logfmt_text(sink->line, key, value);
    sink->count++;
}

void ask_log(weir_exchange_t *x, const weir_fault_t *fault, weir_logfmt_t *line)
{
    const weir_router_t *router = x->binding->router;
    weir_log_sink_t sink = {line, 0};
    weir_before_t before;

    if (router->log == NULL || x->is_router_done)
        return;
    if (line == NULL && x->binding->is_built_in)
        return; /* those of others may do more than write */
    before = router_call_begin(x, "log");
    router->log(x->state, &x->request, fault, &sink);
    router_call_end(x, before, WEIR_TIMES_on_log);
}
