"""PostgreSQL opens and closes an intent in one statement: head, entry, tree and rows move in one function."""

from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = """
CREATE FUNCTION ledger_moment(ms bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT to_char(timestamp '1970-01-01' + ms * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$
"""

# The same steps as holdpoint.ledger.merkle.Frontier.append; a test holds the two against each other.
FRONTIER = r"""
CREATE FUNCTION ledger_frontier(INOUT nodes bytea, size bigint, leaf bytea, OUT tile bytea)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  node bytea := leaf;
  level int := 0;
  kept int := length(nodes);
BEGIN
  WHILE (size >> level) & 1 = 1 LOOP
    node := sha256('\x01'::bytea || substr(nodes, kept - 31, 32) || node);
    kept := kept - 32;
    level := level + 1;
    IF level = 8 THEN tile := node; END IF;
  END LOOP;
  nodes := substr(nodes, 1, kept) || node;
END $$
"""

# The form is the entry's canonical text with holes where only the database knows what belongs there. A hole
# is a random name of this call, so that nothing that somebody wrote can be taken for one.
APPEND = r"""
CREATE FUNCTION ledger_append(
  h head, now_ms bigint, until_ms bigint, p_ticket text, p_key text, p_kind text, p_form text, p_hole text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  number bigint := h.seq + 1;
  form text := p_form;
  bytes bytea;
  hash bytea;
  grown record;
BEGIN
  form := replace(form, '"' || p_hole || 'seq"', number::text);
  form := replace(form, p_hole || 'at', ledger_moment(now_ms));
  form := replace(form, p_hole || 'until', ledger_moment(until_ms));
  bytes := convert_to(form, 'UTF8');
  hash := sha256('\x00'::bytea || bytes);
  SELECT * INTO grown FROM ledger_frontier(h.frontier, h.seq, hash);
  UPDATE head SET seq = number, frontier = grown.nodes WHERE id = 1;
  INSERT INTO entries (seq, ticket, key, kind, raw, leaf)
    VALUES (number, p_ticket, coalesce(p_ticket, '') || '/' || p_key, p_kind, bytes, hash);
  IF grown.tile IS NOT NULL THEN
    INSERT INTO tiles (idx, hash) VALUES (number / 256 - 1, grown.tile);
  END IF;
  RETURN number;
END $$
"""

# Nothing is written, and nothing returned, when a freeze, a lift or a change of holder came in between, or
# when the intent is there already: the caller then looks again. What runs after the lock sees all that was
# committed before it (READ COMMITTED: each statement of a function has a snapshot of its own).
OPEN = """
CREATE FUNCTION ledger_open_intent(
  p_epoch bigint, p_id text, p_ticket text, p_target text, p_direction text, p_service text,
  p_environment text, p_budget bigint, p_request text, p_key text, p_form text, p_hole text,
  OUT opened_seq bigint, OUT deadline_ms bigint
) LANGUAGE plpgsql AS $$
DECLARE
  h head;
  now_ms bigint;
BEGIN
  SELECT * INTO h FROM head WHERE id = 1 FOR UPDATE;
  IF h.epoch <> p_epoch OR EXISTS (SELECT FROM intents WHERE id = p_id) THEN
    RETURN;
  END IF;
  now_ms := extract(epoch FROM clock_timestamp()) * 1000;
  deadline_ms := now_ms + p_budget;
  opened_seq := ledger_append(h, now_ms, deadline_ms, p_ticket, p_key, 'intent.opened', p_form, p_hole);
  INSERT INTO intents (id, ticket, target, direction, service, environment, status, attempt, opened_seq,
      deadline, deferred, request)
    VALUES (p_id, p_ticket, p_target, p_direction, p_service, p_environment, 'open', 1, opened_seq,
      deadline_ms, false, p_request);
  IF p_direction = 'forward' THEN
    UPDATE targets SET dirty = true WHERE target = p_target AND NOT dirty;
  END IF;
END $$
"""

CLOSE = """
CREATE FUNCTION ledger_close_intent(
  p_id text, p_attempt int, p_status text, p_result text, p_ticket text, p_key text, p_form text, p_hole text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  h head;
  now_ms bigint;
BEGIN
  SELECT * INTO h FROM head WHERE id = 1 FOR UPDATE;
  UPDATE intents SET status = p_status, result = p_result
    WHERE id = p_id AND attempt = p_attempt AND status = 'open';
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  now_ms := extract(epoch FROM clock_timestamp()) * 1000;
  RETURN ledger_append(h, now_ms, now_ms, p_ticket, p_key, 'intent.closed', p_form, p_hole);
END $$
"""


def upgrade() -> None:
    """Make the functions."""
    if op.get_bind().dialect.name == "postgresql":
        for function in (MOMENT, FRONTIER, APPEND, OPEN, CLOSE):
            op.execute(function)
