-- The audit record, schema version 1. Every table and column is described in docs/landscape.md.
--
-- Hot tables (one or more records for every source row) are clustered by small integers and have no other index.
-- Closed enums are small numbers; their CHECKs name exactly the numbers that the program knows.
-- Columns that most records leave at one value have it as DEFAULT, and the writer then leaves them out.

CREATE TABLE runs (
    run_no           INTEGER PRIMARY KEY,
    run_id           TEXT    NOT NULL UNIQUE CHECK (length(run_id) = 26),
    id_high          INTEGER NOT NULL,
    id_low           INTEGER NOT NULL,
    status           INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    started_at       INTEGER NOT NULL,
    completed_at     INTEGER,
    settings         TEXT    NOT NULL,
    settings_path    TEXT    NOT NULL,
    config_hash      BLOB    NOT NULL CHECK (length(config_hash) = 32),
    hash_version     TEXT    NOT NULL,
    topology_hash    BLOB    NOT NULL CHECK (length(topology_hash) = 32),
    grade            INTEGER NOT NULL CHECK (grade BETWEEN 0 AND 2),
    engine_version   TEXT    NOT NULL,
    source_identity  TEXT    NOT NULL,
    field_resolution TEXT    NOT NULL,
    schema_contract  TEXT    NOT NULL,
    export_status    INTEGER NOT NULL DEFAULT 0 CHECK (export_status BETWEEN 0 AND 3),
    owner            TEXT    NOT NULL,
    heartbeat_at     INTEGER NOT NULL,
    error            TEXT,
    content_root     BLOB    CHECK (length(content_root) = 32),
    record_root      BLOB    CHECK (length(record_root) = 32),
    summary          TEXT
) STRICT;

