/* SPDX-License-Identifier: MIT */
#include "lib/wire/local/status_counts.h"

#include <inttypes.h>
#include <string.h>

static const char *const names[WEIR_STATUS_DURATIONS] = {
    "connect-time", "header-time", "body-time", "request-total-time", "process-time", "response-time", "duration",
};

/* ---- durations ---- */

/* 0 to 7 as they are; then eight steps for each power of two. */
static unsigned step_of(uint64_t us)
{
    unsigned power = 0;

    while (us >> power > 15)
        power++;
    return power == 0 ? (unsigned)us : power * 8 + (unsigned)(us >> power);
}

/* The most that falls into a step. */
static uint64_t most_of(unsigned step)
{
    if (step < 16)
        return step;
    const unsigned power = step / 8 - 1;
    return ((uint64_t)(step - power * 8 + 1) << power) - 1;
}

void weir_status_count_duration(weir_status_counts_t *counts, unsigned which, int64_t us)
{
    const unsigned step = step_of(us > 0 ? (uint64_t)us : 0);

    counts->durations[which][step < WEIR_STATUS_STEPS ? step : WEIR_STATUS_STEPS - 1]++;
}

uint64_t weir_status_quantile(const weir_status_counts_t *counts, unsigned which, unsigned percent)
{
    const uint64_t *steps = counts->durations[which];
    uint64_t total = 0, seen = 0;

    for (unsigned i = 0; i < WEIR_STATUS_STEPS; i++)
        total += steps[i];
    const uint64_t wanted = (total * percent + 99) / 100;
    for (unsigned i = 0; i < WEIR_STATUS_STEPS; i++) {
        seen += steps[i];
        if (seen > 0 && seen >= wanted)
            return most_of(i);
    }
    return 0;
}

/* ---- sums and words ---- */

void weir_status_counts_add(weir_status_counts_t *sum, const weir_status_counts_t *counts)
{
    for (size_t i = 0; i < WEIR_STATUS_CODES; i++)
        sum->by_status[i] += counts->by_status[i];
    for (size_t i = 0; i < WEIR_STATUS_DURATIONS; i++)
        for (size_t step = 0; step < WEIR_STATUS_STEPS; step++)
            sum->durations[i][step] += counts->durations[i][step];
}

void weir_status_print_events(FILE *out, const weir_status_counts_t *counts)
{
    uint64_t classes[6] = {0};

    for (unsigned status = 400; status < WEIR_STATUS_CODES; status++) {
        static const char always[] = "400 403 404 405 416 417 500 502 503 ";
        char text[5];
        (void)snprintf(text, sizeof(text), "%u ", status);
        if (counts->by_status[status] > 0 || strstr(always, text) != NULL)
            fprintf(out, ",\n \"status-errors.%u\": %" PRIu64, status, counts->by_status[status]);
    }
    for (unsigned status = 100; status < WEIR_STATUS_CODES; status++)
        classes[status / 100] += counts->by_status[status];
    for (unsigned i = 1; i < 6; i++)
        fprintf(out, ",\n \"responses.%uxx\": %" PRIu64, i, classes[i]);
}

void weir_status_print_durations(FILE *out, const weir_status_counts_t *counts)
{
    static const unsigned percents[] = {0, 25, 50, 75, 99};

    for (unsigned i = 0; i < WEIR_STATUS_DURATIONS; i++)
        for (size_t k = 0; k < sizeof(percents) / sizeof(percents[0]); k++)
            fprintf(out, ",\n \"%s-%u\": %" PRIu64, names[i], percents[k], weir_status_quantile(counts, i, percents[k]));
}
