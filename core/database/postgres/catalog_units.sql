/*
 * The units of a catalog, by which it is read again: [class, oid, rows, young, name]. A unit is an
 * object of the server's catalogs with the rows that are about it: a table with its columns,
 * constraints, triggers and policies; an index; a sequence; a function. It is as it was if it has as
 * many rows as before, and none is younger. Rows that do not vanish unless another row of the unit
 * changes count as 0. {since}: the first transaction of which the last read cannot have seen all.
 *
 * The parts are those of catalog.sql. Their first object has a row in pg_depend, which shows that a
 * part is needed that was not; parts whose objects may have none are always there.
 */
SELECT u.class::oid, u.oid, sum(u.n), bool_or(age(u.x) <= age({since}::xid)), max(u.name)
FROM (
    SELECT 'pg_class'::regclass AS class, oid, 1 AS n, xmin AS x, relname::text AS name
    FROM pg_class WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace
UNION ALL
    SELECT 'pg_class'::regclass, oid, 0, xmin, NULL FROM pg_class -- of toast: its options
    WHERE relkind = 't' AND oid >= 16384 AND age(xmin) <= age({since}::xid)
UNION ALL
    SELECT 'pg_class'::regclass, attrelid, 0, xmin, NULL FROM pg_attribute
    WHERE attrelid >= 16384 AND attnum > 0 AND age(xmin) <= age({since}::xid)
UNION ALL
    SELECT 'pg_class'::regclass, adrelid, 0, xmin, NULL FROM pg_attrdef
    WHERE age(xmin) <= age({since}::xid)
UNION ALL
    SELECT 'pg_class'::regclass, indexrelid, 0, xmin, NULL FROM pg_index
    WHERE indrelid >= 16384 AND age(xmin) <= age({since}::xid)
UNION ALL
    SELECT 'pg_class'::regclass, seqrelid, 0, xmin, NULL FROM pg_sequence
    WHERE age(xmin) <= age({since}::xid)
UNION ALL
    SELECT CASE conrelid WHEN 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END,
           CASE conrelid WHEN 0 THEN contypid ELSE conrelid END, 1, xmin, NULL
    FROM pg_constraint WHERE oid >= 16384
UNION ALL
    SELECT 'pg_class'::regclass, inhrelid, 1, xmin, NULL FROM pg_inherits
UNION ALL
    -- What belongs to an extension, who owns a sequence; and what is young.
    SELECT classid, objid,
           (deptype = 'e' OR (classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                              AND refobjsubid > 0 AND deptype IN ('a', 'i')))::int, xmin, NULL
    FROM pg_depend WHERE classid <> 0
UNION ALL
    SELECT classoid, objoid, 1, xmin, NULL FROM pg_description WHERE objoid >= 16384
UNION ALL
    SELECT 'pg_type'::regclass, oid, 1, xmin, NULL FROM pg_type
    WHERE oid >= 16384 AND typoutput <> 'array_out'::regproc
      -- Of composite types, those that are no row type of a table: nothing else names one that is gone.
      AND (typtype <> 'c' OR typrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c'))
UNION ALL
    SELECT 'pg_type'::regclass, enumtypid, 1, xmin, NULL FROM pg_enum
UNION ALL
    SELECT 'pg_proc'::regclass, oid, 1, xmin, NULL FROM pg_proc WHERE oid >= 16384
UNION ALL
    SELECT 'pg_extension'::regclass, oid, 1, xmin, NULL FROM pg_extension
UNION ALL
    SELECT 'pg_publication'::regclass, oid, 1, xmin, NULL FROM pg_publication
UNION ALL
    SELECT 'pg_publication'::regclass, prpubid, 1, xmin, NULL FROM pg_publication_rel
UNION ALL SELECT 'pg_publication'::regclass, pnpubid, 1, xmin, NULL FROM pg_publication_namespace -- 15
UNION ALL
    SELECT 'pg_cast'::regclass, oid, 1, xmin, NULL FROM pg_cast WHERE oid >= 16384
UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, oid, 1, xmin, NULL FROM pg_foreign_data_wrapper
UNION ALL -- pg_foreign_server
    SELECT 'pg_foreign_server'::regclass, oid, 1, xmin, NULL FROM pg_foreign_server
UNION ALL -- pg_foreign_server
    SELECT 'pg_class'::regclass, ftrelid, 1, xmin, NULL FROM pg_foreign_table
UNION ALL -- pg_rewrite
    SELECT 'pg_class'::regclass, ev_class, 1, xmin, NULL FROM pg_rewrite WHERE oid >= 16384
UNION ALL -- pg_trigger
    SELECT 'pg_class'::regclass, tgrelid, 1, xmin, NULL FROM pg_trigger WHERE NOT tgisinternal
UNION ALL -- pg_policy
    -- A role is renamed without a change of the policy that names it.
    SELECT 'pg_class'::regclass, polrelid,
           1 + (hashtext((SELECT string_agg(pg_get_userbyid(r), ',') FROM unnest(polroles) r)) & 16777215),
           xmin, NULL
    FROM pg_policy
UNION ALL -- pg_event_trigger
    SELECT 'pg_event_trigger'::regclass, oid, 1, xmin, NULL FROM pg_event_trigger
UNION ALL -- pg_statistic_ext
    SELECT 'pg_statistic_ext'::regclass, oid, 1, xmin, NULL FROM pg_statistic_ext
UNION ALL -- pg_operator
    SELECT 'pg_operator'::regclass, oid, 1, xmin, NULL FROM pg_operator WHERE oid >= 16384
UNION ALL -- pg_opfamily
    SELECT 'pg_opfamily'::regclass, oid, 1, xmin, NULL FROM pg_opfamily WHERE oid >= 16384
UNION ALL -- pg_opfamily
    SELECT 'pg_opfamily'::regclass, amopfamily, 1, xmin, NULL FROM pg_amop WHERE oid >= 16384
UNION ALL -- pg_opfamily
    SELECT 'pg_opfamily'::regclass, amprocfamily, 1, xmin, NULL FROM pg_amproc WHERE oid >= 16384
UNION ALL -- pg_opclass
    SELECT 'pg_opclass'::regclass, oid, 1, xmin, NULL FROM pg_opclass WHERE oid >= 16384
UNION ALL -- pg_collation
    SELECT 'pg_collation'::regclass, oid, 1, xmin, NULL FROM pg_collation WHERE oid >= 16384
UNION ALL -- pg_conversion
    SELECT 'pg_conversion'::regclass, oid, 1, xmin, NULL FROM pg_conversion WHERE oid >= 16384
UNION ALL -- pg_ts_config
    SELECT 'pg_ts_config'::regclass, oid, 1, xmin, NULL FROM pg_ts_config WHERE oid >= 16384
UNION ALL -- pg_ts_config
    SELECT 'pg_ts_config'::regclass, mapcfg, 1, xmin, NULL FROM pg_ts_config_map WHERE mapcfg >= 16384
UNION ALL -- pg_ts_dict
    SELECT 'pg_ts_dict'::regclass, oid, 1, xmin, NULL FROM pg_ts_dict WHERE oid >= 16384
UNION ALL -- pg_ts_template
    SELECT 'pg_ts_template'::regclass, oid, 1, xmin, NULL FROM pg_ts_template WHERE oid >= 16384
UNION ALL -- pg_ts_parser
    SELECT 'pg_ts_parser'::regclass, oid, 1, xmin, NULL FROM pg_ts_parser WHERE oid >= 16384
UNION ALL
    SELECT 'pg_language'::regclass, oid, 1, xmin, NULL FROM pg_language WHERE oid >= 16384
UNION ALL
    SELECT 'pg_am'::regclass, oid, 1, xmin, NULL FROM pg_am WHERE oid >= 16384
UNION ALL
    SELECT 'pg_transform'::regclass, oid, 1, xmin, NULL FROM pg_transform
UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 1, xmin, NULL FROM pg_namespace
    WHERE nspname !~ '^(pg_|rbtool_|sqitch$)'
) u
WHERE u.n > 0 OR age(u.x) <= age({since}::xid)
GROUP BY 1, 2
-- The next read's {since}.
UNION ALL SELECT 0, 0, txid_snapshot_xmin(txid_current_snapshot()) % 4294967296, NULL, NULL
