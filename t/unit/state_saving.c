/* SPDX-License-Identifier: MIT */
/* The file of a store's keys while it is being written, and what is wrong with one though its sum is right. */
#include "state_world.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "conf_capture.h"
#include "lib/state/saved_format.h"

enum { FILE_MOST = 1 << 22 };

static const state_saved_head_t head = {.cluster_id = 7, .revision = 8, .saved_at_ms = 9};
static state_saving_t saving;
static char bytes[FILE_MOST];
static size_t used;

static int open_saving(void **state)
{
    memset(&saving, 0, sizeof(saving));
    used = 0;
    return open_step(state);
}

static void finish(void)
{
    while (state_saving_go_on(&saving, &step))
        ;
    state_saving_end(&saving);
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    used = fread(bytes, 1, FILE_MOST, file);
    fclose(file);
}

static void write_file(const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, used, file), used);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0;
}

static const char *temporary_of(const char *path)
{
    static char name[256];

    snprintf(name, sizeof(name), "%s.new", path);
    return name;
}

/* Another step reads it; false: it is as good as new, and why_not_read says why. */
static char why_not_read[STATE_SAVED_PROBLEM_BYTES];

static bool load(const char *path)
{
    state_saved_head_t read;

    state_step_dispose(&step);
    state_step_init(&step, "/weir/v1/", put_in_force, NULL);
    const bool is_read = state_saved_load(path, &step, &read, why_not_read);
    if (!is_read) {
        assert_int_equal(step.table.objects.count + step.table.slots.count + step.troubles.by_key.count, 0);
        assert_true(weir_list_is_empty(&step.table.dirty));
    } else
        assert_true(read.cluster_id == 7 && read.revision == 8 && read.saved_at_ms == 9);
    return is_read;
}

/* ---- sums that are right ---- */

static void add(const void *more, size_t count)
{
    memcpy(bytes + used, more, count);
    used += count;
}

static void add_head(uint32_t version, const char *prefix)
{
    const state_file_head_t written = {.magic = {'W', 'E', 'I', 'R', 'S', 'T', 'A', 'T'},
                                       .version = version,
                                       .prefix_bytes = (uint32_t)strlen(prefix),
                                       .cluster_id = 7,
                                       .revision = 8,
                                       .saved_at_ms = 9};

    used = 0;
    add(&written, sizeof(written));
    add(prefix, strlen(prefix));
}

static void add_record(uint8_t kind, uint8_t flags, const char *key, const char *slot, const char *value)
{
    const state_file_record_t record = {.mod_revision = 1,
                                        .value_bytes = (uint32_t)strlen(value),
                                        .key_bytes = (uint16_t)strlen(key),
                                        .slot_bytes = (uint16_t)strlen(slot),
                                        .kind = kind,
                                        .flags = flags};

    add(&record, sizeof(record));
    add(key, strlen(key));
    add(slot, strlen(slot));
    add(value, strlen(value));
}

static void add_end(uint64_t records)
{
    const state_file_record_t end = {.mod_revision = records, .flags = STATE_RECORD_IS_END};

    add(&end, sizeof(end));
}

static bool load_with_sum(void)
{
    const char *path = scratch_path("made");
    const uint32_t sum = (uint32_t)crc32_z(0, (const Bytef *)bytes, used);

    add(&sum, sizeof(sum));
    write_file(path);
    used -= sizeof(sum);
    return load(path);
}

static void test_made_by_hand(void **state)
{
    add_head(STATE_SAVED_VERSION, "/weir/v1/");
    add_record(STATE_APP, 0, "apps/shop", "shop", "{\"x\":\"1\"}");
    add_record(STATE_BAD_JSON, STATE_RECORD_IS_TROUBLE, "apps/bad", "because", "no JSON");
    add_end(2);
    assert_true(load_with_sum());
    assert_string_equal(why_not("apps/bad"), "json");
    commit();
    assert_string_equal(json_of("shop"), "{\"x\":\"1\",\"backends\":[]}");
}

