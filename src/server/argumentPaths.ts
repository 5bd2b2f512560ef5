import { Kind, visit, type DocumentNode, type OperationDefinitionNode, type ValueNode } from 'graphql';

/**
 * Where each variable of an operation stands in its arguments, for example `input.password` for `$p` in
 * `registerService(input: { password: $p })`: what a client calls a variable says nothing to the person who reads an
 * error. Of one that stands in several places the first counts; one that stands nowhere is called by its name.
 */
export function argumentPaths(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variable: string) => string {
  const paths = new Map<string, string>();
  const look = (value: ValueNode, path: string): void => {
    switch (value.kind) {
      case Kind.VARIABLE:
        if (!paths.has(value.name.value)) paths.set(value.name.value, path);
        return;
      case Kind.LIST:
        for (const [index, item] of value.values.entries()) look(item, `${path}.${index}`);
        return;
      case Kind.OBJECT:
        for (const field of value.fields) look(field.value, `${path}.${field.name.value}`);
    }
  };
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  for (const definition of [operation, ...fragments]) {
    visit(definition, {
      Argument: ({ name, value }) => {
        look(value, name.value);
        return false;
      },
    });
  }
  return (variable) => paths.get(variable) ?? variable;
}
