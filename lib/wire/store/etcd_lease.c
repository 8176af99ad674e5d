/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "etcd.pb-c.h"
#include "lib/wire/store/etcd_private.h"
#include "lib/wire/store/store_messages.h"

/* The answer to an end has neither of the two: they are 0. */
static weir_etcd_status_t ask(weir_etcd_t *etcd, const char *path, const ProtobufCMessage *request, int64_t *out_lease,
                              int64_t *out_ttl_s)
{
    weir_span_t answer = {NULL, 0};
    weir_etcd_status_t status = store_etcd_ask(etcd, path, request, &answer);
    weir_arena_t arena;

    weir_arena_init(&arena);
    if (status == WEIR_ETCD_FINE && !store_read_lease(answer, &arena, out_lease, out_ttl_s))
        status = store_etcd_malformed(etcd);
    weir_arena_finish(&arena);
    free((void *)(uintptr_t)answer.base);
    return status;
}

weir_etcd_status_t weir_etcd_lease(weir_etcd_t *etcd, int64_t ttl_s, int64_t *out_lease)
{
    WeirEtcd__LeaseGrantRequest request = WEIR_ETCD__LEASE_GRANT_REQUEST__INIT;
    int64_t granted_s;

    request.ttl = ttl_s;
    return ask(etcd, "/etcdserverpb.Lease/LeaseGrant", &request.base, out_lease, &granted_s);
}

weir_etcd_status_t weir_etcd_lease_keep(weir_etcd_t *etcd, int64_t lease, int64_t *out_ttl_s)
{
    WeirEtcd__LeaseKeepAliveRequest request = WEIR_ETCD__LEASE_KEEP_ALIVE_REQUEST__INIT;
    int64_t kept;

    request.id = lease;
    return ask(etcd, "/etcdserverpb.Lease/LeaseKeepAlive", &request.base, &kept, out_ttl_s);
}

weir_etcd_status_t weir_etcd_lease_end(weir_etcd_t *etcd, int64_t lease)
{
    WeirEtcd__LeaseRevokeRequest request = WEIR_ETCD__LEASE_REVOKE_REQUEST__INIT;
    int64_t nothing, no_ttl;

    request.id = lease;
    return ask(etcd, "/etcdserverpb.Lease/LeaseRevoke", &request.base, &nothing, &no_ttl);
}
