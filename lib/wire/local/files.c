/* SPDX-License-Identifier: MIT */
/*
 * From a request to a file:
 *
 *   path ─► name below the root ─► open ─┬► a file: files_reply.c
 *                                        ├► a script, or a file with more of the path behind it: scripts->run()
 *                                        ├► a directory: its index, its listing, or "/" behind its name
 *                                        └► nothing: the next handler
 */
#include "lib/wire/local/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/span.h"
#include "lib/wire/local/files_private.h"
#include "lib/wire/local/takes.h"

enum { SUFFIX_ROOM = 4 }; /* ".gz" and its NUL */

typedef struct files_dir {
    h2o_handler_t super;
    h2o_iovec_t mount, root; /* each ends with "/" */
    h2o_mimemap_t *mimemap;
    weir_files_options_t options;
} files_dir_t;

typedef struct files_file {
    h2o_handler_t super;
    h2o_iovec_t name;
    h2o_mimemap_t *mimemap;
    weir_files_options_t options;
} files_file_t;

/* ---- opening ---- */

static void close_file(void *memory)
{
    weir_file_t *file = memory;

    if (file->fd != -1)
        close(file->fd);
}

static weir_file_found_t found_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return WEIR_FILE_MISSING;
    case EMFILE:
    case ENFILE:
    case EWOULDBLOCK:
    case ENOMEM:
        return WEIR_FILE_BUSY;
    default:
        return WEIR_FILE_FORBIDDEN;
    }
}

static weir_file_found_t found_of_mode(mode_t mode)
{
    if (S_ISDIR(mode))
        return WEIR_FILE_DIRECTORY;
    return S_ISREG(mode) ? WEIR_FILE_OPEN : WEIR_FILE_FORBIDDEN;
}

/*
 * Looks before it opens, for opening alone does something to a pipe or a device; and does not block if it has become one
 * meanwhile.
 */
static weir_file_found_t open_one(const char *name, weir_file_t *file)
{
    if (stat(name, &file->stat) != 0)
        return found_of(errno);
    if (found_of_mode(file->stat.st_mode) != WEIR_FILE_OPEN)
        return found_of_mode(file->stat.st_mode);
    file->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd == -1)
        return found_of(errno);
    if (fstat(file->fd, &file->stat) == 0 && found_of_mode(file->stat.st_mode) == WEIR_FILE_OPEN)
        return WEIR_FILE_OPEN;
    close(file->fd);
    file->fd = -1;
    return WEIR_FILE_FORBIDDEN;
}

static bool open_variant(char *name, size_t len, const char *suffix, weir_file_t *file)
{
    memcpy(name + len, suffix, strlen(suffix) + 1);
    const bool is_open = open_one(name, file) == WEIR_FILE_OPEN;
    name[len] = '\0';
    return is_open;
}

/* `name` ends at `len` and has SUFFIX_ROOM bytes more. */
static weir_file_found_t open_best(h2o_req_t *req, const weir_files_options_t *options, char *name, size_t len,
                                   weir_file_t *file)
{
    weir_file_found_t found;

    file->name = name;
    if (options->has_compressed && weir_request_takes(req, WEIR_SPAN("br")) && open_variant(name, len, ".br", file)) {
        file->encoding = "br";
        return WEIR_FILE_OPEN;
    }
    if (options->has_compressed && weir_request_takes(req, WEIR_SPAN("gzip")) && open_variant(name, len, ".gz", file)) {
        file->encoding = "gzip";
        return WEIR_FILE_OPEN;
    }
    found = open_one(name, file);
    if (found != WEIR_FILE_MISSING || !options->has_gunzip || !open_variant(name, len, ".gz", file))
        return found;
    file->is_gunzipped = true;
    return WEIR_FILE_OPEN;
}

static weir_file_t *new_file(h2o_req_t *req, const weir_files_options_t *options)
{
    weir_file_t *file = h2o_mem_alloc_shared(&req->pool, sizeof(*file), close_file);

    memset(file, 0, sizeof(*file));
    file->fd = -1;
    file->has_etag = options->has_etag;
    file->has_vary = options->has_compressed;
    return file;
}

static void reply(h2o_req_t *req, weir_file_t *file, h2o_mimemap_t *mimemap)
{
    weir_file_reply(req, file, h2o_mimemap_get_type_by_extension(mimemap, h2o_get_filext(file->name, strlen(file->name))));
}

/* ---- what is no file ---- */

static int send_problem(h2o_req_t *req, weir_file_found_t found)
{
    if (found == WEIR_FILE_MISSING)
        return -1; /* the next handler's */
    if (found == WEIR_FILE_BUSY)
        h2o_send_error_503(req, "Service Unavailable", "please try again later", 0);
    else
        h2o_send_error_403(req, "Access Forbidden", "access forbidden", 0);
    return 0;
}

