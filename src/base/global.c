#include "base/global.h"

#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t locks[BB_GLOBALS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                            PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void lock_all(void) {
    for (size_t i = 0; i < BB_GLOBALS; i++)
        pthread_mutex_lock(&locks[i]);
}

static void unlock_all(void) {
    for (size_t i = BB_GLOBALS; i-- > 0;)
        pthread_mutex_unlock(&locks[i]);
}

static void watch_forks(void) {
    pthread_atfork(lock_all, unlock_all, unlock_all);
}

void bb_global_lock(enum bb_global which) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&locks[which]);
}

void bb_global_unlock(enum bb_global which) {
    pthread_mutex_unlock(&locks[which]);
}
