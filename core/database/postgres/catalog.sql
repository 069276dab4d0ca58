/*
 * Every object of a database, as one JSON array of [kind, schema, table, name, text, definition].
 * catalog.c makes the key of an entry from the first five; the definition has no member that is
 * null or false. It is read under an empty search_path, so that the server qualifies every name.
 *
 * Left out: what belongs to an extension, to the system or to a partitioned table's clones, and
 * names that the server generates: two ways to one schema number them differently. Only oids join
 * these tables. A line that ends in "-- N" is left out where the server is older than version N.
 */
WITH member AS MATERIALIZED ( -- of an extension
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), comments AS MATERIALIZED (
    SELECT classoid, objoid, objsubid, description FROM pg_description WHERE objoid >= 16384
), schemas AS MATERIALIZED (
    SELECT n.oid, n.nspname AS schema FROM pg_namespace n
    WHERE n.nspname !~ '^(pg_|rbtool_)' AND n.nspname <> 'information_schema'
), relations AS MATERIALIZED (
    SELECT c.oid, s.schema, c.relname AS name, c.relkind AS kind, c.relispartition AS partition,
           c.reltype, c.reltoastrelid, c.relam, c.reloptions, c.relpersistence, c.reloftype,
           c.relpartbound, c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
           d.description AS comment, quote_ident(s.schema) || '.' || quote_ident(c.relname) AS full
    FROM pg_class c
    JOIN schemas s ON s.oid = c.relnamespace
    LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid
                            AND d.objsubid = 0
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I', 'c')
      AND NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
), tables AS MATERIALIZED (
    SELECT * FROM relations WHERE kind IN ('r', 'p', 'f')
), attributes AS MATERIALIZED ( -- by number, dropped ones too
    SELECT a.attrelid, array_agg(a.attname ORDER BY a.attnum) AS names,
           array_agg(a.attcollation ORDER BY a.attnum) AS collations,
           array_agg(NOT a.attisdropped ORDER BY a.attnum) AS present
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE r.kind IN ('r', 'p', 'f', 'm') AND a.attnum > 0
    GROUP BY a.attrelid
), types AS MATERIALIZED (
    SELECT t.*, s.schema, format_type(t.oid, NULL) AS full, d.description AS comment
    FROM pg_type t
    JOIN schemas s ON s.oid = t.typnamespace
    LEFT JOIN relations r ON r.oid = t.typrelid
    LEFT JOIN comments d ON d.classoid = 'pg_type'::regclass AND d.objoid = t.oid
    WHERE (t.typtype IN ('b', 'd', 'e', 'r', 'p') OR (t.typtype = 'c' AND r.kind = 'c'))
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
      AND NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
), indexes AS MATERIALIZED (
    SELECT i.indexrelid AS oid, i.indrelid, i.indisunique, i.indisvalid, i.indisready,
           i.indisclustered, i.indisreplident, i.indkey, i.indnatts, i.indnkeyatts,
           r.schema, r.name, r.relam, r.reloptions, r.comment, r.full,
           t.name AS "table", t.full AS table_full, r.kind = 'I' AS partitioned,
           o.oid AS constraint_oid,
           i.indnullsnotdistinct AS nulls_not_distinct, -- 15
           a.names[i.indkey[0]] AS key1, a.names[i.indkey[1]] AS key2,
           i.indnatts <= 2 AND i.indnatts = i.indnkeyatts AND i.indexprs IS NULL
           AND i.indpred IS NULL AND i.indoption[0] = 0 AND coalesce(i.indoption[1], 0) = 0
           AND i.indcollation[0] IN (0, a.collations[i.indkey[0]])
           AND coalesce(i.indcollation[1], 0) IN (0, a.collations[i.indkey[1]])
           AND r.reloptions IS NULL
           AND i.indclass[0] NOT IN (SELECT c.oid FROM pg_opclass c WHERE NOT c.opcdefault)
           AND coalesce(i.indclass[1], 0) NOT IN (SELECT c.oid FROM pg_opclass c
                                                  WHERE NOT c.opcdefault)
           AND i.indexrelid NOT IN (SELECT c.attrelid FROM pg_attribute c
                                    WHERE c.attoptions IS NOT NULL) AS simple
    FROM pg_index i
    JOIN relations r ON r.oid = i.indexrelid
    JOIN relations t ON t.oid = i.indrelid
    JOIN attributes a ON a.attrelid = i.indrelid
    LEFT JOIN pg_constraint o ON o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x')
                                 AND o.conrelid = i.indrelid
), index_definitions AS MATERIALIZED (
    SELECT i.oid, i.schema, i."table", i.name,
           -- what the server makes a name from, if it may have made this one
           CASE WHEN i.simple THEN i.key1 || coalesce('_' || i.key2, '')
                WHEN right(rtrim(i.name, '0123456789'), 4) = '_idx' THEN (
                    SELECT string_agg(coalesce(a.names[nullif(u.attnum, 0)], e.attname), '_'
                                      ORDER BY u.at)
                    FROM unnest(i.indkey) WITH ORDINALITY u(attnum, at)
                    JOIN pg_attribute e ON e.attrelid = i.oid AND e.attnum = u.at
                    JOIN attributes a ON a.attrelid = i.indrelid) END AS columns,
           CASE WHEN i.simple AND NOT i.partitioned
                AND NOT i.nulls_not_distinct -- 15
           THEN 'USING ' || quote_ident(m.amname) || ' (' || quote_ident(i.key1)
                || coalesce(', ' || quote_ident(i.key2), '') || ')'
           -- "CREATE UNIQUE INDEX name ON ONLY schema.table USING btree (a)" from USING on
           ELSE substr(pg_get_indexdef(i.oid),
                       length('CREATE INDEX  ON  ' || quote_ident(i.name) || i.table_full)
                       + CASE WHEN i.indisunique THEN length('UNIQUE ') ELSE 0 END
                       + CASE WHEN i.partitioned THEN length('ONLY ') ELSE 0 END + 1)
           END AS definition
    FROM indexes i
    JOIN pg_am m ON m.oid = i.relam
    WHERE i.constraint_oid IS NULL
), constraints AS MATERIALIZED (
    SELECT o.oid, o.conname AS name, o.contype AS kind, o.conrelid, o.contypid, o.convalidated,
           o.condeferrable, o.condeferred, d.description AS comment, i.indisclustered,
           i.indisreplident, i.reloptions,
           CASE WHEN cardinality(o.conkey) = 1 THEN a.names[o.conkey[1]]
                WHEN o.contype IN ('u', 'f', 'x')
                AND right(rtrim(o.conname, '0123456789'), 4) IN ('_key', 'fkey', 'excl') THEN
                    (SELECT string_agg(CASE WHEN u.attnum = 0 THEN e.attname
                                       ELSE a.names[u.attnum] END, '_' ORDER BY u.at)
                     FROM unnest(coalesce(i.indkey::smallint[], o.conkey))
                          WITH ORDINALITY u(attnum, at)
                     LEFT JOIN pg_attribute e ON e.attrelid = i.oid AND e.attnum = u.at)
           END AS columns,
           CASE
           WHEN o.contypid <> 0 OR o.contype = 'x' THEN pg_get_constraintdef(o.oid)
           WHEN o.contype = 'c' THEN
               'CHECK (' || pg_get_expr(o.conbin, o.conrelid) || ')'
               || CASE WHEN o.connoinherit THEN ' NO INHERIT' ELSE '' END
           WHEN o.contype = 'f' THEN
               'FOREIGN KEY (' || k.keys || ') REFERENCES ' || p.full || ' ('
               || CASE WHEN cardinality(o.confkey) = 1 THEN quote_ident(b.names[o.confkey[1]])
                  ELSE (SELECT string_agg(quote_ident(b.names[u.attnum]), ', ' ORDER BY u.at)
                        FROM unnest(o.confkey) WITH ORDINALITY u(attnum, at)) END || ')'
               || CASE o.confmatchtype WHEN 'f' THEN ' MATCH FULL' ELSE '' END
               || CASE o.confupdtype WHEN 'a' THEN '' ELSE ' ON UPDATE ' || w.name[
                      strpos('rcnd', o.confupdtype::text)] END
               || CASE o.confdeltype WHEN 'a' THEN '' ELSE ' ON DELETE ' || w.name[
                      strpos('rcnd', o.confdeltype::text)] END
               || CASE WHEN o.confdelsetcols IS NOT NULL THEN -- 15
                  (SELECT ' (' || string_agg(quote_ident(a.names[u.attnum]), ', ') || ')' -- 15
                   FROM unnest(o.confdelsetcols) u(attnum)) ELSE '' END -- 15
           ELSE CASE o.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END
               || CASE WHEN i.nulls_not_distinct THEN ' NULLS NOT DISTINCT' ELSE '' END -- 15
               || ' (' || k.keys || ')'
               || CASE WHEN i.indnatts = i.indnkeyatts THEN '' ELSE
                  (SELECT ' INCLUDE (' || string_agg(quote_ident(a.names[u.attnum]), ', '
                                                     ORDER BY u.at) || ')'
                   FROM unnest(i.indkey) WITH ORDINALITY u(attnum, at)
                   WHERE u.at > i.indnkeyatts) END
           END AS definition
    FROM pg_constraint o
    CROSS JOIN (SELECT ARRAY['RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'] AS name) w
    LEFT JOIN comments d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = o.oid
    LEFT JOIN indexes i ON i.constraint_oid = o.oid
    LEFT JOIN relations p ON p.oid = o.confrelid
    LEFT JOIN attributes a ON a.attrelid = o.conrelid
    LEFT JOIN attributes b ON b.attrelid = o.confrelid
    CROSS JOIN LATERAL (SELECT CASE WHEN cardinality(o.conkey) = 1
                               THEN quote_ident(a.names[o.conkey[1]])
                               WHEN o.contype IN ('p', 'u', 'f') THEN
                               (SELECT string_agg(quote_ident(a.names[u.attnum]), ', '
                                                  ORDER BY u.at)
                                FROM unnest(o.conkey) WITH ORDINALITY u(attnum, at))
                               END AS keys) k
    WHERE o.contype IN ('c', 'p', 'u', 'f', 'x') AND o.conparentid = 0
      AND (o.conrelid <> 0 OR o.contypid IN (SELECT t.oid FROM types t))
), sequences AS MATERIALIZED (
    SELECT r.oid, r.schema, r.name, r.relpersistence, r.comment, d.deptype,
           d.refobjid AS owner, d.refobjsubid AS owner_column, q.*
    FROM relations r
    JOIN pg_sequence q ON q.seqrelid = r.oid
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid
                             AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                             AND d.deptype IN ('a', 'i')
), keys AS ( -- what the server makes a name from: table, columns, label
    SELECT true AS of_constraint, o.oid, t.schema, t.name AS "table", o.name,
           NULL AS definition, CASE o.kind WHEN 'p' THEN 'pkey' WHEN 'f' THEN 'fkey'
                               WHEN 'u' THEN 'key' WHEN 'x' THEN 'excl' ELSE 'check' END AS label,
           CASE o.kind WHEN 'p' THEN NULL ELSE o.columns END AS columns
    FROM constraints o
    JOIN tables t ON t.oid = o.conrelid
    UNION ALL
    SELECT true, o.oid, t.schema, t.typname, o.name, NULL, 'check', NULL
    FROM constraints o JOIN types t ON t.oid = o.contypid
    UNION ALL
    SELECT false, i.oid, i.schema, i."table", i.name, i.definition, 'idx', i.columns
    FROM index_definitions i
    UNION ALL
    SELECT false, s.oid, t.schema, t.name, s.name, NULL, 'seq', a.names[s.owner_column]
    FROM sequences s
    JOIN tables t ON t.oid = s.owner
    JOIN attributes a ON a.attrelid = s.owner
), generated AS MATERIALIZED ( -- the names that the server made, without their numbers
    SELECT k.of_constraint, k.oid, k.schema, k.label, k.definition,
           left(k."table", bare.n1) || coalesce('_' || left(k.columns, bare.n2), '')
           || '_' || k.label AS bare
    FROM keys k
    CROSS JOIN LATERAL (
        SELECT length(k.name) - length(rtrim(k.name, '0123456789')) AS digits,
               octet_length(k."table") AS l1, coalesce(octet_length(k.columns), 0) AS l2,
               62 - length(k.label) - (k.columns IS NOT NULL)::integer AS room) n
    -- The longer one of table and columns is cut, until all have 63 bytes.
    CROSS JOIN LATERAL (
        SELECT least(n.l1, greatest((n.room + 1) / 2, n.room - n.l2)) AS n1,
               least(n.l2, greatest(n.room / 2, n.room - n.l1)) AS n2) bare
    CROSS JOIN LATERAL (
        SELECT least(n.l1, greatest((n.room - n.digits + 1) / 2, n.room - n.digits - n.l2)) AS n1,
               least(n.l2, greatest((n.room - n.digits) / 2, n.room - n.digits - n.l1)) AS n2) cut
    WHERE k.name = left(k."table", cut.n1) || coalesce('_' || left(k.columns, cut.n2), '') || '_'
                   || k.label || right(k.name, n.digits)
), names AS MATERIALIZED ( -- of indexes and sequences
    SELECT g.oid, CASE WHEN EXISTS (SELECT FROM relations r
                                    WHERE r.schema = g.schema AND r.name = g.bare
                                      AND r.oid NOT IN (SELECT oid FROM generated
                                                        WHERE NOT of_constraint)) THEN NULL
                       WHEN g.place = 1 THEN g.bare ELSE g.bare || g.place - 1 END AS name
    FROM (SELECT oid, schema, bare,
                 row_number() OVER (PARTITION BY schema, bare ORDER BY definition, oid) AS place
          FROM generated WHERE NOT of_constraint) g
)
, objects(kind, schema, "table", name, text, definition) AS (
SELECT 'schema', NULL::text, NULL::text, s.schema::text, NULL::text,
       json_build_object('comment', nullif(d.description, 'standard public schema'))
FROM schemas s
LEFT JOIN comments d ON d.classoid = 'pg_namespace'::regclass AND d.objoid = s.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass
                                         AND m.objid = s.oid)
