/* bb-notify --demo: all seven products played on loopback, and a page of what
 * each of their rooms would show. */
#ifndef BB_NOTIFY_DEMO_H
#define BB_NOTIFY_DEMO_H

/* What --demo takes when it is told nothing: paths from the project's top. */
#define DEMO_EVENTS "examples/events.jsonl"
#define DEMO_PAGE "demo.html"

struct demo_options {
    const char *events_path; /* JSON lines; the events to post */
    const char *page_path;   /* the HTML page to write */
};

/* Returns the program's exit code: 0 all delivered, 1 some not, 2 could not run. */
int demo_run(const struct demo_options *options);

#endif
