/* SPDX-License-Identifier: MIT */
#include "conf/porter_rules.h"

#include "conf_capture.h"

#include <errno.h>
#include <sys/stat.h>

static char text[8192];

static void make(const char *name, const char *content, mode_t mode)
{
    FILE *file = fopen(scratch_path(name), "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    assert_int_equal(chmod(scratch_path(name), mode), 0);
}

static void make_folder(const char *name, mode_t mode)
{
    assert_int_equal(mkdir(scratch_path(name), 0755), 0);
    assert_int_equal(chmod(scratch_path(name), mode), 0);
}

static int forget(void **state)
{
    conf_rules_forget();
    return scratch_remove(state);
}

static bool names(conf_right_t right, const char *path)
{
    char problem[CONF_PROBLEM_BYTES] = "";
    const bool is_named = conf_rules_name(right, path, problem);

    assert_int_equal(is_named, problem[0] == '\0');
    return is_named;
}

static void load(bool expected)
{
    char problem[CONF_PROBLEM_BYTES] = "";

    assert_int_equal(conf_rules_load(scratch_path("weir.yaml"), problem), expected);
    assert_int_equal(problem[0] == '\0', expected);
}

/* ---- what is named ---- */

static void what_the_configuration_names(void **state)
{
    make("more.yaml", "{ certificate-file: /etc/c.crt, key-file: own.key, apps-file: a.json, domains-file: /etc/d.json }\n",
         0644);
    make("weir.yaml",
         "user: nobody\npid-file: /run/w.pid\nerror-log: /var/log/e\naccess-log: [ /var/log/a, { path: /var/log/b, format: /x "
         "} ]\n"
         "listen: [ 80, '127.0.0.1:81', '[::1]:82', { port: 83, ssl: !file more.yaml } ]\n"
         "hosts: { default: { paths: { /: { file.dir: /srv, weir.access-log: /var/log/w, weir.router: { module: table, key: "
         "/etc/shadow } } } } }\n",
         0644);
    load(true);
    assert_true(names(CONF_RIGHT_READ, scratch_path("weir.yaml")));
    assert_true(names(CONF_RIGHT_READ, scratch_path("more.yaml")));
    assert_true(names(CONF_RIGHT_READ, "/etc/c.crt"));
    assert_true(names(CONF_RIGHT_READ, scratch_path("own.key")));
    assert_true(names(CONF_RIGHT_READ, scratch_path("a.json")));
    assert_true(names(CONF_RIGHT_READ, "/etc/d.json"));
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/e"));
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/a"));
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/b"));
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/w"));
    assert_true(names(CONF_RIGHT_REMOVE, "/run/w.pid"));
    for (uint16_t port = 80; port <= 83; port++)
        assert_true(conf_rules_name_port(port));
}

static void what_it_does_not(void **state)
{
    assert_false(names(CONF_RIGHT_READ, "/etc/shadow"));
    assert_false(names(CONF_RIGHT_READ, "/srv"));
    assert_false(names(CONF_RIGHT_READ, "/var/log/e"));
    assert_false(names(CONF_RIGHT_APPEND, "/etc/c.crt"));
    assert_false(names(CONF_RIGHT_APPEND, "/x"));
    assert_false(names(CONF_RIGHT_APPEND, "/var/log/../log/e"));
    assert_false(names(CONF_RIGHT_REMOVE, "/var/log/e"));
    assert_false(names(CONF_RIGHT_REMOVE, scratch_path("weir.yaml")));
    assert_false(conf_rules_name_port(84));
    assert_false(conf_rules_name_port(0));
}

static void what_is_in_use_counts_beside_what_is_tried(void **state)
{
    conf_rules_settle();
    make("weir.yaml", "error-log: /var/log/new\n", 0644);
    load(true);
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/new"));
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/e"));
    make("weir.yaml", "error-log: [\n", 0644);
    load(true);
    assert_true(names(CONF_RIGHT_APPEND, "/var/log/e"));
    assert_true(names(CONF_RIGHT_READ, scratch_path("weir.yaml")));
    assert_false(names(CONF_RIGHT_APPEND, "/var/log/new"));
    make("weir.yaml", "error-log: /var/log/new\n", 0644);
    load(true);
    conf_rules_settle();
    assert_false(names(CONF_RIGHT_APPEND, "/var/log/e"));
}

static void a_configuration_that_the_user_may_write(void **state)
{
    make("weir.yaml", "error-log: /var/log/e\n", 0666);
    load(false);
    assert_false(names(CONF_RIGHT_APPEND, "/var/log/e"));
}

/* ---- where a path leads to ---- */

/* NULL: nowhere, and errno is `error`. */
static void leads_to(const char *path, const char *expected, int error)
{
    char problem[CONF_PROBLEM_BYTES] = "", out[4096];
    const bool leads = conf_rules_resolve(path, out, NULL, problem);

    assert_int_equal(leads, expected != NULL);
    if (leads)
        assert_string_equal(out, expected);
    else
        assert_int_equal(errno, error);
    assert_int_equal(problem[0] == '\0', leads);
}

static void ways(void **state)
{
    make_folder("safe", 0755);
    make_folder("open", 0777);
    make_folder("sticky", 01777);
    make("safe/file", "", 0644);
    make("open/file", "", 0644);
    make("sticky/file", "", 0644);
    leads_to(scratch_path("safe/file"), scratch_path("safe/file"), 0);
    leads_to(scratch_path("safe/new"), scratch_path("safe/new"), 0);
    leads_to(scratch_path("safe/.//../safe/file"), scratch_path("safe/file"), 0);
    leads_to(scratch_path("none/file"), NULL, ENOENT);
    leads_to(scratch_path("open/file"), NULL, EPERM);
    leads_to(scratch_path("open/../safe/file"), scratch_path("safe/file"), 0);
    leads_to(scratch_path("sticky/file"), scratch_path("sticky/file"), 0);
    leads_to(scratch_path("sticky/new"), NULL, EPERM);
    snprintf(text, sizeof(text), "/%05000d", 0);
    leads_to(text, NULL, ENAMETOOLONG);
}

static void links(void **state)
{
    assert_int_equal(symlink(scratch_path("safe"), scratch_path("link")), 0);
    assert_int_equal(symlink("../safe/file", scratch_path("safe/relative")), 0);
    assert_int_equal(symlink("around", scratch_path("safe/around")), 0);
    assert_int_equal(symlink(scratch_path("safe/file"), scratch_path("open/link")), 0);
    assert_int_equal(symlink(scratch_path("open/file"), scratch_path("safe/out")), 0);
    leads_to(scratch_path("link/file"), scratch_path("safe/file"), 0);
    leads_to(scratch_path("safe/relative"), scratch_path("safe/file"), 0);
    leads_to(scratch_path("safe/around"), NULL, ELOOP);
    leads_to(scratch_path("open/link"), NULL, EPERM);
    leads_to(scratch_path("safe/out"), NULL, EPERM);
}

/* The last folder may be the user's if the caller knows what to do about it. */
static void an_open_end(void **state)
{
    static const struct {
        const char *name;
        bool leads, is_open;
    } cases[] = {{"safe/file", true, false}, {"open/file", true, true},  {"open/new", true, true},
                 {"sticky/new", true, true}, {"open/link", false, true}, {"open/none/file", false, true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char problem[CONF_PROBLEM_BYTES] = "", out[4096];
        bool is_open;

        assert_int_equal(conf_rules_resolve(scratch_path(cases[i].name), out, &is_open, problem), cases[i].leads);
        assert_int_equal(is_open, cases[i].is_open);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_configuration_names),
        cmocka_unit_test(what_it_does_not),
        cmocka_unit_test(what_is_in_use_counts_beside_what_is_tried),
        cmocka_unit_test(a_configuration_that_the_user_may_write),
        cmocka_unit_test(ways),
        cmocka_unit_test(links),
        cmocka_unit_test(an_open_end),
    };

    return cmocka_run_group_tests(tests, scratch_create, forget);
}
