/* SPDX-License-Identifier: MIT */
#include "lib/base/log_writer.h"

#include "conf_capture.h"
#include "hear.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/rights.h"

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

/* Whether this process has the file open; it is known by its number, not by its name. */
static bool is_open(const char *path)
{
    struct stat wanted, what;

    assert_int_equal(stat(path, &wanted), 0);
    for (int fd = 0; fd < 256; fd++) {
        char name[32];

        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd); /* not the descriptor itself: its writer may be closing it */
        if (stat(name, &what) == 0 && what.st_dev == wanted.st_dev && what.st_ino == wanted.st_ino)
            return true;
    }
    return false;
}

static void reopens(void **state)
{
    const char *path = scratch_path("rotate.log"), *old = scratch_path("rotate.log.1");
    weir_access_log_t *log = weir_access_log_open(path);

    weir_access_log_start();
    write_line(log, "one\n");
    assert_becomes(path, "one\n");
    assert_int_equal(rename(path, old), 0);
    while (!atomic_load(&log->writer->is_idle))
        pause_ms(1);
    weir_access_log_reopen_all();
    for (int looks = 0; looks < 5000 && is_open(old); looks++)
        pause_ms(1);
    assert_false(is_open(old)); /* without another line */
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

/* Each line without the time that it must begin with. */
static void remove_times(char *text)
{
    char *to = text;

    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n') + 1;

        assert_int_equal(line[WEIR_LOG_TIME_BYTES - 2], 'Z');
        memmove(to, line + WEIR_LOG_TIME_BYTES, (size_t)(end - line) - WEIR_LOG_TIME_BYTES);
        to += end - line - WEIR_LOG_TIME_BYTES;
        line = end;
    }
    *to = '\0';
}

static void drop_and_count(const char *name, void (*write)(weir_access_log_t *, weir_span_t), void (*clean)(char *))
{
    const char *path = scratch_path(name);
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
        write(log, (weir_span_t){line, strlen(line)});
    assert_int_equal(pthread_create(&reader, NULL, read_later, &text), 0);
    weir_access_log_stop(10000);
    close(keeper);
    pthread_join(reader, NULL);
    if (clean != NULL)
        clean(text);
    lines = count_lines(text, &lost);
    assert_true(lost > 0);
    assert_int_equal(lines + lost, FLOOD_LINES);
    free(text);
}

static void drops_and_counts(void **state)
{
    drop_and_count("pipe", weir_access_log_write, NULL);
}

static void the_count_has_the_time_as_well(void **state)
{
    drop_and_count("timed", weir_access_log_write_timed, remove_times);
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
    pause_ms(50);
    write_line(log, "and this\n");
    begin_hearing();
    weir_access_log_stop(1000);
    assert_non_null(strstr(end_hearing(), "weir: /dev/full: 3 lines were lost\n")); /* what was confessed in vain, too */
}

/* ---- what can be stuck ---- */

/* A FIFO that is full, and never read. */
static weir_access_log_t *open_stuck(const char *name)
{
    const char *path = scratch_path(name);
    weir_access_log_t *log;

    assert_int_equal(mkfifo(path, 0600), 0);
    log = weir_access_log_open(path); /* waits for nobody */
    assert_non_null(log);
    return log;
}

static void fill(weir_access_log_t *log, int lines)
{
    char line[1001];

    memset(line, 'x', 999);
    strcpy(line + 999, "\n");
    for (int i = 0; i < lines; i++)
        write_line(log, line);
}

static long elapsed_ms(const struct timespec *since)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void costs_no_other_log_a_line(void **state)
{
    const char *path = scratch_path("fine.log");
    weir_access_log_t *before = weir_access_log_open(path), *stuck = open_stuck("first"), *other = open_stuck("second");
    struct timespec begin;

    weir_access_log_start();
    fill(stuck, 1000);
    fill(other, 1000);
    pause_ms(50);
    write_line(before, "one\n");
    assert_becomes(path, "one\n");
    write_line(before, "two\n");
    begin_hearing();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    weir_access_log_stop(300);
    assert_in_range(elapsed_ms(&begin), 290, 580); /* beside each other */
    end_hearing();
    assert_non_null(strstr(heard, "first: 9")); /* of 1000, as many as a pipe does not take */
    assert_non_null(strstr(heard, " lines were lost\n"));
    assert_non_null(strstr(heard, "second: 9"));
    assert_string_equal(slurp(path), "one\ntwo\n");
}

static sem_t asked, allowed;

/* One who has the rights, and takes its time. */
static int append_slowly(const char *path)
{
    if (strstr(path, "guarded") != NULL) {
        sem_post(&asked);
        while (sem_wait(&allowed) != 0)
            ;
    }
    errno = EACCES;
    return -1;
}

