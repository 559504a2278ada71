-- +goose Up

-- One row for each attempt that has ended. result is 0 ok, 1 skipped, 2 failed,
-- 3 lost, 4 cancelled, 5 replaced, 6 handed over. IDs of instances are ASCII, so
-- that an index can have them and the primary key.
CREATE TABLE elastic_run (
    ns          VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    job         VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    shard       INT     NOT NULL,
    fence       BIGINT      NOT NULL,
    fire        DATETIME(6) NOT NULL,
    trig        BIGINT      NOT NULL,
    attempt     INT     NOT NULL,
    total       INT     NOT NULL,
    first_fence BIGINT      NOT NULL,
    rev         BIGINT      NOT NULL,
    instance    VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    started     DATETIME(6) NOT NULL,
    ended       DATETIME(6) NOT NULL,
    took_us     BIGINT      NOT NULL,
    late_us     BIGINT      NOT NULL,
    retries     INT     NOT NULL,
    result      SMALLINT    NOT NULL,
    code        VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    error       TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    trace       BINARY(16),
    bad         TINYINT GENERATED ALWAYS AS (CASE WHEN result IN (0, 1) THEN 0 ELSE 1 END) STORED,
    PRIMARY KEY (ns, job, shard, fence)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_run_fire ON elastic_run (ns, job, fire, trig, shard, fence);
CREATE INDEX elastic_run_bad ON elastic_run (ns, bad, ended);
CREATE INDEX elastic_run_inst ON elastic_run (ns, instance, ended);
CREATE INDEX elastic_run_ended ON elastic_run (ended);

-- The attempts of each fire by result, for lists of fires.
CREATE TABLE elastic_fire (
    ns          VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    job         VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    fire        DATETIME(6) NOT NULL,
    trig        BIGINT      NOT NULL,
    total       INT     NOT NULL,
    ok          INT     NOT NULL,
    failed      INT     NOT NULL,
    skipped     INT     NOT NULL,
    lost        INT     NOT NULL,
    other       INT     NOT NULL,
    first_start DATETIME(6) NOT NULL,
    last_end    DATETIME(6) NOT NULL,
    PRIMARY KEY (ns, job, fire, trig)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_fire_end ON elastic_fire (last_end);

CREATE TABLE elastic_missed (
    ns         VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    job        VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    first_fire DATETIME(6) NOT NULL,
    shard      INT     NOT NULL,
    shards     TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    last_fire  DATETIME(6) NOT NULL,
    n          INT     NOT NULL,
    more       SMALLINT    NOT NULL,
    code       VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin        NOT NULL,
    instance   VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin        NOT NULL,
    seen       DATETIME(6) NOT NULL,
    PRIMARY KEY (ns, job, first_fire, shard)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_missed_first ON elastic_missed (ns, first_fire);
CREATE INDEX elastic_missed_seen ON elastic_missed (seen);

CREATE TABLE elastic_event (
    ns       VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at       DATETIME(6) NOT NULL,
    instance VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    seq      BIGINT      NOT NULL,
    kind     VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    job      VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    shard    INT     NOT NULL,
    code     VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin        NOT NULL,
    subject  TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    detail   MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    PRIMARY KEY (ns, at, instance, seq)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_event_at ON elastic_event (at);

-- id is a hash of the other columns: a gap has no other key.
CREATE TABLE elastic_gap (
    ns       VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    id       VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    instance VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin        NOT NULL,
    from_at  DATETIME(6) NOT NULL,
    to_at    DATETIME(6) NOT NULL,
    n        BIGINT      NOT NULL,
    what     TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    PRIMARY KEY (ns, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_gap_to ON elastic_gap (ns, to_at);

CREATE TABLE elastic_audit (
    id     VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    ns     VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at     DATETIME(6) NOT NULL,
    actor  VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    via    VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    act    VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    target TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why    TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    detail MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_audit_at ON elastic_audit (ns, at, id);

-- gz is the log of an attempt, compressed by gzip. bytes is how much the
-- attempt wrote.
CREATE TABLE elastic_log (
    ns    VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    job   VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    shard INT     NOT NULL,
    fence BIGINT      NOT NULL,
    ended DATETIME(6) NOT NULL,
    bytes BIGINT      NOT NULL,
    gz    MEDIUMBLOB       NOT NULL,
    PRIMARY KEY (ns, job, shard, fence)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE INDEX elastic_log_ended ON elastic_log (ended);

-- Who prunes, and how far pruning has come.
CREATE TABLE elastic_meta (
    name     VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    value    VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin        NOT NULL,
    until_at DATETIME(6) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
INSERT INTO elastic_meta (name, value, until_at) VALUES ('prune', '', '1970-01-01 00:00:00');
