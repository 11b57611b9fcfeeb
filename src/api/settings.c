#include "api/settings.h"

#include "delivery/proxy.h"
#include "delivery/retry.h"
#include "driver/clock.h"
#include "driver/resolver.h"
#include "event/headers.h"

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
    if (options->connect_timeout_ms > options->timeout_ms) /* which is of the whole attempt */
        options->connect_timeout_ms = options->timeout_ms;
    fill_in(&options->post_timeout_ms, 30000);
    fill_in(&options->max_parallel, 64);
    if (!options->user_agent || !*options->user_agent)
        options->user_agent = "bb_webhook/" BB_WEBHOOK_VERSION;
    if (options->ca_file && !*options->ca_file)
        options->ca_file = NULL;
}

static void fill_in_background(bb_background_options *options) {
    enum { DAY_S = 24 * 60 * 60 };
    if (options->retry_delay_count == 0)
        options->retry_delays_ms = NULL;
    if (!options->retry_delays_ms) {
        options->retry_delays_ms = bb_retry_delays_ms;
        options->retry_delay_count = bb_retry_delay_count;
    }
    if (options->max_waiting_bytes == 0)
        options->max_waiting_bytes = 256 * 1024 * 1024;
    if (options->dns_servers && !*options->dns_servers)
        options->dns_servers = NULL;
    fill_in(&options->max_waiting, 100000);
    fill_in(&options->max_in_flight, 512);
    fill_in(&options->slow_after_ms, 100);
    fill_in(&options->breaker_failures, 5);
    fill_in(&options->breaker_percent, 70);
    fill_in(&options->breaker_open_ms, 30000);
    fill_in(&options->breaker_open_max_ms, 600000);
    fill_in(&options->disable_after_s, 5 * DAY_S);
}

/* What is wrong, or NULL. */
static const char *find_mistake(const bb_background_options *o) {
    if (o->retry_delay_count > BB_RETRY_DELAYS_MAX)
        return "retry_delay_count: is more than 100";
    if (o->max_in_flight > 65536)
        return "max_in_flight: is more than 65,536";
    if (o->breaker_percent > 100)
        return "breaker_percent: is more than 100";
    if (o->when_full > BB_FULL_DROP_OLDEST)
        return "when_full: is neither BB_FULL_REFUSE nor BB_FULL_DROP_OLDEST";
    if (o->resolver > BB_RESOLVER_SYSTEM)
        return "resolver: is neither BB_RESOLVER_CARES nor BB_RESOLVER_SYSTEM";
    if (o->dns_servers && !bb_resolver_is_server_list(o->dns_servers))
        return "dns_servers: is not a list of addresses such as 192.0.2.53,[2001:db8::53]:5353";
    return NULL;
}

static int read_background(bb_background_options *own, const bb_background_options *given,
                           bb_error *error) {
    *own = (bb_background_options)BB_BACKGROUND_OPTIONS_INIT;
    int code = given ? bb_struct_read(own, sizeof *own, given, "options.background", error) : BB_OK;
    if (code)
        return code;
    fill_in_background(own);
    const char *mistake = find_mistake(own);
    return mistake ? bb_fail(error, BB_ERR_ARGUMENT, "options.background.%s", mistake) : BB_OK;
}

static int read_egress(struct bb_settings *settings, const bb_egress *given, bb_error *error) {
    bb_egress *own = &settings->egress;
    char said[120];
    *own = (bb_egress)BB_EGRESS_INIT;
    if (!given)
        return BB_OK;
    int code = bb_struct_read(own, sizeof *own, given, "options.egress", error);
    if (code)
        return code;
    const char *mistake = bb_proxy_egress_mistake(own, said);
    if (mistake)
        return bb_fail(error, BB_ERR_ARGUMENT, "options.egress.%s", mistake);
    code = bb_guard_new(&settings->mem, own, &settings->guard, error);
    own->allow_addresses = own->deny_addresses = own->nat64_prefixes = own->ports = NULL;
    return code;
}

static void set_policy(struct bb_settings *settings) {
    settings->policy = (struct bb_policy){
        .bounds = {.guard = settings->guard,
                   .allow_private = settings->options.insecure_allow_private_addresses != 0},
        .allow_http = settings->options.insecure_allow_http != 0,
        .gives_credentials = settings->options.credentials != NULL,
    };
}

int bb_settings_read(struct bb_settings *settings, const bb_options *options, bb_error *error) {
    bb_options *own = &settings->options;
    *own = (bb_options)BB_OPTIONS_INIT;
    settings->guard = NULL;
    int code = options ? bb_struct_read(own, sizeof *own, options, "options", error) : BB_OK;
    if (code == BB_OK)
        code = bb_allocator_read(&settings->mem, own->allocator, error);
    if (code == BB_OK)
        code = read_background(&settings->background, own->background, error);
    if (code)
        return code;
    fill_in_defaults(own);
    settings->has_own_clock = own->clock != NULL;
    if (!own->clock)
        own->clock = system_clock;
    if (!bb_header_value_is_sound(own->user_agent))
        return bb_fail(error, BB_ERR_ARGUMENT, "options.user_agent has a control character in it");
    code = read_egress(settings, own->egress, error);
    own->egress = NULL; /* the caller's, no longer needed */
    set_policy(settings);
    return code;
}

void bb_settings_free(struct bb_settings *settings) {
    bb_mem_free(&settings->mem, settings->guard);
    settings->guard = NULL;
}

int64_t bb_settings_now_ms(const struct bb_settings *settings) {
    return settings->options.clock(settings->options.clock_user);
}

void bb_settings_log(const struct bb_settings *settings, bb_level level, const char *text) {
    if (settings->options.log)
        settings->options.log(settings->options.log_user, level, text);
}
