SELECT
    u.run_id,
    m.batch_no,
    m.ordinal,
    CASE WHEN m.token < $first_released() THEN m.token >> 20 END AS row_index,
    $token_id(u, m.token) AS token_id,
    CASE WHEN o.outcome IS NOT NULL THEN $name(Outcome, o.outcome)
        WHEN NOT EXISTS (SELECT 1 FROM batches b
            WHERE b.run_no = m.run_no AND b.batch_no = m.batch_no AND b.status IN (2, 3))
        THEN $name(Outcome, 9) END AS outcome,
    m.run_no,
    m.token
FROM runs u
JOIN batch_members m ON m.run_no = u.run_no
LEFT JOIN token_outcomes o ON o.run_no = m.run_no AND o.token = m.token AND o.terminal = 1
