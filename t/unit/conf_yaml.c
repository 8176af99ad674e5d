/* SPDX-License-Identifier: MIT */
#include "conf/yaml.h"

#include "conf_capture.h"

#include "conf/config_node.h"

static yoml_t *parse(const char *text)
{
    return conf_yaml_parse((weir_span_t){text, strlen(text)}, "t.yaml");
}

/* The tree in flow style, into `out`. */
static void render(const yoml_t *node, FILE *out)
{
    switch (node->type) {
    case YOML_TYPE_SCALAR:
        fprintf(out, "%s", node->data.scalar);
        return;
    case YOML_TYPE_SEQUENCE:
        fputc('[', out);
        for (size_t i = 0; i < node->data.sequence.size; i++) {
            fputs(i > 0 ? "," : "", out);
            render(node->data.sequence.elements[i], out);
        }
        fputc(']', out);
        return;
    case YOML_TYPE_MAPPING:
        fputc('{', out);
        for (size_t i = 0; i < node->data.mapping.size; i++) {
            fprintf(out, "%s%s:", i > 0 ? "," : "", node->data.mapping.elements[i].key->data.scalar);
            render(node->data.mapping.elements[i].value, out);
        }
        fputc('}', out);
        return;
    }
}

static void assert_tree(yoml_t *root, const char *expected)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(root);
    render(root, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    conf_yaml_release(&root);
    assert_null(root);
}

static void assert_refused(const char *text, const char *complaint)
{
    capture_t capture;
    yoml_t *root;
    char *said;

    capture_begin(&capture, &stderr);
    root = parse(text);
    said = capture_end(&capture);
    assert_null(root);
    assert_string_equal(said, complaint);
    free(said);
}

static void reads_all_kinds_of_nodes(void **state)
{
    assert_tree(parse("a"), "a");
    assert_tree(parse("[]"), "[]");
    assert_tree(parse("{}"), "{}");
    assert_tree(parse("a: [1, 'two', \"thr\\ee\"]\nb:\n  c: |\n    text\n"), "{a:[1,two,thr\x1b"
                                                                             "e],b:{c:text\n}}");
    assert_tree(parse("- 1\n- 2\n- 3\n- 4\n- 5\n- 6\n- 7\n- 8\n- 9\n"), "[1,2,3,4,5,6,7,8,9]");
    assert_tree(parse("a: !!str 1\nb: ! x\n"), "{a:1,b:x}");
    assert_tree(parse("a:\n"), "{a:}");
}

static void knows_places(void **state)
{
    yoml_t *root = parse("a: 1\nb:\n  - x\n  -   y\n");
    const yoml_t *b = conf_yaml_get(root, "b");

    assert_string_equal(b->filename, "t.yaml");
    assert_int_equal(b->data.sequence.elements[1]->line, 3);
    assert_int_equal(b->data.sequence.elements[1]->column, 6);
    conf_yaml_release(&root);
}

static void shares_aliased_nodes(void **state)
{
    yoml_t *root = parse("a: &x {k: v}\nb: *x\nc: &x 2\nd: *x\n");

    assert_ptr_equal(conf_yaml_get(root, "a"), conf_yaml_get(root, "b"));
    assert_int_equal(conf_yaml_get(root, "a")->_refcnt, 2);
    assert_tree(root, "{a:{k:v},b:{k:v},c:2,d:2}");
    assert_refused("a: *x\n", "t.yaml:1: this alias has no anchor before it\n");
    assert_refused("a: &x [*x]\n", "t.yaml:1: this alias has no anchor before it\n");
}

static void merges(void **state)
{
    assert_tree(parse("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3, m: 4}\n"), "{a:{k:1,l:2},b:{k:1,l:3,m:4}}");
    assert_tree(parse("b: {<<: [{k: 1}, {k: 2, l: 2}], m: 3}\n"), "{b:{k:1,l:2,m:3}}");
    assert_tree(parse("a: &x {k: 1}\nb: &y {<<: *x, l: 2}\nc: {<<: *y}\n"), "{a:{k:1},b:{k:1,l:2},c:{k:1,l:2}}");
    assert_tree(parse("'<<': 1\n"), "{<<:1}");
    assert_refused("<<: 1\n", "t.yaml:1: << takes a mapping or a list of mappings\n");
    assert_refused("a: 1\n<<: [{b: 1}, c]\n", "t.yaml:2: << takes a mapping or a list of mappings\n");
}

static void lets_directives_add_up(void **state)
{
    assert_tree(parse("listen: 1\nlisten: 2\nheader.add: a\nheader.add: b\n"), "{listen:1,listen:2,header.add:a,header.add:b}");
    assert_tree(parse("a: &x {listen: 1}\nb: {<<: *x, listen: 2, listen: 3}\n"), "{a:{listen:1},b:{listen:2,listen:3}}");
    assert_tree(parse("b: {<<: [{setenv: 1}, {setenv: 2}]}\n"), "{b:{setenv:1}}");
}

