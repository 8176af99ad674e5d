/* SPDX-License-Identifier: MIT */
/* The page of a router that has none: the status, and the reason in one sentence. */
#include "lib/http/status.h"
#include "router/question.h"

static const char *reason_of(uint16_t status)
{
    const char *reason = weir_status_reason(status);

    return *reason != '\0' ? reason : "Error";
}

uint16_t ask_default_status(const weir_fault_t *fault)
{
    return fault->status >= 400 && fault->status <= 599 ? fault->status : 500;
}

weir_span_t ask_default_body(weir_exchange_t *x, const weir_fault_t *fault, uint16_t status)
{
    if (fault->sentence == NULL)
        return weir_arena_format(&x->arena, "%u %s\n%s\n", (unsigned)status, reason_of(status), fault->name);
    return weir_arena_format(&x->arena, "%u %s\n%s: %s\n", (unsigned)status, reason_of(status), fault->name, fault->sentence);
}

void ask_default_page(weir_exchange_t *x, const weir_fault_t *fault, weir_headers_t *headers, ask_answer_t *out)
{
    *headers = (weir_headers_t){NULL, 0, 0};
    weir_headers_add(headers, &x->arena, WEIR_SPAN("Content-Type"), WEIR_SPAN("text/plain; charset=utf-8"));
    *out = (ask_answer_t){.page_status = ask_default_status(fault), .page_headers = headers};
    out->page_body = ask_default_body(x, fault, out->page_status);
}
