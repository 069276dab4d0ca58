/*
 * Every object of a database, in several statements: a line with a semicolon ends each. The first
 * part, the common table expressions, begins all of them. catalog.c takes the rows.
 *
 * Tables, columns, indexes, constraints and sequences are simple scans: catalog_tables.c joins them
 * in memory, which takes a fraction of what it takes the server. The last statement has all other
 * objects, as [oid of the unit, kind, schema, table, name, text, definition]. A definition is a JSON
 * object, whose members that are null or false do not count. It is read under an empty search_path,
 * so that the server qualifies every name.
 *
 * A line with {scope} is left out unless a part of a catalog is read again: of the units
 * (catalog_units.sql) whose oids it stands for, and of what depends on them.
 *
 * Left out: what belongs to an extension, to the system or to a partitioned table's clones, and
 * names that the server generates: two ways to one schema number them differently. Only oids join
 * these tables. A line that ends in "-- N" is left out where the server is older than version N. A
 * part behind "UNION ALL -- pg_x" is left out where pg_x has no row of the user's: planning it would
 * take longer than all that is there.
 */
WITH member AS MATERIALIZED ( -- of an extension
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
      AND objid = ANY ({scope})
), comments AS MATERIALIZED (
    SELECT classoid, objoid, objsubid, description FROM pg_description
    WHERE objoid >= 16384
      AND objoid = ANY ({scope})
), schemas AS MATERIALIZED (
    SELECT n.oid, n.nspname AS schema FROM pg_namespace n
    WHERE n.nspname !~ '^(pg_|rbtool_|sqitch$)' AND n.nspname <> 'information_schema'
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
      AND c.oid = ANY ({scope})
      AND NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
), types AS MATERIALIZED (
    SELECT t.*, s.schema, format_type(t.oid, NULL) AS full, d.description AS comment
    FROM pg_type t
    JOIN schemas s ON s.oid = t.typnamespace
    LEFT JOIN pg_class r ON r.oid = t.typrelid
    LEFT JOIN comments d ON d.classoid = 'pg_type'::regclass AND d.objoid = t.oid
    WHERE t.oid >= 16384
      AND t.oid = ANY (ARRAY(SELECT unnest({scope}) UNION ALL -- also of columns: {scope}
                             SELECT unnest(ARRAY[y.oid, y.typelem]) FROM pg_attribute a -- {scope}
                             JOIN pg_type y ON y.oid = a.atttypid WHERE a.attrelid = ANY ({scope})))
      AND (t.typtype IN ('b', 'd', 'e', 'r', 'p') OR (t.typtype = 'c' AND r.relkind = 'c'))
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
      AND NOT EXISTS (SELECT FROM pg_depend m -- "member" has none of the types of columns
                      WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid AND m.deptype = 'e')
)
;
SELECT t.oid, t.schema, t.name, t.kind, t.partition,
       CASE WHEN t.kind = 'r' AND t.relpersistence = 'p' AND t.reloftype = 0 AND c.oid IS NULL
                 AND t.reloptions IS NULL AND t.relreplident IN ('d', 'i')
                 AND NOT t.relrowsecurity AND NOT t.relforcerowsecurity
                 AND t.oid NOT IN (SELECT h.inhrelid FROM pg_inherits h)
                 AND t.relam IN (SELECT a.oid FROM pg_am a WHERE a.amname = 'heap')
       THEN json_build_object('kind', 'table', 'comment', t.comment)
       WHEN t.kind IN ('r', 'p', 'f') THEN json_build_object(
    'kind', CASE t.kind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' ELSE 'table' END,
    'unlogged', t.relpersistence = 'u',
    'of', CASE WHEN t.reloftype <> 0 THEN format_type(t.reloftype, NULL) END,
    'inherits', (SELECT json_agg(h.inhparent::regclass ORDER BY h.inhseqno) FROM pg_inherits h
                 WHERE h.inhrelid = t.oid AND NOT t.partition),
    'partitionOf', (SELECT h.inhparent::regclass FROM pg_inherits h
                    WHERE h.inhrelid = t.oid AND t.partition),
    'partitionBound', pg_get_expr(t.relpartbound, t.oid),
    'partitionKey', CASE WHEN t.kind = 'p' THEN pg_get_partkeydef(t.oid) END,
    'options', (SELECT json_agg(o ORDER BY o) FROM unnest(t.reloptions) o),
    'toastOptions', (SELECT json_agg(o ORDER BY o) FROM unnest(c.reloptions) o),
    'accessMethod', (SELECT nullif(a.amname, 'heap') FROM pg_am a WHERE a.oid = t.relam),
    'server', (SELECT s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s
               ON s.oid = f.ftserver WHERE f.ftrelid = t.oid),
    'foreignOptions', (SELECT to_jsonb(f.ftoptions) FROM pg_foreign_table f
                       WHERE f.ftrelid = t.oid),
    'rowSecurity', t.relrowsecurity,
    'forceRowSecurity', t.relforcerowsecurity,
    'replicaIdentity', CASE t.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' END,
    'comment', t.comment) END
