/* SPDX-License-Identifier: MIT */
#include "conf/listen_ssl.h"

#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/units.h"

enum { OCSP_INTERVAL_S = 14400, OCSP_MAX_FAILURES = 3 /* as h2o */, COUNT_MOST = 31536000 };

/* The scalars of the mapping as they stand there. */
typedef struct words {
    const yoml_t *certificate_file, *key_file, *minimum, *maximum, *ciphers, *ciphersuites, *preference, *dh_file;
    const yoml_t *verify, *client_ca_file, *neverbleed, *directory, *ocsp_interval, *ocsp_failures, *ocsp_command;
} words_t;

static const struct {
    const char *name;
    size_t offset;
} keys[] = {
    {"certificate-file", offsetof(words_t, certificate_file)},
    {"key-file", offsetof(words_t, key_file)},
    {"minimum-version", offsetof(words_t, minimum)},
    {"min-version", offsetof(words_t, minimum)},
    {"maximum-version", offsetof(words_t, maximum)},
    {"max-version", offsetof(words_t, maximum)},
    {"cipher-suite", offsetof(words_t, ciphers)},
    {"cipher-suite-tls1.3", offsetof(words_t, ciphersuites)},
    {"cipher-preference", offsetof(words_t, preference)},
    {"dh-file", offsetof(words_t, dh_file)},
    {"verify-mode", offsetof(words_t, verify)},
    {"client-ca-file", offsetof(words_t, client_ca_file)},
    {"neverbleed", offsetof(words_t, neverbleed)},
    {"certificate-directory", offsetof(words_t, directory)},
    {"ocsp-update-interval", offsetof(words_t, ocsp_interval)},
    {"ocsp-max-failures", offsetof(words_t, ocsp_failures)},
    {"ocsp-update-cmd", offsetof(words_t, ocsp_command)},
};

static int complain_about_key(const yoml_t *key)
{
    const char *names[sizeof(keys) / sizeof(keys[0]) + 1] = {NULL};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        names[i] = keys[i].name;
    return conf_complain_unknown(key, "ssl", names);
}

static int read_words(const yoml_t *node, words_t *words)
{
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        size_t k = 0;

        while (k < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[k].name, entry->key->data.scalar) != 0)
            k++;
        if (k == sizeof(keys) / sizeof(keys[0]))
            return complain_about_key(entry->key);
        if (entry->value->type != YOML_TYPE_SCALAR)
            return conf_complain(entry->value, "ssl: %s must be a scalar", keys[k].name);
        memcpy((char *)words + keys[k].offset, &entry->value, sizeof(entry->value));
    }
    return 0;
}

static bool is(const yoml_t *node, const char *word)
{
    return strcasecmp(node->data.scalar, word) == 0;
}

static int read_version(const yoml_t *node, int *out_version)
{
    static const struct {
        const char *name;
        int version;
    } versions[] = {{"tlsv1", TLS1_VERSION},
                    {"tlsv1.0", TLS1_VERSION},
                    {"tlsv1.1", TLS1_1_VERSION},
                    {"tlsv1.2", TLS1_2_VERSION},
                    {"tlsv1.3", TLS1_3_VERSION}};

    if (node == NULL)
        return 0;
    if (is(node, "sslv2") || is(node, "sslv3"))
        return conf_complain(node, "ssl: %s is broken, and OpenSSL does not speak it any more", node->data.scalar);
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (is(node, versions[i].name)) {
            *out_version = versions[i].version;
            return 0;
        }
    }
    return conf_complain(node, "ssl: a version is TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3");
}

static int read_preference(const yoml_t *node, bool *out_prefers_ours)
{
    if (node == NULL)
        return 0;
    *out_prefers_ours = is(node, "server");
    return *out_prefers_ours || is(node, "client") ? 0 : conf_complain(node, "ssl: cipher-preference must be client or server");
}

static int read_verify(const words_t *words, weir_tls_verify_t *out_verify)
{
    *out_verify = words->client_ca_file != NULL ? WEIR_TLS_VERIFY_REQUIRE : WEIR_TLS_VERIFY_NONE;
    if (words->verify == NULL)
        return 0;
    if (is(words->verify, "none"))
        *out_verify = WEIR_TLS_VERIFY_NONE;
    else if (is(words->verify, "optional"))
        *out_verify = WEIR_TLS_VERIFY_OPTIONAL;
    else if (is(words->verify, "require"))
        *out_verify = WEIR_TLS_VERIFY_REQUIRE;
    else
        return conf_complain(words->verify, "ssl: verify-mode must be none, optional or require");
    if (*out_verify != WEIR_TLS_VERIFY_NONE && words->client_ca_file == NULL)
        return conf_complain(words->verify, "ssl: verify-mode needs client-ca-file");
    return 0;
}

