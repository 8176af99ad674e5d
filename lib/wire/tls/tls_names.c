/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_names.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { BUCKETS_MIN = 16 };

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool weir_tls_name_clean(weir_span_t name, char out[static WEIR_TLS_NAME_BYTES + 1], size_t *out_len)
{
    if (name.len == 0 || name.len > WEIR_TLS_NAME_BYTES)
        return false;
    bool was_dot = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.base[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool is_star = c == '*' && i == 0 && name.len > 2 && name.base[1] == '.';
        if (!is_letter(c) && !is_star && (c != '.' || was_dot))
            return false;
        was_dot = c == '.';
        out[i] = c;
    }
    out[name.len] = '\0';
    *out_len = name.len;
    return !was_dot;
}

weir_span_t weir_tls_name_wildcard(weir_span_t name, char out[static WEIR_TLS_NAME_BYTES + 1])
{
    const char *dot = memchr(name.base, '.', name.len);

    if (dot == NULL || dot == name.base)
        return (weir_span_t){NULL, 0};
    size_t rest = name.len - (size_t)(dot - name.base);
    out[0] = '*';
    memcpy(out + 1, dot, rest);
    return (weir_span_t){out, rest + 1};
}

static uint64_t hash_of(weir_span_t name)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: names come from clients, but only those that exist are entered */

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.base[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

weir_tls_name_t *weir_tls_names_find(const weir_tls_names_t *names, weir_span_t name)
{
    if (names->count == 0)
        return NULL;
    uint64_t hash = hash_of(name);
    weir_tls_name_t *entry = names->buckets[hash & (names->bucket_count - 1)];
    while (entry != NULL && (entry->hash != hash || entry->len != name.len || memcmp(entry->text, name.base, name.len) != 0))
        entry = entry->next;
    return entry;
}

static void put(weir_tls_names_t *names, weir_tls_name_t *entry)
{
    weir_tls_name_t **bucket = &names->buckets[entry->hash & (names->bucket_count - 1)];

    entry->next = *bucket;
    *bucket = entry;
}

static void grow(weir_tls_names_t *names)
{
    if (names->names.next == NULL)
        weir_list_init(&names->names);
    names->bucket_count = names->bucket_count == 0 ? BUCKETS_MIN : 2 * names->bucket_count;
    free(names->buckets);
    names->buckets = calloc(names->bucket_count, sizeof(names->buckets[0]));
    WEIR_MUST(names->buckets != NULL);
    for (weir_list_t *node = names->names.next; node != &names->names; node = node->next)
        put(names, WEIR_AROUND(node, weir_tls_name_t, link));
}

weir_tls_name_t *weir_tls_names_add(weir_tls_names_t *names, weir_span_t name, weir_tls_cert_t *cert)
{
    if (names->count == names->bucket_count)
        grow(names);
    weir_tls_name_t *entry = calloc(1, sizeof(*entry) + name.len);
    WEIR_MUST(entry != NULL);
    entry->cert = cert;
    entry->hash = hash_of(name);
    entry->len = name.len;
    memcpy(entry->text, name.base, name.len);
    put(names, entry);
    weir_list_append(&names->names, &entry->link);
    names->count++;
    return entry;
}

void weir_tls_names_remove(weir_tls_names_t *names, weir_tls_name_t *entry)
{
    weir_tls_name_t **at = &names->buckets[entry->hash & (names->bucket_count - 1)];

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    weir_list_remove(&entry->link);
    names->count--;
    weir_tls_cert_release(&entry->cert);
    free(entry);
}

void weir_tls_names_finish(weir_tls_names_t *names)
{
    while (names->count > 0)
        weir_tls_names_remove(names, WEIR_AROUND(names->names.next, weir_tls_name_t, link));
    free(names->buckets);
    *names = (weir_tls_names_t){0};
}