UNION ALL
SELECT 'table', t.schema, NULL, t.name, NULL, json_build_object(
    'kind', CASE t.kind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' ELSE 'table' END,
    'unlogged', t.relpersistence = 'u',
    'of', CASE WHEN t.reloftype <> 0 THEN format_type(t.reloftype, NULL) END,
    'inherits', (SELECT json_agg(p.full ORDER BY h.inhseqno) FROM pg_inherits h
                 JOIN relations p ON p.oid = h.inhparent
                 WHERE h.inhrelid = t.oid AND NOT t.partition),
    'partitionOf', (SELECT p.full FROM pg_inherits h JOIN relations p ON p.oid = h.inhparent
                    WHERE h.inhrelid = t.oid AND t.partition),
    'partitionBound', pg_get_expr(t.relpartbound, t.oid),
    'partitionKey', CASE WHEN t.kind = 'p' THEN pg_get_partkeydef(t.oid) END,
    'options', (SELECT json_agg(o ORDER BY o) FROM unnest(t.reloptions) o),
    'toastOptions', (SELECT json_agg(o ORDER BY o) FROM pg_class c, unnest(c.reloptions) o
                     WHERE c.oid = t.reltoastrelid),
    'accessMethod', (SELECT nullif(a.amname, 'heap') FROM pg_am a WHERE a.oid = t.relam),
    'server', (SELECT s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s
               ON s.oid = f.ftserver WHERE f.ftrelid = t.oid),
    'foreignOptions', (SELECT to_jsonb(f.ftoptions) FROM pg_foreign_table f
                       WHERE f.ftrelid = t.oid),
    'rowSecurity', t.relrowsecurity,
    'forceRowSecurity', t.relforcerowsecurity,
    'replicaIdentity', CASE t.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' END,
    'comment', t.comment)
