/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_ROUTERS_SAY_H
#define WEIR_T_ROUTERS_SAY_H
/** @file  How a test's router writes down what it was asked: a line for each call, from any thread. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir.h>

/** Writes "PATH what\n" to `fd`, in one piece; what is too long is cut. Ends the process if it cannot. */
__attribute__((format(printf, 3, 4))) static inline void say_to(int fd, const char *path, const char *format, ...)
{
    char what[512], line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    int length = snprintf(line, sizeof(line), "%.*s %s\n", 400, path, what);
    if (write(fd, line, (size_t)length) != length)
        abort();
}

static inline const char *name_of(const weir_fault_t *fault)
{
    return fault == NULL ? "-" : fault->name;
}

#endif
