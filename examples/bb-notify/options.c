#include "options.h"

#include "complain.h"
#include "demo.h"
#include "outbox_url.h"

#include <bb_webhook.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: bb-notify --config FILE [--json | --dry-run] EVENTS\n"
    "       bb-notify --config FILE --background [--json] [--stats] EVENTS\n"
    "       bb-notify --config FILE [--json] --test NAME\n"
    "       bb-notify --config FILE --outbox PLACE enqueue EVENTS\n"
    "       bb-notify --config FILE --outbox PLACE [--json] [--forever] deliver\n"
    "       bb-notify --config FILE --outbox PLACE [--json] stats\n"
    "       bb-notify --config FILE --outbox PLACE [--json] [FILTERS] list [NUMBER]\n"
    "       bb-notify --config FILE --outbox PLACE [FILTERS] [--yes] replay [NUMBER]\n"
    "       bb-notify --config FILE --outbox PLACE --before TIME [--yes] purge\n"
    "       bb-notify --demo [EVENTS [PAGE]]\n"
    "\n"
    "Tells the webhooks of a configuration file what happened. EVENTS is a file with\n"
    "one JSON object a line, or - for standard input.\n"
    "\n"
    "  -c, --config FILE  the webhooks, as JSON\n"
    "  -b, --background   deliver as the library does for long-lived programs: again after\n"
    "                     a failure, at each product's pace; ends when nothing waits any\n"
    "                     more, or 10 seconds after SIGINT or SIGTERM\n"
    "      --stats        with it: print its statistics at the end, as Prometheus text\n"
    "  -o, --outbox PLACE keep what waits in this SQLite file, which is made if it is missing,\n"
    "                     or in this PostgreSQL database (postgres://USER@HOST/NAME):\n"
    "                     enqueue puts EVENTS into it and sends nothing; deliver sends what\n"
    "                     is due, then says what waits for later; stats tells what waits;\n"
    "                     list shows dead letters, or the one of that NUMBER with all of its\n"
    "                     attempts; replay makes them wait again, for deliver; purge forgets\n"
    "                     dead letters and attempts that are older than --before\n"
    "      --forever      deliver: go on until SIGINT or SIGTERM\n"
    "      --webhook ID, --verdict dead|retry|unknown, --since TIME, --before TIME, --most N\n"
    "                     the filters of list and replay: of a webhook; by the last attempt's\n"
    "                     verdict; by when they died (UTC, like 2026-01-02T03:04:05Z, or a\n"
    "                     date); the oldest N\n"
    "      --yes          replay and purge: do it; without it they tell what they would do\n"
    "  -n, --dry-run      print each request as one JSON line, send nothing\n"
    "  -j, --json         print one JSON line per delivery (in the background, and by deliver:\n"
    "                     per attempt) instead of a table\n"
    "  -t, --test NAME    send a test message to the webhook of this name or id\n"
    "      --demo         post EVENTS to a receiver inside the program that plays every\n"
    "                     product, and write what the rooms would show to PAGE\n"
    "                     (" DEMO_EVENTS " and " DEMO_PAGE " if not given)\n"
    "  -h, --help         print this\n"
    "      --version      print the version\n"
    "\n"
    "Exit status: 0 all delivered (enqueue: all enqueued), 1 some not, or a line could not be\n"
    "read, or stopped by a signal (which ends --forever with 0), 2 wrong usage or\n"
    "configuration.\n";

enum {
    OPTION_DEMO = 256,
    OPTION_FOREVER,
    OPTION_STATS,
    OPTION_VERSION,
    OPTION_WEBHOOK,
    OPTION_VERDICT,
    OPTION_SINCE,
    OPTION_BEFORE,
    OPTION_MOST,
    OPTION_YES
};

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"background", no_argument, NULL, 'b'},
                                             {"stats", no_argument, NULL, OPTION_STATS},
                                             {"outbox", required_argument, NULL, 'o'},
                                             {"forever", no_argument, NULL, OPTION_FOREVER},
                                             {"webhook", required_argument, NULL, OPTION_WEBHOOK},
                                             {"verdict", required_argument, NULL, OPTION_VERDICT},
                                             {"since", required_argument, NULL, OPTION_SINCE},
                                             {"before", required_argument, NULL, OPTION_BEFORE},
                                             {"most", required_argument, NULL, OPTION_MOST},
                                             {"yes", no_argument, NULL, OPTION_YES},
                                             {"dry-run", no_argument, NULL, 'n'},
                                             {"json", no_argument, NULL, 'j'},
                                             {"test", required_argument, NULL, 't'},
                                             {"demo", no_argument, NULL, OPTION_DEMO},
                                             {"help", no_argument, NULL, 'h'},
                                             {"version", no_argument, NULL, OPTION_VERSION},
                                             {0}};