/* To `path` with one slash at its front: two would be the name of a host (RFC 3986 §4.2). */
static int redirect_to(h2o_req_t *req, h2o_iovec_t path, const char *tail)
{
    while (path.len > 1 && path.base[1] == '/') {
        path.base++;
        path.len--;
    }
    h2o_iovec_t query = {NULL, 0};
    if (req->query_at != SIZE_MAX)
        query = h2o_iovec_init(req->path.base + req->query_at, req->path.len - req->query_at);
    path = h2o_uri_escape(&req->pool, path.base, path.len, "/");
    path = h2o_concat(&req->pool, path, h2o_iovec_init(tail, strlen(tail)), query);
    h2o_send_redirect(req, 301, "Moved Permanently", path.base, path.len);
    return 0;
}

bool weir_files_refuse_method(h2o_req_t *req)
{
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
        h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")))
        return false;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_ALLOW, NULL, H2O_STRLIT("GET, HEAD"));
    h2o_send_error_405(req, "Method Not Allowed", "method not allowed", H2O_SEND_ERROR_KEEP_HEADERS);
    return true;
}

/* ---- what is run in place of being sent ---- */

/* Which kind of script `name` is, if any. */
static const weir_files_script_t *script_of(const weir_files_options_t *options, weir_span_t name)
{
    const weir_files_script_t *script = options->scripts != NULL ? options->scripts->first : NULL;

    for (; script != NULL; script = script->next) {
        const size_t length = strlen(script->extension);
        const size_t at = name.len > length ? name.len - length : 0;
        if (at > 0 && name.base[at - 1] != '/' && strncasecmp(name.base + at, script->extension, length) == 0)
            return script;
    }
    return NULL;
}

static bool is_regular(const char *name)
{
    struct stat found;

    return stat(name, &found) == 0 && S_ISREG(found.st_mode);
}

/* Runs `file` if it is a script that is there. */
static bool run_if_script(const weir_files_options_t *options, h2o_req_t *req, weir_span_t file, weir_span_t name)
{
    const weir_files_script_t *script = script_of(options, file);

    if (script == NULL || !is_regular(file.base))
        return false;
    (void)options->scripts->run(script->plan, req, file, name, (weir_span_t){NULL, 0});
    return true;
}

/* Nothing has this name, but the beginning of it may be a script, which gets the rest. The first file on the way counts. */
static int run_above(const files_dir_t *self, h2o_req_t *req, char *name, size_t len)
{
    const weir_files_script_t *script;
    struct stat found = {0};
    size_t at = self->root.len;

    for (; self->options.scripts != NULL && at < len; at++) {
        if (name[at] != '/')
            continue;
        name[at] = '\0';
        const bool is_there = stat(name, &found) == 0;
        name[at] = '/';
        if (!is_there)
            return -1;
        if (!S_ISDIR(found.st_mode))
            break;
    }
    script = script_of(&self->options, (weir_span_t){name, at});
    if (at >= len || script == NULL || !S_ISREG(found.st_mode))
        return -1;
    const size_t path_bytes = self->mount.len + at - self->root.len;
    return self->options.scripts->run(
        script->plan, req, (weir_span_t){name, at}, (weir_span_t){req->path_normalized.base, path_bytes},
        (weir_span_t){req->path_normalized.base + path_bytes, req->path_normalized.len - path_bytes});
}

/* ---- directories ---- */

/* libh2o has taken ".." out of the path; what it may have missed must not lead out of the root. */
static bool may_be_a_name(h2o_iovec_t below, size_t root_len)
{
    if (memchr(below.base, '\0', below.len) != NULL || root_len + below.len + NAME_MAX + SUFFIX_ROOM > PATH_MAX)
        return false;
    for (size_t i = 0; i < below.len; i++) {
        const bool begins = i == 0 || below.base[i - 1] == '/';
        const bool is_up = begins && i + 1 < below.len && below.base[i] == '.' && below.base[i + 1] == '.';
        if (is_up && (i + 2 == below.len || below.base[i + 2] == '/'))
            return false;
    }
    return true;
}

static bool run_if_index(const files_dir_t *self, h2o_req_t *req, weir_span_t file, const char *index)
{
    if (script_of(&self->options, file) == NULL)
        return false;
    const h2o_iovec_t path = h2o_concat(&req->pool, req->path_normalized, h2o_iovec_init(index, strlen(index)));
    return run_if_script(&self->options, req, file, (weir_span_t){path.base, path.len});
}

