/* In place of outbox_postgres.c, where the library is built without PostgreSQL. */
#include "complain.h"
#include "outbox.h"

static bool refuse(struct outbox *outbox, const char *url, uint32_t lease_ms) {
    (void)url, (void)lease_ms;
    complain("%s: this bb-notify was built without PostgreSQL (BB_WEBHOOK_POSTGRES=OFF): --outbox "
             "takes the path of a SQLite file",
             outbox->name);
    return false;
}

static void close_nothing(struct outbox *outbox) {
    (void)outbox;
}

const struct outbox_backend outbox_postgres = {.open = refuse, .close = close_nothing};