FROM relations t
LEFT JOIN pg_class c ON c.oid = t.reltoastrelid AND c.reloptions IS NOT NULL
ORDER BY t.oid
;
SELECT c.attrelid, c.attnum, c.attname, quote_ident(c.attname),
       format_type(c.atttypid, c.atttypmod), c.attnotnull,
       -- Only the expression of a generated column names columns: 0 spares the server the table.
       pg_get_expr(f.adbin, CASE c.attgenerated WHEN '' THEN 0 ELSE c.attrelid END),
       c.attgenerated <> '',
       CASE WHEN c.attidentity <> '' OR c.attgenerated <> '' OR c.attcollation <> t.typcollation
                 OR c.attstorage <> t.typstorage OR c.attstattarget <> -1
                 OR c.attcompression <> '' -- 14
                 OR c.attoptions IS NOT NULL OR c.attfdwoptions IS NOT NULL OR c.attinhcount > 0
                 OR d.description IS NOT NULL OR u.oid IS NOT NULL
       THEN json_build_object(
    'typeOf', CASE WHEN u.oid IS NOT NULL THEN json_build_array(u.schema, u.typname) END,
    'virtual', c.attgenerated = 'v',
    'identity', CASE c.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
    'collation', CASE WHEN c.attcollation <> t.typcollation THEN c.attcollation::regcollation END,
    'storage', CASE WHEN c.attstorage <> t.typstorage THEN c.attstorage END,
    'compression', nullif(c.attcompression, ''), -- 14
    'statistics', nullif(c.attstattarget, -1),
    'options', c.attoptions, 'foreignOptions', c.attfdwoptions,
    'inherited', c.attinhcount > 0 AND NOT r.relispartition,
    'local', c.attinhcount > 0 AND c.attislocal AND NOT r.relispartition,
    'comment', d.description) END
FROM pg_class r
JOIN pg_attribute c ON c.attrelid = r.oid AND c.attnum > 0 AND NOT c.attisdropped
JOIN pg_type t ON t.oid = c.atttypid
LEFT JOIN pg_attrdef f ON f.adrelid = c.attrelid AND f.adnum = c.attnum
LEFT JOIN types u ON u.oid = CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.oid END
LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.attrelid
                        AND d.objsubid = c.attnum
WHERE r.oid >= 16384 AND r.relkind IN ('r', 'p', 'f', 'm')
  AND r.oid = ANY ({scope})
