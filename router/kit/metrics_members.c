/* SPDX-License-Identifier: MIT */
/* Metrics of apps and members one by one, for who asks for them (weir.metrics-apps, weir.metrics-members). */
#include "counts.h"
#include "metrics.h"
#include "own.h"
#include "queue.h"
#include "weir_span.h"

static const char waiting_name[] = "weir_app_queue_waiting", up_name[] = "weir_member_up";

static weir_span_t span_of(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void tell_member(const weir_set_t *set, const weir_member_t *member, weir_metric_sink_t *sink)
{
    const kit_total_t total = kit_total_of(member);
    weir_metric_label_t labels[] = {{"app", span_of(set->name)}, {"member", span_of(member->id)}, {"result", span_of("ok")}};

    weir_metric_add(sink, up_name, labels, 2, kit_metrics_is_up(member));
    weir_metric_add(sink, "weir_member_requests_in_flight", labels, 2,
                    kit_in_flight(atomic_load_explicit(&member->load, memory_order_relaxed)));
    weir_metric_add(sink, "weir_member_handicap", labels, 2, atomic_load_explicit(&member->handicap, memory_order_relaxed));
    weir_metric_add(sink, "weir_member_requests_total", labels, 3, (double)total.successes);
    labels[2].value = span_of("failed");
    weir_metric_add(sink, "weir_member_requests_total", labels, 3, (double)total.failures);
}

/* False: there is no room for more. */
static bool tell_members(const weir_set_t *set, weir_metric_sink_t *sink)
{
    for (size_t i = 0; i < set->member_count; i++) {
        if (!weir_metric_is_wanted(sink, up_name))
            return false;
        tell_member(set, set->members[i], sink);
    }
    return true;
}

void kit_metrics_tell_each(kit_instance_t *instance, weir_metric_sink_t *sink)
{
    const bool wants_waiting = weir_metric_is_wanted(sink, waiting_name);
    bool wants_members = weir_metric_is_wanted(sink, up_name);

    if (instance->started == NULL || (!wants_waiting && !wants_members))
        return;
    const kit_apps_t *apps = kit_apps(instance->started);
    for (size_t i = 0; i < apps->count; i++) {
        const weir_set_t *set = apps->at[i]->set;
        if (set == NULL || atomic_load(&apps->at[i]->is_gone))
            continue;
        const uint32_t waiting = kit_queue_count(set);
        const weir_metric_label_t app = {"app", span_of(set->name)};
        if (wants_waiting && waiting > 0)
            weir_metric_add(sink, waiting_name, &app, 1, waiting);
        wants_members = wants_members && tell_members(set, sink);
    }
}
