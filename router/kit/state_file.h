/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_STATE_FILE_H
#define WEIR_KIT_STATE_FILE_H
/**
 * @file  The overlay on disk, so that it outlives the process.
 *
 * A text file of lines, each a document, a blank and the CRC-32 of the document in 8 hexadecimal digits. The first is
 * {"weir-state":1}; each other one a record (saved.h). Changes are appended; when they outgrow what a new file would have, one
 * is written beside it and takes its name. It is written and synced by a thread of its own: no tick waits for a disk.
 *
 * Whoever opens it writes it anew, so that a predecessor that still serves has another file; it sees that, and leaves it alone.
 *
 * OWNER    The instance.
 */
#include "instance.h"
#include "weir_admin.h"

typedef struct kit_state_file kit_state_file_t;

/** What was found when it was opened. */
typedef struct kit_state_found {
    size_t records, skipped; /* `skipped`: whose sum is wrong, or which are none */
    bool is_torn;            /* the last line was not whole, and is cut */
    char problem[256];       /* empty: none; else there is no file, and nothing is kept */
} kit_state_found_t;

/**
 * Reads what there is into the overlay (is_first), and opens it for changes; NULL: a problem. sync_ms: how long a change may
 * wait for its sync; 0: it is synced at once. Under the instance's lock.
 */
kit_state_file_t *kit_state_file_open(const char *path, uint32_t sync_ms, kit_instance_t *instance, bool is_first,
                                      kit_state_found_t *found);
/** Where it is. */
const char *kit_state_file_path(const kit_state_file_t *file);
/** Appends a change, which it takes over; sooner or later a new file instead. Under the instance's lock. */
void kit_state_file_add(kit_state_file_t *file, const kit_instance_t *instance, json_t *record);
/** Whether answers are to wait until their change is on disk. */
bool kit_state_file_is_strict(const kit_state_file_t *file);
/** A number that stands for all that has been added so far; whether that has been written, or could not be. */
uint64_t kit_state_file_number(kit_state_file_t *file);
bool kit_state_file_has_handled(kit_state_file_t *file, uint64_t number);
/** Has *held answered with this status and text when all is on disk that has been added so far; nulls it. */
void kit_state_file_answers(kit_state_file_t *file, weir_admin_held_t **held, uint16_t status, const char *text);
/** What went wrong since it was asked last; false: nothing. Any thread. */
bool kit_state_file_trouble(kit_state_file_t *file, char *text, size_t bytes);
/** Writes what is left, frees and nulls; harmless on NULL. Not under the instance's lock. */
void kit_state_file_close(kit_state_file_t **slot);

#endif
