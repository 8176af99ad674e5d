/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STAGE_H
#define WEIR_STAGE_H 
#include "weir_config.h"
#include "weir_types.h"
WEIR_C_BEGIN
#define WEIR_STAGE_ABI 7
typedef struct weir_verdict {
    uint32_t seal_;
} weir_verdict_t;
WEIR_API weir_verdict_t weir_next(weir_exchange_t *x);
WEIR_API weir_verdict_t weir_back(weir_exchange_t *x, uint8_t number);
WEIR_API weir_verdict_t weir_refuse(weir_exchange_t *x, const weir_fault_t *fault);
WEIR_API weir_verdict_t weir_done(weir_exchange_t *x);
WEIR_API weir_verdict_t weir_wait(weir_exchange_t *x);
enum {
    WEIR_STAGE_BEGIN = 0,
    WEIR_STAGE_VALIDATE = 10,
    WEIR_STAGE_LOOKUP = 20,
    WEIR_STAGE_CONTINUE = 30,
    WEIR_STAGE_UPGRADE = 40,
    WEIR_STAGE_CHECKOUT = 50,
    WEIR_STAGE_CONNECT = 60,
    WEIR_STAGE_RELAY = 70,
    WEIR_STAGE_REFUSE = 75,
    WEIR_STAGE_CHECKIN = 80,
    WEIR_STAGE_END = 90,
};
typedef struct weir_stage {
    size_t size;
    const char *name;
    uint8_t number;
    size_t memory_size;
    weir_verdict_t (*enter)(weir_exchange_t *x, void *memory);
    void (*cancel)(weir_exchange_t *x, void *memory);
    void (*leave)(weir_exchange_t *x, void *memory);
} weir_stage_t;
#define WEIR_STAGE(name_,number_) .size = sizeof(weir_stage_t), .name = (name_), .number = (number_)
WEIR_API weir_verdict_t weir_reply(weir_exchange_t *x, uint16_t status, weir_span_t body);
WEIR_API void weir_reply_header(weir_exchange_t *x, weir_span_t name, weir_span_t value);
WEIR_API void weir_exchange_post(weir_exchange_t *x, void (*run)(weir_exchange_t *x, void *arg), void *arg);
WEIR_API void *weir_stage_memory(const weir_exchange_t *x);
WEIR_API weir_stage_shared_t *weir_stage_shared(const weir_exchange_t *x);
WEIR_API const weir_fault_t *weir_exchange_fault(const weir_exchange_t *x);
WEIR_API const weir_request_t *weir_exchange_request(const weir_exchange_t *x);
WEIR_API weir_exchange_t *weir_request_exchange(const weir_request_t *request);
WEIR_API void weir_request_header_put(weir_exchange_t *x, weir_span_t name, weir_span_t value);
WEIR_API void weir_request_header_remove(weir_exchange_t *x, weir_span_t name);
WEIR_MODULE extern const int weir_stage_abi;
WEIR_MODULE extern const weir_stage_t weir_stage;
WEIR_MODULE bool weir_stage_configure(const weir_config_t *config, weir_stage_shared_t **out_shared);
WEIR_MODULE void weir_stage_release(weir_stage_shared_t *shared);
WEIR_C_END
#endif
