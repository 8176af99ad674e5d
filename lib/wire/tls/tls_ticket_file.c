/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_ticket_file.h"

#include <string.h>
#include <strings.h>

enum { NAME = 1, CIPHER = 2, HASH = 4, KEY = 8, NOT_BEFORE = 16, NOT_AFTER = 32, ALL = 63 };

typedef struct reader {
    weir_ticket_key_t *keys;
    size_t count;                                                    /* the present one included */
    unsigned seen;                                                   /* of the present one       */
    uint8_t both[WEIR_TICKET_CIPHER_BYTES + WEIR_TICKET_HASH_BYTES]; /* the present one's keys, until its cipher is known */
    size_t both_bytes;
} reader_t;

static weir_span_t trim(weir_span_t text)
{
    while (text.len > 0 &&
           (text.base[text.len - 1] == ' ' || text.base[text.len - 1] == '\r' || text.base[text.len - 1] == '\t'))
        text.len--;
    while (text.len > 0 && (text.base[0] == ' ' || text.base[0] == '\t')) {
        text.base++;
        text.len--;
    }
    return text;
}

static bool is(weir_span_t text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.base, word, text.len) == 0;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(weir_span_t text, uint8_t *out, size_t bytes)
{
    if (text.len != 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = digit_of(text.base[2 * i]), low = digit_of(text.base[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_seconds(weir_span_t text, uint64_t *out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9' || i == 19)
            return false;
        number = 10 * number + (uint64_t)(text.base[i] - '0');
    }
    *out = number;
    return text.len > 0;
}

/* Returns a sentence on failure. */
static const char *read_field(reader_t *reader, weir_span_t name, weir_span_t value)
{
    weir_ticket_key_t *key = &reader->keys[reader->count - 1];

    if (is(name, "name")) {
        reader->seen |= NAME;
        return read_hex(value, key->name, sizeof(key->name)) ? NULL : "a name has 32 hexadecimal digits";
    }
    if (is(name, "cipher")) {
        reader->seen |= CIPHER;
        key->is_aes_128 = is(value, "AES-128-CBC");
        return key->is_aes_128 || is(value, "AES-256-CBC") ? NULL : "the cipher must be AES-256-CBC or AES-128-CBC";
    }
    if (is(name, "hash")) {
        reader->seen |= HASH;
        key->is_sha1 = is(value, "SHA1");
        return key->is_sha1 || is(value, "SHA256") ? NULL : "the hash must be SHA256 or SHA1";
    }
    if (is(name, "key")) {
        reader->seen |= KEY;
        reader->both_bytes = value.len / 2;
        return value.len / 2 <= sizeof(reader->both) && read_hex(value, reader->both, value.len / 2)
                   ? NULL
                   : "a key has 192 hexadecimal digits, or 160 with AES-128-CBC";
    }
    reader->seen |= is(name, "not_before") ? NOT_BEFORE : is(name, "not_after") ? NOT_AFTER : 0u;
    if (is(name, "not_before"))
        return read_seconds(value, &key->not_before_s) ? NULL : "not_before is a number of seconds";
    if (is(name, "not_after"))
        return read_seconds(value, &key->not_after_s) ? NULL : "not_after is a number of seconds";
    return "unknown attribute";
}

/* The block of SHA-1 and of SHA-256 is what the hash gets. */
static const char *end_key(reader_t *reader)
{
    weir_ticket_key_t *key;
    size_t cipher_bytes;

    if (reader->count == 0)
        return NULL;
    if (reader->seen != ALL)
        return "a key needs name, cipher, hash, key, not_before and not_after; before this line one is incomplete";
    key = &reader->keys[reader->count - 1];
    cipher_bytes = key->is_aes_128 ? WEIR_TICKET_CIPHER_BYTES / 2 : WEIR_TICKET_CIPHER_BYTES;
    if (reader->both_bytes != cipher_bytes + WEIR_TICKET_HASH_BYTES)
        return "a key has 192 hexadecimal digits with AES-256-CBC, 160 with AES-128-CBC; before this line one has not";
    memcpy(key->cipher, reader->both, cipher_bytes);
    memcpy(key->hash, reader->both + cipher_bytes, sizeof(key->hash));
    return NULL;
}

static const char *read_line(reader_t *reader, weir_span_t line)
{
    bool begins = line.len > 0 && line.base[0] == '-' && !is(line, "---");

    line = trim(line);
    if (line.len == 0 || line.base[0] == '#' || is(line, "---"))
        return NULL;
    if (begins) {
        const char *problem = end_key(reader);
        if (problem != NULL)
            return problem;
        if (reader->count == WEIR_TICKET_KEYS_MAX)
            return "too many keys";
        reader->count++;
        reader->seen = 0;
        reader->keys[reader->count - 1] = (weir_ticket_key_t){0};
        line = trim((weir_span_t){line.base + 1, line.len - 1});
        if (line.len == 0)
            return NULL;
    }
    const char *colon = memchr(line.base, ':', line.len);
    if (reader->count == 0 || colon == NULL)
        return "this is no list of keys";
    weir_span_t name = {line.base, (size_t)(colon - line.base)};
    weir_span_t value = {colon + 1, line.len - name.len - 1};
    return read_field(reader, trim(name), trim(value));
}

size_t weir_ticket_file_read(weir_span_t text, weir_ticket_key_t keys[static WEIR_TICKET_KEYS_MAX], size_t *out_line,
                             const char **out_problem)
{
    reader_t reader = {.keys = keys};

    *out_problem = NULL;
    *out_line = 0;
    while (text.len > 0 && *out_problem == NULL) {
        const char *end = memchr(text.base, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.base) : text.len;
        ++*out_line;
        *out_problem = read_line(&reader, (weir_span_t){text.base, len});
        len += end != NULL;
        text = (weir_span_t){text.base + len, text.len - len};
    }
    if (*out_problem == NULL)
        *out_problem = reader.count == 0 ? "there is no key in it" : end_key(&reader);
    return *out_problem == NULL ? reader.count : 0;
}
