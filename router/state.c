/* SPDX-License-Identifier: MIT */
#include "router/state.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "router/state_text.h"
#include "weir_digest.h"

enum { CHAINS_LEAST = 64, OFFERS_MOST = 256, ORIGIN_BYTES = 4096 };

/* What is wrong with what was said of an app last. */
typedef struct trouble {
    weir_list_t link; /* of all in trouble */
    struct kept *of;
    bool is_refused;
    bool is_unread; /* the problem is the source's, with something newer than `said` */
    char problem[];
} trouble_t;

typedef struct kept {
    struct kept *next;         /* of its chain */
    weir_state_text_t *origin; /* shared with those of the same; never NULL                                */
    weir_state_text_t *said;   /* last; NULL: nothing, it is gone, or could not be read                    */
    weir_state_text_t *held;   /* that routers have taken last: `said`, or what was said before; NULL: none */
    trouble_t *trouble;        /* NULL: none */
    bool adds_name;            /* its name stands behind the origin */
    char app[];
} kept_t;

static struct {
    pthread_mutex_t lock;
    weir_list_t hosts;         /* the newest first */
    weir_list_t trouble;       /* trouble_t        */
    weir_state_text_t *origin; /* the last one: most have the same */
    bool owes_offers;          /* something has changed, and who is in trouble has not been offered again */
    kept_t **chains;
    size_t chain_count;
    weir_state_counts_t counts;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .hosts = {&all.hosts, &all.hosts}, .trouble = {&all.trouble, &all.trouble}};

/* ---- what is kept ---- */

static bool is_text(const weir_state_text_t *text, const char *other)
{
    return text != NULL && strcmp(weir_state_text_json(text), other) == 0;
}

static void replace(weir_state_text_t **slot, weir_state_text_t *text)
{
    weir_state_text_release(*slot);
    *slot = text;
}

/* Routers have taken what was said last. */
static bool is_held(const kept_t *kept)
{
    return kept->said != NULL && kept->held == kept->said;
}

/* Something new is said, of which nobody knows yet whether it can be. */
static void say(kept_t *kept, const char *json)
{
    replace(&kept->said, json == NULL ? NULL : weir_state_text_create(json));
}

/* It can. */
static void hold_said(kept_t *kept)
{
    replace(&kept->held, weir_state_text_hold(kept->said));
}

static const char *origin_of(const weir_state_said_t *said)
{
    return said->origin == NULL ? "" : said->origin;
}

static void note_origin(kept_t *kept, const weir_state_said_t *said)
{
    const char *origin = origin_of(said);

    if (!is_text(all.origin, origin))
        replace(&all.origin, weir_state_text_create(origin));
    replace(&kept->origin, weir_state_text_hold(all.origin));
    kept->adds_name = said->adds_name;
}

static void write_origin(const kept_t *kept, char text[static ORIGIN_BYTES])
{
    const char *origin = weir_state_text_json(kept->origin);

    snprintf(text, ORIGIN_BYTES, "%s%s", origin == NULL ? "" : origin, kept->adds_name ? kept->app : "");
}

static size_t chain_of(const char *app, size_t count)
{
    static const uint64_t key[2] = {0x7374617465, 0x61707073}; /* whoever names apps is trusted with them */

    return weir_siphash(key, (weir_span_t){app, strlen(app)}) % count;
}

static void grow(void)
{
    const size_t count = all.chain_count == 0 ? CHAINS_LEAST : 2 * all.chain_count;
    kept_t **chains = calloc(count, sizeof(*chains));

    WEIR_MUST(chains != NULL);
    for (size_t i = 0; i < all.chain_count; i++)
        for (kept_t *kept = all.chains[i], *next; kept != NULL; kept = next) {
            const size_t at = chain_of(kept->app, count);
            next = kept->next;
            kept->next = chains[at];
            chains[at] = kept;
        }
    free(all.chains);
    all.chains = chains;
    all.chain_count = count;
}

/* NULL, unless it is to be made. */
static kept_t *find(const char *app, bool is_made)
{
    kept_t *kept = all.chain_count == 0 ? NULL : all.chains[chain_of(app, all.chain_count)];

    while (kept != NULL && strcmp(kept->app, app) != 0)
        kept = kept->next;
    if (kept != NULL || !is_made)
        return kept;
    if (all.counts.apps >= 2 * all.chain_count)
        grow();
    const size_t bytes = strlen(app) + 1;
    kept = calloc(1, offsetof(kept_t, app) + bytes < sizeof(*kept) ? sizeof(*kept) : offsetof(kept_t, app) + bytes);
    WEIR_MUST(kept != NULL);
    memcpy(kept->app, app, bytes);
    kept->next = all.chains[chain_of(app, all.chain_count)];
    all.chains[chain_of(app, all.chain_count)] = kept;
    all.counts.apps++;
    return kept;
}

