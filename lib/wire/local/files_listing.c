/* SPDX-License-Identifier: MIT */
/* The names in a directory, as a page. */
#include <dirent.h>
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/local/files_private.h"

enum { NAMES_MOST = 10000 }; /* a longer listing helps nobody, and would hold its loop */

typedef H2O_VECTOR(char *) names_t;

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns whether there are more. */
static bool read_names(h2o_mem_pool_t *pool, DIR *directory, names_t *names)
{
    const struct dirent *entry;

    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names->size == NAMES_MOST)
            return true;
        h2o_vector_reserve(pool, names, names->size + 1);
        names->entries[names->size++] = h2o_strdup(pool, entry->d_name, SIZE_MAX).base;
    }
    return false;
}

static void put(h2o_buffer_t **page, h2o_iovec_t text)
{
    const h2o_iovec_t room = h2o_buffer_reserve(page, text.len);

    WEIR_MUST(room.base != NULL);
    memcpy(room.base, text.base, text.len);
    (*page)->size += text.len;
}

static void put_text(h2o_buffer_t **page, const char *text)
{
    put(page, h2o_iovec_init(text, strlen(text)));
}

static h2o_buffer_t *make_page(h2o_req_t *req, names_t *names, bool has_more)
{
    const h2o_iovec_t path = h2o_htmlescape(&req->pool, req->path_normalized.base, req->path_normalized.len);
    h2o_buffer_t *page;

    h2o_buffer_init(&page, &h2o_socket_buffer_prototype);
    put_text(&page, "<!DOCTYPE html>\n<TITLE>Index of ");
    put(&page, path);
    put_text(&page, "</TITLE>\n<H2>Index of ");
    put(&page, path);
    put_text(&page, "</H2>\n<UL>\n<LI><A HREF=\"..\">Parent Directory</A>\n");
    for (size_t i = 0; i < names->size; i++) {
        const char *name = names->entries[i];
        put_text(&page, "<LI><A HREF=\"");
        h2o_iovec_t link = h2o_uri_escape(&req->pool, name, strlen(name), NULL);
        put(&page, h2o_htmlescape(&req->pool, link.base, link.len));
        put_text(&page, "\">");
        put(&page, h2o_htmlescape(&req->pool, name, strlen(name)));
        put_text(&page, "</A>\n");
    }
    put_text(&page, has_more ? "<LI>and more\n</UL>\n" : "</UL>\n");
    return page;
}

bool weir_files_list(h2o_req_t *req, const char *name)
{
    static h2o_generator_t generator = {NULL, NULL};
    DIR *directory = opendir(name);
    names_t names = {0};

    if (directory == NULL)
        return false;
    const bool has_more = read_names(&req->pool, directory, &names);
    closedir(directory);
    if (names.size > 1)
        qsort(names.entries, names.size, sizeof(names.entries[0]), compare);
    h2o_buffer_t *page = make_page(req, &names, has_more);
    h2o_buffer_link_to_pool(page, &req->pool);
    h2o_iovec_t body = h2o_iovec_init(page->bytes, page->size);
    const bool is_head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("text/html; charset=utf-8"));
    h2o_start_response(req, &generator);
    h2o_send(req, &body, is_head ? 0 : 1, H2O_SEND_STATE_FINAL);
    return true;
}
