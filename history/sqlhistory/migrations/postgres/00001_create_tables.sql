-- +goose Up

-- One row for each attempt that has ended. result is 0 ok, 1 skipped, 2 failed,
-- 3 lost, 4 cancelled, 5 replaced, 6 handed over.
CREATE TABLE elastic_run (
    ns          text COLLATE "C" NOT NULL,
    job         text COLLATE "C" NOT NULL,
    shard       integer     NOT NULL,
    fence       bigint      NOT NULL,
    fire        timestamptz NOT NULL,
    trig        bigint      NOT NULL,
    attempt     integer     NOT NULL,
    total       integer     NOT NULL,
    first_fence bigint      NOT NULL,
    rev         bigint      NOT NULL,
    instance    text COLLATE "C" NOT NULL,
    started     timestamptz NOT NULL,
    ended       timestamptz NOT NULL,
    took_us     bigint      NOT NULL,
    late_us     bigint      NOT NULL,
    retries     integer     NOT NULL,
    result      smallint    NOT NULL,
    code        text COLLATE "C" NOT NULL,
    error       text COLLATE "C" NOT NULL,
    trace       bytea,
    PRIMARY KEY (ns, job, shard, fence)
);
CREATE INDEX elastic_run_fire ON elastic_run (ns, job, fire, trig, shard, fence);
CREATE INDEX elastic_run_bad ON elastic_run (ns, ended) WHERE result NOT IN (0, 1);
CREATE INDEX elastic_run_inst ON elastic_run (ns, instance, ended);
CREATE INDEX elastic_run_ended ON elastic_run (ended);

-- The attempts of each fire by result, for lists of fires.
CREATE TABLE elastic_fire (
    ns          text COLLATE "C" NOT NULL,
    job         text COLLATE "C" NOT NULL,
    fire        timestamptz NOT NULL,
    trig        bigint      NOT NULL,
    total       integer     NOT NULL,
    ok          integer     NOT NULL,
    failed      integer     NOT NULL,
    skipped     integer     NOT NULL,
    lost        integer     NOT NULL,
    other       integer     NOT NULL,
    first_start timestamptz NOT NULL,
    last_end    timestamptz NOT NULL,
    PRIMARY KEY (ns, job, fire, trig)
);
CREATE INDEX elastic_fire_end ON elastic_fire (last_end);

CREATE TABLE elastic_missed (
    ns         text COLLATE "C" NOT NULL,
    job        text COLLATE "C" NOT NULL,
    first_fire timestamptz NOT NULL,
    shard      integer     NOT NULL,
    shards     text        NOT NULL,
    last_fire  timestamptz NOT NULL,
    n          integer     NOT NULL,
    more       smallint    NOT NULL,
    code       text        NOT NULL,
    instance   text        NOT NULL,
    seen       timestamptz NOT NULL,
    PRIMARY KEY (ns, job, first_fire, shard)
);
CREATE INDEX elastic_missed_first ON elastic_missed (ns, first_fire);
CREATE INDEX elastic_missed_seen ON elastic_missed (seen);

CREATE TABLE elastic_event (
    ns       text COLLATE "C" NOT NULL,
    at       timestamptz NOT NULL,
    instance text COLLATE "C" NOT NULL,
    seq      bigint      NOT NULL,
    kind     text        NOT NULL,
    job      text        NOT NULL,
    shard    integer     NOT NULL,
    code     text        NOT NULL,
    subject  text        NOT NULL,
    detail   text        NOT NULL,
    PRIMARY KEY (ns, at, instance, seq)
);
CREATE INDEX elastic_event_at ON elastic_event (at);

-- id is a hash of the other columns: a gap has no other key.
CREATE TABLE elastic_gap (
    ns       text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    instance text        NOT NULL,
    from_at  timestamptz NOT NULL,
    to_at    timestamptz NOT NULL,
    n        bigint      NOT NULL,
    what     text        NOT NULL,
    PRIMARY KEY (ns, id)
);
CREATE INDEX elastic_gap_to ON elastic_gap (ns, to_at);

CREATE TABLE elastic_audit (
    id     text COLLATE "C" NOT NULL PRIMARY KEY,
    ns     text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL,
    actor  text        NOT NULL,
    via    text        NOT NULL,
    act    text        NOT NULL,
    target text COLLATE "C" NOT NULL,
    why    text        NOT NULL,
    detail text        NOT NULL
);
CREATE INDEX elastic_audit_at ON elastic_audit (ns, at, id);

-- gz is the log of an attempt, compressed by gzip. bytes is how much the
-- attempt wrote.
CREATE TABLE elastic_log (
    ns    text COLLATE "C" NOT NULL,
    job   text COLLATE "C" NOT NULL,
    shard integer     NOT NULL,
    fence bigint      NOT NULL,
    ended timestamptz NOT NULL,
    bytes bigint      NOT NULL,
    gz    bytea       NOT NULL,
    PRIMARY KEY (ns, job, shard, fence)
);
CREATE INDEX elastic_log_ended ON elastic_log (ended);

-- Who prunes, and how far pruning has come.
CREATE TABLE elastic_meta (
    name     text COLLATE "C" NOT NULL PRIMARY KEY,
    value    text        NOT NULL,
    until_at timestamptz NOT NULL
);
INSERT INTO elastic_meta (name, value, until_at) VALUES ('prune', '', '1970-01-01 00:00:00+00');
