#include "receiver.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

/* No product takes more than Slack's figure; beyond it a body is read and dropped. */
enum { MAX_BODY = 1 << 20, MAX_HEADERS = 32 };

/* One request, from its first byte; kept once it is answered. */
struct record {
    struct receiver_exchange exchange; /* its pointers lead to the members below */
    struct receiver_header headers[MAX_HEADERS];
    char *target;
    char *method;
    char *body;
    size_t length;
    int begun;
};

struct receiver {
    struct receiver_options options;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    struct record **records;
    size_t count;
};

static void free_record(struct record *record) {
    if (!record)
        return;
    for (size_t i = 0; i < record->exchange.request.header_count; i++) {
        free((char *)record->headers[i].name);
        free((char *)record->headers[i].value);
    }
    free(record->target);
    free(record->method);
    free(record->body);
    free(record);
}

/* The one place where the server shows the request line's bytes undecoded. */
static void *begin_record(void *user, const char *uri, struct MHD_Connection *connection) {
    (void)user;
    (void)connection;
    struct record *record = calloc(1, sizeof *record);
    if (record) {
        record->target = strdup(uri);
        record->body = calloc(1, 1);
    }
    return record;
}

static void end_record(void *user, struct MHD_Connection *connection, void **kept,
                       enum MHD_RequestTerminationCode why) {
    (void)user;
    (void)connection;
    (void)why;
    free_record(*kept);
    *kept = NULL;
}

static enum MHD_Result add_header(void *user, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    struct record *record = user;
    size_t *count = &record->exchange.request.header_count;
    (void)kind;
    if (*count == MAX_HEADERS)
        return MHD_NO;
    record->headers[*count].name = strdup(name);
    record->headers[*count].value = strdup(value ? value : "");
    *count += 1;
    return MHD_YES;
}

static void add_body(struct record *record, const char *data, size_t size) {
    char *grown =
        record->length + size <= MAX_BODY ? realloc(record->body, record->length + size + 1) : NULL;
    if (grown) {
        memcpy(grown + record->length, data, size);
        record->length += size;
        grown[record->length] = '\0';
        record->body = grown;
    }
}

static const struct receiver_room *find_room(const struct receiver *receiver, const char *target) {
    static const struct {
        const char *prefix;
        bb_type type;
    } paths[] = {{"/services/", BB_SLACK},        {"/api/", BB_DISCORD},
                 {"/workflows/", BB_TEAMS},       {"/powerautomate/", BB_TEAMS},
                 {"/robot/", BB_DINGTALK},        {"/open-apis/", BB_FEISHU},
                 {"/cgi-bin/webhook/", BB_WECOM}, {"/hooks/", BB_CUSTOM}};
    bb_type type = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (strncmp(target, paths[i].prefix, strlen(paths[i].prefix)) == 0)
            type = paths[i].type;
    }
    for (size_t i = 0; i < receiver->options.room_count; i++) {
        if (receiver->options.rooms[i].type == type)
            return &receiver->options.rooms[i];
    }
    return NULL;
}

/* The times at which the room was called before; the lock is held. */
static size_t room_times(const struct receiver *receiver, bb_type type, int64_t *times) {
    size_t count = 0;
    for (size_t i = 0; i < receiver->count; i++) {
        if (receiver->records[i]->exchange.type == type)
            times[count++] = receiver->records[i]->exchange.time_ms;
    }
    return count;
}

static void answer_record(const struct receiver *receiver, struct record *record) {
    struct receiver_exchange *exchange = &record->exchange;
    const struct receiver_room *room = find_room(receiver, record->target);
    int64_t *times = calloc(receiver->count + 1, sizeof *times);
    exchange->time_ms = receiver->options.clock(receiver->options.clock_user);
    exchange->type = room ? room->type : 0;
    if (!room || !times) {
        exchange->answer.status = room ? MHD_HTTP_INTERNAL_SERVER_ERROR : MHD_HTTP_NOT_FOUND;
        exchange->answer.content_type = "text/plain";
    } else if (!receiver_check_rate(room, &exchange->request, times,
                                    room_times(receiver, room->type, times), exchange->time_ms,
                                    &exchange->answer)) {
        receiver_check(room, &exchange->request, exchange->time_ms, &exchange->answer);
    }
    free(times);
}

/* Judges the request and takes the record over; false: no memory. */
static int keep_record(struct receiver *receiver, struct record *record) {
    pthread_mutex_lock(&receiver->lock);
    struct record **grown =
        realloc(receiver->records, (receiver->count + 1) * sizeof(*receiver->records));
    if (grown) {
        receiver->records = grown;
        answer_record(receiver, record);
        receiver->records[receiver->count++] = record;
    }
    pthread_mutex_unlock(&receiver->lock);
    return grown != NULL;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   const struct receiver_answer *answer) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(answer->body), (void *)answer->body, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (*answer->retry_after)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned int)answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void begin_request(struct record *record, const char *method,
                          struct MHD_Connection *connection) {
    record->begun = 1;
    record->method = strdup(method);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, record);
}

static void complete_request(struct record *record) {
    struct receiver_request *request = &record->exchange.request;
    request->method = record->method;
    request->target = record->target;
    request->headers = record->headers;
    request->body = record->body;
    request->body_length = record->length;
}

static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **kept) {
    struct record *record = *kept;
    (void)url;
    (void)version;
    if (!record || !record->target || !record->body)
        return MHD_NO;
    if (!record->begun) {
        begin_request(record, method, connection);
        return record->method ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        add_body(record, data, *size);
        *size = 0;
        return MHD_YES;
    }
    complete_request(record);
    if (!keep_record(user, record))
        return MHD_NO;
    *kept = NULL;
    return send_answer(connection, &record->exchange.answer);
}

static struct MHD_Daemon *start_daemon(struct receiver *receiver) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, handle,
                            receiver, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                            MHD_OPTION_URI_LOG_CALLBACK, begin_record, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, end_record, NULL, MHD_OPTION_END);
}

struct receiver *receiver_start(const struct receiver_options *options) {
    struct receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return NULL;
    receiver->options = *options;
    pthread_mutex_init(&receiver->lock, NULL);
    receiver->daemon = start_daemon(receiver);
    if (!receiver->daemon) {
        receiver_stop(receiver);
        return NULL;
    }
    return receiver;
}

void receiver_stop(struct receiver *receiver) {
    if (!receiver)
        return;
    if (receiver->daemon)
        MHD_stop_daemon(receiver->daemon);
    for (size_t i = 0; i < receiver->count; i++)
        free_record(receiver->records[i]);
    free(receiver->records);
    pthread_mutex_destroy(&receiver->lock);
    free(receiver);
}

unsigned receiver_port(const struct receiver *receiver) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(receiver->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

size_t receiver_count(struct receiver *receiver) {
    pthread_mutex_lock(&receiver->lock);
    size_t count = receiver->count;
    pthread_mutex_unlock(&receiver->lock);
    return count;
}

const struct receiver_exchange *receiver_exchange_at(struct receiver *receiver, size_t index) {
    pthread_mutex_lock(&receiver->lock);
    const struct receiver_exchange *exchange =
        index < receiver->count ? &receiver->records[index]->exchange : NULL;
    pthread_mutex_unlock(&receiver->lock);
    return exchange;
}