FROM tables t
UNION ALL
SELECT 'order', t.schema, NULL, t.name, NULL,
       (SELECT coalesce(json_agg(u.name ORDER BY u.at), '[]')
        FROM unnest(a.names, a.present) WITH ORDINALITY u(name, present, at) WHERE u.present)
FROM tables t LEFT JOIN attributes a ON a.attrelid = t.oid
UNION ALL
SELECT 'column', r.schema, r.name, c.attname, NULL,
       CASE WHEN c.attidentity = '' AND c.attgenerated = '' AND c.attcollation = t.typcollation
                 AND c.attstorage = t.typstorage AND c.attstattarget = -1
                 AND c.attcompression = '' -- 14
                 AND c.attoptions IS NULL AND c.attfdwoptions IS NULL AND c.attinhcount = 0
                 AND d.description IS NULL AND u.oid IS NULL AND o.oid IS NULL
       THEN json_build_object('type', format_type(c.atttypid, c.atttypmod),
                              'notNull', c.attnotnull, 'default', e.value)
       ELSE json_build_object(
    'type', format_type(c.atttypid, c.atttypmod),
    'typeOf', CASE WHEN u.oid IS NOT NULL THEN json_build_array(u.schema, u.typname) END,
    'notNull', c.attnotnull,
    CASE c.attgenerated WHEN '' THEN 'default' ELSE 'generated' END,
        CASE WHEN o.oid IS NULL THEN e.value
        ELSE replace(e.value, quote_literal(q.oid::regclass),
                     quote_literal(quote_ident(q.schema) || '.' || quote_ident(o.name))) END,
    'virtual', c.attgenerated = 'v',
    'identity', CASE c.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
    'sequence', CASE WHEN q.deptype = 'i' THEN json_build_object(
        'start', q.seqstart, 'increment', q.seqincrement, 'min', q.seqmin, 'max', q.seqmax,
        'cache', q.seqcache, 'cycle', q.seqcycle) END,
    'collation', CASE WHEN c.attcollation <> t.typcollation THEN c.attcollation::regcollation END,
    'storage', CASE WHEN c.attstorage <> t.typstorage THEN c.attstorage END,
    'compression', nullif(c.attcompression, ''), -- 14
    'statistics', nullif(c.attstattarget, -1),
    'options', c.attoptions, 'foreignOptions', c.attfdwoptions,
    'inherited', c.attinhcount > 0 AND NOT r.partition,
    'local', c.attinhcount > 0 AND c.attislocal AND NOT r.partition,
    'comment', d.description) END
