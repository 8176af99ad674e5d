/* SPDX-License-Identifier: MIT */
#include "conf/completion.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/admin_client.h"
#include "conf/cli_admin.h"
#include "conf/verbs.h"

enum { WAIT_MS = 300, NAMES_MOST = 500, TARGET_BYTES = 4096, PROBLEM_BYTES = 512, OK = 200, WORDS_MOST = 8 };

const char conf_completion_help[] = "       weir completion bash|zsh|fish    what teaches your shell these words\n";

#define OF_A_PROCESS "-s= --socket= -c= --conf= --json"
#define OF_A_ROUTER OF_A_PROCESS " --router="
#define OF_A_STORE " --etcd= --prefix= --ca-file= --certificate-file= --key-file= --server-name= --user= --password-file="

/*
 * Words behind a command, a letter each: a an app, b a backend of it, n a domain, x an app or a domain, v add or remove, t what
 * `state` has behind it, u a URL, s a shell, d a document; . anything. Options with a value have a "=".
 */
static const struct command {
    const char *name, *words, *options;
} commands[] = {
    {"run", "", "-c= --conf="},
    {"check", "", "-c= --conf="},
    {"version", "", ""},
    {"help", "", ""},
    {"demo", "", ""},
    {"docs", "d", ""},
    {"routers", "", OF_A_PROCESS},
    {"apps", "a", OF_A_ROUTER},
    {"backends", "a", OF_A_ROUTER},
    {"add", "a.", OF_A_ROUTER " --id= --weight= --tier= --zone= --max-requests="},
    {"remove", "ab", OF_A_ROUTER " --drain= --cut --wait"},
    {"weight", "ab.", OF_A_ROUTER},
    {"drain", "ab", OF_A_ROUTER " --max= --ramp= --wait"},
    {"off", "ab", OF_A_ROUTER " --max= --wait"},
    {"quarantine", "ab", OF_A_ROUTER " --max="},
    {"up", "ab", OF_A_ROUTER},
    {"pause", "a", OF_A_ROUTER " --max= --wait"},
    {"resume", "a", OF_A_ROUTER " --spread="},
    {"stop", "a", OF_A_ROUTER " --wait"},
    {"domains", "n", OF_A_ROUTER},
    {"domain", "vna", OF_A_ROUTER " --take"},
    {"apply", ".", OF_A_ROUTER},
    {"dump", "", OF_A_ROUTER " --save="},
    {"state", "t", OF_A_ROUTER OF_A_STORE " --lease= --all --remove --dry-run"},
    {"revert", "xb", OF_A_ROUTER},
    {"watch", "", OF_A_ROUTER " --after= --once"},
    {"top", "", OF_A_ROUTER " --once --interval="},
    {"explain", "uu", OF_A_PROCESS " --from= -H= --seed= --request-id="},
    {"reload", "", OF_A_PROCESS},
    {"upgrade", "", OF_A_PROCESS},
    {"connections", "", OF_A_PROCESS " --limit="},
    {"certificates", "", OF_A_PROCESS " --expires-in="},
    {"metrics", "", OF_A_PROCESS},
    {"completion", "s", ""},
};

/* The line up to the cursor. */
typedef struct line {
    const struct command *command;
    const char *word; /* that is half written */
    const char *words[WORDS_MOST];
    size_t word_count;
    const char *socket, *file, *router;
    const char *open; /* an option whose value is half written; NULL: none */
} line_t;

/* ---- what is printed ---- */

/* Nothing that a shell would read as more than a word. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("-._~:/@+,=[]", *text) == NULL)
            return false;
    return true;
}

static void offer(const line_t *line, const char *text)
{
    if (strncmp(text, line->word, strlen(line->word)) == 0 && is_plain(text))
        puts(text);
}

static void offer_words(const line_t *line, const char *words)
{
    for (size_t length; *words != '\0'; words += length + (words[length] != '\0')) {
        char one[64];
        length = strcspn(words, " ");
        snprintf(one, sizeof(one), "%.*s", (int)strcspn(words, "= "), words);
        offer(line, one);
    }
}

/* ---- what the process knows ---- */

static void escape(char *to, size_t size, const char *text)
{
    size_t length = 0;

    for (; *text != '\0' && length + 4 < size; text++)
        length +=
            (size_t)(isalnum((unsigned char)*text) ? snprintf(to + length, size - length, "%c", *text)
                                                   : snprintf(to + length, size - length, "%%%02X", (unsigned char)*text));
    to[length] = '\0';
}

