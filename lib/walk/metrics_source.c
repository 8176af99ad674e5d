/* SPDX-License-Identifier: MIT */
#include "lib/walk/metrics_source.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list_t sources = {&sources, &sources};

void weir_metrics_source_add(weir_metrics_source_t *source)
{
    pthread_mutex_lock(&lock);
    weir_list_append(&sources, &source->link);
    pthread_mutex_unlock(&lock);
}

void weir_metrics_source_remove(weir_metrics_source_t *source)
{
    pthread_mutex_lock(&lock);
    if (source->link.next != NULL)
        weir_list_remove(&source->link);
    pthread_mutex_unlock(&lock);
}

static bool is_replaced(const weir_metrics_source_t *source)
{
    for (weir_list_t *node = sources.next; node != &sources; node = node->next) {
        const weir_metrics_source_t *other = WEIR_AROUND(node, weir_metrics_source_t, link);
        if (other->generation > source->generation && strcmp(other->name, source->name) == 0)
            return true;
    }
    return false;
}

void weir_metrics_ask(weir_metric_sink_t *sink)
{
    pthread_mutex_lock(&lock);
    for (weir_list_t *node = sources.next; node != &sources; node = node->next) {
        weir_metrics_source_t *source = WEIR_AROUND(node, weir_metrics_source_t, link);
        if (!is_replaced(source))
            source->tell(source, sink);
    }
    pthread_mutex_unlock(&lock);
}
