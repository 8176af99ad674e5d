/* SPDX-License-Identifier: MIT */
/* What this node tells of itself in the store: below another prefix, which nobody watches, with a lease. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/follow_private.h"

static weir_etcd_status_t write_key(state_follow_t *follow)
{
    json_t *json =
        json_pack("{s:I, s:s, s:s*}", "applied", (json_int_t)follow->revision, "ver", WEIR_VERSION, "addr", follow->address);
    char *text = json_dumps(json, JSON_COMPACT);
    weir_etcd_header_t header;

    WEIR_MUST(text != NULL);
    json_decref(json);
    const weir_etcd_write_t put = {
        .key = {follow->node_key, strlen(follow->node_key)}, .value = {text, strlen(text)}, .lease = follow->lease};
    const weir_etcd_status_t status = weir_etcd_write(follow->etcd, &put, 1, &header);
    free(text);
    if (status == WEIR_ETCD_FINE)
        follow->node_revision = follow->revision;
    return status;
}

static weir_etcd_status_t keep_lease(state_follow_t *follow)
{
    weir_etcd_status_t status = WEIR_ETCD_FINE;
    int64_t ttl_s = 0;

    if (follow->lease != 0)
        status = weir_etcd_lease_keep(follow->etcd, follow->lease, &ttl_s);
    if (status != WEIR_ETCD_FINE || ttl_s > 0)
        return status;
    follow->node_revision = -1; /* the key went with its lease */
    follow->lease = 0;
    return weir_etcd_lease(follow->etcd, STATE_NODE_TTL_S, &follow->lease);
}

void state_follow_keep_node(state_follow_t *follow, uint64_t now_us)
{
    if (follow->node_key == NULL || now_us < follow->node_due_us)
        return;
    weir_etcd_status_t status = keep_lease(follow);
    if (status == WEIR_ETCD_FINE && follow->node_revision != follow->revision)
        status = write_key(follow);
    const bool has_trouble = status == WEIR_ETCD_DENIED || status == WEIR_ETCD_FULL || status == WEIR_ETCD_FAILED;
    if (has_trouble && !follow->has_node_trouble)
        weir_log("state: %s cannot be written: %s", follow->node_key, weir_etcd_problem(follow->etcd));
    follow->has_node_trouble = has_trouble;
    follow->node_due_us = now_us + (has_trouble ? STATE_SLOW_MS * UINT64_C(1000) : STATE_NODE_KEEP_US);
}

void state_follow_end_node(state_follow_t *follow)
{
    if (follow->lease != 0)
        (void)weir_etcd_lease_end(follow->etcd, follow->lease);
    follow->lease = 0;
}