/* What was seen, before it is known to make sense together. */
struct seen {
    bool background, dry_run, demo, help, version, unknown;
};

/* False: it is none of them. */
static bool take_dead_option(int option, struct dead_options *dead) {
    switch (option) {
    case OPTION_WEBHOOK:
        dead->webhook = optarg;
        return true;
    case OPTION_VERDICT:
        dead->verdict = optarg;
        return true;
    case OPTION_SINCE:
        dead->since = optarg;
        return true;
    case OPTION_BEFORE:
        dead->before = optarg;
        return true;
    case OPTION_MOST:
        dead->most = optarg;
        return true;
    case OPTION_YES:
        dead->yes = true;
        return true;
    default:
        return false;
    }
}

static void take_option(int option, struct options *options, struct seen *seen) {
    switch (option) {
    case 'c':
        options->config_path = optarg;
        break;
    case 'j':
        options->json = true;
        break;
    case 't':
        options->test_name = optarg;
        break;
    case 'b':
        seen->background = true;
        break;
    case OPTION_STATS:
        options->stats = true;
        break;
    case 'o':
        options->outbox_place = optarg;
        break;
    case OPTION_FOREVER:
        options->forever = true;
        break;
    case 'n':
        seen->dry_run = true;
        break;
    case OPTION_DEMO:
        seen->demo = true;
        break;
    case 'h':
        seen->help = true;
        break;
    case OPTION_VERSION:
        seen->version = true;
        break;
    default:
        seen->unknown |= !take_dead_option(option, &options->dead);
    }
}

static const char *demo_mistake(const struct options *options, const struct seen *seen, int rest) {
    if (options->config_path || options->outbox_place || options->test_name || options->json ||
        options->stats || options->forever || seen->background || seen->dry_run ||
        dead_options_given(&options->dead))
        return "--demo goes with no other option";
    return rest > 2 ? "--demo takes an events file and a page, no more" : NULL;
}

static const char *background_mistake(const struct options *options, const struct seen *seen) {
    if (!seen->background)
        return options->stats ? "--stats goes with --background only" : NULL;
    if (seen->dry_run)
        return "--background sends, --dry-run does not: give one of them";
    return options->test_name ? "--test sends one message now: it goes without --background" : NULL;
}

static const char *test_mistake(const struct seen *seen, int rest) {
    if (seen->dry_run)
        return "--test sends, --dry-run does not: give one of them";
    return rest > 0 ? "--test takes no events file" : NULL;
}

/* MODE_POST: there is no such verb. */
static enum mode verb_mode(const char *verb) {
    static const struct {
        const char *verb;
        enum mode mode;
    } verbs[] = {{"enqueue", MODE_ENQUEUE}, {"deliver", MODE_DELIVER}, {"stats", MODE_STATS},
                 {"list", MODE_LIST},       {"replay", MODE_REPLAY},   {"purge", MODE_PURGE}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verb, verbs[i].verb) == 0)
            return verbs[i].mode;
    return MODE_POST;
}

static const char only_dead[] =
    "--webhook, --verdict, --since, --before, --most and --yes go with list, replay and purge only";

/* "host=..." would make a file of that name, which tells a password to everybody. */
static bool looks_like_conninfo(const char *place) {
    place += strspn(place, " ");
    size_t word = strspn(place, "abcdefghijklmnopqrstuvwxyz_");
    return word > 0 && place[word + strspn(place + word, " ")] == '=';
}

static const char *place_mistake(const char *place) {
    if (outbox_url_is(place))
        return outbox_url_mistake(place);
    if (*place != '.' && (strstr(place, "://") || looks_like_conninfo(place)))
        return "--outbox takes the path of a file, or a URL that begins with postgres:// or "
               "postgresql://; a file with :// or = in its name is ./FILE";
    /* SQLite's words for a database that ends with the connection */
    if (*place == '\0' || strcmp(place, ":memory:") == 0)
        return "--outbox takes the path of a file, where what waits can stay";
    return NULL;
}

