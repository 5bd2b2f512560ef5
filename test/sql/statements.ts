import { join } from 'node:path';
import ts from 'typescript';
import { SqlText } from './sqlText.js';

const repository = join(import.meta.dirname, '../..');
/** The classes of TypeORM whose `query` sends SQL to PostgreSQL. */
const senders = new Set(['DataSource', 'EntityManager', 'QueryRunner']);

export type ColumnKind = 'string' | 'number' | 'boolean' | 'Date' | 'Buffer' | 'array' | 'json';

export type Statement = {
  /** For example `src/backups/newestTicks.ts: newestTicks`. */
  readonly place: string;
  /** The text in each of its variants. Undefined: it is only known at run time. */
  readonly texts: readonly string[] | undefined;
  /** The fields of the row type in the call of `query`. Undefined: the call has no row type. */
  readonly row: ReadonlyMap<string, ColumnKind> | undefined;
};

/** Every statement that the program sends through TypeORM's `query`, read from the sources. */
export function statementsOfProgram(): readonly Statement[] {
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.build.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, repository);
  const program = ts.createProgram(fileNames, { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const sqlText = new SqlText(checker);
  return fileNames
    .filter((path) => path.startsWith(join(repository, 'src/')))
    .flatMap((path) => callsOfQuery(program.getSourceFile(path), checker))
    .map((call) => {
      const [sql] = call.arguments;
      return { place: placeOf(call), texts: sql && sqlText.of(sql), row: rowOf(checker, call) };
    });
}

function callsOfQuery(file: ts.SourceFile | undefined, checker: ts.TypeChecker): readonly ts.CallExpression[] {
  const calls: ts.CallExpression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name, expression } = node.expression;
      const sender = checker.getTypeAtLocation(expression);
      const isSender = senders.has(nameOf(sender));
      if (name.text === 'query' && isSender) calls.push(node);
    }
    ts.forEachChild(node, visit);
  };
  if (file !== undefined) visit(file);
  return calls;
}

function placeOf(call: ts.CallExpression): string {
  let node: ts.Node = call;
  while (!ts.isSourceFile(node.parent)) {
    node = node.parent;
    const isConstant = ts.isVariableDeclaration(node) && ts.isSourceFile(node.parent.parent.parent);
    if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || isConstant) break;
  }
  const name = 'name' in node && node.name !== undefined ? (node.name as ts.Identifier).text : '';
  return `${call.getSourceFile().fileName.slice(repository.length + 1)}: ${name}`;
}

function rowOf(checker: ts.TypeChecker, call: ts.CallExpression): ReadonlyMap<string, ColumnKind> | undefined {
  const node = call.typeArguments?.[0] ?? assertedType(call);
  if (node === undefined) return undefined;
  let row = checker.getTypeFromTypeNode(node);
  // The result is a list of rows, one row, or rows and their number. TypeORM returns the last form for UPDATE and
  // DELETE.
  while (checker.isArrayType(row) || checker.isTupleType(row)) {
    const [first] = checker.getTypeArguments(row as ts.TypeReference);
    if (first === undefined) return undefined;
    row = first;
  }
  if ((row.flags & ts.TypeFlags.Unknown) !== 0) return undefined;
  return new Map(
    checker.getPropertiesOfType(row).map((property) => {
      return [property.name, kindOf(checker, checker.getTypeOfSymbolAtLocation(property, call))];
    }),
  );
}

/** The row type of `(await manager.query(…)) as Row[]` or `const rows: Row[] = await manager.query(…)`. */
function assertedType(call: ts.CallExpression): ts.TypeNode | undefined {
  let node: ts.Node = call.parent;
  while (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node)) node = node.parent;
  return ts.isAsExpression(node) || ts.isVariableDeclaration(node) ? node.type : undefined;
}

function kindOf(checker: ts.TypeChecker, type: ts.Type): ColumnKind {
  const present = checker.getNonNullableType(type);
  const [some = present] = present.isUnion() ? present.types : [present];
  if ((some.flags & ts.TypeFlags.StringLike) !== 0) return 'string';
  if ((some.flags & ts.TypeFlags.NumberLike) !== 0) return 'number';
  if ((some.flags & ts.TypeFlags.BooleanLike) !== 0) return 'boolean';
  if (nameOf(some) === 'Date') return 'Date';
  if (nameOf(some).startsWith('Buffer')) return 'Buffer';
  return checker.isArrayType(some) ? 'array' : 'json';
}

/** The name of a class or interface. Empty for other types, because they have no symbol. */
function nameOf(type: ts.Type): string {
  const symbol = type.symbol as ts.Symbol | undefined;
  return symbol?.name ?? '';
}
