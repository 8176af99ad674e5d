/* SPDX-License-Identifier: MIT */
#include "affinity_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "weir_span.h"

enum { MODE_MOST = 0640, NUMBER_MOST = 255, TIME_BYTES = 20, TM_YEAR_0 = 1900, EPOCH_YEAR = 1970 };

/* ---- keys ---- */

static void fill(uint8_t *at, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t got = getrandom(at, bytes, 0);

        if (got < 0 && errno != EINTR)
            abort(); /* keys that can be guessed are worse than none */
        if (got > 0) {
            at += got;
            bytes -= (size_t)got;
        }
    }
}

void kit_keys_make(kit_keys_t *out)
{
    *out = (kit_keys_t){.count = 1};
    fill(out->id_key, KIT_KEY_BYTES);
    fill(out->at[0].key, KIT_KEY_BYTES);
}

static bool is_good(const kit_key_t *key, uint64_t now_s)
{
    return key->not_after_s == 0 || now_s <= key->not_after_s;
}

const kit_key_t *kit_keys_find(const kit_keys_t *keys, uint8_t number, uint64_t now_s)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->at[i].number == number)
            return is_good(&keys->at[i], now_s) ? &keys->at[i] : NULL;
    return NULL;
}

const kit_key_t *kit_keys_signer(const kit_keys_t *keys, uint64_t now_s)
{
    for (size_t i = 0; i < keys->count; i++)
        if (is_good(&keys->at[i], now_s))
            return &keys->at[i];
    return NULL;
}

void kit_keys_wipe(kit_keys_t *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}

/* ---- reading ---- */

typedef struct reading {
    const char *path;
    char *problem;
    size_t problem_bytes, line;
    kit_keys_t *keys;
    bool has_id;
} reading_t;

