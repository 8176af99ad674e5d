/* SPDX-License-Identifier: MIT */
/* A router in C++20: it answers from a thread, late or never, and sends everything to the port that its configuration names. */
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <weir.h>

struct weir_shared {
    uint16_t port = 0;
    std::vector<std::thread> threads;
};

struct weir_state {
    weir_q_lookup_t *overdue;
    bool is_tried;
};

static const weir_fault_t too_slow = {"too_slow", 504, WEIR_BLAME_ROUTER, "In C++ as well."};
static const weir_fault_t tried = {"tried", 503, WEIR_BLAME_ROUTER, nullptr};

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t, weir_q_lookup_t *q)
{
    if (weir_span_is(weir_request_path(request), "/overdue")) {
        state->overdue = q;
        return weir_later_until(q, 1, &too_slow);
    }
    weir_request_shared(request)->threads.emplace_back([q] { weir_lookup_found(q, nullptr); });
    return weir_later(q);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *, weir_group_t *, weir_q_checkout_t *q)
{
    if (state->is_tried)
        return weir_checkout_refuse(q, &tried);
    state->is_tried = true;
    return weir_checkout_pick(q, nullptr);
}

static weir_answer_t backend(weir_state_t *, const weir_request_t *request, weir_service_t *, weir_q_backend_t *q)
{
    const std::string name = "named in C++";

    weir_backend_name(q, weir_span_t{name.data(), name.size()});
    return weir_backend_at(q, "127.0.0.1", weir_request_shared(request)->port);
}

static void headers(weir_state_t *, const weir_request_t *, weir_way_t way, weir_header_sink_t *sink)
{
    if (way == WEIR_TO_CLIENT)
        weir_header_put(sink, WEIR_SPAN("X-Language"), WEIR_SPAN("C++"));
}

static void abandoned(weir_state_t *state, const weir_request_t *, weir_gone_t)
{
    if (state->overdue != nullptr)
        weir_lookup_found(state->overdue, nullptr);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const known[] = {"module", "port", nullptr};
    auto shared = std::make_unique<weir_shared>();
    uint64_t port = 0;

    if (!weir_config_keys(config, known) || !weir_config_number(config, "port", 1, 65535, &port))
        return false;
    shared->port = static_cast<uint16_t>(port);
    *out_shared = shared.release();
    return true;
}

void weir_router_stop(weir_shared_t *shared)
{
    for (auto &thread : shared->threads)
        thread.join();
}

void weir_router_release(weir_shared_t *shared)
{
    delete shared;
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("in_cpp"),
    .state_size = sizeof(weir_state_t),
    .init = nullptr,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .checkin_service = nullptr,
    .error_page = nullptr,
    .feature = nullptr,
    .additional_headers = headers,
    .terminate = nullptr,
    .log = nullptr,
    .abandoned = abandoned,
    .answered = nullptr,
    .retry_request = nullptr,
    .describe_group = nullptr,
    .describe_service = nullptr,
    .needs_no_response = false,
};
