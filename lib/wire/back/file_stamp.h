/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FILE_STAMP_H
#define WEIR_WIRE_FILE_STAMP_H
/**
 * @file  Tells whether a file of the system's is as it was. Waits for the file system: not for loops.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

/** Zeroed before its first use: then any file that is there has changed. */
typedef struct weir_file_stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec changed;
} weir_file_stamp_t;

/** Whether `path` is another file, or none, or has other contents than when it was last looked at with this stamp. */
bool weir_file_has_changed(const char *path, weir_file_stamp_t *stamp);

#endif
