/** The colours follow the setting of the browser. Each pair of text and ground has a contrast of at least 4.5 to 1. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f3f5f8; --panel: #fff; --line: #d4dbe3; --text: #1b2733; --field-line: #66788a; --code: #eef1f5;
  --bar: #16324f; --link: #1f5587; --button: #2f6fab; --problem: #b3261e; --problem-ground: #fdf1f0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10161d; --panel: #1a222c; --line: #364351; --text: #e3e9f0; --field-line: #8696a7; --code: #26313d;
    --bar: #0a2036; --link: #8fc1f0; --button: #2f6fab; --problem: #f2827b; --problem-ground: #3a1d1b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
header { padding: 0.6rem 1rem; background: var(--bar); color: #fff; }
main { max-width: 44rem; margin: 2rem auto; padding: 1.5rem 2rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }
h1, dd, td { overflow-wrap: anywhere; }
h1 { margin-top: 0; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2rem 0 0; font-size: 1.1rem; }
dt { font-weight: 600; }
dd { margin: 0 0 0.75rem; }
a { color: var(--link); }
label { display: block; font-weight: 600; }
input { width: 100%; padding: 0.5rem; border: 1px solid var(--field-line); border-radius: 4px; background: var(--panel); color: var(--text); font: inherit; }
button, a.button { display: inline-block; margin: 0 0.75rem 0.5rem 0; padding: 0.5rem 1rem; border: 1px solid var(--button); border-radius: 4px; background: var(--button); color: #fff; font: inherit; text-decoration: none; cursor: pointer; }
button.quiet { background: var(--panel); color: var(--link); }
button:focus-visible, a:focus-visible, input:focus-visible { outline: 3px solid #f0a72e; outline-offset: 2px; }
form { margin: 1rem 0; }
form p { margin: 0.75rem 0; }
code { padding: 0.1rem 0.3rem; background: var(--code); border-radius: 3px; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.5rem 0.5rem 0.5rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td + td, th { white-space: nowrap; }
td form { margin: 0; }
.problem { padding: 0.75rem 1rem; border-left: 4px solid var(--problem); background: var(--problem-ground); }
@media (max-width: 44rem) {
  main { margin: 0; padding: 1rem; border: 0; border-radius: 0; }
  table, tbody, tr, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  td { padding: 0.25rem 0; border: 0; }
  td[data-label]::before { content: attr(data-label) ': '; font-weight: 600; }
  tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
}
`;

/** Sends the code of a one-time link, which follows `#` and so reaches no server and no log on the way. */
export const linkScript = `
const code = location.hash.slice(1);
const form = document.querySelector('form[data-link]');
if (code !== '' && form !== null) {
  history.replaceState(null, '', location.pathname + location.search);
  form.elements.code.value = code;
  form.submit();
}
`;
