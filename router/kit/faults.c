/* SPDX-License-Identifier: MIT */
#include "faults.h"

const weir_fault_t kit_fault_too_deep = {"backlog_too_deep", 503, WEIR_BLAME_BACKEND, "Too many requests wait for this app."};
const weir_fault_t kit_fault_timeout = {"backlog_timeout", 503, WEIR_BLAME_BACKEND, "No backend was free in time."};
static const weir_fault_t no_backend = {"no_backend", 503, WEIR_BLAME_ROUTER, "No backend is left to try."};
static const weir_fault_t starting = {"backends_starting", 503, WEIR_BLAME_BACKEND,
                                      "All backends of this app are still starting."};
static const weir_fault_t ill = {"backends_ill", 503, WEIR_BLAME_BACKEND, "All backends of this app are ill."};
const weir_fault_t kit_fault_lost = {"affinity_lost", 503, WEIR_BLAME_BACKEND,
                                     "The backend that has this session is not there."};
const weir_fault_t kit_fault_paused = {"paused", 503, WEIR_BLAME_ROUTER, "This app is paused."};
const weir_fault_t kit_fault_maintenance = {"maintenance", 503, WEIR_BLAME_ROUTER, "This app is being maintained."};
const weir_fault_t kit_fault_blank = {"not_found", 404, WEIR_BLAME_CLIENT, "This app has not been given any code yet."};
const weir_fault_t kit_fault_gone = {"client_closed", 499, WEIR_BLAME_CLIENT, "The client has left."};

const weir_fault_t *kit_fault_of(kit_why_none_t why)
{
    switch (why) {
    case KIT_ALL_FULL:
        return &kit_fault_timeout;
    case KIT_ALL_STARTING:
        return &starting;
    case KIT_ALL_ILL:
        return &ill;
    case KIT_ALL_TRIED:
    case KIT_NONE_EXISTS:
        break;
    }
    return &no_backend;
}
