SELECT
    x.size,
    $field(r.entry, 'entry') AS kind,
    $field(r.entry, 'run') AS run_id,
    x.note
FROM heads x
LEFT JOIN registry r ON r.number = x.size - 1
