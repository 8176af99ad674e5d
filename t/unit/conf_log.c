/* SPDX-License-Identifier: MIT */
#include "lib/base/log.h"

#include "conf_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void write_line(weir_access_log_t *log, const char *line)
{
    weir_access_log_write(log, (weir_span_t){line, strlen(line)});
}

/* Waits until the file holds `expected`. */
static void assert_becomes(const char *path, const char *expected)
{
    for (int i = 0; i < 200 && strcmp(slurp(path), expected) != 0; i++)
        pause_ms(10);
    assert_string_equal(slurp(path), expected);
}

static void keeps_lines_until_start(void **state)
{
    const char *path = scratch_path("start.log");
    weir_access_log_t *log = weir_access_log_open(path);

    assert_non_null(log);
    assert_ptr_equal(weir_access_log_open(path), log);
    write_line(log, "one\n");
    pause_ms(50);
    assert_string_equal(slurp(path), "");
    weir_access_log_start();
    assert_becomes(path, "one\n");
    write_line(log, "two\n"); /* the writer is idle by now or about to be */
    assert_becomes(path, "one\ntwo\n");
    pause_ms(50);
    write_line(log, "three\n");
    weir_access_log_stop(1000);
    assert_string_equal(slurp(path), "one\ntwo\nthree\n");
}

static void says_why_it_cannot_open(void **state)
{
    errno = 0;
    assert_null(weir_access_log_open(scratch_path("no/such/file")));
    assert_int_equal(errno, ENOENT);
}

static void reopens(void **state)
{
    const char *path = scratch_path("rotate.log"), *old = scratch_path("rotate.log.1");
    weir_access_log_t *log = weir_access_log_open(path);

    weir_access_log_start();
    write_line(log, "one\n");
    assert_becomes(path, "one\n");
    assert_int_equal(rename(path, old), 0);
    weir_access_log_reopen_all();
    assert_string_equal(slurp(path), ""); /* is there at once */
    write_line(log, "two\n");
    weir_access_log_stop(1000);
    assert_string_equal(slurp(path), "two\n");
    assert_string_equal(slurp(old), "one\n");
}

/* Counts lines and, in *out_lost, those that the log admits it dropped. */
static size_t count_lines(const char *text, size_t *out_lost)
{
    size_t lines = 0;

    *out_lost = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        static const char confession[] = "at=warning code=log_dropped lines=";
        if (strncmp(line, confession, strlen(confession)) == 0)
            *out_lost += strtoul(line + strlen(confession), NULL, 10);
        else
            lines++;
    }
    return lines;
}

static char *read_pipe(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY);
    size_t len = 0;
    ssize_t got;

    while ((got = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(fd);
    return text;
}

enum { FLOOD_LINES = 100000, FLOOD_BYTES = 16 * 1024 * 1024 };

static void *read_later(void *arg)
{
    char **text = arg;
    const char *path = *text;

    pause_ms(200);
    *text = read_pipe(path, malloc(FLOOD_BYTES), FLOOD_BYTES);
    return NULL;
}

static void drops_and_counts(void **state)
{
    const char *path = scratch_path("pipe");
    char line[101], *text = (char *)(uintptr_t)path;
    size_t lines, lost;
    pthread_t reader;
    weir_access_log_t *log;

    assert_int_equal(mkfifo(path, 0600), 0);
    int keeper = open(path, O_RDWR); /* so that the log can be opened before the reader is there */
    log = weir_access_log_open(path);
    assert_non_null(log);
    weir_access_log_start();
    memset(line, 'x', 99);
    strcpy(line + 99, "\n");
    for (int i = 0; i < FLOOD_LINES; i++)
        write_line(log, line);
    assert_int_equal(pthread_create(&reader, NULL, read_later, &text), 0);
    weir_access_log_stop(10000);
    close(keeper);
    pthread_join(reader, NULL);
    lines = count_lines(text, &lost);
    assert_true(lost > 0);
    assert_int_equal(lines + lost, FLOOD_LINES);
    free(text);
}

static void stops_in_time_without_reader(void **state)
{
    const char *path = scratch_path("stuck");
    weir_access_log_t *log;
    char line[1001];
    time_t start = time(NULL);

    assert_int_equal(mkfifo(path, 0600), 0);
    int keeper = open(path, O_RDWR);
    log = weir_access_log_open(path);
    weir_access_log_start();
    memset(line, 'x', 999);
    strcpy(line + 999, "\n");
    for (int i = 0; i < 1000; i++)
        write_line(log, line);
    weir_access_log_stop(300);
    assert_true(time(NULL) - start < 3);
    close(keeper);
}

enum { WRITERS = 4, LINES_EACH = 5000 };

static weir_access_log_t *shared_log;

static void *write_many(void *arg)
{
    for (int i = 0; i < LINES_EACH; i++) {
        char line[32];
        snprintf(line, sizeof(line), "%d %d\n", (int)(intptr_t)arg, i);
        write_line(shared_log, line);
        if (i % 500 == 0)
            pause_ms(7);
    }
    return NULL;
}

static void keeps_the_order_of_each_thread(void **state)
{
    const char *path = scratch_path("order.log");
    int next[WRITERS] = {0};
    pthread_t threads[WRITERS];
    FILE *file;
    int writer, number;

    shared_log = weir_access_log_open(path);
    weir_access_log_start();
    for (intptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)i), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    weir_access_log_stop(5000);
    file = fopen(path, "r");
    while (fscanf(file, "%d %d\n", &writer, &number) == 2)
        assert_int_equal(next[writer]++, number);
    fclose(file);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(next[i], LINES_EACH);
}

static void counts_what_cannot_be_written(void **state)
{
    weir_access_log_t *log = weir_access_log_open("/dev/full");

    if (log == NULL)
        skip();
    weir_access_log_start();
    write_line(log, "lost\n");
    pause_ms(50);
    write_line(log, "lost too\n");
    weir_access_log_stop(1000);
}

static void stops_without_start(void **state)
{
    assert_non_null(weir_access_log_open(scratch_path("never.log")));
    weir_access_log_stop(100);
    weir_access_log_stop(100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_lines_until_start),
        cmocka_unit_test(says_why_it_cannot_open),
        cmocka_unit_test(reopens),
        cmocka_unit_test(drops_and_counts),
        cmocka_unit_test(stops_in_time_without_reader),
        cmocka_unit_test(keeps_the_order_of_each_thread),
        cmocka_unit_test(counts_what_cannot_be_written),
        cmocka_unit_test(stops_without_start),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