static void end_trouble(kept_t *kept)
{
    if (kept->trouble == NULL)
        return;
    all.counts.refused -= kept->trouble->is_refused;
    all.counts.conflicts -= !kept->trouble->is_refused;
    weir_list_remove(&kept->trouble->link);
    free(kept->trouble);
    kept->trouble = NULL;
}

static void destroy(kept_t *kept)
{
    end_trouble(kept);
    weir_state_text_release(kept->origin);
    weir_state_text_release(kept->said);
    weir_state_text_release(kept->held);
    free(kept);
}

static void forget(kept_t *kept)
{
    kept_t **at = &all.chains[chain_of(kept->app, all.chain_count)];

    while (*at != kept)
        at = &(*at)->next;
    *at = kept->next;
    all.counts.apps--;
    destroy(kept);
}

/* The same was said with its place before: what is read again as it is kept has none. */
static bool is_known(const trouble_t *trouble, bool is_refused, const char *why)
{
    const size_t length = strlen(why), known = trouble == NULL ? 0 : strlen(trouble->problem);

    return is_refused && trouble != NULL && trouble->is_refused && known >= length &&
           strcmp(trouble->problem + known - length, why) == 0;
}

/* Who is in trouble again is behind the others. */
static void note(kept_t *kept, bool is_fine, bool is_unread, const char *why)
{
    const char *what = is_known(kept->trouble, !is_fine, why) ? kept->trouble->problem : why;
    trouble_t *trouble = NULL;

    if (!is_fine || why[0] != '\0') {
        trouble = malloc(sizeof(*trouble) + strlen(what) + 1);
        WEIR_MUST(trouble != NULL);
        *trouble = (trouble_t){.of = kept, .is_refused = !is_fine, .is_unread = is_unread};
        memcpy(trouble->problem, what, strlen(what) + 1);
    }
    end_trouble(kept);
    kept->trouble = trouble;
    if (trouble == NULL)
        return;
    all.counts.refused += trouble->is_refused;
    all.counts.conflicts += !trouble->is_refused;
    weir_list_append(&all.trouble, &trouble->link);
}

/* ---- asking routers ---- */

static weir_state_host_t *of(const weir_list_t *node)
{
    return WEIR_AROUND(node, weir_state_host_t, link);
}

/* Whether a newer one has its name. */
static bool is_replaced(const weir_state_host_t *one)
{
    for (weir_list_t *node = all.hosts.next; node != &one->link; node = node->next)
        if (strcmp(of(node)->name, one->name) == 0)
            return true;
    return false;
}

typedef struct asking {
    const weir_state_host_t *only; /* NULL: all that are in force */
    weir_state_app_t app;
    char *why;
} asking_t;

/* Of several that have something to say, the first is heard; who refuses before who complains. */
static bool ask_one(const weir_state_host_t *one, const asking_t *asking, bool was_fine)
{
    char why[WEIR_STATE_WHY_BYTES] = "";
    const weir_before_t before = weir_at_work_on(NULL, "router", one->router, "state");
    const bool is_fine = one->state(one->shared, &asking->app, why, sizeof(why));

    weir_at_work_back(before);
    if (asking->why[0] == '\0' || (was_fine && !is_fine))
        snprintf(asking->why, WEIR_STATE_WHY_BYTES, "%s", why);
    return is_fine;
}

/* Each is told, also behind one that refuses: they have domains of their own. */
static bool ask(asking_t *asking)
{
    bool is_fine = true;

    asking->why[0] = '\0';
    if (asking->only != NULL)
        return ask_one(asking->only, asking, true);
    for (weir_list_t *node = all.hosts.prev; node != &all.hosts; node = node->prev)
        if (!is_replaced(of(node)))
            is_fine = ask_one(of(node), asking, is_fine) && is_fine;
    return is_fine;
}

static bool ask_with(void *context, const weir_config_t *node)
{
    asking_t *asking = context;

    asking->app.said = node;
    return ask(asking);
}

static bool ask_of_text(asking_t *asking, weir_state_text_t *text)
{
    const char *json = weir_state_text_json(text);
    char why[WEIR_STATE_WHY_BYTES] = "";
    const bool has_nobody = asking->only == NULL && all.hosts.next == &all.hosts; /* it is read for those who come */

    if (json == NULL || has_nobody)
        return ask(asking);
    asking->app.text = text;
    if (weir_config_of_text(json, strlen(json), ask_with, asking, why, sizeof(why)))
        return true;
    if (asking->why[0] == '\0')
        snprintf(asking->why, WEIR_STATE_WHY_BYTES, "%s", why);
    return false;
}

