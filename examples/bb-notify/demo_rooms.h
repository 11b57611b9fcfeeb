/* The demo's seven webhooks, and the rooms of the receiver that they lead to. */
#ifndef BB_NOTIFY_DEMO_ROOMS_H
#define BB_NOTIFY_DEMO_ROOMS_H

#include "bb_webhook.h"
#include "receiver.h"

#define DEMO_ROOMS 7

void demo_receiver_rooms(struct receiver_room out[DEMO_ROOMS]);

/* Adds the webhooks, for a receiver that listens on `port`. A bb_code. */
int demo_add_webhooks(bb_dispatcher *dispatcher, unsigned port, bb_error *error);

#endif
