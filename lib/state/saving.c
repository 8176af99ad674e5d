/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "lib/base/must.h"
#include "lib/state/saved_format.h"

enum { RECORDS_AT_A_TIME = 2000, ROOM = 1 << 20 };

static void fail(state_saving_t *saving, const char *what)
{
    saving->has_failed = true;
    snprintf(saving->problem, sizeof(saving->problem), "%.200s: %s", saving->path, what);
}

/* ---- bytes ---- */

static void write_out(state_saving_t *saving)
{
    size_t done = 0;

    while (done < saving->used && !saving->has_failed) {
        const ssize_t count = write(saving->fd, saving->bytes + done, saving->used - done);
        if (count == -1 && errno != EINTR)
            fail(saving, strerror(errno));
        done += count > 0 ? (size_t)count : 0;
    }
    saving->used = 0;
}

static void add(state_saving_t *saving, const void *bytes, size_t count)
{
    saving->sum = (uint32_t)crc32_z(saving->sum, bytes, count);
    if (saving->used + count > ROOM)
        write_out(saving);
    memcpy(saving->bytes + saving->used, bytes, count);
    saving->used += count;
}

static void add_record(state_saving_t *saving, const state_file_record_t *record, weir_span_t key, weir_span_t slot,
                       weir_span_t value)
{
    state_file_record_t whole = *record;

    whole.key_bytes = htole16((uint16_t)key.len);
    whole.slot_bytes = htole16((uint16_t)slot.len);
    whole.value_bytes = htole32((uint32_t)value.len);
    add(saving, &whole, sizeof(whole));
    add(saving, key.base, key.len);
    if (slot.len > 0)
        add(saving, slot.base, slot.len);
    if (value.len > 0)
        add(saving, value.base, value.len);
    saving->records++;
}

static void add_object(state_saving_t *saving, const state_object_t *object)
{
    const state_slot_t *slot = object->slot;
    const bool is_redirect = slot != NULL && slot->is_redirect;

    add_record(saving,
               &(state_file_record_t){.mod_revision = htole64((uint64_t)object->mod_revision),
                                      .kind = object->kind,
                                      .flags = (uint8_t)((is_redirect ? STATE_RECORD_IS_REDIRECT : 0) |
                                                         (object->has_lease ? STATE_RECORD_HAS_LEASE : 0) |
                                                         (object->is_absent ? STATE_RECORD_IS_ABSENT : 0) |
                                                         (object->is_suspect ? STATE_RECORD_IS_SUSPECT : 0))},
               state_object_key(object), slot == NULL ? (weir_span_t){"", 0} : (weir_span_t){slot->name, slot->name_length},
               state_object_value(object));
}

static void add_troubles(state_saving_t *saving, const state_step_t *step)
{
    state_names_walk_t walk = {0};

    for (const state_trouble_t *trouble; (trouble = state_troubles_next(&step->troubles, &walk)) != NULL;)
        if (trouble->key_length <= STATE_KEY_BYTES)
            add_record(saving,
                       &(state_file_record_t){
                           .mod_revision = htole64((uint64_t)trouble->mod_revision),
                           .kind = (uint8_t)trouble->bad,
                           .flags = (uint8_t)(STATE_RECORD_IS_TROUBLE | (trouble->has_lease ? STATE_RECORD_HAS_LEASE : 0))},
                       (weir_span_t){trouble->key, trouble->key_length}, (weir_span_t){trouble->why, strlen(trouble->why)},
                       (weir_span_t){trouble->value, trouble->value_length});
}

static void add_head(state_saving_t *saving, const char *prefix)
{
    state_file_head_t head = {.version = htole32(STATE_SAVED_VERSION),
                              .prefix_bytes = htole32((uint32_t)strlen(prefix)),
                              .cluster_id = htole64(saving->head.cluster_id),
                              .revision = htole64((uint64_t)saving->head.revision),
                              .saved_at_ms = htole64(saving->head.saved_at_ms)};

    memcpy(head.magic, STATE_SAVED_MAGIC, sizeof(head.magic));
    add(saving, &head, sizeof(head));
    add(saving, prefix, strlen(prefix));
}

