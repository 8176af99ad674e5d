/* SPDX-License-Identifier: MIT */
/* https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
#include "lib/http/otlp.h"

#include <string.h>

#include "lib/base/span.h"

enum {
    CHARACTER_BYTES = 6, /* the longest form of one: \u001f */
    STATE_BYTES = CHARACTER_BYTES * WEIR_OTLP_STATE_BYTES,
    MESSAGE_BYTES = 256,
    NAME_BYTES = 64,
    SERVICE_BYTES = 1024,
    /* The flags of a span beyond those of its traceparent. */
    FLAG_SAMPLED = 0x1,
    FLAG_SAYS_REMOTE = 0x100,
    FLAG_IS_REMOTE = 0x200,
    STATUS_ERROR = 2,
};

/* ---- bytes ---- */

static void put(weir_otlp_t *text, weir_span_t bytes)
{
    text->is_full = text->is_full || bytes.len > (size_t)(text->end - text->at);
    if (!text->is_full)
        text->at = weir_append(text->at, bytes);
}

static void put_literal(weir_otlp_t *text, const char *literal)
{
    put(text, (weir_span_t){literal, strlen(literal)});
}

static void put_number(weir_otlp_t *text, uint64_t number)
{
    char digits[20];

    put(text, weir_span_of_u64(number, digits));
}

