/* SPDX-License-Identifier: MIT */
#include "lib/base/lasting.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

typedef struct name {
    struct name *next;
    char text[];
} name_t;

static struct {
    pthread_mutex_t lock;
    name_t *names;
} lasting = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. */
static const char *add(const char *text)
{
    const size_t size = strlen(text) + 1;
    name_t *name = malloc(sizeof(*name) + size);

    WEIR_MUST(name != NULL);
    memcpy(name->text, text, size);
    name->next = lasting.names;
    lasting.names = name;
    return name->text;
}

const char *weir_lasting(const char *text)
{
    const char *found = NULL;

    pthread_mutex_lock(&lasting.lock);
    for (const name_t *name = lasting.names; name != NULL && found == NULL; name = name->next)
        if (strcmp(name->text, text) == 0)
            found = name->text;
    if (found == NULL)
        found = add(text);
    pthread_mutex_unlock(&lasting.lock);
    return found;
}