FROM tables r
JOIN pg_attribute c ON c.attrelid = r.oid AND c.attnum > 0 AND NOT c.attisdropped
JOIN pg_type t ON t.oid = c.atttypid
LEFT JOIN pg_attrdef f ON f.adrelid = c.attrelid AND f.adnum = c.attnum
-- Only the expression of a generated column names columns: 0 spares the server the table.
CROSS JOIN LATERAL (
    SELECT pg_get_expr(f.adbin, CASE c.attgenerated WHEN '' THEN 0 ELSE c.attrelid END) AS value) e
LEFT JOIN types u ON u.oid = CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.oid END
LEFT JOIN sequences q ON q.owner = c.attrelid AND q.owner_column = c.attnum
LEFT JOIN names o ON o.oid = q.oid AND o.name <> q.name
LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.attrelid
                        AND d.objsubid = c.attnum
UNION ALL
SELECT 'constraint', t.schema, t.name, NULL, k.definition, CASE count(*)
       WHEN 1 THEN (array_agg(k.members))[1]
       ELSE json_build_object('each', json_agg(k.members ORDER BY k.members::text)) END
FROM tables t
JOIN (SELECT o.conrelid, o.definition, json_build_object(
                 'name', CASE WHEN g.oid IS NULL THEN o.name END,
                 'deferrable', CASE WHEN o.condeferred THEN 'initially deferred'
                               WHEN o.condeferrable THEN 'initially immediate' END,
                 'notValid', NOT o.convalidated, 'clustered', o.indisclustered,
                 'replicaIdentity', o.indisreplident, 'options', o.reloptions,
                 'comment', o.comment) AS members
      FROM constraints o
      LEFT JOIN generated g ON g.oid = o.oid AND g.of_constraint
      WHERE NOT EXISTS (SELECT FROM pg_constraint h JOIN tables r ON r.oid = h.conrelid
                        WHERE h.oid = o.oid AND h.contype = 'c' AND h.coninhcount > 0
                          AND (r.partition OR NOT h.conislocal))) k ON k.conrelid = t.oid
GROUP BY t.schema, t.name, k.definition
UNION ALL
SELECT 'index', i.schema, i."table", coalesce(o.name, i.name), NULL, json_build_object(
    'definition', k.definition, 'unique', i.indisunique,
    'invalid', NOT (i.indisvalid AND i.indisready),
    'clustered', i.indisclustered,
    'replicaIdentity', i.indisreplident,
    'partitionOf', (SELECT p.full FROM pg_inherits h JOIN relations p ON p.oid = h.inhparent
                    WHERE h.inhrelid = i.oid),
    'statistics', (SELECT json_object_agg(a.attnum, a.attstattarget) FROM pg_attribute a
                   WHERE a.attrelid = i.oid AND a.attstattarget >= 0),
    'comment', i.comment)
