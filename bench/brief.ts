/** With `--brief` a bench only shows that it works: the least of everything, in seconds, and no promise is judged. */
export const brief = process.argv.includes('--brief');

/** What stands on the command line and is no option. */
export const positionals = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
