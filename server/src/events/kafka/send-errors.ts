import { findErrorBy } from '@platformatic/kafka';

/** The topic never takes so much at once. */
export function isTooLarge(error: Error): boolean {
  return ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].some((id) => findErrorBy(error, 'apiId', id) !== null);
}

export function isUnknownTopic(error: Error): boolean {
  return findErrorBy(error, 'apiId', 'UNKNOWN_TOPIC_OR_PARTITION') !== null || /Unknown topic/.test(error.message);
}
