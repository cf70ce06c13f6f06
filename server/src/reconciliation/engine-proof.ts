/**
 * Holds an engine against the entries while it serves: it may be ahead of them, never behind, and whatever it says of
 * a level at some version must be what the entries say of that version.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { encodeHold } from '../stock/entry-codec.ts';
import type { LevelView, StockEngine } from '../stock/stock-engine.ts';
import type { Findings } from './findings.ts';
import type { ClaimedHold, ClaimedLevel, LedgerProof, ProvenProduct, Refuted } from './ledger-proof.ts';

const LEVELS_AT_ONCE = 2_000;
const HOLDS_AT_ONCE = 2_000;
/** Within this time a decision is recorded. */
const RECORDING_MS = 1_000;
/** How often, and for how long at most, it is looked whether the proof has come that far. */
const LOOK_EVERY_MS = 100;
const PROJECTING_MS_MAX = 60_000;
/** A claim may be overtaken, read anew, and then be ahead: each once, and once more. */
const ATTEMPTS = 4;
const QUIET_ATTEMPTS = 20;

export class EngineProof {
  readonly #engine: StockEngine;
  readonly #proof: LedgerProof;
  readonly #findings: Findings;

  constructor(engine: StockEngine, proof: LedgerProof, findings: Findings) {
    this.#engine = engine;
    this.#proof = proof;
    this.#findings = findings;
  }

  async prove(): Promise<void> {
    await this.#proveLevels();
    await this.#proveHolds();
    await this.#proveCounts();
  }

  async #proveLevels(): Promise<void> {
    let refuted: Refuted<ClaimedLevel>[] = [];
    for (;;) {
      const products = await this.#proof.nextProducts(LEVELS_AT_ONCE);
      if (products.length === 0) break;
      const claims: ClaimedLevel[] = [];
      for (const product of products) claims.push(...(await this.#claimProduct(product)));
      refuted.push(...(await this.#proof.refuteLevels(claims)));
    }
    for (let attempt = 1; refuted.length > 0 && attempt < ATTEMPTS; attempt += 1) {
      await this.#settle();
      const claims: ClaimedLevel[] = [];
      // What is ahead is kept: on a level that never rests, whatever is read anew is ahead again.
      for (const { claim, ahead } of refuted) claims.push(ahead ? claim : await this.#claimLevel(claim));
      refuted = await this.#proof.refuteLevels(claims);
    }
    for (const { claim, proven } of refuted) {
      const { hqId, storeId, productId, view } = claim;
      this.#findings.add(
        `the engine says of level ${hqId}/${storeId}/${productId}: ${JSON.stringify(view)}; by the entries ${proven}`,
      );
    }
  }

  async #claimProduct({ hqId, productId, levels }: ProvenProduct): Promise<ClaimedLevel[]> {
    const keys = levels.map(({ storeId }) => ({ storeId, productId }));
    // Asked in one turn: a memory engine answers both from one moment.
    const [views, totals] = await Promise.all([this.#engine.levels(hqId, keys), this.#engine.totals(hqId, productId)]);
    const sums = sumOf(views);
    if (totals === null || totals.onHand !== sums.onHand || totals.reserved !== sums.reserved) {
      this.#findings.add(
        `the engine's totals of ${hqId}/${productId} are ${JSON.stringify(totals)}; its levels sum up to ${JSON.stringify(sums)}`,
      );
    }
    return levels.map(({ storeId, version }, index) => ({
      hqId,
      storeId,
      productId,
      view: views[index] ?? null,
      floor: version,
    }));
  }

  async #claimLevel(claim: ClaimedLevel): Promise<ClaimedLevel> {
    const [view] = await this.#engine.levels(claim.hqId, [claim]);
    return { ...claim, view: view ?? null };
  }

  async #proveHolds(): Promise<void> {
    let refuted: Refuted<ClaimedHold>[] = [];
    for (;;) {
      const ids = await this.#proof.nextOpenHolds(HOLDS_AT_ONCE);
      if (ids.length === 0) break;
      refuted.push(...(await this.#proof.refuteHolds(await this.#claimHolds(ids))));
    }
    for (let attempt = 1; refuted.length > 0 && attempt < ATTEMPTS; attempt += 1) {
      const claims = await this.#claimHolds(refuted.map(({ claim }) => claim.reservationId));
      await this.#settle();
      refuted = await this.#proof.refuteHolds(claims);
    }
    for (const { claim, proven } of refuted) {
      this.#findings.add(
        `the engine says of reservation ${claim.reservationId}: ${claim.text ?? 'it is not known'}; by the entries ${proven}`,
      );
    }
  }

  async #claimHolds(ids: readonly string[]): Promise<ClaimedHold[]> {
    const claims: ClaimedHold[] = [];
    for (const reservationId of ids) {
      const found = await this.#engine.hold(reservationId);
      claims.push({ reservationId, text: found === null ? null : encodeHold(found.hold) });
    }
    return claims;
  }

  /** Returns once everything that was decided when it was called is recorded, projected and proven. */
  async #settle(): Promise<void> {
    await delay(RECORDING_MS);
    const recorded = new Map((await this.#proof.standing()).map((each) => [each.partition, each.recorded]));
    for (let waitedMs = 0; waitedMs < PROJECTING_MS_MAX; waitedMs += LOOK_EVERY_MS) {
      const standing = await this.#proof.standing();
      if (standing.every(({ partition, proven }) => proven >= (recorded.get(partition) ?? 0))) return;
      await delay(LOOK_EVERY_MS);
    }
  }

  /** Levels and holds that no entry made: numbers can be compared only while nothing moves and all is proven. */
  async #proveCounts(): Promise<void> {
    for (let attempt = 0; attempt < QUIET_ATTEMPTS; attempt += 1) {
      const before = await this.#engine.counts();
      const standing = await this.#proof.standing();
      const { levels, openReservations } = await this.#proof.report();
      const after = await this.#engine.counts();
      const quiet =
        before.unrecorded + after.unrecorded === 0 &&
        standing.every(({ recorded, proven }) => proven >= recorded) &&
        before.levels === after.levels &&
        before.openHolds === after.openHolds &&
        before.rememberedOperations === after.rememberedOperations;
      if (!quiet) {
        await delay(LOOK_EVERY_MS);
        continue;
      }
      if (after.levels !== levels || after.openHolds !== openReservations) {
        this.#findings.add(
          `the engine has ${after.levels} levels and ${after.openHolds} open reservations; the entries make ${levels} and ${openReservations}`,
        );
      }
      return;
    }
  }
}

function sumOf(levels: readonly (LevelView | null)[]): { onHand: number; reserved: number } {
  const sums = { onHand: 0, reserved: 0 };
  for (const level of levels) {
    sums.onHand += level?.onHand ?? 0;
    sums.reserved += level?.reserved ?? 0;
  }
  return sums;
}
