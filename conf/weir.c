/* SPDX-License-Identifier: MIT */
#include "weir.h"

int main(int argc, char **argv)
{
    return weir_main(argc, argv);
}
