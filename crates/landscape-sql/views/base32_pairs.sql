SELECT $base32_pairs() AS pairs
