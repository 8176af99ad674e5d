/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files named as arguments, and over the files in the directories named: for compilers without
 * libFuzzer, and for tests. Prints how many there were.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

/* Exactly as much memory as the file is long: sanitizers see a byte too far. */
static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *input;
    long length;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0) {
        perror(path);
        exit(2);
    }
    rewind(file);
    input = malloc((size_t)length + (length == 0));
    WEIR_MUST(input != NULL && fread(input, 1, (size_t)length, file) == (size_t)length);
    fclose(file);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(input, (size_t)length);
    free(input);
}

static size_t replay(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    if (directory == NULL) {
        replay_file(path);
        return 1;
    }
    while ((entry = readdir(directory)) != NULL) {
        char inner[4096];

        if (entry->d_name[0] == '.')
            continue;
        WEIR_MUST(snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) < (int)sizeof(inner));
        count += replay(inner);
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%zu inputs\n", count);
    return count == 0;
}
