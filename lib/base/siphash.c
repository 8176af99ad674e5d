/* SPDX-License-Identifier: MIT */
#include "lib/base/weir_digest.h"

#include <endian.h>
#include <string.h>

typedef struct sip {
    uint64_t v[4];
} sip_t;

static uint64_t turn(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(sip_t *s, unsigned rounds)
{
    uint64_t *v = s->v;

    for (; rounds > 0; rounds--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn(v[1], 13) ^ v[0];
        v[3] = turn(v[3], 16) ^ v[2];
        v[0] = turn(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn(v[1], 17) ^ v[2];
        v[3] = turn(v[3], 21) ^ v[0];
        v[2] = turn(v[2], 32);
    }
}

static void absorb(sip_t *s, uint64_t word)
{
    s->v[3] ^= word;
    mix(s, 2);
    s->v[0] ^= word;
}

uint64_t weir_siphash(const uint64_t key[2], weir_span_t bytes)
{
    sip_t s = {
        {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573}};
    size_t at = 0;
    uint64_t word, last = (uint64_t)bytes.len << 56;

    for (; at + 8 <= bytes.len; at += 8) {
        memcpy(&word, bytes.base + at, sizeof(word));
        absorb(&s, le64toh(word));
    }
    for (size_t i = 0; at + i < bytes.len; i++)
        last |= (uint64_t)(unsigned char)bytes.base[at + i] << (8 * i);
    absorb(&s, last);
    s.v[2] ^= 0xff;
    mix(&s, 4);
    return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