static const char *dead_verb_mistake(const struct dead_options *dead, enum mode mode, int rest) {
    if (rest > 2)
        return "list and replay take the number of one dead letter, no more";
    if (mode == MODE_PURGE)
        return dead_options_purge_mistake(dead);
    return mode == MODE_LIST ? dead_options_list_mistake(dead) : dead_options_replay_mistake(dead);
}

static const char *verb_mistake(const struct options *options, enum mode mode, int rest) {
    if (mode == MODE_POST)
        return "--outbox goes with one of the verbs enqueue, deliver, stats, list, replay and "
               "purge";
    if (options->forever && mode != MODE_DELIVER)
        return "--forever goes with deliver only";
    if (options->json && mode != MODE_DELIVER && mode != MODE_STATS && mode != MODE_LIST)
        return "--json goes with deliver, stats and list only";
    if (mode >= MODE_LIST)
        return dead_verb_mistake(&options->dead, mode, rest);
    if (dead_options_given(&options->dead))
        return only_dead;
    if (mode == MODE_ENQUEUE)
        return rest == 2 ? NULL : "enqueue takes one events file, or - for standard input";
    return rest == 1 ? NULL : "deliver and stats take no events file";
}

static const char *outbox_mistake(const struct options *options, const struct seen *seen,
                                  char **words, int rest) {
    if (seen->background || seen->dry_run || options->test_name || options->stats)
        return "--outbox goes with none of --background, --dry-run, --test and --stats";
    const char *mistake = place_mistake(options->outbox_place);
    return mistake ? mistake
                   : verb_mistake(options, rest > 0 ? verb_mode(words[0]) : MODE_POST, rest);
}

/* NULL, or why the arguments make no sense together. */
static const char *find_mistake(const struct options *options, const struct seen *seen,
                                char **words, int rest) {
    if (seen->demo)
        return demo_mistake(options, seen, rest);
    if (!options->config_path)
        return "--config is missing";
    if (options->outbox_place)
        return outbox_mistake(options, seen, words, rest);
    if (options->forever)
        return "--forever goes with --outbox and deliver only";
    if (dead_options_given(&options->dead))
        return only_dead;
    const char *mistake = background_mistake(options, seen);
    if (mistake)
        return mistake;
    if (options->test_name)
        return test_mistake(seen, rest);
    return rest == 1 ? NULL : "one events file is needed, or - for standard input";
}

static void take_paths(struct options *options, char **paths, int count) {
    if (count > 0)
        options->events_path = paths[0];
    if (count > 1)
        options->page_path = paths[1];
}

static bool fail(const char *mistake, int *status) {
    if (mistake)
        complain("%s", mistake);
    complain("--help tells how it is used");
    *status = EXIT_USAGE;
    return false;
}

static enum mode chosen_mode(const struct options *options, const struct seen *seen, char **words) {
    if (seen->demo)
        return MODE_DEMO;
    if (options->outbox_place)
        return verb_mode(words[0]);
    if (options->test_name)
        return MODE_TEST;
    if (seen->background)
        return MODE_BACKGROUND;
    return seen->dry_run ? MODE_DRY_RUN : MODE_POST;
}

bool options_read(int argc, char **argv, struct options *options, int *status) {
    struct seen seen = {0};
    int option;
    *options = (struct options){.events_path = DEMO_EVENTS, .page_path = DEMO_PAGE};
    while ((option = getopt_long(argc, argv, "c:bnjt:o:h", long_options, NULL)) != -1)
        take_option(option, options, &seen);
    *status = EXIT_DELIVERED;
    if (seen.unknown) /* getopt_long has named it */
        return fail(NULL, status);
    if (seen.help || seen.version) {
        if (seen.help)
            fputs(usage, stdout);
        else
            printf("bb-notify %s\n", bb_webhook_version());
        return false;
    }
    char **words = argv + optind;
    int count = argc - optind;
    options->dead.number = count > 1 ? words[1] : NULL; /* where the verb takes one */
    const char *mistake = find_mistake(options, &seen, words, count);
    if (mistake)
        return fail(mistake, status);
    options->mode = chosen_mode(options, &seen, words);
    bool has_verb = options->outbox_place != NULL;
    take_paths(options, words + has_verb, count - has_verb);
    return true;
}
