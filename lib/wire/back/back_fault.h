/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_FAULT_H
#define WEIR_WIRE_BACK_FAULT_H
/**
 * @file  What the kernel says of a connect that has failed, as a reason. Any thread.
 */
#include "lib/base/fault.h"

/** Of an errno of socket(2) or connect(2), or of SO_ERROR. Never NULL. */
const weir_fault_t *weir_back_fault_of(int error);

#endif
