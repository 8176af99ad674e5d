/* SPDX-License-Identifier: MIT */
/* Probes of an instance: all of it on the steward's thread. */
#include "lib/walk/probe.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "lib/walk/steward.h"
#include "router/instance.h"
#include "router/target.h"

enum { TIMEOUT_MOST_MS = 86400000 };

typedef struct probe {
    weir_list_t link; /* of the instance's, under its lock */
    weir_instance_t *instance;
    weir_probing_t *probing;
    void (*on_result)(void *context, const weir_probe_result_t *result);
    void *context;
} probe_t;

/* Whose result is being told of. */
static __thread const weir_probing_t *told;

static weir_probe_settings_t complete(const weir_probe_settings_t *given)
{
    weir_probe_settings_t settings = {0};

    memcpy(&settings, given, given->size < sizeof(settings) ? given->size : sizeof(settings));
    settings.timeout_ms = settings.timeout_ms == 0 ? 1 : settings.timeout_ms;
    settings.timeout_ms = settings.timeout_ms > TIMEOUT_MOST_MS ? TIMEOUT_MOST_MS : settings.timeout_ms;
    return settings;
}

static void on_result(void *of, const weir_probe_result_t *result)
{
    probe_t *probe = of;
    weir_instance_t *instance = probe->instance;
    weir_before_t before;

    pthread_mutex_lock(&instance->lock);
    weir_list_remove(&probe->link);
    instance->is_telling = true;
    pthread_mutex_unlock(&instance->lock);
    told = probe->probing;
    before = weir_at_work_on(NULL, "router", instance->router, "a probe's result");
    probe->on_result(probe->context, result);
    weir_at_work_back(before);
    told = NULL;
    free(probe);
    pthread_mutex_lock(&instance->lock);
    instance->is_telling = false;
    pthread_cond_broadcast(&instance->has_ended);
    pthread_mutex_unlock(&instance->lock);
}

bool weir_probe_start(weir_instance_t *instance, const weir_probe_settings_t *given,
                      void (*then)(void *context, const weir_probe_result_t *result), void *context)
{
    const weir_probe_settings_t settings = complete(given);
    weir_target_t target = {0};
    probe_t *probe = calloc(1, sizeof(*probe));

    WEIR_MUST(probe != NULL);
    target_use_endpoint(&target, settings.endpoint);
    *probe = (probe_t){.instance = instance, .on_result = then, .context = context};
    weir_list_init(&probe->link);
    pthread_mutex_lock(&instance->lock);
    if (!instance->is_still && weir_steward_is_here())
        probe->probing = weir_probing_begin(&settings, &target, on_result, probe);
    if (probe->probing != NULL)
        weir_list_append(&instance->probes, &probe->link);
    pthread_mutex_unlock(&instance->lock);
    if (probe->probing != NULL)
        return true;
    free(probe);
    return false;
}

weir_span_t weir_probe_header(const weir_probe_result_t *result, weir_span_t name)
{
    return told == NULL ? (weir_span_t){NULL, 0} : weir_probing_header(told, name);
}

bool weir_probe_address(const weir_probe_result_t *result, size_t index, char text[WEIR_PROBE_ADDRESS_BYTES])
{
    const weir_span_t address = told == NULL ? (weir_span_t){NULL, 0} : weir_probing_address(told, index);

    if (address.base == NULL || address.len >= WEIR_PROBE_ADDRESS_BYTES)
        return false;
    memcpy(text, address.base, address.len);
    text[address.len] = '\0';
    return true;
}

void weir_instance_drop_probes(weir_instance_t *instance)
{
    while (!weir_list_is_empty(&instance->probes)) {
        probe_t *probe = WEIR_AROUND(instance->probes.next, probe_t, link);
        weir_list_remove(&probe->link);
        weir_probing_cancel(&probe->probing);
        free(probe);
    }
}
