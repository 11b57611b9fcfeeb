/* nftw() is X/Open's. */
#define _XOPEN_SOURCE 700
#include "support/postgres.h"

#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 30000, PATH_SIZE = 512 };

static char programs[PATH_SIZE]; /* the folder */
static char folder[64];
static pid_t owner; /* a process that was forked off does not end the server */
static pid_t server;
static int databases;
static char conninfo[256];

static void give_up(const char *what) {
    fprintf(stderr, "PostgreSQL: %s\n", what);
    exit(1);
}

/* ------------------------------------------------------------------- programs -- */

static int has_initdb(const char *path) {
    char initdb[PATH_SIZE + 16];
    snprintf(initdb, sizeof(initdb), "%s/initdb", path);
    return access(initdb, X_OK) == 0;
}

static void ask_pg_config(void) {
    FILE *answer = popen("pg_config --bindir 2>/dev/null", "r");
    if (answer == NULL)
        return;
    if (fgets(programs, sizeof(programs), answer) != NULL)
        programs[strcspn(programs, "\n")] = '\0';
    pclose(answer);
}

static void find_programs(void) {
    glob_t found = {0};
    ask_pg_config();
    if (programs[0] != '\0' && has_initdb(programs))
        return;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0 ||
        !has_initdb(found.gl_pathv[found.gl_pathc - 1]))
        give_up("no server is installed (initdb was not found)");
    snprintf(programs, sizeof(programs), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

/* ------------------------------------------------------------------ processes -- */

/* The server refuses to be root's: then it belongs to the user whom its package has made. */
static const struct passwd *unprivileged(void) {
    if (getuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam("postgres");
    if (user == NULL)
        give_up("there is no user postgres to run the server as");
    return user;
}

/* A process group of its own, so that it can be ended with all that it has started; and ended it
 * is, whatever becomes of this program. */
pid_t postgres_run_program(const char *path, const char *const *arguments) {
    const struct passwd *user = unprivileged();
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork failed");
    if (pid > 0)
        return pid;
    setpgid(0, 0);
    if (chdir(folder) != 0 || freopen("log", "a", stdout) == NULL ||
        dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
        _exit(126);
    if (user != NULL && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    execv(path, (char *const *)arguments);
    _exit(127);
}

static pid_t start_program(const char *name, const char *const *arguments) {
    char path[PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/%s", programs, name);
    return postgres_run_program(path, arguments);
}

static void show_log(void) {
    char path[sizeof(folder) + 8], line[512];
    snprintf(path, sizeof(path), "%s/log", folder);
    FILE *log = fopen(path, "r");
    while (log != NULL && fgets(line, sizeof(line), log) != NULL)
        fputs(line, stderr);
    if (log != NULL)
        fclose(log);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void postgres_stop(void) {
    if (server <= 0)
        return;
    kill(server, SIGQUIT);
    waitpid(server, NULL, 0);
    kill(-server, SIGKILL);
    server = 0;
}

static void clean_up(void) {
    if (getpid() != owner)
        return;
    postgres_stop();
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* -------------------------------------------------------------------- cluster -- */

void postgres_wait_for(int at_port) {
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    char where[128];
    snprintf(where, sizeof(where), "host=%s port=%d user=host dbname=postgres", folder, at_port);
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 20) {
        if (PQping(where) == PQPING_OK)
            return;
        nanosleep(&pause, NULL);
    }
    show_log();
    give_up("the server does not answer");
}

void postgres_start(void) {
    const char *const arguments[] = {"postgres",
                                     "-D",
                                     "data",
                                     "-k",
                                     folder,
                                     "-c",
                                     "listen_addresses=",
                                     "-c",
                                     "fsync=off",
                                     "-c",
                                     "max_connections=40",
                                     "-c",
                                     "shared_buffers=128MB",
                                     NULL};
    server = start_program("postgres", arguments);
    postgres_wait_for(POSTGRES_PORT);
}

static void make_cluster(void) {
    const char *const arguments[] = {"initdb",   "-D", "data", "-A",         "trust",     "-U",
                                     "postgres", "-E", "UTF8", "--locale=C", "--no-sync", NULL};
    int status = 0;
    if (waitpid(start_program("initdb", arguments), &status, 0) < 0 || status != 0) {
        show_log();
        give_up("initdb failed");
    }
}

static PGconn *connect_by(const char *where) {
    PGconn *conn = PQconnectdb(where);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    return conn;
}

static PGconn *connect_as_superuser(void) {
    char where[128];
    snprintf(where, sizeof(where), "host=%s port=%d user=postgres dbname=postgres", folder,
             POSTGRES_PORT);
    return connect_by(where);
}

void postgres_start_standby(void) {
    char path[sizeof(folder) + 32];
    snprintf(path, sizeof(path), "%s/data/standby.signal", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        give_up("the server cannot be told to stand by");
    fclose(file);
    postgres_start();
}

void postgres_promote(void) {
    PGconn *conn = connect_as_superuser();
    postgres_run(conn, "SELECT pg_promote(true)::int");
    PQfinish(conn);
}

static void make_server(void) {
    const struct passwd *user = unprivileged();
    owner = getpid();
    snprintf(folder, sizeof(folder), "/tmp/bb_postgres_XXXXXX");
    if (mkdtemp(folder) == NULL)
        give_up("no folder could be made");
    atexit(clean_up);
    if (user != NULL && chown(folder, user->pw_uid, user->pw_gid) != 0)
        give_up("the folder could not be given away");
    find_programs();
    make_cluster();
    postgres_start();
    PGconn *conn = connect_as_superuser();
    postgres_run(conn, "CREATE ROLE host LOGIN");
    PQfinish(conn);
}

/* ------------------------------------------------------------------ databases -- */

const char *postgres_fresh(void) {
    char sql[128];
    if (server == 0)
        make_server();
    PGconn *conn = connect_as_superuser();
    postgres_run(conn, "SET client_min_messages = warning");
    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS case_%d WITH (FORCE)", databases);
    postgres_run(conn, sql);
    snprintf(sql, sizeof(sql), "CREATE DATABASE case_%d OWNER host", ++databases);
    postgres_run(conn, sql);
    PQfinish(conn);
    postgres_go_through(POSTGRES_PORT);
    return conninfo;
}

void postgres_go_through(int port) {
    snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=host dbname=case_%d", folder, port,
             databases);
}

const char *postgres_folder(void) {
    return folder;
}

const char *postgres_conninfo_with(const char *more) {
    static char with[512];
    snprintf(with, sizeof(with), "%s %s", conninfo, more);
    return with;
}

PGconn *postgres_connect(void) {
    return connect_by(conninfo);
}

long long postgres_run(PGconn *conn, const char *sql) {
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    long long number = 0;
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
        number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}