FROM indexes i
JOIN index_definitions k ON k.oid = i.oid
LEFT JOIN names o ON o.oid = i.oid
UNION ALL
SELECT 'view', v.schema, NULL, v.name, NULL, json_build_object(
    'definition', pg_get_viewdef(v.oid), 'materialized', v.kind = 'm',
    'options', (SELECT json_agg(o ORDER BY o) FROM unnest(v.reloptions) o),
    'accessMethod', (SELECT nullif(a.amname, 'heap') FROM pg_am a WHERE a.oid = v.relam),
    'columns', (SELECT json_object_agg(a.attname, json_build_object(
                           'default', pg_get_expr(f.adbin, f.adrelid), 'comment', d.description,
                           'statistics', nullif(a.attstattarget, -1)))
                FROM pg_attribute a
                LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
                LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass
                                        AND d.objoid = a.attrelid AND d.objsubid = a.attnum
                WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND coalesce(f.adnum, d.objsubid, nullif(a.attstattarget, -1)) IS NOT NULL),
    'comment', v.comment)
FROM relations v WHERE v.kind IN ('v', 'm')
UNION ALL
SELECT 'rule', r.schema, r.name, w.rulename, NULL, json_build_object(
    'definition', pg_get_ruledef(w.oid), 'enabled', nullif(w.ev_enabled, 'O'),
    'comment', d.description)
FROM relations r
JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
LEFT JOIN comments d ON d.classoid = 'pg_rewrite'::regclass AND d.objoid = w.oid
UNION ALL
SELECT 'trigger', r.schema, r.name, g.tgname, NULL, json_build_object(
    'definition', CASE WHEN p.oid IS NULL THEN pg_get_triggerdef(g.oid) END,
    'enabled', nullif(g.tgenabled, coalesce(p.tgenabled, 'O')), 'comment', d.description)
FROM relations r
JOIN pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
LEFT JOIN pg_trigger p ON p.oid = g.tgparentid
LEFT JOIN comments d ON d.classoid = 'pg_trigger'::regclass AND d.objoid = g.oid
WHERE p.oid IS NULL OR p.tgenabled <> g.tgenabled
UNION ALL
SELECT 'policy', r.schema, r.name, p.polname, NULL, json_build_object(
    'command', nullif(p.polcmd, '*'), 'restrictive', NOT p.polpermissive,
    'roles', (SELECT json_agg(CASE u WHEN 0 THEN 'public' ELSE pg_get_userbyid(u) END
                               ORDER BY pg_get_userbyid(u)) FROM unnest(p.polroles) u),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
    'comment', d.description)
FROM relations r
JOIN pg_policy p ON p.polrelid = r.oid
LEFT JOIN comments d ON d.classoid = 'pg_policy'::regclass AND d.objoid = p.oid
UNION ALL
SELECT 'sequence', s.schema, t.name, coalesce(o.name, s.name), NULL,
       json_build_object('type', format_type(s.seqtypid, NULL), 'start', s.seqstart,
                         'increment', s.seqincrement, 'min', s.seqmin, 'max', s.seqmax,
                         'cache', s.seqcache, 'cycle', s.seqcycle,
                         'unlogged', s.relpersistence = 'u', 'comment', s.comment,
                         'ownedBy', t.full || '.' || quote_ident(a.names[s.owner_column]))
FROM sequences s
LEFT JOIN tables t ON t.oid = s.owner
LEFT JOIN attributes a ON a.attrelid = s.owner
LEFT JOIN names o ON o.oid = s.oid
WHERE s.deptype IS DISTINCT FROM 'i'
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       s.schema, NULL, p.proname,
       '(' || coalesce((SELECT string_agg(format_type(u.type, NULL), ', ' ORDER BY u.at)
                        FROM unnest(p.proargtypes) WITH ORDINALITY u(type, at)), '') || ')',
       (jsonb_build_object('comment', d.description, 'definition',
           CASE p.prokind WHEN 'a' THEN NULL ELSE pg_get_functiondef(p.oid) END)
       || CASE WHEN a.aggfnoid IS NULL THEN '{}' ELSE jsonb_build_object(
           'arguments', pg_get_function_arguments(p.oid), 'result', format_type(p.prorettype, NULL),
           'kind', nullif(a.aggkind, 'n'), 'parallel', nullif(p.proparallel, 'u'),
           'transition', a.aggtransfn, 'state', format_type(a.aggtranstype, NULL),
           'initial', a.agginitval, 'space', nullif(a.aggtransspace, 0),
           'final', nullif(a.aggfinalfn, 0), 'finalExtra', a.aggfinalextra,
           'finalModify', a.aggfinalmodify, 'combine', nullif(a.aggcombinefn, 0),
           'serial', nullif(a.aggserialfn, 0), 'deserial', nullif(a.aggdeserialfn, 0),
           'moving', nullif(a.aggmtransfn, 0), 'movingInverse', nullif(a.aggminvtransfn, 0),
           'movingState', CASE WHEN a.aggmtranstype <> 0
                          THEN format_type(a.aggmtranstype, NULL) END,
           'movingSpace', nullif(a.aggmtransspace, 0), 'movingInitial', a.aggminitval,
           'movingFinal', nullif(a.aggmfinalfn, 0),
           'movingFinalExtra', a.aggmfinalextra,
           'movingFinalModify', a.aggmfinalmodify,
           'sort', (SELECT nullif(a.aggsortop, 0)::regoperator)) END)::json
