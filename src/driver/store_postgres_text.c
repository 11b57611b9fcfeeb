/*
 * The statements. What they read of the large tables is found by their indexes, whatever the
 * statistics say, which are never right for tables that change so fast: rows are named one by one,
 * in a LATERAL query for each or by number = ANY(...), and never left to a join's plan.
 */
#include "driver/store_postgres_db.h"

#define NOW_MS BB_PG_NOW_MS
#define TEXT(parameter) BB_PG_UTF8(parameter)
#define TEXTS(parameter) BB_PG_UTF8(parameter) "::text[]"

/* The second number is a table's, so that two outboxes in two schemas do not wait for each other.
 */
#define FAN_OUT_LOCK BB_PG_LOCKS ", 'bb_event'::regclass::oid::int"
#define ORDER_LOCK BB_PG_LOCKS ", 'bb_delivery'::regclass::oid::int"

/* clang-format off */

/* ---- parts ---- */

/* Rows that are still leased by whoever names them ($1 their numbers, $2 the leases), locked in the
 * order of their numbers, as everybody does: so nobody waits in a circle. */
#define OWN_ROWS(columns, arrays, names)                                                           \
    "WITH own AS MATERIALIZED ("                                                                   \
    "  SELECT d.*" columns " FROM"                                                                 \
    "  (SELECT * FROM unnest($1::bigint[], $2::bigint[]" arrays ") AS u(number, lease" names ")"   \
    "   ORDER BY number) AS s"                                                                     \
    "  CROSS JOIN LATERAL (SELECT number, webhook, event, enqueued_ms FROM bb_delivery"            \
    "   WHERE number = s.number AND lease = s.lease FOR UPDATE) AS d) "

#define ARE_OWN "number = ANY(ARRAY(SELECT number FROM own))"

/* What is told of a row that is leased (`r`); an event's JSON comes with its first one. */
#define LEASED_ROW(r, order, json)                                                                 \
    r ".number, " r ".webhook, " r ".event, " r ".enqueued_ms, " r ".due_ms, " r ".order_key, "    \
    r ".attempts, " r ".steps, " r ".unknowns, " r ".claims,"                                      \
    " CASE WHEN row_number() OVER (PARTITION BY " r ".event ORDER BY " order ") = 1"               \
    " THEN " json " END"

#define JSON_OF(r) "(SELECT json FROM bb_event e WHERE e.number = " r ".event)"

/* Leases what `choice` finds for each of the webhooks $1, of each at most as many as $3 says. */
#define LEASE(choice, by)                                                                          \
    "WITH chosen AS MATERIALIZED ("                                                                \
    "  SELECT c.number FROM unnest($1::bigint[], $3::bigint[]) AS q(webhook, most)"                \
    "  CROSS JOIN LATERAL (SELECT number FROM bb_delivery"                                         \
    "   WHERE webhook = q.webhook AND lease = 0 AND " choice                                       \
    "   ORDER BY " by ", number LIMIT q.most FOR UPDATE SKIP LOCKED) AS c),"                       \
    " leased AS ("                                                                                 \
    "  UPDATE bb_delivery SET lease = $4, leased_until_ms = (SELECT " NOW_MS ") + $5,"             \
    "  claims = claims + 1"                                                                        \
    "  WHERE number = ANY(ARRAY(SELECT number FROM chosen)) RETURNING *)"                          \
    " SELECT " LEASED_ROW("l", "l.webhook, l." by ", l.number", JSON_OF("l"))                      \
    " FROM leased l ORDER BY l.webhook, l." by ", l.number"

/* Of a webhook (`h`): when the first that waits is due, since when the oldest waits, its pause. */
#define TIMES(h)                                                                                   \
    "(SELECT due_ms FROM bb_delivery WHERE webhook = " h ".number AND lease = 0 AND NOT is_held"   \
    "  ORDER BY due_ms, number LIMIT 1),"                                                          \
    " (SELECT enqueued_ms FROM bb_delivery WHERE webhook = " h ".number AND lease = 0"             \
    "  ORDER BY enqueued_ms, number LIMIT 1), " h ".paused_until_ms"

