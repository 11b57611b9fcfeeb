/* Runs a program to its end and keeps what it printed. A machine that refuses
 * fails the test program. */
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
void program_result_free(program_result *result);

#endif
