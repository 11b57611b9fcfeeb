/* What tests of bb-notify share: a directory of their own, a server, the program. */
#ifndef SUPPORT_BB_NOTIFY_H
#define SUPPORT_BB_NOTIFY_H

#include "support/program.h"
#include "support/server.h"

#include <cjson/cJSON.h>

typedef struct notify {
    char directory[64];
    char config[96];
    char events[96];
    server *receiver;
    program_options options; /* of the next run */
    program_result result;   /* of the last one */
} notify;

/* cmocka's setup and teardown. *state is a notify, configured with one Custom webhook
 * at /ops that wants everything, and with one event. */
int notify_setup(void **state);
int notify_teardown(void **state);
#define NOTIFY_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, notify_setup, notify_teardown)

/* In texts of files, ' stands for " and @ for the server's address, so that
 * 'url':'@/hook' is a webhook of it. */
void notify_write_config(notify *fixture, const char *text);
void notify_write_events(notify *fixture, const char *text);

/* A configuration of these webhooks, with what permits a server on loopback. */
void notify_write_webhooks(notify *fixture, const char *webhooks);
#define NOTIFY_LOCAL                                                                               \
    "'insecure_allow_http':true,'insecure_allow_private_addresses':true,'allow_any_host':true"
#define NOTIFY_CUSTOM(name)                                                                        \
    "{'name':'" name "','type':'custom','url':'@/" name "','activities':'all'}"

#define NOTIFY_CREATED "{'activity_type':'bb.issue.create','created_ts':1700000000}\n"

/* What the server answers to requests for `path`. */
void notify_answer(notify *fixture, const char *path, int status, const char *headers,
                   const char *body);
void notify_answer_ok(notify *fixture, const char *path);

/* Runs the program with these arguments, up to NULL, and returns its exit status. */
int notify_run(notify *fixture, ...);

/* Posts the events file: --config, its path, the arguments, and the events' path. */
int notify_post(notify *fixture, ...);

/* Starts it on standard input: --config, its path, the arguments, and "-". Waiting for its end
 * gives its exit status. */
program *notify_start(notify *fixture, ...);
void notify_type(program *running, const char *text); /* ' stands for " */
int notify_finish(notify *fixture, program *running);

/* Line `index` of what was printed, to be deleted. */
cJSON *notify_json_line(const notify *fixture, size_t index);

size_t line_count(const char *text);
void assert_told(const char *text, const char *part);
void assert_not_told(const char *text, const char *part);
const char *text_of(const cJSON *object, const char *name);
double number_of(const cJSON *object, const char *name);

/* "a,b,c": the names of an object's members, written to `names`. */
const char *names_of(const cJSON *object, char *names, size_t size);

#endif