static int serve_directory(files_dir_t *self, h2o_req_t *req, char *name, size_t len)
{
    weir_file_t *file = new_file(req, &self->options);

    for (const char *const *index = self->options.index; *index != NULL; index++) {
        const size_t index_len = strlen(*index);
        if (index_len > NAME_MAX)
            continue;
        memcpy(name + len, *index, index_len + 1);
        if (run_if_index(self, req, (weir_span_t){name, len + index_len}, *index))
            return 0;
        const weir_file_found_t found = open_best(req, &self->options, name, len + index_len, file);
        if (found == WEIR_FILE_OPEN) {
            reply(req, file, self->mimemap);
            return 0;
        }
        if (found != WEIR_FILE_MISSING && found != WEIR_FILE_DIRECTORY)
            return send_problem(req, found);
    }
    name[len] = '\0';
    if (!self->options.has_listing ||
        found_of_mode(stat(name, &file->stat) == 0 ? file->stat.st_mode : 0) != WEIR_FILE_DIRECTORY)
        return -1;
    if (weir_files_refuse_method(req) || weir_files_list(req, name))
        return 0;
    return send_problem(req, WEIR_FILE_FORBIDDEN);
}

static int serve_name(files_dir_t *self, h2o_req_t *req, char *name, size_t len)
{
    weir_file_t *file = new_file(req, &self->options);
    const h2o_iovec_t path = req->path_normalized;

    if (run_if_script(&self->options, req, (weir_span_t){name, len}, (weir_span_t){path.base, path.len}))
        return 0;
    const weir_file_found_t found = open_best(req, &self->options, name, len, file);
    if (found == WEIR_FILE_DIRECTORY)
        return redirect_to(req, path, "/");
    if (found != WEIR_FILE_OPEN)
        return send_problem(req, found);
    reply(req, file, self->mimemap);
    return 0;
}

static int on_dir(h2o_handler_t *super, h2o_req_t *req)
{
    files_dir_t *self = (files_dir_t *)(void *)super;

    if (req->path_normalized.len < self->mount.len)
        return redirect_to(req, self->mount, "");
    const h2o_iovec_t below =
        h2o_iovec_init(req->path_normalized.base + self->mount.len, req->path_normalized.len - self->mount.len);
    if (!may_be_a_name(below, self->root.len))
        return -1;
    const size_t len = self->root.len + below.len;
    char *name = h2o_mem_alloc_pool(&req->pool, len + NAME_MAX + SUFFIX_ROOM);
    memcpy(name, self->root.base, self->root.len);
    memcpy(name + self->root.len, below.base, below.len);
    name[len] = '\0';
    const int result = name[len - 1] == '/' ? serve_directory(self, req, name, len) : serve_name(self, req, name, len);
    return result == -1 ? run_above(self, req, name, len) : result;
}

/* ---- a file by its name ---- */

static int on_file(h2o_handler_t *super, h2o_req_t *req)
{
    files_file_t *self = (files_file_t *)(void *)super;
    char *name = h2o_mem_alloc_pool(&req->pool, self->name.len + SUFFIX_ROOM);
    weir_file_t *file = new_file(req, &self->options);

    memcpy(name, self->name.base, self->name.len + 1);
    if (run_if_script(&self->options, req, (weir_span_t){name, self->name.len},
                      (weir_span_t){req->path_normalized.base, req->path_normalized.len}))
        return 0;
    const weir_file_found_t found = open_best(req, &self->options, name, self->name.len, file);
    if (found != WEIR_FILE_OPEN)
        return send_problem(req, found);
    reply(req, file, self->mimemap);
    return 0;
}

/* ---- life ---- */

static h2o_iovec_t with_slash(const char *text, size_t len)
{
    h2o_iovec_t copy = h2o_iovec_init(h2o_mem_alloc(len + 2), len);

    memcpy(copy.base, text, len);
    if (len == 0 || text[len - 1] != '/')
        copy.base[copy.len++] = '/';
    copy.base[copy.len] = '\0';
    return copy;
}

static void dispose_dir(h2o_handler_t *super)
{
    files_dir_t *self = (files_dir_t *)(void *)super;

    free(self->mount.base);
    free(self->root.base);
    h2o_mem_release_shared(self->mimemap);
}

static void dispose_file(h2o_handler_t *super)
{
    files_file_t *self = (files_file_t *)(void *)super;

    free(self->name.base);
    h2o_mem_release_shared(self->mimemap);
}

void weir_files_register_dir(h2o_pathconf_t *path, const char *root, const weir_files_options_t *options,
                             h2o_mimemap_t *mimemap)
{
    files_dir_t *self = (files_dir_t *)(void *)h2o_create_handler(path, sizeof(*self));

    self->super.on_req = on_dir;
    self->super.dispose = dispose_dir;
    self->mount = with_slash(path->path.base, path->path.len);
    self->root = with_slash(root, strlen(root));
    self->mimemap = mimemap;
    h2o_mem_addref_shared(mimemap);
    self->options = *options;
}

void weir_files_register_file(h2o_pathconf_t *path, const char *name, const weir_files_options_t *options,
                              h2o_mimemap_t *mimemap)
{
    files_file_t *self = (files_file_t *)(void *)h2o_create_handler(path, sizeof(*self));

    self->super.on_req = on_file;
    self->super.dispose = dispose_file;
    self->name = h2o_strdup(NULL, name, SIZE_MAX);
    self->mimemap = mimemap;
    h2o_mem_addref_shared(mimemap);
    self->options = *options;
}
