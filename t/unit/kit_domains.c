/* SPDX-License-Identifier: MIT */
/* The table of domains: its rules, the same against a plain list, and readers beside a writer. */
#include <pthread.h>
#include <stdatomic.h>

#include "kit_domains_duel.h"
#include "lib/walk/steward.h"
#include "lib/wire/loop/grace.h"
#include "unit.h"
#include "weir_retire.h"

enum { STEPS = 200000, PHASE_STEPS = 10000, MANY = 1000000 };

static kit_domains_t *domains;
static char apps[8];

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void release_at_once(void *memory, void (*release)(void *memory))
{
    release(memory);
}

/* A table of entries; the first stands for apps[0], and so on. */
static void open_with(const char *const *entries, size_t count)
{
    bool is_full;

    domains = kit_domains_create(release_at_once);
    for (size_t i = 0; i < count; i++) {
        assert_null(kit_domains_problem(span(entries[i])));
        assert_null(kit_domains_add(domains, span(entries[i]), &apps[i], &is_full));
        assert_false(is_full);
    }
    assert_int_equal(kit_domains_count(domains), count);
}

#define OPEN_WITH(...)                                                                                                         \
    do {                                                                                                                       \
        const char *const entries_[] = {__VA_ARGS__};                                                                          \
        open_with(entries_, sizeof(entries_) / sizeof(entries_[0]));                                                           \
    } while (0)

/* app -1: none */
static void expect(const char *host, const char *path, int app, kit_match_t match, uint16_t prefix_bytes)
{
    kit_found_t found = kit_domains_find(domains, span(host), span(path));

    if (found.app != (app < 0 ? NULL : &apps[app]) || found.match != match || found.prefix_bytes != prefix_bytes)
        fail_msg("%s%s: app %td, match %d, prefix of %d bytes", host, path, found.app == NULL ? -1 : (char *)found.app - apps,
                 (int)found.match, found.prefix_bytes);
}

static void expect_none(const char *host, const char *path)
{
    expect(host, path, -1, KIT_MATCH_NONE, 0);
}

static int close_table(void **state)
{
    kit_domains_destroy(&domains);
    return 0;
}

/* ---- the rules ---- */

static void an_empty_table_finds_nothing(void **state)
{
    OPEN_WITH("a");
    assert_ptr_equal(kit_domains_remove(domains, span("a")), &apps[0]);
    assert_null(kit_domains_remove(domains, span("a")));
    assert_false(kit_domains_move(domains, span("a"), &apps[1]));
    assert_int_equal(kit_domains_count(domains), 0);
    expect_none("a", "/");
    expect_none("", "");
    kit_domains_destroy(&domains);
    assert_null(domains);
    kit_domains_destroy(&domains);
}

static void the_most_specific_entry_wins(void **state)
{
    OPEN_WITH("shop.example", "*.shop.example", "*.eu.shop.example", "*.example", "*");
    expect("shop.example", "/", 0, KIT_MATCH_EXACT, 0);
    expect("a.shop.example", "/", 1, KIT_MATCH_SUFFIX, 0);
    expect("a.b.shop.example", "/", 1, KIT_MATCH_SUFFIX, 0);
    expect("eu.shop.example", "/", 1, KIT_MATCH_SUFFIX, 0);
    expect("a.eu.shop.example", "/", 2, KIT_MATCH_SUFFIX, 0);
    expect("xshop.example", "/", 3, KIT_MATCH_SUFFIX, 0);
    expect("example", "/", 4, KIT_MATCH_ANY, 0);
    expect(".example", "/", 4, KIT_MATCH_ANY, 0);
    expect("..example", "/", 3, KIT_MATCH_SUFFIX, 0);
    expect("*.example", "/", 3, KIT_MATCH_SUFFIX, 0);
    expect("", "/", 4, KIT_MATCH_ANY, 0);
}

static void case_dots_and_brackets(void **state)
{
    OPEN_WITH("Shop.Example", "dot.example.", "[::1]", "*.Wild.Example.", "_x-1");
    expect("shop.example", "", 0, KIT_MATCH_EXACT, 0);
    expect("shop.example.", "/", 0, KIT_MATCH_EXACT, 0);
    expect_none("shop.example..", "/");
    expect("dot.example", "/", 1, KIT_MATCH_EXACT, 0);
    expect("dot.example.", "/", 1, KIT_MATCH_EXACT, 0);
    expect("[::1]", "/", 2, KIT_MATCH_EXACT, 0);
    expect("a.wild.example.", "/", 3, KIT_MATCH_SUFFIX, 0);
    expect_none("wild.example", "/");
    expect_none(".", "/");
}

