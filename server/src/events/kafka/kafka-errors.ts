import { AuthenticationError, findErrorBy } from '@platformatic/kafka';
import { tlsFault } from '../../tls/tls-faults.ts';

/** The topic never takes so much at once. */
export function isTooLarge(error: Error): boolean {
  return ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].some((id) => findErrorBy(error, 'apiId', id) !== null);
}

export function isUnknownTopic(error: Error): boolean {
  return findErrorBy(error, 'apiId', 'UNKNOWN_TOPIC_OR_PARTITION') !== null || /Unknown topic/.test(error.message);
}

/** Of a login: what is wrong, by the broker's own code. */
const LOGIN_FAULTS = new Map([
  ['SASL_AUTHENTICATION_FAILED', 'it refuses the login: check KAFKA_USERNAME and KAFKA_PASSWORD'],
  ['UNSUPPORTED_SASL_MECHANISM', 'it takes no login of this kind: check KAFKA_SASL_MECHANISM'],
  ['ILLEGAL_SASL_STATE', 'it asks for no login there: leave KAFKA_SASL_MECHANISM out, or name the port where it does'],
]);

/** Names the setting that is wrong, if one is; else the innermost reason: the client wraps what happened in what it tried. */
export function reasonOf(error: unknown): string {
  const errors = [...within(error)];
  const fault = tlsFault(error);
  if (fault !== null) return `${fault}: check KAFKA_TLS and its files`;
  const { message } = innermost(error);
  if (errors.some((each) => each instanceof AuthenticationError)) return loginFault(errors) ?? message;
  return message.startsWith('Broker requires TLS') ? 'it wants TLS: set KAFKA_TLS=on' : message;
}

function loginFault(errors: readonly Error[]): string | null {
  const codes = errors.map((each) => (each as { apiId?: string }).apiId ?? '');
  const known = codes.map((code) => LOGIN_FAULTS.get(code)).find((meaning) => meaning !== undefined);
  if (known !== undefined) return known;
  const isClosed = errors.some(({ message }) => message.startsWith('Connection closed'));
  return isClosed ? 'it ended the connection amid the login: if it wants TLS, set KAFKA_TLS=on' : null;
}

function* within(error: unknown): Generator<Error> {
  if (!(error instanceof Error)) return;
  yield error;
  for (const each of error instanceof AggregateError ? error.errors : []) yield* within(each);
  yield* within(error.cause);
}

function innermost(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors.at(-1));
  const { cause } = error as Error;
  return cause === undefined ? (error as Error) : innermost(cause);
}
