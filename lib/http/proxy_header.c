/* SPDX-License-Identifier: MIT */
#include "lib/http/proxy_header.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/span.h"

enum {
    V2_FIXED = 16,     /* signature, command, family, length         */
    TLV_FIXED = 3,     /* type, length                               */
    SSL_FIXED = 5,     /* client's bits, result of the verification  */
    UNIX_PATH = 108,   /* of each end                                */
    CLIENT_SSL = 0x01, /* the bit of an SSL TLV: the client used TLS */
    ADDRESS_TEXT = 46, /* of the longest address, with a NUL         */
    CRC_BYTES = 4,
};

/* ---- version 1 ---- */

/* Takes the word up to the next space, or to the end, off the front of *line. */
static weir_span_t next_word(weir_span_t *line)
{
    const char *space = line->len == 0 ? NULL : memchr(line->base, ' ', line->len);
    size_t len = space == NULL ? line->len : (size_t)(space - line->base);
    size_t taken = space == NULL ? len : len + 1;
    weir_span_t word = {line->base, len};

    *line = (weir_span_t){line->base + taken, line->len - taken};
    return word;
}

static bool read_address(weir_span_t text, int family, uint8_t *out_address)
{
    char copy[ADDRESS_TEXT];

    /* inet_pton() stops at a NUL, behind which anything might stand */
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.base, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.base, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, out_address) == 1;
}

static bool read_port(weir_span_t text, uint16_t *out_port)
{
    uint64_t number;

    if (text.len > 5 || (text.len > 1 && text.base[0] == '0') || !weir_span_to_u63(text, &number) || number > UINT16_MAX)
        return false;
    *out_port = (uint16_t)number;
    return true;
}

static bool read_line(weir_span_t line, weir_proxy_header_t *out)
{
    weir_span_t family = next_word(&line), source, destination, source_port, destination_port;
    bool is_inet = weir_span_equal(family, WEIR_SPAN("TCP4"));

    if (weir_span_equal(family, WEIR_SPAN("UNKNOWN")))
        return true;
    if (!is_inet && !weir_span_equal(family, WEIR_SPAN("TCP6")))
        return false;
    source = next_word(&line);
    destination = next_word(&line);
    source_port = next_word(&line);
    destination_port = line; /* a space in it is no digit */
    out->kind = is_inet ? WEIR_PROXY_INET : WEIR_PROXY_INET6;
    return read_address(source, is_inet ? AF_INET : AF_INET6, out->source.address) &&
           read_address(destination, is_inet ? AF_INET : AF_INET6, out->destination.address) &&
           read_port(source_port, &out->source.port) && read_port(destination_port, &out->destination.port);
}

static weir_proxy_progress_t read_v1(weir_span_t bytes, weir_proxy_header_t *out, size_t *out_consumed_bytes)
{
    static const char opening[] = "PROXY ";
    size_t known = sizeof(opening) - 1, visible = bytes.len < WEIR_PROXY_V1_BYTES ? bytes.len : WEIR_PROXY_V1_BYTES;
    size_t end;

    if (memcmp(bytes.base, opening, bytes.len < known ? bytes.len : known) != 0)
        return WEIR_PROXY_BROKEN;
    for (end = known; end < visible && bytes.base[end] != '\r'; end++) {
        if (bytes.base[end] == '\n')
            return WEIR_PROXY_BROKEN;
    }
    if (end + 1 >= visible)
        return visible == WEIR_PROXY_V1_BYTES ? WEIR_PROXY_BROKEN : WEIR_PROXY_PARTIAL;
    if (bytes.base[end + 1] != '\n' || !read_line((weir_span_t){bytes.base + known, end - known}, out))
        return WEIR_PROXY_BROKEN;
    *out_consumed_bytes = end + 2;
    return WEIR_PROXY_COMPLETE;
}

/* ---- version 2: TLVs ---- */

