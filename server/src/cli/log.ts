import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/**
 * The log goes to stderr, so that stdout belongs to what a command prints: JSON lines, or readable ones on a
 * terminal.
 */
export function openLog(level: string): Logger {
  if (!process.stderr.isTTY) return pino({ level }, pino.destination({ fd: 2, sync: true }));
  const readable = pretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' });
  return pino({ level }, readable);
}
