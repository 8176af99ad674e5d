/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PORTER_WIRE_H
#define WEIR_CONF_PORTER_WIRE_H
/**
 * @file  What proxy and porter say to each other: one packet, one answer, descriptors beside them. Between porter.c and
 *        porter_serve.c only.
 */
#include <sys/socket.h>

#include "conf/porter_rules.h"

typedef enum porter_wish {
    PORTER_READ,   /* path                       → a descriptor */
    PORTER_APPEND, /* path                       → a descriptor */
    PORTER_BIND,   /* address, a socket          → nothing      */
    PORTER_REMOVE, /* path                       → nothing      */
    PORTER_RENEW,  /* is_set: what was read last is in use → nothing */
    PORTER_HAND,   /* sockets, is_foreign        → nothing      */
    PORTER_START,  /* a pipe's end               → number: pid  */
    PORTER_WAIT,   /* is_set: kill it            → number: status */
} porter_wish_t;

enum { PORTER_FDS = 200 /* the kernel takes 253 a packet */ };

typedef struct porter_request {
    porter_wish_t wish;
    bool is_set;
    struct sockaddr_storage address;
    socklen_t address_len;
    bool is_foreign[PORTER_FDS];
    char path[4096];
} porter_request_t;

typedef struct porter_answer {
    int error; /* as errno; 0: fine */
    int number;
    char problem[CONF_PROBLEM_BYTES]; /* why, beyond what errno says; or empty */
} porter_answer_t;

/** Sends a packet. False with errno. */
bool porter_send(int fd, const void *packet, size_t len, const int *fds, size_t fd_count);

/**
 * Takes one of exactly `len` bytes. Descriptors that came with it (at most PORTER_FDS) are closed on exec. False at the other
 * side's end, and with whatever is no such packet.
 */
bool porter_receive(int fd, void *packet, size_t len, int fds[static PORTER_FDS], size_t *out_count);

/** The porter's life: answers until the other side is gone. */
void porter_serve(int fd, const char *file, int errors_fd) __attribute__((noreturn));

#endif