FROM pg_proc p
JOIN schemas s ON s.oid = p.pronamespace
LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
LEFT JOIN comments d ON d.classoid = 'pg_proc'::regclass AND d.objoid = p.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
  AND NOT EXISTS (SELECT FROM pg_depend i -- constructors of a range type
                  WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
UNION ALL
SELECT 'type', t.schema, NULL, t.typname, NULL, (jsonb_build_object(
    'kind', CASE t.typtype WHEN 'b' THEN 'base' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain'
                           WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' ELSE 'shell' END,
    'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e
               WHERE e.enumtypid = t.oid),
    'attributes', (SELECT jsonb_agg(jsonb_build_object(
                       'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                       'collation', CASE WHEN a.attcollation <> y.typcollation
                                    THEN a.attcollation::regcollation END,
                       'comment', d.description) ORDER BY a.attnum)
                   FROM pg_attribute a
                   JOIN pg_type y ON y.oid = a.atttypid
                   LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass
                                           AND d.objoid = a.attrelid AND d.objsubid = a.attnum
                   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
    'comment', t.comment)
    || CASE t.typtype WHEN 'd' THEN jsonb_build_object(
    'base', format_type(t.typbasetype, t.typtypmod), 'notNull', t.typnotnull,
    'default', pg_get_expr(t.typdefaultbin, 0),
    'collation', (SELECT t.typcollation::regcollation FROM pg_type b
                  WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation),
    'checks', (SELECT jsonb_agg(jsonb_build_object(
                   'definition', o.definition, 'comment', o.comment,
                   'name', CASE WHEN g.oid IS NULL THEN o.name END) ORDER BY o.definition, o.name)
               FROM constraints o
               LEFT JOIN generated g ON g.oid = o.oid AND g.of_constraint
               WHERE o.contypid = t.oid))
    WHEN 'r' THEN (SELECT jsonb_build_object(
    'subtype', format_type(r.rngsubtype, NULL),
    'multirange', format_type(r.rngmultitypid, NULL), -- 14
    'collation', nullif(r.rngcollation, 0)::regcollation,
    'operatorClass', (SELECT n.nspname || '.' || o.opcname FROM pg_opclass o
                      JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE o.oid = r.rngsubopc),
    'canonical', nullif(r.rngcanonical, 0), 'difference', nullif(r.rngsubdiff, 0))
    FROM pg_range r WHERE r.rngtypid = t.oid)
    WHEN 'b' THEN jsonb_build_object(
    'input', t.typinput, 'output', t.typoutput, 'receive', nullif(t.typreceive, 0),
    'send', nullif(t.typsend, 0), 'modifierIn', nullif(t.typmodin, 0),
    'modifierOut', nullif(t.typmodout, 0), 'analyze', nullif(t.typanalyze, 0),
    'length', t.typlen, 'byValue', t.typbyval, 'align', t.typalign,
    'storage', t.typstorage, 'category', t.typcategory, 'preferred', t.typispreferred,
    'default', t.typdefault, 'delimiter', t.typdelim, 'collatable', nullif(t.typcollation, 0),
    'element', CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END)
    ELSE '{}' END)::json
FROM types t
UNION ALL
SELECT 'extension', NULL, NULL, e.extname, NULL,
       json_build_object('version', e.extversion, 'schema', n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
UNION ALL
SELECT 'event_trigger', NULL, NULL, e.evtname, NULL, json_build_object(
    'event', e.evtevent, 'tags', e.evttags, 'function', e.evtfoid::regprocedure,
    'enabled', nullif(e.evtenabled, 'O'), 'comment', d.description)
FROM pg_event_trigger e
LEFT JOIN comments d ON d.classoid = 'pg_event_trigger'::regclass AND d.objoid = e.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_event_trigger'::regclass
                                         AND m.objid = e.oid)
UNION ALL
SELECT 'statistics', s.schema, NULL, x.stxname, NULL, json_build_object(
    'definition', pg_get_statisticsobjdef(x.oid),
    'target', nullif(x.stxstattarget, -1), -- 13
    'comment', d.description)
FROM pg_statistic_ext x
JOIN schemas s ON s.oid = x.stxnamespace
LEFT JOIN comments d ON d.classoid = 'pg_statistic_ext'::regclass AND d.objoid = x.oid
UNION ALL
SELECT 'publication', NULL, NULL, p.pubname, NULL, json_build_object(
    'allTables', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate,
    'delete', p.pubdelete, 'truncate', p.pubtruncate,
    'viaRoot', p.pubviaroot, -- 13
    'tables', (SELECT json_agg(json_build_object(
                   'where', pg_get_expr(r.prqual, r.prrelid), -- 15
                   'columns', (SELECT json_agg(a.attname ORDER BY a.attname) -- 15
                               FROM pg_attribute a WHERE a.attrelid = r.prrelid -- 15
                                 AND a.attnum = ANY (r.prattrs)), -- 15
                   'table', r.prrelid::regclass) ORDER BY r.prrelid::regclass::text)
               FROM pg_publication_rel r WHERE r.prpubid = p.oid),
    'schemas', (SELECT json_agg(n.nspname ORDER BY n.nspname) FROM pg_publication_namespace m -- 15
                JOIN pg_namespace n ON n.oid = m.pnnspid WHERE m.pnpubid = p.oid), -- 15
    'comment', d.description)
FROM pg_publication p
LEFT JOIN comments d ON d.classoid = 'pg_publication'::regclass AND d.objoid = p.oid
UNION ALL
SELECT 'operator', s.schema, NULL, NULL,
       o.oprname || '(' || CASE o.oprleft WHEN 0 THEN 'none' ELSE format_type(o.oprleft, NULL) END
       || ', ' || format_type(o.oprright, NULL) || ')',
       json_build_object('function', o.oprcode, 'commutator', nullif(o.oprcom, 0)::regoperator,
                          'negator', nullif(o.oprnegate, 0)::regoperator,
                          'restrict', nullif(o.oprrest, 0), 'join', nullif(o.oprjoin, 0),
                          'merges', o.oprcanmerge,
                          'hashes', o.oprcanhash, 'comment', d.description)
FROM pg_operator o
JOIN schemas s ON s.oid = o.oprnamespace
LEFT JOIN comments d ON d.classoid = 'pg_operator'::regclass AND d.objoid = o.oid
WHERE o.oprcode <> 0
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_operator'::regclass
                                         AND m.objid = o.oid)