/* `letters` times 'a' behind `before`. */
static const char *long_text(const char *before, size_t letters)
{
    static char text[2048];
    size_t length = (size_t)sprintf(text, "%s", before);

    memset(text + length, 'a', letters);
    text[length + letters] = '\0';
    return text;
}

static void long_names(void **state)
{
    bool is_full;

    OPEN_WITH("*.example", "*");
    assert_null(kit_domains_problem(span(long_text("*.", 253))));
    assert_non_null(kit_domains_problem(span(long_text("*.", 254))));
    assert_non_null(kit_domains_problem(span(long_text("", 254))));
    assert_null(kit_domains_add(domains, span(long_text("", 253)), &apps[2], &is_full));
    assert_null(kit_domains_add(domains, span(long_text("*.", 253)), &apps[3], &is_full));
    expect(long_text("", 253), "/", 2, KIT_MATCH_EXACT, 0);
    expect(long_text("b.", 253), "/", 3, KIT_MATCH_SUFFIX, 0);
    expect(long_text("bb.", 253), "/", 1, KIT_MATCH_ANY, 0); /* 256 bytes */
    assert_ptr_equal(kit_domains_remove(domains, span(long_text("*.", 253))), &apps[3]);
    expect(long_text("b.", 253), "/", 1, KIT_MATCH_ANY, 0);
}

static void what_is_no_entry(void **state)
{
    static const char *const wrong[] = {
        "",      "/",     "/a",    ".",     ".a",   "a..b",  "a:80",   "a.*",   "*a",  "**",
        "*.",    "*..",   "*.*",   "*.*.a", "[",    "[::1",  "[::g]",  "[]:80", "a b", "\xc3\xa4",
        "a/b c", "a/b?c", "a/b#c", "a//",   "a//b", "a/b//", "a/\x7f", "a/\t",  "a,b",
    };
    static const char *const right[] = {"a",   "A-_.9", "a.", "*",   "*.a",  "*.a.", "[::1]",        "[1:2::3.4.5.6]", "*/",
                                        "*/a", "*.a/b", "a/", "a/b", "a/b/", "a/*",  "a/%20/;x=(y)", "a/\xc3\xa4"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (kit_domains_problem(span(wrong[i])) == NULL)
            fail_msg("`%s` is an entry", wrong[i]);
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        if (kit_domains_problem(span(right[i])) != NULL)
            fail_msg("`%s` is none: %s", right[i], kit_domains_problem(span(right[i])));
    }
    assert_non_null(kit_domains_problem((weir_span_t){NULL, 0}));
    assert_non_null(kit_domains_problem((weir_span_t){"a\0b", 3}));
    assert_null(kit_domains_problem(span(long_text("a/", KIT_PREFIX_BYTES - 1))));
    assert_non_null(kit_domains_problem(span(long_text("a/", KIT_PREFIX_BYTES))));
}

static void the_longest_prefix_of_whole_segments_wins(void **state)
{
    OPEN_WITH("a", "a/api", "a/api/v2/", "a/apis", "*/api", "*.b/x", "*");
    expect("a", "", 0, KIT_MATCH_EXACT, 0);
    expect("a", "*", 0, KIT_MATCH_EXACT, 0);
    expect("a", "/", 0, KIT_MATCH_EXACT, 0);
    expect("a", "/ap", 0, KIT_MATCH_EXACT, 0);
    expect("a", "/API", 0, KIT_MATCH_EXACT, 0);
    expect("a", "/api", 1, KIT_MATCH_EXACT, 4);
    expect("a", "/api/", 1, KIT_MATCH_EXACT, 4);
    expect("a", "/api?v2", 1, KIT_MATCH_EXACT, 4);
    expect("a", "/api#v2", 1, KIT_MATCH_EXACT, 4);
    expect("a", "/api/v", 1, KIT_MATCH_EXACT, 4);
    expect("a", "/api/v23", 1, KIT_MATCH_EXACT, 4);
    expect("a", "/api/v2", 2, KIT_MATCH_EXACT, 7);
    expect("a", "/api/v2/x", 2, KIT_MATCH_EXACT, 7);
    expect("a", "/apis", 3, KIT_MATCH_EXACT, 5);
    expect("a", "/apix", 0, KIT_MATCH_EXACT, 0);
    expect("b", "/api/v2", 4, KIT_MATCH_ANY, 4);
    expect("b", "/", 6, KIT_MATCH_ANY, 0);
    expect("b.b", "/x", 5, KIT_MATCH_SUFFIX, 2);
    expect("b.b", "/api", 4, KIT_MATCH_ANY, 4);
}

