/* SPDX-License-Identifier: MIT */
/*
 * The file of a store's keys. The first byte says whether what follows is the whole file, or its records: then a head stands
 * before them, and an end and the right sum behind them. Whatever it is, it is read or it is not, and then nothing of it is
 * there; what is read can be written and read again, and is the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "lib/base/must.h"
#include "lib/state/saved_format.h"
#include "weir_span.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { MOST = 1 << 16, NOW_US = 1000000 };

#define PREFIX "/weir/v1/"

static void apply(void *context, state_change_t *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        changes[i].is_fine = true;
}

/* ---- a file ---- */

typedef struct made {
    char bytes[MOST + 256];
    size_t used;
} made_t;

static void add(made_t *made, const void *bytes, size_t count)
{
    WEIR_MUST(made->used + count <= sizeof(made->bytes));
    if (count > 0)
        memcpy(made->bytes + made->used, bytes, count);
    made->used += count;
}

/* The next record, with what stands behind it; false: there is none. */
static bool next_record(const uint8_t **at, size_t *left, state_file_record_t *out, const char **out_key)
{
    if (*left < sizeof(*out))
        return false;
    memcpy(out, *at, sizeof(*out));
    const size_t bytes = sizeof(*out) + out->key_bytes + out->slot_bytes + (size_t)out->value_bytes;
    if (bytes > *left)
        return false;
    *out_key = (const char *)*at + sizeof(*out);
    *at += bytes;
    *left -= bytes;
    return true;
}

static uint64_t count_records(const uint8_t *at, size_t left)
{
    state_file_record_t record;
    const char *key;
    uint64_t count = 0;

    while (next_record(&at, &left, &record, &key))
        count++;
    return count;
}

static void make(made_t *made, const uint8_t *records, size_t length)
{
    const state_file_head_t head = {
        .magic = {'W', 'E', 'I', 'R', 'S', 'T', 'A', 'T'}, .version = STATE_SAVED_VERSION, .prefix_bytes = sizeof(PREFIX) - 1};
    const state_file_record_t end = {.mod_revision = count_records(records, length), .flags = STATE_RECORD_IS_END};

    add(made, &head, sizeof(head));
    add(made, PREFIX, sizeof(PREFIX) - 1);
    add(made, records, length);
    add(made, &end, sizeof(end));
    const uint32_t sum = (uint32_t)crc32_z(0, (const Bytef *)made->bytes, made->used);
    add(made, &sum, sizeof(sum));
}

/* Whether the slot is one that the judge has named, or may have. */
static bool is_its_slot(const state_file_record_t *record, weir_span_t slot, const state_said_t *said)
{
    const bool is_target = slot.len > 12 && memcmp(slot.base, "redirect-to:", 12) == 0;

    if (((record->flags & STATE_RECORD_IS_REDIRECT) != 0) != is_target)
        return false;
    return record->kind >= STATE_DOMAIN || weir_span_equal(slot, said->slot);
}

/* Whether somebody may have written it who had judged it before, and whose key it is alone. */
static bool is_honest_record(state_table_t *seen, const state_file_record_t *record, const char *key)
{
    static state_judged_t judged;
    const weir_span_t slot = {key + record->key_bytes, record->slot_bytes};
    const weir_span_t value = {slot.base + slot.len, record->value_bytes};
    const weir_span_t said = record->kind == STATE_DOMAIN ? WEIR_SPAN("{\"app\":\"a\"}") : value;

    if ((record->flags & (STATE_RECORD_IS_END | STATE_RECORD_IS_TROUBLE)) != 0 || record->kind >= STATE_KINDS)
        return true;
    if (state_judge(NULL, (weir_span_t){key, record->key_bytes}, said, &judged) != STATE_TAKEN)
        return false;
    if (judged.said.kind != (state_kind_t)record->kind || !is_its_slot(record, slot, &judged.said) ||
        state_table_find(seen, judged.said.key) != NULL)
        return false;
    state_table_settle(seen, state_table_set(seen, &judged.said));
    return true;
}

