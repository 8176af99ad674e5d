/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H
/**
 * @file  A doubly linked ring. The head is a node of its own; a node that is in no ring points to itself.
 */
#include <stdbool.h>
#include <stddef.h>

typedef struct weir_list {
    struct weir_list *next, *prev;
} weir_list_t;

/** The struct around its member: WEIR_AROUND(node, timer_t, link). */
#define WEIR_AROUND(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/** Makes an empty ring, or a node that is in none. Every node is initialised once before its first use. */
static inline void weir_list_init(weir_list_t *node)
{
    node->next = node->prev = node;
}

/** Whether the ring has no node besides its head; for a node: whether it is in no ring. */
static inline bool weir_list_is_empty(const weir_list_t *head)
{
    return head->next == head;
}

/** Adds `node`, which is in no ring, as the last of `head`. */
static inline void weir_list_append(weir_list_t *head, weir_list_t *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/** Adds `node`, which is in no ring, as the first of `head`. */
static inline void weir_list_prepend(weir_list_t *head, weir_list_t *node)
{
    weir_list_append(head->next, node);
}

/** Takes a node out of its ring; harmless if it is in none. */
static inline void weir_list_remove(weir_list_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    weir_list_init(node);
}

/** Moves all of `from`, which is emptied, behind the last of `to`. */
static inline void weir_list_move_all(weir_list_t *to, weir_list_t *from)
{
    if (weir_list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    weir_list_init(from);
}

#endif