static void add_end(state_saving_t *saving)
{
    const state_file_record_t end = {.mod_revision = htole64(saving->records), .flags = STATE_RECORD_IS_END};

    add(saving, &end, sizeof(end));
    const uint32_t sum = htole32(saving->sum);
    add(saving, &sum, sizeof(sum));
    write_out(saving);
}

/* ---- its life ---- */

/* A disk may take seconds. */
static void *settle(void *arg)
{
    state_saving_t *saving = arg;

    if (fdatasync(saving->fd) == -1)
        fail(saving, strerror(errno));
    else if (rename(saving->temporary, saving->path) == -1)
        fail(saving, strerror(errno));
    else
        saving->problem[0] = '\0';
    atomic_store(&saving->is_settled, true);
    return NULL;
}

static void start_over(state_saving_t *saving, const state_step_t *step)
{
    if (ftruncate(saving->fd, 0) == -1 || lseek(saving->fd, 0, SEEK_SET) == -1)
        fail(saving, strerror(errno));
    saving->sum = 0;
    saving->used = 0;
    saving->records = 0;
    saving->walk = (state_names_walk_t){0};
    saving->chain_count = step->table.objects.chain_count;
    add_head(saving, step->prefix);
}

static void give_up(state_saving_t *saving)
{
    if (saving->is_threaded)
        pthread_join(saving->thread, NULL);
    else if (saving->fd > 0)
        (void)unlink(saving->temporary);
    if (saving->has_failed)
        (void)unlink(saving->temporary);
    if (saving->fd > 0)
        close(saving->fd);
    free(saving->bytes);
    saving->bytes = NULL;
    saving->fd = 0;
    saving->is_threaded = false;
}

bool state_saving_is_over(const state_saving_t *saving)
{
    return saving->is_threaded ? atomic_load(&saving->is_settled) : saving->has_failed;
}

void state_saving_end(state_saving_t *saving)
{
    give_up(saving);
}

bool state_saving_begin(state_saving_t *saving, const char *path, const state_step_t *step, const state_saved_head_t *head)
{
    give_up(saving);
    saving->has_failed = false;
    atomic_store(&saving->is_settled, false);
    saving->head = *head;
    snprintf(saving->path, sizeof(saving->path), "%s", path);
    snprintf(saving->temporary, sizeof(saving->temporary), "%s.new", path);
    (void)unlink(saving->temporary); /* of one that was killed; never what somebody has put in its place */
    const int fd = open(saving->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd == -1) {
        fail(saving, strerror(errno));
        return false;
    }
    saving->fd = fd;
    saving->bytes = malloc(ROOM);
    WEIR_MUST(saving->bytes != NULL && fd > 0);
    start_over(saving, step);
    return true;
}

bool state_saving_go_on(state_saving_t *saving, const state_step_t *step)
{
    const state_name_t *name;

    if (saving->fd == 0 || saving->is_threaded)
        return false;
    if (saving->chain_count != step->table.objects.chain_count)
        start_over(saving, step);
    /* Up to the end of a chain: what stands in the middle of one may be gone the next time. */
    for (int i = 0; i < RECORDS_AT_A_TIME || saving->walk.next != NULL; i++) {
        name = state_names_next(&step->table.objects, &saving->walk);
        if (name == NULL)
            break;
        add_object(saving, WEIR_AROUND(name, state_object_t, by_key));
    }
    if (saving->has_failed) {
        give_up(saving);
        return false;
    }
    if (saving->walk.chain < saving->chain_count)
        return true;
    add_troubles(saving, step);
    add_end(saving);
    if (saving->has_failed) {
        give_up(saving);
        return false;
    }
    WEIR_MUST(pthread_create(&saving->thread, NULL, settle, saving) == 0);
    saving->is_threaded = true;
    return false;
}
