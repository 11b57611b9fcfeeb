#include "api/settings.h"

#include "driver/clock.h"

static int64_t system_clock(void *user) {
    (void)user;
    return bb_clock_wall_ms();
}

static void fill_in(uint32_t *value, uint32_t usual) {
    if (*value == 0)
        *value = usual;
}

static void fill_in_defaults(bb_options *options) {
    fill_in(&options->connect_timeout_ms, 5000);
    fill_in(&options->timeout_ms, 15000);
    fill_in(&options->post_timeout_ms, 30000);
    fill_in(&options->max_parallel, 64);
    if (!options->user_agent || !*options->user_agent)
        options->user_agent = "bb_webhook/" BB_WEBHOOK_VERSION;
    if (options->ca_file && !*options->ca_file)
        options->ca_file = NULL;
    if (!options->clock)
        options->clock = system_clock;
}

/* It becomes a header: a line break in it would begin another one. */
static bool is_header_value(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    return true;
}

int bb_settings_read(struct bb_settings *settings, const bb_options *options, bb_error *error) {
    bb_options *own = &settings->options;
    *own = (bb_options)BB_OPTIONS_INIT;
    int code = options ? bb_struct_read(own, sizeof *own, options, "options", error) : BB_OK;
    if (code == BB_OK)
        code = bb_allocator_read(&settings->mem, own->allocator, error);
    if (code)
        return code;
    fill_in_defaults(own);
    if (!is_header_value(own->user_agent))
        return bb_fail(error, BB_ERR_ARGUMENT, "options.user_agent has a control character in it");
    settings->policy.allow_http = own->insecure_allow_http != 0;
    settings->policy.allow_private = own->insecure_allow_private_addresses != 0;
    return BB_OK;
}

int64_t bb_settings_now_ms(const struct bb_settings *settings) {
    return settings->options.clock(settings->options.clock_user);
}

void bb_settings_log(const struct bb_settings *settings, bb_level level, const char *text) {
    if (settings->options.log)
        settings->options.log(settings->options.log_user, level, text);
}
