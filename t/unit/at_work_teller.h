/* SPDX-License-Identifier: MIT */
#ifndef AT_WORK_TELLER_H
#define AT_WORK_TELLER_H
/**
 * @file  What tests of at_work.h begin with: a file for what is told, and a router that tells in each of its callbacks.
 */
#include "lib/walk/at_work.h"

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

enum { TOLD_BYTES = 8192 };

#define ID "0123456789abcdefghij"
#define REQUEST "GET /path?query HTTP/1.1\r\nHost: a\r\nX-Request-Id: " ID "\r\n\r\n"

/* ---- what is told goes to a file ---- */

static int file;
static char told[TOLD_BYTES];

static inline void tell(void)
{
    weir_at_work_tell(file);
}

static inline const char *read_told(int from)
{
    ssize_t length = pread(from, told, sizeof(told) - 1, 0);

    assert_in_range(length, 0, sizeof(told) - 2);
    told[length] = '\0';
    assert_int_equal(ftruncate(from, 0), 0);
    assert_int_equal(lseek(from, 0, SEEK_SET), 0);
    return told;
}

static inline int open_file(void **state)
{
    file = memfd_create("told", 0);
    return file == -1;
}

static inline int close_file(void **state)
{
    return close(file);
}

/* Nothing is at work here, whatever was before. */
static inline void assert_idle(void)
{
    assert_null(weir_at_work().x);
    (void)read_told(file);
    weir_at_work_tell(file);
    weir_at_work_tell_all(file);
    assert_string_equal(read_told(file), "");
}

/* ---- a router that tells in each of its callbacks ---- */

static bool refuses_lookup, waits_for_checkout;
static unsigned retries;
static weir_q_checkout_t *open_question;

static weir_answer_t init(weir_state_t *s, const weir_request_t *r, weir_shared_t *shared, weir_q_init_t *q)
{
    tell();
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    tell();
    return refuses_lookup ? weir_lookup_refuse(q, &fake_fault) : weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    tell();
    open_question = q;
    return waits_for_checkout ? weir_later(q) : weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    tell();
    return weir_backend_at(q, "127.0.0.1", 8081);
}

static weir_answer_t checkin(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_checkin_t *q)
{
    tell();
    return weir_checkin_done(q);
}

static weir_answer_t page(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_q_page_t *q)
{
    tell();
    return weir_page_send(q);
}

static bool feature(weir_state_t *s, const weir_request_t *r, weir_feature_t which)
{
    tell();
    return false;
}

static void headers(weir_state_t *s, const weir_request_t *r, weir_way_t way, weir_header_sink_t *sink)
{
    tell();
}

static void terminate(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault)
{
    tell();
}

static void log_fields(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    tell();
}

static void abandoned(weir_state_t *s, const weir_request_t *r, weir_gone_t why)
{
    tell();
}

static void answered(weir_state_t *s, const weir_request_t *r, weir_service_t *service, const weir_attempt_t *attempt)
{
    tell();
}

static bool retry(weir_state_t *s, const weir_request_t *r, weir_service_t *service, const weir_fault_t *fault,
                  const weir_attempt_t *attempt)
{
    tell();
    return retries-- != 0;
}

static void describe_group(weir_shared_t *shared, const weir_group_t *group, weir_description_t *description)
{
    tell();
}

static void describe_service(weir_shared_t *shared, const weir_service_t *service, weir_description_t *description)
{
    tell();
}

static const weir_router_t teller = {
    WEIR_ROUTER("shop"),
    .init = init,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .checkin_service = checkin,
    .error_page = page,
    .feature = feature,
    .additional_headers = headers,
    .terminate = terminate,
    .log = log_fields,
    .abandoned = abandoned,
    .answered = answered,
    .retry_request = retry,
    .describe_group = describe_group,
    .describe_service = describe_service,
};

static inline void open_teller(void)
{
    (void)read_told(file);
    refuses_lookup = waits_for_checkout = false;
    retries = 0;
    world_open(NULL);
    w.plan.binding.router = &teller;
}

#define ROUTER(callback, stage) "weir: at work: router shop in " callback ", request " ID ", stage " stage "\n"

#endif
