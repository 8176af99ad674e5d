/* SPDX-License-Identifier: MIT */
#include "lib/walk/watch.h"

enum { US_OF_MS = 1000, AGAIN_FIRST_MS = 10000, AGAIN_TIMES = 10 };

/* Told behind stuck_ms, then at 10 s, 100 s, … */
static uint64_t next_behind(uint64_t silent_us)
{
    uint64_t next_us = (uint64_t)AGAIN_FIRST_MS * US_OF_MS;

    while (next_us <= silent_us)
        next_us *= AGAIN_TIMES;
    return next_us;
}

/* A sign of life that was announced may lie ahead, or further back than the look at which it was not there yet. */
static weir_watch_word_t begin_anew(weir_watched_t *watched, uint64_t beat_us, uint64_t now_us, uint64_t lost_us,
                                    uint64_t *out_us)
{
    const bool was_told = watched->next_us != 0;
    const uint64_t end_us = (beat_us < now_us ? beat_us : now_us) - watched->beat_us;

    *out_us = was_told && end_us > watched->excused_us ? end_us - watched->excused_us : 0;
    *watched = (weir_watched_t){.beat_us = beat_us, .excused_us = lost_us};
    return was_told ? WEIR_WATCH_OVER : WEIR_WATCH_FINE;
}

weir_watch_word_t weir_watch_judge(weir_watched_t *watched, const weir_watch_limits_t *limits, uint64_t beat_us,
                                   uint64_t now_us, uint64_t lost_us, uint64_t *out_us)
{
    const uint64_t stuck_us = (uint64_t)limits->stuck_ms * US_OF_MS, kill_us = (uint64_t)limits->kill_ms * US_OF_MS;

    if (beat_us != watched->beat_us)
        return begin_anew(watched, beat_us, now_us, lost_us, out_us);
    *out_us = 0;
    if (now_us <= beat_us)
        return WEIR_WATCH_FINE;
    watched->excused_us += lost_us;
    if (now_us - beat_us <= watched->excused_us)
        return WEIR_WATCH_FINE;
    *out_us = now_us - beat_us - watched->excused_us;
    if (kill_us != 0 && *out_us >= kill_us)
        return WEIR_WATCH_KILL;
    if (stuck_us == 0 || *out_us < stuck_us || *out_us < watched->next_us)
        return WEIR_WATCH_FINE;
    watched->next_us = next_behind(*out_us);
    return WEIR_WATCH_STUCK;
}
