"""The ledger's tables. ``VERSION`` is kept in SQLite's user_version."""

from __future__ import annotations

VERSION = 1

# rel and stem are BLOBs: file names are bytes on Linux, and may be no valid UTF-8.
TABLES = """
CREATE TABLE jobs(
  id         TEXT PRIMARY KEY,
  inbox      TEXT NOT NULL,
  rel        BLOB NOT NULL,             -- the picture, relative to the inbox
  stem       BLOB NOT NULL,             -- rel without its suffix: late sidecars look here
  state      TEXT NOT NULL,
  spec       TEXT NOT NULL,             -- JobSpec as JSON, the same as spool/ID/job.json
  claimed_at REAL NOT NULL,             -- seconds since 1970, as all times here
  started_at REAL,
  ended_at   REAL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  suspect    INTEGER NOT NULL DEFAULT 0,
  reason     TEXT NOT NULL DEFAULT '',  -- why it failed, or what was noteworthy
  published  TEXT NOT NULL DEFAULT '',  -- path below the outbox, once it is there
  archive    TEXT NOT NULL DEFAULT '',  -- JSON: where each input goes; written before it moves
  archived   INTEGER NOT NULL DEFAULT 0,
  bundle     TEXT,
  aging_from REAL                       -- when upkeep first found it archived: its age
) STRICT;
CREATE INDEX jobs_by_state ON jobs(state);
CREATE INDEX jobs_by_stem ON jobs(inbox, stem);
CREATE INDEX jobs_unarchived ON jobs(id) WHERE archived = 0;

CREATE TABLE frames(
  job    TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  idx    INTEGER NOT NULL,
  state  TEXT NOT NULL,
  step   INTEGER NOT NULL DEFAULT 0,
  steps  INTEGER NOT NULL,
  name   TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(job, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE reserved(                  -- output names that are taken, folded (NFC, caseless)
  outbox TEXT NOT NULL,
  name   TEXT NOT NULL,
  job    TEXT NOT NULL,
  PRIMARY KEY(outbox, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX reserved_by_job ON reserved(job);

CREATE TABLE bundles(                   -- a file that several jobs share
  id    TEXT PRIMARY KEY,
  inbox TEXT NOT NULL,
  rel   BLOB NOT NULL,
  name  BLOB NOT NULL,
  inode INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE served(                    -- keep mode: the content last served for a path
  inbox  TEXT NOT NULL,                 -- the id of its spool; of earlier versions its path
  rel    BLOB NOT NULL,
  digest TEXT NOT NULL,                 -- or what counts for it after a lost ledger: see served.py
  PRIMARY KEY(inbox, rel)
) STRICT, WITHOUT ROWID;

CREATE TABLE waiting(                   -- what lies in an inbox and why, as of the last scan
  inbox TEXT NOT NULL,
  rel   BLOB NOT NULL,
  why   TEXT NOT NULL,
  until REAL,                           -- when that changes by itself, or it is looked at again
  PRIMARY KEY(inbox, rel)
) STRICT, WITHOUT ROWID;

CREATE TABLE facts(                     -- the daemon's own state: pid, what it waits for, model
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# Added after the first ledgers were written, and needed at once: made whenever one is opened.
LATER_TABLES = (
    """
CREATE TABLE IF NOT EXISTS orders(     -- what commands and the page ask of the daemon
  number INTEGER PRIMARY KEY,
  verb   TEXT NOT NULL,
  job    TEXT NOT NULL,
  at     REAL NOT NULL,
  UNIQUE(verb, job)
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS bundled(    -- where the files of a bundle go; written before they move
  bundle   TEXT NOT NULL REFERENCES bundles(id) ON DELETE CASCADE,
  name     BLOB NOT NULL,
  path     BLOB NOT NULL,
  size     INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  PRIMARY KEY(bundle, name)
) STRICT
""",
    "CREATE INDEX IF NOT EXISTS bundled_by_path ON bundled(path)",
)

UNTIL = "ALTER TABLE waiting ADD COLUMN until REAL"

# Added after the first ledgers were written: upkeep makes them in those.
AGING = "ALTER TABLE jobs ADD COLUMN aging_from REAL"
INDEXES = """
CREATE TABLE IF NOT EXISTS placed(
  path BLOB NOT NULL,
  job  TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  PRIMARY KEY(path, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS placed_by_job ON placed(job);
CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs(aging_from, id);
CREATE INDEX IF NOT EXISTS jobs_to_archive ON jobs(state, archived) WHERE archived=0;
CREATE INDEX IF NOT EXISTS jobs_placing ON jobs(archived) WHERE archived=0 AND archive<>'';
CREATE INDEX IF NOT EXISTS jobs_short ON jobs(state)
  WHERE state='queued' AND json_array_length(spec, '$.outputs.frames') <= 16;
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs(inbox, stem) WHERE state='queued';
CREATE INDEX IF NOT EXISTS jobs_by_model ON jobs(json_extract(spec, '$.request.model'))
  WHERE state='queued';
CREATE INDEX IF NOT EXISTS jobs_results ON jobs(ended_at)
  WHERE (+state='done' OR (+state='cancelled' AND published<>''));
CREATE INDEX IF NOT EXISTS jobs_failures ON jobs(ended_at)
  WHERE (+state='failed' OR (+state='cancelled' AND published=''));
CREATE INDEX IF NOT EXISTS jobs_by_bundle ON jobs(bundle) WHERE bundle IS NOT NULL;
"""