UNION ALL
SELECT 'operator_family', s.schema, NULL, f.opfname, ' USING ' || quote_ident(m.amname),
       json_build_object('comment', d.description,
    'operators', (SELECT json_agg(json_build_array(
                      o.amopstrategy, o.amopopr::regoperator, nullif(o.amopsortfamily, 0))
                      ORDER BY o.amopstrategy, o.amopopr::regoperator::text)
                  FROM pg_amop o WHERE o.amopfamily = f.oid),
    'functions', (SELECT json_agg(json_build_array(
                      p.amprocnum, format_type(p.amproclefttype, NULL),
                      format_type(p.amprocrighttype, NULL), p.amproc::regprocedure)
                      ORDER BY p.amprocnum, format_type(p.amproclefttype, NULL),
                               format_type(p.amprocrighttype, NULL))
                  FROM pg_amproc p WHERE p.amprocfamily = f.oid))
FROM pg_opfamily f
JOIN schemas s ON s.oid = f.opfnamespace
JOIN pg_am m ON m.oid = f.opfmethod
LEFT JOIN comments d ON d.classoid = 'pg_opfamily'::regclass AND d.objoid = f.oid
WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_opfamily'::regclass
                                         AND e.objid = f.oid)
UNION ALL
SELECT 'operator_class', s.schema, NULL, c.opcname, ' USING ' || quote_ident(m.amname),
       json_build_object('comment', d.description, 'type', format_type(c.opcintype, NULL),
    'family', f.opfname, 'default', c.opcdefault,
    'storage', CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END)
FROM pg_opclass c
JOIN schemas s ON s.oid = c.opcnamespace
JOIN pg_am m ON m.oid = c.opcmethod
JOIN pg_opfamily f ON f.oid = c.opcfamily
LEFT JOIN comments d ON d.classoid = 'pg_opclass'::regclass AND d.objoid = c.oid
WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_opclass'::regclass
                                         AND e.objid = c.oid)
UNION ALL
SELECT 'cast', NULL, NULL, NULL,
       '(' || format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL) || ')',
       json_build_object('function', CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure END,
                          'context', c.castcontext, 'method', c.castmethod,
                          'comment', d.description)
FROM pg_cast c
LEFT JOIN comments d ON d.classoid = 'pg_cast'::regclass AND d.objoid = c.oid
WHERE c.oid >= 16384
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_cast'::regclass AND m.objid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_depend i -- of a range type to its multirange
                  WHERE i.classid = 'pg_cast'::regclass AND i.objid = c.oid AND i.deptype = 'i')
UNION ALL
SELECT 'collation', s.schema, NULL, c.collname, NULL, json_build_object(
    'provider', c.collprovider, 'collate', c.collcollate, 'ctype', c.collctype,
    'locale', c.colliculocale, -- 15
    'nondeterministic', NOT c.collisdeterministic, 'comment', d.description)
FROM pg_collation c
JOIN schemas s ON s.oid = c.collnamespace
LEFT JOIN comments d ON d.classoid = 'pg_collation'::regclass AND d.objoid = c.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_collation'::regclass
                                         AND m.objid = c.oid)
UNION ALL
SELECT 'conversion', s.schema, NULL, c.conname, NULL, json_build_object(
    'from', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding),
    'function', c.conproc, 'default', c.condefault, 'comment', d.description)
FROM pg_conversion c
JOIN schemas s ON s.oid = c.connamespace
LEFT JOIN comments d ON d.classoid = 'pg_conversion'::regclass AND d.objoid = c.oid
UNION ALL
SELECT 'text_search_configuration', s.schema, NULL, c.cfgname, NULL, json_build_object(
    'parser', (SELECT n.nspname || '.' || p.prsname FROM pg_ts_parser p
               JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE p.oid = c.cfgparser),
    'mappings', (SELECT json_agg(json_build_array(m.maptokentype, m.mapdict::regdictionary)
                                  ORDER BY m.maptokentype, m.mapseqno)
                 FROM pg_ts_config_map m WHERE m.mapcfg = c.oid),
    'comment', d.description)
