/** A memory engine that remembers every call that changes it, so that another engine can be asked the same. */
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import type { WindowBounds } from '../../src/stock/operation-memory.ts';
import type { CommandRequest, Decision, RecordedHead } from '../../src/stock/stock-engine.ts';

export type TracedCall =
  | { kind: 'decide'; nowMs: number; request: CommandRequest; decision: Decision }
  | { kind: 'expire-due'; nowMs: number; holds: number }
  | { kind: 'recorded'; head: RecordedHead };

export class TracedEngine extends MemoryStockEngine {
  readonly calls: TracedCall[] = [];
  readonly #clock: { nowMs: number };

  constructor(clock: { nowMs: number }, bounds: WindowBounds) {
    super(() => clock.nowMs, bounds);
    this.#clock = clock;
  }

  override decide(request: CommandRequest): Decision {
    const decision = super.decide(request);
    // The recorder marks entries afterwards; what was decided is compared.
    this.calls.push({ kind: 'decide', nowMs: this.#clock.nowMs, request, decision: structuredClone(decision) });
    return decision;
  }

  override expireDue(): { holds: number; latestMs: number } {
    const expired = super.expireDue();
    this.calls.push({ kind: 'expire-due', nowMs: this.#clock.nowMs, holds: expired.holds });
    return expired;
  }

  override recorded(head: RecordedHead): void {
    super.recorded(head);
    this.calls.push({ kind: 'recorded', head });
  }
}
