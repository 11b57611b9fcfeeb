#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "support/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
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

void program_result_free(program_result *result) {
    free(result->out);
    free(result->err);
    *result = (program_result){0};
}
