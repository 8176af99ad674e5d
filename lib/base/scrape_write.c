/* SPDX-License-Identifier: MIT */
/*
 * The two formats. They differ in a counter's name (OpenMetrics calls the family without _total), in units, and in the end.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/scrape_private.h"
#include "lib/base/span.h"

static const double whole_most = 1e15;
static const char *const types[] = {"counter", "gauge", "histogram"};

const char *weir_scrape_type(weir_metrics_format_t format)
{
    return format == WEIR_METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

/* Whoever names OpenMetrics prefers it: Prometheus lists it first, everybody else takes text. */
weir_metrics_format_t weir_scrape_format(weir_span_t accept)
{
    static const char name[] = "application/openmetrics-text";
    const size_t length = sizeof(name) - 1;

    for (size_t i = 0; i + length <= accept.len; i++)
        if (weir_bytes_equal_nocase(accept.base + i, name, length))
            return WEIR_METRICS_OPENMETRICS;
    return WEIR_METRICS_TEXT;
}

/* ---- numbers ---- */

static void write_number(FILE *out, double number)
{
    if (number != number)
        fputs("NaN", out);
    else if (number > DBL_MAX || number < -DBL_MAX)
        fputs(number > 0 ? "+Inf" : "-Inf", out);
    else if (number < whole_most && number > -whole_most && number == (double)(int64_t)number)
        fprintf(out, "%" PRId64, (int64_t)number);
    else
        fprintf(out, "%.15g", number);
}

/* ---- families ---- */

static int family_length(const scrape_family_t *family, weir_metrics_format_t format)
{
    const int length = (int)strlen(family->name);

    return format == WEIR_METRICS_OPENMETRICS && family->type == WEIR_METRIC_COUNTER ? length - 6 : length; /* _total */
}

static const char *unit_of(const char *name, int length)
{
    static const char *const units[] = {"seconds", "bytes"};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const int unit = (int)strlen(units[i]);
        if (length > unit + 1 && name[length - unit - 1] == '_' && strncmp(name + length - unit, units[i], (size_t)unit) == 0)
            return units[i];
    }
    return NULL;
}

/* Quotes are escaped by OpenMetrics alone. */
static void write_help(FILE *out, const char *help, weir_metrics_format_t format)
{
    for (; *help != '\0'; help++) {
        if (*help == '\\' || (*help == '"' && format == WEIR_METRICS_OPENMETRICS))
            fputc('\\', out);
        fputc(*help, out);
    }
}

static void write_head(FILE *out, const scrape_family_t *family, weir_metrics_format_t format)
{
    const int length = family_length(family, format);
    const char *unit = unit_of(family->name, length);

    fprintf(out, "# HELP %.*s ", length, family->name);
    write_help(out, family->help, format);
    fprintf(out, "\n# TYPE %.*s %s\n", length, family->name, types[family->type]);
    if (format == WEIR_METRICS_OPENMETRICS && unit != NULL)
        fprintf(out, "# UNIT %.*s %s\n", length, family->name, unit);
}

static void write_family(FILE *out, const scrape_family_t *family, weir_metrics_format_t format)
{
    if (family->first == NULL)
        return;
    write_head(out, family, format);
    for (const scrape_sample_t *sample = family->first; sample != NULL; sample = sample->next) {
        fprintf(out, "%s%s", family->name, sample->suffix);
        if (*sample->labels != '\0')
            fprintf(out, "{%s}", sample->labels);
        fputc(' ', out);
        write_number(out, sample->value);
        if (sample->exemplar != NULL && format == WEIR_METRICS_OPENMETRICS)
            fprintf(out, " # %s", sample->exemplar);
        fputc('\n', out);
    }
}

void weir_scrape_write(const weir_metric_sink_t *sink, FILE *out, weir_metrics_format_t format)
{
    for (size_t i = 0; i < WEIR_METRICS; i++)
        write_family(out, &sink->families[i], format);
    for (size_t i = 0; i < sink->own_count; i++)
        write_family(out, &sink->own[i], format);
    if (format == WEIR_METRICS_OPENMETRICS)
        fputs("# EOF\n", out);
}
