import ts from 'typescript';

type Bindings = ReadonlyMap<ts.Symbol, readonly string[]>;
const nothingBound: Bindings = new Map();
const mostVariants = 32;

/** Computes the text of an expression from the sources, in each variant that conditions and unions of literals allow. */
export class SqlText {
  constructor(private readonly checker: ts.TypeChecker) {}

  /** Undefined: the text is only known at run time. */
  of(expression: ts.Expression, bound: Bindings = nothingBound): readonly string[] | undefined {
    if (ts.isStringLiteralLike(expression) || ts.isNumericLiteral(expression)) return [expression.text];
    if (ts.isParenthesizedExpression(expression) || ts.isAsExpression(expression)) {
      return this.of(expression.expression, bound);
    }
    if (ts.isTemplateExpression(expression)) {
      const pieces = expression.templateSpans.map((span) =>
        joined([this.of(span.expression, bound), [span.literal.text]]),
      );
      return joined([[expression.head.text], ...pieces]);
    }
    if (ts.isBinaryExpression(expression) && expression.operatorToken.kind === ts.SyntaxKind.PlusToken) {
      return joined([this.of(expression.left, bound), this.of(expression.right, bound)]);
    }
    if (ts.isConditionalExpression(expression)) {
      const [yes, no] = [this.of(expression.whenTrue, bound), this.of(expression.whenFalse, bound)];
      return yes && no && [...yes, ...no];
    }
    return this.#literals(expression) ?? this.#named(expression, bound) ?? this.#called(expression, bound);
  }

  #literals(expression: ts.Expression): readonly string[] | undefined {
    const type = this.checker.getTypeAtLocation(expression);
    // If a number is only known at run time, 0 stands for any number.
    if ((type.flags & ts.TypeFlags.Number) !== 0) return ['0'];
    const members = type.isUnion() ? type.types : [type];
    const values = members.flatMap((each) =>
      each.isStringLiteral() || each.isNumberLiteral() ? [String(each.value)] : [],
    );
    return values.length === members.length ? values : undefined;
  }

  #named(expression: ts.Expression, bound: Bindings): readonly string[] | undefined {
    if (!ts.isIdentifier(expression)) return undefined;
    const symbol = this.#symbolOf(expression);
    const declaration = symbol?.valueDeclaration;
    if (symbol === undefined || declaration === undefined) return undefined;
    const known = bound.get(symbol);
    if (known !== undefined || !ts.isVariableDeclaration(declaration)) return known;
    const loop = declaration.parent.parent;
    if (ts.isForOfStatement(loop) && ts.isArrayLiteralExpression(loop.expression)) {
      const items = loop.expression.elements.map((item) => this.of(item, bound));
      return items.some((texts) => texts === undefined) ? undefined : items.flatMap((texts) => texts ?? []);
    }
    return declaration.initializer && this.of(declaration.initializer, bound);
  }

  /** Evaluates a call of a function that only returns a text. */
  #called(expression: ts.Expression, bound: Bindings): readonly string[] | undefined {
    if (!ts.isCallExpression(expression) || !ts.isIdentifier(expression.expression)) return undefined;
    let callee: ts.Node | undefined = this.#symbolOf(expression.expression)?.valueDeclaration;
    if (callee !== undefined && ts.isVariableDeclaration(callee)) callee = callee.initializer;
    if (callee === undefined || !(ts.isFunctionDeclaration(callee) || ts.isArrowFunction(callee))) return undefined;
    const own = new Map(bound);
    for (const [index, { name }] of callee.parameters.entries()) {
      const argument = expression.arguments[index];
      const symbol = this.checker.getSymbolAtLocation(name);
      const texts = argument && this.of(argument, bound);
      if (symbol !== undefined && texts !== undefined) own.set(symbol, texts);
    }
    const { body } = callee;
    if (body === undefined) return undefined;
    if (!ts.isBlock(body)) return this.of(body, own);
    const last = body.statements.at(-1);
    return last && ts.isReturnStatement(last) && last.expression ? this.of(last.expression, own) : undefined;
  }

  #symbolOf(name: ts.Identifier): ts.Symbol | undefined {
    const symbol = this.checker.getSymbolAtLocation(name);
    if (symbol === undefined) return undefined;
    return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : this.checker.getAliasedSymbol(symbol);
  }
}

function joined(pieces: readonly (readonly string[] | undefined)[]): readonly string[] | undefined {
  return pieces.reduce<readonly string[] | undefined>(
    (texts, piece) => {
      if (texts === undefined || piece === undefined) return undefined;
      return texts.flatMap((text) => piece.map((each) => text + each)).slice(0, mostVariants);
    },
    [''],
  );
}
