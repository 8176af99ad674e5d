/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd.pb-c.h"
#include "lib/wire/store/etcd_private.h"
#include "lib/wire/store/store_messages.h"

enum { TOKEN_FRESH_MS = 60000 };

/* A token that nobody has used for a while has ended, which a watch is told as if the user were not allowed to. */
static weir_etcd_status_t freshen_token(weir_etcd_t *etcd)
{
    if (etcd->token == NULL || store_now_ms() - etcd->token_used_at_ms < TOKEN_FRESH_MS)
        return WEIR_ETCD_FINE;
    return store_etcd_prove(etcd);
}

weir_etcd_status_t weir_etcd_watch(weir_etcd_t *etcd, weir_span_t key, weir_span_t end, int64_t revision)
{
    WeirEtcd__WatchCreateRequest create = WEIR_ETCD__WATCH_CREATE_REQUEST__INIT;
    WeirEtcd__WatchRequest request = WEIR_ETCD__WATCH_REQUEST__INIT;
    const store_call_settings_t settings = {.path = "/etcdserverpb.Watch/Watch", .wants_leader = true, .goes_on = true};
    weir_etcd_status_t status;

    weir_etcd_watch_end(etcd);
    status = store_etcd_begin(etcd);
    if (status == WEIR_ETCD_FINE)
        status = freshen_token(etcd);
    if (status != WEIR_ETCD_FINE)
        return status;
    create.key = store_bytes(key);
    create.range_end = store_bytes(end);
    create.start_revision = revision;
    create.progress_notify = create.fragment = true;
    request.request_case = WEIR_ETCD__WATCH_REQUEST__REQUEST_CREATE;
    request.create = &create;
    etcd->watch = store_etcd_call(etcd, settings, &request.base);
    if (etcd->watch == NULL)
        return store_etcd_fail(etcd, WEIR_ETCD_CUT, "the connection takes no calls any more");
    store_link_flush(etcd->link);
    return WEIR_ETCD_FINE;
}

void weir_etcd_watch_end(weir_etcd_t *etcd)
{
    store_call_finish(&etcd->watch);
    weir_arena_finish(&etcd->news);
}

/* ---- what it says ---- */

static weir_etcd_status_t end_watch(weir_etcd_t *etcd, weir_etcd_status_t status)
{
    weir_etcd_watch_end(etcd);
    return store_etcd_end(etcd, status);
}

/* The stream stays open behind a watch that etcd has cancelled; what was said last is to be read yet. */
static weir_etcd_status_t take_end(weir_etcd_t *etcd, const weir_etcd_news_t *news)
{
    store_call_finish(&etcd->watch);
    (void)snprintf(etcd->problem, sizeof(etcd->problem), "etcd has cancelled the watch: %.200s", news->reason);
    return strstr(news->reason, "permission denied") != NULL ? WEIR_ETCD_DENIED : WEIR_ETCD_FINE;
}

static weir_etcd_status_t take_news(weir_etcd_t *etcd, weir_span_t message, weir_etcd_news_t *out)
{
    const bool is_read = store_read_watch(message, &etcd->news, out);

    free((void *)(uintptr_t)message.base);
    if (!is_read) {
        (void)snprintf(etcd->problem, sizeof(etcd->problem), "what the watch says cannot be read");
        return end_watch(etcd, WEIR_ETCD_FAILED);
    }
    etcd->is_good = true;
    return out->is_cancelled ? take_end(etcd, out) : WEIR_ETCD_FINE;
}

/* It has ended, or is going to: the connection takes no more calls, and what is missed is read elsewhere. */
static weir_etcd_status_t lose_watch(weir_etcd_t *etcd)
{
    weir_etcd_status_t status = WEIR_ETCD_CUT;

    if (etcd->watch->has_ended) {
        etcd->code = etcd->watch->status.code;
        status = store_call_judge(etcd->watch, etcd->problem);
    } else {
        memcpy(etcd->problem, etcd->link->problem, sizeof(etcd->problem));
    }
    if (status != WEIR_ETCD_FINE)
        return end_watch(etcd, status);
    (void)snprintf(etcd->problem, sizeof(etcd->problem), "etcd has ended the watch");
    return end_watch(etcd, WEIR_ETCD_CUT);
}

static weir_etcd_status_t await_news(weir_etcd_t *etcd, uint64_t until_ms, weir_etcd_news_t *out)
{
    weir_span_t message;

    for (bool has_looked = false;; has_looked = true) {
        if (store_call_take(etcd->watch, &message))
            return take_news(etcd, message, out);
        if (etcd->watch->has_ended || etcd->link->is_going)
            return lose_watch(etcd);
        if (has_looked && store_now_ms() >= until_ms)
            return store_etcd_fail(etcd, WEIR_ETCD_NOTHING, "the time is up");
        if (store_link_turn(etcd->link, until_ms) == WEIR_ETCD_WOKEN)
            return store_etcd_woken(etcd);
    }
}

weir_etcd_status_t weir_etcd_watch_next(weir_etcd_t *etcd, uint32_t timeout_ms, weir_etcd_news_t *out)
{
    weir_arena_finish(&etcd->news);
    *out = (weir_etcd_news_t){.reason = ""};
    etcd->problem[0] = '\0';
    etcd->code = WEIR_ETCD_CODE_NONE;
    if (etcd->watch == NULL)
        return store_etcd_fail(etcd, etcd->link == NULL ? WEIR_ETCD_CUT : WEIR_ETCD_FAILED, "there is no watch");
    return await_news(etcd, store_now_ms() + timeout_ms, out);
}
