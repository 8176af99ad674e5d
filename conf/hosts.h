/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_HOSTS_H
#define WEIR_CONF_HOSTS_H
/**
 * @file  The hosts of a configuration. libh2o compares each new one with all before it; here their number costs no more than
 * itself.
 */
#include "conf/snapshot.h"

/** Adds `host` to a list that ends with NULL and grows by doubling. A zeroed list is empty. */
void conf_host_list_add(conf_host_list_t *list, h2o_hostconf_t *host);

/** Handles `hosts`: has libh2o read one host after the other. Returns 0, or -1 after a complaint. */
int conf_hosts_read(conf_t *conf, h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node);

/** Whether every host has a name of its own; false after a complaint about each that has not. */
bool conf_hosts_differ(const conf_t *conf);

#endif