static size_t read_u16(const char *at)
{
    return (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* CRC32C (Castagnoli, as iSCSI's), four bits at a time: once a connection, over a few hundred bytes. */
static uint32_t crc32c_add(uint32_t crc, uint8_t byte)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                       0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

    crc ^= byte;
    crc = crc >> 4 ^ table[crc & 15];
    return crc >> 4 ^ table[crc & 15];
}

/* The sum is over the whole header as if it were itself zero. */
static bool is_crc_right(weir_span_t header, weir_span_t sum)
{
    uint32_t crc = UINT32_MAX, said;

    if (sum.len != CRC_BYTES)
        return false;
    for (const char *at = header.base; at != header.base + header.len; at++)
        crc = crc32c_add(crc, at >= sum.base && at < sum.base + CRC_BYTES ? 0 : (uint8_t)*at);
    said = (uint32_t)read_u16(sum.base) << 16 | (uint32_t)read_u16(sum.base + 2);
    return said == ~crc;
}

/* Takes a TLV off the front of *rest. False if it does not fit. */
static bool next_tlv(weir_span_t *rest, uint8_t *out_type, weir_span_t *out_value)
{
    size_t len;

    if (rest->len < TLV_FIXED)
        return false;
    len = read_u16(rest->base + 1);
    if (rest->len - TLV_FIXED < len)
        return false;
    *out_type = (uint8_t)rest->base[0];
    *out_value = (weir_span_t){rest->base + TLV_FIXED, len};
    *rest = (weir_span_t){rest->base + TLV_FIXED + len, rest->len - TLV_FIXED - len};
    return true;
}

/* Two of a kind: each end might believe another one. */
static bool set_text(weir_proxy_tlvs_t *tlvs, weir_proxy_text_t which, weir_span_t value)
{
    if (tlvs->text[which].base != NULL)
        return false;
    tlvs->text[which] = value;
    return true;
}

static bool read_ssl(weir_span_t value, weir_proxy_tlvs_t *tlvs)
{
    weir_span_t rest, inner;
    bool is_fine = true;
    uint8_t type;

    if (value.len < SSL_FIXED)
        return false;
    rest = (weir_span_t){value.base + SSL_FIXED, value.len - SSL_FIXED};
    tlvs->is_ssl = (value.base[0] & CLIENT_SSL) != 0;
    while (is_fine && rest.len != 0) {
        if (!next_tlv(&rest, &type, &inner))
            return false;
        switch (type) {
        case 0x21:
            is_fine = set_text(tlvs, WEIR_PROXY_SSL_VERSION, inner);
            break;
        case 0x22:
            is_fine = set_text(tlvs, WEIR_PROXY_SSL_CN, inner);
            break;
        case 0x23:
            is_fine = set_text(tlvs, WEIR_PROXY_SSL_CIPHER, inner);
            break;
        default: /* algorithms of keys and signatures, and what is yet to come */
            break;
        }
    }
    return is_fine;
}

static bool read_tlvs(weir_span_t header, weir_span_t rest, weir_proxy_tlvs_t *tlvs)
{
    bool is_fine = true, has_crc = false, has_ssl = false;
    weir_span_t value;
    uint8_t type;

    while (is_fine && rest.len != 0) {
        if (!next_tlv(&rest, &type, &value))
            return false;
        switch (type) {
        case 0x01:
            is_fine = set_text(tlvs, WEIR_PROXY_ALPN, value);
            break;
        case 0x02:
            is_fine = set_text(tlvs, WEIR_PROXY_AUTHORITY, value);
            break;
        case 0x03:
            is_fine = !has_crc && is_crc_right(header, value);
            has_crc = true;
            break;
        case 0x05:
            is_fine = value.len <= WEIR_PROXY_UNIQUE_ID_BYTES && set_text(tlvs, WEIR_PROXY_UNIQUE_ID, value);
            break;
        case 0x20:
            is_fine = !has_ssl && read_ssl(value, tlvs);
            has_ssl = true;
            break;
        default: /* NOOP 0x04, NETNS 0x30, senders' own */
            break;
        }
    }
    return is_fine;
}

/* ---- version 2 ---- */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* The bytes of both ends, or SIZE_MAX if there is no such family or transport. */
static size_t addresses_bytes(uint8_t family, weir_proxy_kind_t *out_kind)
{
    switch (family) {
    case 0x00:
    case 0x01:
        *out_kind = WEIR_PROXY_LOCAL;
        return 0;
    case 0x11:
        *out_kind = WEIR_PROXY_INET;
        return 12;
    case 0x21:
        *out_kind = WEIR_PROXY_INET6;
        return 36;
    case 0x31:
        *out_kind = WEIR_PROXY_UNIX;
        return (size_t)2 * UNIX_PATH;
    default: /* datagrams, among others */
        return SIZE_MAX;
    }
}

static void read_unix(const char *at, weir_proxy_end_t *end)
{
    end->path = (weir_span_t){at, strnlen(at, UNIX_PATH)};
}

static void read_ends(const char *at, weir_proxy_header_t *out)
{
    size_t size = out->kind == WEIR_PROXY_INET ? 4 : 16;

    if (out->kind == WEIR_PROXY_UNIX) {
        read_unix(at, &out->source);
        read_unix(at + UNIX_PATH, &out->destination);
        return;
    }
    memcpy(out->source.address, at, size);
    memcpy(out->destination.address, at + size, size);
    out->source.port = (uint16_t)read_u16(at + 2 * size);
    out->destination.port = (uint16_t)read_u16(at + 2 * size + 2);
}

static weir_proxy_progress_t read_v2(weir_span_t bytes, weir_proxy_header_t *out, size_t *out_consumed_bytes)
{
    size_t known = sizeof(signature) - 1, addresses = 0, total;
    bool is_local;

    if (memcmp(bytes.base, signature, bytes.len < known ? bytes.len : known) != 0)
        return WEIR_PROXY_BROKEN;
    if (bytes.len <= known)
        return WEIR_PROXY_PARTIAL;
    is_local = bytes.base[known] == 0x20;
    if (!is_local && bytes.base[known] != 0x21)
        return WEIR_PROXY_BROKEN;
    if (bytes.len <= known + 1)
        return WEIR_PROXY_PARTIAL;
    if (!is_local)
        addresses = addresses_bytes((uint8_t)bytes.base[known + 1], &out->kind);
    if (addresses == SIZE_MAX)
        return WEIR_PROXY_BROKEN;
    if (bytes.len < V2_FIXED)
        return WEIR_PROXY_PARTIAL;
    total = V2_FIXED + read_u16(bytes.base + known + 2);
    if (total > WEIR_PROXY_V2_BYTES || total < V2_FIXED + addresses)
        return WEIR_PROXY_BROKEN;
    if (bytes.len < total)
        return WEIR_PROXY_PARTIAL;
    *out_consumed_bytes = total;
    if (out->kind == WEIR_PROXY_LOCAL) /* UNSPEC says not even where its TLVs begin */
        return WEIR_PROXY_COMPLETE;
    read_ends(bytes.base + V2_FIXED, out);
    return read_tlvs((weir_span_t){bytes.base, total},
                     (weir_span_t){bytes.base + V2_FIXED + addresses, total - V2_FIXED - addresses}, &out->tlvs)
               ? WEIR_PROXY_COMPLETE
               : WEIR_PROXY_BROKEN;
}

weir_proxy_progress_t weir_proxy_header_read(weir_span_t bytes, weir_proxy_header_t *out_header, size_t *out_consumed_bytes)
{
    *out_header = (weir_proxy_header_t){0};
    if (bytes.len == 0)
        return WEIR_PROXY_PARTIAL;
    return bytes.base[0] == 'P' ? read_v1(bytes, out_header, out_consumed_bytes)
                                : read_v2(bytes, out_header, out_consumed_bytes);
}
