/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_DOWNS_H
#define WEIR_WIRE_BACK_DOWNS_H
/**
 * @file  Backends that cannot be connected to, for the operator: a line on standard error when one goes down, and one when it
 * is back.
 *
 *   weir: backend 192.0.2.7:8080 is down: backend_refused
 *   weir: backend 192.0.2.7:8080 is up again, after 12 failures in 3.4 s
 *
 * What is remembered is who is down: 256 of them at most, for the whole process; beyond that those that failed first are
 * forgotten, and their return is not told. At most ten lines of each kind are said a second (lib/base/log.h).
 */
#include "lib/base/fault.h"
#include "lib/walk/exchange.h"

/**
 * Notes that dialling `target` has ended: fault NULL, there is a connection; else it is why there is none. Any thread; takes a
 * lock that nobody waits in, and none if all are up and this one is as well.
 */
void weir_back_note_dial(const weir_target_t *target, const weir_fault_t *fault, uint64_t now_us);

#endif
