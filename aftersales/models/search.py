"""What tickets are found by: made of what other tables hold, and made anew by `aftersales db reindex`.

The two databases search in ways of their own, so there is a table for each, and neither is a table of sqlmodel.

* SQLite: FTS5 over the pairs of bigrams.py, without the texts; `rowid` is ticket id x 2^20 + seq of the event. A word
  is a phrase of pairs, so what is found has the word.
* PostgreSQL: an array of pairs and single characters with GIN. An array does not know the order of its pairs, so the
  texts stand beside it, each on a line. (Trigrams, of either database, miss words of two characters.)
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from aftersales.models.columns import metadata

NAME = "ticket_words"
SEQ_BITS = 20

TABLES = {
    "sqlite": (
        # every character above ASCII is part of a word, and the pairs are written above it
        "CREATE VIRTUAL TABLE ticket_words USING fts5 (pairs, content = '', tokenize = 'ascii')",
    ),
    "postgresql": (
        """
CREATE TABLE ticket_words (
    ticket_id bigint NOT NULL,
    seq bigint NOT NULL,
    texts text NOT NULL,
    pairs text[] NOT NULL,
    CONSTRAINT pk_ticket_words PRIMARY KEY (ticket_id, seq)
)""",
        # without fastupdate: or a search reads what piled up since the last cleaning
        "CREATE INDEX ix_ticket_words_pairs ON ticket_words USING gin (pairs) WITH (fastupdate = off)",
    ),
}

for _dialect, _statements in TABLES.items():
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))
