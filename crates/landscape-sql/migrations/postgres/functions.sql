-- What the readable views need besides SQL. Made anew with every version, and where a database has those of an older program.

CREATE OR REPLACE FUNCTION elspeth_time(micros BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT to_char(to_timestamp(floor(micros / 1000000.0)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad(((micros % 1000000 + 1000000) % 1000000)::text, 6, '0') || 'Z'
$$;

-- Eight digits of Crockford's base 32 for a number of 40 bits.
CREATE OR REPLACE FUNCTION elspeth_base32(number BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (number >> (place * 5) & 31)::int, 1), ''
        ORDER BY place DESC) FROM generate_series(0, 7) AS place
$$;

-- A field of a JSON object that is kept as text. No text here can have a NUL: an escape of one, behind an odd number of
-- backslashes, is shown as it is written.
CREATE OR REPLACE FUNCTION elspeth_field(object TEXT, field TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(object, '\u0000') = 0 THEN object::json ->> field
        ELSE regexp_replace(object, '(?<!\\)((\\\\)*)\\u0000', '\1\\\\u0000', 'g')::json ->> field END
$$;
