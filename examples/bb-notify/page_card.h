/* One product's way to lay a message out: its CSS, and the HTML inside its room. */
#ifndef BB_NOTIFY_PAGE_CARD_H
#define BB_NOTIFY_PAGE_CARD_H

#include <stdio.h>

#include "bb_webhook.h"
#include "page_html.h"
#include "page_markup.h"
#include "receiver.h"
#include "receiver_json.h"

struct page_view {
    FILE *out;
    const bb_event *event;
    const struct receiver_exchange *exchange;
    const struct json *message; /* the request's body */
};

struct page_card {
    const char *product;
    const char *room;  /* what the place is called there */
    const char *class; /* of the room's element; `style` is about it alone */
    const char *style;
    void (*write)(const struct page_view *view);
};

extern const struct page_card page_slack;
extern const struct page_card page_discord;
extern const struct page_card page_teams;
extern const struct page_card page_dingtalk;
extern const struct page_card page_feishu;
extern const struct page_card page_wecom;
extern const struct page_card page_custom;

#endif
