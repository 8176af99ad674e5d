/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_FAULTS_H
#define WEIR_KIT_FAULTS_H
/**
 * @file  What is said of requests that got no member.
 */
#include "choose.h"

extern const weir_fault_t kit_fault_too_deep, kit_fault_timeout, kit_fault_gone;
/** The operator has them wait for too long, or has sent them away. */
extern const weir_fault_t kit_fault_paused, kit_fault_maintenance;
/** Its app has no code. */
extern const weir_fault_t kit_fault_blank;
/** Its session is with a member that is not to be had, and `strict` forbids another. */
extern const weir_fault_t kit_fault_lost;

const weir_fault_t *kit_fault_of(kit_why_none_t why);

#endif
