/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LASTING_H
#define WEIR_BASE_LASTING_H
/**
 * @file  Names that are never freed, so that any thread may read one at any time, whatever was unloaded meanwhile.
 */

/**
 * A copy of `text` that lasts as long as the process; equal texts have one. For names of modules, of which there are few: what
 * is kept is never given back. Any thread.
 */
const char *weir_lasting(const char *text);

#endif