static void assert_warned(const char *text, const char *expected, const char *warning)
{
    capture_t capture;
    yoml_t *root;
    char *said;

    capture_begin(&capture, &stderr);
    root = parse(text);
    said = capture_end(&capture);
    assert_string_equal(said, warning);
    free(said);
    assert_tree(root, expected);
}

static void keeps_keys_that_stand_twice(void **state)
{
    assert_warned("a: 1\nb: 2\na: 3\n", "{a:1,b:2,a:3}", "t.yaml:3: warning: a stands on line 1 already\n");
    assert_warned("hosts: {a: 1}\nhosts: {b: 2}\n", "{hosts:{a:1},hosts:{b:2}}",
                  "t.yaml:2: warning: hosts stands on line 1 already; both count\n");
    assert_warned("num-threads: 1\nnum-threads: 2\n", "{num-threads:1,num-threads:2}",
                  "t.yaml:2: warning: num-threads stands on line 1 already; the last one counts\n");
    assert_warned("listen: {port: 1,\n port: 2}\n", "{listen:{port:1,port:2}}",
                  "t.yaml:2: warning: port stands on line 1 already; the first one counts\n");
    assert_warned("text/plain: .a\ntext/plain: .b\n", "{text/plain:.a,text/plain:.b}",
                  "t.yaml:2: warning: text/plain stands on line 1 already; both count\n");
}

static void refuses_what_is_wrong(void **state)
{
    assert_refused("", "t.yaml:1: the file is empty\n");
    assert_refused("weir.router:\n  a: 1\n  b: {c: 2}\n  a: 3\n", "t.yaml:4: a stands on line 2 already\n");
    assert_refused("hosts: {h: {weir.stages: [{a: 1,\n a: 3}]}}\n", "t.yaml:2: a stands on line 1 already\n");
    assert_refused("a:\n\tb: 1\n", "t.yaml:2: there is a tab in front; YAML is indented with spaces\n");
    assert_refused("a:\n  b: 1\n  \tc: 1\n", "t.yaml:3: there is a tab in front; YAML is indented with spaces\n");
    assert_refused("a: 1\n---\nb: 2\n", "t.yaml:2: only one document is allowed\n");
    assert_refused("[a]: 1\n", "t.yaml:1: a key must be a scalar\n");
    assert_refused("a: &x [1]\n*x : 1\n", "t.yaml:2: a key must be a scalar\n");
    assert_refused("a: !foo b\n", "t.yaml:1: unknown tag (only !file is known)\n");
    assert_refused("a: !file b\n", "t.yaml:1: !file is not possible here\n");
    assert_refused("a: \"\\0\"\n", "t.yaml:1: a NUL character is not allowed\n");
    assert_refused("a: 1\nb: \xff\n", "t.yaml:2: invalid leading UTF-8 octet\n");
}

static void knows_anchors_of_files(void **state)
{
    const char *path;

    scratch_file("inner.yaml", "a: &x {k: 1}\n");
    path = scratch_file("outer.yaml", "i: !file inner.yaml\nb: *x\nc: {<<: *x, l: 2}\n");
    assert_tree(conf_yaml_load(path), "{i:{a:{k:1}},b:{k:1},c:{k:1,l:2}}");
    path = scratch_file("outer.yaml", "b: &x {k: 2}\ni: !file inner.yaml\nc: *x\n");
    assert_tree(conf_yaml_load(path), "{b:{k:2},i:{a:{k:1}},c:{k:1}}"); /* the latest counts */
}

static void limits_depth(void **state)
{
    char text[200];

    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    yoml_t *root = parse(text);
    assert_non_null(root);
    conf_yaml_release(&root);

    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    assert_refused(text, "t.yaml:1: nested too deeply (at most 64 levels)\n");
}

