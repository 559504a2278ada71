-- +goose Up

-- Times are microseconds since 1970.

-- One row for each attempt that has ended. result is 0 ok, 1 skipped, 2 failed,
-- 3 lost, 4 cancelled, 5 replaced, 6 handed over.
CREATE TABLE elastic_run (
    ns          TEXT NOT NULL,
    job         TEXT NOT NULL,
    shard       INTEGER     NOT NULL,
    fence       INTEGER      NOT NULL,
    fire        INTEGER NOT NULL,
    trig        INTEGER      NOT NULL,
    attempt     INTEGER     NOT NULL,
    total       INTEGER     NOT NULL,
    first_fence INTEGER      NOT NULL,
    rev         INTEGER      NOT NULL,
    instance    TEXT NOT NULL,
    started     INTEGER NOT NULL,
    ended       INTEGER NOT NULL,
    took_us     INTEGER      NOT NULL,
    late_us     INTEGER      NOT NULL,
    retries     INTEGER     NOT NULL,
    result      INTEGER    NOT NULL,
    code        TEXT NOT NULL,
    error       TEXT NOT NULL,
    trace       BLOB,
    PRIMARY KEY (ns, job, shard, fence)
);
CREATE INDEX elastic_run_fire ON elastic_run (ns, job, fire, trig, shard, fence);
CREATE INDEX elastic_run_bad ON elastic_run (ns, ended, job, shard, fence) WHERE result NOT IN (0, 1);
CREATE INDEX elastic_run_inst ON elastic_run (ns, instance, ended, job, shard, fence);
CREATE INDEX elastic_run_ended ON elastic_run (ended, job, shard, fence);

-- The attempts of each fire by result, for lists of fires.
CREATE TABLE elastic_fire (
    ns          TEXT NOT NULL,
    job         TEXT NOT NULL,
    fire        INTEGER NOT NULL,
    trig        INTEGER      NOT NULL,
    total       INTEGER     NOT NULL,
    ok          INTEGER     NOT NULL,
    failed      INTEGER     NOT NULL,
    skipped     INTEGER     NOT NULL,
    lost        INTEGER     NOT NULL,
    other       INTEGER     NOT NULL,
    first_start INTEGER NOT NULL,
    last_end    INTEGER NOT NULL,
    PRIMARY KEY (ns, job, fire, trig)
);
CREATE INDEX elastic_fire_end ON elastic_fire (last_end);

CREATE TABLE elastic_missed (
    ns         TEXT NOT NULL,
    job        TEXT NOT NULL,
    first_fire INTEGER NOT NULL,
    shard      INTEGER     NOT NULL,
    shards     TEXT        NOT NULL,
    last_fire  INTEGER NOT NULL,
    n          INTEGER     NOT NULL,
    more       INTEGER    NOT NULL,
    code       TEXT        NOT NULL,
    instance   TEXT        NOT NULL,
    seen       INTEGER NOT NULL,
    PRIMARY KEY (ns, job, first_fire, shard)
);
CREATE INDEX elastic_missed_first ON elastic_missed (ns, first_fire);
CREATE INDEX elastic_missed_seen ON elastic_missed (seen);

CREATE TABLE elastic_event (
    ns       TEXT NOT NULL,
    at       INTEGER NOT NULL,
    instance TEXT NOT NULL,
    seq      INTEGER      NOT NULL,
    kind     TEXT        NOT NULL,
    job      TEXT        NOT NULL,
    shard    INTEGER     NOT NULL,
    code     TEXT        NOT NULL,
    subject  TEXT        NOT NULL,
    detail   TEXT        NOT NULL,
    PRIMARY KEY (ns, at, instance, seq)
);
CREATE INDEX elastic_event_at ON elastic_event (at);

-- id is a hash of the other columns: a gap has no other key.
CREATE TABLE elastic_gap (
    ns       TEXT NOT NULL,
    id       TEXT NOT NULL,
    instance TEXT        NOT NULL,
    from_at  INTEGER NOT NULL,
    to_at    INTEGER NOT NULL,
    n        INTEGER      NOT NULL,
    what     TEXT        NOT NULL,
    PRIMARY KEY (ns, id)
);
CREATE INDEX elastic_gap_to ON elastic_gap (ns, to_at);

CREATE TABLE elastic_audit (
    id     TEXT NOT NULL PRIMARY KEY,
    ns     TEXT NOT NULL,
    at     INTEGER NOT NULL,
    actor  TEXT        NOT NULL,
    via    TEXT        NOT NULL,
    act    TEXT        NOT NULL,
    target TEXT NOT NULL,
    why    TEXT        NOT NULL,
    detail TEXT        NOT NULL
);
CREATE INDEX elastic_audit_at ON elastic_audit (ns, at, id);

-- gz is the log of an attempt, compressed by gzip. bytes is how much the
-- attempt wrote.
CREATE TABLE elastic_log (
    ns    TEXT NOT NULL,
    job   TEXT NOT NULL,
    shard INTEGER     NOT NULL,
    fence INTEGER      NOT NULL,
    ended INTEGER NOT NULL,
    bytes INTEGER      NOT NULL,
    gz    BLOB       NOT NULL,
    PRIMARY KEY (ns, job, shard, fence)
);
CREATE INDEX elastic_log_ended ON elastic_log (ended);

-- Who prunes, and how far pruning has come.
CREATE TABLE elastic_meta (
    name     TEXT NOT NULL PRIMARY KEY,
    value    TEXT        NOT NULL,
    until_at INTEGER NOT NULL
);
INSERT INTO elastic_meta (name, value, until_at) VALUES ('prune', '', 0);
