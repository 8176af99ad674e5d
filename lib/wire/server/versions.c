/* SPDX-License-Identifier: MIT */
#include "lib/wire/server/versions.h"

#include <h2o/version.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>

#include "lib/wire/back/name_query.h"

const char *weir_version_of_h2o(void)
{
    return H2O_VERSION;
}

const char *weir_version_of_openssl(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

const char *weir_version_of_nghttp2(void)
{
    return nghttp2_version(0)->version_str;
}

const char *weir_version_of_cares(void)
{
    return weir_name_queries_version();
}