static void limits_depth_through_aliases(void **state)
{
    char text[8192];
    size_t len = (size_t)sprintf(text, "a0: &a0 [1]\n");

    for (int i = 1; i < 70; i++)
        len += (size_t)sprintf(text + len, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    assert_refused(text, "t.yaml:63: nested too deeply (at most 64 levels)\n");
}

static void limits_alias_bombs(void **state)
{
    char text[8192];
    size_t len = (size_t)sprintf(text, "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");

    for (int i = 1; i < 10; i++) {
        len += (size_t)sprintf(text + len, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            len += (size_t)sprintf(text + len, "*a%d,", i - 1);
        len += (size_t)sprintf(text + len, "]\n");
    }
    assert_refused(text, "t.yaml:6: too large (at most 1000000 nodes, aliases written out)\n");
}

static void limits_nodes(void **state)
{
    char *text = malloc(2 * (CONF_YAML_NODES + 10));
    capture_t capture;
    char *said;

    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 0; i < CONF_YAML_NODES; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    strcpy(text + 1 + 2 * (CONF_YAML_NODES - 1), "1]");
    capture_begin(&capture, &stderr);
    assert_null(parse(text));
    said = capture_end(&capture);
    assert_string_equal(said, "t.yaml:1: too large (at most 1000000 nodes, aliases written out)\n");
    free(said);
    free(text);
}

/* ---- files ---- */

static void assert_file_refused(const char *path, const char *complaint)
{
    capture_t capture;
    yoml_t *root;
    char *said;

    capture_begin(&capture, &stderr);
    root = conf_yaml_load(path);
    said = capture_end(&capture);
    assert_null(root);
    assert_non_null(strstr(said, complaint));
    free(said);
}

static void includes_files(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "mkdir -p %s/sub", scratch);
    assert_int_equal(system(command), 0);
    scratch_file("sub/b.yaml", "x: !file c.yaml\n");
    scratch_file("sub/c.yaml", "[1, 2]\n");
    assert_tree(conf_yaml_load(scratch_file("a.yaml", "b: !file sub/b.yaml\nc: !file sub/c.yaml\n")), "{b:{x:[1,2]},c:[1,2]}");
    scratch_file("d.yaml", "k: 1\nl: 2\n");
    assert_tree(conf_yaml_load(scratch_file("e.yaml", "<<: !file d.yaml\nl: 3\n")), "{k:1,l:3}");
}

static void refuses_bad_includes(void **state)
{
    char name[32], text[48];

    assert_file_refused(scratch_path("none.yaml"), "none.yaml: No such file or directory\n");
    assert_file_refused(scratch, ": Is a directory\n");
    assert_file_refused(scratch_file("a.yaml", "x: 1\na: !file none.yaml\n"), "a.yaml:2: ");
    assert_file_refused(scratch_file("a.yaml", "a: !file a.yaml\n"), "the file includes itself\n");
    scratch_file("bad.yaml", "a: 1\nb: [\n");
    assert_file_refused(scratch_file("a.yaml", "a: !file bad.yaml\n"), "bad.yaml:3: ");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "n%d.yaml", i);
        snprintf(text, sizeof(text), "a: !file n%d.yaml\n", i + 1);
        scratch_file(name, text);
    }
    assert_file_refused(scratch_path("n0.yaml"), "files include each other too deeply (at most 16)\n");
}

/* ---- as modules see it ---- */

static void shows_nodes_to_modules(void **state)
{
    yoml_t *root = parse("s: text\nl: [1, 2]\nm: {k: v}\n");
    const weir_config_t *config = conf_config_of(root);

    assert_int_equal(weir_config_kind(config), WEIR_CONFIG_MAP);
    assert_int_equal(weir_config_count(config), 3);
    assert_string_equal(weir_config_text(weir_config_key(config, 1)), "l");
    assert_string_equal(weir_config_text(weir_config_at(weir_config_at(config, 1), 1)), "2");
    assert_string_equal(weir_config_text(weir_config_get(weir_config_get(config, "m"), "k")), "v");
    assert_null(weir_config_text(config));
    assert_null(weir_config_get(config, "none"));
    assert_null(weir_config_at(config, 3));
    assert_null(weir_config_key(config, 3));
    assert_null(weir_config_key(weir_config_get(config, "l"), 0));
    assert_int_equal(weir_config_count(weir_config_get(config, "s")), 0);
    conf_yaml_release(&root);
}

static void shows_nothing_to_modules(void **state)
{
    assert_int_equal(weir_config_kind(NULL), WEIR_CONFIG_NONE);
    assert_int_equal(weir_config_count(NULL), 0);
    assert_null(weir_config_text(NULL));
    assert_null(weir_config_at(NULL, 0));
    assert_null(weir_config_key(NULL, 0));
    assert_null(weir_config_get(NULL, "k"));
}

static void complains_for_modules(void **state)
{
    yoml_t *root = parse("a: 1\nb: 2\n");
    const weir_config_t *config = conf_config_of(root);
    capture_t capture;
    char *said;

    capture_begin(&capture, &stderr);
    assert_false(weir_config_wrong(weir_config_get(config, "b"), "%d is %s", 2, "odd"));
    conf_config_set_place(root);
    assert_false(weir_config_wrong(NULL, "nothing there"));
    conf_config_set_place(NULL);
    said = capture_end(&capture);
    assert_string_equal(said, "t.yaml:2: 2 is odd\nt.yaml:1: nothing there\n");
    free(said);
    conf_yaml_release(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_kinds_of_nodes),
        cmocka_unit_test(knows_places),
        cmocka_unit_test(shares_aliased_nodes),
        cmocka_unit_test(merges),
        cmocka_unit_test(lets_directives_add_up),
        cmocka_unit_test(keeps_keys_that_stand_twice),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(knows_anchors_of_files),
        cmocka_unit_test(limits_depth),
        cmocka_unit_test(limits_depth_through_aliases),
        cmocka_unit_test(limits_alias_bombs),
        cmocka_unit_test(limits_nodes),
        cmocka_unit_test(includes_files),
        cmocka_unit_test(refuses_bad_includes),
        cmocka_unit_test(shows_nodes_to_modules),
        cmocka_unit_test(shows_nothing_to_modules),
        cmocka_unit_test(complains_for_modules),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
