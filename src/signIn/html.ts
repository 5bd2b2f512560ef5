/** Text that is already HTML. */
export class Html {
  constructor(readonly text: string) {}
}

/** A template of HTML. Every value that is not `Html` is escaped, and lists are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly (Html | string | readonly Html[])[]): Html {
  return new Html(parts.map((part, index) => (index === 0 ? '' : textOf(values[index - 1] ?? '')) + part).join(''));
}

function textOf(value: Html | string | readonly Html[]): string {
  if (value instanceof Html) return value.text;
  return typeof value === 'string' ? escape(value) : value.map(({ text }) => text).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
