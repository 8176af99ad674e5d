/* SPDX-License-Identifier: MIT */
#include "router/object.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/crash.h"
#include "lib/base/must.h"

enum { COPY_BYTES = 1 << 20, SPELLINGS = 256 };

struct weir_object {
    void *handle;
    uintptr_t start; /* of what is loaded of it */
    int copy; /* open as long as the object is loaded: its number is part of the name that dlopen() remembers; -1: none */
};

static bool copy_bytes(int from, int to)
{
    char *buffer = malloc(COPY_BYTES);
    ssize_t count = 0;

    WEIR_MUST(buffer != NULL);
    while ((count = read(from, buffer, COPY_BYTES)) > 0 && write(to, buffer, (size_t)count) == count)
        continue;
    free(buffer);
    return count == 0;
}

/* A copy of the file, or -1. */
static int make_copy(const char *path)
{
    const char *slash = strrchr(path, '/');
    int file = open(path, O_RDONLY | O_CLOEXEC), copy = -1;
    struct stat what;

    if (file == -1)
        return -1;
    if (fstat(file, &what) == 0 && S_ISREG(what.st_mode))
        copy = memfd_create(slash != NULL ? slash + 1 : path, MFD_CLOEXEC);
    if (copy != -1 && !copy_bytes(file, copy)) {
        close(copy);
        copy = -1;
    }
    close(file);
    return copy;
}

static void *load_copy(int copy, int more_flags)
{
    char name[64];

    /* With the number of the process, so that a debugger finds it too */
    snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), copy);
    return dlopen(name, RTLD_NOW | RTLD_LOCAL | more_flags);
}

static bool is_loaded(int copy)
{
    void *handle = load_copy(copy, RTLD_NOLOAD);

    if (handle != NULL)
        dlclose(handle);
    return handle != NULL;
}

/* From its place, under a name that no other load of ours has used lately: "dir///file". */
static void *load_in_place(const char *path)
{
    static _Atomic unsigned loads;
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    const size_t directory = slash != NULL ? (size_t)(slash - path) : 1;
    const size_t slashes = 1 + atomic_fetch_add(&loads, 1) % SPELLINGS;
    char *name = malloc(directory + slashes + strlen(path) + 1);
    void *handle;

    WEIR_MUST(name != NULL);
    memcpy(name, slash != NULL ? path : ".", directory); /* a bare name would be sought among the system's libraries */
    memset(name + directory, '/', slashes);
    memcpy(name + directory + slashes, file, strlen(file) + 1);
    handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    free(name);
    return handle;
}

/* dlerror()'s sentence, without the spelling of the name that it begins with. */
static void explain(const char *path, char *error, size_t error_size)
{
    const char *sentence = dlerror(), *colon;

    if (sentence == NULL)
        sentence = "no reason is known";
    colon = sentence[0] == '/' || sentence[0] == '.' ? strstr(sentence, ": ") : NULL;
    snprintf(error, error_size, "%s: cannot be loaded: %s", path, colon != NULL ? colon + 2 : sentence);
}

/* ---- for a crash: which code is whose ---- */

typedef struct search {
    uintptr_t start, end;
} search_t;

static int on_loaded(struct dl_phdr_info *info, size_t size, void *data)
{
    search_t *search = data;

    if (info->dlpi_addr != search->start)
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const uintptr_t end = search->start + segment->p_vaddr + segment->p_memsz;

        if (segment->p_type == PT_LOAD && end > search->end)
            search->end = end;
    }
    return 1;
}

static void tell_crashes(weir_object_t *object, const char *path)
{
    struct link_map *map = NULL;
    search_t search = {0, 0};

    if (dlinfo(object->handle, RTLD_DI_LINKMAP, &map) != 0)
        return;
    search.start = object->start = map->l_addr;
    dl_iterate_phdr(on_loaded, &search);
    weir_crash_know_code(search.start, search.end, path);
}

weir_object_t *weir_object_open(const char *path, char *error, size_t error_size)
{
    int copy = make_copy(path);
    void *handle = copy != -1 ? load_copy(copy, 0) : NULL;
    weir_object_t *object;

    if (handle == NULL && copy != -1) {
        close(copy);
        copy = -1;
    }
    if (handle == NULL)
        handle = load_in_place(path);
    if (handle == NULL) {
        explain(path, error, error_size);
        return NULL;
    }
    object = malloc(sizeof(*object));
    WEIR_MUST(object != NULL);
    *object = (weir_object_t){.handle = handle, .copy = copy};
    tell_crashes(object, path);
    return object;
}

void *weir_object_symbol(const weir_object_t *object, const char *name)
{
    return dlsym(object->handle, name);
}

/* ISO C knows no way from an object pointer to a function; POSIX wants this one to work. */
void weir_object_function(const weir_object_t *object, const char *name, void *out_function)
{
    void *symbol = weir_object_symbol(object, name);

    memcpy(out_function, &symbol, sizeof(symbol));
}

static bool keeps_all;

void weir_object_keep_all(void)
{
    keeps_all = true;
}

void weir_object_close(weir_object_t **object)
{
    weir_object_t *gone = *object;

    if (gone == NULL)
        return;
    *object = NULL;
    if (keeps_all) {
        free(gone);
        return;
    }
    weir_crash_forget_code(gone->start);
    dlclose(gone->handle);
    /* What cannot be unloaded keeps its copy: under the same number dlopen() would find it in place of another */
    if (gone->copy != -1 && !is_loaded(gone->copy))
        close(gone->copy);
    free(gone);
}
