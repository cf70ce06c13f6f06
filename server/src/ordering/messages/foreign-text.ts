/** What strangers wrote, fit to be shown to people: short, on one line, and nothing that acts on a terminal. */
const SHOWN_LENGTH_MAX = 80;

export function shown(value: unknown): string {
  if (typeof value === 'string') return `"${clean(value)}"`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

export function clean(text: string): string {
  const short = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
  return short.replace(/\p{C}/gu, '\ufffd');
}
