/* SPDX-License-Identifier: MIT */
#include "conf/watchdog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/notify.h"
#include "lib/base/span.h"
#include "lib/walk/watch.h"

static uint32_t alive_ms; /* 0: nobody wants to know */

/* A decimal number of the environment's; 0: there is none. */
static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    uint64_t number = 0;

    if (text == NULL || !weir_span_to_u63((weir_span_t){text, strlen(text)}, &number))
        return 0;
    return number;
}

void conf_watchdog_read(bool is_successor)
{
    const uint64_t usec = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID"), half_ms = usec / 2000;
    char own[24];

    alive_ms = 0;
    if (usec == 0)
        return;
    if (is_successor && pid == (uint64_t)getppid()) {
        snprintf(own, sizeof(own), "%d", (int)getpid());
        setenv("WATCHDOG_PID", own, 1); /* so that its own successor finds it there */
    } else if (getenv("WATCHDOG_PID") != NULL && pid != (uint64_t)getpid()) {
        return;
    }
    alive_ms = half_ms == 0 ? 1 : half_ms < UINT32_MAX ? (uint32_t)half_ms : UINT32_MAX;
}

static void on_alive(void)
{
    conf_notify_now("WATCHDOG=1");
}

void conf_watchdog_begin(const weir_server_settings_t *settings)
{
    weir_watch_begin(&(weir_watch_limits_t){settings->watchdog_ms, settings->watchdog_kill_ms, alive_ms}, on_alive);
}

void conf_watchdog_be_silent(const weir_server_settings_t *settings)
{
    alive_ms = 0;
    conf_watchdog_begin(settings);
}

void conf_watchdog_end(void)
{
    weir_watch_end();
}