;
, unusual AS MATERIALIZED ( -- columns that an index may have to say more about
    SELECT a.attrelid, a.attnum, a.attstattarget FROM pg_attribute a
    WHERE a.attrelid >= 16384 AND a.attnum > 0
      AND a.attrelid = ANY ({scope})
      AND (a.attoptions IS NOT NULL OR a.attcollation NOT IN (0, 100) OR a.attstattarget >= 0)
), indexes AS MATERIALIZED (
    SELECT i.*, c.relname,
           i.indnatts = i.indnkeyatts AND i.indexprs IS NULL AND i.indpred IS NULL
           AND i.indoption[0] = 0 AND coalesce(i.indoption[1], 0) = 0 AND i.indnatts <= 2
           AND i.indcollation[0] IN (0, 100) AND coalesce(i.indcollation[1], 0) IN (0, 100)
           AND c.reloptions IS NULL AND c.relkind = 'i'
           AND NOT i.indnullsnotdistinct -- 15
           AND i.indclass[0] NOT IN (SELECT o.oid FROM pg_opclass o WHERE NOT o.opcdefault)
           AND coalesce(i.indclass[1], 0) NOT IN (SELECT o.oid FROM pg_opclass o
                                                  WHERE NOT o.opcdefault)
           AND i.indexrelid NOT IN (SELECT u.attrelid FROM unusual u)
           AND i.indrelid NOT IN (SELECT u.attrelid FROM unusual u) AS simple,
           c.relam
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid AND c.relnamespace <> 'pg_toast'::regnamespace
    WHERE i.indrelid >= 16384
      AND i.indrelid = ANY ({scope})
      AND NOT EXISTS (SELECT FROM pg_constraint o
                      WHERE o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x')
                        AND o.conrelid = i.indrelid)
)
SELECT i.indexrelid, i.indrelid, i.indkey, i.indisunique, m.amname,
       CASE WHEN NOT i.simple THEN pg_get_indexdef(i.indexrelid) END,
       CASE WHEN NOT i.simple AND right(rtrim(i.relname, '0123456789'), 4) = '_idx' THEN
           (SELECT json_agg(e.attname ORDER BY e.attnum) FROM pg_attribute e
            WHERE e.attrelid = i.indexrelid) END,
       CASE WHEN NOT (i.indisvalid AND i.indisready) OR i.indisclustered OR i.indisreplident
                 OR h.inhparent IS NOT NULL OR d.description IS NOT NULL OR s.statistics IS NOT NULL
       THEN json_build_object(
    'invalid', NOT (i.indisvalid AND i.indisready),
    'clustered', i.indisclustered,
    'replicaIdentity', i.indisreplident,
    'partitionOf', h.inhparent::regclass,
    'statistics', s.statistics,
    'comment', d.description) END
FROM indexes i
JOIN pg_am m ON m.oid = i.relam
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass AND d.objoid = i.indexrelid
                        AND d.objsubid = 0
LEFT JOIN (SELECT u.attrelid, json_object_agg(u.attnum, u.attstattarget) AS statistics
           FROM unusual u WHERE u.attstattarget >= 0 GROUP BY u.attrelid) s
ON s.attrelid = i.indexrelid
;
SELECT o.conrelid, o.conname, o.contype, o.conkey, i.indkey,
       CASE WHEN o.contype = 'c' AND o.coninhcount > 0 THEN
           CASE WHEN o.conislocal THEN 'partition' ELSE 'any' END END,
       CASE WHEN o.condeferred THEN 'initially deferred'
            WHEN o.condeferrable THEN 'initially immediate' END,
       o.convalidated,
       CASE WHEN i.indexprs IS NOT NULL THEN
           (SELECT json_agg(e.attname ORDER BY e.attnum) FROM pg_attribute e
            WHERE e.attrelid = i.indexrelid) END,
       pg_get_constraintdef(o.oid),
       CASE WHEN i.indisclustered OR i.indisreplident OR c.reloptions IS NOT NULL
                 OR d.description IS NOT NULL THEN json_build_object(
    'clustered', i.indisclustered, 'replicaIdentity', i.indisreplident,
    'options', c.reloptions, 'comment', d.description) END
FROM pg_constraint o
LEFT JOIN pg_index i ON i.indexrelid = o.conindid AND i.indrelid = o.conrelid
                        AND o.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN comments d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = o.oid
WHERE o.contype IN ('c', 'p', 'u', 'f', 'x') AND o.conparentid = 0 AND o.conrelid >= 16384
  AND o.conrelid = ANY ({scope})
;
SELECT q.seqrelid, d.deptype, d.refobjid, d.refobjsubid, quote_literal(q.seqrelid::regclass),
       d.refobjid::regclass, json_build_object(
    'type', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement,
    'min', q.seqmin, 'max', q.seqmax, 'cache', q.seqcache, 'cycle', q.seqcycle,
    'unlogged', r.relpersistence = 'u', 'comment', c.description)
FROM pg_sequence q
JOIN pg_class r ON r.oid = q.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid
                         AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                         AND d.deptype IN ('a', 'i')
