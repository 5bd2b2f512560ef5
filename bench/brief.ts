/** With `--brief` a benchmark only shows that it works: it uses the smallest sizes, takes seconds, and checks no limits. */
export const brief = process.argv.includes('--brief');

/** The arguments of the command line that are not options. */
export const positionals = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
