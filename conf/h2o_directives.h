/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_H2O_DIRECTIVES_H
#define WEIR_CONF_H2O_DIRECTIVES_H
/**
 * @file  What becomes of each directive of h2o 2.2's server.
 */
#include "conf/snapshot.h"

typedef enum conf_fate {
    CONF_FATE_TAKEN,   /* libh2o's own code does it         */
    CONF_FATE_OURS,    /* Weir does it in libh2o's place     */
    CONF_FATE_IGNORED, /* not done, which harms nobody       */
    CONF_FATE_REFUSED, /* not done, and somebody relies on it */
} conf_fate_t;

typedef struct conf_h2o_info {
    const char *name;
    conf_fate_t fate;
    const char *harmless; /* the value that asks for nothing; NULL: none */
    const char *sentence; /* empty: as h2o's manual says                 */
} conf_h2o_info_t;

extern const conf_h2o_info_t conf_h2o_directives[];
extern const size_t conf_h2o_directive_count;

/** "taken", "re-interpreted", "ignored", "refused". */
const char *conf_fate_name(conf_fate_t fate);

/** What h2o does about a key that is given twice, to be written behind that; empty if that is not known of it. */
const char *conf_h2o_which_counts(const char *name);

/** Where a directive stands first in the file, and what became of it. */
typedef struct conf_note {
    struct conf_note *next;
    const conf_h2o_info_t *info;
    const char *where;
} conf_note_t;

/**
 * Looks through a document before it is applied: notes every directive of h2o's in conf->notes, warns of those that are ignored
 * (not when only checked: there the notes are printed), complains about each that is unknown, impossible, or stands where it
 * cannot, and takes it out, so that the rest can be read. False after a complaint.
 */
bool conf_h2o_look(conf_t *conf, yoml_t *document);

/**
 * Looks, when all hosts are known, at the URLs that error-doc and internal redirects lead to: libh2o would fetch those of other
 * hosts with its own client, which has no limits. False after a complaint.
 */
bool conf_h2o_look_at_urls(conf_t *conf);

#endif
