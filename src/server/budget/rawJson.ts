/**
 * A large JSON value as its text. Over HTTP the text becomes a part of the answer as it is: to parse it, measure it and write
 * it again would block the process for longer than others may wait. The text must be valid JSON.
 */
export class RawJson {
  constructor(readonly text: string) {}

  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}
