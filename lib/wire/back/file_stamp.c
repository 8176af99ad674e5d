/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/file_stamp.h"

bool weir_file_has_changed(const char *path, weir_file_stamp_t *stamp)
{
    struct stat now;
    weir_file_stamp_t fresh = {.bytes = 0};

    if (stat(path, &now) == 0)
        fresh = (weir_file_stamp_t){.device = now.st_dev, .inode = now.st_ino, .bytes = now.st_size, .changed = now.st_mtim};
    bool is_same = fresh.device == stamp->device && fresh.inode == stamp->inode && fresh.bytes == stamp->bytes &&
                   fresh.changed.tv_sec == stamp->changed.tv_sec && fresh.changed.tv_nsec == stamp->changed.tv_nsec;
    *stamp = fresh;
    return !is_same;
}
