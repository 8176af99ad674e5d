/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PUBLISH_DOCUMENT_H
#define WEIR_CONF_PUBLISH_DOCUMENT_H
/**
 * @file  All keys as one document, in JSON or YAML:
 *
 *   {"apps": {"shop": {…}}, "backends": {"shop": {"web-1": {…}}}, "domains": {"www.shop.example": {…}},
 *    "config": {…}, "certs": {…}, "meta": {…}}
 *
 * OWNER    A command of a publisher (cli_publish.c).
 * THREAD   One.
 */
#include "conf/publish_keys.h"

/** The bytes of a file (-: standard input), with a NUL behind them; the caller's. NULL after a complaint. */
char *conf_publish_load(const char *file, size_t *out_size);

/** The keys of a file, sorted; *out_kinds: of which kinds it says something, a bit each. False after a complaint. */
bool conf_publish_document_read(const char *file, conf_publish_keys_t *out, unsigned *out_kinds);

/** Writes them into `file` (NULL: to standard output), sorted. False after complaints: what is no JSON is left out. */
bool conf_publish_document_write(const conf_publish_keys_t *keys, const char *file);

#endif
