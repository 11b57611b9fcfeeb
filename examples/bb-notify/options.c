#include "options.h"

#include "complain.h"
#include "demo.h"

#include <bb_webhook.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: bb-notify --config FILE [--json | --dry-run] EVENTS\n"
    "       bb-notify --config FILE --background [--json] [--stats] EVENTS\n"
    "       bb-notify --config FILE [--json] --test NAME\n"
    "       bb-notify --config FILE --outbox FILE enqueue EVENTS\n"
    "       bb-notify --config FILE --outbox FILE [--json] [--forever] deliver\n"
    "       bb-notify --config FILE --outbox FILE [--json] stats\n"
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
    "  -o, --outbox FILE  keep what waits in this SQLite file, which is made if it is missing:\n"
    "                     enqueue puts EVENTS into it and sends nothing; deliver sends what\n"
    "                     is due, then says what waits for later; stats tells what waits\n"
    "      --forever      deliver: go on until SIGINT or SIGTERM\n"
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

enum { OPTION_DEMO = 256, OPTION_FOREVER, OPTION_STATS, OPTION_VERSION };

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"background", no_argument, NULL, 'b'},
                                             {"stats", no_argument, NULL, OPTION_STATS},
                                             {"outbox", required_argument, NULL, 'o'},
                                             {"forever", no_argument, NULL, OPTION_FOREVER},
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
        options->outbox_path = optarg;
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
        seen->unknown = true;
    }
}

static const char *demo_mistake(const struct options *options, const struct seen *seen, int rest) {
    if (options->config_path || options->outbox_path || options->test_name || options->json ||
        options->stats || options->forever || seen->background || seen->dry_run)
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
    if (strcmp(verb, "enqueue") == 0)
        return MODE_ENQUEUE;
    if (strcmp(verb, "deliver") == 0)
        return MODE_DELIVER;
    return strcmp(verb, "stats") == 0 ? MODE_STATS : MODE_POST;
}

static const char *file_mistake(const char *path) {
    if (strncmp(path, "postgres://", 11) == 0 || strncmp(path, "postgresql://", 13) == 0)
        return "an outbox in PostgreSQL is not there yet: --outbox takes the path of a SQLite file";
    /* SQLite's words for a database that ends with the connection */
    if (*path == '\0' || strcmp(path, ":memory:") == 0)
        return "--outbox takes the path of a file, where what waits can stay";
    return NULL;
}

static const char *verb_mistake(const struct options *options, enum mode mode, int rest) {
    if (mode == MODE_POST)
        return "--outbox goes with one of the verbs enqueue, deliver and stats";
    if (options->forever && mode != MODE_DELIVER)
        return "--forever goes with deliver only";
    if (mode == MODE_ENQUEUE && options->json)
        return "--json goes with deliver and stats: enqueue makes no attempt";
    if (mode == MODE_ENQUEUE)
        return rest == 2 ? NULL : "enqueue takes one events file, or - for standard input";
    return rest == 1 ? NULL : "deliver and stats take no events file";
}

static const char *outbox_mistake(const struct options *options, const struct seen *seen,
                                  char **words, int rest) {
    if (seen->background || seen->dry_run || options->test_name || options->stats)
        return "--outbox goes with none of --background, --dry-run, --test and --stats";
    const char *mistake = file_mistake(options->outbox_path);
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
    if (options->outbox_path)
        return outbox_mistake(options, seen, words, rest);
    if (options->forever)
        return "--forever goes with --outbox and deliver only";
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
    if (options->outbox_path)
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
    const char *mistake = find_mistake(options, &seen, words, count);
    if (mistake)
        return fail(mistake, status);
    options->mode = chosen_mode(options, &seen, words);
    bool has_verb = options->outbox_path != NULL;
    take_paths(options, words + has_verb, count - has_verb);
    return true;
}
