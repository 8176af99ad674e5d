/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_SETTINGS_FIELDS_H
#define WEIR_KIT_SETTINGS_FIELDS_H
/**
 * @file  The table of settings: key, range, default and place of each. For those who read and show them.
 */
#include "settings.h"

typedef enum kit_field_kind {
    KIT_FIELD_FLAG,   /* bool                                                       */
    KIT_FIELD_NUMBER, /* uint32_t, least … most                                     */
    KIT_FIELD_BOUND,  /* the same, or 0                                             */
    KIT_FIELD_LONG,   /* uint64_t, any up to 2^63-1                                 */
    KIT_FIELD_MS,     /* uint32_t, a duration                                       */
    KIT_FIELD_WORD,   /* an enum: the place of the word among `words`               */
    KIT_FIELD_WORDS,  /* uint32_t: a bit for each of `words`                        */
    KIT_FIELD_STATUS, /* kit_status_set_t, of status codes from least to most       */
    KIT_FIELD_TEXT,   /* const char *, owned                                        */
    KIT_FIELD_TOKENS, /* the same: what workers prove themselves by, worker_token.h        */
    KIT_FIELD_NAMES,  /* the same: entries of the table of domains, without paths          */
    KIT_FIELD_VALUE,  /* the same, of 1 to `most` visible characters, no blanks     */
    KIT_FIELD_PATH,   /* the same, below the configuration's directory              */
    KIT_FIELD_CLIENT, /* the same: the header's name of "header NAME", or "address" */
} kit_field_kind_t;

typedef struct kit_field {
    const char *group; /* the key of the map it stands in; NULL: the app's own */
    const char *key;
    kit_field_kind_t kind;
    size_t at; /* in kit_settings_t */
    uint32_t least, most;
    uint32_t standard;        /* of flags, numbers and words                            */
    const char *text;         /* the default of texts and of status codes ("500,502-504") */
    const char *const *words; /* NULL at the end                                        */
} kit_field_t;

extern const kit_field_t kit_fields[];
extern const size_t kit_field_count;

static inline void *kit_field_of(const kit_field_t *field, const kit_settings_t *settings)
{
    return (char *)(uintptr_t)settings + field->at;
}

static inline bool kit_field_is_text(const kit_field_t *field)
{
    return field->kind >= KIT_FIELD_TEXT;
}

/** show.c: its value as `weir check` has it. */
enum { KIT_SHOWN_BYTES = 512 };
void kit_show_value(const kit_field_t *field, const kit_settings_t *settings, char text[KIT_SHOWN_BYTES]);

/** Adds "502" or "500-504" (each from `least` to `most`) to the set; false: it is neither. */
bool kit_status_add(kit_status_set_t *set, weir_span_t text, uint32_t least, uint32_t most);

#endif