FROM pg_ts_config c
JOIN schemas s ON s.oid = c.cfgnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_config'::regclass AND d.objoid = c.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_config'::regclass
                                         AND m.objid = c.oid)
UNION ALL
SELECT 'text_search_dictionary', s.schema, NULL, y.dictname, NULL, json_build_object(
    'template', (SELECT n.nspname || '.' || t.tmplname FROM pg_ts_template t
                 JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE t.oid = y.dicttemplate),
    'options', y.dictinitoption, 'comment', d.description)
FROM pg_ts_dict y
JOIN schemas s ON s.oid = y.dictnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_dict'::regclass AND d.objoid = y.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_dict'::regclass
                                         AND m.objid = y.oid)
UNION ALL
SELECT 'text_search_template', s.schema, NULL, t.tmplname, NULL, json_build_object(
    'init', nullif(t.tmplinit, 0), 'lexize', t.tmpllexize, 'comment', d.description)
FROM pg_ts_template t
JOIN schemas s ON s.oid = t.tmplnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_template'::regclass AND d.objoid = t.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_template'::regclass
                                         AND m.objid = t.oid)
UNION ALL
SELECT 'text_search_parser', s.schema, NULL, p.prsname, NULL, json_build_object(
    'start', p.prsstart, 'token', p.prstoken, 'end', p.prsend, 'types', p.prslextype,
    'headline', nullif(p.prsheadline, 0), 'comment', d.description)
FROM pg_ts_parser p
JOIN schemas s ON s.oid = p.prsnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_parser'::regclass AND d.objoid = p.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_parser'::regclass
                                         AND m.objid = p.oid)
UNION ALL
SELECT 'foreign_data_wrapper', NULL, NULL, w.fdwname, NULL, json_build_object(
    'handler', nullif(w.fdwhandler, 0)::regproc, 'validator', nullif(w.fdwvalidator, 0)::regproc,
    'options', w.fdwoptions, 'comment', d.description)
FROM pg_foreign_data_wrapper w
LEFT JOIN comments d ON d.classoid = 'pg_foreign_data_wrapper'::regclass AND d.objoid = w.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_foreign_data_wrapper'::regclass
                                         AND m.objid = w.oid)
UNION ALL
SELECT 'server', NULL, NULL, v.srvname, NULL, json_build_object(
    'wrapper', w.fdwname, 'type', v.srvtype, 'version', v.srvversion, 'options', v.srvoptions,
    'comment', d.description)
FROM pg_foreign_server v
JOIN pg_foreign_data_wrapper w ON w.oid = v.srvfdw
LEFT JOIN comments d ON d.classoid = 'pg_foreign_server'::regclass AND d.objoid = v.oid
UNION ALL
SELECT 'language', NULL, NULL, l.lanname, NULL, json_build_object(
    'trusted', l.lanpltrusted, 'handler', nullif(l.lanplcallfoid, 0)::regproc,
    'inline', nullif(l.laninline, 0)::regproc, 'validator', nullif(l.lanvalidator, 0)::regproc,
    'comment', d.description)
FROM pg_language l
LEFT JOIN comments d ON d.classoid = 'pg_language'::regclass AND d.objoid = l.oid
WHERE l.oid >= 16384
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_language'::regclass
                                         AND m.objid = l.oid)
UNION ALL
SELECT 'access_method', NULL, NULL, a.amname, NULL, json_build_object(
    'type', a.amtype, 'handler', a.amhandler, 'comment', d.description)
FROM pg_am a
LEFT JOIN comments d ON d.classoid = 'pg_am'::regclass AND d.objoid = a.oid
WHERE a.oid >= 16384
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_am'::regclass AND m.objid = a.oid)
UNION ALL
SELECT 'transform', NULL, NULL, NULL, '(' || format_type(t.trftype, NULL) || ' LANGUAGE '
       || l.lanname || ')', json_build_object(
    'from', nullif(t.trffromsql, 0)::regproc, 'to', nullif(t.trftosql, 0)::regproc)
FROM pg_transform t
JOIN pg_language l ON l.oid = t.trflang
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_transform'::regclass
                                         AND m.objid = t.oid)
)
-- x IN ('a', 'b') of a varchar column is (ARRAY['a'::character varying, ...])::text[] where it was
-- entered so, and ARRAY[('a'::character varying)::text, ...] where it was restored from a dump.
, two_ways AS (
    SELECT o.*, concat(text, definition) LIKE '%ARRAY[%::character varying%'
                AND kind NOT IN ('function', 'procedure') AS is_list,
           '(?:E?''(?:[^'']|'''')*''|NULL)::character varying' AS literal
    FROM objects o
)
SELECT kind, schema, "table", name,
       CASE WHEN is_list THEN regexp_replace(regexp_replace(
           text, '\((' || literal || ')\)::text', '\1', 'g'),
           '\((ARRAY\[' || literal || '(?:, ' || literal || ')*\])\)::text\[\]', '\1', 'g')
       ELSE text END AS text,
       CASE WHEN is_list THEN regexp_replace(regexp_replace(
           definition::text, '\((' || literal || ')\)::text', '\1', 'g'),
           '\((ARRAY\[' || literal || '(?:, ' || literal || ')*\])\)::text\[\]', '\1', 'g')::json
       ELSE definition END AS definition
FROM two_ways
