SELECT
    x.number,
    $field(x.entry, 'entry') AS kind,
    $field(x.entry, 'run') AS run_id,
    $field(x.entry, 'signed_by') AS signed_by,
    x.entry,
    $hex(x.peaks) AS peaks,
    x.run_no
FROM registry x
