-- What claims.sqlite holds: sqlite3 claims.sqlite < claims.sql
CREATE TABLE policies (
    policy_id INTEGER PRIMARY KEY,
    holder TEXT NOT NULL,
    excess REAL NOT NULL
);
CREATE TABLE claims (
    region TEXT NOT NULL,
    claim_no INTEGER NOT NULL,
    policy_id INTEGER NOT NULL REFERENCES policies (policy_id),
    filed DATE NOT NULL,
    amount REAL,
    injury BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (region, claim_no)
);
INSERT INTO policies VALUES
    (1, 'Amina Yusuf', 250),
    (2, 'Bruno Keller', 500),
    (3, 'Clara Ortiz', 0),
    (4, 'Dmitri Volkov', 250);
INSERT INTO claims VALUES
    ('north', 12, 2, '2026-03-02', 480.0, 0, 'open'),
    ('north', 3, 1, '2026-02-14', 1890.5, 0, 'open'),
    ('south', 7, 3, '2026-02-28', 12400.0, 1, 'open'),
    ('south', 8, 3, '2026-03-01', 75.25, 0, 'closed'),
    ('east', 1, 4, '2026-01-30', NULL, 0, 'open'),
    ('east', 2, 4, '2026-02-02', 9800.0, 0, 'open'),
    ('east', 20, 1, '2026-03-05', 640.0, 1, 'open'),
    ('east', 4, 2, '2026-02-11', 3100.0, 0, 'open');