static void a_domain_none_of_whose_prefixes_fits_is_not_there(void **state)
{
    OPEN_WITH("a.b.c/x", "*.b.c/y", "*.c/z", "*/w");
    expect("a.b.c", "/x", 0, KIT_MATCH_EXACT, 2);
    expect("a.b.c", "/y", 1, KIT_MATCH_SUFFIX, 2);
    expect("a.b.c", "/z", 2, KIT_MATCH_SUFFIX, 2);
    expect("a.b.c", "/w", 3, KIT_MATCH_ANY, 2);
    expect_none("a.b.c", "/");
    expect_none("a.b.c", "/xx");
}

static void an_entry_has_one_app(void **state)
{
    bool is_full = true;

    OPEN_WITH("a", "*.a", "*", "a/b", "*/b", "*.a/b");
    assert_ptr_equal(kit_domains_add(domains, span("A."), &apps[7], &is_full), &apps[0]);
    assert_false(is_full);
    assert_ptr_equal(kit_domains_add(domains, span("a/"), &apps[7], &is_full), &apps[0]);
    assert_ptr_equal(kit_domains_add(domains, span("*.A."), &apps[7], &is_full), &apps[1]);
    assert_ptr_equal(kit_domains_add(domains, span("*"), &apps[7], &is_full), &apps[2]);
    assert_ptr_equal(kit_domains_add(domains, span("a/b/"), &apps[7], &is_full), &apps[3]);
    assert_ptr_equal(kit_domains_add(domains, span("*/b"), &apps[7], &is_full), &apps[4]);
    assert_ptr_equal(kit_domains_add(domains, span("*.a/b"), &apps[7], &is_full), &apps[5]);
    assert_int_equal(kit_domains_count(domains), 6);
    expect("a", "/b", 3, KIT_MATCH_EXACT, 2);
}

static void entries_move_and_go_one_by_one(void **state)
{
    OPEN_WITH("a", "a/b", "*", "*/b");
    assert_true(kit_domains_move(domains, span("A./b/"), &apps[5]));
    assert_true(kit_domains_move(domains, span("*"), &apps[6]));
    assert_false(kit_domains_move(domains, span("a/c"), &apps[7]));
    assert_false(kit_domains_move(domains, span("*.a"), &apps[7]));
    expect("a", "/b", 5, KIT_MATCH_EXACT, 2);
    expect("a", "/c", 0, KIT_MATCH_EXACT, 0);
    expect("c", "/c", 6, KIT_MATCH_ANY, 0);
    assert_ptr_equal(kit_domains_remove(domains, span("a")), &apps[0]);
    assert_null(kit_domains_remove(domains, span("a")));
    expect("a", "/c", 6, KIT_MATCH_ANY, 0);
    expect("a", "/b", 5, KIT_MATCH_EXACT, 2);
    assert_ptr_equal(kit_domains_remove(domains, span("a/b")), &apps[5]);
    expect("a", "/b", 3, KIT_MATCH_ANY, 2);
    assert_ptr_equal(kit_domains_remove(domains, span("*")), &apps[6]);
    expect("a", "/b", 3, KIT_MATCH_ANY, 2);
    expect_none("a", "/c");
    assert_ptr_equal(kit_domains_remove(domains, span("*/b")), &apps[3]);
    expect_none("a", "/b");
    assert_int_equal(kit_domains_count(domains), 0);
}

static void sixty_four_prefixes_of_a_domain(void **state)
{
    char entry[32];
    bool is_full;

    OPEN_WITH("a");
    for (int i = 0; i < KIT_PREFIXES_MOST; i++) {
        sprintf(entry, "a/%d", i);
        assert_null(kit_domains_add(domains, span(entry), &apps[i % 8], &is_full));
        assert_false(is_full);
    }
    assert_null(kit_domains_add(domains, span("a/more"), &apps[0], &is_full));
    assert_true(is_full);
    assert_int_equal(kit_domains_count(domains), KIT_PREFIXES_MOST + 1);
    assert_ptr_equal(kit_domains_add(domains, span("a/7"), &apps[0], &is_full), &apps[7]);
    assert_false(is_full);
    assert_ptr_equal(kit_domains_remove(domains, span("a")), &apps[0]);
    assert_null(kit_domains_add(domains, span("a"), &apps[3], &is_full));
    assert_false(is_full);
    expect("a", "/9", 1, KIT_MATCH_EXACT, 2);
    expect("a", "/63/x", 7, KIT_MATCH_EXACT, 3);
    expect("a", "/64", 3, KIT_MATCH_EXACT, 0);
    assert_ptr_equal(kit_domains_remove(domains, span("a/0")), &apps[0]);
    assert_null(kit_domains_add(domains, span("a/more"), &apps[5], &is_full));
    assert_false(is_full);
    expect("a", "/more", 5, KIT_MATCH_EXACT, 5);
}

