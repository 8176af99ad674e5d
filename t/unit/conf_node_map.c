/* SPDX-License-Identifier: MIT */
#include "conf/node_map.h"

#include "conf_capture.h"

enum { NODES = 20000 };

static void finds_what_was_put(void **state)
{
    conf_node_map_t map = {0};
    yoml_t *nodes = calloc(NODES, sizeof(nodes[0]));
    int *made = calloc(NODES, sizeof(made[0]));

    assert_null(conf_node_map_get(&map, &nodes[0]));
    for (size_t i = 0; i < NODES; i++) {
        assert_null(conf_node_map_get(&map, &nodes[i]));
        conf_node_map_put(&map, &nodes[i], &made[i]);
        assert_ptr_equal(conf_node_map_get(&map, &nodes[i / 2]), &made[i / 2]);
    }
    for (size_t i = 0; i < NODES; i++)
        assert_ptr_equal(conf_node_map_get(&map, &nodes[i]), &made[i]);
    conf_node_map_finish(&map);
    assert_null(conf_node_map_get(&map, &nodes[0]));
    free(made);
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_was_put)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