static void test_of_another_version(void **state)
{
    static const uint32_t versions[] = {0, STATE_SAVED_VERSION + 1, UINT32_MAX};

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        add_head(versions[i], "/weir/v1/");
        add_end(0);
        assert_false(load_with_sum());
        assert_non_null(strstr(why_not_read, "another version"));
    }
}

static void test_of_another_prefix(void **state)
{
    static const char *const prefixes[] = {"", "/weir/v1", "/weir/v1/x", "/weir/v2/", "/WEIR/v1/"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        add_head(STATE_SAVED_VERSION, prefixes[i]);
        add_end(0);
        assert_false(load_with_sum());
        assert_non_null(strstr(why_not_read, "another prefix"));
    }
    add_head(STATE_SAVED_VERSION, "/weir/v1/");
    used = sizeof(state_file_head_t) + 2; /* the prefix is not there as long as it should be */
    assert_false(load_with_sum());
}

static void test_ends_that_are_none(void **state)
{
    add_head(STATE_SAVED_VERSION, "/weir/v1/");
    assert_false(load_with_sum());
    add_record(STATE_APP, 0, "apps/shop", "shop", "{}");
    assert_false(load_with_sum());
    add_end(2);
    assert_false(load_with_sum());
    used -= sizeof(state_file_record_t);
    add_end(0);
    assert_false(load_with_sum());
    used -= sizeof(state_file_record_t);
    add_end(1);
    assert_true(load_with_sum());
    add("x", 1);
    assert_false(load_with_sum());
    used--;
    add_record(STATE_APP, 0, "apps/more", "more", "{}");
    add_end(2);
    assert_false(load_with_sum());
}

/* A good record, then this one, and an end for both. */
static void is_no_record(const state_file_record_t *record, size_t behind)
{
    static const char filler[STATE_VALUE_MOST + 4096];

    add_head(STATE_SAVED_VERSION, "/weir/v1/");
    add_record(STATE_APP, 0, "apps/shop", "shop", "{}");
    add(record, sizeof(*record));
    add(filler, behind);
    add_end(2);
    assert_false(load_with_sum());
    assert_non_null(strstr(why_not_read, "broken"));
}

static void test_records_that_are_none(void **state)
{
    is_no_record(&(state_file_record_t){.kind = STATE_KINDS, .key_bytes = 4}, 4);
    is_no_record(&(state_file_record_t){.kind = UINT8_MAX, .key_bytes = 4}, 4);
    is_no_record(&(state_file_record_t){.kind = STATE_BADS, .flags = STATE_RECORD_IS_TROUBLE, .key_bytes = 4}, 4);
    is_no_record(&(state_file_record_t){.kind = STATE_APP, .key_bytes = 4}, 4);
    is_no_record(&(state_file_record_t){.kind = STATE_CERT, .key_bytes = 4, .slot_bytes = 1}, 5);
    is_no_record(&(state_file_record_t){.kind = STATE_CERT, .key_bytes = STATE_KEY_BYTES + 1}, STATE_KEY_BYTES + 1);
    is_no_record(&(state_file_record_t){.kind = STATE_APP, .key_bytes = 4, .slot_bytes = STATE_PROBLEM_BYTES + 1},
                 4 + STATE_PROBLEM_BYTES + 1);
    is_no_record(&(state_file_record_t){.kind = STATE_CERT, .key_bytes = 4, .value_bytes = STATE_VALUE_MOST + 1},
                 4 + STATE_VALUE_MOST + 1);
    is_no_record(&(state_file_record_t){.kind = STATE_CERT, .key_bytes = 4, .value_bytes = UINT32_MAX}, 4);
    is_no_record(&(state_file_record_t){.kind = STATE_CERT, .key_bytes = UINT16_MAX}, 4);
}

