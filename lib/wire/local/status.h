/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_STATUS_H
#define WEIR_WIRE_LOCAL_STATUS_H
/**
 * @file  What the proxy is doing: what stands behind `status`.
 *
 *   PATH, PATH/           a page for people, which shows what /json says
 *   PATH/json             {"server-version": …, "requests": […], "status-errors.404": …, "duration-50": …}
 *   PATH/json?show=NAMES  only some of main, requests, events and durations, with commas between
 *
 * Numbers are those of all threads since the process began; durations are in microseconds, within an eighth. At most 1000
 * requests in flight are told of each thread.
 *
 * Each thread is asked by a letter and writes into memory of the inquiry's own, which holds the configuration until the
 * last has answered. The request may be gone by then.
 *
 * THREAD   Registration: where the configuration is loaded. Handler and logger: the request's loop.
 */
#include "lib/wire/loop/loop.h"

/** Has `path` answer with the status. */
void weir_status_register(h2o_pathconf_t *path);

/** Has the requests of every path of `globalconf` counted. When all of them are there. */
void weir_status_count_all(h2o_globalconf_t *globalconf);

/** Frees what was counted on a loop. */
void weir_status_forget(weir_loop_t *loop);

#endif
