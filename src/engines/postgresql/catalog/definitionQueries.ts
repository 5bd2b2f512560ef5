/**
 * Statements that list the objects of one database with their definitions. Each returns rows of `kind`, `schema`, `name`,
 * `part` and `text`. An object has one row or more. The parts of a table and of a view are separate; `part` null is the
 * whole definition. Objects of the system and of extensions are left out, because an extension creates its own.
 *
 * The statements run with an empty search_path, so names in definitions are complete.
 */
/** The part of an extension's definition with its version. */
export const extensionVersion = 'version';

const own = (catalog: string, alias: string) =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_catalog.${catalog}'::regclass AND e.objid = ${alias}.oid AND e.deptype = 'e')`;
const ownSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** The privileges as sorted text. \`kind\` is a letter of acldefault. */
const grants = (acl: string, kind: string, owner: string) =>
  `(SELECT string_agg(item, ', ' ORDER BY item COLLATE "C") FROM unnest(coalesce(${acl}, acldefault('${kind}', ${owner}))) AS acl, CAST(acl AS text) AS item)`;

/** pg_dump sorts the options of foreign objects. */
const sorted = (options: string) =>
  `(SELECT string_agg(option, ', ' ORDER BY option COLLATE "C") FROM unnest(${options}) AS option)`;

const about = (catalog: string, oid: string, acl: string, owner: string) =>
  `concat_ws(E'\\n', 'owner ' || pg_get_userbyid(${owner}), ${acl === '' ? 'NULL' : `'grants ' || ${acl}`}, 'comment ' || obj_description(${oid}, '${catalog}'))`;

const relationKind = `CASE c.relkind WHEN 'v' THEN 'views' WHEN 'm' THEN 'materializedViews' WHEN 'S' THEN 'sequences' ELSE 'tables' END`;
const relations = (kinds: string) => `
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT ${relationKind} AS kind, n.nspname AS schema, c.relname AS name) AS k
 WHERE c.relkind IN (${kinds}) AND ${ownSchema} AND ${own('pg_class', 'c')}`;
const ofRelation = (more: string, kinds = `'r','p','f','v','m'`) =>
  relations(kinds).replace('CROSS JOIN LATERAL', `${more} CROSS JOIN LATERAL`);

const relationParts = [
  `SELECT kind, schema, name, 'owner' AS part, pg_get_userbyid(c.relowner) AS text ${relations(`'r','p','f','v','m','S'`)}`,
  `SELECT kind, schema, name, 'grants', ${grants('c.relacl', 'r', 'c.relowner')} ${relations(`'r','p','f','v','m'`)}`,
  `SELECT kind, schema, name, 'grants', ${grants('c.relacl', 's', 'c.relowner')} ${relations(`'S'`)}`,
  `SELECT kind, schema, name, 'comment', obj_description(c.oid, 'pg_class') ${relations(`'r','p','f','v','m','S'`)} AND obj_description(c.oid, 'pg_class') IS NOT NULL`,
  `SELECT kind, schema, name, 'options', concat_ws(' ', 'kind', c.relkind, c.relpersistence, c.relreplident,
          CASE WHEN c.relrowsecurity THEN 'rls' END, CASE WHEN c.relforcerowsecurity THEN 'force rls' END,
          CASE WHEN c.reltablespace <> 0 THEN 'tablespace ' || (SELECT spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace) END,
          'method ' || (SELECT amname FROM pg_am a WHERE a.oid = c.relam),
          'of ' || nullif(c.reloftype, 0)::regtype,
          array_to_string(c.reloptions, ' '),
          'foreign ' || (SELECT concat_ws(' ', s.srvname, ${sorted('f.ftoptions')}) FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid),
          'partition ' || pg_get_expr(c.relpartbound, c.oid), 'by ' || pg_get_partkeydef(c.oid),
          CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'empty' END)
          ${relations(`'r','p','f','v','m'`)}`,
  `SELECT kind, schema, name, 'inherits', string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
          ${ofRelation('JOIN pg_inherits i ON i.inhrelid = c.oid')} GROUP BY 1, 2, 3`,
  `SELECT kind, schema, name, 'column ' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
          CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
          CASE WHEN a.attnotnull THEN 'not null' END, CASE WHEN NOT a.attislocal THEN 'inherited' END,
          'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''),
          'default ' || pg_get_expr(d.adbin, d.adrelid), CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
          'compression ' || nullif(to_jsonb(a)->>'attcompression', ''),
          'statistics ' || nullif(to_jsonb(a)->>'attstattarget', '-1'), array_to_string(a.attoptions, ' '), ${sorted('a.attfdwoptions')},
          'grants ' || ${grants('a.attacl', 'c', 'c.relowner')}, 'comment ' || col_description(c.oid, a.attnum))
          ${ofRelation('JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum')}
          ORDER BY c.oid, a.attnum`,
  `SELECT kind, schema, name, 'constraint ' || o.conname, concat_ws(' ', pg_get_constraintdef(o.oid), 'comment ' || obj_description(o.oid, 'pg_constraint'))
          ${ofRelation(`JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype <> 't'`)}`,
  `SELECT kind, schema, name, 'index ' || x.relname, concat_ws(' ', pg_get_indexdef(x.oid), CASE WHEN i.indisclustered THEN 'clustered' END,
          CASE WHEN i.indisreplident THEN 'replica identity' END, CASE WHEN NOT i.indisvalid THEN 'invalid' END, array_to_string(x.reloptions, ' '),
          'comment ' || obj_description(x.oid, 'pg_class'))
          ${ofRelation('JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid')}`,
  `SELECT kind, schema, name, 'trigger ' || g.tgname, concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled, 'comment ' || obj_description(g.oid, 'pg_trigger'))
          ${ofRelation('JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal')}`,
  `SELECT kind, schema, name, 'rule ' || u.rulename, concat_ws(' ', pg_get_ruledef(u.oid), u.ev_enabled)
          ${ofRelation(`JOIN pg_rewrite u ON u.ev_class = c.oid AND u.rulename <> '_RETURN'`)}`,
  `SELECT kind, schema, name, 'policy ' || p.polname, concat_ws(' ', p.polcmd, p.polpermissive,
          (SELECT string_agg(coalesce(r.rolname, 'public'), ', ' ORDER BY r.rolname) FROM unnest(p.polroles) AS o LEFT JOIN pg_roles r ON r.oid = o),
          'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
          ${ofRelation('JOIN pg_policy p ON p.polrelid = c.oid')}`,
  `SELECT kind, schema, name, 'query', pg_get_viewdef(c.oid) ${relations(`'v','m'`)}`,
  `SELECT kind, schema, name, 'label ' || l.provider, l.label
          ${ofRelation(`JOIN pg_seclabel l ON l.objoid = c.oid AND l.classoid = 'pg_class'::regclass AND l.objsubid = 0`)}`,
  `SELECT 'sequences', n.nspname, c.relname, 'sequence', concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
          'owned by ' || (SELECT d.refobjid::regclass || '.' || a.attname FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass LIMIT 1))
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid WHERE ${ownSchema} AND ${own('pg_class', 'c')}`,
];

/** An object whose definition is one text. */
const simple = (
  kind: string,
  catalog: string,
  alias: string,
  name: string,
  text: string,
  from: string,
  schema = 'n.nspname',
) =>
  `SELECT '${kind}' AS kind, ${schema} AS schema, ${name} AS name, NULL AS part, ${text} AS text ${from} AND ${own(catalog, alias)}`;

const inSchema = (catalog: string, alias: string, namespace: string) =>
  `FROM ${catalog} ${alias} JOIN pg_namespace n ON n.oid = ${alias}.${namespace} WHERE ${ownSchema}`;

const otherObjects = [
  simple(
    'schemas',
    'pg_namespace',
    'n',
    'n.nspname',
    about('pg_namespace', 'n.oid', grants('n.nspacl', 'n', 'n.nspowner'), 'n.nspowner'),
    `FROM pg_namespace n WHERE ${ownSchema}`,
    'NULL',
  ),
  simple(
    'functions',
    'pg_proc',
    'p',
    `p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'`,
    `concat_ws(E'\\n', CASE WHEN p.prokind = 'a' THEN (SELECT concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggtranstype::regtype, a.agginitval, a.aggkind, a.aggsortop::regoper) FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
       ELSE pg_get_functiondef(p.oid) END, ${about('pg_proc', 'p.oid', grants('p.proacl', 'f', 'p.proowner'), 'p.proowner')})`,
    inSchema('pg_proc', 'p', 'pronamespace'),
  ),
  simple(
    'types',
    'pg_type',
    't',
    't.typname',
    `concat_ws(E'\\n', t.typtype, (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
       (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped),
       CASE WHEN t.typtype = 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
         (SELECT string_agg(o.conname || ' ' || pg_get_constraintdef(o.oid), ', ' ORDER BY o.conname) FROM pg_constraint o WHERE o.contypid = t.oid)) END,
       (SELECT concat_ws(' ', r.rngsubtype::regtype, r.rngcollation::regcollation, r.rngsubdiff) FROM pg_range r WHERE r.rngtypid = t.oid),
       ${about('pg_type', 't.oid', grants('t.typacl', 'T', 't.typowner'), 't.typowner')})`,
    `${inSchema('pg_type', 't', 'typnamespace')} AND t.typtype IN ('e', 'd', 'c', 'r', 'b') AND (t.typrelid = 0 OR (SELECT c.relkind FROM pg_class c WHERE c.oid = t.typrelid) = 'c')
       AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)`,
  ),
  simple(
    'operators',
    'pg_operator',
    'o',
    `o.oprname || '(' || concat_ws(',', nullif(o.oprleft, 0)::regtype, nullif(o.oprright, 0)::regtype) || ')'`,
    `concat_ws(E'\\n', o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin, o.oprcanhash, o.oprcanmerge, ${about('pg_operator', 'o.oid', '', 'o.oprowner')})`,
    inSchema('pg_operator', 'o', 'oprnamespace'),
  ),
  simple(
    'operatorClasses',
    'pg_opclass',
    'o',
    `o.opcname || ' ' || (SELECT amname FROM pg_am a WHERE a.oid = o.opcmethod)`,
    `concat_ws(E'\\n', o.opcintype::regtype, o.opcdefault, o.opckeytype::regtype, ${about('pg_opclass', 'o.oid', '', 'o.opcowner')})`,
    inSchema('pg_opclass', 'o', 'opcnamespace'),
  ),
  simple(
    'operatorFamilies',
    'pg_opfamily',
    'o',
    `o.opfname || ' ' || (SELECT amname FROM pg_am a WHERE a.oid = o.opfmethod)`,
    `concat_ws(E'\\n', (SELECT string_agg(concat_ws(' ', a.amopstrategy, a.amopopr::regoperator), ', ' ORDER BY a.amopstrategy, a.amopopr::regoperator::text) FROM pg_amop a WHERE a.amopfamily = o.oid),
       (SELECT string_agg(concat_ws(' ', a.amprocnum, a.amproc::regprocedure), ', ' ORDER BY a.amprocnum, a.amproc::regprocedure::text) FROM pg_amproc a WHERE a.amprocfamily = o.oid),
       ${about('pg_opfamily', 'o.oid', '', 'o.opfowner')})`,
    inSchema('pg_opfamily', 'o', 'opfnamespace'),
  ),
  simple(
    'collations',
    'pg_collation',
    'o',
    'o.collname',
    `concat_ws(E'\\n', o.collprovider, o.collisdeterministic, o.collcollate, o.collctype,
       coalesce(to_jsonb(o)->>'colllocale', to_jsonb(o)->>'colliculocale'), to_jsonb(o)->>'collicurules', ${about('pg_collation', 'o.oid', '', 'o.collowner')})`,
    inSchema('pg_collation', 'o', 'collnamespace'),
  ),
  simple(
    'conversions',
    'pg_conversion',
    'o',
    'o.conname',
    `concat_ws(E'\\n', pg_encoding_to_char(o.conforencoding), pg_encoding_to_char(o.contoencoding), o.conproc, o.condefault, ${about('pg_conversion', 'o.oid', '', 'o.conowner')})`,
    inSchema('pg_conversion', 'o', 'connamespace'),
  ),
  simple(
    'statistics',
    'pg_statistic_ext',
    'o',
    'o.stxname',
    `concat_ws(E'\\n', pg_get_statisticsobjdef(o.oid), ${about('pg_statistic_ext', 'o.oid', '', 'o.stxowner')})`,
    inSchema('pg_statistic_ext', 'o', 'stxnamespace'),
  ),
  simple(
    'textSearchConfigurations',
    'pg_ts_config',
    'o',
    'o.cfgname',
    `concat_ws(E'\\n', o.cfgparser::regclass::text,
       (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid),
       ${about('pg_ts_config', 'o.oid', '', 'o.cfgowner')})`.replace(
      'o.cfgparser::regclass::text',
      '(SELECT prsname FROM pg_ts_parser p WHERE p.oid = o.cfgparser)',
    ),
    inSchema('pg_ts_config', 'o', 'cfgnamespace'),
  ),
  simple(
    'textSearchDictionaries',
    'pg_ts_dict',
    'o',
    'o.dictname',
    `concat_ws(E'\\n', (SELECT tmplname FROM pg_ts_template t WHERE t.oid = o.dicttemplate), o.dictinitoption, ${about('pg_ts_dict', 'o.oid', '', 'o.dictowner')})`,
    inSchema('pg_ts_dict', 'o', 'dictnamespace'),
  ),
  simple(
    'casts',
    'pg_cast',
    'o',
    `o.castsource::regtype || ' AS ' || o.casttarget::regtype`,
    `concat_ws(' ', nullif(o.castfunc, 0)::regprocedure, o.castcontext, o.castmethod)`,
    'FROM pg_cast o WHERE o.oid >= 16384',
    'NULL',
  ),
  simple(
    'languages',
    'pg_language',
    'o',
    'o.lanname',
    about('pg_language', 'o.oid', grants('o.lanacl', 'l', 'o.lanowner'), 'o.lanowner'),
    'FROM pg_language o WHERE o.lanispl',
    'NULL',
  ),
  `SELECT 'extensions' AS kind, NULL AS schema, o.extname AS name, '${extensionVersion}' AS part, o.extversion AS text FROM pg_extension o`,
  `SELECT 'extensions' AS kind, NULL AS schema, o.extname AS name, 'schema' AS part, o.extnamespace::regnamespace::text AS text FROM pg_extension o`,
  simple(
    'eventTriggers',
    'pg_event_trigger',
    'o',
    'o.evtname',
    `concat_ws(E'\\n', o.evtevent, o.evtfoid::regproc, o.evtenabled, o.evttags, ${about('pg_event_trigger', 'o.oid', '', 'o.evtowner')})`,
    'FROM pg_event_trigger o WHERE true',
    'NULL',
  ),
  simple(
    'publications',
    'pg_publication',
    'o',
    'o.pubname',
    `concat_ws(E'\\n', o.puballtables, o.pubinsert, o.pubupdate, o.pubdelete, o.pubtruncate, o.pubviaroot,
       (SELECT string_agg(t.schemaname || '.' || t.tablename, ', ' ORDER BY t.schemaname, t.tablename) FROM pg_publication_tables t WHERE t.pubname = o.pubname), ${about('pg_publication', 'o.oid', '', 'o.pubowner')})`,
    'FROM pg_publication o WHERE true',
    'NULL',
  ),
  simple(
    'foreignDataWrappers',
    'pg_foreign_data_wrapper',
    'o',
    'o.fdwname',
    `concat_ws(E'\\n', nullif(o.fdwhandler, 0)::regproc, nullif(o.fdwvalidator, 0)::regproc, ${sorted('o.fdwoptions')}, ${about('pg_foreign_data_wrapper', 'o.oid', grants('o.fdwacl', 'F', 'o.fdwowner'), 'o.fdwowner')})`,
    'FROM pg_foreign_data_wrapper o WHERE true',
    'NULL',
  ),
  simple(
    'foreignServers',
    'pg_foreign_server',
    'o',
    'o.srvname',
    `concat_ws(E'\\n', o.srvtype, o.srvversion, (SELECT fdwname FROM pg_foreign_data_wrapper w WHERE w.oid = o.srvfdw), ${sorted('o.srvoptions')}, ${about('pg_foreign_server', 'o.oid', grants('o.srvacl', 'S', 'o.srvowner'), 'o.srvowner')})`,
    'FROM pg_foreign_server o WHERE true',
    'NULL',
  ),
  `SELECT 'userMappings' AS kind, NULL AS schema, m.usename || ' on ' || m.srvname AS name, NULL AS part, NULL AS text FROM pg_user_mappings m`,
  `SELECT 'defaultPrivileges' AS kind, NULL AS schema, concat_ws(' ', pg_get_userbyid(o.defaclrole), nullif(o.defaclnamespace, 0)::regnamespace, o.defaclobjtype) AS name, NULL AS part,
     (SELECT string_agg(item, ', ' ORDER BY item COLLATE "C") FROM unnest(o.defaclacl) AS acl, CAST(acl AS text) AS item) AS text FROM pg_default_acl o`,
];

/**
 * The owners, grants and comments that large objects have. It is one definition, because a database may have millions of
 * them.
 */
const ofLargeObjects = (part: string, text: string) =>
  `SELECT 'tables', 'pg_catalog', 'pg_largeobject_metadata', '${part}', string_agg(DISTINCT text, ', ') FROM (SELECT ${text} AS text FROM pg_largeobject_metadata l) AS each HAVING count(*) > 0`;
const largeObjects = [
  ofLargeObjects('owners', 'pg_get_userbyid(l.lomowner)'),
  ofLargeObjects('grants', grants('l.lomacl', 'L', 'l.lomowner')),
  ofLargeObjects('comments', `md5(obj_description(l.oid, 'pg_largeobject'))`),
];

export const definitionQueries: readonly string[] = [...relationParts, ...largeObjects, ...otherObjects].map(
  (query) => `SELECT * FROM (${query}) AS each(kind, schema, name, part, text)`,
);