/* The document at a path of the router that is meant; NULL: nobody answers, or it is not there. */
static json_t *ask(const line_t *line, const char *path, bool is_of_router)
{
    char target[TARGET_BYTES], router[TARGET_BYTES / 4], problem[PROBLEM_BYTES];
    char *from_file = line->socket == NULL && line->file != NULL ? conf_cli_socket_of(line->file) : NULL;
    const char *socket = line->socket != NULL ? line->socket : line->file != NULL ? from_file : conf_cli_usual_socket();
    conf_admin_answer_t answer = {0, NULL};

    escape(router, sizeof(router), line->router == NULL ? "" : line->router);
    snprintf(target, sizeof(target), "/v1%s%s%s", is_of_router && line->router != NULL ? "/routers/" : "",
             is_of_router ? router : "", path);
    conf_admin_wait(WAIT_MS);
    if (socket != NULL && conf_admin_call(socket, "GET", target, NULL, &answer, problem, sizeof(problem)) &&
        answer.status != OK) {
        json_decref(answer.document);
        answer.document = NULL;
    }
    free(from_file);
    return answer.document;
}

/* `key` of each object of a list. */
static void offer_each(const line_t *line, json_t *document, const char *list, const char *key, const char *before,
                       const char *behind)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(document, list), i, one)
    {
        const char *name = json_string_value(json_object_get(one, key));
        char text[1024];
        if (name == NULL || snprintf(text, sizeof(text), "%s%s%s", before, name, behind) >= (int)sizeof(text))
            continue;
        offer(line, text);
    }
    json_decref(document);
}

static void offer_apps(const line_t *line)
{
    char path[TARGET_BYTES / 2], prefix[TARGET_BYTES / 4];

    escape(prefix, sizeof(prefix), line->word);
    snprintf(path, sizeof(path), "/apps?limit=%d&prefix=%s", NAMES_MOST, prefix);
    offer_each(line, ask(line, path, true), "apps", "app", "", "");
}

static void offer_backends(const line_t *line)
{
    char path[TARGET_BYTES / 2], app[TARGET_BYTES / 4];

    escape(app, sizeof(app), line->words[0] == NULL ? "" : line->words[0]);
    snprintf(path, sizeof(path), "/apps/%s/backends", app);
    offer_each(line, ask(line, path, true), "backends", "id", "", "");
}

static void offer_domains(const line_t *line)
{
    char path[TARGET_BYTES / 2], prefix[TARGET_BYTES / 4];

    escape(prefix, sizeof(prefix), line->word);
    snprintf(path, sizeof(path), "/domains?limit=%d&prefix=%s", NAMES_MOST, prefix);
    offer_each(line, ask(line, path, true), "domains", "domain", "", "");
}

static void offer_urls(const line_t *line)
{
    const char *scheme = strncmp(line->word, "http://", 7) == 0 ? "http://" : "https://";
    char path[TARGET_BYTES / 2], prefix[TARGET_BYTES / 4];

    escape(prefix, sizeof(prefix), strncmp(line->word, scheme, strlen(scheme)) == 0 ? line->word + strlen(scheme) : "");
    snprintf(path, sizeof(path), "/domains?limit=%d&prefix=%s", NAMES_MOST, prefix);
    offer_each(line, ask(line, path, true), "domains", "domain", scheme, "/");
    if (line->word_count == 0)
        offer_words(line, "GET HEAD POST PUT PATCH DELETE OPTIONS");
}

/* ---- the line ---- */

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Whether it is an option of the command's with a value. */
static bool has_value(const struct command *command, const char *option)
{
    const size_t length = strlen(option);

    for (const char *at = command->options; (at = strstr(at, option)) != NULL; at += length)
        if ((at == command->options || at[-1] == ' ') && at[length] == '=')
            return true;
    return false;
}

static void take_value(line_t *line, const char *option, const char *value)
{
    if (strcmp(option, "-s") == 0 || strcmp(option, "--socket") == 0)
        line->socket = value;
    else if (strcmp(option, "-c") == 0 || strcmp(option, "--conf") == 0)
        line->file = value;
    else if (strcmp(option, "--router") == 0)
        line->router = value;
}

