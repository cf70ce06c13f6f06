/** What it takes to run one server on this machine, for people (`infra:up`) and for the tests alike. */

export type ServerKind = 'redis' | 'mariadb' | 'kafka' | 'zookeeper' | 'debezium' | 'registry';

export interface Command {
  file: string;
  args: string[];
  env?: Record<string, string>;
}

/** Where a server's commands are run: makes one to be run here into one that runs there. */
export type Place = (command: Command) => Command;

export const here: Place = (command) => command;

/** Lines of a server's settings file, by name; they win over those that it has anyway. */
export type ServerSettings = Readonly<Record<string, string>>;

export interface LocalServer {
  /** For people: `Redis`. */
  readonly title: string;
  readonly port: number;
  /** Absolute. Everything that it writes is below. */
  readonly folder: string;
  /** Its output. */
  readonly logFile: string;
  /** Absolute. An argument of each of its processes, by which they are found. */
  readonly settingsFile: string;
  readonly command: Command;
  /** What its processes are called, wherever they run. */
  readonly program: string;
  /** Starting after a crash may mean replaying a log. */
  readonly readyMsMax: number;
  /** Writes the settings, and what data must be there before the first start. Changes no data that are there. */
  prepare(): Promise<void>;
  /** Resolves if it answers, and as the one that is meant: with the right password, of the right cluster. */
  ask(): Promise<void>;
}
