/*
 * bb_webhook_egress.h: where requests may go, and by which way. The rules of bb_webhook.h
 * hold.
 *
 * What         The address guard judges the socket address that is about to be connected to, never
 *              the text of a URL alone: at each attempt, of a post, of background delivery and its
 *              retries, of the test message, and once more when a kept connection is used again.
 *              Whatever a name leads to today, and however an address is spelled, meets the same
 *              rules. Redirects are not followed. Webhooks for which the rules differ do not share
 *              connections.
 * Rules        the first that holds decides:
 *              1. deny_addresses refuses.
 *              2. allow_addresses allows. A cloud's metadata service, which hands out credentials,
 *                 is only allowed by an entry that is exactly its address (/32, /128, or without a
 *                 slash): 169.254.0.0/16 does not open 169.254.169.254.
 *              3. Refused is what is not public: metadata services (169.254.169.254, 169.254.170.2,
 *                 169.254.170.23, 169.254.0.23, 169.254.42.42, 100.100.100.200, 192.0.0.192,
 *                 168.63.129.16, fd00:ec2::254, fd00:ec2::23, fd20:ce::254, fd00:c1::a9fe:a9fe,
 *                 fd00:100::100:200, fd00:42::42, fd00:a9fe:a9fe::1), loopback, private,
 *                 link-local, CGNAT, protocol assignments, benchmarking, documentation, multicast,
 *                 reserved, broadcast, unspecified; of IPv6 also unique local, site local, Teredo,
 *                 6to4, ::/96, and all that IANA has not given out; and the addresses of this
 *                 host's own interfaces, which are read again once a minute.
 *              4. Anything else is allowed.
 *              ::ffff:0:0/96 and NAT64 (64:ff9b::/96 and nat64_prefixes) are judged by the IPv4
 *              address in them; both lists see them as both. Addresses with a zone are refused.
 * Switches     insecure_allow_private_addresses, of bb_options for every webhook, of bb_webhook for
 *              one (an operator's own receiver inside the network, next to those of tenants), opens
 *              all of rule 3 but the metadata services. Rules 1 and 2 stand above it.
 * Proxies      `proxy` is what every request goes through; those that the environment names are
 *              only looked at where use_environment_proxy asks for it. A receiver's name is
 *              resolved here, its addresses are judged, and the proxy is asked for a tunnel (HTTP
 *              CONNECT, for http:// URLs too, or SOCKS5) to the first that is allowed, or where it
 *              does not get there to the first of the other family: never to a name, which it might
 *              find elsewhere. TLS, its certificate and the Host header stay those of the URL, so a
 *              proxy of http:// or socks5:// sees addresses and encrypted bytes; user name and
 *              password go to the proxy alone. Only the connection to the proxy itself is exempt
 *              from the rules. What the proxy does not manage is a retry (BB_FAILURE_PROXY: and
 *              needs the operator), for nothing was sent.
 * What is told A refused delivery is dead (BB_FAILURE_REFUSED_ADDRESS) and needs the operator. Its
 *              outcome names no address, because tenants may read it; the line in bb_options.log
 *              names the address and the rule, as in
 *              guard: webhook "ops room": not connected to 10.0.0.1 (private), ::1 (loopback)
 */
#ifndef BB_WEBHOOK_EGRESS_H
#define BB_WEBHOOK_EGRESS_H

#include "bb_webhook_event.h"

#ifdef __cplusplus
extern "C" {
#endif

/* bb_options.egress. Lists have commas between their entries; NULL and "" are the usual case. A
 * mistake in one is BB_ERR_ARGUMENT, and the sentence names the field and the entry. */
typedef struct bb_egress {
    size_t struct_size;
    const char *allow_addresses; /* "10.20.0.0/16, fd00:1::/32, 192.0.2.7"; none */
    const char *deny_addresses;  /* the same; none */
    const char *nat64_prefixes;  /* "2001:db8:64::/96": this network's own, 32, 40, 48, 56, 64 or 96
                                    bits of IPv6 (RFC 6052); none but 64:ff9b::/96 */
    const char *ports;           /* "443, 8443, 9000-9100", "*" for any. Usual: 443; with
                                    insecure_allow_http also 80; any where
                                    insecure_allow_private_addresses is set */

    const char *proxy;          /* "http://proxy.example.com:3128", "https://..." or "socks5://...",
                                   each with its port, perhaps with user:password@; NULL: none */
    const char *proxy_user;     /* in place of those in `proxy`; HTTP: Basic, SOCKS5: RFC 1929 */
    const char *proxy_password; /* a secret, as `proxy` is: in no text, wiped when freed */
    const char *no_proxy;       /* hosts that are not reached through `proxy` but directly, as
                                   libcurl's CURLOPT_NOPROXY takes them: names with all that is
                                   below them, addresses, ranges; "*": all */
    const char *source;         /* an interface ("eth1") or one of this host's addresses that
                                   connections are made from, also those to the proxy; look-ups of
                                   names are not. NULL: the system chooses */
    int use_environment_proxy;  /* not 0: the proxies in https_proxy, http_proxy, all_proxy and
                                   no_proxy, by libcurl's rules. Read once, by
                                   bb_dispatcher_new */
    int reserved;               /* zero */
} bb_egress;
#define BB_EGRESS_INIT BB_INIT_STRUCT(bb_egress)

#ifdef __cplusplus
}
#endif

#endif