static void read_line(line_t *line, int count, char **words)
{
    line->word = words[count - 1];
    for (int i = 1; i < count - 1; i++) {
        if (words[i][0] == '-' && has_value(line->command, words[i])) {
            if (i + 1 == count - 1)
                line->open = words[i];
            else
                take_value(line, words[i], words[i + 1]);
            i++;
        } else if (words[i][0] != '-' && line->word_count < WORDS_MOST) {
            line->words[line->word_count++] = words[i];
        }
    }
}

static void offer_word(const line_t *line)
{
    switch (line->word_count < strlen(line->command->words) ? line->command->words[line->word_count] : '.') {
    case 'a':
        offer_apps(line);
        break;
    case 'b':
        offer_backends(line);
        break;
    case 'n':
        offer_domains(line);
        break;
    case 'x':
        offer_apps(line);
        offer_domains(line);
        break;
    case 'v':
        offer_words(line, "add remove");
        break;
    case 't':
        offer_words(line, "accept put delete import export diff");
        break;
    case 'u':
        offer_urls(line);
        break;
    case 's':
        offer_words(line, "bash zsh fish");
        break;
    case 'd':
        offer_words(line, "markdown man faults metrics h2o");
        break;
    default:
        break;
    }
}

static int complete(int count, char **words)
{
    line_t line = {.word = count > 0 ? words[count - 1] : ""};

    if (count <= 1) {
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
            offer(&line, commands[i].name);
        return EXIT_FINE;
    }
    line.command = find(words[0]);
    if (line.command == NULL)
        return EXIT_FINE;
    read_line(&line, count, words);
    if (line.open != NULL && strcmp(line.open, "--router") == 0)
        offer_each(&line, ask(&line, "/routers", false), "routers", "name", "", "");
    else if (line.open == NULL && line.word[0] == '-')
        offer_words(&line, line.command->options);
    else if (line.open == NULL)
        offer_word(&line);
    return EXIT_FINE;
}

/* ---- what teaches shells ---- */

/* bash takes a colon for the end of a word, and puts in only what is behind it. */
static const char bash[] = "# weir completion bash > /etc/bash_completion.d/weir\n"
                           "_weir() {\n"
                           "    local line=${COMP_LINE:0:COMP_POINT} cur found i\n"
                           "    local -a words\n"
                           "    IFS=$' \\t' read -r -a words <<<\"$line\"\n"
                           "    [[ $line == *[[:blank:]] ]] && words+=('')\n"
                           "    cur=${words[${#words[@]}-1]}\n"
                           "    mapfile -t COMPREPLY < <(\"${words[0]}\" complete \"${words[@]:1}\" 2>/dev/null)\n"
                           "    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] || return 0\n"
                           "    found=${cur%\"${cur##*:}\"}\n"
                           "    for i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=${COMPREPLY[i]#\"$found\"}; done\n"
                           "}\n"
                           "complete -o default -F _weir weir\n";

static const char zsh[] = "#compdef weir\n"
                          "# weir completion zsh > /usr/local/share/zsh/site-functions/_weir\n"
                          "_weir() {\n"
                          "    local -a found\n"
                          "    found=(${(f)\"$(${words[1]} complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
                          "    if (( ${#found} )); then compadd -a found; else _files; fi\n"
                          "}\n"
                          "if [[ $funcstack[1] == _weir ]]; then _weir \"$@\"; else compdef _weir weir; fi\n";

static const char fish[] = "# weir completion fish > ~/.config/fish/completions/weir.fish\n"
                           "function __weir_complete\n"
                           "    set -l words (commandline -opc)\n"
                           "    $words[1] complete $words[2..-1] (commandline -ct) 2>/dev/null\n"
                           "end\n"
                           "complete -c weir -a '(__weir_complete)'\n";

static int print_script(const char *shell)
{
    static const struct {
        const char *name, *script;
    } scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

    for (size_t i = 0; shell != NULL && i < sizeof(scripts) / sizeof(scripts[0]); i++)
        if (strcmp(scripts[i].name, shell) == 0) {
            fputs(scripts[i].script, stdout);
            return EXIT_FINE;
        }
    fputs("weir: usage: weir completion bash|zsh|fish\n", stderr);
    return EXIT_USAGE;
}

bool conf_completion(int argc, char **argv, int *out_status)
{
    if (argc < 2)
        return false;
    if (strcmp(argv[1], "complete") == 0) {
        *out_status = complete(argc - 2, argv + 2);
        return true;
    }
    if (strcmp(argv[1], "completion") != 0)
        return false;
    *out_status = print_script(argc == 3 ? argv[2] : NULL);
    return true;
}
