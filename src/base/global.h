/* The few locks of the whole process. A fork waits for whoever has one, so that the child, in which
 * that thread is gone, finds them open. */
#ifndef BB_BASE_GLOBAL_H
#define BB_BASE_GLOBAL_H

enum bb_global {
    BB_GLOBAL_JSON,     /* cJSON_Parse writes a variable of the process's */
    BB_GLOBAL_DIGEST,   /* OpenSSL's algorithms are looked up once */
    BB_GLOBAL_RESOLVER, /* c-ares starts and ends */
    BB_GLOBAL_FILES,    /* what outboxes in SQLite have open */
    BB_GLOBALS
};

/* For moments, and one at a time: nobody may take another one, call back or fork meanwhile. */
void bb_global_lock(enum bb_global which);
void bb_global_unlock(enum bb_global which);

#endif
