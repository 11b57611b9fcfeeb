/* bb-notify: tells webhooks what happened. See --help. */
#include "background.h"
#include "dead.h"
#include "deliver.h"
#include "demo.h"
#include "enqueue.h"
#include "options.h"
#include "outbox_stats.h"
#include "run.h"
#include "session.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

/* Column widths are asked of the locale, and the text is UTF-8 in every one. */
static void use_utf8(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static int run_in(struct session *session, enum mode mode) {
    switch (mode) {
    case MODE_TEST:
        return run_test(session);
    case MODE_BACKGROUND:
        return background_run(session);
    case MODE_ENQUEUE:
        return enqueue_run(session);
    case MODE_DELIVER:
        return deliver_run(session);
    case MODE_STATS:
        return outbox_stats_run(session);
    case MODE_LIST:
        return dead_list_run(session);
    case MODE_REPLAY:
        return dead_replay_run(session);
    case MODE_PURGE:
        return dead_purge_run(session);
    default:
        return run_events(session);
    }
}

static int run(const struct options *options) {
    struct session session;
    int status = EXIT_USAGE;
    if (session_open(&session, options))
        status = run_in(&session, options->mode);
    session_close(&session);
    return status;
}

int main(int argc, char **argv) {
    struct options options;
    int status;
    use_utf8();
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of fflush */
    if (!options_read(argc, argv, &options, &status))
        return status;
    if (options.mode == MODE_DEMO)
        return demo_run(&(struct demo_options){options.events_path, options.page_path});
    return run(&options);
}
