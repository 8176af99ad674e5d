/* SPDX-License-Identifier: MIT */
#include "scripts.h"

#include "alloc.h"

enum { TEXT_BYTES = 4095 };

static weir_span_t copy_of(const char *text, size_t length)
{
    return (weir_span_t){kit_copy_bytes(text, length), length};
}

static bool read_root(const weir_config_t *node, weir_fastcgi_t *out)
{
    const char *text = weir_config_text(node);
    size_t length = text != NULL ? strlen(text) : 0;

    while (length > 0 && text[length - 1] == '/')
        length--;
    if (length == 0 || length > TEXT_BYTES || text[0] != '/')
        return weir_config_wrong(node, "root: must be the whole path of a folder, as the application sees it: /srv/www");
    out->root = copy_of(text, length);
    return true;
}

static bool read_index(const weir_config_t *node, weir_fastcgi_t *out)
{
    const char *text = node != NULL ? weir_config_text(node) : "index.php";

    if (text == NULL || *text == '\0' || *text == '/' || strlen(text) > TEXT_BYTES || strstr(text, "..") != NULL)
        return weir_config_wrong(node, "index: must be the name of a script below root: index.php");
    out->index = copy_of(text, strlen(text));
    return true;
}

static bool read_split(const weir_config_t *node, weir_fastcgi_t *out)
{
    const char *text = node != NULL ? weir_config_text(node) : ".php";

    if (text == NULL || text[0] != '.' || text[1] == '\0' || strchr(text, '/') != NULL || strlen(text) > TEXT_BYTES)
        return weir_config_wrong(node, "split: must be what the names of scripts end with: .php");
    out->suffix = copy_of(text, strlen(text));
    return true;
}

bool scripts_read(const weir_config_t *node, bool is_fastcgi, weir_fastcgi_t *out)
{
    const weir_config_t *root = weir_config_get(node, "root"), *index = weir_config_get(node, "index"),
                        *split = weir_config_get(node, "split");
    const weir_config_t *first = root != NULL ? root : index != NULL ? index : split;

    *out = (weir_fastcgi_t){.size = sizeof(*out)};
    if (first != NULL && !is_fastcgi)
        return weir_config_wrong(first, "root, index and split are for `protocol: fastcgi`");
    if (first != NULL && root == NULL)
        return weir_config_wrong(first, "index and split need a root");
    return first == NULL || (read_root(root, out) && read_index(index, out) && read_split(split, out));
}

void scripts_finish(weir_fastcgi_t *fastcgi)
{
    free((char *)(uintptr_t)fastcgi->root.base);
    free((char *)(uintptr_t)fastcgi->index.base);
    free((char *)(uintptr_t)fastcgi->suffix.base);
    *fastcgi = (weir_fastcgi_t){0};
}
