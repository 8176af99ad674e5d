/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/listener.h"

#include <stdlib.h>

void weir_listener_stop(weir_listener_t *listener)
{
    weir_timer_cancel(&listener->pause);
    weir_sock_close(&listener->sock);
}

void weir_listener_release(weir_listener_t *listener)
{
    if (listener == NULL || --listener->holders > 0)
        return;
    weir_listener_stop(listener);
    weir_context_release(listener->ending);
    free(listener);
}
