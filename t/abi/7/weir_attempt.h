/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ATTEMPT_H
#define WEIR_ATTEMPT_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef enum weir_reach {
    WEIR_REACH_NONE = 0,
    WEIR_REACH_CONNECTED = 1,
    WEIR_REACH_SENT = 2,
    WEIR_REACH_INTERIM = 3,
    WEIR_REACH_HEAD = 4,
    WEIR_REACH_BODY = 5,
    WEIR_REACH_WHOLE = 6,
} weir_reach_t;
typedef struct weir_attempt {
    size_t size;
    uint32_t number;
    weir_reach_t reach;
    uint16_t status;
    int16_t grpc_status;
    bool was_reused;
    bool is_untouched;
    bool may_repeat;
    bool is_idempotent;
    uint64_t connect_us;
    uint64_t head_us;
    uint64_t whole_us;
    uint64_t sent_bytes, received_bytes;
} weir_attempt_t;
WEIR_C_END
#endif
