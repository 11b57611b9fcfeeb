#include "support/targets.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
const target targets[TARGETS] = {
    {"https://hooks.slack.com/services/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", NULL,
     {"TQ7WZ3XV9PT2", "BHS5YD8LM4RC6", "kJ2nV8xQw5Tz7Lp3Yc9Rd4Gf"}, BB_SLACK, 0},
    {"https://discord.com/api/webhooks/918273645546372819/mX4-vB7_nQ2wL9sK5jH8gF3dZ6cR1tY0pW", NULL,
     {"918273645546372819", "mX4-vB7_nQ2wL9sK5jH8gF3dZ6cR1tY0pW"}, BB_DISCORD, 0},
    {"https://default0.aa.environment.api.powerplatform.com:443/powerautomate/automations/direct/"
     "workflows/7f3a9c5e1b8d4260/triggers/manual/paths/invoke?api-version=1"
     "&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=pL8kM3nJ6hB9gV2fC5dX7sZ4aQ1w-E_rT0yU", NULL,
     {"7f3a9c5e1b8d4260", "pL8kM3nJ6hB9gV2fC5dX7sZ4aQ1w-E_rT0yU"}, BB_TEAMS, 0},
    {"https://oapi.dingtalk.com/robot/send?access_token="
     "c61f8e2a7d493b05f2e8d6a1c9b7435e0f8a6d2c4b9e7153a8f6c0d2e4b97135",
     "SEC8b5d2f9a6c3e7014d8b6f4a2c0e9758362f1d9b7a5c3e80146d2f8b0a4c6e957",
     {"c61f8e2a7d493b05f2e8d6a1c9b7435e0f8a6d2c4b9e7153a8f6c0d2e4b97135",
      "SEC8b5d2f9a6c3e7014d8b6f4a2c0e9758362f1d9b7a5c3e80146d2f8b0a4c6e957"}, BB_DINGTALK, 0},
    {"https://open.feishu.cn/open-apis/bot/v2/hook/5e9d7b3f-a182-4c60-9f4e-d8b6a2c07135",
     "wT6yH3uJ8kN5mB2vC9xZ",
     {"5e9d7b3f-a182-4c60-9f4e-d8b6a2c07135", "wT6yH3uJ8kN5mB2vC9xZ"}, BB_FEISHU, 0},
    {"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=9a4c7e2f-b6d8-4135-8f0e-c2a7d9b5e361",
     NULL, {"9a4c7e2f-b6d8-4135-8f0e-c2a7d9b5e361"}, BB_WECOM, 0},
    {"https://hooks.example.com/in/Kq7Wz3Xv9Pt2Hs5Y/room?token=d8Lm4Rc6Bn1QgT3fJ9",
     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
     {"Kq7Wz3Xv9Pt2Hs5Y", "d8Lm4Rc6Bn1QgT3fJ9", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, BB_CUSTOM, 0},
    {"https://example.webhook.office.com/webhookb2/8c4f2a6e-91d7@3b5e7c9a-04f8/IncomingWebhook/"
     "d7e5c3a19b8f46024c6e8a0b1d3f5e79/5a7c9e1b-36d8", NULL,
     {"8c4f2a6e-91d7@3b5e7c9a-04f8", "d7e5c3a19b8f46024c6e8a0b1d3f5e79", "5a7c9e1b-36d8"}, BB_TEAMS, 1},
};
/* clang-format on */

bb_webhook target_webhook(const target *t) {
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.name = "ops room";
    webhook.type = t->type;
    webhook.url = t->url;
    webhook.secret = t->secret;
    webhook.activities = BB_ACTIVITY_ALL;
    webhook.teams_connector = t->connector;
    return webhook;
}

/* ---- spellings */

size_t spell(char out[8], char c, spelling how) {
    unsigned byte = (unsigned char)c;
    if (how == PERCENT || (how == QUERY && strchr("/:?&=%@", c)))
        snprintf(out, 8, "%%%02X", byte);
    else if (how == LOWER)
        snprintf(out, 8, "%%%02x", byte);
    else if (how == UNICODE)
        snprintf(out, 8, "\\u%04x", byte);
    else
        snprintf(out, 8, how == SLASHES && c == '/' ? "\\%c" : "%c", c);
    return strlen(out);
}

static bool read_hex(const char *at, size_t digits, char *byte) {
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *hex = "0123456789abcdef", *found = at[i] ? strchr(hex, at[i] | 0x20) : NULL;
        if (!found)
            return false;
        value = value * 16 + (unsigned)(found - hex);
    }
    *byte = (char)value;
    return true;
}

void unspell(const char *from, char *to) {
    while (*from) {
        if (*from == '%' && read_hex(from + 1, 2, to)) {
            from += 3;
        } else if (*from == '\\' && from[1] == 'u' && read_hex(from + 2, 4, to)) {
            from += 6;
        } else {
            from += *from == '\\' && from[1] == '/';
            *to = *from++;
        }
        to += *to != '\0';
    }
    *to = '\0';
}
