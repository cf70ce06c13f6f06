import { describe, expect, it } from 'vitest';
import { TopicNames, WrongTopicSettings } from '../../src/events/topics.ts';

describe('topic names', () => {
  it('are those of the documents, each with its dead letters', () => {
    const names = new TopicNames();
    expect(names.of('stock.reserved')).toBe('stock.reserved');
    expect(names.deadLettersOf('order.placed')).toBe('order.placed.dlq');
    expect(names.all()).toHaveLength(2 * 15);
    expect(names.all()).toContain('stock.sync.alert.dlq');
  });

  it('stand behind the prefix, but for those that are renamed', () => {
    const names = new TopicNames({
      prefix: 'koosco.commerce.',
      map: ' order.placed = shop.orders ,, stock.low=shop-low_1',
    });
    expect(names.of('order.completed')).toBe('koosco.commerce.order.completed');
    expect(names.of('order.placed')).toBe('shop.orders');
    expect(names.deadLettersOf('order.placed')).toBe('shop.orders.dlq');
    expect(names.ofType('stock.low')).toBe('shop-low_1');
  });

  it.each([
    [{ prefix: 'a b' }, 'TOPIC_PREFIX is "a b"'],
    [{ prefix: 'x'.repeat(240) }, 'TOPIC_PREFIX is "xxx'],
    [{ map: 'order.placed' }, 'TOPIC_MAP has "order.placed": it must be of the form'],
    [{ map: 'order.placed=a=b' }, 'must be of the form'],
    [{ map: 'order.plcaed=a' }, 'there is no topic "order.plcaed"; there are order.placed,'],
    [{ map: 'order.placed=a,order.placed=b' }, 'order.placed is named twice'],
    [{ map: 'order.placed=' }, 'the name of a topic holds'],
    [{ map: 'order.placed=..' }, 'the name of a topic holds'],
    [{ map: 'order.placed=주문' }, 'the name of a topic holds'],
    [{ map: `order.placed=${'x'.repeat(246)}` }, 'at most 245'],
    [{ map: 'order.placed=stock.low' }, 'two topics the name "stock.low"'],
    [{ map: 'order.placed=stock.low.dlq' }, 'two topics the name "stock.low.dlq"'],
  ])('refuses %j and says what it may be', (settings, message) => {
    expect(() => new TopicNames(settings)).toThrow(WrongTopicSettings);
    expect(() => new TopicNames(settings)).toThrow(message);
  });
});
