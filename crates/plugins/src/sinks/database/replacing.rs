//! What a table of a PostgreSQL server means to others, before another takes its place.
//!
//! The old table is dropped. Its rows, columns, indexes, constraints, triggers and comments go with it. Its owner and its
//! grants go over to the new one. Where anything else would go, or hinder it, the table is not replaced.

use elspeth_plugin::SinkError;
use sqlx::Row as _;

use super::postgres::PostgresStore;
use crate::sql_name::quoted;

/// What of a table itself speaks against it, and what can be done.
const STANDING: &str = "SELECT v.why, v.advice FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_roles me ON me.rolname = current_user
    CROSS JOIN LATERAL (SELECT pg_get_userbyid(c.relowner) AS owner,
        (SELECT min(inhparent::regclass::text) FROM pg_inherits WHERE inhrelid = c.oid) AS up,
        (SELECT min(p.pubname::text) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
            WHERE r.prrelid = c.oid) AS news) AS o
    CROSS JOIN LATERAL (VALUES
        (1, o.up IS NOT NULL, 'it is a part of the table ' || o.up, 'append to it'),
        (2, c.relkind = 'p', 'its partitions would go with it', 'append to it'),
        (3, c.relrowsecurity OR EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid),
            'its row-level security would go with it', 'append to it'),
        (4, o.news IS NOT NULL, 'it would go from the publication ' || o.news, 'append to it, or publish the whole schema'),
        (5, n.nspname <> current_schema(),
            format('it is in the schema %s, and a new one would come into %s', n.nspname, current_schema()),
            'name the schema in the URL: `?options=-csearch_path%3D' || n.nspname || '`'),
        (6, NOT pg_has_role(c.relowner, 'USAGE'),
            format('it belongs to %s, and %s is no member of that role', o.owner, current_user),
            'connect as its owner, or as a member of that role; or append to it'),
        (7, c.relowner <> me.oid AND NOT me.rolsuper AND NOT has_schema_privilege(c.relowner, n.oid, 'CREATE'),
            format('its owner %s may make no table in the schema %s', o.owner, n.nspname),
            'grant that role CREATE on the schema, or append to the table')
    ) AS v(n, holds, why, advice)
    WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p') AND v.holds ORDER BY v.n LIMIT 1";

/// What would have to go with a table, since it is made of it: views, references of other tables, and whatever uses the type of
/// its rows. What belongs to the table is no such thing, but something else may be made of that.
const DEPENDENTS: &str = "WITH RECURSIVE own(classid, objid) AS (
        SELECT 'pg_class'::regclass::oid, to_regclass($1)::oid
        UNION SELECT d.classid, d.objid FROM pg_depend d JOIN own o ON (d.refclassid, d.refobjid) = (o.classid, o.objid)
        WHERE d.deptype <> 'n')
    SELECT 'the ' || CASE WHEN r.oid IS NULL AND k.oid IS NULL THEN pg_describe_object(d.classid, d.objid, d.objsubid)
        ELSE pg_describe_object('pg_class'::regclass, coalesce(r.ev_class, k.conrelid), 0) END || ' depends on it' AS what,
        'drop that first, or append to the table'
    FROM pg_depend d JOIN own o ON (d.refclassid, d.refobjid) = (o.classid, o.objid)
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'f'
    WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM own WHERE (own.classid, own.objid) = (d.classid, d.objid))
    ORDER BY what LIMIT 1";

/// What gives the second table the grants and the owner of the first. What was granted on a column that it has not goes.
const HANDOVER: &str = "WITH acl AS (
        SELECT 1 AS n, '' AS place, a.* FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) a
        WHERE oid = to_regclass($2)
        UNION ALL SELECT 3, '', a.* FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) a
        WHERE oid = to_regclass($1)
        UNION ALL SELECT 3, format('(%I)', o.attname), a.* FROM pg_attribute o
        JOIN pg_attribute n ON n.attrelid = to_regclass($2) AND n.attname = o.attname AND n.attnum > 0, aclexplode(o.attacl) a
        WHERE o.attrelid = to_regclass($1)),
    said AS (SELECT acl.*, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom FROM acl)
    SELECT s.statement FROM (
        SELECT DISTINCT n, format('REVOKE ALL ON %s FROM %s', $2::text, whom) FROM said WHERE n = 1
        UNION ALL SELECT 2, format('ALTER TABLE %s OWNER TO %I', $2::text, pg_get_userbyid(old.relowner))
        FROM pg_class old JOIN pg_class new ON old.relowner <> new.relowner
        WHERE old.oid = to_regclass($1) AND new.oid = to_regclass($2)
        UNION ALL SELECT n, format('GRANT %s %s ON %s TO %s', privilege_type, place, $2::text, whom)
            || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END FROM said WHERE n = 3
    ) AS s(n, statement) ORDER BY s.n";

impl PostgresStore {
    /// Whether a table may be dropped for another.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn check_replaceable(&mut self, table: &str) -> Result<(), SinkError> {
        for query in [STANDING, DEPENDENTS] {
            let found = sqlx::query(query).bind(quoted(table)).fetch_optional(self.connection()).await;
            if let Some(row) = found.map_err(|error| self.failure("read", &error))? {
                let (why, advice): (String, String) = (row.get(0), row.get(1));
                let message = format!("the table `{table}` cannot be replaced: {why}");
                return Err(SinkError::new(message).with_help(advice));
            }
        }
        Ok(())
    }

    /// Locks a table that is about to be replaced, and looks again whether it may be.
    ///
    /// # Errors
    /// As [`Self::check_replaceable`], or the database fails.
    pub(super) async fn claim(&mut self, table: &str) -> Result<(), SinkError> {
        let lock = format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", quoted(table));
        self.run(lock, "replace the table in").await?;
        self.check_replaceable(table).await
    }

    /// The statements that let a table have owner and grants of another.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn handover(&mut self, old: &str, new: &str) -> Result<Vec<String>, SinkError> {
        let found = sqlx::query(HANDOVER).bind(quoted(old)).bind(quoted(new));
        let found = found.fetch_all(self.connection()).await;
        let statements = found.map_err(|error| self.failure("read", &error))?;
        Ok(statements.iter().map(|row| row.get(0)).collect())
    }
}
