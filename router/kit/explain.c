/* SPDX-License-Identifier: MIT */
/*
 * What weir_lease_checkout() would do, as a document. All that decides is decided by the functions that it calls itself, on a
 * lease of its own that takes nothing: kit_lease_read(), kit_lease_turn(), kit_lease_look(), kit_lease_turn_behind().
 */
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "asleep.h"
#include "document.h"
#include "faults.h"
#include "instance.h"
#include "pin.h"
#include "queue.h"
#include "retry.h"

/* ---- what would become of it ---- */

static bool is_wait(kit_turn_t turn)
{
    return turn == KIT_TURN_PAUSES || turn == KIT_TURN_QUEUES || turn == KIT_TURN_HOLDS;
}

/* One that would wait for a slot is put into the queue, and looks once more there, if the others let it. */
static void look_from_queue(kit_explained_t *it, kit_lease_t *lease, const weir_request_t *request)
{
    if (is_wait(it->turn) && (kit_queue_has_no_place(lease->set, it->settings, request) || !weir_waiting_may())) {
        it->turn = KIT_TURN_REFUSED;
        it->fault = &kit_fault_too_deep;
    }
    if (it->turn != KIT_TURN_QUEUES || !kit_queue_lets_pass(lease->set, it->settings, request) ||
        kit_queue_is_window_full(lease->set))
        return;
    lease->tried_count = 0;
    kit_lease_look(lease, &it->asking, request, &it->look);
    if (it->look.pick.member != NULL)
        it->turn = KIT_TURN_TAKES;
}

static bool has_been_taken(const kit_explained_t *it)
{
    return it->turn == KIT_TURN_TAKES && it->may_look && it->look.pick.member != NULL;
}

static void look(kit_explained_t *it, kit_lease_t *lease, const weir_request_t *request)
{
    it->may_look = kit_lease_may_look(lease);
    kit_lease_look(lease, &it->asking, request, &it->look); /* in each case: how its members fare is told */
    if (it->turn != KIT_TURN_TAKES || has_been_taken(it))
        return;
    kit_why_none_t why = it->may_look ? it->look.pick.why_none : KIT_ALL_FULL;
    it->turn = kit_lease_turn_behind(lease, it->settings, request, &why);
    if (it->turn == KIT_TURN_REFUSED)
        it->fault = kit_lease_refusal(lease, why);
}

void kit_explain_decide(kit_explained_t *it, kit_lease_t *lease, weir_set_t *set, const weir_request_t *request)
{
    *it = (kit_explained_t){.settings = atomic_load_explicit(&set->settings, memory_order_acquire),
                            .asking = kit_lease_asking(request),
                            .lease = lease};
    lease->set = set;
    kit_lease_read(lease, it->settings, request);
    it->pinned = lease->pinned;
    it->turn = kit_lease_turn(lease, it->settings, weir_now_us(request), &it->fault);
    if (it->settings->is_blank) {
        it->turn = KIT_TURN_REFUSED;
        it->fault = &kit_fault_blank;
    }
    look(it, lease, request);
    look_from_queue(it, lease, request);
    if (it->turn != KIT_TURN_TAKES)
        it->look.pick.member = NULL;
    lease->how = (uint8_t)(it->look.pick.member == NULL ? KIT_BY_NOTHING : it->look.pick.how);
}

void kit_explain_free(kit_explained_t *it)
{
    free(it->look.because);
    it->look.because = NULL;
}

/* ---- as a document ---- */

static json_t *lookup_of(const weir_kit_t *kit, const weir_request_t *request, const kit_found_t *found)
{
    const weir_span_t host = weir_request_host(request), path = weir_request_path(request);
    char entry[KIT_DOMAIN_BYTES + 2] = "*";

    if (found->match == KIT_MATCH_EXACT || found->match == KIT_MATCH_SUFFIX)
        snprintf(entry, sizeof(entry), "%s%.*s", found->match == KIT_MATCH_EXACT ? "" : "*", (int)found->name_bytes,
                 host.base + host.len - found->name_bytes);
    return json_pack("{s:s%, s:o, s:s, s:o, s:I}", "domain", host.len == 0 ? "" : host.base, host.len, "entry",
                     found->app == NULL ? json_null() : json_string(entry), "match", kit_match_word(found->match), "prefix",
                     found->prefix_bytes == 0 ? json_null() : json_stringn(path.base, found->prefix_bytes), "entries",
                     (json_int_t)kit_domains_count(kit->domains));
}

/* What the router would have said, or the kit in its place; NULL: it goes to a member. */
static json_t *outcome_of(const kit_explained_t *it)
{
    static const char *const words[] = {"pick", "pause", "queue", "hold", "refuse"};

    if (it->turn != KIT_TURN_REFUSED)
        return json_pack("{s:s}", "what", words[it->turn]);
    return json_pack("{s:s, s:s, s:i, s:s}", "what", words[it->turn], "reason", it->fault->name, "status",
                     (int)it->fault->status, "detail", it->fault->sentence == NULL ? "" : it->fault->sentence);
}

