/**
 * What strangers wrote, fit to be shown to people: short, on one line, and nothing that acts on a terminal. Until
 * `toldReason` it is marked, so that nothing of what was encrypted gets into a reason, which is kept and sent in plain.
 * What was read of an event is marked as well: its ids and quantities, and whatever an error says while it is handled.
 */
const SHOWN_LENGTH_MAX = 80;
/** First strong isolate, and its end: format characters, which no marked text has in it. */
const MARKED = /\u2068[^\u2069]*\u2069/g;
const MARKS = /[\u2068\u2069]/g;

/** Marked. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return clean(value, '"');
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : clean(String(value));
}

/** Marked. */
export function clean(text: string, quote = ''): string {
  const short = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
  return marked(`${quote}${short.replace(/\p{C}/gu, '\ufffd')}${quote}`);
}

/** Marked, and whole: what is known to be fit, as ids and quantities are that were read. */
export function marked(content: string | number): string {
  return `\u2068${String(content).replace(MARKS, '')}\u2069`;
}

/** A reason for people; what is marked in it is left out where it was encrypted, and the marks are taken off. */
export function toldReason(reason: string, wasEncrypted: boolean): string {
  return wasEncrypted ? reason.replace(MARKED, '(not shown: it was encrypted)') : reason.replace(MARKS, '');
}