static int read_neverbleed(const yoml_t *node)
{
    bool is_on;

    if (node == NULL)
        return 0;
    if (!conf_flag_read(node->data.scalar, &is_on))
        return conf_complain(node, "ssl: neverbleed must be ON or OFF");
    if (is_on)
        conf_complain(node, "ssl: neverbleed is not offered and has no effect: keys are in the memory of this process");
    return 0;
}

static int read_count(const yoml_t *node, const char *name, conf_unit_t unit, uint32_t *out_count)
{
    uint64_t count;

    if (node == NULL)
        return 0;
    if (!conf_number_read(node->data.scalar, unit, 0, COUNT_MOST, &count))
        return conf_complain(node, "ssl: %s must be %s from 0 to %d", name, conf_unit_sentence(unit), COUNT_MOST);
    *out_count = (uint32_t)count;
    return 0;
}

static int read_ocsp(const words_t *words, weir_tls_settings_t *settings)
{
    settings->ocsp_interval_s = OCSP_INTERVAL_S;
    settings->ocsp_max_failures = OCSP_MAX_FAILURES;
    if (words->ocsp_command != NULL)
        conf_complain(words->ocsp_command, "ssl: ocsp-update-cmd has no effect: responders are asked without a command");
    if (read_count(words->ocsp_interval, "ocsp-update-interval", CONF_UNIT_S, &settings->ocsp_interval_s) != 0)
        return -1;
    return read_count(words->ocsp_failures, "ocsp-max-failures", CONF_UNIT_NONE, &settings->ocsp_max_failures);
}

static const char *path_of(conf_t *conf, const yoml_t *node)
{
    const char *path;

    if (node == NULL)
        return NULL;
    path = conf_beside_or_here(conf, node->data.scalar);
    return weir_arena_copy(&conf->arena, (weir_span_t){path, strlen(path)}).base;
}

static const char *copy(conf_t *conf, const yoml_t *node)
{
    return node == NULL ? NULL
                        : weir_arena_copy(&conf->arena, (weir_span_t){node->data.scalar, strlen(node->data.scalar)}).base;
}

static const char *or_nothing(const char *text)
{
    return text != NULL ? text : "";
}

static const char *settings_text(conf_t *conf, const weir_tls_settings_t *settings)
{
    return weir_arena_format(&conf->arena, "%d|%d|%s|%s|%d|%s|%d|%s|%s|%u|%u", settings->least_version, settings->most_version,
                             or_nothing(settings->ciphers), or_nothing(settings->ciphersuites), settings->prefers_ours,
                             or_nothing(settings->dh_file), (int)settings->verify, or_nothing(settings->client_ca_file),
                             or_nothing(settings->directory), settings->ocsp_interval_s, settings->ocsp_max_failures)
        .base;
}

int conf_ssl_read(conf_t *conf, const yoml_t *node, conf_ssl_t *out_ssl)
{
    words_t words = {0};
    weir_tls_settings_t *settings = &out_ssl->settings;

    *out_ssl = (conf_ssl_t){.node = node};
    if (node->type != YOML_TYPE_MAPPING)
        return conf_complain(node, "listen: ssl must be a mapping with certificate-file and key-file");
    if (read_words(node, &words) != 0 || read_version(words.minimum, &settings->least_version) != 0 ||
        read_version(words.maximum, &settings->most_version) != 0 || read_neverbleed(words.neverbleed) != 0 ||
        read_preference(words.preference, &settings->prefers_ours) != 0 || read_verify(&words, &settings->verify) != 0 ||
        read_ocsp(&words, settings) != 0)
        return -1;
    if (words.certificate_file == NULL && (words.directory == NULL || words.key_file != NULL))
        return conf_complain(node, "ssl: certificate-file is missing");
    if (words.key_file == NULL && words.certificate_file != NULL)
        return conf_complain(node, "ssl: key-file is missing");
    settings->ciphers = copy(conf, words.ciphers);
    settings->ciphersuites = copy(conf, words.ciphersuites);
    settings->dh_file = path_of(conf, words.dh_file);
    settings->client_ca_file = path_of(conf, words.client_ca_file);
    settings->directory = path_of(conf, words.directory);
    out_ssl->certificate_file = path_of(conf, words.certificate_file);
    out_ssl->key_file = path_of(conf, words.key_file);
    out_ssl->text = settings_text(conf, settings);
    return 0;
}

const char *conf_ssl_grant(conf_t *conf, const conf_ssl_t *ssl, const h2o_hostconf_t *host, weir_listen_t *listen)
{
    char problem[WEIR_TLS_PROBLEM_BYTES];
    const char *name = host != NULL ? host->authority.host.base : NULL;

    if (name != NULL && strcmp(name, "default") == 0)
        name = NULL;
    if (listen->tls == NULL)
        listen->tls = weir_tls_create(&ssl->settings, problem);
    if (listen->tls != NULL && ssl->certificate_file == NULL)
        return NULL;
    if (listen->tls != NULL && weir_tls_add(listen->tls, name, ssl->certificate_file, ssl->key_file, problem))
        return NULL;
    return weir_arena_format(&conf->arena, "ssl: %s", problem).base;
}
