/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOMAINS_ENTRY_H
#define WEIR_KIT_DOMAINS_ENTRY_H
/**
 * @file  An entry of the table of domains, taken apart: "name", "*.name", "*", each with or without "/prefix".
 */
#include "domains.h"

typedef struct kit_entry {
    kit_match_t match;           /* EXACT, SUFFIX or ANY */
    uint8_t length;              /* of the name */
    char name[KIT_DOMAIN_BYTES]; /* lower case, no dot at its end; ".shop.example" of "*.shop.example"; empty: "*" */
    weir_span_t prefix;          /* borrowed from the text; "/a/b" without a slash at its end; empty: none */
} kit_entry_t;

/** Takes a valid text apart (kit_domains_problem() found nothing). */
void kit_entry_read(weir_span_t text, kit_entry_t *out);

#endif
