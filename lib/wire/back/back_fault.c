/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_fault.h"

#include <errno.h>

const weir_fault_t *weir_back_fault_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* a unix socket that is not there */
    case EAGAIN: /* a unix socket whose backlog is full */
        return &weir_fault_backend_refused;
    case ECONNRESET:
        return &weir_fault_backend_reset;
    case ETIMEDOUT:
        return &weir_fault_backend_connect_timeout;
    case EMFILE:
    case ENFILE:
        return &weir_fault_no_descriptors;
    default:
        return &weir_fault_backend_unreachable;
    }
}
