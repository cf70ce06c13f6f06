/** What is being done, and why: for people, on stderr. */

export type Say = (line: string) => void;

export const say: Say = (line) => console.error(`holdfast: ${line}`);
