SELECT
    u.run_id,
    g.batch_no,
    g.ordinal,
    $token_id(u, g.token) AS token_id,
    $name(Outcome, o.outcome) AS outcome,
    k.name AS outcome_sink,
    g.run_no,
    g.token
FROM runs u
JOIN batch_outputs g ON g.run_no = u.run_no
LEFT JOIN token_outcomes o ON o.run_no = g.run_no AND o.token = g.token AND o.terminal = 1
LEFT JOIN nodes k ON k.run_no = g.run_no AND k.step = o.sink