/* ---- while it is written ---- */

static void put_many(int from, int count)
{
    char key[64];

    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "domains/d%d.test", i);
        puts_key(key, "{\"app\":\"shop\"}");
    }
}

static void lose_directly(int from, int count)
{
    char key[64];

    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "domains/d%d.test", i);
        state_table_remove(&step.table, object_of(key));
    }
}

/* Whatever changes meanwhile: all that has not changed is in it once. */
static void check_many(const char *path, int from, int count)
{
    char key[64];

    assert_true(load(path));
    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "domains/d%d.test", i);
        assert_non_null(object_of(key));
    }
}

static void test_others_go_on_meanwhile(void **state)
{
    const char *path = scratch_path("snapshot");
    int turns = 0;

    puts_key("apps/shop", "{}");
    put_many(0, 14000);
    commit();
    assert_true(state_saving_begin(&saving, path, &step, &head));
    while (state_saving_go_on(&saving, &step)) {
        lose_directly(10000 + 100 * turns, 100);
        put_many(10000 + 100 * turns, 50);
        put_many(20000 + 10 * turns, 10);
        commit();
        turns++;
    }
    assert_in_range(turns, 3, 40);
    state_saving_end(&saving);
    assert_string_equal(saving.problem, "");
    check_many(path, 0, 10000);
    assert_in_range(step.table.objects.count, 10001, 14001 + 40 * 10);
    unlink(path);
}

static void test_the_table_grows_meanwhile(void **state)
{
    const char *path = scratch_path("snapshot");
    size_t chains;

    puts_key("apps/shop", "{}");
    put_many(0, 4000);
    commit();
    chains = step.table.objects.chain_count;
    assert_true(state_saving_begin(&saving, path, &step, &head));
    assert_true(state_saving_go_on(&saving, &step));
    put_many(4000, 6000);
    commit();
    assert_true(step.table.objects.chain_count > chains);
    finish();
    check_many(path, 0, 10000);
    assert_int_equal(step.table.objects.count, 10001);
    unlink(path);
}

static void test_all_goes_meanwhile(void **state)
{
    const char *path = scratch_path("snapshot");

    puts_key("apps/shop", "{}");
    put_many(0, 5000);
    commit();
    assert_true(state_saving_begin(&saving, path, &step, &head));
    assert_true(state_saving_go_on(&saving, &step));
    lose_directly(0, 5000);
    finish();
    assert_true(load(path));
    assert_in_range(step.table.objects.count, 1000, 4001);
    unlink(path);
}

static void test_begun_anew_and_given_up(void **state)
{
    const char *path = scratch_path("snapshot");

    put_many(0, 5000);
    commit();
    assert_true(state_saving_begin(&saving, path, &step, &head));
    assert_true(state_saving_go_on(&saving, &step));
    assert_true(is_there(temporary_of(path)));
    assert_false(state_saving_is_over(&saving));
    assert_true(state_saving_begin(&saving, path, &step, &head));
    assert_true(state_saving_go_on(&saving, &step));
    state_saving_end(&saving);
    assert_false(is_there(temporary_of(path)));
    assert_false(is_there(path));
    state_saving_end(&saving);
    assert_false(state_saving_go_on(&saving, &step));
}

static void test_of_nothing(void **state)
{
    const char *path = scratch_path("snapshot");

    assert_true(state_saving_begin(&saving, path, &step, &head));
    finish();
    assert_true(load(path));
    assert_int_equal(step.table.objects.count, 0);
    unlink(path);
}

static void test_over_when_it_is_there(void **state)
{
    const char *path = scratch_path("snapshot");

    put_many(0, 10);
    assert_true(state_saving_begin(&saving, path, &step, &head));
    assert_false(state_saving_go_on(&saving, &step));
    for (int i = 0; i < 10000 && !state_saving_is_over(&saving); i++)
        usleep(1000);
    assert_true(state_saving_is_over(&saving));
    assert_true(is_there(path));
    state_saving_end(&saving);
    assert_false(is_there(temporary_of(path)));
    unlink(path);
}

