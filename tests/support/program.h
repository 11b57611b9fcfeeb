/* Runs a program to its end, or a test next to it, and keeps what it printed. A machine that
 * refuses fails the test program. */
#ifndef SUPPORT_PROGRAM_H
#define SUPPORT_PROGRAM_H

#include <stddef.h>

/* Where standard output and standard error go. */
typedef enum program_output {
    PROGRAM_FILES = 0,  /* kept, each by itself */
    PROGRAM_TERMINAL,   /* a terminal: kept together, as `out` */
    PROGRAM_CLOSED_PIPE /* standard output: a pipe that no one reads */
} program_output;

typedef struct program_options {
    const char *input; /* standard input; NULL: empty */
    size_t input_length;
    program_output output;
} program_options;

typedef struct program_result {
    int status; /* exit code, or minus the signal's number */
    char *out;  /* NUL-terminated beyond its length */
    size_t out_length;
    char *err;
} program_result;

/* `options` may be NULL. */
void program_run(program_result *result, const char *const *arguments,
                 const program_options *options);

/* One that runs while the test goes on, with a pipe as its standard input and files for the rest.
 */
typedef struct program program;

program *program_start(const char *const *arguments);
void program_type(program *running, const char *text);
void program_close_input(program *running);
void program_signal(program *running, int number);

/* Waits until the text stands in what it has printed on standard error. 1, or 0 when the time is
 * over. */
int program_wait_told(program *running, const char *text, int timeout_ms);

/* The number that follows the text on standard error, once it does; -1 when the time is over. */
long program_wait_number(program *running, const char *text, int timeout_ms);

/* Closes its input, waits for its end, and frees it. */
void program_finish(program *running, program_result *result);

void program_result_free(program_result *result);

#endif
