/* SPDX-License-Identifier: MIT */
/* The watch over loops, on a clock that is told: who is stuck, since when, and what is said of it. */
#include "lib/walk/watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/walk/at_work.h"
#include "unit.h"

enum { SAID_BYTES = 16384, SECOND_MS = 1000 };

#define ID "0123456789abcdefghij"
#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " ID "\r\n\r\n"

/* ---- standard error goes to a file ---- */

static int words = -1, before_words = -1;

static void catch_words(void)
{
    words = memfd_create("words", 0);
    before_words = dup(STDERR_FILENO);
    assert_true(words != -1 && before_words != -1 && dup2(words, STDERR_FILENO) != -1);
}

/* What was said since the last time. */
static const char *said(void)
{
    static char text[SAID_BYTES];
    const ssize_t length = pread(words, text, sizeof(text) - 1, 0);

    assert_in_range(length, 0, sizeof(text) - 2);
    text[length] = '\0';
    assert_int_equal(ftruncate(words, 0), 0);
    assert_int_equal(lseek(words, 0, SEEK_SET), 0);
    return text;
}

/* Behind each test; what one that has failed has not read is shown. */
static int release_words(void **state)
{
    char text[SAID_BYTES];
    const ssize_t length = pread(words, text, sizeof(text), 0);

    if (dup2(before_words, STDERR_FILENO) == -1)
        return -1;
    close(before_words);
    close(words);
    return length > 0 && write(STDERR_FILENO, text, (size_t)length) != length;
}

/* ---- a loop that is watched: this thread's ---- */

static unsigned alive;

static void on_alive(void)
{
    alive++;
}

static void beat(void)
{
    weir_desk_beat(weir_loop_now_us(&w.loop));
}

static void open_watch(weir_watch_limits_t limits, bool is_ours)
{
    world_open(NULL);
    fake_steward = &w.loop;
    alive = 0;
    catch_words();
    beat();
    weir_watch_join(2, is_ours);
    weir_watch_begin(&limits, on_alive);
    fake_run(&w.loop);
}

static void close_watch(void)
{
    weir_watch_part();
    fake_advance(&w.loop, SECOND_MS); /* with nobody to look at it ends by itself */
    assert_true(weir_list_is_empty(&w.loop.timers));
    assert_string_equal(said(), "");
    world_close();
}

static void pass_alive(uint32_t ms)
{
    for (uint32_t at = 0; at < ms; at += 10) {
        fake_advance(&w.loop, 10);
        beat();
    }
}

static const weir_watch_limits_t usual = {.stuck_ms = 100};

static void a_loop_that_lives_is_nobodys_business(void **state)
{
    open_watch(usual, true);
    pass_alive(10 * SECOND_MS);
    weir_desk_beat(weir_loop_now_us(&w.loop) + 1000000); /* it sleeps for a second */
    fake_advance(&w.loop, SECOND_MS + 90);
    beat();
    fake_advance(&w.loop, 90);
    close_watch();
}

static void one_that_is_stuck_is_named_while_it_is(void **state)
{
    open_watch(usual, true);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, REQUEST);
    w.x->request.id = WEIR_SPAN(ID);
    weir_desk_show(w.x);
    pass_alive(SECOND_MS);
    const weir_before_t before = weir_at_work_on(w.x, "router", "shop", "checkout_service");
    fake_advance(&w.loop, 90);
    assert_string_equal(said(), "");
    fake_advance(&w.loop, 60);
    assert_contains(said(), "weir: loop 2 has been stuck for 1");
    fake_advance(&w.loop, 9000);
    assert_string_equal(said(), "");
    fake_advance(&w.loop, 1000);
    assert_contains(said(), " ms in checkout_service of router shop (request " ID ")\n");
    fake_advance(&w.loop, 80000);
    assert_string_equal(said(), "");
    fake_advance(&w.loop, 10000);
    assert_contains(said(), "weir: loop 2 has been stuck for 1000");
    weir_at_work_back(before);
    beat();
    fake_advance(&w.loop, 60);
    assert_contains(said(),
                    "weir: loop 2 was stuck for 100150 ms in checkout_service of router shop (request " ID "), and goes on\n");
    pass_alive(SECOND_MS);
    weir_exchange_start(w.x);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, NULL));
    beat();
    close_watch();
}

static void outside_of_callbacks_too(void **state)
{
    open_watch(usual, true);
    fake_advance(&w.loop, 160);
    assert_contains(said(), " ms outside of any callback\n");
    beat();
    fake_advance(&w.loop, 50);
    assert_contains(said(), "weir: loop 2 was stuck for 160 ms outside of any callback, and goes on\n");
    close_watch();
}

