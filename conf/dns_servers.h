/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_DNS_SERVERS_H
#define WEIR_CONF_DNS_SERVERS_H
/**
 * @file  The directive `weir.dns-servers`.
 */
#include "conf/snapshot.h"

/** Reads an address or a list of them into conf->dns_servers. Returns 0, or -1 after a complaint. */
int conf_dns_servers_read(conf_t *conf, const yoml_t *node);

#endif
