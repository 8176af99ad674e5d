/* SPDX-License-Identifier: MIT */
#include "domains_entry.h"

#include <string.h>

enum { NAME_BYTES = 253 }; /* as it is written; RFC 1035 §2.3.4 without the lengths of the first label and of the root */

static bool is_letter_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool is_letter_of_address(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

/* Whatever cannot stand in the path of a request is in no prefix. */
static bool is_letter_of_path(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && c != '?' && c != '#';
}

static bool consists_of(weir_span_t text, bool (*is_letter)(char c))
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_letter(text.base[i]))
            return false;
    }
    return true;
}

static bool has_pair(weir_span_t text, char c)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.base[i] == c && text.base[i - 1] == c)
            return true;
    }
    return false;
}

static weir_span_t behind(weir_span_t text, size_t bytes)
{
    return (weir_span_t){text.base + bytes, text.len - bytes};
}

/* The first slash parts the name from the prefix, which begins with it. */
static weir_span_t split(weir_span_t text, weir_span_t *out_prefix)
{
    const char *slash = text.len > 0 ? memchr(text.base, '/', text.len) : NULL;
    size_t length = slash != NULL ? (size_t)(slash - text.base) : text.len;

    *out_prefix = slash != NULL ? behind(text, length) : (weir_span_t){0};
    return (weir_span_t){text.base, length};
}

static bool is_suffix(weir_span_t name)
{
    return name.len >= 2 && name.base[0] == '*' && name.base[1] == '.';
}

static const char *problem_of_name(weir_span_t name)
{
    if (name.len == 1 && name.base[0] == '*')
        return NULL;
    if (is_suffix(name))
        name = behind(name, 2);
    if (name.len == 0)
        return "a name is missing";
    if (name.len > NAME_BYTES)
        return "a name has at most 253 bytes";
    if (name.base[0] == '[') {
        weir_span_t inner = {name.base + 1, name.len < 2 ? 0 : name.len - 2};
        bool is_closed = name.len > 1 && name.base[name.len - 1] == ']';
        return is_closed && consists_of(inner, is_letter_of_address) ? NULL : "an IPv6 address is written [::1]";
    }
    if (!consists_of(name, is_letter_of_name))
        return "a name has letters, digits, `-`, `_` and `.`; `*` is all of it, or its first label";
    return name.base[0] == '.' || has_pair(name, '.') ? "a name has no empty labels" : NULL;
}

static const char *problem_of_prefix(weir_span_t prefix)
{
    if (prefix.len > KIT_PREFIX_BYTES)
        return "a prefix has at most 1024 bytes";
    if (!consists_of(prefix, is_letter_of_path))
        return "a prefix is a path without blanks, `?` and `#`";
    return has_pair(prefix, '/') ? "a prefix has no empty segments" : NULL;
}

const char *kit_domains_problem(weir_span_t entry)
{
    weir_span_t prefix, name = split(entry, &prefix);
    const char *problem = problem_of_name(name);

    return problem != NULL ? problem : problem_of_prefix(prefix);
}

void kit_entry_read(weir_span_t text, kit_entry_t *out)
{
    weir_span_t name = split(text, &out->prefix);

    out->prefix.len -= out->prefix.len > 0 && out->prefix.base[out->prefix.len - 1] == '/';
    out->length = 0;
    out->match = name.base[0] != '*' ? KIT_MATCH_EXACT : name.len > 1 ? KIT_MATCH_SUFFIX : KIT_MATCH_ANY;
    if (out->match == KIT_MATCH_ANY)
        return;
    if (out->match == KIT_MATCH_SUFFIX)
        name = behind(name, 1);
    name.len -= name.len > 1 && name.base[name.len - 1] == '.'; /* the root's dot says nothing */
    for (size_t i = 0; i < name.len; i++) {
        char c = name.base[i];
        out->name[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out->length = (uint8_t)name.len;
}

void kit_domain_text(weir_span_t entry, char text[static KIT_ENTRY_BYTES])
{
    kit_entry_t parts;
    char *at = text;

    kit_entry_read(entry, &parts);
    if (parts.match != KIT_MATCH_EXACT)
        *at++ = '*';
    memcpy(at, parts.name, parts.length);
    at += parts.length;
    memcpy(at, parts.prefix.base != NULL ? parts.prefix.base : "", parts.prefix.len);
    at[parts.prefix.len] = '\0';
}