/* Never with anything of the file in it: what looks wrong may be a key. */
static bool __attribute__((format(printf, 2, 3))) wrong(reading_t *reading, const char *format, ...)
{
    char place[24] = "", text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (reading->line > 0)
        snprintf(place, sizeof(place), "%zu:", reading->line);
    snprintf(reading->problem, reading->problem_bytes, "%s:%s %s", reading->path, place, text);
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the next word off; empty if there is none. */
static weir_span_t next_word(weir_span_t *rest)
{
    weir_span_t word;

    while (rest->len > 0 && is_blank(rest->base[0]))
        *rest = (weir_span_t){rest->base + 1, rest->len - 1};
    word = (weir_span_t){rest->base, 0};
    while (word.len < rest->len && !is_blank(rest->base[word.len]))
        word.len++;
    *rest = (weir_span_t){rest->base + word.len, rest->len - word.len};
    return word;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_key(reading_t *reading, weir_span_t word, uint8_t out[KIT_KEY_BYTES])
{
    bool is_right = word.len == 2 * (size_t)KIT_KEY_BYTES;

    for (size_t i = 0; is_right && i < KIT_KEY_BYTES; i++) {
        const int high = hex_of(word.base[2 * i]), low = hex_of(word.base[2 * i + 1]);

        is_right = high >= 0 && low >= 0;
        if (is_right)
            out[i] = (uint8_t)(high << 4 | low);
    }
    return is_right || wrong(reading, "a key is 64 hexadecimal digits, 32 random bytes");
}

/* Two or four digits; -1: something else stands there. */
static int digits_at(const char *at, size_t count)
{
    int number = 0;

    for (size_t i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* "2027-01-31T00:00:00Z", of a day and an hour that exist: of others the calendar makes another month, another hour. */
static bool read_time(weir_span_t word, uint64_t *out_s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    struct tm wanted = {0}, got;
    time_t at;

    if (word.len != TIME_BYTES)
        return false;
    for (size_t i = 0; i < TIME_BYTES; i++)
        if (form[i] == 'd' ? digits_at(word.base + i, 1) < 0 : word.base[i] != form[i])
            return false;
    wanted.tm_year = digits_at(word.base, 4) - TM_YEAR_0;
    wanted.tm_mon = digits_at(word.base + 5, 2) - 1;
    wanted.tm_mday = digits_at(word.base + 8, 2);
    wanted.tm_hour = digits_at(word.base + 11, 2);
    wanted.tm_min = digits_at(word.base + 14, 2);
    wanted.tm_sec = digits_at(word.base + 17, 2);
    got = wanted;
    at = timegm(&got);
    *out_s = (uint64_t)at;
    return at > 0 && wanted.tm_year >= EPOCH_YEAR - TM_YEAR_0 && got.tm_mon == wanted.tm_mon && got.tm_hour == wanted.tm_hour &&
           got.tm_min == wanted.tm_min && got.tm_sec == wanted.tm_sec;
}

static bool has_number(const kit_keys_t *keys, uint64_t number)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->at[i].number == number)
            return true;
    return false;
}

static bool read_numbered(reading_t *reading, weir_span_t first, weir_span_t rest)
{
    kit_keys_t *keys = reading->keys;
    kit_key_t *key;
    weir_span_t end;
    uint64_t number;

    if (first.len > 3 || !weir_span_to_number(first, &number) || number > NUMBER_MOST)
        return wrong(reading, "a line begins with `id` or with the number of its key, 0 to 255");
    if (has_number(keys, number))
        return wrong(reading, "the key number %u stands there already", (unsigned)number);
    if (keys->count == KIT_KEYS_MOST)
        return wrong(reading, "there are more than %d keys", KIT_KEYS_MOST);
    key = &keys->at[keys->count];
    key->number = (uint8_t)number;
    if (!read_key(reading, next_word(&rest), key->key))
        return false;
    end = next_word(&rest);
    if (end.len > 0 && !read_time(end, &key->not_after_s))
        return wrong(reading, "behind a key stands nothing or the time it ends at, as 2027-01-31T00:00:00Z");
    if (next_word(&rest).len > 0)
        return wrong(reading, "behind the time a key ends at stands nothing else");
    keys->count++;
    return true;
}

static bool read_id(reading_t *reading, weir_span_t rest)
{
    if (reading->has_id)
        return wrong(reading, "`id` stands there already; there is one for ever");
    reading->has_id = true;
    if (!read_key(reading, next_word(&rest), reading->keys->id_key))
        return false;
    return next_word(&rest).len == 0 || wrong(reading, "behind the key of `id` stands nothing else");
}

static bool read_line(reading_t *reading, weir_span_t line)
{
    const char *comment = memchr(line.base, '#', line.len);
    weir_span_t first;

    if (comment != NULL)
        line.len = (size_t)(comment - line.base);
    first = next_word(&line);
    if (first.len == 0)
        return true;
    return weir_span_is(first, "id") ? read_id(reading, line) : read_numbered(reading, first, line);
}

static bool read_lines(reading_t *reading, const char *at, size_t length)
{
    while (length > 0) {
        const char *end = memchr(at, '\n', length);
        const weir_span_t line = {at, end == NULL ? length : (size_t)(end - at)};

        reading->line++;
        if (!read_line(reading, line))
            return false;
        at += line.len + (end != NULL);
        length -= line.len + (end != NULL);
    }
    reading->line = 0;
    if (!reading->has_id)
        return wrong(reading, "there is no line `id` with the key of member ids");
    return reading->keys->count > 0 || wrong(reading, "there is no key with a number");
}

/* ---- the file ---- */

static bool check_file(reading_t *reading, int fd)
{
    struct stat stat;

    if (fstat(fd, &stat) != 0)
        return wrong(reading, "cannot be looked at: %s", strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return wrong(reading, "is not a regular file");
    if ((stat.st_mode & 07777 & ~(mode_t)MODE_MOST) != 0)
        return wrong(reading, "has mode %04o; whoever reads it can forge cookies: make it 0600 or 0640",
                     (unsigned)(stat.st_mode & 07777));
    return true;
}

/* One byte more than there may be, so that a file that is too long is seen. */
static bool read_bytes(reading_t *reading, int fd, char *buffer, size_t *out_length)
{
    size_t length = 0;
    ssize_t got = 1;

    while (got != 0 && length <= KIT_KEY_FILE_BYTES) {
        got = read(fd, buffer + length, KIT_KEY_FILE_BYTES + 1 - length);
        if (got < 0 && errno != EINTR)
            return wrong(reading, "cannot be read: %s", strerror(errno));
        length += got > 0 ? (size_t)got : 0;
    }
    *out_length = length;
    return length <= KIT_KEY_FILE_BYTES || wrong(reading, "is longer than %d bytes", KIT_KEY_FILE_BYTES);
}

static bool read_file(reading_t *reading, int fd)
{
    char *buffer;
    size_t length = 0;
    bool is_read;

    if (!check_file(reading, fd))
        return false;
    buffer = kit_alloc(KIT_KEY_FILE_BYTES + 1, 1);
    is_read = read_bytes(reading, fd, buffer, &length) && read_lines(reading, buffer, length);
    explicit_bzero(buffer, KIT_KEY_FILE_BYTES + 1);
    free(buffer);
    return is_read;
}

bool kit_keys_read(const char *path, kit_keys_t *out, char *problem, size_t problem_bytes)
{
    reading_t reading = {.path = path, .problem = problem, .problem_bytes = problem_bytes, .keys = out};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not make us wait */
    bool is_read;

    kit_keys_wipe(out);
    if (fd < 0)
        return wrong(&reading, "cannot be opened: %s", strerror(errno));
    is_read = read_file(&reading, fd);
    close(fd);
    if (!is_read)
        kit_keys_wipe(out);
    return is_read;
}

/* ---- writing ---- */

enum { LINE_BYTES = 2 * KIT_KEY_BYTES + 32, TEXT_BYTES = (KIT_KEYS_MOST + 1) * LINE_BYTES, PATH_BYTES = 4096 };

static size_t add_key(char *at, const char *word, const uint8_t key[KIT_KEY_BYTES], uint64_t not_after_s)
{
    const time_t ends_at = (time_t)not_after_s;
    size_t length = (size_t)sprintf(at, "%s ", word);
    struct tm utc;

    for (size_t i = 0; i < KIT_KEY_BYTES; i++)
        length += (size_t)sprintf(at + length, "%02x", key[i]);
    if (not_after_s != 0 && gmtime_r(&ends_at, &utc) != NULL)
        length += strftime(at + length, LINE_BYTES - length - 1, " %Y-%m-%dT%H:%M:%SZ", &utc);
    at[length++] = '\n';
    return length;
}

static size_t write_text(const kit_keys_t *keys, char out[TEXT_BYTES])
{
    size_t length = add_key(out, "id", keys->id_key, 0);

    for (size_t i = 0; i < keys->count; i++) {
        char number[4];

        snprintf(number, sizeof(number), "%u", keys->at[i].number);
        length += add_key(out + length, number, keys->at[i].key, keys->at[i].not_after_s);
    }
    return length;
}

static bool write_bytes(int fd, const char *at, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(fd, at, length);

        if (written < 0 && errno != EINTR)
            return false;
        at += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) == 0;
}

bool kit_keys_save(const char *path, const kit_keys_t *keys, char *problem, size_t problem_bytes)
{
    reading_t writing = {.path = path, .problem = problem, .problem_bytes = problem_bytes};
    char beside[PATH_BYTES], text[TEXT_BYTES];
    bool is_written = false;
    int fd, error;

    if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= PATH_BYTES)
        return wrong(&writing, "is too long a path");
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return wrong(&writing, "cannot be written: %s", strerror(errno));
    is_written = write_bytes(fd, text, write_text(keys, text)) && link(beside, path) == 0;
    error = errno;
    explicit_bzero(text, sizeof(text));
    close(fd);
    unlink(beside);
    return is_written || wrong(&writing, "cannot be written: %s", strerror(error));
}