/* ---- a source says something ---- */

static asking_t asking_of(const char *app, const char *origin, char why[WEIR_STATE_WHY_BYTES])
{
    return (asking_t){.app = {.size = sizeof(weir_state_app_t), .name = {app, strlen(app)}, .origin = origin}, .why = why};
}

static bool put(kept_t *kept, const weir_state_said_t *said, char why[WEIR_STATE_WHY_BYTES])
{
    char origin[ORIGIN_BYTES];
    asking_t asking = asking_of(kept->app, origin, why);

    write_origin(kept, origin);
    asking.app.has_more = said->has_more;
    if (said->problem != NULL) {
        snprintf(why, WEIR_STATE_WHY_BYTES, "%s", said->problem);
        return false;
    }
    say(kept, said->json);
    if (said->node == NULL)
        return ask_of_text(&asking, kept->said);
    asking.app.text = kept->said;
    return ask_with(&asking, said->node);
}

/* What was said before, once more. `only` and `has_more` as in asking_t. */
static bool ask_again(const kept_t *kept, weir_state_text_t *text, const weir_state_host_t *only, bool has_more,
                      char why[WEIR_STATE_WHY_BYTES])
{
    char origin[ORIGIN_BYTES];
    asking_t asking = asking_of(kept->app, origin, why);

    write_origin(kept, origin);
    asking.only = only;
    asking.app.has_more = has_more;
    return ask_of_text(&asking, text);
}

/* What could not be before may be now. In the order in which it was said; the others wait for the next change. */
static void offer_again(const kept_t *but)
{
    kept_t *some[OFFERS_MOST];
    size_t count = 0;

    all.owes_offers = false;
    if (all.hosts.next == &all.hosts)
        return; /* nobody is there to take it */
    for (weir_list_t *node = all.trouble.next; node != &all.trouble && count < OFFERS_MOST; node = node->next) {
        const trouble_t *trouble = WEIR_AROUND(node, trouble_t, link);
        if (trouble->of != but && trouble->of->said != NULL && !trouble->is_unread)
            some[count++] = trouble->of;
    }
    for (size_t i = 0; i < count; i++) {
        char why[WEIR_STATE_WHY_BYTES];
        const bool is_fine = ask_again(some[i], some[i]->said, NULL, false, why);
        note(some[i], is_fine, false, why);
        if (is_fine)
            hold_said(some[i]);
    }
}

/* It was read again, and is what it was: nobody is asked. */
static bool is_as_before(const kept_t *kept, const weir_state_said_t *said)
{
    const trouble_t *trouble = kept->trouble;

    if (said->problem != NULL)
        return trouble != NULL && trouble->is_unread && strcmp(trouble->problem, said->problem) == 0;
    return said->json != NULL && is_held(kept) && trouble == NULL && is_text(kept->said, said->json) &&
           is_text(kept->origin, origin_of(said)) && kept->adds_name == said->adds_name;
}

bool weir_state_put(const weir_state_said_t *said, char why[WEIR_STATE_WHY_BYTES])
{
    pthread_mutex_lock(&all.lock);
    kept_t *kept = find(said->app, said->json != NULL || said->problem != NULL);
    bool is_fine = true;

    why[0] = '\0';
    if (kept != NULL && is_as_before(kept, said)) {
        snprintf(why, WEIR_STATE_WHY_BYTES, "%s", said->problem == NULL ? "" : said->problem);
        if (all.owes_offers && !said->has_more)
            offer_again(kept);
        pthread_mutex_unlock(&all.lock);
        return said->problem == NULL;
    }
    if (kept != NULL) {
        note_origin(kept, said);
        is_fine = put(kept, said, why);
        note(kept, is_fine, said->problem != NULL, why);
        all.counts.changes++;
        all.counts.refusals += !is_fine;
        if (is_fine)
            hold_said(kept);
        all.owes_offers = all.owes_offers || is_fine;
        if (all.owes_offers && !said->has_more)
            offer_again(kept);
        if (is_fine && said->json == NULL)
            forget(kept);
    }
    pthread_mutex_unlock(&all.lock);
    return is_fine;
}

bool weir_state_problem(const char *app, char why[WEIR_STATE_WHY_BYTES])
{
    pthread_mutex_lock(&all.lock);
    const kept_t *kept = find(app, false);
    const bool has_problem = kept != NULL && kept->trouble != NULL;
    snprintf(why, WEIR_STATE_WHY_BYTES, "%s", has_problem ? kept->trouble->problem : "");
    pthread_mutex_unlock(&all.lock);
    return has_problem;
}

