/**
 * One member of a consumer group. The client rejoins a group by itself and in the background, while what it gave out
 * before is still worked on: two members then work on one partition at once. Here nothing is joined before all that
 * is held was given back, and nothing is held longer than the group is sure to keep it for us.
 */
import { Consumer, findErrorBy, type GroupAssignment, heartbeatV4, offsetCommitV8 } from '@platformatic/kafka';
import { connectionOf, hearingErrors, type KafkaAccess } from '../../../events/kafka/kafka-access.ts';

const SESSION_MS = 10_000;
/** How long the group waits for a member that still gives back. */
const REBALANCE_MS_MAX = 15_000;
const HEARTBEAT_MS = 1_000;
/** What is under way must end within this time, for then the group may give the partitions to others. */
const LEASE_MARGIN_MS = 2_000;
const LEASE_CHECK_MS = 250;
/** Longer than the group may let a member wait that joins. */
const REQUEST_MS_MAX = REBALANCE_MS_MAX + 5_000;
/** With few of them the client gives up its place while a broker restarts. */
const CLIENT_RETRIES = 200;
const CLIENT_RETRY_MS = 500;
const CLOSE_MS_MAX = 3_000;
const NOTHING_TO_SAY = Buffer.alloc(0);

/** What the group has given to this member until it is asked to give it back. */
export interface Generation {
  id: number;
  memberId: string;
  assignments: readonly GroupAssignment[];
}

export interface OffsetToCommit {
  topic: string;
  partition: number;
  offset: bigint;
}

export interface GroupMemberParts {
  kafka: KafkaAccess;
  clientId: string;
  groupId: string;
  /** Names of the broker. */
  topics: readonly string[];
  onAssigned(generation: Generation): void;
  /** The group goes on once this has resolved; then nothing of the generation is worked on any more. */
  onRevoked(): Promise<void>;
  /** It is no member any more and does not become one by itself. */
  onFailed(error: Error): void;
  onAnswer(): void;
  onNoAnswer(reason: string): void;
}

export class GroupMember {
  readonly #parts: GroupMemberParts;
  readonly #consumer: Consumer;
  readonly #leaseCheck: NodeJS.Timeout;
  /** Null: none, or it is asked back. */
  #generation: Generation | null = null;
  #holds = false;
  #givingBack: Promise<void> = Promise.resolve();
  #beatSentAt = 0;
  /** When the last heartbeat was sent that was answered. */
  #beatenAt = 0;
  #closed = false;

  constructor(parts: GroupMemberParts) {
    this.#parts = parts;
    this.#consumer = hearingErrors(
      new Consumer({
        clientId: parts.clientId,
        groupId: parts.groupId,
        ...connectionOf(parts.kafka),
        groupProtocol: 'classic',
        autocommit: false,
        autocreateTopics: false,
        sessionTimeout: SESSION_MS,
        rebalanceTimeout: REBALANCE_MS_MAX,
        heartbeatInterval: HEARTBEAT_MS,
        requestTimeout: REQUEST_MS_MAX,
        retries: CLIENT_RETRIES,
        retryDelay: CLIENT_RETRY_MS,
        // The client asks for this each time before it joins, and waits for the answer.
        protocolsMetadata: async () => {
          await this.#giveBackToJoin();
          return NOTHING_TO_SAY;
        },
      }),
    );
    this.#listen();
    this.#leaseCheck = setInterval(() => this.#checkLease(), LEASE_CHECK_MS);
    this.#leaseCheck.unref();
  }

  /** Resolves when it is a member; what it is given is told by `onAssigned`. */
  async join(): Promise<void> {
    this.#consumer.topics.trackAll(...this.#parts.topics);
    await this.#consumer.joinGroup({});
  }

  /**
   * Under the generation that they were handled in: the group refuses them once it has given the partitions to others.
   * (The client's own `commit` joins the group again and then commits the old offsets over those of the new owner.)
   */
  async commit({ id, memberId }: Generation, offsets: readonly OffsetToCommit[]): Promise<void> {
    const topics = Map.groupBy(offsets, ({ topic }) => topic);
    const request = [...topics].map(([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }));
    await offsetCommitV8.api.async(await this.#coordinator(), this.#parts.groupId, id, memberId, null, request);
  }

  /** Gives back all that it holds, then leaves, so that others have it at once. */
  async leave(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#leaseCheck);
    await this.#giveBack();
    const closed = this.#consumer.close(true).catch(() => undefined);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    await Promise.race([closed, late]);
    clearTimeout(timer);
  }

  #listen(): void {
    const { onAnswer, onNoAnswer, onFailed } = this.#parts;
    this.#consumer.on('consumer:group:join', ({ generationId, memberId, assignments }) => {
      this.#beatenAt = performance.now();
      onAnswer();
      void this.#hold({ id: generationId ?? 0, memberId, assignments: assignments ?? [] });
    });
    // At once, and not only when the client comes to join again.
    this.#consumer.on('consumer:group:rebalance', () => void this.#giveBack());
    this.#consumer.on('consumer:heartbeat:start', () => {
      this.#beatSentAt = performance.now();
    });
    this.#consumer.on('consumer:heartbeat:end', () => {
      this.#beatenAt = this.#beatSentAt;
      onAnswer();
      if (!this.#holds && this.#generation !== null) void this.#hold(this.#generation);
    });
    this.#consumer.on('consumer:heartbeat:error', ({ error }) => onNoAnswer(error.message));
    this.#consumer.on('client:broker:failed', ({ broker: { host, port } }) =>
      onNoAnswer(`${host}:${port} takes no connection`),
    );
    this.#consumer.on('error', (error) => onFailed(error));
  }

  async #hold(generation: Generation): Promise<void> {
    this.#generation = generation;
    await this.#givingBack;
    if (this.#closed || this.#holds || this.#generation !== generation) return;
    this.#holds = true;
    this.#parts.onAssigned(generation);
  }

  #giveBack(): Promise<void> {
    if (!this.#holds) return this.#givingBack;
    this.#holds = false;
    this.#givingBack = this.#parts.onRevoked();
    return this.#givingBack;
  }

  /** The client sends no heartbeats while it joins, and the group would not wait for us. */
  async #giveBackToJoin(): Promise<void> {
    const generation = this.#generation;
    this.#generation = null;
    if (generation === null) return this.#givingBack;
    const beats = setInterval(() => void this.#beat(generation), HEARTBEAT_MS);
    try {
      await this.#giveBack();
    } finally {
      clearInterval(beats);
    }
  }

  async #beat({ id, memberId }: Generation): Promise<void> {
    try {
      await heartbeatV4.api.async(await this.#coordinator(), this.#parts.groupId, id, memberId, null);
    } catch {
      // It answers that the group waits for us; one that fails is followed by the next.
    }
  }

  /** Without an answer for so long the group may take us for dead. The same generation is held again if it does not. */
  #checkLease(): void {
    if (!this.#holds || performance.now() - this.#beatenAt < SESSION_MS - LEASE_MARGIN_MS) return;
    this.#parts.onNoAnswer('no answer to heartbeats');
    void this.#giveBack();
  }

  async #coordinator() {
    const node = await this.#consumer.findGroupCoordinator();
    const connection = (await this.#consumer.connectToBrokers([node])).get(node);
    if (connection === undefined) throw new Error(`the broker ${node} that keeps the group is not known`);
    return connection;
  }
}

/** The group has gone on without this member: no failure, it joins again. */
export function isOutdated(error: unknown): boolean {
  return findErrorBy(error as Error, 'needsRejoin', true) !== null;
}
