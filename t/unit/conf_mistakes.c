/* SPDX-License-Identifier: MIT */
#include "conf/snapshot.h"

#include "conf_capture.h"

#define HOSTS "hosts: {default: {paths: {/: {weir.router: stub}}}}\n"

/* Everything, in one go: what the look before has found, then level by level. */
static void tells_all_that_is_wrong(void **state)
{
    static const char text[] = "listen: {host: 127.0.0.1, prt: 1, port: 1}\n"
                               "lisen: 5\n"
                               "reproxy: ON\n"
                               "weir.connect-timeout: 5x\n"
                               "expires: 3 parsecs\n"
                               "user: no-such-user\n"
                               "hosts:\n"
                               "  a.test:\n"
                               "    paths:\n"
                               "      /: &x\n"
                               "        weir.idle-timeout: 0\n"
                               "        num-threads: 1\n"
                               "        weir.router:\n"
                               "          module: table\n"
                               "          apps:\n"
                               "            one: {domains: [a], backends: [x]}\n"
                               "            two: {domains: [a], backends: ['b:0'], keepalive: x}\n"
                               "      /b: *x\n"
                               "  b.test: {paths: {/: {file.dir: [1]}}}\n";
    static const int lines[] = {1, 2, 3, 4, 5, 6, 11, 12, 16, 17, 17, 17, 19};
    capture_t capture;
    char *said, *line;
    size_t told[20] = {0}, expected[20] = {0};

    capture_begin(&capture, &stderr);
    assert_null(conf_load(scratch_file("t.yaml", text), true));
    said = capture_end(&capture);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        expected[lines[i]]++;
    for (line = strtok(said, "\n"); line != NULL; line = strtok(NULL, "\n"))
        told[strtoul(line + strlen(scratch) + sizeof("/t.yaml:") - 1, NULL, 10)]++;
    for (size_t i = 0; i < 20; i++)
        if (told[i] != expected[i])
            fail_msg("line %zu: told %zu times, not %zu", i, told[i], expected[i]);
    free(said);
}

static void warns_of_a_second_listen(void **state)
{
    capture_t capture;
    conf_t *conf;
    char *said;

    capture_begin(&capture, &stderr);
    conf = conf_load(scratch_file("t.yaml", "listen: 127.0.0.1:80\nlisten: 127.0.0.1:81\nlisten: 127.0.0.1:80\n" HOSTS), true);
    said = capture_end(&capture);
    assert_non_null(conf);
    assert_non_null(strstr(said, "t.yaml:3: warning: listen: 127.0.0.1:80 is listened on already, see "));
    assert_non_null(strstr(said, "t.yaml:1\n"));
    assert_int_equal(conf->listens.count, 2);
    conf_destroy(&conf);
    free(said);
}

/* `listen` takes the first of two keys, plain values the last; hosts and handlers add up. */
static void reads_keys_that_stand_twice(void **state)
{
    capture_t capture;
    conf_t *conf;

    capture_begin(&capture, &stderr);
    conf = conf_load(scratch_file("t.yaml", "listen: {host: 127.0.0.1, port: 80, port: 81}\nnum-threads: 3\nnum-threads: 4\n"
                                            "hosts: {a: {paths: {/: {file.dir: /, file.dir: /tmp}}}}\n"
                                            "hosts: {b: {paths: {/: {weir.router: stub}}}}\n"),
                     true);
    free(capture_end(&capture));
    assert_non_null(conf);
    assert_int_equal(conf->listens.count, 1);
    assert_string_equal(conf->listens.at[0].name, "127.0.0.1:80");
    assert_int_equal(conf->global->values[CONF_num_threads].number, 4);
    assert_string_equal(conf->globalconf.hosts[0]->authority.host.base, "a");
    assert_string_equal(conf->globalconf.hosts[1]->authority.host.base, "b");
    assert_null(conf->globalconf.hosts[2]);
    assert_int_equal(conf->paths->handlers, 2);
    conf_destroy(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_all_that_is_wrong),
        cmocka_unit_test(warns_of_a_second_listen),
        cmocka_unit_test(reads_keys_that_stand_twice),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
