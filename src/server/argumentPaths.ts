import { Kind, visit, type DocumentNode, type OperationDefinitionNode, type ValueNode } from 'graphql';

/**
 * Maps each variable of an operation to its path in the arguments, for example `$p` in `registerService(input: {
 * password: $p })` to `input.password`. Errors name this path, because a client chooses the names of its variables
 * freely. A variable that is used several times gets its first path. An unused one gets its name.
 */
export function argumentPaths(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variable: string) => string {
  const paths = new Map<string, string>();
  const collectPaths = (value: ValueNode, path: string): void => {
    switch (value.kind) {
      case Kind.VARIABLE:
        if (!paths.has(value.name.value)) paths.set(value.name.value, path);
        return;
      case Kind.LIST:
        for (const [index, item] of value.values.entries()) collectPaths(item, `${path}.${index}`);
        return;
      case Kind.OBJECT:
        for (const field of value.fields) collectPaths(field.value, `${path}.${field.name.value}`);
        return;
      case Kind.BOOLEAN:
      case Kind.ENUM:
      case Kind.FLOAT:
      case Kind.INT:
      case Kind.NULL:
      case Kind.STRING:
        return;
    }
  };
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  for (const definition of [operation, ...fragments]) {
    visit(definition, {
      Argument: ({ name, value }) => {
        collectPaths(value, name.value);
        return false;
      },
    });
  }
  return (variable) => paths.get(variable) ?? variable;
}
