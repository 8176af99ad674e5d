/* SPDX-License-Identifier: MIT */
#include "lib/http/json_bounds.h"

typedef struct scan {
    const char *at, *end;
    size_t values, depth;
    uint32_t keys[WEIR_JSON_DEPTH]; /* of each object that is open; of lists none are counted */
} scan_t;

/* Behind the quotation mark that ends the string. */
static void skip_string(scan_t *scan)
{
    for (scan->at++; scan->at < scan->end && *scan->at != '"'; scan->at++)
        if (*scan->at == '\\' && scan->at + 1 < scan->end)
            scan->at++;
    if (scan->at < scan->end)
        scan->at++;
}

static bool open_one(scan_t *scan)
{
    if (scan->depth == WEIR_JSON_DEPTH)
        return false;
    scan->keys[scan->depth++] = 0;
    return ++scan->values <= WEIR_JSON_VALUES;
}

static bool take(scan_t *scan, char c)
{
    switch (c) {
    case '{':
    case '[':
        return open_one(scan);
    case '}':
    case ']':
        scan->depth -= scan->depth > 0;
        return true;
    case ':':
        return scan->depth == 0 || ++scan->keys[scan->depth - 1] <= WEIR_JSON_KEYS;
    case ',':
        return ++scan->values <= WEIR_JSON_VALUES;
    default:
        return true;
    }
}

bool weir_json_is_bounded(weir_span_t text)
{
    scan_t scan = {.at = text.base, .end = text.base + text.len};

    while (scan.at < scan.end) {
        if (*scan.at == '"')
            skip_string(&scan);
        else if (!take(&scan, *scan.at++))
            return false;
    }
    return true;
}