LEFT JOIN comments c ON c.classoid = 'pg_class'::regclass AND c.objoid = q.seqrelid
                        AND c.objsubid = 0
WHERE q.seqrelid = ANY ({scope})
;
SELECT s.oid, 'schema', NULL::text, NULL::text, s.schema::text, NULL::text,
       json_build_object('comment', nullif(d.description, 'standard public schema'))
FROM schemas s
LEFT JOIN comments d ON d.classoid = 'pg_namespace'::regclass AND d.objoid = s.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass
                                         AND m.objid = s.oid)
  AND s.oid = ANY ({scope})
UNION ALL -- pg_rewrite
SELECT v.oid, 'view', v.schema, NULL, v.name, NULL, json_build_object(
    'definition', pg_get_viewdef(v.oid), 'materialized', v.kind = 'm',
    'options', (SELECT json_agg(o ORDER BY o) FROM unnest(v.reloptions) o),
    'accessMethod', (SELECT nullif(a.amname, 'heap') FROM pg_am a WHERE a.oid = v.relam),
    'columns', k.columns,
    'comment', v.comment)
FROM relations v
LEFT JOIN (SELECT a.attrelid, json_object_agg(a.attname, json_build_object(
                      'default', pg_get_expr(f.adbin, f.adrelid), 'comment', d.description,
                      'statistics', nullif(a.attstattarget, -1))) AS columns
           FROM pg_class r
           JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
           LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
           LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid
                                   AND d.objsubid = a.attnum
           WHERE r.oid >= 16384 AND r.relkind IN ('v', 'm')
             AND r.oid = ANY ({scope})
             AND coalesce(f.adnum, d.objsubid, nullif(a.attstattarget, -1)) IS NOT NULL
           GROUP BY a.attrelid) k ON k.attrelid = v.oid
WHERE v.kind IN ('v', 'm')
UNION ALL -- pg_rewrite
SELECT w.ev_class, 'rule', r.schema, r.name, w.rulename, NULL, json_build_object(
    'definition', pg_get_ruledef(w.oid), 'enabled', nullif(w.ev_enabled, 'O'),
    'comment', d.description)
FROM relations r
JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
LEFT JOIN comments d ON d.classoid = 'pg_rewrite'::regclass AND d.objoid = w.oid
UNION ALL -- pg_trigger
SELECT g.tgrelid, 'trigger', r.schema, r.name, g.tgname, NULL, json_build_object(
    'definition', CASE WHEN p.oid IS NULL THEN pg_get_triggerdef(g.oid) END,
    'enabled', nullif(g.tgenabled, coalesce(p.tgenabled, 'O')), 'comment', d.description)
FROM relations r
JOIN pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
LEFT JOIN pg_trigger p ON p.oid = g.tgparentid
LEFT JOIN comments d ON d.classoid = 'pg_trigger'::regclass AND d.objoid = g.oid
WHERE p.oid IS NULL OR p.tgenabled <> g.tgenabled
UNION ALL -- pg_policy
SELECT p.polrelid, 'policy', r.schema, r.name, p.polname, NULL, json_build_object(
    'command', nullif(p.polcmd, '*'), 'restrictive', NOT p.polpermissive,
    'roles', (SELECT json_agg(CASE u WHEN 0 THEN 'public' ELSE pg_get_userbyid(u) END
                               ORDER BY pg_get_userbyid(u)) FROM unnest(p.polroles) u),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
    'comment', d.description)
FROM relations r
JOIN pg_policy p ON p.polrelid = r.oid
LEFT JOIN comments d ON d.classoid = 'pg_policy'::regclass AND d.objoid = p.oid
UNION ALL -- pg_proc
SELECT p.oid, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
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
  AND p.oid = ANY ({scope})
