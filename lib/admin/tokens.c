/* SPDX-License-Identifier: MIT */
#include "lib/admin/tokens.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"

enum { MOST = 64, LEAST_BYTES = 16, TOKEN_BYTES = 256, FILE_BYTES = 32768, LOOK_US = 1000000 };

typedef struct token {
    char name[ADMIN_TOKEN_NAME_BYTES];
    char text[TOKEN_BYTES]; /* zeros behind it */
} token_t;

struct admin_tokens {
    char *path;
    struct stat file; /* as it was when it was read, or tried */
    uint64_t looked_at_us;
    size_t count;
    token_t at[MOST];
};

typedef struct reading {
    admin_tokens_t *into;
    unsigned line;
    char *problem;
    size_t bytes;
} reading_t;

static bool wrong(const reading_t *it, const char *what)
{
    if (it->line == 0)
        snprintf(it->problem, it->bytes, "%s: %s", it->into->path, what);
    else
        snprintf(it->problem, it->bytes, "%s:%u: %s", it->into->path, it->line, what);
    return false;
}

/* ---- reading ---- */

static bool is_made_of(const char *text, size_t length, const char *more)
{
    size_t i = 0;

    while (i < length && (isalnum((unsigned char)text[i]) || strchr(more, text[i]) != NULL))
        i++;
    return i == length;
}

/* `line` is its own, without the newline. */
static bool read_line(const reading_t *it, char *line)
{
    admin_tokens_t *into = it->into;
    token_t *token = &into->at[into->count];
    char *text = line + strspn(line, " \t"), *colon = strchr(text, ':');
    const size_t name_bytes = colon == NULL ? 0 : (size_t)(colon - text);

    if (*text == '\0' || *text == '#')
        return true;
    if (into->count == MOST)
        return wrong(it, "there are more than 64 tokens");
    if (colon != NULL && (name_bytes == 0 || name_bytes >= sizeof(token->name) || !is_made_of(text, name_bytes, "-._@")))
        return wrong(it, "the name of a token is a word of at most 63 letters, digits and -._@");
    *token = (token_t){.name = ""};
    if (colon == NULL)
        snprintf(token->name, sizeof(token->name), "token of line %u", it->line);
    else
        memcpy(token->name, text, name_bytes);
    text = colon == NULL ? text : colon + 1 + strspn(colon + 1, " \t");
    const size_t length = strcspn(text, " \t\r");
    if (length < LEAST_BYTES || length >= TOKEN_BYTES || !is_made_of(text, length, "-._~+/=") ||
        text[length + strspn(text + length, " \t\r")] != '\0')
        return wrong(it, "a token has 16 to 255 characters: letters, digits and -._~+/=");
    memcpy(token->text, text, length);
    into->count++;
    return true;
}

static bool read_text(reading_t *it, char *text)
{
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        it->line++;
        if (!read_line(it, line))
            return false;
    }
    it->line = 0;
    return it->into->count > 0 || wrong(it, "there is no token in it");
}

static bool read_file(reading_t *it, int fd)
{
    char text[FILE_BYTES + 1];
    size_t length = 0;
    ssize_t count = 1;

    if (fstat(fd, &it->into->file) != 0 || !S_ISREG(it->into->file.st_mode))
        return wrong(it, "this is no file");
    if ((it->into->file.st_mode & S_IRWXO) != 0)
        return wrong(it, "others than its owner and its group may open it: chmod o= would change that");
    while (count > 0 && length < FILE_BYTES) {
        count = read(fd, text + length, FILE_BYTES - length);
        length += count > 0 ? (size_t)count : 0;
    }
    text[length] = '\0';
    const bool is_fine = count == -1            ? wrong(it, strerror(errno))
                         : length == FILE_BYTES ? wrong(it, "it is larger than 32 KiB")
                                                : read_text(it, text);
    explicit_bzero(text, sizeof(text));
    return is_fine;
}

/* Into a new one; NULL: see `problem`, and *out_file says which file that was. */
static admin_tokens_t *load(const char *path, struct stat *out_file, char *problem, size_t bytes)
{
    admin_tokens_t *tokens = calloc(1, sizeof(*tokens));
    reading_t it = {tokens, 0, problem, bytes};

    WEIR_MUST(tokens != NULL);
    tokens->path = strdup(path);
    const int fd = weir_rights_read(path);
    const bool is_fine = fd == -1 ? wrong(&it, strerror(errno)) : read_file(&it, fd);
    if (fd != -1)
        close(fd);
    *out_file = tokens->file;
    if (!is_fine)
        admin_tokens_close(&tokens);
    return tokens;
}

admin_tokens_t *admin_tokens_open(const char *path, char *problem, size_t bytes)
{
    struct stat file;

    return load(path, &file, problem, bytes);
}

void admin_tokens_close(admin_tokens_t **slot)
{
    admin_tokens_t *tokens = *slot;

    *slot = NULL;
    if (tokens == NULL)
        return;
    free(tokens->path);
    explicit_bzero(tokens, sizeof(*tokens));
    free(tokens);
}

/* ---- looking ---- */

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_ino == other->st_ino && one->st_dev == other->st_dev && one->st_size == other->st_size &&
           one->st_mode == other->st_mode && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
           one->st_mtim.tv_nsec == other->st_mtim.tv_nsec && one->st_ctim.tv_sec == other->st_ctim.tv_sec &&
           one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

static bool has_changed(const admin_tokens_t *tokens)
{
    struct stat now = {0};
    const int fd = weir_rights_read(tokens->path);

    if (fd == -1)
        return tokens->file.st_ino != 0; /* it is gone: told once */
    const bool is_known = fstat(fd, &now) == 0 && is_same(&now, &tokens->file);
    close(fd);
    return !is_known;
}

static void look_again(admin_tokens_t *tokens, uint64_t now_us)
{
    char problem[512];
    struct stat file;

    if (now_us - tokens->looked_at_us < LOOK_US)
        return;
    tokens->looked_at_us = now_us;
    if (!has_changed(tokens))
        return;
    admin_tokens_t *fresh = load(tokens->path, &file, problem, sizeof(problem));
    tokens->file = file;
    if (fresh == NULL) {
        weir_log("weir.admin: %s; the tokens that were known stay", problem);
        return;
    }
    memcpy(tokens->at, fresh->at, sizeof(tokens->at));
    tokens->count = fresh->count;
    admin_tokens_close(&fresh);
    weir_log("weir.admin: %s: %zu tokens are known now", tokens->path, tokens->count);
}

/* How long it takes says nothing of where they differ. */
static bool is_equal(const char one[static TOKEN_BYTES], const char other[static TOKEN_BYTES])
{
    volatile unsigned char difference = 0;

    for (size_t i = 0; i < TOKEN_BYTES; i++)
        difference |= (unsigned char)(one[i] ^ other[i]);
    return difference == 0;
}

const char *admin_tokens_find(admin_tokens_t *tokens, weir_span_t given, uint64_t now_us)
{
    char padded[TOKEN_BYTES] = {0};
    const char *name = NULL;

    look_again(tokens, now_us);
    if (given.len == 0 || given.len >= TOKEN_BYTES || memchr(given.base, '\0', given.len) != NULL)
        return NULL;
    memcpy(padded, given.base, given.len);
    for (size_t i = 0; i < tokens->count; i++)
        if (is_equal(padded, tokens->at[i].text))
            name = tokens->at[i].name;
    explicit_bzero(padded, sizeof(padded));
    return name;
}
