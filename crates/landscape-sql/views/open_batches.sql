SELECT f.run_no, f.batch_no FROM batch_members f
WHERE f.ordinal = 0 AND NOT EXISTS (SELECT 1 FROM batches b
    WHERE b.run_no = f.run_no AND b.batch_no = f.batch_no AND b.status IN (2, 3))
