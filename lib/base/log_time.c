/* SPDX-License-Identifier: MIT */
#include "lib/base/log_time.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DAY_S = 86400, CYCLE_DAYS = 146097 /* of 400 years */, SECOND_BYTES = 19 /* "2026-11-30T00:15:27" */ };

static void put_digits(char *to, unsigned number, unsigned count)
{
    while (count-- > 0) {
        to[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Years begin in March here, so that the day that some have more comes last. */
static void put_date(char *to, uint64_t days)
{
    const unsigned of_cycle = (unsigned)((days + 719468) % CYCLE_DAYS); /* days from March of the year 0 to 1970 */
    const unsigned year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    const unsigned of_year = of_cycle - (365 * year + year / 4 - year / 100);
    const unsigned from_march = (5 * of_year + 2) / 153;
    const unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;

    put_digits(to, year + 400 * (unsigned)((days + 719468) / CYCLE_DAYS) + (month <= 2), 4);
    to[4] = '-';
    put_digits(to + 5, month, 2);
    to[7] = '-';
    put_digits(to + 8, of_year - (153 * from_march + 2) / 5 + 1, 2);
}

static void put_second(char *to, uint64_t wall_s)
{
    const unsigned of_day = (unsigned)(wall_s % DAY_S);

    put_date(to, wall_s / DAY_S);
    to[10] = 'T';
    put_digits(to + 11, of_day / 3600, 2);
    to[13] = ':';
    put_digits(to + 14, of_day / 60 % 60, 2);
    to[16] = ':';
    put_digits(to + 17, of_day % 60, 2);
}

static size_t put_rest(char *to, uint64_t wall_us)
{
    to[SECOND_BYTES] = '.';
    put_digits(to + SECOND_BYTES + 1, (unsigned)(wall_us / 1000 % 1000), 3);
    to[SECOND_BYTES + 4] = 'Z';
    to[SECOND_BYTES + 5] = ' ';
    return WEIR_LOG_TIME_BYTES;
}

size_t weir_log_time_write(uint64_t wall_us, char out[static WEIR_LOG_TIME_BYTES])
{
    static __thread uint64_t second = UINT64_MAX;
    static __thread char text[SECOND_BYTES];

    if (wall_us / 1000000 != second) {
        second = wall_us / 1000000;
        put_second(text, second);
    }
    memcpy(out, text, SECOND_BYTES);
    return put_rest(out, wall_us);
}

size_t weir_log_time_write_anew(uint64_t wall_us, char out[static WEIR_LOG_TIME_BYTES])
{
    put_second(out, wall_us / 1000000);
    return put_rest(out, wall_us);
}

/* ---- systemd's journal ---- */

static struct {
    pthread_once_t once;
    bool is_known;
    unsigned long long device, inode;
} journal = {.once = PTHREAD_ONCE_INIT};

static void read_environment(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    char *end;

    if (text == NULL)
        return;
    journal.device = strtoull(text, &end, 10);
    if (end == text || *end != ':')
        return;
    text = end + 1;
    journal.inode = strtoull(text, &end, 10);
    journal.is_known = end != text && *end == '\0';
}

bool weir_log_is_journal(int fd)
{
    struct stat what;

    pthread_once(&journal.once, read_environment);
    return journal.is_known && fstat(fd, &what) == 0 && what.st_dev == journal.device && what.st_ino == journal.inode;
}