UNION ALL -- pg_type
SELECT t.oid, 'type', t.schema, NULL, t.typname, NULL, (jsonb_build_object(
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
                   'definition', pg_get_constraintdef(o.oid), 'comment', d.description,
                   'name', o.conname) ORDER BY pg_get_constraintdef(o.oid), o.conname)
               FROM pg_constraint o
               LEFT JOIN comments d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = o.oid
               WHERE o.contypid = t.oid AND o.contype = 'c'))
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
WHERE t.oid = ANY ({scope})
UNION ALL
SELECT e.oid, 'extension', NULL, NULL, e.extname, NULL,
       json_build_object('version', e.extversion, 'schema', n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.oid = ANY ({scope})
UNION ALL -- pg_event_trigger
SELECT e.oid, 'event_trigger', NULL, NULL, e.evtname, NULL, json_build_object(
    'event', e.evtevent, 'tags', e.evttags, 'function', e.evtfoid::regprocedure,
    'enabled', nullif(e.evtenabled, 'O'), 'comment', d.description)
FROM pg_event_trigger e
LEFT JOIN comments d ON d.classoid = 'pg_event_trigger'::regclass AND d.objoid = e.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_event_trigger'::regclass
                                         AND m.objid = e.oid)
  AND e.oid = ANY ({scope})
UNION ALL -- pg_statistic_ext
SELECT x.oid, 'statistics', s.schema, NULL, x.stxname, NULL, json_build_object(
    'definition', pg_get_statisticsobjdef(x.oid),
    'target', nullif(x.stxstattarget, -1), -- 13
    'comment', d.description)
FROM pg_statistic_ext x
JOIN schemas s ON s.oid = x.stxnamespace
LEFT JOIN comments d ON d.classoid = 'pg_statistic_ext'::regclass AND d.objoid = x.oid
WHERE x.oid = ANY ({scope})
UNION ALL -- pg_publication
SELECT p.oid, 'publication', NULL, NULL, p.pubname, NULL, json_build_object(
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
WHERE p.oid = ANY ({scope})
UNION ALL -- pg_operator
SELECT o.oid, 'operator', s.schema, NULL, NULL,
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
  AND o.oid = ANY ({scope})
UNION ALL -- pg_opfamily
SELECT f.oid, 'operator_family', s.schema, NULL, f.opfname, ' USING ' || quote_ident(m.amname),
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
  AND f.oid = ANY ({scope})
UNION ALL -- pg_opclass
SELECT c.oid, 'operator_class', s.schema, NULL, c.opcname, ' USING ' || quote_ident(m.amname),
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
  AND c.oid = ANY ({scope})
UNION ALL -- pg_cast
SELECT c.oid, 'cast', NULL, NULL, NULL,
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
  AND c.oid = ANY ({scope})
UNION ALL -- pg_collation
SELECT c.oid, 'collation', s.schema, NULL, c.collname, NULL, json_build_object(
    'provider', c.collprovider, 'collate', c.collcollate, 'ctype', c.collctype,
    'locale', c.colliculocale, -- 15
    'nondeterministic', NOT c.collisdeterministic, 'comment', d.description)
FROM pg_collation c
JOIN schemas s ON s.oid = c.collnamespace
LEFT JOIN comments d ON d.classoid = 'pg_collation'::regclass AND d.objoid = c.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_collation'::regclass
                                         AND m.objid = c.oid)
  AND c.oid = ANY ({scope})
UNION ALL -- pg_conversion
SELECT c.oid, 'conversion', s.schema, NULL, c.conname, NULL, json_build_object(
    'from', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding),
    'function', c.conproc, 'default', c.condefault, 'comment', d.description)
FROM pg_conversion c
JOIN schemas s ON s.oid = c.connamespace
LEFT JOIN comments d ON d.classoid = 'pg_conversion'::regclass AND d.objoid = c.oid
WHERE c.oid = ANY ({scope})
UNION ALL -- pg_ts_config
SELECT c.oid, 'text_search_configuration', s.schema, NULL, c.cfgname, NULL, json_build_object(
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
  AND c.oid = ANY ({scope})
UNION ALL -- pg_ts_dict
SELECT y.oid, 'text_search_dictionary', s.schema, NULL, y.dictname, NULL, json_build_object(
    'template', (SELECT n.nspname || '.' || t.tmplname FROM pg_ts_template t
                 JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE t.oid = y.dicttemplate),
    'options', y.dictinitoption, 'comment', d.description)
FROM pg_ts_dict y
JOIN schemas s ON s.oid = y.dictnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_dict'::regclass AND d.objoid = y.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_dict'::regclass
                                         AND m.objid = y.oid)
  AND y.oid = ANY ({scope})