static void waits_for_no_disk(void **state)
{
    static const weir_rights_t slow = {.append = append_slowly};
    const uid_t self = geteuid();
    char got[16] = "";
    int reader;

    assert_int_equal(mkdir(scratch_path("guarded"), 0700), 0);
    weir_access_log_t *rotated = weir_access_log_open(scratch_path("guarded/log")), *pipe = open_stuck("beside");
    sem_init(&asked, 0, 0);
    sem_init(&allowed, 0, 0);
    weir_rights_by(&slow);
    weir_access_log_start();
    assert_int_equal(chmod(scratch_path("guarded"), 0), 0);
    assert_int_equal(seteuid(self == 0 ? 65534 : self), 0); /* who may not open it any more, and asks */
    weir_access_log_reopen_all();
    sem_wait(&asked);
    write_line(rotated, "rotated\n");
    write_line(pipe, "kept\n");
    assert_int_equal(seteuid(self), 0);
    weir_access_log_close(weir_access_log_open(scratch_path("beside-new"))); /* as a reload does */
    reader = open(scratch_path("beside"), O_RDONLY);
    assert_int_equal(read(reader, got, sizeof(got)), 5);
    close(reader);
    sem_post(&allowed);
    weir_access_log_stop(1000);
    weir_rights_by(NULL);
    assert_int_equal(chmod(scratch_path("guarded"), 0700), 0);
    assert_string_equal(slurp(scratch_path("guarded/log")), "rotated\n"); /* the file that was open */
}

static void opens_anew_without_waiting(void **state)
{
    weir_access_log_t *log = open_stuck("anew");
    const char *path = scratch_path("anew");
    char got[16] = "";
    int reader;

    weir_access_log_start();
    weir_access_log_reopen_all();
    write_line(log, "kept\n");
    reader = open(path, O_RDONLY);
    assert_int_equal(read(reader, got, sizeof(got)), 5);
    assert_string_equal(got, "kept\n");
    close(reader);
    weir_access_log_stop(1000);
}

/* What was stuck in a pipe goes on where the rotated file is. */
static void goes_on_behind_a_rotation(void **state)
{
    weir_access_log_t *log = open_stuck("rotated");
    const char *path = scratch_path("rotated");
    struct stat what;

    weir_access_log_start();
    fill(log, 1000);
    pause_ms(50);
    assert_int_equal(unlink(path), 0);
    weir_access_log_reopen_all();
    weir_access_log_stop(5000);
    assert_int_equal(stat(path, &what), 0);
    assert_in_range(what.st_size, 900 * 1000, 999 * 1000); /* all but what is in the pipe */
}

static void closed_ones_are_given_up(void **state)
{
    weir_access_log_t *log = open_stuck("closed");
    const char *path = scratch_path("closed");

    begin_hearing();
    weir_access_log_start();
    fill(log, 200);
    weir_access_log_close(log);
    for (int i = 0; i < 800 && lseek(heard_file, 0, SEEK_END) == 0; i++)
        pause_ms(10);
    log = weir_access_log_open(path);
    pause_ms(50);
    weir_access_log_stop(1000);
    assert_non_null(strstr(end_hearing(), "closed: nobody reads it; lines are lost\n"));
}

static void adopts_a_pipe(void **state)
{
    char got[16] = "";
    weir_access_log_t *log;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log = weir_access_log_adopt(ends[1], "| command");
    write_line(log, "one\n");
    weir_access_log_start();
    weir_access_log_close(log);
    assert_int_equal(read(ends[0], got, sizeof(got)), 4);
    assert_string_equal(got, "one\n");
    assert_int_equal(read(ends[0], got, sizeof(got)), 0);
    close(ends[0]);
    weir_access_log_stop(1000);
}

static void names_of_what_is_open(void **state)
{
    assert_int_equal(weir_log_standard("-"), 1);
    assert_int_equal(weir_log_standard("/dev/stdout"), 1);
    assert_int_equal(weir_log_standard("/proc/self/fd/2"), 2);
    assert_int_equal(weir_log_standard("stdout"), -1);
    assert_ptr_equal(weir_access_log_open("-"), weir_access_log_open("/dev/stdout"));
    weir_access_log_stop(100);
}

/* As systemd's journal gives it: it cannot be opened by any name. */
static void writes_to_a_socket(void **state)
{
    const int before = dup(STDOUT_FILENO);
    char got[16] = "";
    int ends[2];

    fflush(stdout);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    write_line(weir_access_log_open("/dev/stdout"), "one\n");
    weir_access_log_start();
    weir_access_log_stop(1000);
    dup2(before, STDOUT_FILENO);
    close(before);
    assert_int_equal(recv(ends[0], got, sizeof(got), 0), 4);
    assert_string_equal(got, "one\n");
    close(ends[0]);
    close(ends[1]);
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
        cmocka_unit_test(the_count_has_the_time_as_well),
        cmocka_unit_test(stops_in_time_without_reader),
        cmocka_unit_test(keeps_the_order_of_each_thread),
        cmocka_unit_test(counts_what_cannot_be_written),
        cmocka_unit_test(costs_no_other_log_a_line),
        cmocka_unit_test(waits_for_no_disk),
        cmocka_unit_test(opens_anew_without_waiting),
        cmocka_unit_test(goes_on_behind_a_rotation),
        cmocka_unit_test(closed_ones_are_given_up),
        cmocka_unit_test(adopts_a_pipe),
        cmocka_unit_test(names_of_what_is_open),
        cmocka_unit_test(writes_to_a_socket),
        cmocka_unit_test(stops_without_start),
    };

    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
