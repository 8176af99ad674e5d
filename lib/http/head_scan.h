/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HEAD_SCAN_H
#define WEIR_HTTP_HEAD_SCAN_H
/**
 * @file  Which bytes may stand where in a head: the inner loop of both head readers. For lib/http only.
 */
#include "weir_types.h"

enum {
    WEIR_CHAR_TOKEN = 1,  /* RFC 9110 §5.6.2 tchar                                     */
    WEIR_CHAR_FIELD = 2,  /* RFC 9110 §5.5: what a value is made of, SP and HT included */
    WEIR_CHAR_TARGET = 4, /* anything but controls and spaces; it is forwarded as it is */
};

static const uint8_t weir_char_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, /* HT */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /*    */
    2, 7, 6, 7, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6, /* SP ! " # $ % & ' ( ) * + , - . / */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, /* 0 … 9 : ; < = > ? */
    6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* @ A … O */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7, /* P … Z [ \ ] ^ _ */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* ` a … o */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 7, 6, 7, 0, /* p … z { | } ~ DEL */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* obs-text from here on */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, /* */
};

/** Whether `c` belongs to one of `classes`. */
static inline bool weir_char_is(char c, unsigned classes)
{
    return (weir_char_class[(unsigned char)c] & classes) != 0;
}

/** The first byte of at … end that belongs to none of `classes`, or `end`. */
static inline const char *weir_skip_chars(const char *at, const char *end, unsigned classes)
{
    while (at != end && weir_char_is(*at, classes))
        at++;
    return at;
}

/** The first byte of at … end that is neither a space nor a tab, or `end`. */
static inline const char *weir_skip_blanks(const char *at, const char *end)
{
    while (at != end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/** The end of start … end without the spaces and tabs before it. */
static inline const char *weir_drop_blanks(const char *start, const char *end)
{
    while (end != start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return end;
}

#endif