UNION ALL -- pg_ts_template
SELECT t.oid, 'text_search_template', s.schema, NULL, t.tmplname, NULL, json_build_object(
    'init', nullif(t.tmplinit, 0), 'lexize', t.tmpllexize, 'comment', d.description)
FROM pg_ts_template t
JOIN schemas s ON s.oid = t.tmplnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_template'::regclass AND d.objoid = t.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_template'::regclass
                                         AND m.objid = t.oid)
  AND t.oid = ANY ({scope})
UNION ALL -- pg_ts_parser
SELECT p.oid, 'text_search_parser', s.schema, NULL, p.prsname, NULL, json_build_object(
    'start', p.prsstart, 'token', p.prstoken, 'end', p.prsend, 'types', p.prslextype,
    'headline', nullif(p.prsheadline, 0), 'comment', d.description)
FROM pg_ts_parser p
JOIN schemas s ON s.oid = p.prsnamespace
LEFT JOIN comments d ON d.classoid = 'pg_ts_parser'::regclass AND d.objoid = p.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_parser'::regclass
                                         AND m.objid = p.oid)
  AND p.oid = ANY ({scope})
UNION ALL -- pg_foreign_data_wrapper
SELECT w.oid, 'foreign_data_wrapper', NULL, NULL, w.fdwname, NULL, json_build_object(
    'handler', nullif(w.fdwhandler, 0)::regproc, 'validator', nullif(w.fdwvalidator, 0)::regproc,
    'options', w.fdwoptions, 'comment', d.description)
FROM pg_foreign_data_wrapper w
LEFT JOIN comments d ON d.classoid = 'pg_foreign_data_wrapper'::regclass AND d.objoid = w.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_foreign_data_wrapper'::regclass
                                         AND m.objid = w.oid)
  AND w.oid = ANY ({scope})
UNION ALL -- pg_foreign_server
SELECT v.oid, 'server', NULL, NULL, v.srvname, NULL, json_build_object(
    'wrapper', w.fdwname, 'type', v.srvtype, 'version', v.srvversion, 'options', v.srvoptions,
    'comment', d.description)
FROM pg_foreign_server v
JOIN pg_foreign_data_wrapper w ON w.oid = v.srvfdw
LEFT JOIN comments d ON d.classoid = 'pg_foreign_server'::regclass AND d.objoid = v.oid
WHERE v.oid = ANY ({scope})
UNION ALL -- pg_language
SELECT l.oid, 'language', NULL, NULL, l.lanname, NULL, json_build_object(
    'trusted', l.lanpltrusted, 'handler', nullif(l.lanplcallfoid, 0)::regproc,
    'inline', nullif(l.laninline, 0)::regproc, 'validator', nullif(l.lanvalidator, 0)::regproc,
    'comment', d.description)
FROM pg_language l
LEFT JOIN comments d ON d.classoid = 'pg_language'::regclass AND d.objoid = l.oid
WHERE l.oid >= 16384
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_language'::regclass
                                         AND m.objid = l.oid)
  AND l.oid = ANY ({scope})
UNION ALL -- pg_am
SELECT a.oid, 'access_method', NULL, NULL, a.amname, NULL, json_build_object(
    'type', a.amtype, 'handler', a.amhandler, 'comment', d.description)
FROM pg_am a
LEFT JOIN comments d ON d.classoid = 'pg_am'::regclass AND d.objoid = a.oid
WHERE a.oid >= 16384
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_am'::regclass AND m.objid = a.oid)
  AND a.oid = ANY ({scope})
UNION ALL -- pg_transform
SELECT t.oid, 'transform', NULL, NULL, NULL, '(' || format_type(t.trftype, NULL) || ' LANGUAGE '
       || l.lanname || ')', json_build_object(
    'from', nullif(t.trffromsql, 0)::regproc, 'to', nullif(t.trftosql, 0)::regproc)
FROM pg_transform t
JOIN pg_language l ON l.oid = t.trflang
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_transform'::regclass
                                         AND m.objid = t.oid)
  AND t.oid = ANY ({scope})
