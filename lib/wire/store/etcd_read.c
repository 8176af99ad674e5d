/* SPDX-License-Identifier: MIT */
/* Keys are read and written. */
#include <stdlib.h>

#include "etcd.pb-c.h"
#include "lib/wire/store/etcd_private.h"
#include "lib/wire/store/store_messages.h"

weir_etcd_status_t weir_etcd_read(weir_etcd_t *etcd, const weir_etcd_range_t *range,
                                  void (*visit)(const weir_etcd_item_t *item, void *context), void *context,
                                  weir_etcd_header_t *out_header, bool *out_has_more)
{
    WeirEtcd__RangeRequest request = WEIR_ETCD__RANGE_REQUEST__INIT;
    weir_span_t answer = {NULL, 0};
    weir_etcd_status_t status;

    request.key = store_bytes(range->key);
    request.range_end = store_bytes(range->end);
    request.limit = range->limit;
    request.revision = range->revision;
    request.serializable = range->is_serializable;
    request.keys_only = range->has_no_values;
    status = store_etcd_ask(etcd, "/etcdserverpb.KV/Range", &request.base, &answer);
    if (status != WEIR_ETCD_FINE)
        return status;
    if (!store_read_range(answer, visit, context, out_header, out_has_more))
        status = store_etcd_malformed(etcd);
    free((void *)(uintptr_t)answer.base);
    return status;
}

/* ---- transactions ---- */

static WeirEtcd__RequestOp *removal_of(const weir_etcd_write_t *write, weir_arena_t *arena)
{
    WeirEtcd__DeleteRangeRequest *removal = weir_arena_alloc(arena, sizeof(*removal));
    WeirEtcd__RequestOp *op = weir_arena_alloc(arena, sizeof(*op));

    weir_etcd__delete_range_request__init(removal);
    weir_etcd__request_op__init(op);
    removal->key = store_bytes(write->key);
    removal->range_end = store_bytes(write->end);
    op->request_case = WEIR_ETCD__REQUEST_OP__REQUEST_DELETE_RANGE;
    op->delete_range = removal;
    return op;
}

static WeirEtcd__RequestOp *put_of(const weir_etcd_write_t *write, weir_arena_t *arena)
{
    WeirEtcd__PutRequest *put = weir_arena_alloc(arena, sizeof(*put));
    WeirEtcd__RequestOp *op = weir_arena_alloc(arena, sizeof(*op));

    weir_etcd__put_request__init(put);
    weir_etcd__request_op__init(op);
    put->key = store_bytes(write->key);
    put->value = store_bytes(write->value);
    put->lease = write->lease;
    op->request_case = WEIR_ETCD__REQUEST_OP__REQUEST_PUT;
    op->put = put;
    return op;
}

static weir_etcd_status_t send_writes(weir_etcd_t *etcd, const weir_etcd_write_t *writes, size_t count, weir_arena_t *arena,
                                      weir_etcd_header_t *out_header)
{
    WeirEtcd__TxnRequest request = WEIR_ETCD__TXN_REQUEST__INIT;
    weir_span_t answer = {NULL, 0};
    weir_etcd_status_t status;

    request.n_success = count;
    request.success = weir_arena_alloc(arena, count * sizeof(*request.success) + 1);
    for (size_t i = 0; i < count; i++)
        request.success[i] = writes[i].is_removal ? removal_of(&writes[i], arena) : put_of(&writes[i], arena);
    status = store_etcd_ask(etcd, "/etcdserverpb.KV/Txn", &request.base, &answer);
    if (status == WEIR_ETCD_FINE && !store_read_header(answer, arena, out_header))
        status = store_etcd_malformed(etcd);
    free((void *)(uintptr_t)answer.base);
    return status;
}

weir_etcd_status_t weir_etcd_write(weir_etcd_t *etcd, const weir_etcd_write_t *writes, size_t count,
                                   weir_etcd_header_t *out_header)
{
    weir_arena_t arena;
    weir_etcd_status_t status;

    weir_arena_init(&arena);
    status = send_writes(etcd, writes, count, &arena, out_header);
    weir_arena_finish(&arena);
    return status;
}
