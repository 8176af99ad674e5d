/* SPDX-License-Identifier: MIT */
/* `weir docs metrics`: docs/metrics.md from lib/base/metric.def. */
#include <stdio.h>

#include "conf/verbs.h"
#include "lib/base/metrics.h"

static void print_bounds(const char *what, const weir_bounds_t *bounds)
{
    printf("%s:", what);
    for (size_t i = 0; i < bounds->count; i++)
        printf(" %g", (double)bounds->us[i] / 1e6);
    puts("\\");
}

static void print_metric(const weir_metric_t *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    printf("\n### `%s`\n%s%s%s%s%s\n\n%s\n\n    %s\n", metric->name, types[metric->type],
           metric->labels[0] != '\0' ? " by `" : "", metric->labels, metric->labels[0] != '\0' ? "`" : "",
           metric->maker == WEIR_METRIC_KIT ? "; the kit's" : "", metric->help, metric->query);
}

static void print_how(void)
{
    puts("<!-- Made by `weir docs metrics` from lib/base/metric.def: change it there. -->\n"
         "# Metrics\n\n"
         "What the proxy counts of itself, for [Prometheus](https://prometheus.io) and whatever reads its format. An address "
         "of its own\n"
         "serves it ([operations.md](operations.md#metrics-and-probes-from-outside)), or a path does:\n\n"
         "    weir.metrics: 127.0.0.1:9100\n\n"
         "    hosts:\n"
         "      metrics.internal:\n"
         "        paths:\n"
         "          /metrics: { weir.metrics: ON }\n\n"
         "The format is Prometheus text 0.0.4, or OpenMetrics 1.0 for who asks for it (`Accept`). All numbers are those of the "
         "process,\n"
         "of all threads and all configurations since it began: a reload keeps them, a process that follows by an upgrade "
         "begins "
         "anew.\n"
         "Reading them holds up no request: a thread that serves none adds up what the others have counted.\n\n"
         "The sum of `weir_requests_total` is the number of lines of `weir.access-log`, if that is on everywhere; a path with "
         "`weir.metrics`,\n"
         "`status` or libh2o's handlers has no such lines, and is not counted.\n"
         "The kit's are told by the router `table` and by whatever else is made with the kit, for all of them together. Other "
         "routers may add\n"
         "theirs, by `weir_router_metrics()`: they begin with `weir_router_`.\n\n"
         "examples/monitoring has alerts and a dashboard made of these.\n\n"
         "## Buckets\nIn seconds:\n");
    print_bounds("stages, queue and probes", &weir_bounds_stages);
    print_bounds("callbacks", &weir_bounds_callbacks);
    print_bounds("apps", &weir_bounds_apps);
    puts("each has `+Inf` besides.\n\n## All of them\nBehind each stands a query to begin with.");
}

int conf_docs_metrics(void)
{
    print_how();
    for (size_t i = 0; i < WEIR_METRICS; i++)
        print_metric(&weir_metrics[i]);
    return EXIT_FINE;
}