static void an_applications_loop_may_do_what_it_likes(void **state)
{
    open_watch(usual, false);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, REQUEST);
    w.x->request.id = WEIR_SPAN(ID);
    weir_desk_show(w.x);
    fake_advance(&w.loop, 100 * SECOND_MS);
    assert_string_equal(said(), "");
    weir_at_work_back(weir_at_work_on(NULL, "router", "shop", "configure"));
    const weir_before_t idle = weir_at_work_on(NULL, "router", "shop", "configure"); /* of no request: it may take its time */
    fake_advance(&w.loop, SECOND_MS);
    assert_string_equal(said(), "");
    weir_at_work_back(idle);
    beat();
    const weir_before_t before = weir_at_work_on(w.x, "stage", "slow", "enter");
    fake_advance(&w.loop, 160);
    assert_contains(said(), " ms in enter of stage slow (request " ID ")\n");
    weir_at_work_back(before);
    fake_advance(&w.loop, 60);
    assert_contains(said(), "weir: loop 2 was stuck for ");
    fake_advance(&w.loop, 100 * SECOND_MS);
    weir_exchange_start(w.x);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, NULL));
    close_watch();
}

/* Nobody could look for so long: who would say that the loop, and not the machine, is to blame? */
static void time_that_the_steward_has_lost_is_nobodys(void **state)
{
    open_watch(usual, true);
    pass_alive(SECOND_MS);
    for (int i = 0; i < 10; i++) {
        w.loop.now_us += 5 * SECOND_MS * 1000;
        fake_advance(&w.loop, 0); /* the look that was due comes late */
        fake_advance(&w.loop, 20);
        beat();
        fake_advance(&w.loop, 70);
    }
    assert_string_equal(said(), "");
    close_watch();
}

static void nothing_is_looked_at_if_nobody_wants_to_know(void **state)
{
    open_watch((weir_watch_limits_t){0}, true);
    assert_true(weir_list_is_empty(&w.loop.timers));
    fake_advance(&w.loop, 1000);
    weir_watch_begin(&usual, NULL); /* a reload */
    fake_advance(&w.loop, 200);
    assert_contains(said(), "weir: loop 2 has been stuck for ");
    weir_watch_begin(&(weir_watch_limits_t){0}, NULL);
    fake_advance(&w.loop, 200);
    assert_true(weir_list_is_empty(&w.loop.timers));
    assert_string_equal(said(), "");
    close_watch();
}

static void somebody_hears_that_all_live(void **state)
{
    open_watch((weir_watch_limits_t){.alive_ms = 500}, true);
    pass_alive(5 * SECOND_MS);
    assert_in_range(alive, 9, 11);
    fake_advance(&w.loop, 5 * SECOND_MS);
    assert_in_range(alive, 10, 12);
    alive = 0;
    beat();
    pass_alive(SECOND_MS);
    assert_in_range(alive, 2, 3);
    assert_string_equal(said(), "");
    close_watch();
}

static void *end_watch(void *unused)
{
    weir_watch_end();
    return unused;
}

static void it_ends_when_it_is_told_to(void **state)
{
    pthread_t thread;

    open_watch(usual, true);
    assert_int_equal(pthread_create(&thread, NULL, end_watch, NULL), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0)
        fake_run(&w.loop);
    assert_true(weir_list_is_empty(&w.loop.timers));
    fake_advance(&w.loop, SECOND_MS);
    close_watch();
}

/* In a process of its own. */
static void be_killed(void)
{
    for (unsigned i = 0; i < 100; i++)
        weir_at_work_back(weir_at_work_on(NULL, "stage", i < 99 ? "many" : "last", "enter"));
    fake_advance(&w.loop, 10 * SECOND_MS);
    _exit(0);
}

static void the_process_ends_for_want_of_patience(void **state)
{
    const char *text;
    int status;
    pid_t pid;

    open_watch((weir_watch_limits_t){.stuck_ms = 100, .kill_ms = 3000}, true);
    pid = fork();
    assert_true(pid != -1);
    if (pid == 0)
        be_killed();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    text = said();
    assert_contains(text, "weir: loop 2 has been stuck for 1");
    assert_contains(text, "weir: loop 2 has been stuck for 30");
    assert_contains(text, ": the process ends itself, as weir.watchdog-kill says\n");
    assert_contains(text, "weir: flight of loop 2: what it began last, of 100\n");
    assert_contains(text, " enter of stage last\n");
    size_t lines = 0;
    for (const char *at = text; (at = strstr(at, " enter of stage ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, WEIR_FLIGHT_EVENTS);
    beat();
    close_watch();
}

static void slow_calls_are_counted_by_name(void **state)
{
    open_watch((weir_watch_limits_t){0}, true);
    for (unsigned i = 0; i < 2 * WEIR_DESK_SLOWS; i++) {
        const weir_before_t before = weir_at_work_on(NULL, "router", i % 2 == 0 ? "a" : "b", "log");
        weir_at_work_slow(NULL, 21000);
        weir_at_work_back(before);
    }
    assert_contains(said(), "weir: log of router b took 21 ms; time 5 on loop 2\n"); /* ten lines of it */
    close_watch();
}

#define TEST(function) cmocka_unit_test_teardown(function, release_words)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_loop_that_lives_is_nobodys_business),
        TEST(one_that_is_stuck_is_named_while_it_is),
        TEST(outside_of_callbacks_too),
        TEST(an_applications_loop_may_do_what_it_likes),
        TEST(time_that_the_steward_has_lost_is_nobodys),
        TEST(nothing_is_looked_at_if_nobody_wants_to_know),
        TEST(somebody_hears_that_all_live),
        TEST(it_ends_when_it_is_told_to),
        TEST(the_process_ends_for_want_of_patience),
        TEST(slow_calls_are_counted_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
