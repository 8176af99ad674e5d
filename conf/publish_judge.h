/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PUBLISH_JUDGE_H
#define WEIR_CONF_PUBLISH_JUDGE_H
/**
 * @file  Whether proxies would take what is to be written, before it is.
 *
 * OWNER    A command of a publisher (cli_publish.c).
 * THREAD   One.
 */
#include "conf/publish_keys.h"
#include "conf/snapshot.h"

/**
 * Puts the changes in an order of which each beginning is right, and judges them in that, beside what is there: as all proxies
 * do, and with a configuration (NULL: none) as its routers do. False after a complaint about each that is refused: "key: why".
 */
bool conf_publish_judge(const conf_t *conf, const conf_publish_keys_t *present, conf_publish_changes_t *changes);

#endif
