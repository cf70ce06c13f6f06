import { describe, expect, it } from 'vitest';
import { readEventConfiguration } from '../../src/cli/event-configuration.ts';

describe('the settings of events', () => {
  it('have defaults that need no other program', () => {
    expect(readEventConfiguration({})).toEqual({
      earlyEventWaitMs: 30_000,
      keysFile: null,
      plainMessages: 'accepted',
      schemaRegistryUrl: null,
    });
  });

  it.each([
    [{ EARLY_EVENT_WAIT_MS: 'soon' }, /^EARLY_EVENT_WAIT_MS is "soon", but it must be a whole number/],
    [{ EARLY_EVENT_WAIT_MS: '600001' }, /^EARLY_EVENT_WAIT_MS is "600001"/],
    [
      { EVENT_PLAIN_MESSAGES: 'no', EVENT_KEYS_FILE: 'keys.json' },
      /^EVENT_PLAIN_MESSAGES is "no".*accepted or refused/,
    ],
    [{ EVENT_PLAIN_MESSAGES: 'refused' }, /^EVENT_PLAIN_MESSAGES is "refused", but EVENT_KEYS_FILE is not set/],
    [{ SCHEMA_REGISTRY_URL: 'ftp://:geheim@host' }, /^(?!.*geheim)SCHEMA_REGISTRY_URL must be of the form/],
  ])('refuse %j', (environment, message) => {
    expect(() => readEventConfiguration(environment)).toThrow(message);
  });
});