/* ---- against the list ---- */

static uint64_t dice;

static uint64_t roll(void)
{
    uint64_t z = dice += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 31;
}

/* In turns more comes than goes, more goes than comes, and one name gets all the prefixes there are. */
static void roll_step(size_t phase, uint8_t *step)
{
    static const uint8_t deeds[][8] = {
        {DUEL_ADD, DUEL_ADD, DUEL_ADD, DUEL_REMOVE, DUEL_MOVE, DUEL_FIND, DUEL_FIND, DUEL_FIND},
        {DUEL_ADD, DUEL_REMOVE, DUEL_REMOVE, DUEL_REMOVE, DUEL_REMOVE, DUEL_MOVE, DUEL_FIND, DUEL_FIND},
        {DUEL_REMOVE, DUEL_REMOVE, DUEL_REMOVE, DUEL_REMOVE, DUEL_REMOVE, DUEL_FIND, DUEL_FIND, DUEL_FIND},
        {DUEL_ADD, DUEL_ADD, DUEL_ADD, DUEL_REMOVE, DUEL_MOVE, DUEL_FIND, DUEL_FIND, DUEL_FIND},
    };
    uint64_t now = roll();

    memcpy(step, &now, DUEL_STEP_BYTES);
    step[0] = now >> 56 == 0 ? DUEL_QUIET : deeds[phase % 4][step[0] % 8];
    if (phase % 4 == 3) {
        step[1] &= 0xfc; /* one label, and one letter */
        step[2] = 0;
    } else if ((now >> 48 & 3) != 0) {
        step[3] = 0;
    } else {
        step[3] &= 0x2a | 1; /* one segment of two */
    }
}

static void is_what_a_list_would_be(void **state)
{
    uint8_t step[DUEL_STEP_BYTES];
    size_t most = 0;

    dice = 20;
    duel_open();
    for (size_t i = 0; i < STEPS; i++) {
        roll_step(i / PHASE_STEPS, step);
        assert_int_equal(duel_step(step, sizeof(step)), sizeof(step));
        most = duel_count > most ? duel_count : most;
    }
    assert_true(most > 600);
    duel_close();
}

/* ---- memory ---- */

static weir_span_t nth_name(size_t n, char *out)
{
    return (weir_span_t){out, (size_t)sprintf(out, "shops-%08zx.apps.example.net", n * 2654435761u & 0xffffffffu)};
}

static void a_million_names(void **state)
{
    char name[64];
    size_t before;
    bool is_full;

    domains = kit_domains_create(release_at_once);
    assert_int_equal(nth_name(0, name).len, 31);
    assert_true(kit_domains_memory_bytes(domains) < 1024);
    for (size_t i = 0; i < MANY; i++)
        assert_null(kit_domains_add(domains, nth_name(i, name), &apps[i % 8], &is_full));
    before = kit_domains_memory_bytes(domains);
    assert_true(before <= (size_t)72 * MANY);
    for (size_t i = 0; i < MANY; i += 3) {
        kit_found_t found = kit_domains_find(domains, nth_name(i, name), WEIR_SPAN("/"));
        assert_ptr_equal(found.app, &apps[i % 8]);
    }
    /* What goes makes room for what comes. */
    for (size_t i = 0; i < MANY / 4; i++) {
        assert_ptr_equal(kit_domains_remove(domains, nth_name(i, name)), &apps[i % 8]);
        assert_null(kit_domains_add(domains, nth_name(MANY + i, name), &apps[0], &is_full));
    }
    assert_int_equal(kit_domains_memory_bytes(domains), before);
    assert_null(kit_domains_find(domains, nth_name(0, name), WEIR_SPAN("/")).app);
}

static void a_small_table_is_small(void **state)
{
    OPEN_WITH("a.example", "*.b.example");
    assert_true(kit_domains_memory_bytes(domains) < 6000);
}

/* ---- readers beside a writer ---- */

enum { READERS = 2, ROUNDS = 12, NAMES = 3000, PARTS = 64 };

static char comers[NAMES], standing, left, right, wild, exact, whole, part;
static atomic_bool has_ended;

static const void *app_of(const char *host, const char *path)
{
    return kit_domains_find(domains, span(host), span(path)).app;
}

static bool is_one_of(const void *app, const void *a, const void *b)
{
    return app == a || app == b;
}

