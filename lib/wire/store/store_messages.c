/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_messages.h"

#include <string.h>
#include <sys/mman.h>

#include "etcd.pb-c.h"
#include "lib/base/span.h"

enum { EVENT_PUT = 0, EVENT_REMOVED = 1, REGION_ALIGNMENT = 16, REGION_LEAST = 1 << 16, REGION_FACTOR = 16 };

/* ---- memory: what is in a message comes and goes together ---- */

static void *take(void *arena, size_t bytes)
{
    return weir_arena_alloc(arena, bytes);
}

static void leave(void *arena, void *memory)
{
}

static void *unpack(const ProtobufCMessageDescriptor *kind, weir_span_t message, weir_arena_t *arena)
{
    ProtobufCAllocator allocator = {take, leave, arena};

    return protobuf_c_message_unpack(kind, &allocator, message.len, (const uint8_t *)message.base);
}

/* ---- parts ---- */

static weir_span_t span_of(ProtobufCBinaryData bytes)
{
    return (weir_span_t){bytes.len > 0 ? (const char *)bytes.data : "", bytes.len};
}

static weir_etcd_header_t header_of(const WeirEtcd__ResponseHeader *header)
{
    return (weir_etcd_header_t){header->cluster_id, header->member_id, header->revision};
}

static weir_etcd_item_t item_of(const WeirEtcd__KeyValue *kv)
{
    return (weir_etcd_item_t){span_of(kv->key), span_of(kv->value), kv->mod_revision, kv->lease};
}

/* ---- answers ---- */

/* Of a whole answer: pages of its own, which are gone with it, and do not stay with the process. */
typedef struct region {
    char *base;
    size_t used, size;
} region_t;

static void *take_of_region(void *of, size_t bytes)
{
    region_t *region = of;
    const size_t at = (region->used + REGION_ALIGNMENT - 1) / REGION_ALIGNMENT * REGION_ALIGNMENT;

    if (at > region->size || bytes > region->size - at)
        return NULL; /* no answer that is one says so much in so few bytes */
    region->used = at + bytes;
    return region->base + at;
}

static bool visit_range(const WeirEtcd__RangeResponse *answer, void (*visit)(const weir_etcd_item_t *item, void *context),
                        void *context, weir_etcd_header_t *out_header, bool *out_has_more)
{
    if (answer == NULL || answer->header == NULL)
        return false;
    *out_header = header_of(answer->header);
    *out_has_more = answer->more;
    for (size_t i = 0; i < answer->n_kvs; i++) {
        const weir_etcd_item_t item = item_of(answer->kvs[i]);
        visit(&item, context);
    }
    return true;
}

bool store_read_range(weir_span_t message, void (*visit)(const weir_etcd_item_t *item, void *context), void *context,
                      weir_etcd_header_t *out_header, bool *out_has_more)
{
    region_t region = {.size = REGION_LEAST + REGION_FACTOR * message.len};
    ProtobufCAllocator allocator = {take_of_region, leave, &region};

    region.base = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region.base == MAP_FAILED)
        return false;
    (void)madvise(region.base, region.size, MADV_HUGEPAGE); /* a wish */
    const bool is_fine = visit_range((const void *)protobuf_c_message_unpack(&weir_etcd__range_response__descriptor, &allocator,
                                                                             message.len, (const uint8_t *)message.base),
                                     visit, context, out_header, out_has_more);
    munmap(region.base, region.size);
    return is_fine;
}

static bool read_event(const WeirEtcd__Event *from, weir_etcd_event_t *out)
{
    if (from->kv == NULL || (from->type != EVENT_PUT && from->type != EVENT_REMOVED))
        return false;
    *out = (weir_etcd_event_t){item_of(from->kv), from->type == EVENT_REMOVED};
    return true;
}

bool store_read_watch(weir_span_t message, weir_arena_t *arena, weir_etcd_news_t *out)
{
    const WeirEtcd__WatchResponse *answer = unpack(&weir_etcd__watch_response__descriptor, message, arena);
    weir_etcd_event_t *events;

    if (answer == NULL || answer->header == NULL)
        return false;
    events = weir_arena_alloc(arena, answer->n_events * sizeof(*events) + 1);
    for (size_t i = 0; i < answer->n_events; i++) {
        if (!read_event(answer->events[i], &events[i]))
            return false;
    }
    *out = (weir_etcd_news_t){
        .header = header_of(answer->header),
        .is_created = answer->created,
        .is_cancelled = answer->canceled,
        .has_more = answer->fragment,
        .compact_revision = answer->compact_revision,
        .reason = answer->cancel_reason,
        .events = events,
        .event_count = answer->n_events,
    };
    return true;
}

bool store_read_lease(weir_span_t message, weir_arena_t *arena, int64_t *out_lease, int64_t *out_ttl_s)
{
    const WeirEtcd__LeaseResponse *answer = unpack(&weir_etcd__lease_response__descriptor, message, arena);

    if (answer == NULL)
        return false;
    *out_lease = answer->id;
    *out_ttl_s = answer->ttl;
    return true;
}

bool store_read_header(weir_span_t message, weir_arena_t *arena, weir_etcd_header_t *out)
{
    const WeirEtcd__HeaderResponse *answer = unpack(&weir_etcd__header_response__descriptor, message, arena);

    if (answer == NULL || answer->header == NULL)
        return false;
    *out = header_of(answer->header);
    return true;
}

const char *store_read_token(weir_span_t message, weir_arena_t *arena)
{
    const WeirEtcd__AuthenticateResponse *answer = unpack(&weir_etcd__authenticate_response__descriptor, message, arena);

    if (answer == NULL || answer->token[0] == '\0' || !weir_is_one_line((weir_span_t){answer->token, strlen(answer->token)}))
        return NULL;
    return answer->token;
}

bool weir_etcd_prefix_end(weir_span_t prefix, char *out, size_t bytes, size_t *out_length)
{
    size_t length = prefix.len;

    while (length > 0 && (unsigned char)prefix.base[length - 1] == 0xff)
        length--;
    if (length == 0 || length > bytes)
        return false;
    memcpy(out, prefix.base, length);
    out[length - 1] = (char)((unsigned char)out[length - 1] + 1);
    *out_length = length;
    return true;
}
