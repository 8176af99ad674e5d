/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_EMBEDDED_H
#define WEIR_WIRE_EMBEDDED_H
/**
 * @file  A loop of ours inside an application's: made by the first of our handlers that its context meets, ended by the last.
 *
 * THREAD   The one that runs the context's loop; several contexts may each have their own.
 */
#include "lib/wire/loop/generation.h"

/**
 * Registers the handler that turns each request on `path` into an exchange walking `plan`: its contexts are told, requests may
 * come by libh2o's own fronts too, and plan and settings live until when_disposed is called with the globalconf's end.
 */
void weir_embedded_register(h2o_pathconf_t *path, const weir_plan_t *plan, const weir_server_settings_t *settings,
                            void (*when_disposed)(const weir_server_settings_t *settings));

/**
 * For on_context_init of one of our handlers: the context of ours for libh2o's, made if this is the first of them. What fronts
 * need before a path is known is what `settings` of this first one say; header_timeout_ms 0: the globalconf's
 * http1.req_timeout.
 */
weir_context_t *weir_embedded_enter(h2o_context_t *h2o, const weir_server_settings_t *settings);

/** For on_context_dispose: ends it with the last of them. No connection of our fronts and no exchange may be left. */
void weir_embedded_leave(h2o_context_t *h2o);

/**
 * Gives a connection just accepted to our fronts, behind the PROXY header and the TLS that `how` asks for. False if that is not
 * possible (see weir_accept()); then nothing is taken.
 */
bool weir_embedded_accept(h2o_accept_ctx_t *how, h2o_socket_t *sock);

/**
 * Ends connections that have come by weir_embedded_accept(): idle ones now, those that have asked for nothing yet in a second.
 * How many connections and exchanges are left.
 */
size_t weir_embedded_drain(h2o_context_t *h2o);

#endif
