/* SPDX-License-Identifier: MIT */
#include "router/describe.h"

#include "lib/base/span.h"
#include "router/call.h"

void weir_describe(weir_description_t *description, weir_span_t key, weir_span_t value)
{
    if (weir_span_equal(key, WEIR_SPAN("name")) && value.len != 0)
        description->name = weir_arena_copy(description->arena, value);
}

weir_span_t ask_name_of_group(weir_exchange_t *x, const weir_group_t *group)
{
    const weir_router_t *router = x->binding->router;
    weir_description_t description = {.arena = &x->arena};
    weir_before_t before;

    if (router->describe_group == NULL)
        return description.name;
    before = router_call_begin(x, "describe_group");
    router->describe_group(x->binding->shared, group, &description);
    router_call_end(x, before, WEIR_TIMES_on_describe);
    return description.name;
}

weir_span_t ask_name_of_service(weir_exchange_t *x, const weir_service_t *service)
{
    const weir_router_t *router = x->binding->router;
    weir_description_t description = {.arena = &x->arena};
    weir_before_t before;

    if (router->describe_service == NULL)
        return description.name;
    before = router_call_begin(x, "describe_service");
    router->describe_service(x->binding->shared, service, &description);
    router_call_end(x, before, WEIR_TIMES_on_describe);
    return description.name;
}