/* Whatever the writer does, these hold at each moment. */
static const char *look(size_t n)
{
    char host[32];
    kit_found_t found;

    sprintf(host, "n%zu.example", n % NAMES);
    if (!is_one_of(app_of(host, "/"), &comers[n % NAMES], NULL))
        return "a name that comes and goes had another's app";
    if (app_of("standing.example", "/") != &standing)
        return "a name that stays was not there";
    if (!is_one_of(app_of("moving.example", "/"), &left, &right) ||
        !is_one_of(app_of("a.moving.example", "/p/q"), &left, &right))
        return "a name that moves was not there";
    found = kit_domains_find(domains, span("x.wild.example"), span("/"));
    if (found.app != (found.match == KIT_MATCH_EXACT ? &exact : &wild))
        return "neither the exact name nor the suffix was there";
    found = kit_domains_find(domains, span("parts.example"), span("/a/17/x"));
    if (found.app != (found.prefix_bytes == 0 ? &whole : &part) || (found.prefix_bytes != 0 && found.prefix_bytes != 5))
        return "neither the prefix nor the whole domain was there";
    if (!is_one_of(app_of("nobody.example", "/any"), &left, NULL))
        return "a domain was there that never was";
    return NULL;
}

static void *read_on(void *out_wrong)
{
    weir_grace_reader_t reader;
    const char **wrong = out_wrong;

    weir_grace_join(&reader);
    for (size_t n = 0; *wrong == NULL && !atomic_load_explicit(&has_ended, memory_order_relaxed); n++) {
        *wrong = look(n * 7919);
        if (n % 16 == 0)
            weir_grace_quiet(&reader);
    }
    weir_grace_part(&reader);
    return NULL;
}

static void add(const char *entry, void *app)
{
    bool is_full;

    assert_null(kit_domains_add(domains, span(entry), app, &is_full));
    assert_false(is_full);
}

/* One change of each kind; the n-th of a round, which adds names or takes them away. */
static void change_all(size_t n, bool is_adding)
{
    char entry[32];

    sprintf(entry, "n%zu.example", n);
    if (is_adding)
        add(entry, &comers[n]);
    else
        assert_ptr_equal(kit_domains_remove(domains, span(entry)), &comers[n]);
    assert_true(kit_domains_move(domains, span("moving.example"), n % 2 == 0 ? &left : &right));
    assert_true(kit_domains_move(domains, span("*.moving.example/p"), n % 2 == 0 ? &left : &right));
    sprintf(entry, "parts.example/a/%zu", n % PARTS);
    if (kit_domains_remove(domains, span(entry)) == NULL)
        add(entry, &part);
    if (kit_domains_remove(domains, span("x.wild.example")) == NULL)
        add("x.wild.example", &exact);
    if (kit_domains_remove(domains, span("*/any")) == NULL)
        add("*/any", &left);
    if (n % 64 == 0)
        (void)weir_grace_release();
}

static void readers_see_what_was_or_what_is(void **state)
{
    pthread_t threads[READERS];
    const char *wrong[READERS] = {NULL};

    domains = kit_domains_create(weir_retire);
    add("standing.example", &standing);
    add("moving.example", &left);
    add("*.moving.example/p", &left);
    add("*.wild.example", &wild);
    add("parts.example", &whole);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &wrong[i]), 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t n = 0; n < NAMES; n++)
            change_all(n, round % 2 == 0);
    }
    atomic_store(&has_ended, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        if (wrong[i] != NULL)
            fail_msg("%s", wrong[i]);
    }
    kit_domains_destroy(&domains);
    weir_steward_stop();
    assert_int_equal(weir_grace_release(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_empty_table_finds_nothing, close_table),
        cmocka_unit_test_teardown(the_most_specific_entry_wins, close_table),
        cmocka_unit_test_teardown(case_dots_and_brackets, close_table),
        cmocka_unit_test_teardown(long_names, close_table),
        cmocka_unit_test_teardown(what_is_no_entry, close_table),
        cmocka_unit_test_teardown(the_longest_prefix_of_whole_segments_wins, close_table),
        cmocka_unit_test_teardown(a_domain_none_of_whose_prefixes_fits_is_not_there, close_table),
        cmocka_unit_test_teardown(an_entry_has_one_app, close_table),
        cmocka_unit_test_teardown(entries_move_and_go_one_by_one, close_table),
        cmocka_unit_test_teardown(sixty_four_prefixes_of_a_domain, close_table),
        cmocka_unit_test(is_what_a_list_would_be),
        cmocka_unit_test_teardown(a_million_names, close_table),
        cmocka_unit_test_teardown(a_small_table_is_small, close_table),
        cmocka_unit_test_teardown(readers_see_what_was_or_what_is, close_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
