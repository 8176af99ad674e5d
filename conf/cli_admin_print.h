/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CLI_ADMIN_PRINT_H
#define WEIR_CONF_CLI_ADMIN_PRINT_H
/**
 * @file  Documents of the admin endpoint for people: columns, with a line of headings.
 */
#include <jansson.h>

void conf_print_json(const json_t *document);
void conf_print_routers(const json_t *document);
/** A list of apps. */
void conf_print_apps(const json_t *apps);
/** One, with its settings and backends. */
void conf_print_app(const json_t *app);
/** A list of {domain, app}. */
void conf_print_domains(const json_t *domains);
/** An object with `backends`. */
void conf_print_backends(const json_t *document);

#endif
