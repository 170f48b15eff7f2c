SELECT
    x.number,
    x.entry ->> 'entry' AS kind,
    x.entry ->> 'run' AS run_id,
    x.entry ->> 'signed_by' AS signed_by,
    x.entry,
    $hex(x.peaks) AS peaks,
    x.run_no
FROM registry x
