#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "support/program.h"

#include "support/server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        abort();
    }
}

static FILE *input_file(const program_options *options) {
    FILE *file = tmpfile();
    require(file != NULL, "tmpfile");
    if (options->input)
        require(fwrite(options->input, 1, options->input_length, file) == options->input_length,
                "fwrite");
    rewind(file);
    return file;
}

static pid_t start(const char *const *arguments, int input, int output, int error) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
    int code = posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    require(code == 0, arguments[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int finish(pid_t pid) {
    int status;
    require(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* All that can be read; the end of a terminal is an error. */
static char *read_all(int descriptor, size_t *length) {
    char *text = NULL, part[4096];
    FILE *memory = open_memstream(&text, length);
    ssize_t count;
    require(memory != NULL, "open_memstream");
    while ((count = read(descriptor, part, sizeof part)) > 0)
        fwrite(part, 1, (size_t)count, memory);
    fclose(memory);
    return text;
}

static char *read_file(FILE *file, size_t *length) {
    rewind(file);
    char *text = read_all(fileno(file), length);
    fclose(file);
    return text;
}

static void run_on_terminal(program_result *result, const char *const *arguments, int input) {
    size_t length;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    require(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0, "posix_openpt");
    int other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    require(other_end >= 0, "ptsname");
    pid_t pid = start(arguments, input, other_end, other_end);
    close(other_end);
    result->out = read_all(terminal, &result->out_length);
    result->err = read_all(terminal, &length);
    result->status = finish(pid);
    close(terminal);
}

static int closed_pipe(void) {
    int ends[2];
    require(pipe(ends) == 0, "pipe");
    close(ends[0]);
    return ends[1];
}

static void run_on_files(program_result *result, const char *const *arguments, int input,
                         program_output kind) {
    size_t length;
    FILE *out = tmpfile(), *err = tmpfile();
    require(out && err, "tmpfile");
    int output = kind == PROGRAM_CLOSED_PIPE ? closed_pipe() : fileno(out);
    result->status = finish(start(arguments, input, output, fileno(err)));
    if (output != fileno(out))
        close(output);
    result->out = read_file(out, &result->out_length);
    result->err = read_file(err, &length);
}

void program_run(program_result *result, const char *const *arguments,
                 const program_options *options) {
    const program_options usual = {0};
    const program_options *chosen = options ? options : &usual;
    FILE *input = input_file(chosen);
    if (chosen->output == PROGRAM_TERMINAL)
        run_on_terminal(result, arguments, fileno(input));
    else
        run_on_files(result, arguments, fileno(input), chosen->output);
    fclose(input);
}

/* ---- next to the test ---- */

struct program {
    pid_t pid;
    int input; /* -1: closed */
    FILE *out, *err;
};

program *program_start(const char *const *arguments) {
    int ends[2];
    program *running = calloc(1, sizeof *running);
    require(running && pipe(ends) == 0, "pipe");
    fcntl(ends[1], F_SETFD, FD_CLOEXEC); /* or the program would hold its own input open */
    running->input = ends[1];
    running->out = tmpfile();
    running->err = tmpfile();
    require(running->out && running->err, "tmpfile");
    running->pid = start(arguments, ends[0], fileno(running->out), fileno(running->err));
    close(ends[0]);
    return running;
}

void program_type(program *running, const char *text) {
    size_t length = strlen(text);
    require(write(running->input, text, length) == (ssize_t)length, "write");
}

void program_close_input(program *running) {
    if (running->input >= 0)
        close(running->input);
    running->input = -1;
}

void program_signal(program *running, int number) {
    require(kill(running->pid, number) == 0, "kill");
}

/* What follows the text on standard error; NULL: it is not there yet. Until the next call. */
static const char *told_after(const program *running, const char *text) {
    static char told[64 * 1024];
    ssize_t length = pread(fileno(running->err), told, sizeof told - 1, 0);
    require(length >= 0, "pread");
    told[length] = '\0';
    const char *at = strstr(told, text);
    return at ? at + strlen(text) : NULL;
}

static const char *wait_told(const program *running, const char *text, int timeout_ms) {
    const struct timespec moment = {.tv_nsec = 2000000};
    int64_t end_ms = server_now_ms() + timeout_ms;
    const char *rest;
    while (!(rest = told_after(running, text)) && server_now_ms() <= end_ms)
        nanosleep(&moment, NULL);
    return rest;
}

int program_wait_told(program *running, const char *text, int timeout_ms) {
    return wait_told(running, text, timeout_ms) != NULL;
}

long program_wait_number(program *running, const char *text, int timeout_ms) {
    const char *rest = wait_told(running, text, timeout_ms);
    char *end = NULL;
    long number = rest ? strtol(rest, &end, 10) : -1;
    return rest && end > rest ? number : -1;
}

void program_finish(program *running, program_result *result) {
    size_t length;
    program_close_input(running);
    result->status = finish(running->pid);
    result->out = read_file(running->out, &result->out_length);
    result->err = read_file(running->err, &length);
    free(running);
}

void program_result_free(program_result *result) {
    free(result->out);
    free(result->err);
    *result = (program_result){0};
}