/* Files that somebody has forged are no concern: who may write them may write anything. */
static bool is_honest(const uint8_t *at, size_t left)
{
    state_file_record_t record;
    state_table_t seen;
    const char *key;
    bool is = true;

    state_table_init(&seen);
    while (is && next_record(&at, &left, &record, &key))
        is = is_honest_record(&seen, &record, key);
    state_table_dispose(&seen);
    return is;
}

/* ---- read and written ---- */

static char folder[64], path[80];

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static const char *path_of(void)
{
    if (folder[0] == '\0') {
        strcpy(folder, "/tmp/weir-fuzz-XXXXXX");
        WEIR_MUST(mkdtemp(folder) != NULL);
        snprintf(path, sizeof(path), "%s/saved", folder);
        (void)atexit(remove_folder);
    }
    return path;
}

static void write_file(const void *bytes, size_t count)
{
    FILE *file = fopen(path_of(), "w");

    WEIR_MUST(file != NULL && fwrite(bytes, 1, count, file) == count);
    WEIR_MUST(fclose(file) == 0);
}

static bool load(state_step_t *step, state_saved_head_t *head)
{
    char problem[STATE_SAVED_PROBLEM_BYTES];

    state_step_init(step, PREFIX, apply, NULL);
    const bool is_read = state_saved_load(path_of(), step, head, problem);
    WEIR_MUST(is_read || step->table.objects.count + step->table.slots.count + step->troubles.by_key.count == 0);
    WEIR_MUST(is_read == (problem[0] == '\0'));
    return is_read;
}

static void save(const state_step_t *step, const state_saved_head_t *head)
{
    static state_saving_t saving;

    WEIR_MUST(state_saving_begin(&saving, path_of(), step, head));
    while (state_saving_go_on(&saving, step))
        ;
    state_saving_end(&saving);
    WEIR_MUST(!saving.has_failed);
}

static void check_same(const state_step_t *one, const state_step_t *other)
{
    state_names_walk_t walk = {0};

    WEIR_MUST(one->table.objects.count == other->table.objects.count);
    WEIR_MUST(one->troubles.by_key.count == other->troubles.by_key.count);
    WEIR_MUST(state_step_held(one) == state_step_held(other));
    for (state_name_t *name; (name = state_names_next(&one->table.objects, &walk)) != NULL;) {
        const state_object_t *a = WEIR_AROUND(name, state_object_t, by_key);
        const state_object_t *b = state_table_find(&other->table, state_object_key(a));
        WEIR_MUST(b != NULL && a->kind == b->kind && a->value_length == b->value_length);
        WEIR_MUST(memcmp(a->bytes, b->bytes, (size_t)a->key_length + a->value_length + 2) == 0);
        WEIR_MUST(a->has_lease == b->has_lease && a->is_absent == b->is_absent && a->mod_revision == b->mod_revision);
        WEIR_MUST((a->slot == NULL) == (b->slot == NULL) && (a->slot == NULL || strcmp(a->slot->name, b->slot->name) == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static made_t made;
    state_saved_head_t head, again;
    state_step_t one, other;

    if (length < 1 || length > MOST)
        return 0;
    made.used = 0;
    if (input[0] % 2 == 0)
        add(&made, input + 1, length - 1);
    else if (is_honest(input + 1, length - 1))
        make(&made, input + 1, length - 1);
    write_file(made.bytes, made.used);
    if (load(&one, &head)) {
        save(&one, &head);
        WEIR_MUST(load(&other, &again));
        WEIR_MUST(head.cluster_id == again.cluster_id && head.revision == again.revision);
        check_same(&one, &other);
        state_step_commit(&other, NOW_US);
        WEIR_MUST(weir_list_is_empty(&other.table.dirty) && one.table.objects.count == other.table.objects.count);
        state_step_dispose(&other);
    }
    state_step_dispose(&one);
    return 0;
}