/* The latest ends of a webhook w, with so many of now. */
#define ENDED(count)                                                                               \
    "coalesce((SELECT array_agg(k.at ORDER BY k.at) FROM (SELECT at FROM unnest(w.ended_ms ||"     \
    " array_fill(" NOW_MS ", ARRAY[" count "])) AS u(at) ORDER BY at DESC LIMIT w.ends_kept)"      \
    " AS k), '{}')"

/* ---- statements ---- */

static const char *const texts[BB_PG_STATEMENTS] = {
    /* Whatever the database's defaults are. */
    [BB_PG_BEGIN] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    [BB_PG_BEGIN_READING] = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",

    /* What a pass writes may be lost with the server's memory: it is only done once more then. */
    [BB_PG_SETTINGS] =
        "SELECT set_config('statement_timeout', '4s', true),"
        " set_config('synchronous_commit', 'off', true),"
        " set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),"
        " set_config('jit', 'off', true)",
    [BB_PG_SAFE_SETTINGS] = "SELECT set_config('statement_timeout', '4s', true)",
    [BB_PG_COMMIT] = "COMMIT",
    [BB_PG_ROLLBACK] = "ROLLBACK",

    [BB_PG_PUT] =
        "INSERT INTO bb_event(json, webhooks, order_keys, key, enqueued_ms, due_ms)"
        " VALUES(" TEXT("$1") ", " TEXTS("$2") ", $3::bigint[], " TEXT("$4") ", $5, $6)"
        " ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING",

    /* Without a key, which is what most events are, there is nothing that it might meet; on a
     * connection in UTF-8 nothing has to be converted, which would be a sixth of an INSERT. */
    [BB_PG_PUT_PLAIN] = "INSERT INTO bb_event(json, webhooks, order_keys, enqueued_ms, due_ms)"
                        " VALUES($1, $2, $3, $4, $5)",

    /* As BB_PG_PUT, of arrays, an element for each event; tells the places of those left out. */
    [BB_PG_PUT_MANY] =
        "WITH e AS MATERIALIZED ("
        "  SELECT * FROM unnest(" TEXTS("$1") ", " TEXTS("$2") ", " TEXTS("$3") ", " TEXTS("$4") ")"
        "  WITH ORDINALITY AS e(json, webhooks, order_keys, key, place)),"
        " put AS ("
        "  INSERT INTO bb_event(json, webhooks, order_keys, key, enqueued_ms, due_ms)"
        "  SELECT json, webhooks::text[], order_keys::bigint[], key, $5, $6 FROM e ORDER BY place"
        "  ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING RETURNING key)"
        " SELECT k.place FROM"
        " (SELECT key, place, row_number() OVER (PARTITION BY key ORDER BY place) AS n FROM e"
        "  WHERE key IS NOT NULL) AS k"
        " WHERE k.n > 1 OR NOT EXISTS (SELECT FROM put WHERE put.key = k.key) ORDER BY k.place",

    /* The first of an index each; of leases none that lasts on, also of those that are gone. */
    [BB_PG_LOOK] =
        "SELECT coalesce((SELECT 1 FROM bb_event WHERE open IS NULL ORDER BY number LIMIT 1), 0),"
        " coalesce((SELECT 1 FROM bb_delivery WHERE lease <> 0 AND leased_until_ms <="
        "  (SELECT " NOW_MS ") ORDER BY leased_until_ms LIMIT 1), 0),"
        " (SELECT max(version) FROM bb_outbox_version)",

    /* Who wants what was written by SQL. One process at a time: what others have matched by then
     * is theirs. */
    [BB_PG_MATCH] =
        "UPDATE bb_event e SET json = m.json, webhooks = m.webhooks::text[],"
        " order_keys = m.order_keys::bigint[]"
        " FROM unnest($1::bigint[], " TEXTS("$2") ", " TEXTS("$3") ", " TEXTS("$4") ")"
        " AS m(number, json, webhooks, order_keys)"
        " WHERE e.number = m.number AND e.number = ANY($1::bigint[])"
        " AND e.open IS NULL AND e.webhooks IS NULL"
        " AND (SELECT pg_try_advisory_xact_lock(" FAN_OUT_LOCK "))",

    /* One process at a time fans out; the others find nothing. Up to $1 events, of which those that
     * one transaction can do in its time are told: until their deliveries, or what SQL has written
     * of them in units of 2,000 bytes, are $2. They are not locked: what others had fanned out, or
     * taken back, between this one's look and its lock is left out by the statements that follow. */
    [BB_PG_NEW_EVENTS] =
        "WITH new AS MATERIALIZED ("
        "  SELECT number, 0 <> ANY(order_keys) AS is_ordered, cardinality(webhooks) = 0 AS is_unwanted,"
        "  CASE WHEN webhooks IS NULL THEN json END AS json,"
        "  coalesce(cardinality(webhooks), octet_length(json) / 2000) AS weight FROM bb_event"
        "  WHERE open IS NULL AND (SELECT pg_try_advisory_xact_lock(" FAN_OUT_LOCK "))"
        "  ORDER BY number LIMIT $1)"
        " SELECT number, is_ordered::int, is_unwanted::int, json, (SELECT count(*) FROM new)"
        " FROM (SELECT *, sum(weight) OVER"
        "  (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM new)"
        " AS n WHERE before IS NULL OR before < $2 ORDER BY number",

    /* Nobody can read them, so nobody wants them: letters of webhook 0, with numbers of deliveries.
     */
    [BB_PG_BURY_EVENTS] =
        "WITH bad AS ("
        "  UPDATE bb_event e SET open = 0, dead = 1, key = NULL"
        "  FROM unnest($1::bigint[], " TEXTS("$2") ") AS s(event, reason)"
        "  WHERE e.number = s.event AND e.number = ANY($1::bigint[]) AND e.open IS NULL"
        "  RETURNING e.number, e.enqueued_ms, s.reason)"
        " INSERT INTO bb_dead(number, webhook, event, enqueued_ms, died_ms, attempts, verdict,"
        " reason) SELECT nextval(pg_get_serial_sequence('bb_delivery', 'number')), 0, number,"
        " enqueued_ms, " NOW_MS ", 0, 3, reason FROM bad",

    /* A statement of its own: as a part of the fan-out, which has them seldom, it would read every
     * event once more. */
    [BB_PG_DROP_UNWANTED] = "DELETE FROM bb_event WHERE number = ANY($1::bigint[])"
                            " AND open IS NULL AND cardinality(webhooks) = 0",

    /* Whoever adds to, or ends, a delivery that others wait for: else one that is added while its
     * predecessor ends would be held for ever. */
    [BB_PG_LOCK_ORDER] = "SELECT pg_advisory_xact_lock(" ORDER_LOCK ")",

    [BB_PG_ADD_WEBHOOKS_OF] =
        "INSERT INTO bb_webhook(id) SELECT w.id FROM"
        " (SELECT DISTINCT unnest(webhooks) AS id FROM bb_event WHERE number = ANY($1::bigint[])"
        "  OFFSET 0) AS w"
        " WHERE w.id IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM bb_webhook h WHERE h.id = w.id) ORDER BY w.id"
        " ON CONFLICT DO NOTHING",

    /* Makes deliveries of the events $1. Those of the webhooks $2, of each at most as many as $3
     * says and $7 in all, are leased as they are made, when nothing keeps them from being sent; the
     * rest is told by its webhooks. */
    [BB_PG_FAN_OUT] =
        "WITH fanned AS ("
        "  UPDATE bb_event SET open = cardinality(webhooks)"
        "  WHERE number = ANY($1::bigint[]) AND open IS NULL AND cardinality(webhooks) > 0"
        "  RETURNING number, enqueued_ms, due_ms, webhooks, order_keys, json),"
        " wanted AS MATERIALIZED ("
        "  SELECT f.number AS event, f.enqueued_ms, f.due_ms, h.number AS webhook,"
        "  coalesce(w.order_key, 0) AS order_key, w.place FROM fanned f"
        "  CROSS JOIN LATERAL unnest(f.webhooks, f.order_keys) WITH ORDINALITY"
        "  AS w(id, order_key, place)"
        "  CROSS JOIN LATERAL (SELECT number FROM bb_webhook WHERE id = w.id LIMIT 1) AS h),"
        " held AS ("
        "  SELECT w.*, w.order_key <> 0 AND (row_number() OVER"
        "   (PARTITION BY w.webhook, w.order_key ORDER BY w.event, w.place) > 1"
        "   OR EXISTS (SELECT FROM bb_delivery d WHERE d.webhook = w.webhook AND"
        "    d.order_key = w.order_key AND d.order_key <> 0)) AS is_held,"
        "  row_number() OVER (ORDER BY w.event, w.place) AS among_all,"
        "  row_number() OVER (PARTITION BY w.webhook ORDER BY w.event, w.place) AS among_its"
        "  FROM wanted w),"
        " leasable AS ("
        "  SELECT h.*, NOT h.is_held AND h.due_ms <= $4 AND h.among_its <= q.room"
        "   AND h.among_all <= $7 AS is_leased"
        "  FROM held h LEFT JOIN unnest($2::bigint[], $3::bigint[]) AS q(number, room)"
        "  ON q.number = h.webhook),"
        " put AS ("
        "  INSERT INTO bb_delivery(webhook, event, enqueued_ms, due_ms, order_key, is_held, lease,"
        "  leased_until_ms, claims) SELECT webhook, event, enqueued_ms, due_ms, order_key, is_held,"
        "  CASE WHEN is_leased THEN $5::bigint ELSE 0 END,"
        "  CASE WHEN is_leased THEN (SELECT " NOW_MS ") + $6 ELSE 0 END,"
        "  CASE WHEN is_leased THEN 1 ELSE 0 END"
        "  FROM leasable ORDER BY event, place RETURNING *)"
        " (SELECT " LEASED_ROW("p", "p.number", "f.json") " FROM put p"
        "  JOIN fanned f ON f.number = p.event WHERE p.lease <> 0 ORDER BY p.number)"
        " UNION ALL SELECT DISTINCT NULL::bigint, webhook, NULL::bigint, NULL::bigint,"
        "  NULL::bigint, NULL::bigint, NULL::integer, NULL::integer, NULL::integer, NULL::integer,"
        "  NULL FROM put WHERE lease = 0",

    [BB_PG_ADD_WEBHOOKS] =
        "INSERT INTO bb_webhook(id) SELECT DISTINCT w.id FROM unnest(" TEXTS("$1") ") AS w(id)"
        " WHERE NOT EXISTS (SELECT FROM bb_webhook h WHERE h.id = w.id) ORDER BY w.id"
        " ON CONFLICT DO NOTHING",
    [BB_PG_FIND_WEBHOOKS] =
        "SELECT h.number, " TIMES("h") " FROM unnest(" TEXTS("$1") ") WITH ORDINALITY AS w(id, place)"
        " LEFT JOIN bb_webhook h ON h.id = w.id ORDER BY w.place",

    [BB_PG_TIMES] =
        "SELECT h.number, " TIMES("h") " FROM unnest($1::bigint[]) AS q(webhook)"
        " JOIN bb_webhook h ON h.number = q.webhook",

    /* The largest count that any process has asked for stays: one that is configured otherwise must
     * not forget what others still count. */
    [BB_PG_LOCK_TURNS] =
        "WITH free AS MATERIALIZED ("
        "  SELECT w.number, q.ends_kept FROM bb_webhook w"
        "  JOIN unnest($1::bigint[], $2::bigint[]) AS q(number, ends_kept) ON q.number = w.number"
        "  ORDER BY w.number FOR UPDATE OF w SKIP LOCKED),"
        " changed AS ("
        "  UPDATE bb_webhook w SET ends_kept = f.ends_kept FROM free f"
        "  WHERE w.number = f.number AND w.ends_kept < f.ends_kept)"
        " SELECT number FROM free",

    /* What is leased counts as under way. After the lock, so that it is as of then. */
    [BB_PG_TURNS] =
        "SELECT w.number, w.ended_ms, coalesce(l.leased, 0), " NOW_MS
        " FROM bb_webhook w LEFT JOIN"
        " (SELECT webhook, count(*) AS leased FROM bb_delivery WHERE lease <> 0 GROUP BY webhook)"
        " AS l ON l.webhook = w.number WHERE w.number = ANY($1::bigint[])",

    /* A pause of 0 ends it, a negative one leaves it as it is. */
    [BB_PG_NOTE_FLOWS] =
        "WITH own AS MATERIALIZED ("
        "  SELECT w.number, s.ended, s.paused_until_ms FROM bb_webhook w"
        "  JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS"
        "  s(number, ended, paused_until_ms) ON s.number = w.number"
        "  ORDER BY w.number FOR UPDATE OF w)"
        " UPDATE bb_webhook w SET ended_ms = " ENDED("o.ended::int") ", paused_until_ms ="
        " CASE WHEN o.paused_until_ms < 0 THEN w.paused_until_ms WHEN o.paused_until_ms = 0 THEN 0"
        " ELSE greatest(w.paused_until_ms, o.paused_until_ms) END"
        " FROM own o WHERE w.number = o.number",

    [BB_PG_DUE] = LEASE("NOT is_held AND due_ms <= $2", "due_ms"),
    [BB_PG_OLDER] = LEASE("enqueued_ms < $2", "enqueued_ms"),

    [BB_PG_RENEW] =
        OWN_ROWS("", "", "")
        "UPDATE bb_delivery SET leased_until_ms = (SELECT " NOW_MS ") + $3 WHERE " ARE_OWN
        " RETURNING number, lease",

    /* What became of them is not known: they may have been sent. */
    [BB_PG_FREE_EXPIRED] =
        "WITH expired AS MATERIALIZED ("
        "  SELECT number, webhook FROM bb_delivery"
        "  WHERE lease <> 0 AND leased_until_ms <= (SELECT " NOW_MS ")"
        "  ORDER BY leased_until_ms LIMIT 10000 FOR UPDATE SKIP LOCKED),"
        " freed AS ("
        "  UPDATE bb_delivery SET lease = 0 WHERE number = ANY(ARRAY(SELECT number FROM expired))),"
        " own AS MATERIALIZED ("
        "  SELECT w.number, x.ended FROM bb_webhook w"
        "  JOIN (SELECT webhook, count(*)::int AS ended FROM expired GROUP BY webhook) AS x"
        "  ON x.webhook = w.number WHERE w.ends_kept > 0 ORDER BY w.number FOR UPDATE OF w)"
        " UPDATE bb_webhook w SET ended_ms = " ENDED("o.ended")
        " FROM own o WHERE w.number = o.number",

    [BB_PG_RELEASE] =
        OWN_ROWS("", "", "")
        "UPDATE bb_delivery SET lease = 0, claims = claims - 1 WHERE " ARE_OWN,
    [BB_PG_RETRY] =
        OWN_ROWS(", s.due_ms, s.attempts, s.steps, s.unknowns",
                 ", $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]",
                 ", due_ms, attempts, steps, unknowns")
        "UPDATE bb_delivery d SET lease = 0, claims = 0, (due_ms, attempts, steps, unknowns) ="
        " (SELECT o.due_ms, o.attempts, o.steps, o.unknowns FROM own o WHERE o.number = d.number)"
        " WHERE d." ARE_OWN,

    /* Verdict 0, or that and why they are dead, and stay as letters. What is left of an event when
     * none of its deliveries waits any more lets go of its key. */
    [BB_PG_END] =
        OWN_ROWS(", s.attempts, s.verdict, s.reason",
                 ", $3::bigint[], $4::bigint[], " TEXTS("$5"),
                 ", attempts, verdict, reason")
        ", ended AS (DELETE FROM bb_delivery WHERE " ARE_OWN "),"
        " buried AS ("
        "  INSERT INTO bb_dead(number, webhook, event, enqueued_ms, died_ms, attempts, verdict,"
        "  reason) SELECT number, webhook, event, enqueued_ms, " NOW_MS ", attempts, verdict,"
        "  reason FROM own WHERE verdict <> 0),"
        " events AS MATERIALIZED ("
        "  SELECT e.number, e.open - c.ended AS open, e.dead + c.died AS dead FROM"
        "  (SELECT event, count(*)::int AS ended,"
        "   count(*) FILTER (WHERE verdict <> 0)::int AS died FROM own GROUP BY event"
        "   ORDER BY event) AS c"
        "  CROSS JOIN LATERAL"
        "  (SELECT number, open, dead FROM bb_event WHERE number = c.event FOR UPDATE) AS e),"
        " gone AS ("
        "  DELETE FROM bb_event WHERE number ="
        "  ANY(ARRAY(SELECT number FROM events WHERE open <= 0 AND dead <= 0)))"
        " UPDATE bb_event e SET (open, dead, key) ="
        " (SELECT v.open, v.dead, CASE WHEN v.open > 0 THEN e.key END FROM events v"
        "  WHERE v.number = e.number)"
        " WHERE e.number = ANY(ARRAY(SELECT number FROM events WHERE open > 0 OR dead > 0))",

    [BB_PG_LOG] =
        "INSERT INTO bb_attempt(delivery, webhook, at_ms, duration_ms, attempt, verdict, status,"
        " code, words) SELECT s.delivery, s.webhook, n.now_ms, s.duration_ms, s.attempt,"
        " s.verdict, s.status, s.code, s.words"
        " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],"
        " $6::bigint[], " TEXTS("$7") ", " TEXTS("$8") ") AS s(delivery, webhook, duration_ms,"
        " attempt, verdict, status, code, words), (SELECT " NOW_MS " AS now_ms) AS n",

    /* The first of a key is held by nobody. */
    [BB_PG_NEXT_OF_ORDER] =
        "WITH next AS MATERIALIZED ("
        "  SELECT h.number FROM (SELECT DISTINCT webhook, order_key"
        "   FROM unnest($1::bigint[], $2::bigint[]) AS s(webhook, order_key)) AS k"
        "  CROSS JOIN LATERAL (SELECT number FROM bb_delivery WHERE webhook = k.webhook"
        "   AND order_key = k.order_key AND order_key <> 0 ORDER BY number LIMIT 1) AS h)"
        " UPDATE bb_delivery SET is_held = false"
        " WHERE is_held AND number = ANY(ARRAY(SELECT number FROM next))",

    [BB_PG_COUNT_WAITING] = "SELECT count(*) FROM bb_delivery",
    [BB_PG_COUNT_WAITING_OF] = "SELECT count(*) FROM bb_delivery WHERE webhook = $1 AND lease = 0"
                               " AND NOT is_held",
};

/* clang-format on */

const char *bb_postgres_db_text(enum bb_pg which) {
    return texts[which];
}