CREATE TABLE nodes (
    run_no         INTEGER NOT NULL REFERENCES runs,
    step           INTEGER NOT NULL,
    node_id        TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    node_type      INTEGER NOT NULL CHECK (node_type BETWEEN 0 AND 5),
    plugin         TEXT    NOT NULL,
    plugin_version TEXT    NOT NULL,
    determinism    INTEGER NOT NULL CHECK (determinism BETWEEN 0 AND 5),
    config         TEXT    NOT NULL,
    config_hash    BLOB    NOT NULL CHECK (length(config_hash) = 32),
    input_schema   TEXT    NOT NULL,
    output_schema  TEXT    NOT NULL,
    PRIMARY KEY (run_no, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE edges (
    run_no    INTEGER NOT NULL REFERENCES runs,
    edge      INTEGER NOT NULL,
    from_step INTEGER NOT NULL,
    to_step   INTEGER NOT NULL,
    label     TEXT    NOT NULL,
    mode      INTEGER NOT NULL CHECK (mode BETWEEN 0 AND 2),
    PRIMARY KEY (run_no, edge),
    FOREIGN KEY (run_no, from_step) REFERENCES nodes,
    FOREIGN KEY (run_no, to_step) REFERENCES nodes
) STRICT, WITHOUT ROWID;

-- Hot: one per source record.
CREATE TABLE rows (
    run_no           INTEGER NOT NULL,
    row_index        INTEGER NOT NULL,
    source_data_hash BLOB    NOT NULL CHECK (length(source_data_hash) = 32),
    read_us          INTEGER NOT NULL,
    valid            INTEGER NOT NULL DEFAULT 1 CHECK (valid BETWEEN 0 AND 1),
    PRIMARY KEY (run_no, row_index)
) STRICT, WITHOUT ROWID;

-- Hot.
CREATE TABLE tokens (
    run_no   INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    branch   TEXT,
    group_no INTEGER,
    PRIMARY KEY (run_no, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE token_parents (
    run_no  INTEGER NOT NULL,
    token   INTEGER NOT NULL,
    ordinal INTEGER NOT NULL DEFAULT 0,
    parent  INTEGER NOT NULL,
    PRIMARY KEY (run_no, token, ordinal)
) STRICT, WITHOUT ROWID;

-- Hot: the states at all nodes but source and sinks (commit A). The source's state is implied by rows.
CREATE TABLE node_states (
    run_no      INTEGER NOT NULL,
    token       INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0,
    status      INTEGER NOT NULL DEFAULT 2 CHECK (status BETWEEN 0 AND 3),
    started_us  INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    waited_us   INTEGER NOT NULL DEFAULT 0,
    output_hash BLOB CHECK (length(output_hash) = 32),
    input_hash  BLOB CHECK (length(input_hash) = 32),
    PRIMARY KEY (run_no, token, step, attempt)
) STRICT, WITHOUT ROWID;

-- Hot: the states at sinks (commit B), apart so that both tables only ever grow at their end.
CREATE TABLE sink_states (
    run_no      INTEGER NOT NULL,
    token       INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0,
    status      INTEGER NOT NULL DEFAULT 2 CHECK (status BETWEEN 0 AND 3),
    started_us  INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    waited_us   INTEGER NOT NULL DEFAULT 0,
    output_hash BLOB CHECK (length(output_hash) = 32),
    input_hash  BLOB CHECK (length(input_hash) = 32),
    PRIMARY KEY (run_no, token, step, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE state_contexts (
    run_no  INTEGER NOT NULL,
    token   INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    context TEXT    NOT NULL,
    PRIMARY KEY (run_no, token, step, attempt)
) STRICT, WITHOUT ROWID;

-- Hot.
CREATE TABLE routing_events (
    run_no  INTEGER NOT NULL,
    token   INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    ordinal INTEGER NOT NULL DEFAULT 0,
    edge    INTEGER NOT NULL,
    reason  TEXT,
    PRIMARY KEY (run_no, token, step, attempt, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    run_no        INTEGER NOT NULL,
    token         INTEGER NOT NULL,
    step          INTEGER NOT NULL,
    attempt       INTEGER NOT NULL DEFAULT 0,
    call_index    INTEGER NOT NULL DEFAULT 0,
    call_no       INTEGER NOT NULL,
    call_type     INTEGER NOT NULL CHECK (call_type BETWEEN 0 AND 3),
    status        INTEGER NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 1),
    latency_us    INTEGER NOT NULL,
    request_hash  BLOB    NOT NULL CHECK (length(request_hash) = 32),
    response_hash BLOB    CHECK (length(response_hash) = 32),
    error         TEXT,
    PRIMARY KEY (run_no, token, step, attempt, call_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    run_no      INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 1),
    status      INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
    attempts    INTEGER NOT NULL CHECK (attempts >= 1),
    started_us  INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    published   INTEGER NOT NULL DEFAULT 0 CHECK (published BETWEEN 0 AND 1),
    error       TEXT,
    PRIMARY KEY (run_no, epoch, step, ordinal),
    FOREIGN KEY (run_no, step) REFERENCES nodes
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    run_no       INTEGER NOT NULL,
    batch_no     INTEGER NOT NULL,
    attempt      INTEGER NOT NULL DEFAULT 0,
    step         INTEGER NOT NULL,
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    trigger_type INTEGER CHECK (trigger_type BETWEEN 0 AND 3),
    reason       TEXT,
    PRIMARY KEY (run_no, batch_no, attempt),
    FOREIGN KEY (run_no, step) REFERENCES nodes
) STRICT, WITHOUT ROWID;

CREATE TABLE batch_members (
    run_no   INTEGER NOT NULL,
    batch_no INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    PRIMARY KEY (run_no, batch_no, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch_outputs (
    run_no   INTEGER NOT NULL,
    batch_no INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    PRIMARY KEY (run_no, batch_no, ordinal)
) STRICT, WITHOUT ROWID;

-- What let tokens go on that had waited across rows: flushes of batches, and merges of branches that came with different
-- rows. `after` says that it came after that row, by a timer or at the end of the source.
CREATE TABLE releases (
    run_no    INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    step      INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    row_index INTEGER NOT NULL,
    after     INTEGER NOT NULL DEFAULT 0 CHECK (after BETWEEN 0 AND 1),
    PRIMARY KEY (run_no, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    run_no          INTEGER NOT NULL,
    epoch           INTEGER NOT NULL,
    step            INTEGER NOT NULL,
    ordinal         INTEGER NOT NULL,
    artifact_type   TEXT    NOT NULL,
    path            TEXT    NOT NULL,
    content_hash    BLOB    NOT NULL CHECK (length(content_hash) = 32),
    size_bytes      INTEGER NOT NULL,
    row_count       INTEGER NOT NULL,
    idempotency_key TEXT    NOT NULL,
    published       INTEGER NOT NULL DEFAULT 0 CHECK (published BETWEEN 0 AND 1),
    PRIMARY KEY (run_no, epoch, step, ordinal),
    FOREIGN KEY (run_no, step) REFERENCES nodes
) STRICT, WITHOUT ROWID;

-- Hot. `terminal` is 0 for `buffered` alone, so that the key lets a token have one terminal outcome and no more.
CREATE TABLE token_outcomes (
    run_no        INTEGER NOT NULL,
    token         INTEGER NOT NULL,
    terminal      INTEGER NOT NULL DEFAULT 1,
    outcome       INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND 9),
    sink          INTEGER,
    error_step    INTEGER,
    error_attempt INTEGER,
    group_no      INTEGER,
    batch_no      INTEGER,
    PRIMARY KEY (run_no, token, terminal),
    CHECK (terminal = (outcome <> 9))
) STRICT, WITHOUT ROWID;

CREATE TABLE validation_errors (
    run_no      INTEGER NOT NULL,
    row_index   INTEGER NOT NULL,
    destination INTEGER,
    reason      TEXT    NOT NULL,
    PRIMARY KEY (run_no, row_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE transform_errors (
    run_no      INTEGER NOT NULL,
    token       INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0,
    destination INTEGER,
    reason      TEXT    NOT NULL,
    PRIMARY KEY (run_no, token, step, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE epochs (
    run_no       INTEGER NOT NULL REFERENCES runs,
    epoch        INTEGER NOT NULL,
    first_row    INTEGER,
    last_row     INTEGER,
    row_count    INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    started_at   INTEGER NOT NULL,
    decided_at   INTEGER NOT NULL,
    acted_at     INTEGER,
    chain_hash   BLOB    NOT NULL CHECK (length(chain_hash) = 32),
    acted_chain  BLOB    CHECK (length(acted_chain) = 32),
    content_root BLOB    NOT NULL CHECK (length(content_root) = 32),
    continuation BLOB    NOT NULL CHECK (length(continuation) = 32),
    positions    BLOB    NOT NULL DEFAULT x'' CHECK (length(positions) % 34 = 0),
    PRIMARY KEY (run_no, epoch)
) STRICT, WITHOUT ROWID;

CREATE INDEX epochs_by_row ON epochs (run_no, first_row);

-- Where to continue; the last two epochs of a run, and those that wait for their sinks.
CREATE TABLE checkpoints (
    run_no          INTEGER NOT NULL,
    epoch           INTEGER NOT NULL,
    source_position TEXT    NOT NULL,
    buffers         TEXT    NOT NULL DEFAULT '',
    hash_state      TEXT    NOT NULL,
    pending         BLOB    NOT NULL DEFAULT x'',
    intents_hash    BLOB    NOT NULL CHECK (length(intents_hash) = 32),
    PRIMARY KEY (run_no, epoch),
    FOREIGN KEY (run_no, epoch) REFERENCES epochs
) STRICT, WITHOUT ROWID;

-- Where each sink that has written continues, as of the last commit B.
CREATE TABLE sink_positions (
    run_no   INTEGER NOT NULL,
    sink     INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    position TEXT    NOT NULL,
    PRIMARY KEY (run_no, sink),
    FOREIGN KEY (run_no, sink) REFERENCES nodes
) STRICT, WITHOUT ROWID;

-- What sinks are about to write, from commit A until commit B of the same epoch.
CREATE TABLE sink_intents (
    run_no INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    sink   INTEGER NOT NULL,
    tokens BLOB    NOT NULL CHECK (length(tokens) % 8 = 0),
    PRIMARY KEY (run_no, epoch, sink),
    FOREIGN KEY (run_no, sink) REFERENCES nodes
) STRICT, WITHOUT ROWID;

-- Each time that a run was taken up after a stop.
CREATE TABLE resumptions (
    run_no          INTEGER NOT NULL REFERENCES runs,
    ordinal         INTEGER NOT NULL,
    resumed_at      INTEGER NOT NULL,
    owner           TEXT    NOT NULL,
    owner_before    TEXT    NOT NULL,
    epoch           INTEGER NOT NULL,
    row_index       INTEGER NOT NULL,
    engine_version  TEXT    NOT NULL,
    settings        TEXT,
    accepted_source TEXT,
    PRIMARY KEY (run_no, ordinal)
) STRICT, WITHOUT ROWID;

-- Packed bodies of an epoch's rows. Purging deletes from here, and the run's checkpoints.
CREATE TABLE bodies (
    run_no INTEGER NOT NULL REFERENCES runs,
    epoch  INTEGER NOT NULL,
    block  BLOB    NOT NULL,
    UNIQUE (run_no, epoch)
) STRICT;

-- Purges of runs' bodies: recorded before anything is deleted, done when nothing of it is left. `older_than_days` is null
-- when the age did not matter.
CREATE TABLE purges (
    purge_no        INTEGER PRIMARY KEY,
    run_no          INTEGER NOT NULL REFERENCES runs,
    status          INTEGER NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 1),
    requested_at    INTEGER NOT NULL,
    finished_at     INTEGER,
    older_than_days INTEGER,
    by_name         INTEGER NOT NULL CHECK (by_name BETWEEN 0 AND 1),
    payload_store   TEXT    NOT NULL,
    blocks          INTEGER NOT NULL DEFAULT 0,
    block_bytes     INTEGER NOT NULL DEFAULT 0,
    files           INTEGER NOT NULL DEFAULT 0,
    file_bytes      INTEGER NOT NULL DEFAULT 0,
    kept_files      INTEGER NOT NULL DEFAULT 0,
    CHECK (status = (finished_at IS NOT NULL))
) STRICT;

-- Large bodies that an open purge has yet to remove from the payload store, or to find that others refer to.
CREATE TABLE purge_files (
    purge_no INTEGER NOT NULL REFERENCES purges,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (purge_no, hash)
) STRICT, WITHOUT ROWID;

-- The append-only log of the database: what was done with which run, and with which key it is signed. Entries are JSON in
-- their canonical form; `peaks` is the frontier of the tree over all entries up to this one.
CREATE TABLE registry (
    number INTEGER PRIMARY KEY,
    run_no INTEGER REFERENCES runs,
    entry  TEXT    NOT NULL,
    peaks  BLOB    NOT NULL CHECK (length(peaks) % 32 = 0)
) STRICT;

CREATE INDEX registry_by_run ON registry (run_no);

-- Signed heads of that log: checkpoints after so many entries.
CREATE TABLE heads (
    size INTEGER PRIMARY KEY,
    note TEXT    NOT NULL
) STRICT;
