WITH RECURSIVE batch(run_no, batch_no) AS (
    SELECT y.run_no, (SELECT min(f.batch_no) FROM batch_members f WHERE f.run_no = y.run_no) FROM runs y
    UNION ALL
    SELECT batch.run_no, (SELECT min(f.batch_no) FROM batch_members f
        WHERE f.run_no = batch.run_no AND f.batch_no > batch.batch_no)
    FROM batch WHERE batch.batch_no IS NOT NULL)
SELECT batch.run_no, batch.batch_no FROM batch
WHERE batch.batch_no IS NOT NULL AND NOT EXISTS (SELECT 1 FROM batches b
    WHERE b.run_no = batch.run_no AND b.batch_no = batch.batch_no AND b.status IN (2, 3))