bool weir_state_would(const weir_state_said_t *said, char why[WEIR_STATE_WHY_BYTES])
{
    weir_state_text_t *text = said->json == NULL ? NULL : weir_state_text_create(said->json);
    char origin[ORIGIN_BYTES];
    asking_t asking = asking_of(said->app, origin, why);

    snprintf(origin, sizeof(origin), "%s%s", origin_of(said), said->adds_name ? said->app : "");
    asking.app.is_only_checked = true;
    why[0] = '\0';
    pthread_mutex_lock(&all.lock);
    const bool is_fine = ask_of_text(&asking, text);
    pthread_mutex_unlock(&all.lock);
    weir_state_text_release(text);
    return is_fine;
}

/* ---- routers come and go ---- */

/* A router that is new: what was said last, and if it will not have that, what others had before. */
static void offer(const weir_state_host_t *one, kept_t *kept, bool has_more)
{
    const bool is_unread = kept->trouble != NULL && kept->trouble->is_unread;
    char why[WEIR_STATE_WHY_BYTES];
    bool is_fine = false;

    if (kept->said != NULL) {
        is_fine = ask_again(kept, kept->said, one, has_more, why);
        if (!is_unread)
            note(kept, is_fine, false, why);
        if (is_fine)
            hold_said(kept);
        else if (is_held(kept)) /* there was no router yet to refuse it */
            replace(&kept->held, NULL);
    }
    if (!is_fine && kept->held != NULL)
        (void)ask_again(kept, kept->held, one, has_more, why);
}

/* Those first that had all they want: what others wanted and did not get, they shall not get by a reload. */
static void offer_all(const weir_state_host_t *one)
{
    const size_t trouble_count = all.counts.refused + all.counts.conflicts;
    kept_t **later = calloc(trouble_count + 1, sizeof(kept_t *));
    size_t left = all.counts.apps, later_count = 0;

    WEIR_MUST(later != NULL);
    for (weir_list_t *node = all.trouble.next; node != &all.trouble && later_count < trouble_count; node = node->next)
        later[later_count++] = WEIR_AROUND(node, trouble_t, link)->of;
    for (size_t i = 0; i < all.chain_count; i++)
        for (kept_t *kept = all.chains[i]; kept != NULL; kept = kept->next)
            if (kept->trouble == NULL)
                offer(one, kept, --left > 0);
    for (size_t i = 0; i < later_count; i++)
        offer(one, later[i], --left > 0);
    free(later);
}

void weir_state_host_enter(weir_state_host_t *one, const weir_state_host_t *what)
{
    *one = *what;
    if (what->state == NULL)
        return;
    weir_list_init(&one->link);
    pthread_mutex_lock(&all.lock);
    offer_all(one);
    weir_list_prepend(&all.hosts, &one->link);
    pthread_mutex_unlock(&all.lock);
}

void weir_state_host_leave(weir_state_host_t *one)
{
    if (one->state == NULL)
        return;
    pthread_mutex_lock(&all.lock);
    weir_list_remove(&one->link);
    pthread_mutex_unlock(&all.lock);
    one->state = NULL;
}

/* ---- looking on ---- */

void weir_state_each(void (*visit)(const weir_state_facts_t *facts, void *context), void *context)
{
    pthread_mutex_lock(&all.lock);
    for (size_t i = 0; i < all.chain_count; i++)
        for (const kept_t *kept = all.chains[i]; kept != NULL; kept = kept->next) {
            const trouble_t *trouble = kept->trouble;
            char origin[ORIGIN_BYTES];
            write_origin(kept, origin);
            const weir_state_facts_t facts = {kept->app, origin, trouble == NULL ? NULL : trouble->problem,
                                              trouble != NULL && trouble->is_refused, kept->held != NULL};
            visit(&facts, context);
        }
    pthread_mutex_unlock(&all.lock);
}

weir_state_counts_t weir_state_counts(void)
{
    pthread_mutex_lock(&all.lock);
    const weir_state_counts_t counts = all.counts;
    pthread_mutex_unlock(&all.lock);
    return counts;
}

void weir_state_forget(void)
{
    pthread_mutex_lock(&all.lock);
    for (size_t i = 0; i < all.chain_count; i++)
        for (kept_t *kept = all.chains[i], *next; kept != NULL; kept = next) {
            next = kept->next;
            destroy(kept);
        }
    free(all.chains);
    all.chains = NULL;
    all.chain_count = 0;
    replace(&all.origin, NULL);
    all.counts = (weir_state_counts_t){0};
    pthread_mutex_unlock(&all.lock);
}