/* ---- files that cannot be ---- */

static void test_no_room(void **state)
{
    const char *path = scratch_path("snapshot");
    struct rlimit before;

    puts_key("apps/old", "{}");
    assert_true(state_saving_begin(&saving, path, &step, &head));
    finish();
    put_many(0, 5000);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, before.rlim_max}), 0);
    const bool is_begun = state_saving_begin(&saving, path, &step, &head);
    finish();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_true(is_begun && saving.has_failed && state_saving_is_over(&saving));
    assert_non_null(strstr(saving.problem, "snapshot"));
    assert_false(is_there(temporary_of(path)));
    assert_true(load(path)); /* the one before */
    assert_int_equal(step.table.objects.count, 1);
    unlink(path);
}

static void test_a_directory_in_its_place(void **state)
{
    const char *path = scratch_path("snapshot");

    assert_int_equal(mkdir(path, 0700), 0);
    put_many(0, 1);
    assert_true(state_saving_begin(&saving, path, &step, &head));
    finish();
    assert_true(saving.has_failed);
    assert_true(saving.problem[0] != '\0');
    assert_false(is_there(temporary_of(path)));
    assert_int_equal(rmdir(path), 0);
    assert_true(state_saving_begin(&saving, path, &step, &head));
    finish();
    assert_false(saving.has_failed);
    assert_string_equal(saving.problem, "");
    assert_true(load(path));
    unlink(path);
}

static void test_what_somebody_has_put_in_its_way(void **state)
{
    const char *path = scratch_path("snapshot"), *other = scratch_file("other", "precious");

    assert_int_equal(symlink(other, temporary_of(path)), 0);
    put_many(0, 1);
    assert_true(state_saving_begin(&saving, path, &step, &head));
    finish();
    assert_true(load(path));
    read_file(other);
    assert_int_equal(used, strlen("precious"));
    unlink(path);
    assert_int_equal(mkdir(temporary_of(path), 0700), 0);
    assert_false(state_saving_begin(&saving, path, &step, &head));
    assert_true(saving.problem[0] != '\0');
    assert_int_equal(rmdir(temporary_of(path)), 0);
}

static void test_a_path_that_is_too_long(void **state)
{
    static char path[STATE_SAVED_PATH_BYTES + 10];

    memset(path, '/', sizeof(path) - 1);
    put_many(0, 1);
    assert_false(state_saving_begin(&saving, path, &step, &head));
    assert_true(saving.problem[0] != '\0');
    assert_false(load(path));
    assert_true(why_not_read[0] != '\0');
}

static void test_what_is_no_file(void **state)
{
    const char *path = scratch_path("pipe");

    assert_false(load(scratch_path("")));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(load(path)); /* and nobody waits for a writer */
    assert_false(load("/dev/null"));
    assert_true(why_not_read[0] != '\0');
    unlink(path);
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_saving, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_STEP(test_made_by_hand),
        WITH_STEP(test_of_another_version),
        WITH_STEP(test_of_another_prefix),
        WITH_STEP(test_ends_that_are_none),
        WITH_STEP(test_records_that_are_none),
        WITH_STEP(test_others_go_on_meanwhile),
        WITH_STEP(test_the_table_grows_meanwhile),
        WITH_STEP(test_all_goes_meanwhile),
        WITH_STEP(test_begun_anew_and_given_up),
        WITH_STEP(test_of_nothing),
        WITH_STEP(test_over_when_it_is_there),
        WITH_STEP(test_no_room),
        WITH_STEP(test_a_directory_in_its_place),
        WITH_STEP(test_what_somebody_has_put_in_its_way),
        WITH_STEP(test_a_path_that_is_too_long),
        WITH_STEP(test_what_is_no_file),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
