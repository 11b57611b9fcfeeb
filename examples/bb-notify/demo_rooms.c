#include "demo_rooms.h"

#include <stdio.h>

/* The paths and secrets have the form of real ones. */
static const struct room {
    bb_type type;
    bb_language language;
    const char *name;
    const char *path;
    const char *secret;
    const char *keyword; /* what the room demands; the library adds it by itself */
} rooms[DEMO_ROOMS] = {
    {BB_SLACK, BB_ENGLISH, "#db-changes", "/services/T0DEMO001/B0DEMO001/6oL3Zk0nWbV1sYt4eRq8uJxA",
     NULL, NULL},
    {BB_DISCORD, BB_ENGLISH, "# db-changes",
     "/api/webhooks/1382011520038440960/pV7kQ2mX9aLr_T4cYd-Ns1wHj6bGf8ZuEo0RiKxM3tCvPqBy", NULL,
     NULL},
    {BB_TEAMS, BB_ENGLISH, "DB changes",
     "/powerautomate/automations/direct/workflows/5a1f7c3e9b2d4860/triggers/manual/paths/invoke"
     "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=w7QeX2n-Kd0_uY5rBz8LmTcV",
     NULL, NULL},
    {BB_DINGTALK, BB_CHINESE, "数据库变更群",
     "/robot/send"
     "?access_token=3f9a0c5be71d48266e0b9d14c7a85f32d1e6047b8c29fa53b6d07e418f25ca90",
     "SEC5d1f0b7a9c3e8246", "Bytebase"},
    {BB_FEISHU, BB_CHINESE, "数据库变更",
     "/open-apis/bot/v2/hook/8c1d2f60-4b7e-4a93-9d15-e0f3a6b27c48", "q2Wm7Tz0KcVb4XyLs9Rd1A",
     "Bytebase"},
    {BB_WECOM, BB_ENGLISH, "DB changes",
     "/cgi-bin/webhook/send?key=693a91f6-7c1e-4bc4-97a0-0ec2d1fa5aaa", NULL, NULL},
    {BB_CUSTOM, BB_ENGLISH, "audit service", "/hooks/bb", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
     NULL},
};

void demo_receiver_rooms(struct receiver_room out[DEMO_ROOMS]) {
    for (size_t i = 0; i < DEMO_ROOMS; i++)
        out[i] = (struct receiver_room){rooms[i].type, rooms[i].secret, rooms[i].keyword};
}

int demo_add_webhooks(bb_dispatcher *dispatcher, unsigned port, bb_error *error) {
    int code = BB_OK;
    for (size_t i = 0; i < DEMO_ROOMS && code == BB_OK; i++) {
        char url[256];
        bb_webhook webhook = BB_WEBHOOK_INIT;
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, rooms[i].path);
        webhook.id = bb_type_name(rooms[i].type);
        webhook.name = rooms[i].name;
        webhook.type = rooms[i].type;
        webhook.url = url;
        webhook.secret = rooms[i].secret;
        webhook.language = rooms[i].language;
        webhook.activities = BB_ACTIVITY_ALL;
        webhook.allow_any_host = 1;
        code = bb_dispatcher_add(dispatcher, &webhook, error);
    }
    return code;
}
