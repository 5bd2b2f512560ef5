import { join } from 'node:path';
import ts from 'typescript';
import { deciders } from '../fixtures/streams.js';
import type { Shape } from './shape.js';

const repository = join(import.meta.dirname, '../..');
const slices = join(repository, 'src/composition/slices.ts');

export type EventShape = { readonly streamType: string; readonly version: number; readonly shape: Shape };

/** Every type of event that the deciders of `composition/slices.ts` know, with its shape, read from their types. */
export function eventShapes(): ReadonlyMap<string, EventShape> {
  const program = programOf(slices);
  const checker = program.getTypeChecker();
  const shapes = new Map<string, EventShape>();
  for (const [index, slice] of membersOf(checker, listIn(program.getSourceFile(slices))).entries()) {
    const { streamType = '', schemaVersions } = deciders[index] ?? {};
    const decider = propertyType(checker, checker.getTypeAtLocation(slice), 'decider', slice);
    const evolve = propertyType(checker, decider, 'evolve', slice);
    const event = evolve.getCallSignatures()[0]?.getParameters()[1];
    if (event === undefined) throw new Error(`${slice.getText()} has no evolve(state, event).`);
    const events = checker.getTypeOfSymbolAtLocation(event, slice);
    for (const each of events.isUnion() ? events.types : [events]) {
      const type = propertyType(checker, each, 'type', slice);
      if (!type.isStringLiteral()) throw new Error(`An event of ${slice.getText()} has no literal type.`);
      const shape = shapeOf(checker, propertyType(checker, each, 'data', slice), slice);
      shapes.set(type.value, { streamType, version: schemaVersions?.[type.value] ?? 1, shape });
    }
  }
  return shapes;
}

/** The shape of the metadata of every event, read from its type. */
export function metadataShape(): Shape {
  const path = join(repository, 'src/eventSourcing/event.ts');
  const program = programOf(path);
  const declared = program
    .getSourceFile(path)
    ?.statements.filter(ts.isTypeAliasDeclaration)
    .find(({ name }) => name.text === 'EventMetadata');
  if (declared === undefined) throw new Error('event.ts has no type EventMetadata.');
  const checker = program.getTypeChecker();
  return shapeOf(checker, checker.getTypeAtLocation(declared), declared);
}

function programOf(file: string): ts.Program {
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [file] }, ts.sys, repository);
  return ts.createProgram([file], { ...options, noEmit: true });
}

function listIn(file: ts.SourceFile | undefined): ts.Expression | undefined {
  const declarations = file?.statements
    .filter(ts.isVariableStatement)
    .flatMap((each) => [...each.declarationList.declarations]);
  return declarations?.find(({ name }) => name.getText() === 'slices')?.initializer;
}

/** The members of a list, including the members of lists that are spread into it. */
function membersOf(checker: ts.TypeChecker, list: ts.Expression | undefined): readonly ts.Expression[] {
  if (list === undefined || !ts.isArrayLiteralExpression(list)) throw new Error('slices.ts lists no slices.');
  return list.elements.flatMap((element) => {
    if (!ts.isSpreadElement(element)) return [element];
    const symbol = checker.getSymbolAtLocation(element.expression);
    const declaration = symbol && checker.getAliasedSymbol(symbol).valueDeclaration;
    const isVariable = declaration !== undefined && ts.isVariableDeclaration(declaration);
    return membersOf(checker, isVariable ? declaration.initializer : undefined);
  });
}

function propertyType(checker: ts.TypeChecker, type: ts.Type, name: string, at: ts.Node): ts.Type {
  const property = checker.getPropertyOfType(type, name);
  if (property === undefined) throw new Error(`${checker.typeToString(type)} has no ${name}.`);
  return checker.getTypeOfSymbolAtLocation(property, at);
}

function shapeOf(checker: ts.TypeChecker, type: ts.Type, at: ts.Node): Shape {
  const has = (flag: ts.TypeFlags) => (type.flags & flag) !== 0;
  if (type.aliasSymbol?.name === 'JsonValue') return 'unknown';
  if (type.isUnion()) return unionOf(checker, type.types, at);
  if (has(ts.TypeFlags.StringLiteral | ts.TypeFlags.NumberLiteral))
    return JSON.stringify((type as ts.LiteralType).value);
  if (has(ts.TypeFlags.BooleanLiteral)) return checker.typeToString(type);
  if (has(ts.TypeFlags.StringLike)) return 'string';
  if (has(ts.TypeFlags.NumberLike)) return 'number';
  if (has(ts.TypeFlags.Null)) return 'null';
  if (has(ts.TypeFlags.Unknown | ts.TypeFlags.Any | ts.TypeFlags.NonPrimitive)) return 'unknown';
  if (!has(ts.TypeFlags.Object | ts.TypeFlags.Intersection)) {
    throw new Error(`${checker.typeToString(type)} cannot be stored as JSON.`);
  }
  if (checker.isArrayType(type) || checker.isTupleType(type)) {
    const items = checker.getTypeArguments(type as ts.TypeReference);
    return { '[]': unionOf(checker, items, at) };
  }
  const record = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  if (record !== undefined) return { '{}': shapeOf(checker, record, at) };
  const fields = checker.getPropertiesOfType(type).map((property): readonly [string, Shape] => {
    const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0;
    const shape = shapeOf(checker, checker.getTypeOfSymbolAtLocation(property, at), at);
    return [`${property.name}${isOptional ? '?' : ''}`, shape];
  });
  return Object.fromEntries(fields.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function unionOf(checker: ts.TypeChecker, types: readonly ts.Type[], at: ts.Node): Shape {
  const stored = types.filter(({ flags }) => (flags & ts.TypeFlags.Undefined) === 0);
  const shapes = new Map(
    stored.map((type) => [JSON.stringify(shapeOf(checker, type, at)), shapeOf(checker, type, at)]),
  );
  if (shapes.has('"true"') && shapes.has('"false"')) {
    shapes.delete('"true"');
    shapes.delete('"false"');
    shapes.set('"boolean"', 'boolean');
  }
  const literals = [...shapes].filter(([, shape]) => typeof shape === 'string' && shape.startsWith('"'));
  if (literals.length > 1) {
    for (const [key] of literals) shapes.delete(key);
    shapes.set('"string"', 'string');
  }
  const members = [...shapes].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, shape]) => shape);
  const [only] = members;
  return members.length === 1 && only !== undefined ? only : members;
}