/* Of a sequence's first byte: how many bytes it has; 0: it begins none. */
static size_t sequence_bytes(unsigned char first)
{
    if (first < 0xc2 || first > 0xf4)
        return first < 0x80;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* How many bytes the character at the beginning of `left` has; 0: it is none (RFC 3629 §4). */
static size_t character_bytes(weir_span_t left)
{
    const unsigned char *at = (const unsigned char *)left.base;
    const size_t bytes = sequence_bytes(at[0]);

    if (bytes < 2 || bytes > left.len)
        return bytes == 1;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
        (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return bytes;
}

/* A character as it stands in a JSON text, in `out`. */
static size_t write_character(weir_span_t character, char out[static CHARACTER_BYTES + 1])
{
    const unsigned char c = (unsigned char)character.base[0];

    if (character.len == 0)
        return (size_t)snprintf(out, CHARACTER_BYTES + 1, "\\ufffd");
    if (c < 0x20 || c == 0x7f)
        return (size_t)snprintf(out, CHARACTER_BYTES + 1, "\\u%04x", c);
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, CHARACTER_BYTES + 1, "\\%c", c);
    memcpy(out, character.base, character.len);
    return character.len;
}

static weir_span_t behind(weir_span_t value, size_t count)
{
    return (weir_span_t){value.base + count, value.len - count};
}

/* How many characters at the beginning stand for themselves, of at most so many. */
static size_t plain_bytes(weir_span_t value, size_t most_bytes)
{
    const size_t most = value.len < most_bytes ? value.len : most_bytes;
    size_t at = 0;

    while (at < most && value.base[at] >= ' ' && value.base[at] < 0x7f && value.base[at] != '"' && value.base[at] != '\\')
        at++;
    return at;
}

/* In quotes. */
static void put_text(weir_otlp_t *text, weir_span_t value, size_t most_bytes)
{
    put_literal(text, "\"");
    while (value.len > 0) {
        char written[CHARACTER_BYTES + 1];
        const size_t plain = plain_bytes(value, most_bytes);
        put(text, (weir_span_t){value.base, plain});
        value = behind(value, plain);
        most_bytes -= plain;
        if (value.len == 0)
            break;
        const size_t bytes = character_bytes(value), length = write_character((weir_span_t){value.base, bytes}, written);
        if (length > most_bytes)
            break;
        most_bytes -= length;
        put(text, (weir_span_t){written, length});
        value = behind(value, bytes == 0 ? 1 : bytes);
    }
    put_literal(text, "\"");
}

/* ---- a span ---- */

static void put_id(weir_otlp_t *text, const char *key, const char *id, size_t digits)
{
    put_literal(text, key);
    put(text, (weir_span_t){id, digits});
    put_literal(text, "\"");
}

static void put_instant(weir_otlp_t *text, const char *key, uint64_t wall_us)
{
    put_literal(text, key);
    put_number(text, wall_us);
    put_literal(text, "000\"");
}

void weir_otlp_begin(weir_otlp_t *text, char *buffer, size_t bytes, const weir_otlp_head_t *head)
{
    *text = (weir_otlp_t){.begin = buffer, .at = buffer, .end = buffer + bytes};
    put_id(text, "{\"traceId\":\"", head->trace_id, 32);
    put_id(text, ",\"spanId\":\"", head->span_id, 16);
    if (head->parent_id != NULL)
        put_id(text, ",\"parentSpanId\":\"", head->parent_id, 16);
    if (head->trace_state.len > 0 && head->trace_state.len <= WEIR_OTLP_STATE_BYTES) {
        put_literal(text, ",\"traceState\":");
        put_text(text, head->trace_state, STATE_BYTES);
    }
    put_literal(text, ",\"flags\":");
    put_number(text, FLAG_SAMPLED | FLAG_SAYS_REMOTE | (head->has_remote_parent ? FLAG_IS_REMOTE : 0));
    put_literal(text, ",\"name\":");
    put_text(text, head->name, NAME_BYTES);
    put_literal(text, ",\"kind\":");
    put_number(text, head->kind);
    put_instant(text, ",\"startTimeUnixNano\":\"", head->start_wall_us);
    put_instant(text, ",\"endTimeUnixNano\":\"", head->end_wall_us);
}

static void close_part(weir_otlp_t *text)
{
    if (text->part != WEIR_OTLP_NO_PART)
        put_literal(text, "]");
    text->part = WEIR_OTLP_NO_PART;
}

static void open_entry(weir_otlp_t *text, weir_otlp_part_t part)
{
    if (text->part == part) {
        put_literal(text, ",");
        return;
    }
    close_part(text);
    put_literal(text, part == WEIR_OTLP_ATTRIBUTES ? ",\"attributes\":[" : ",\"events\":[");
    text->part = part;
}

static void open_attribute(weir_otlp_t *text, const char *key)
{
    open_entry(text, WEIR_OTLP_ATTRIBUTES);
    put_literal(text, "{\"key\":\"");
    put_literal(text, key);
    put_literal(text, "\",\"value\":{");
}

void weir_otlp_text(weir_otlp_t *text, const char *key, weir_span_t value, size_t most_bytes)
{
    open_attribute(text, key);
    put_literal(text, "\"stringValue\":");
    put_text(text, value, most_bytes);
    put_literal(text, "}}");
}

/* 64 bits are more than a number of JSON can be relied upon to have: they are a text. */
void weir_otlp_number(weir_otlp_t *text, const char *key, uint64_t number)
{
    open_attribute(text, key);
    put_literal(text, "\"intValue\":\"");
    put_number(text, number);
    put_literal(text, "\"}}");
}

void weir_otlp_yes(weir_otlp_t *text, const char *key)
{
    open_attribute(text, key);
    put_literal(text, "\"boolValue\":true}}");
}

void weir_otlp_event(weir_otlp_t *text, const char *name, uint64_t wall_us)
{
    open_entry(text, WEIR_OTLP_EVENTS);
    put_instant(text, "{\"timeUnixNano\":\"", wall_us);
    put_literal(text, ",\"name\":\"");
    put_literal(text, name);
    put_literal(text, "\"}");
}

void weir_otlp_fail(weir_otlp_t *text, const char *message)
{
    close_part(text);
    put_literal(text, ",\"status\":{\"code\":");
    put_number(text, STATUS_ERROR);
    if (message != NULL) {
        put_literal(text, ",\"message\":");
        put_text(text, (weir_span_t){message, strlen(message)}, MESSAGE_BYTES);
    }
    put_literal(text, "}");
}

weir_span_t weir_otlp_end(weir_otlp_t *text)
{
    close_part(text);
    put_literal(text, "}");
    return text->is_full ? (weir_span_t){NULL, 0} : (weir_span_t){text->begin, (size_t)(text->at - text->begin)};
}

/* ---- a message ---- */

static void write_attribute(FILE *out, const char *key, const char *value)
{
    char buffer[SERVICE_BYTES + 8];
    weir_otlp_t text = {.begin = buffer, .at = buffer, .end = buffer + sizeof(buffer)};

    put_text(&text, (weir_span_t){value, strlen(value)}, SERVICE_BYTES);
    fprintf(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":%.*s}}", key, (int)(text.at - text.begin), text.begin);
}

void weir_otlp_write_front(FILE *out, const char *service, const char *version)
{
    fputs("{\"resourceSpans\":[{\"resource\":{\"attributes\":[", out);
    write_attribute(out, "service.name", service);
    fprintf(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"weir\",\"version\":\"%s\"},\"spans\":[", version);
}

void weir_otlp_write_rest(FILE *out)
{
    fputs("]}]}]}", out);
}

uint64_t weir_otlp_rejected(weir_span_t answer)
{
    static const char key[] = "\"rejectedSpans\"";
    const char *found = answer.len > 0 ? memmem(answer.base, answer.len, key, sizeof(key) - 1) : NULL;
    const char *const end = answer.base + answer.len;
    const char *digits;
    uint64_t number;

    if (found == NULL)
        return 0;
    found += sizeof(key) - 1;
    while (found < end && strchr(" \t\r\n:\"", *found) != NULL && *found != '\0')
        found++;
    for (digits = found; found < end && *found >= '0' && *found <= '9';)
        found++;
    return weir_span_to_u63((weir_span_t){digits, (size_t)(found - digits)}, &number) ? number : 0;
}
