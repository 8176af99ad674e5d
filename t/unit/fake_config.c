/* SPDX-License-Identifier: MIT */
/* The fake world: a router's configuration, out of a string. */
#include "fake_wire.h"
#include "weir_host.h"

struct weir_config {
    weir_config_kind_t kind;
    char *text;
    weir_config_t **keys, **values;
    size_t count;
};

char fake_complaint[512];

static const char *skip(const char *at)
{
    return at + strspn(at, " \n,");
}

static weir_config_t *node_make(weir_config_kind_t kind)
{
    weir_config_t *node = calloc(1, sizeof(*node));

    WEIR_MUST(node != NULL);
    node->kind = kind;
    return node;
}

static weir_config_t *read_scalar(const char **at)
{
    weir_config_t *node = node_make(WEIR_CONFIG_SCALAR);
    const char *start = *at, *end = start;

    if (*start == '"') {
        end = strchr(++start, '"');
        WEIR_MUST(end != NULL);
        *at = end + 1;
    } else {
        while (*end != '\0' && strchr(",{}[]\n", *end) == NULL && !(end[0] == ':' && end[1] == ' '))
            end++;
        *at = end;
    }
    node->text = strndup(start, (size_t)(end - start));
    WEIR_MUST(node->text != NULL);
    return node;
}

static void add_entry(weir_config_t *node, weir_config_t *key, weir_config_t *value)
{
    if ((node->count & (node->count - 1)) == 0) { /* room doubles */
        size_t room = node->count == 0 ? 1 : 2 * node->count;
        node->keys = realloc(node->keys, room * sizeof(*node->keys));
        node->values = realloc(node->values, room * sizeof(*node->values));
        WEIR_MUST(node->keys != NULL && node->values != NULL);
    }
    node->keys[node->count] = key;
    node->values[node->count++] = value;
}

static weir_config_t *read_node(const char **at)
{
    bool is_map = **at == '{';
    weir_config_t *node;

    if (!is_map && **at != '[')
        return read_scalar(at);
    node = node_make(is_map ? WEIR_CONFIG_MAP : WEIR_CONFIG_LIST);
    for (*at = skip(*at + 1); **at != '}' && **at != ']'; *at = skip(*at)) {
        weir_config_t *key = is_map ? read_scalar(at) : NULL;
        WEIR_MUST(**at != '\0' && (!is_map || **at == ':'));
        *at = is_map ? skip(*at + 1) : *at;
        add_entry(node, key, read_node(at));
    }
    (*at)++;
    return node;
}

weir_config_t *fake_config(const char *text)
{
    const char *at = skip(text);

    fake_complaint[0] = '\0';
    return read_node(&at);
}

void fake_config_free(weir_config_t *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++) {
        fake_config_free(node->keys[i]);
        fake_config_free(node->values[i]);
    }
    free(node->keys);
    free(node->values);
    free(node->text);
    free(node);
}

weir_config_kind_t weir_config_kind(const weir_config_t *node)
{
    return node == NULL ? WEIR_CONFIG_NONE : node->kind;
}

const char *weir_config_text(const weir_config_t *node)
{
    return node == NULL ? NULL : node->text;
}

size_t weir_config_count(const weir_config_t *node)
{
    return node == NULL ? 0 : node->count;
}

const weir_config_t *weir_config_at(const weir_config_t *node, size_t index)
{
    return index < weir_config_count(node) ? node->values[index] : NULL;
}

const weir_config_t *weir_config_key(const weir_config_t *node, size_t index)
{
    return index < weir_config_count(node) ? node->keys[index] : NULL;
}

const weir_config_t *weir_config_get(const weir_config_t *node, const char *name)
{
    for (size_t i = 0; weir_config_kind(node) == WEIR_CONFIG_MAP && i < node->count; i++) {
        if (strcmp(node->keys[i]->text, name) == 0)
            return node->values[i];
    }
    return NULL;
}

const char *weir_config_directory(void)
{
    return "/fake";
}

bool weir_config_wrong(const weir_config_t *node, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_complaint, sizeof(fake_complaint), format, arguments);
    va_end(arguments);
    return false;
}

/* ---- weir check: the lines of it, one behind the other ---- */

char fake_shown[FAKE_TEXT_BYTES];

void weir_show_value(weir_show_t *show, unsigned depth, const char *key, const char *value, const weir_config_t *node)
{
    const size_t length = strlen(fake_shown);

    snprintf(fake_shown + length, sizeof(fake_shown) - length, "%u %s %s%s\n", depth, key, value == NULL ? "-" : value,
             value == NULL || node != NULL ? "" : " default");
}

void weir_show_warning(weir_show_t *show, const weir_config_t *node, const char *format, ...)
{
    const size_t length = strlen(fake_shown);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_shown + length, sizeof(fake_shown) - length, format, arguments);
    va_end(arguments);
}

bool weir_config_line_count(const weir_config_t *map, const char *key, size_t *out_count)
{
    *out_count = 0;
    return true;
}

bool weir_config_each_line(const weir_config_t *map, const char *key, bool (*each)(void *context, const weir_config_t *line),
                           void *context)
{
    return true; /* there are no files */
}

bool weir_config_of_text(const char *json, size_t length, bool (*read)(void *context, const weir_config_t *node), void *context,
                         char *problem, size_t bytes)
{
    weir_config_t *node = fake_config(json);
    const bool is_fine = read(context, node);

    snprintf(problem, bytes, "%s", fake_complaint);
    fake_config_free(node);
    return is_fine;
}
