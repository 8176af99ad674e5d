/* SPDX-License-Identifier: MIT */
/* The file of a store's keys: written and read, and whatever has become of it, never read as something else. */
#include "state_world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "conf_capture.h"
#include "lib/state/saved.h"

enum { FILE_MOST = 1 << 16 };

static state_saved_head_t head;
static char problem[STATE_SAVED_PROBLEM_BYTES];

static void fill(void)
{
    poison = "bad";
    puts_key("apps/shop", "{\"hold\":\"1s\"}");
    put_of("backends/shop/a", "{\"addr\":\"h:1\"}", true);
    puts_key("domains/shop.test", "{\"app\":\"shop\",\"path\":\"/a\"}");
    puts_key("domains/old.test", "{\"redirect\":\"shop.test:81\"}");
    puts_key("domains/early.test", "{\"app\":\"soon\"}");
    puts_key("config/defaults", "{\"queue\":\"0\"}");
    puts_key("certs/x", "{\"chain\":\"y\"}");
    puts_key("meta", "{\"min_reader\":1}");
    commit();
    puts_key("apps/shop", "{\"hold\":\"bad\"}");
    puts_key("apps/broken", "no JSON");
    state_object_t *lost = object_of("domains/old.test");
    state_step_lose(&step, &lost, 1, true, now_us);
    commit();
}

static bool save(const char *path)
{
    static state_saving_t saving;
    const state_saved_head_t written = {.cluster_id = 0x0123456789abcdef, .revision = 4711, .saved_at_ms = 1700000000000};

    memset(&saving, 0, sizeof(saving));
    if (!state_saving_begin(&saving, path, &step, &written)) {
        snprintf(problem, sizeof(problem), "%s", saving.problem);
        state_saving_end(&saving);
        return false;
    }
    while (state_saving_go_on(&saving, &step))
        ;
    state_saving_end(&saving);
    snprintf(problem, sizeof(problem), "%s", saving.problem);
    return !saving.has_failed;
}

static size_t read_bytes(const char *path, char bytes[static FILE_MOST])
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    const size_t count = fread(bytes, 1, FILE_MOST, file);
    fclose(file);
    return count;
}

static void write_bytes(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* Another step reads it, and has nothing if it does not. */
static bool load(const char *path)
{
    state_step_dispose(&step);
    state_step_init(&step, "/weir/v1/", put_in_force, NULL);
    memset(&head, 0, sizeof(head));
    problem[0] = '\0';
    const bool is_read = state_saved_load(path, &step, &head, problem);
    if (!is_read)
        assert_int_equal(step.table.objects.count + step.troubles.by_key.count, 0);
    return is_read;
}

/* Its bytes, and by whom it may be read. */
static const char *saved(char bytes[static FILE_MOST], size_t *out_count)
{
    const char *path = scratch_path("snapshot");
    struct stat facts;

    fill();
    assert_true(save(path));
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    *out_count = read_bytes(path, bytes);
    return path;
}

static char bytes[FILE_MOST], harmed[FILE_MOST];

static void test_what_was_written_is_read(void **state)
{
    size_t count;
    const char *path = saved(bytes, &count);

    (void)state;
    assert_true(load(path));
    assert_true(head.cluster_id == 0x0123456789abcdef && head.revision == 4711 && head.saved_at_ms == 1700000000000);
    assert_int_equal(step.table.objects.count, 8);
    assert_true(object_of("backends/shop/a")->has_lease);
    assert_false(object_of("apps/shop")->has_lease);
    assert_true(object_of("domains/old.test")->is_absent);
    assert_int_equal(state_step_held(&step), 1);
    assert_string_equal(why_not("apps/broken"), "json");
    assert_string_equal(why_not("apps/shop"), "refused");
    in_force_count = 0;
    commit();
    assert_string_equal(json_of("shop"),
                        "{\"queue\":\"0\",\"hold\":\"1s\",\"domains\":[\"shop.test/a\"],\"backends\":[{\"id\":\"a\","
                        "\"at\":\"h:1\"}]}");
    assert_string_equal(json_of("redirect-to:shop.test:81"),
                        "{\"redirect-to\":\"shop.test:81\",\"domains\":[\"old.test\"],\"backends\":[]}");
    assert_true(save(path));
    assert_int_equal(read_bytes(path, harmed), count);
    unlink(path);
}

static void test_cut_anywhere_it_is_not_read(void **state)
{
    size_t count;
    const char *path = saved(bytes, &count);

    (void)state;
    for (size_t length = 0; length < count; length++) {
        write_bytes(path, bytes, length);
        if (load(path))
            fail_msg("%zu bytes of %zu are read", length, count);
        assert_true(problem[0] != '\0');
    }
    memcpy(harmed, bytes, count);
    harmed[count] = 'x';
    write_bytes(path, harmed, count + 1);
    assert_false(load(path));
    unlink(path);
}

static void test_with_one_bit_turned_it_is_not_read(void **state)
{
    size_t count;
    const char *path = saved(bytes, &count);

    (void)state;
    for (size_t bit = 0; bit < 8 * count; bit++) {
        memcpy(harmed, bytes, count);
        harmed[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes(path, harmed, count);
        if (load(path))
            fail_msg("bit %zu of %zu may be turned", bit, 8 * count);
        assert_true(problem[0] != '\0');
    }
    unlink(path);
}

static void test_another_prefix(void **state)
{
    size_t count;
    const char *path = saved(bytes, &count);

    (void)state;
    state_step_dispose(&step);
    state_step_init(&step, "/other/v1/", put_in_force, NULL);
    assert_false(state_saved_load(path, &step, &head, problem));
    assert_true(problem[0] != '\0');
    unlink(path);
}

static void test_no_file_is_no_problem(void **state)
{
    (void)state;
    assert_false(load(scratch_path("nothing")));
    assert_string_equal(problem, "");
    assert_false(load("/"));
    assert_true(problem[0] != '\0');
}

static void test_nowhere_to_write(void **state)
{
    (void)state;
    fill();
    assert_false(save("/nowhere/at/all/snapshot"));
    assert_non_null(strstr(problem, "/nowhere/at/all/snapshot"));
}

static void test_what_was_there_stays_until_the_other_is_whole(void **state)
{
    static state_saving_t saving;
    size_t count;
    const char *path = saved(bytes, &count);

    (void)state;
    puts_key("apps/more", "{}");
    commit();
    memset(&saving, 0, sizeof(saving));
    assert_true(state_saving_begin(&saving, path, &step, &(state_saved_head_t){.revision = 1}));
    assert_int_equal(read_bytes(path, harmed), count);
    assert_memory_equal(harmed, bytes, count);
    while (state_saving_go_on(&saving, &step))
        ;
    state_saving_end(&saving);
    assert_true(read_bytes(path, harmed) > count);
    unlink(path);
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_step, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_STEP(test_what_was_written_is_read),
        WITH_STEP(test_cut_anywhere_it_is_not_read),
        WITH_STEP(test_with_one_bit_turned_it_is_not_read),
        WITH_STEP(test_another_prefix),
        WITH_STEP(test_no_file_is_no_problem),
        WITH_STEP(test_nowhere_to_write),
        WITH_STEP(test_what_was_there_stays_until_the_other_is_whole),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
