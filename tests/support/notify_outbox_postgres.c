#include "support/notify_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/postgres.h"

static const char *value_of(const PQconninfoOption *options, const char *keyword) {
    while (strcmp(options->keyword, keyword) != 0)
        options++;
    return options->val;
}

static const char *make(const notify *fixture) {
    static char url[256];
    (void)fixture;
    PQconninfoOption *options = PQconninfoParse(postgres_fresh(), NULL);
    assert_non_null(options);
    snprintf(url, sizeof url, "postgres://%s:" NOTIFY_CANARY "@/%s?host=%s",
             value_of(options, "user"), value_of(options, "dbname"), value_of(options, "host"));
    PQconninfoFree(options);
    return url;
}

static void execute(const char *sql) {
    PGconn *db = postgres_connect();
    postgres_run(db, sql);
    PQfinish(db);
}

const notify_outbox_kind notify_postgres = {
    .name = "PostgreSQL",
    .make = make,
    .execute = execute,
    .no_room = "CREATE FUNCTION full_now() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF (SELECT count(*) FROM bb_event) = 2 THEN RAISE 'no room'; END IF;"
               " RETURN NEW; END $$;"
               "CREATE TRIGGER full_now BEFORE INSERT ON bb_event"
               " FOR EACH ROW EXECUTE FUNCTION full_now()",
    .insert_event = "SELECT bb_enqueue('%s')",
};
