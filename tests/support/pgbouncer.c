#include "support/pgbouncer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/postgres.h"

static const char program[] = "/usr/sbin/pgbouncer"; /* where Debian has it */
static pid_t pooler;

static FILE *write_to(const char *name) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", postgres_folder(), name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "PgBouncer: %s cannot be written\n", path);
        exit(1);
    }
    return file;
}

/* No prepared statements of clients are kept, and nothing is put right between two transactions. */
static void write_settings(int connections) {
    FILE *users = write_to("users.txt"), *settings = write_to("pgbouncer.ini");
    fprintf(users, "\"host\" \"\"\n");
    fprintf(settings,
            "[databases]\n* = host=%s port=%d\n[pgbouncer]\nlisten_addr =\nlisten_port = %d\n"
            "unix_socket_dir = %s\nauth_type = trust\nauth_file = users.txt\n"
            "pool_mode = transaction\ndefault_pool_size = %d\nmax_client_conn = 100\n",
            postgres_folder(), POSTGRES_PORT, PGBOUNCER_PORT, postgres_folder(), connections);
    fclose(users);
    fclose(settings);
}

void pgbouncer_start(int connections) {
    const char *const arguments[] = {"pgbouncer", "pgbouncer.ini", NULL};
    if (access(program, X_OK) != 0) {
        fprintf(stderr, "PgBouncer: it is not installed (%s was not found)\n", program);
        exit(1);
    }
    write_settings(connections);
    pooler = postgres_run_program(program, arguments);
    postgres_wait_for(PGBOUNCER_PORT);
    postgres_go_through(PGBOUNCER_PORT);
}

void pgbouncer_stop(void) {
    kill(pooler, SIGKILL);
    waitpid(pooler, NULL, 0);
    postgres_go_through(POSTGRES_PORT);
}
