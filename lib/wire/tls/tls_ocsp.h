/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_OCSP_H
#define WEIR_WIRE_TLS_OCSP_H
/**
 * @file  OCSP stapling: asks the authority of each watched certificate whether it is still good, and has its answer shown in
 * handshakes.
 *
 * One thread for all of them, which waits for one responder at a time, 5 seconds at most. An answer is shown only if its
 * signature, its certificate and its time are right and it says good; and no longer than it says itself. A certificate without
 * a responder's address, or without its issuer behind it in its file, is left alone.
 *
 * OWNER    The process. A certificate that nobody else holds any more is forgotten.
 * THREAD   Any may watch; stop on the main one.
 */
#include "lib/wire/tls/tls_cert.h"

/** Every `interval_s`; what was said last is given up after more than `max_failures` in a row. */
void weir_tls_ocsp_watch(weir_tls_cert_t *cert, uint32_t interval_s, uint32_t max_failures);

/**
 * Shows what a file holds: the authority's answer, in DER, at most 64 KiB, if it is as right as one that was asked for. Any
 * thread; the certificate need not be watched. NULL, or a sentence: then nothing has changed.
 */
const char *weir_tls_ocsp_show_file(weir_tls_cert_t *cert, const char *path);

/**
 * Ends the thread and forgets all certificates; harmless if there is none. Waits for a responder that is being asked: 5 seconds
 * at most.
 */
void weir_tls_ocsp_stop(void);

#endif
