/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "lib/base/must.h"
#include "lib/state/saved_format.h"
#include "weir_digest.h"

enum { SHELVES = 1 << 16, PLACES_FIRST = 1024, FAR_AHEAD = 16, NEAR_AHEAD = 6, LINE_BYTES = 64 };

/* ---- loading ---- */

/* A record of a key. */
typedef struct place {
    const char *at;
    uint32_t shelf;
} place_t;

typedef struct reading {
    const char *at, *end;
    state_step_t *step;
    place_t *places; /* of keys, in the order of the file */
    size_t count, room;
    uint64_t records;
    bool has_end;
} reading_t;

static bool fail(char problem[STATE_SAVED_PROBLEM_BYTES], const char *path, const char *what)
{
    snprintf(problem, STATE_SAVED_PROBLEM_BYTES, "%s: %s", path, what);
    return false;
}

static weir_span_t take(reading_t *it, size_t bytes)
{
    const weir_span_t span = {it->at, bytes};

    it->at += bytes;
    return span;
}

static void take_kept(state_step_t *step, const state_file_record_t *record, weir_span_t key, weir_span_t slot,
                      weir_span_t value)
{
    const state_said_t said = {
        .kind = (state_kind_t)record->kind,
        .key = key,
        .slot = slot,
        .is_redirect = (record->flags & STATE_RECORD_IS_REDIRECT) != 0,
        .value = value,
        .mod_revision = (int64_t)le64toh(record->mod_revision),
        .has_lease = (record->flags & STATE_RECORD_HAS_LEASE) != 0,
    };
    state_object_t *object = state_step_put_kept(step, &said);
    const bool is_suspect = (record->flags & STATE_RECORD_IS_SUSPECT) != 0 && object->kind == STATE_BACKEND;

    if ((record->flags & STATE_RECORD_IS_ABSENT) != 0)
        state_table_hold(&step->table, object, is_suspect);
}

/* Why it was refused stands where others have their slot. Whoever judges is not there yet. */
static void take_trouble(const reading_t *it, const state_file_record_t *record, weir_span_t key, weir_span_t why,
                         weir_span_t value)
{
    const state_raw_t raw = {key, value, (int64_t)le64toh(record->mod_revision), (record->flags & STATE_RECORD_HAS_LEASE) != 0};
    char *text = strndup(why.base, why.len);

    WEIR_MUST(text != NULL);
    (void)state_troubles_add(&it->step->troubles, &raw, (state_bad_t)record->kind, text);
    free(text);
}

static void note_place(reading_t *it, const char *at, weir_span_t slot)
{
    static const uint64_t key[2]; /* of our own file */

    if (it->count == it->room) {
        it->room = it->room == 0 ? PLACES_FIRST : 2 * it->room;
        it->places = realloc(it->places, it->room * sizeof(it->places[0]));
        WEIR_MUST(it->places != NULL);
    }
    it->places[it->count++] = (place_t){at, (uint32_t)(weir_siphash(key, slot) % SHELVES)};
}

/* False: that is no record. */
static bool read_record(reading_t *it)
{
    state_file_record_t record;

    if ((size_t)(it->end - it->at) < sizeof(record))
        return false;
    memcpy(&record, it->at, sizeof(record));
    it->at += sizeof(record);
    const bool is_trouble = (record.flags & STATE_RECORD_IS_TROUBLE) != 0;
    const size_t key_bytes = le16toh(record.key_bytes), slot_bytes = le16toh(record.slot_bytes),
                 value_bytes = le32toh(record.value_bytes);
    if ((record.flags & STATE_RECORD_IS_END) != 0) {
        it->has_end = le64toh(record.mod_revision) == it->records && it->at == it->end;
        return false;
    }
    if ((size_t)(it->end - it->at) < key_bytes + slot_bytes + value_bytes ||
        record.kind >= (is_trouble ? (int)STATE_BADS : (int)STATE_KINDS) || key_bytes > STATE_KEY_BYTES ||
        slot_bytes > STATE_PROBLEM_BYTES || value_bytes > STATE_VALUE_MOST)
        return false;
    if (!is_trouble && (slot_bytes > 0) != (record.kind <= STATE_DOMAIN))
        return false;
    const weir_span_t key = take(it, key_bytes), slot = take(it, slot_bytes), value = take(it, value_bytes);
    it->records++;
    if (is_trouble)
        take_trouble(it, &record, key, slot, value);
    else
        note_place(it, key.base - sizeof(record), slot);
    return true;
}

static weir_span_t key_at(const char *at)
{
    state_file_record_t record;

    memcpy(&record, at, sizeof(record));
    return (weir_span_t){at + sizeof(record), le16toh(record.key_bytes)};
}

