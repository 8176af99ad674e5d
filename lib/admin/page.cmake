# cmake -DFROM=lib/admin/page.html -DTO=page.c -DNAME=admin_page -P page.cmake: a file as bytes of a C file, as page.h has them.
file(READ ${FROM} digits HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${digits}")
string(REGEX REPLACE "((0x..,)(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?)" "\\1\n" bytes "${bytes}")
cmake_path(GET FROM FILENAME file)
file(WRITE ${TO} "/* SPDX-License-Identifier: MIT */
/* Made of lib/admin/${file}. */
#include \"lib/admin/page.h\"

const unsigned char ${NAME}[] = {
${bytes}0};
const size_t ${NAME}_bytes = sizeof(${NAME}) - 1;
")
