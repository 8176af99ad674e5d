/* SPDX-License-Identifier: MIT */
#ifndef HEAR_H
#define HEAR_H
/**
 * @file  What is written to standard error, by whichever thread, as a string.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEARD_BYTES = 1 << 20 };

static char heard[HEARD_BYTES];
static int heard_file = -1, stderr_before = -1;

static inline void begin_hearing(void)
{
    fflush(stderr);
    stderr_before = dup(STDERR_FILENO);
    heard_file = memfd_create("heard", 0);
    assert_true(stderr_before != -1 && heard_file != -1 && dup2(heard_file, STDERR_FILENO) != -1);
    assert_int_equal(fcntl(heard_file, F_SETFL, O_APPEND), 0); /* of several threads: one behind the other */
}

/** What has been written since; good until the next time. */
static inline const char *end_hearing(void)
{
    ssize_t length;

    fflush(stderr);
    assert_true(dup2(stderr_before, STDERR_FILENO) != -1);
    length = pread(heard_file, heard, sizeof(heard) - 1, 0);
    close(stderr_before);
    close(heard_file);
    assert_in_range(length, 0, sizeof(heard) - 2);
    heard[length] = '\0';
    return heard;
}

#endif