static void take_place(state_step_t *step, const char *at)
{
    const weir_span_t key = key_at(at);
    state_file_record_t record;

    memcpy(&record, at, sizeof(record));
    const weir_span_t slot = {key.base + key.len, le16toh(record.slot_bytes)};
    take_kept(step, &record, key, slot, (weir_span_t){slot.base + slot.len, le32toh(record.value_bytes)});
}

/* What is needed soon is asked of memory now: half of the time would be spent waiting for it. */
static void look_ahead(const state_table_t *table, const char *const *sorted, size_t left)
{
    if (left > FAR_AHEAD)
        __builtin_prefetch(sorted[FAR_AHEAD]);
    if (left > FAR_AHEAD)
        __builtin_prefetch(sorted[FAR_AHEAD] + LINE_BYTES);
    if (left > NEAR_AHEAD)
        state_table_prefetch(table, key_at(sorted[NEAR_AHEAD]));
}

/*
 * The file has keys in no order. What is an app's is taken one behind the other, so that it lies together in memory: who puts a
 * hundred thousand apps together waits for memory most of the time.
 */
static void take_places(const reading_t *it)
{
    size_t *starts = calloc(SHELVES + 1, sizeof(starts[0]));
    const char **sorted = calloc(it->count + 1, sizeof(sorted[0]));

    WEIR_MUST(starts != NULL && sorted != NULL);
    for (size_t i = 0; i < it->count; i++)
        starts[it->places[i].shelf + 1]++;
    for (size_t i = 0; i < SHELVES; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < it->count; i++)
        sorted[starts[it->places[i].shelf]++] = it->places[i].at;
    state_table_expect(&it->step->table, it->count);
    for (size_t i = 0; i < it->count; i++) {
        look_ahead(&it->step->table, sorted + i, it->count - i);
        take_place(it->step, sorted[i]);
    }
    free(sorted);
    free(starts);
}

static bool read_head(const char *bytes, size_t size, const char *prefix, state_saved_head_t *out, const char **why)
{
    state_file_head_t head;
    uint32_t sum;

    *why = "it is no snapshot of a store, or broken";
    if (size < sizeof(head) + STATE_SUM_BYTES)
        return false;
    memcpy(&head, bytes, sizeof(head));
    memcpy(&sum, bytes + size - STATE_SUM_BYTES, STATE_SUM_BYTES);
    if (memcmp(head.magic, STATE_SAVED_MAGIC, sizeof(head.magic)) != 0 ||
        crc32_z(0, (const Bytef *)bytes, size - STATE_SUM_BYTES) != le32toh(sum))
        return false;
    *why = "it is of another version";
    if (le32toh(head.version) != STATE_SAVED_VERSION)
        return false;
    *why = "it is of another prefix";
    if (le32toh(head.prefix_bytes) != strlen(prefix) || size < sizeof(head) + STATE_SUM_BYTES + strlen(prefix) ||
        memcmp(bytes + sizeof(head), prefix, strlen(prefix)) != 0)
        return false;
    *out = (state_saved_head_t){le64toh(head.cluster_id), (int64_t)le64toh(head.revision), le64toh(head.saved_at_ms)};
    return true;
}

static bool read_all(const char *bytes, size_t size, state_step_t *step, state_saved_head_t *out, const char **why)
{
    const size_t head_bytes = sizeof(state_file_head_t) + strlen(step->prefix);

    if (!read_head(bytes, size, step->prefix, out, why))
        return false;
    reading_t it = {.at = bytes + head_bytes, .end = bytes + size - STATE_SUM_BYTES, .step = step};
    while (read_record(&it))
        ;
    if (it.has_end)
        take_places(&it);
    free(it.places);
    *why = "it is broken";
    return it.has_end;
}

static bool load(int fd, const char *path, state_step_t *step, state_saved_head_t *out, char problem[STATE_SAVED_PROBLEM_BYTES])
{
    const char *why = "it is empty";
    struct stat facts;

    if (fstat(fd, &facts) == -1)
        return fail(problem, path, strerror(errno));
    if (!S_ISREG(facts.st_mode) || facts.st_size == 0)
        return fail(problem, path, why);
    const size_t size = (size_t)facts.st_size;
    char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED)
        return fail(problem, path, strerror(errno));
    const bool is_fine = read_all(bytes, size, step, out, &why);
    munmap(bytes, size);
    return is_fine || fail(problem, path, why);
}

bool state_saved_load(const char *path, state_step_t *step, state_saved_head_t *out, char problem[STATE_SAVED_PROBLEM_BYTES])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    problem[0] = '\0';
    if (fd == -1)
        return errno != ENOENT && fail(problem, path, strerror(errno));
    const bool is_fine = load(fd, path, step, out, problem);
    close(fd);
    if (is_fine)
        return true;
    const char *prefix = step->prefix;
    state_apply_t *apply = step->apply;
    void *context = step->context;
    state_step_dispose(step);
    state_step_init(step, prefix, apply, context);
    return false;
}
