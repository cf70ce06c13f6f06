import type { ConsumedTopic } from '../../events/topics.ts';
import type { ConsumedMessage } from '../messages/message.ts';

/** What a source gives messages to: one consumer of this process. */
export interface MessageSink {
  /**
   * A partition is this member's from now on; its messages follow in their order, from the first that is not committed.
   * The dead letters of others are read again before the first of them is handled.
   */
  assign(topic: ConsumedTopic, partition: number): AssignedPartition;
}

export interface AssignedPartition {
  /**
   * Takes messages in the order of their offsets, one call after the other; an offset that it took before is passed
   * over, so a source may read again from the committed one. Resolves when there is room for more.
   */
  take(messages: readonly ConsumedMessage[]): Promise<void>;
  /** The offset to commit: every message before it has its effect in the ledger, or is parked. Null: none was handled. */
  readonly committable: bigint | null;
  /**
   * The partition is another member's: nothing more of it is begun. Resolves once nothing of it is under way, so that
   * two members never work on one partition at once.
   */
  revoke(): Promise<void>;
}

/** Where messages come from: Kafka, or the inbox of this installation. */
export interface MessageSource {
  start(sink: MessageSink): Promise<void>;
  /** Takes no more, waits for what is under way, and commits it. */
  stop(): Promise<void>;
  /** What a person reads when no messages come; null: all is well. */
  degraded(): string | null;
  /** Messages that are there and not taken yet, by topic. */
  lag(): Promise<Map<ConsumedTopic, number>>;
}
