# cmake -DFROM=page.html -DTO=page.c -P page.cmake: the page as bytes of a C file.
file(READ ${FROM} digits HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${digits}")
string(REGEX REPLACE "((0x..,)(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?)" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "/* SPDX-License-Identifier: MIT */
/* Made of lib/admin/page.html. */
#include \"lib/admin/page.h\"

const unsigned char admin_page[] = {
${bytes}0};
const size_t admin_page_bytes = sizeof(admin_page) - 1;
")