static json_t *pick_of(const kit_explained_t *it)
{
    const weir_member_t *member = it->look.pick.member;
    const char *how = kit_lease_how(it->lease);

    if (member == NULL)
        return json_null();
    return json_pack("{s:s, s:o, s:s}", "id", member->id, "at", kit_document_address(member), "how", how == NULL ? "" : how);
}

static json_t *retry_of(const kit_explained_t *it, weir_set_t *set)
{
    const kit_budget_t budget = kit_retry_budget(set, it->settings);
    size_t more = 0;

    for (size_t i = 0; i < kit_view_count(it->look.view); i++)
        more += it->look.because[i] >= KIT_IS_SPARE;
    return json_pack("{s:b, s:I, s:I, s:I}", "is_on", it->settings->retry.on != 0, "budget_left",
                     (json_int_t)(budget.most > budget.spent ? budget.most - budget.spent : 0), "budget",
                     (json_int_t)budget.most, "more", (json_int_t)more);
}

static json_t *app_of(const kit_explained_t *it, weir_set_t *set)
{
    static const char *const balances[] = {"best", "least", "round-robin", "random", "hash"};
    const uint32_t window = atomic_load(&set->window);

    return json_pack("{s:s, s:s, s:s, s:o, s:{s:i, s:i}, s:I, s:o, s:o, s:b}", "app", set->name, "state",
                     kit_document_course(set), "balance", balances[it->settings->choice.balance], "key",
                     it->lease->has_key ? json_integer((json_int_t)(it->lease->key >> 48)) : json_null(), "queue", "waiting",
                     (int)kit_queue_count(set), "length", (int)it->settings->queue.length, "in_flight",
                     (json_int_t)kit_document_in_flight(set), "max_requests",
                     it->settings->app_max_requests == 0 ? json_null() : json_integer(it->settings->app_max_requests), "window",
                     window == 0 ? json_null() : json_integer(window), "panic", kit_is_panic(it->look.view));
}

json_t *kit_explain_document(kit_explained_t *it, weir_set_t *set, const weir_request_t *request)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "affinity", kit_explain_affinity(it, set, request), "app",
                     app_of(it, set), "members", kit_explain_members(it, set, request), "pick", pick_of(it), "outcome",
                     outcome_of(it), "retry", retry_of(it, set));
}

/* ---- the calls ---- */

static void answer(weir_explain_t *explain, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);

    if (text == NULL)
        weir_explain_unknown(explain, "its explanation is no text");
    else
        weir_explain_answer(explain, text, strlen(text));
    free(text);
    json_decref(document);
}

static json_t *explain_set(kit_lease_t *lease, weir_set_t *set, const weir_request_t *request)
{
    kit_explained_t it;

    kit_explain_decide(&it, lease, set, request);
    json_t *document = kit_explain_document(&it, set, request);
    kit_explain_free(&it);
    return document;
}

static json_t *explain_nobody(void)
{
    return json_pack("{s:{s:s, s:s, s:i}}", "outcome", "what", "refuse", "reason", "not_found", "status", 404);
}

void weir_lease_explain(weir_lease_t *opaque, weir_set_t *set, const weir_request_t *request, weir_explain_t *explain)
{
    if (set == NULL) {
        answer(explain, explain_nobody());
        return;
    }
    pthread_mutex_lock(&set->instance->lock);
    if (set->instance->started != NULL)
        (void)kit_app_awake(set->instance->started, weir_set_name(set));
    json_t *document = explain_set(kit_lease_of(opaque), set, request);
    pthread_mutex_unlock(&set->instance->lock);
    answer(explain, document);
}

void weir_kit_explain(weir_kit_t *kit, const weir_request_t *request, weir_explain_t *explain)
{
    weir_lease_t lease = {{0}};
    json_t *document;

    pthread_mutex_lock(&kit->instance->lock);
    const kit_found_t found = kit_domains_find(kit->domains, weir_request_host(request), weir_request_path(request));
    kit_app_t *app = found.app;
    if (app != NULL)
        kit_app_wake(kit, app);
    if (app != NULL)
        document = explain_set(kit_lease_of(&lease), app->set, request);
    else
        document = explain_nobody();
    json_object_set_new(document, "seq", json_integer((json_int_t)kit->instance->seq));
    json_t *lookup = lookup_of(kit, request, &found);
    json_object_set_new(lookup, "app", app == NULL ? json_null() : json_string(app->name));
    json_object_set_new(lookup, "source", app == NULL ? json_null() : json_string(kit_document_source(kit, app)));
    json_object_set_new(document, "lookup", lookup);
    pthread_mutex_unlock(&kit->instance->lock);
    answer(explain, document);
}
